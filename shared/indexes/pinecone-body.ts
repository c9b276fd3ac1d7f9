import type { BufferPool } from "../buffers.ts";
import type { IndexEntry } from "../ports/vector-index.ts";
import { NUMBER_BYTES, vectorText, type VectorText } from "../vector-text.ts";

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
  let batch: Encoded[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const encoded = {
      entry,
      id: encoder.encode(JSON.stringify(entry.id)),
      metadata: encoder.encode(JSON.stringify(metadataOf(entry))),
    };
    const size = entry.vector.length * 4 + encoded.id.byteLength + encoded.metadata.byteLength;
    if (batch.length === MAX_RECORDS || (batch.length > 0 && bytes + size > MAX_BYTES)) {
      yield write(batch, namespace, pool, text);
      batch = [];
      bytes = 0;
    }
    batch.push(encoded);
    bytes += size;
  }
  if (batch.length > 0) yield write(batch, namespace, pool, text);
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

function write(batch: readonly Encoded[], namespace: string, pool: BufferPool, text: VectorText): UpsertBody {
  const tail = encoder.encode(`],"namespace":${JSON.stringify(namespace)}}`);
  let capacity = HEAD.byteLength + tail.byteLength;
  for (const { entry, id, metadata } of batch) {
    capacity += 32 + id.byteLength + metadata.byteLength + entry.vector.length * NUMBER_BYTES;
  }
  const out = pool.take(capacity);
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
    at = text.print(entry.vector, out, at);
    put(METADATA);
    put(metadata);
    out[at++] = 125;
  }
  put(tail);
  return { bytes: out.subarray(0, at), records: batch.length };
}
