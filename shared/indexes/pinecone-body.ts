import type { IndexEntry } from "../ports/vector-index.ts";

/**
 * Requests that carry vectors as bytes. A float32 becomes a double in JavaScript, and JSON prints all its 17 digits; seven decimals
 * are half the bytes and a third of the time, and move a cosine by less than 1e-6.
 */

/** Longest text kept in metadata, in UTF-16 units: at most 24 KiB of Pinecone's 40 KB a record. */
const MAX_TEXT = 8192;

/** One request: at most 1,000 records and 2 MB (Pinecone, "Operation limits", 2026-11). */
const MAX_RECORDS = 1000;
const MAX_BYTES = 2_000_000;

const encoder = new TextEncoder();

interface Encoded {
  readonly entry: IndexEntry;
  readonly id: Uint8Array;
  readonly metadata: Uint8Array;
}

/** One upsert request. */
export interface UpsertBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many records it holds: what Pinecone says that it took. */
  readonly records: number;
}

/** The entries' requests, in order. Of each record, 4 bytes a dimension, the id and the metadata's JSON count as size. */
export function* upsertBodies(
  entries: readonly IndexEntry[],
  namespace: string,
): Generator<UpsertBody, void, undefined> {
  let batch: Encoded[] = [];
  let bytes = 0;
  const scratch: Scratch = { bytes: new Uint8Array(0) };
  for (const entry of entries) {
    const encoded = {
      entry,
      id: encoder.encode(JSON.stringify(entry.id)),
      metadata: encoder.encode(JSON.stringify(metadataOf(entry))),
    };
    const size = entry.vector.length * 4 + encoded.id.byteLength + encoded.metadata.byteLength;
    if (batch.length === MAX_RECORDS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield { bytes: write(batch, namespace, scratch), records: batch.length };
      batch = [];
      bytes = 0;
    }
    batch.push(encoded);
    bytes += size;
  }
  if (batch.length > 0) yield { bytes: write(batch, namespace, scratch), records: batch.length };
}

/** The metadata fields that queries filter on, beside `class` and `table`: one for each cell, under its own prefix. */
export function cellField(column: string): string {
  return `cell_${column}`;
}

function metadataOf(entry: IndexEntry): Readonly<Record<string, string>> {
  const metadata: Record<string, string> = { class: entry.accessClass, table: entry.table };
  for (const [column, value] of Object.entries(entry.cells ?? {})) metadata[cellField(column)] = value;
  metadata["text"] = entry.text.slice(0, MAX_TEXT).toWellFormed();
  return metadata;
}

/** A query by vector; ids and scores come back, no metadata and no values. */
export function queryBody(
  vector: Float32Array,
  topK: number,
  filter: Readonly<Record<string, unknown>>,
  namespace: string,
): Uint8Array<ArrayBuffer> {
  const rest = { topK, filter, namespace, includeMetadata: false, includeValues: false };
  const tail = encoder.encode(`],${JSON.stringify(rest).slice(1)}`);
  const out = new Uint8Array(VECTOR.byteLength + vector.length * NUMBER_BYTES + tail.byteLength);
  out.set(VECTOR, 0);
  const at = writeNumbers(vector, out, VECTOR.byteLength);
  out.set(tail, at);
  return out.subarray(0, at + tail.byteLength);
}

const VECTOR = encoder.encode('{"vector":[');
const HEAD = encoder.encode('{"vectors":[');
const ID = encoder.encode('{"id":');
const VALUES = encoder.encode(',"values":[');
const METADATA = encoder.encode('],"metadata":');
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
/** `-0.1234567,` is the longest number of a unit vector. */
const NUMBER_BYTES = 11;

/** Where requests are written: how long one is shows only then, and taking room for the longest each time is most of the cost. */
interface Scratch {
  bytes: Uint8Array<ArrayBuffer>;
}

function write(batch: readonly Encoded[], namespace: string, scratch: Scratch): Uint8Array<ArrayBuffer> {
  const tail = encoder.encode(`],"namespace":${JSON.stringify(namespace)}}`);
  let capacity = HEAD.byteLength + tail.byteLength;
  for (const { entry, id, metadata } of batch) {
    capacity += 32 + id.byteLength + metadata.byteLength + entry.vector.length * NUMBER_BYTES;
  }
  if (scratch.bytes.byteLength < capacity) scratch.bytes = new Uint8Array(capacity);
  const out = scratch.bytes;
  let at = 0;
  const put = (bytes: Uint8Array): void => {
    out.set(bytes, at);
    at += bytes.byteLength;
  };
  put(HEAD);
  for (const [i, { entry, id, metadata }] of batch.entries()) {
    if (i > 0) out[at++] = COMMA;
    put(ID);
    put(id);
    put(VALUES);
    at = writeNumbers(entry.vector, out, at);
    put(METADATA);
    put(metadata);
    out[at++] = 125;
  }
  put(tail);
  return out.slice(0, at);
}

/** The ASCII digits of 0000 to 9999: dividing digit by digit takes twice as long. */
const DIGITS = Uint8Array.from(
  { length: 40_000 },
  (_, i) => 48 + (Math.floor((i >> 2) / 10 ** (3 - (i & 3))) % 10),
);

/** Numbers of -1 to 1, comma-separated, to seven decimals without trailing zeros. Returns where the next byte goes. */
function writeNumbers(vector: Float32Array, out: Uint8Array, start: number): number {
  let at = start;
  for (let i = 0; i < vector.length; i++) {
    const x = vector[i] ?? 0;
    const scaled = (Math.abs(x) * 1e7 + 0.5) | 0;
    if (x < 0 && scaled > 0) out[at++] = MINUS;
    if (scaled >= 1e7) {
      out[at++] = 49;
      out[at++] = COMMA;
      continue;
    }
    const high = (scaled / 10_000) | 0;
    const a = high * 4;
    const b = (scaled - high * 10_000) * 4;
    out[at] = ZERO;
    out[at + 1] = POINT;
    out[at + 2] = DIGITS[a + 1] ?? ZERO;
    out[at + 3] = DIGITS[a + 2] ?? ZERO;
    out[at + 4] = DIGITS[a + 3] ?? ZERO;
    out[at + 5] = DIGITS[b] ?? ZERO;
    out[at + 6] = DIGITS[b + 1] ?? ZERO;
    out[at + 7] = DIGITS[b + 2] ?? ZERO;
    out[at + 8] = DIGITS[b + 3] ?? ZERO;
    at += 9;
    while (out[at - 1] === ZERO) at -= 1;
    if (out[at - 1] === POINT) at -= 1;
    out[at++] = COMMA;
  }
  return vector.length > 0 ? at - 1 : at;
}
