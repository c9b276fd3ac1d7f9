import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";

/** Why the embedder has no vector for a text. */
export type Refusal = "input_too_long" | "input_rejected";

export interface EmbeddedEach {
  /** In the order of the texts: its vector, or why there is none. */
  readonly outcomes: readonly (Float32Array | Refusal)[];
  /** Undefined when the provider does not say. */
  readonly inputTokens: number | undefined;
}

/**
 * Embeds texts of which one may be the trouble: a call that is refused for a text is halved until the text is found, and the
 * others get their vectors.
 * @param onCall told before each call.
 * @throws QuaysideError what the embedder throws for another reason; `embedder_rejected` when it refuses every one of several
 * texts, which is no fault of theirs.
 */
export async function embedEach(
  embedder: Embedder,
  texts: readonly string[],
  onCall: () => void,
  signal: AbortSignal,
): Promise<EmbeddedEach> {
  const found = await halve(embedder, texts, onCall, signal);
  if (texts.length > 1 && found.outcomes.every((outcome) => outcome === "input_rejected")) {
    throw new QuaysideError(
      "embedder_rejected",
      `The embedder ${embedder.id} refuses every text: check the model and its settings.`,
    );
  }
  return found;
}

async function halve(
  embedder: Embedder,
  texts: readonly string[],
  onCall: () => void,
  signal: AbortSignal,
): Promise<EmbeddedEach> {
  onCall();
  try {
    const { vectors, inputTokens } = await embedder.embed(texts, "document", signal);
    if (vectors.length !== texts.length || vectors.some((v) => v.length !== embedder.dimensions)) {
      throw new QuaysideError(
        "embedder_rejected",
        `The embedder ${embedder.id} did not return one vector of ${embedder.dimensions} dimensions for each text.`,
      );
    }
    return { outcomes: vectors, inputTokens };
  } catch (error) {
    const code = error instanceof QuaysideError ? error.code : undefined;
    if (code !== "input_too_long" && code !== "input_rejected") throw error;
    if (texts.length === 1) return { outcomes: [code], inputTokens: 0 };
    const middle = texts.length >> 1;
    const left = await halve(embedder, texts.slice(0, middle), onCall, signal);
    const right = await halve(embedder, texts.slice(middle), onCall, signal);
    const told = left.inputTokens !== undefined && right.inputTokens !== undefined;
    return {
      outcomes: [...left.outcomes, ...right.outcomes],
      inputTokens: told ? (left.inputTokens ?? 0) + (right.inputTokens ?? 0) : undefined,
    };
  }
}
