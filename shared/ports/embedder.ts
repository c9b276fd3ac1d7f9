/**
 * Turns text into vectors. The same embedder must serve ingest and questions: the ledger records `id`,
 * and a question with another id is refused (`index_embedder_mismatch`).
 */
export interface Embedder {
  /** `provider/model/dimensions`, e.g. `"openai/text-embedding-3-small/1536"`. */
  readonly id: string;
  /** Length of every vector. */
  readonly dimensions: number;
  /** Most texts that one call may carry; callers batch. */
  readonly maxBatch: number;
  /** Most tokens that one call may carry in all, in the estimate of `shared/tokens.ts`. */
  readonly maxBatchTokens: number;
  /** Longest text, in tokens; chunking stays below it. */
  readonly maxInputTokens: number;
  /** US dollars for a million input tokens; 0 for the built-in one, undefined where nobody has said. */
  readonly pricePerMillionTokens: number | undefined;
  /**
   * How much the dense leg counts beside the lexical leg (1.0) in the fused score, 0 to 2. A property of the embedder,
   * measured, because a weak vector with an equal vote makes every ranking worse.
   */
  readonly fusionWeight: number;

  /**
   * @param texts 1 to `maxBatch` non-empty strings.
   * @param purpose asymmetric models embed stored text and questions differently; symmetric ones ignore it.
   * @returns one vector a text, in the same order, each a Float32Array of `dimensions`, unit length (dot product = cosine).
   * @throws QuaysideError `input_too_long` (never a silent cut) or `input_rejected` when one of the texts is the trouble: ingest
   * then finds out which by halving; `rate_limited` (a quota that is used up too), `embedder_rejected` (key, name, dimensions),
   * `embedder_unavailable`, `deadline_exceeded`, `cancelled`.
   */
  embed(texts: readonly string[], purpose: "document" | "query", signal: AbortSignal): Promise<Embeddings>;
}

export interface Embeddings {
  readonly vectors: readonly Float32Array[];
  /** Tokens billed for the call; undefined when the provider does not say. */
  readonly inputTokens: number | undefined;
  /** Milliseconds to wait before the next call, where the provider says that nothing is left until then. */
  readonly restMs?: number;
}
