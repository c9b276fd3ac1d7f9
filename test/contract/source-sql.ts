import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";

/** The rows of PEOPLE as DuckDB, which stands behind every stub, selects them. */
export const PEOPLE_SQL = `SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', concat('two', chr(10), 'lines')),
  (10, '007', 'x')) AS t(id, name, note)`;

/** A whole table, as described, in key order where the source keeps one. */
export async function readRows(source: Source, ref: TableRef, key: readonly string[]): Promise<Row[]> {
  const { signal } = new AbortController();
  const table = await source.describe(ref, signal);
  const rows: Row[] = [];
  for await (const batch of source.read(table, { key, batchSize: 1000, signal })) rows.push(...batch);
  return rows;
}

/** What a promise, or a whole stream, fails with. */
export async function failureOf(work: Promise<unknown>): Promise<QuaysideError> {
  const error: unknown = await work.catch((e: unknown) => e);
  if (error instanceof QuaysideError) return error;
  throw new Error(`expected a QuaysideError, got ${String(error)}`);
}
