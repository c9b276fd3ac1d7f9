import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, Source } from "../../shared/ports/source.ts";
import { cellText, cleanCell, readable } from "./cells.ts";
import { refOf, type LookupPlan } from "./table.ts";

/** Key text -> name, of one table's column. */
export type Names = ReadonlyMap<string, string>;

/** Most names that one lookup keeps in memory: about 100 MB of them. Larger tables are joined in a `query` instead. */
export const MAX_NAMES = 500_000;

/**
 * Loads the names that foreign keys are shown by, each table and column once a run.
 * @throws QuaysideError `source_rejected` (no such column, or too many rows), `source_unavailable`, `cancelled`.
 */
export function makeLookups(
  config: Config,
  sourceOf: (name: string) => Source,
  signal: AbortSignal,
): (plan: LookupPlan) => Promise<Names> {
  const loaded = new Map<string, Promise<Names>>();
  return (plan) => {
    const id = JSON.stringify([plan.table, plan.target]);
    const names = loaded.get(id) ?? load(config, plan, sourceOf, signal);
    loaded.set(id, names);
    return names;
  };
}

async function load(
  config: Config,
  plan: LookupPlan,
  sourceOf: (name: string) => Source,
  signal: AbortSignal,
): Promise<Names> {
  const table = config.tables[plan.table];
  const key = table?.key[0];
  if (!table || key === undefined) {
    throw new QuaysideError("config_invalid", `The lookup of ${plan.column} names no configured table.`);
  }
  const source = sourceOf(table.source);
  const shape = await source.describe(refOf(plan.table, table), signal);
  const columns = shape.columns.filter((column) => column.name === key || column.name === plan.target);
  const target = columns.find((column) => column.name === plan.target);
  if (!target) {
    throw new QuaysideError(
      "schema_drift",
      `The lookup of ${plan.column} names ${plan.table}.${plan.target}, which the warehouse does not have.`,
    );
  }
  const names = new Map<string, string>();
  const tally = { replaced: 0 };
  const text = (cell: Cell | undefined, show: (clean: Cell) => string): string => {
    const clean = cleanCell(cell ?? null, tally);
    return clean === undefined ? "" : show(clean);
  };
  for await (const rows of source.read({ ...shape, columns }, { key: [key], batchSize: 2000, signal })) {
    for (const row of rows) {
      const name = text(row[plan.target], (cell) => readable(cell, target.type));
      if (name !== "") names.set(text(row[key], cellText), name);
    }
    if (names.size > MAX_NAMES) {
      throw new QuaysideError(
        "source_rejected",
        `${plan.table} has more than ${MAX_NAMES} names to look up; join it in the table's query instead.`,
      );
    }
  }
  return names;
}
