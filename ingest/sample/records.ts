import { QuaysideError } from "../../shared/ports/errors.ts";

/**
 * Reads the hand-written texts: records that start with `== field | field | …`, then one line a text, `name: prose`.
 * A text that a record leaves out is an empty string.
 * @throws QuaysideError `source_rejected` when a header has the wrong number of fields or a line names no known text.
 */
export function readRecords<const H extends string, const T extends string>(
  header: readonly H[],
  texts: readonly T[],
  source: string,
): Record<H | T, string>[] {
  const records: Record<H | T, string>[] = [];
  for (const line of source.split("\n").filter((l) => l.trim() !== "")) {
    if (line.startsWith("== ")) records.push(readHeader(header, texts, line));
    else readText(texts, line, records.at(-1));
  }
  return records;
}

function readHeader<H extends string, T extends string>(
  header: readonly H[],
  texts: readonly T[],
  line: string,
): Record<H | T, string> {
  const values = line
    .slice(3)
    .split("|")
    .map((v) => v.trim());
  if (values.length !== header.length) throw broken(line);
  const fields: [H | T, string][] = [
    ...header.map((h, i): [H, string] => [h, values[i] ?? ""]),
    ...texts.map((t): [T, string] => [t, ""]),
  ];
  return fromFields(fields);
}

/** `Object.fromEntries` forgets the names of the keys. */
function fromFields<K extends string>(fields: readonly [K, string][]): Record<K, string>;
function fromFields(fields: readonly [string, string][]): Record<string, string> {
  return Object.fromEntries(fields);
}

function readText<H extends string, T extends string>(
  texts: readonly T[],
  line: string,
  record: Record<H | T, string> | undefined,
): void {
  const colon = line.indexOf(":");
  const name = texts.find((t) => t === line.slice(0, colon));
  if (!record || name === undefined) throw broken(line);
  Object.assign(record, { [name]: line.slice(colon + 1).trim() });
}

function broken(line: string): QuaysideError {
  return new QuaysideError("source_rejected", `The sample's texts are malformed at: ${line.slice(0, 60)}`);
}

/** Numbers in [0, 1) that depend on the seed alone (mulberry32): the same sample on every machine. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
