import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, ReadOptions, Row, Source, TableRef } from "../../shared/ports/source.ts";

/** The rows of PEOPLE as DuckDB, which stands behind every stub, selects them. */
export const PEOPLE_SQL = `SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', concat('two', chr(10), 'lines')),
  (10, '007', 'x')) AS t(id, name, note)`;

/** A table, as described, in key order where the source keeps one; whole unless told otherwise. */
export async function readRows(
  source: Source,
  ref: TableRef,
  key: readonly string[],
  more: Pick<ReadOptions, "since" | "only"> = {},
): Promise<Row[]> {
  const { signal } = new AbortController();
  const table = await source.describe(ref, signal);
  const rows: Row[] = [];
  const options = { key, batchSize: 1000, signal, ...more };
  for await (const batch of source.read(table, options)) rows.push(...batch);
  return rows;
}

/**
 * Asks for rows by each of these texts as a key, and since some of them as a cursor: each is a value and nothing else.
 * @param ref a table with a column of these texts, each once, and others.
 * @returns the texts for which the answer was another.
 */
export async function misread(
  source: Source,
  ref: TableRef,
  column: string,
  texts: readonly string[],
): Promise<readonly string[]> {
  const only = texts.map((text): readonly Cell[] => [text]);
  const found = new Set((await readRows(source, ref, [column], { only })).map((row) => row[column]));
  const wrong = texts.filter((text) => !found.has(text));
  const daring = texts.filter((text) => /['"\\`$;]/.test(text)).slice(0, 15);
  for (const value of daring) {
    const rows = await readRows(source, ref, [column], { since: { column, value } });
    const own = rows.filter((row) => row[column] === value);
    if (rows.length !== texts.length || own.length !== 1 || Object.keys(own[0] ?? {}).length < 2)
      wrong.push(value);
  }
  return wrong;
}

/** What a promise, or a whole stream, fails with. */
export async function failureOf(work: Promise<unknown>): Promise<QuaysideError> {
  const error: unknown = await work.catch((e: unknown) => e);
  if (error instanceof QuaysideError) return error;
  throw new Error(`expected a QuaysideError, got ${String(error)}`);
}
