import { parseId, rowId, storedId } from "../../shared/ids.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { Admission } from "../tenant/api.ts";

/** One row by its id, as the caller may see it; undefined when there is none, or none for them: the two are alike. */
export type ReadRow = (
  id: string,
  admission: Admission,
  signal: AbortSignal,
) => Promise<Evidence | undefined>;

/** The view of a table that has no views of its own. */
const ONLY_VIEW = "all";

/** @param recheck the row registry, which decides as it does for every hit of a search. */
export function makeReadRow(recheck: (admission: Admission) => Promise<Recheck>): ReadRow {
  return async (id, admission, signal) => {
    const parsed = parseId(id);
    const settings = admission.tables.some(({ table }) => table === parsed?.table)
      ? admission.config.tables[parsed?.table ?? ""]
      : undefined;
    if (!parsed || !settings) return undefined;
    const row = rowId(parsed.table, parsed.keyValues);
    const views = settings.views?.map(({ name }) => name) ?? [ONLY_VIEW];
    const hits = await Promise.all(
      views.map(async (view) => ({ id: await storedId(row, view, 0), score: 1 })),
    );
    const found = await (await recheck(admission)).recheck(hits, admission.permitted, signal);
    // Several views of one row: the one that shows most.
    return found.toSorted((a, b) => b.cells.length - a.cells.length)[0];
  };
}
