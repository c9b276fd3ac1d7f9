/**
 * Identifiers. A document id is `<table>:<key>` for a row and `<table>:<key>#<n>` for its n-th chunk; a key in text form is
 * its values joined by `|`. `%`, `|`, `:` and `#` inside a value are percent-encoded, so every id parses back.
 */

const RESERVED = /[%|:#]/g;

/** Percent-encodes the four reserved characters of an id part. */
export function encodePart(value: string): string {
  return value.replace(RESERVED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Inverse of `encodePart`; leaves any other percent sequence as it is. */
export function decodePart(part: string): string {
  return part.replace(/%(25|7C|3A|23)/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** `<table>:<v1>|<v2>` */
export function rowId(table: string, keyValues: readonly string[]): string {
  return `${encodePart(table)}:${keyValues.map(encodePart).join("|")}`;
}

/** The key by which people are told of a row that is not shown: in text form, at most 200 characters. */
export function shownKey(row: string): string {
  const at = row.indexOf(":") + 1;
  return row.slice(at, at + 200);
}

/** `<row>#<n>` */
export function chunkId(row: string, n: number): string {
  return `${row}#${n}`;
}

/** The parts of a row or chunk id; undefined when it is not one. `n` is undefined for a row id. */
export function parseId(
  id: string,
):
  | { readonly table: string; readonly keyValues: readonly string[]; readonly n: number | undefined }
  | undefined {
  const match = /^([^:#|]+):([^:#]*)(?:#(\d{1,9}))?$/.exec(id);
  if (!match) return undefined;
  return {
    table: decodePart(match[1] ?? ""),
    keyValues: (match[2] ?? "").split("|").map(decodePart),
    n: match[3] === undefined ? undefined : Number(match[3]),
  };
}

const encoder = new TextEncoder();

/** 22 characters: base64url of the first 128 bits of SHA-256. Collisions are out of reach at any table size. */
export async function hash128(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return base64url(digest.subarray(0, 16));
}

/**
 * A new id: 9 characters of the time, then 96 random bits. What is stored by such ids lies beside what came just before it, in pages
 * that are in memory and are written together; by random ids alone each would touch a page of its own.
 * @param now milliseconds since the epoch.
 */
export function timedId(now: number): string {
  if (unused.byteLength < RANDOM_BYTES) unused = crypto.getRandomValues(new Uint8Array(RANDOM_BYTES * 100));
  const random = base64url(unused.subarray(0, RANDOM_BYTES));
  unused = unused.subarray(RANDOM_BYTES);
  return `${now.toString(36).padStart(9, "0")}${random}`;
}

const RANDOM_BYTES = 12;
/** Fetched for many ids at once. */
let unused = new Uint8Array(0);

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const CODES = Uint8Array.from(ALPHABET, (character) => character.charCodeAt(0));

/** RFC 4648, section 5, without padding; at most 64 KB. For hashes: a third of what `btoa` and the replacements after it cost. */
export function base64url(bytes: Uint8Array): string {
  const codes: number[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] ?? 0) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const characters = Math.min(4, bytes.length - i + 1);
    for (let n = 0; n < characters; n++) codes.push(CODES[(word >> (18 - 6 * n)) & 63] ?? 0);
  }
  return String.fromCharCode(...codes);
}

/**
 * The id of one chunk of one view of a row in a vector store: at most 64 bytes (Vectorize's limit, the narrowest), ASCII,
 * a function of the row's key and never of its content, so that a re-run overwrites instead of duplicating.
 */
export async function storedId(row: string, view: string, n: number): Promise<string> {
  return `${await hash128(`${view}\u0000${row}`)}.${n}`;
}
