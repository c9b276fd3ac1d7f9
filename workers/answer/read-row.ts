import { parseId, rowId, storedId } from "../../shared/ids.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { Admission } from "../tenant/api.ts";

/** Rows by their ids, each as the caller may see it; left out where there is none, or none for them: the two are alike. */
export type ReadRows = (
  ids: readonly string[],
  admission: Admission,
  signal: AbortSignal,
) => Promise<readonly Evidence[]>;

/** The view of a table that has no views of its own. */
const ONLY_VIEW = "all";

/** @param recheck the row registry, which decides as it does for every hit of a search; asked once for all of them. */
export function makeReadRows(recheck: (admission: Admission) => Promise<Recheck>): ReadRows {
  return async (ids, admission, signal) => {
    const open = new Set(admission.tables.map(({ table }) => table));
    const hits = await Promise.all(
      ids.flatMap((id) => {
        const parsed = parseId(id);
        const settings = parsed && open.has(parsed.table) ? admission.config.tables[parsed.table] : undefined;
        if (!parsed || !settings) return [];
        const row = rowId(parsed.table, parsed.keyValues);
        const views = settings.views?.map(({ name }) => name) ?? [ONLY_VIEW];
        return views.map(async (view) => ({ id: await storedId(row, view, 0), score: 1 }));
      }),
    );
    if (hits.length === 0) return [];
    const found = await (await recheck(admission)).recheck(hits, admission.permitted, signal);
    // Several views of one row: the one that shows most.
    const most = found.toSorted((a, b) => b.cells.length - a.cells.length);
    const rows = new Map(most.toReversed().map((item) => [item.row, item]));
    return [...rows.values()];
  };
}
