/** Bound values of one statement at most: Cloudflare Durable Objects, "SQL storage limits". */
const MAX_BOUND = 100;

/** Rows of one table, inserted several to a statement. */
export interface Inserter {
  /** @param values one for each of the columns, in their order. */
  add(...values: readonly SqlStorageValue[]): void;
  /** Inserts what is left. */
  flush(): void;
}

/**
 * Inserts into a table as many rows with one statement as may be bound: a call of `exec` costs as much as several rows. A row
 * that breaks a constraint throws and leaves those before it in place (OR FAIL: a statement that had to be able to take them back
 * would keep a journal of its own, which costs as much as the rows), so it is only for transactions that end with what throws.
 * @param shared columns that are alike in all rows.
 * @param columns the others, comma-separated.
 */
export function makeInserter(
  sql: SqlStorage,
  table: string,
  shared: Readonly<Record<string, SqlStorageValue>>,
  columns: string,
): Inserter {
  const alike = Object.values(shared);
  const width = columns.split(",").length;
  const most = Math.floor((MAX_BOUND - alike.length) / width);
  const names = [...Object.keys(shared), columns].join(", ");
  const common = alike.map((_, i) => `?${i + 1}, `).join("");
  const statement = (rows: number): string => {
    const tuples = Array.from({ length: rows }, (_, row) => {
      const own = Array.from({ length: width }, (_, i) => `?${alike.length + row * width + i + 1}`);
      return `(${common}${own.join(", ")})`;
    });
    return `INSERT OR FAIL INTO ${table} (${names}) VALUES ${tuples.join(", ")}`;
  };
  let full: string | undefined;
  let held: SqlStorageValue[] = [];
  const flush = (): void => {
    if (held.length === 0) return;
    const rows = held.length / width;
    const query = rows === most ? (full ??= statement(most)) : statement(rows);
    sql.exec(query, ...alike, ...held);
    held = [];
  };
  return {
    add(...values) {
      held.push(...values);
      if (held.length === most * width) flush();
    },
    flush,
  };
}
