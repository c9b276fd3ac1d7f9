/**
 * Changes with anything that makes stored vectors and chunks incomparable with new ones (how rows are cut, what heads a chunk).
 * Raising it starts a new space beside the served one at the next ingest.
 */
export const CHUNKER = "chunk-1";

const DENSE = "-dense";

/** How a space names its index: the kind, and whether words are left out (`index.lexical: false`). */
export function indexName(
  index: { readonly kind: string; readonly [setting: string]: unknown } | undefined,
): string {
  if (!index) return "embedded";
  return index["lexical"] === false && index.kind !== "embedded" ? `${index.kind}${DENSE}` : index.kind;
}

/** Whether the rows of a space were staged without words: its index is then searched by vectors alone. */
export function isDense(space: string): boolean {
  return space.endsWith(DENSE);
}

/**
 * The identity of a space, as `RunRequest.space`: `<embedder id> <chunker> <index kind>`. Vectors of two spaces never mix.
 * @param embedder `Embedder.id`, free of spaces.
 * @param index see `indexName`.
 */
export function spaceOf(embedder: string, index: string): string {
  return `${embedder} ${CHUNKER} ${index}`;
}

/** The `Embedder.id` that a space was written with; empty for the empty space (nothing published yet). */
export function embedderOf(space: string): string {
  return space.split(" ")[0] ?? "";
}
