import type { Row, Source, Table, TableRef } from "../../shared/ports/source.ts";
import { inferJoins, inferTable, nameable, type InferredTable } from "../inference/infer.ts";
import { keysOf, type Finding } from "../inference/keys.ts";
import { fingerprint, profile, SAMPLE_ROWS } from "../inference/profile.ts";

/** Rows of which the key alone is read, to see whether it is unique and what points at it. */
export const KEY_ROWS = 50_000;
const BATCH_ROWS = 1000;

/** How far the look has come. */
export interface Look {
  readonly table: string;
  readonly at: number;
  readonly of: number;
}

/**
 * Looks at tables: the catalogue, a sample of rows, and the key of more. Reads one table after the other and holds no rows
 * of one that is done, only the keys of those with at most `KEY_ROWS` rows.
 * @throws QuaysideError of the source.
 */
export async function lookAt(
  source: Source,
  refs: readonly TableRef[],
  signal: AbortSignal,
  onProgress: (look: Look) => void,
): Promise<readonly InferredTable[]> {
  const ids = idsOf(refs);
  const found = [];
  for (const [i, ref] of refs.entries()) {
    const id = ids[i] ?? "";
    onProgress({ table: id, at: i + 1, of: refs.length });
    const table = await source.describe(ref, signal);
    const { rows } = await source.estimate(table, signal);
    const sample = await readSome(source, table, SAMPLE_ROWS, signal);
    const profiles = profile(table.columns, sample);
    const usable = profiles.filter((p) => nameable(p.column.name));
    const declared = table.primaryKey.every(nameable) ? table.primaryKey : [];
    const candidates = keysOf(id, usable, declared, ids);
    const key = await firstUnique(source, table, candidates, sample.length, signal);
    const counted = rows ?? (sample.length < SAMPLE_ROWS ? sample.length : undefined);
    found.push(inferTable(id, table, counted, usable, key?.finding, key?.values));
  }
  return inferJoins(found);
}

/** The first candidate that stays unique over more rows than the sample has, with its values where they are all known. */
async function firstUnique(
  source: Source,
  table: Table,
  candidates: readonly Finding<readonly string[]>[],
  sampled: number,
  signal: AbortSignal,
): Promise<
  | { readonly finding: Finding<readonly string[]>; readonly values: ReadonlySet<string> | undefined }
  | undefined
> {
  for (const finding of candidates.slice(0, 5)) {
    const columns = table.columns.filter((column) => finding.value.includes(column.name));
    const seen = new Set<string>();
    let rows = 0;
    for await (const batch of batches(source, { ...table, columns }, finding.value, KEY_ROWS + 1, signal)) {
      for (const row of batch) {
        const [first = ""] = finding.value;
        const value =
          finding.value.length === 1
            ? fingerprint(row[first] ?? null)
            : JSON.stringify(finding.value.map((name) => fingerprint(row[name] ?? null)));
        if (value !== null) seen.add(value);
        rows += 1;
      }
      if (seen.size < rows) break;
    }
    if (seen.size < rows && table.primaryKey.length === 0) continue;
    const more = table.primaryKey.length === 0 && rows > sampled;
    return {
      finding: more ? { ...finding, reason: `${finding.reason}, and in the first ${rows}` } : finding,
      values: finding.value.length === 1 && rows <= KEY_ROWS ? seen : undefined,
    };
  }
  return undefined;
}

async function readSome(source: Source, table: Table, most: number, signal: AbortSignal): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches(source, table, [], most, signal)) rows.push(...batch);
  return rows;
}

/** The first rows, at most so many. */
async function* batches(
  source: Source,
  table: Table,
  key: readonly string[],
  most: number,
  signal: AbortSignal,
): AsyncIterable<readonly Row[]> {
  if (table.columns.length === 0) return;
  let left = most;
  for await (const batch of source.read(table, { key, batchSize: Math.min(BATCH_ROWS, left), signal })) {
    yield batch.slice(0, left);
    left -= batch.length;
    if (left <= 0) return;
  }
}

/** What the configuration calls the tables: their own names where those will do, each once. */
export function idsOf(refs: readonly TableRef[]): readonly string[] {
  const taken = new Set<string>();
  return refs.map(({ name = [] }) => {
    let id = plain(name.slice(-1));
    if (taken.has(id)) id = plain(name);
    for (let n = 2; taken.has(id); n++) id = `${plain(name)}_${n}`;
    taken.add(id);
    return id;
  });
}

/** Parts of a name as one that a configuration takes. */
function plain(parts: readonly string[]): string {
  const name = parts
    .join("_")
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9_-]+/g, "_")
    .replace(/^[^A-Za-z0-9]+/, "");
  return name.slice(0, 56) || "table";
}
