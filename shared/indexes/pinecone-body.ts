import type { BufferPool } from "../buffers.ts";
import type { IndexEntry } from "../ports/vector-index.ts";
import { NUMBER_BYTES, vectorText, type VectorText } from "../vector-text.ts";

/**
 * Requests that carry vectors as bytes. A float32 becomes a double in JavaScript, and JSON prints all its 17 digits; seven decimals
 * are half the bytes and a third of the time, and move a cosine by less than 1e-6.
 */

/** What Pinecone takes of one record's metadata. */
const MAX_METADATA_BYTES = 40_960;
/** Longest text kept there, in UTF-16 units: at most 24 KiB. */
const MAX_TEXT = 8192;

/** One request: at most 1,000 records and 2 MB (Pinecone, "Operation limits", 2026-11). */
const MAX_RECORDS = 1000;
const MAX_BYTES = 2_000_000;
/** What becomes of so many: printed, numbers take up to 11 bytes where 4 are counted. */
const BODY_BYTES = 6_000_000;

const encoder = new TextEncoder();

/** One upsert request. */
export interface UpsertBody {
  /** Of the pool, to be given back once the request was answered, and not when it failed on the way. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many records it holds: what Pinecone says that it took. */
  readonly records: number;
}

/** The entries' requests, in order. Of each record, 4 bytes a dimension, the id and the metadata's JSON count as size. */
export function* upsertBodies(
  entries: readonly IndexEntry[],
  namespace: string,
  pool: BufferPool,
  text: VectorText = vectorText,
): Generator<UpsertBody, void, undefined> {
  const tail = encoder.encode(`],"namespace":${JSON.stringify(namespace)}}`);
  let out: Uint8Array<ArrayBuffer> | undefined;
  let at = 0;
  let records = 0;
  let bytes = 0;
  const begin = (room: number, left: number): Uint8Array<ArrayBuffer> => {
    const others = (left - 1) * (room + MAX_METADATA_BYTES);
    const body = pool.take(HEAD.byteLength + room + Math.min(others, BODY_BYTES));
    body.set(HEAD, 0);
    at = HEAD.byteLength;
    records = 0;
    bytes = 0;
    return body;
  };
  const end = (body: Uint8Array<ArrayBuffer>): UpsertBody => {
    body.set(tail, at);
    return { bytes: body.subarray(0, at + tail.byteLength), records };
  };
  for (const [i, entry] of entries.entries()) {
    const id = JSON.stringify(entry.id);
    const metadata = JSON.stringify(metadataOf(entry));
    // Three bytes a unit are the most that UTF-8 takes.
    const room =
      FRAME_BYTES + tail.byteLength + entry.vector.length * NUMBER_BYTES + (id.length + metadata.length) * 3;
    if (out && (records === MAX_RECORDS || at + room > out.byteLength)) {
      yield end(out);
      out = undefined;
    }
    out ??= begin(room, entries.length - i);
    const start = at;
    if (records > 0) out[at++] = COMMA;
    at = put(ID, out, at);
    const { written: idBytes } = encoder.encodeInto(id, out.subarray(at));
    at = put(VALUES, out, at + idBytes);
    at = put(METADATA, out, text.print(entry.vector, out, at));
    const { written: metadataBytes } = encoder.encodeInto(metadata, out.subarray(at));
    at += metadataBytes;
    out[at++] = BRACE;
    const size = entry.vector.length * 4 + idBytes + metadataBytes;
    if (records > 0 && bytes + size > MAX_BYTES) {
      // One too many, which only its bytes tell: it becomes the first of the next request.
      const record = out.slice(start + 1, at);
      at = start;
      yield end(out);
      out = begin(room, entries.length - i);
      at = put(record, out, at);
    }
    records += 1;
    bytes += size;
  }
  if (out) yield end(out);
}

function put(bytes: Uint8Array, out: Uint8Array, at: number): number {
  out.set(bytes, at);
  return at + bytes.byteLength;
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
  const at = vectorText.print(vector, out, VECTOR.byteLength);
  out.set(tail, at);
  return out.subarray(0, at + tail.byteLength);
}

const VECTOR = encoder.encode('{"vector":[');
const HEAD = encoder.encode('{"vectors":[');
const ID = encoder.encode('{"id":');
const VALUES = encoder.encode(',"values":[');
const METADATA = encoder.encode('],"metadata":');
const COMMA = 44;
const BRACE = 125;
/** What a record has beside its id, numbers and metadata, about. */
const FRAME_BYTES = 64;
