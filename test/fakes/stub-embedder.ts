import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** An embedder that counts what it is asked: its vectors depend on the text alone and mean nothing. */
export interface StubEmbedder extends Embedder {
  /** Every text embedded so far, in order, repeats included. */
  readonly texts: string[];
  readonly calls: { readonly texts: number }[];
}

export function stubEmbedder(
  settings: {
    readonly id?: string;
    readonly dimensions?: number;
    readonly maxBatch?: number;
    readonly maxInputTokens?: number;
    /** Default 0; `"unknown"` for one that nobody has said. */
    readonly price?: number | "unknown";
  } = {},
): StubEmbedder {
  const dimensions = settings.dimensions ?? 4;
  const texts: string[] = [];
  const calls: { texts: number }[] = [];
  return {
    id: settings.id ?? `stub/hash/${dimensions}`,
    dimensions,
    maxBatch: settings.maxBatch ?? 100,
    maxBatchTokens: 300_000,
    maxInputTokens: settings.maxInputTokens ?? 8000,
    pricePerMillionTokens: settings.price === "unknown" ? undefined : (settings.price ?? 0),
    fusionWeight: 0,
    texts,
    calls,
    async embed(batch, _purpose, signal) {
      if (signal.aborted) throw new QuaysideError("cancelled", "Cancelled.");
      calls.push({ texts: batch.length });
      for (const text of batch) texts.push(text);
      return {
        inputTokens: undefined,
        vectors: batch.map((text) => {
          const vector = new Float32Array(dimensions);
          for (let i = 0; i < text.length; i++) {
            const at = i % dimensions;
            vector[at] = (vector[at] ?? 0) + text.charCodeAt(i) + 1;
          }
          const length = Math.hypot(...vector) || 1;
          return vector.map((x) => x / length);
        }),
      };
    },
  };
}
