import { QuaysideError } from "../../shared/ports/errors.ts";

/** A JSON object with its rows still as bytes, so that tens of megabytes of them never become objects at once. */
export interface RowsBody {
  /** The object, `[]` in the place of its rows. */
  readonly envelope: unknown;
  /** The rows, so many at a time. @throws QuaysideError `source_unavailable` when they are no JSON. */
  batches(size: number): Iterable<readonly unknown[]>;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

/**
 * Splits `{ …, "data": [row, …], … }`, the key at the top level.
 * @param key name of the member that holds the rows; absent or null is no rows.
 * @throws QuaysideError `source_unavailable` when the text is no JSON object.
 */
export function splitRows(bytes: Uint8Array, key: string, peer: string): RowsBody {
  const bad = (): QuaysideError =>
    new QuaysideError(
      "source_unavailable",
      `${peer} answered with something that is not JSON: check the base URL.`,
    );
  const decoder = new TextDecoder();
  const parse = (text: string): unknown => {
    try {
      return JSON.parse(text);
    } catch {
      throw bad();
    }
  };
  const span = memberSpan(bytes, new TextEncoder().encode(JSON.stringify(key)));
  if (span === "malformed") throw bad();
  if (span === undefined) return { envelope: parse(decoder.decode(bytes)), batches: () => [] };
  const [from, to] = span;
  const envelope = parse(`${decoder.decode(bytes.subarray(0, from))}[]${decoder.decode(bytes.subarray(to))}`);
  return {
    envelope,
    *batches(size) {
      let at = skipSpace(bytes, from + 1);
      while (at < to - 1) {
        const start = at;
        let end = at;
        for (let n = 0; n < size && at < to - 1; n++) {
          end = endOfValue(bytes, at);
          if (end < 0) throw bad();
          at = skipSpace(bytes, end);
          if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
        }
        const rows = parse(`[${decoder.decode(bytes.subarray(start, end))}]`);
        if (!Array.isArray(rows)) throw bad();
        yield rows;
      }
    },
  };
}

/** Where a member's array begins and ends (exclusive); undefined when it is absent or no array. */
function memberSpan(
  bytes: Uint8Array,
  name: Uint8Array,
): readonly [number, number] | "malformed" | undefined {
  let at = skipSpace(bytes, 0);
  if (bytes[at] !== 0x7b) return "malformed";
  at = skipSpace(bytes, at + 1);
  while (bytes[at] === QUOTE) {
    const keyEnd = endOfString(bytes, at);
    if (keyEnd < 0) return "malformed";
    const colon = skipSpace(bytes, keyEnd);
    const value = skipSpace(bytes, colon + 1);
    const end = endOfValue(bytes, value);
    if (bytes[colon] !== 0x3a || end < 0) return "malformed";
    if (bytes[value] === 0x5b && same(bytes.subarray(at, keyEnd), name)) return [value, end];
    at = skipSpace(bytes, end);
    if (bytes[at] === COMMA) at = skipSpace(bytes, at + 1);
  }
  return bytes[at] === 0x7d ? undefined : "malformed";
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09) at += 1;
  return at;
}

/** The index after a string that begins at `at`; -1 when it has no end. */
function endOfString(bytes: Uint8Array, at: number): number {
  for (let i = bytes.indexOf(QUOTE, at + 1); i >= 0; i = bytes.indexOf(QUOTE, i + 1)) {
    let slashes = 0;
    while (bytes[i - 1 - slashes] === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return i + 1;
  }
  return -1;
}

/** The index after a value that begins at `at`; -1 when it has no end. Brackets are counted, not matched: parsing follows. */
function endOfValue(bytes: Uint8Array, at: number): number {
  let depth = 0;
  let i = at;
  while (i < bytes.length) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      i = endOfString(bytes, i);
      if (i < 0) return -1;
      if (depth === 0) return i;
      continue;
    }
    if (byte === 0x5b || byte === 0x7b) depth += 1;
    else if (byte === 0x5d || byte === 0x7d) {
      depth -= 1;
      if (depth === 0) return i + 1;
      // The end of what surrounds a bare number or word.
      if (depth < 0) return i > at ? i : -1;
    } else if (byte === COMMA && depth === 0) return i > at ? i : -1;
    i += 1;
  }
  return -1;
}
