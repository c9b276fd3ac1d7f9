import type { DuckDBConnection, DuckDBResult } from "@duckdb/node-api";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, ReadOptions, Row } from "../../shared/ports/source.ts";
import { changedSince, keyedBy, textOf } from "./fetch-cursor.ts";
import { literal, quote } from "./duckdb-files.ts";
import { conversionOf, type Conversion } from "./duckdb-values.ts";

/** A table's rows as a stream: the columns called `names`, one more behind them with `since` that says which rows are whole. */
export async function select(
  connection: DuckDBConnection,
  from: string,
  names: readonly string[],
  { key, since, only }: Pick<ReadOptions, "key" | "since" | "only">,
): Promise<{ readonly result: DuckDBResult; readonly conversions: readonly Conversion[] }> {
  const types = await conversionsIn(connection, from);
  const conversions = names.map((name) => found(types, name));
  const list = names.map((name, i) => conversions[i]?.select(column(name)) ?? "");
  const where = only ? ` WHERE ${keyedBy(key.map(column), only.map(literals))}` : "";
  if (!since) {
    const named = list.map((sql, i) => `${sql} AS ${quote(names[i] ?? "")}`);
    return {
      result: await connection.stream(`SELECT ${named.join(", ")} FROM ${from} AS t${where}`),
      conversions,
    };
  }
  found(types, since.column);
  // One pass over the table: reading it is cheap where its rows are, carrying them on is not.
  const changed = changedSince(column(since.column), literal(since.value));
  const parts = list.map((sql, i) =>
    key.includes(names[i] ?? "") ? sql : `CASE WHEN ${changed} THEN ${sql} END`,
  );
  return {
    result: await connection.stream(`SELECT ${parts.join(", ")}, ${changed} FROM ${from} AS t`),
    conversions,
  };
}

function column(name: string): string {
  return `t.${quote(name)}`;
}

/** DuckDB takes a text for a value of whatever it is compared with. */
function literals(key: readonly Cell[]): readonly string[] {
  return key.map((cell) => literal(textOf(cell)));
}

/** How each column of a relation is read, by name. */
export async function conversionsIn(
  connection: DuckDBConnection,
  from: string,
): Promise<ReadonlyMap<string, Conversion>> {
  const statement = await connection.prepare(`SELECT * FROM ${from}`);
  const types = new Map<string, Conversion>();
  for (let i = 0; i < statement.columnCount; i++) {
    types.set(statement.columnName(i), conversionOf(statement.columnType(i)));
  }
  statement.destroySync();
  return types;
}

/** @throws QuaysideError `source_rejected`. */
export function found(types: ReadonlyMap<string, Conversion>, name: string): Conversion {
  const conversion = types.get(name);
  if (conversion) return conversion;
  const message = `The table has no column "${name}". Its columns: ${[...types.keys()].join(", ")}.`;
  throw new QuaysideError("source_rejected", message);
}

/**
 * Rows `from` to `to` of a chunk. A column may be called `__proto__`, which assignment would not store.
 * @param since which rows are whole, where others come by their key alone.
 */
export function rowsOf(
  names: readonly string[],
  columns: readonly (readonly Cell[])[],
  from: number,
  to: number,
  since: { readonly whole: readonly unknown[]; readonly key: readonly string[] } | undefined,
): readonly Row[] {
  const plain = !names.includes("__proto__");
  const all = names.map((_, c) => c);
  const keys = all.filter((c) => since?.key.includes(names[c] ?? ""));
  const rows: Row[] = [];
  for (let i = from; i < to; i++) {
    const shown = since && since.whole[i] !== true ? keys : all;
    if (!plain) {
      rows.push(
        Object.fromEntries(shown.map((c): [string, Cell] => [names[c] ?? "", columns[c]?.[i] ?? null])),
      );
      continue;
    }
    const row: Record<string, Cell> = {};
    for (const c of shown) row[names[c] ?? ""] = columns[c]?.[i] ?? null;
    rows.push(row);
  }
  return rows;
}
