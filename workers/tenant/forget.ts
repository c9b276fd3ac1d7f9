import type { Config } from "../../shared/config.ts";
import { parseId, storedId } from "../../shared/ids.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import type { ErasureProof, ErasureRemoved, ShardApi } from "./api.ts";

/** What was taken away of a row, and what is left, in shards and outside indexes. */
export interface RowForgotten {
  readonly removed: Pick<ErasureRemoved, "rows" | "chunks" | "vectors">;
  readonly proof: Pick<ErasureProof, "spaces" | "registry" | "index">;
}

/** Ids asked for at a time. */
const PAGE = 100;
/** Views of one row that the registry is asked for. */
const MAX_VIEWS = 64;

/** The views that a configuration gives a row's table. */
export function viewsOf(config: Config | undefined, row: string): readonly string[] {
  const table = config?.tables[parseId(row)?.table ?? ""];
  return table?.views?.map(({ name }) => name) ?? ["all"];
}

/** How many chunks the registry knows of each view of a row; 0 for a view that it does not know. */
export async function chunksOf(
  shard: Pick<ShardApi, "known">,
  row: string,
  views: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const chunks = new Map(views.map((view) => [view, 0]));
  // The empty view sorts before every view of the row.
  for (const known of await shard.known(parseId(row)?.table ?? "", { row, view: "" }, MAX_VIEWS)) {
    if (known.row === row) chunks.set(known.view, known.chunks);
  }
  return chunks;
}

/**
 * Deletes a row's vectors from an index outside the shards and asks whether they are gone. The store is asked beyond what the
 * registry knows: a run that was killed between the two wrote vectors that the registry never heard of. Ids follow from row,
 * view and number, and a row's numbers have no gaps, so a page of which the store holds nothing ends the search.
 */
export async function forgetVectors(
  index: Pick<VectorIndex, "delete" | "has">,
  row: string,
  chunks: ReadonlyMap<string, number>,
  signal: AbortSignal,
): Promise<{ readonly removed: number; readonly left: number }> {
  let removed = 0;
  let left = 0;
  for (const [view, known] of chunks) {
    for (let from = 0; ; from += PAGE) {
      const ids = await Promise.all(Array.from({ length: PAGE }, (_, n) => storedId(row, view, from + n)));
      const held = await index.has(ids, signal);
      if (held.size === 0 && from >= known) break;
      // All of them: a store may show late what it holds already.
      await index.delete(ids, signal);
      removed += held.size;
      left += (await index.has(ids, signal)).size;
    }
  }
  return { removed, left };
}
