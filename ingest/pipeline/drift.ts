import type { TableShape } from "../../shared/ports/registry.ts";
import type { Stop } from "./guards.ts";
import type { OpenTable } from "./table.ts";

/** A column of a table that is another than it was when the table was last published. */
export interface ColumnDrift {
  readonly table: string;
  readonly column: string;
  readonly change: "added" | "dropped" | "retyped";
  /** What it was, for one that is no more or of another type now. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Left out of every record until the configuration names it. */
  readonly ignored?: true;
}

export interface Drift {
  readonly columns: readonly ColumnDrift[];
  /** What has to be accepted: the rows' identity, or the system that they come from, is another. */
  readonly stops: readonly Stop[];
}

/** What a later run compares a table with. */
export function shapeOf({ source, described }: Pick<OpenTable, "source" | "described">): TableShape {
  const records = described.columns.flatMap(({ name, fields }) => (fields ? [[name, fields] as const] : []));
  return {
    origin: source.origin,
    columns: Object.fromEntries(described.columns.map(({ name, type }) => [name, type])),
    ...(records.length === 0 ? {} : { fields: Object.fromEntries(records) }),
  };
}

/** Compares tables with what they were when they were last published. A column that the configuration names and that is gone is told of by `openTables`. */
export function driftOf(tables: readonly OpenTable[], shapes: ReadonlyMap<string, TableShape>): Drift {
  const columns: ColumnDrift[] = [];
  const stops: Stop[] = [];
  for (const table of tables) {
    const before = shapes.get(table.name);
    if (!before) continue;
    const now = shapeOf(table);
    const changed = compare(table.name, before, now);
    columns.push(...changed);
    for (const { name, type } of table.unmapped) {
      columns.push({ table: table.name, column: name, change: "added", to: type, ignored: true });
    }
    for (const [name, fields] of table.unmappedFields) {
      for (const field of fields) {
        columns.push({
          table: table.name,
          column: `${name}.${field}`,
          change: "added",
          to: "json",
          ignored: true,
        });
      }
    }
    if (before.origin !== undefined && now.origin !== undefined && before.origin !== now.origin) {
      stops.push({
        guard: "source_changed",
        table: table.name,
        message: `${table.name}: its source is ${now.origin}, and was ${before.origin}. If that is the same data, run again with --yes.`,
      });
    }
    const rekeyed = changed.filter(
      ({ column, change }) => change === "retyped" && table.config.key.includes(column),
    );
    for (const { column, from, to } of rekeyed) {
      stops.push({
        guard: "rekey",
        table: table.name,
        message: `${table.name}: the key column ${column} is ${to}, and was ${from}: its rows may be others now. If that is right, run again with --yes.`,
      });
    }
  }
  return { columns, stops };
}

function compare(table: string, before: TableShape, now: TableShape): ColumnDrift[] {
  const found: ColumnDrift[] = [];
  for (const [column, from] of Object.entries(before.columns)) {
    const to = now.columns[column];
    if (to === undefined) found.push({ table, column, change: "dropped", from });
    else if (to !== from) found.push({ table, column, change: "retyped", from, to });
  }
  for (const [column, to] of Object.entries(now.columns)) {
    if (before.columns[column] === undefined) found.push({ table, column, change: "added", to });
  }
  return found;
}

/**
 * Columns that a missing one may be called now: of its type, and new.
 * @param described the table's columns as they are.
 */
export function renamedTo(
  column: string,
  before: TableShape | undefined,
  described: readonly { readonly name: string; readonly type: string }[],
): readonly string[] {
  const type = before?.columns[column];
  if (!before || type === undefined) return [];
  return described
    .filter((candidate) => before.columns[candidate.name] === undefined && candidate.type === type)
    .map(({ name }) => name);
}
