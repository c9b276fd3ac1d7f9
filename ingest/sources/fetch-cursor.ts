import type { Cell } from "../../shared/ports/source.ts";

/** Reading a table by a cursor, in the SQL that warehouses have in common. Every part is quoted already. */

/**
 * Holds for the rows that come whole. It is true or false, never null, so that its negation holds for exactly the others:
 * rows without a cursor and NaN included. The comparison stands alone, so that an index or a partition serves it.
 */
export function changedSince(column: string, literal: string): string {
  return `(${column} >= ${literal} OR ${column} IS NULL)`;
}

/** Holds for the rows with these keys. @param keys for each row a literal for each of `columns`. */
export function keyedBy(columns: readonly string[], keys: readonly (readonly string[])[]): string {
  const [only] = columns;
  if (only !== undefined && columns.length === 1) return `${only} IN (${keys.flat().join(", ")})`;
  const equal = (key: readonly string[]): string =>
    columns.map((column, i) => `${column} = ${key[i] ?? "NULL"}`).join(" AND ");
  return keys.map((key) => `(${equal(key)})`).join(" OR ");
}

/** A column as it is selected, and whether it is one of the key's. */
export interface Selected {
  readonly sql: string;
  readonly key: boolean;
  /** What stands in its place where only the key is wanted; default NULL. */
  readonly none?: string;
}

/**
 * Every row of a table once, in one statement and so at one moment: whole, 1 in a last column, where the condition holds; else
 * its key, and 0. The second half reads no columns but the key's and the condition's.
 */
export function selectSince(columns: readonly Selected[], from: string, changed: string): string {
  const whole = columns.map(({ sql }) => sql);
  const keys = columns.map(({ sql, key, none }) => (key ? sql : (none ?? "NULL")));
  return (
    `SELECT ${whole.join(", ")}, 1 FROM ${from} WHERE ${changed} ` +
    `UNION ALL SELECT ${keys.join(", ")}, 0 FROM ${from} WHERE NOT ${changed}`
  );
}

/** A cell of a cursor or a key, neither of which is a list or an object, as text. */
export function textOf(cell: Cell): string {
  return typeof cell === "string" ? cell : JSON.stringify(cell);
}

/** A time's cell as warehouses without a word for UTC read it: `2024-01-01 10:00:00.123456`. */
export function plainTime(cell: string): string {
  return cell.replace("T", " ").replace(/Z$/, "");
}
