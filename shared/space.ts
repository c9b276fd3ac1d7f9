/**
 * Changes with anything that makes stored vectors and chunks incomparable with new ones (how rows are cut, what heads a chunk).
 * Raising it starts a new space beside the served one at the next ingest.
 */
export const CHUNKER = "chunk-1";

/**
 * The identity of a space, as `RunRequest.space`: `<embedder id> <chunker> <index kind>`. Vectors of two spaces never mix.
 * @param embedder `Embedder.id`, free of spaces.
 * @param index the index's `kind` in the configuration; `embedded` where none is set.
 */
export function spaceOf(embedder: string, index: string): string {
  return `${embedder} ${CHUNKER} ${index}`;
}

/** The `Embedder.id` that a space was written with; empty for the empty space (nothing published yet). */
export function embedderOf(space: string): string {
  return space.split(" ")[0] ?? "";
}
