import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { estimateTokens } from "../../shared/tokens.ts";

/** Of several kinds and two languages, so that another model can't agree on all of them. */
const PROBES = [
  "The invoice of 14 March is overdue; the customer was reminded twice.",
  "Le navire appareille de Dieppe à 6 h 30, passerelle relevée.",
  "Pump P-4711: bearing temperature 82 °C, replaced on warranty.",
  "salary band, notice period, parental leave",
  "How do I reset my password?",
] as const;

/** Least cosine between what a probe gave once and gives now: arithmetic in another order stays far above it. */
const LEAST_COSINE = 0.999;

/**
 * An embedder whose first call brings the probe texts along, and that gives no vector before they were compared with those that
 * the space was begun with. A run that embeds nothing asks nothing.
 * @param keep see `Registry.probe`.
 * @throws from `embed`: `guard_stopped` when a probe's vector is another than it was.
 */
export function probed(
  embedder: Embedder,
  keep: (vectors: readonly Float32Array[]) => Promise<readonly Float32Array[]>,
): Embedder {
  let checked: Promise<void> | undefined;
  const probeTokens = PROBES.reduce((sum, text) => sum + estimateTokens(text), 0);
  const check = async (found: readonly Float32Array[]): Promise<void> => {
    if (found.length < PROBES.length || found.some((vector) => vector.length !== embedder.dimensions)) {
      throw new QuaysideError(
        "embedder_rejected",
        `The embedder ${embedder.id} did not return one vector of ${embedder.dimensions} dimensions for each text.`,
      );
    }
    compare(embedder.id, found, await keep(found));
  };
  const alone = async (signal: AbortSignal): Promise<void> =>
    check((await embedder.embed(PROBES, "document", signal)).vectors);
  const fits = (texts: readonly string[]): boolean =>
    texts.length + PROBES.length <= embedder.maxBatch &&
    texts.reduce((sum, text) => sum + estimateTokens(text), probeTokens) <= embedder.maxBatchTokens;

  return {
    ...embedder,
    async embed(texts, purpose, signal) {
      if (checked === undefined && fits(texts)) {
        const together = embedder.embed([...PROBES, ...texts], purpose, signal);
        checked = together.then(
          ({ vectors }) => check(vectors.slice(0, PROBES.length)),
          (error: unknown) => {
            // A text beside them may be the trouble.
            if (isRefusal(error)) return alone(signal);
            throw error;
          },
        );
        checked.catch(() => undefined);
        const { vectors, ...told } = await together;
        await checked;
        return { ...told, vectors: vectors.slice(PROBES.length) };
      }
      checked ??= alone(signal);
      checked.catch(() => undefined);
      const result = await embedder.embed(texts, purpose, signal);
      await checked;
      return result;
    },
  };
}

function isRefusal(error: unknown): boolean {
  return error instanceof QuaysideError && ["input_too_long", "input_rejected"].includes(error.code);
}

function compare(id: string, now: readonly Float32Array[], kept: readonly Float32Array[]): void {
  const same =
    kept.length === now.length && now.every((vector, i) => cosine(vector, kept[i] ?? vector) >= LEAST_COSINE);
  if (same) return;
  throw new QuaysideError(
    "guard_stopped",
    `The embedder ${id} gives other vectors than those that the index was built with: the model behind its name has changed. ` +
      "Nothing was written. Give it another name in the configuration, which builds a new space beside the served one.",
    { violations: [{ pointer: "embedder", rule: "embedder_changed" }] },
  );
}

/** NaN, which is less than nothing, where the lengths differ. */
function cosine(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.NaN;
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    dot += x * y;
    aa += x * x;
    bb += y * y;
  }
  return dot / Math.sqrt(aa * bb);
}
