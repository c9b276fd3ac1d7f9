import * as z from "zod/mini";
import { encodePart } from "./ids.ts";
import { QuaysideError, type Violation } from "./ports/errors.ts";
import type { Batch, Run, StagedChunk, StagedRow } from "./ports/registry.ts";
import type { Cell } from "./ports/source.ts";

/**
 * One batch of a run as bytes, for `PUT /v1/admin/batches/:run/:seq`. The head is all that decides whether a batch is taken; who
 * takes it hands the bytes on as they are to where the rows are kept. All numbers little-endian:
 *
 *     0   4  magic "QSBT"
 *     4   2  format version, 2
 *     6   2  dimensions of every vector; 0 when the batch carries none
 *     8   4  length of the head in bytes
 *     12  4  length of the rows in bytes
 *     16     head: JSON, UTF-8: run, seq, table, classes, used (every access class of the rows), gone, pending, written
 *            rows: JSON, UTF-8; a chunk says `v: true` where a vector is its own
 *            zero bytes up to a multiple of 4
 *            the vectors as float32, in the order of their chunks
 */

/** Most bytes of an encoded batch; a larger one is refused (`body_too_large`). Writers cut batches well below it. */
export const MAX_BATCH_BYTES = 8 * 1024 * 1024;
export const BATCH_MEDIA_TYPE = "application/vnd.quayside.batch";

const MAGIC = 0x54425351; // "QSBT", read as a little-endian integer
const FORMAT = 2;
const PREFIX_BYTES = 16;
const MAX_ITEMS = 20_000;
const MAX_DEPTH = 32;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const text = z.string();
const short = text.check(z.minLength(1), z.maxLength(500));
const longId = text.check(z.minLength(2), z.maxLength(8192));
const hash = text.check(z.regex(/^[A-Za-z0-9_-]{22}$/));
const count = z.int().check(z.minimum(0));
const grants = z.array(text.check(z.minLength(1), z.maxLength(2000))).check(z.maxLength(1000));

export const runSchema = z.strictObject({
  id: short,
  fence: count.check(z.minimum(1)),
  generation: count.check(z.minimum(1)),
  space: short,
});

const chunk = z.strictObject({
  n: count,
  text,
  lexical: z.optional(z.strictObject({ title: text, body: text, labels: text, meta: text })),
  v: z.optional(z.literal(true)),
});

const row = z.strictObject({
  row: longId,
  view: short,
  version: short,
  accessClass: hash,
  title: text,
  // JSON.parse made the value, so it is a Cell already; only its depth is open.
  cells: z.array(
    z.strictObject({ column: short, value: z.custom<Cell>((value) => depthOf(value) <= MAX_DEPTH) }),
  ),
  changedAt: z.optional(short),
  url: z.optional(text),
  chunks: z.array(chunk).check(z.maxLength(MAX_ITEMS)),
});

type WireRow = z.infer<typeof row>;

const headSchema = z.strictObject({
  run: runSchema,
  seq: count,
  table: short,
  classes: z
    .array(
      z.strictObject({
        id: hash,
        label: z.strictObject({
          allowAny: z.array(grants).check(z.maxLength(1000)),
          allowAll: grants,
          deny: grants,
        }),
        classification: z.enum(["public", "internal", "confidential", "restricted"]),
      }),
    )
    .check(z.maxLength(MAX_ITEMS)),
  used: z.array(hash).check(z.maxLength(MAX_ITEMS)),
  gone: z.array(z.strictObject({ row: longId, view: short })).check(z.maxLength(MAX_ITEMS)),
  pending: z.optional(z.literal(true)),
  written: z.optional(z.array(count).check(z.maxLength(MAX_ITEMS))),
});

/** What a batch is, without its rows. */
export type BatchHead = z.infer<typeof headSchema>;

const rowsSchema = z.array(row).check(z.maxLength(MAX_ITEMS));

/** The quick way for what `isRow` takes: a schema that walks a dozen objects a row is most of what decoding costs. */
function areRows(value: unknown): value is readonly WireRow[] {
  return Array.isArray(value) && value.length <= MAX_ITEMS && value.every(isRow);
}

const ROW_FIELDS = new Set(Object.keys(row.shape));
const HASH = /^[A-Za-z0-9_-]{22}$/;

/** Takes nothing that the schema `row` refuses; what it does not take is left to the schema, which says why. */
function isRow(value: unknown): value is WireRow {
  if (!isRecord(value)) return false;
  for (const field of Object.keys(value)) if (!ROW_FIELDS.has(field)) return false;
  const { accessClass, title, changedAt, url, cells, chunks } = value;
  return (
    isText(value["row"], 2, 8192) &&
    isText(value["view"], 1, 500) &&
    isText(value["version"], 1, 500) &&
    typeof accessClass === "string" &&
    HASH.test(accessClass) &&
    typeof title === "string" &&
    (changedAt === undefined || isText(changedAt, 1, 500)) &&
    (url === undefined || typeof url === "string") &&
    Array.isArray(cells) &&
    cells.every(isPlainCell) &&
    Array.isArray(chunks) &&
    chunks.length <= MAX_ITEMS &&
    chunks.every(isBareChunk)
  );
}

function isPlainCell(cell: unknown): boolean {
  if (!isRecord(cell) || Object.keys(cell).length !== 2 || !isText(cell["column"], 1, 500)) return false;
  const { value } = cell;
  return value === null || (value !== undefined && typeof value !== "object");
}

/** Without words and vector. */
function isBareChunk(chunk: unknown): boolean {
  return (
    isRecord(chunk) &&
    Object.keys(chunk).length === 2 &&
    typeof chunk["text"] === "string" &&
    Number.isSafeInteger(chunk["n"]) &&
    Number(chunk["n"]) >= 0
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown, least: number, most: number): boolean {
  return typeof value === "string" && value.length >= least && value.length <= most;
}

/**
 * @throws QuaysideError `invalid_request` when two vectors differ in length, `body_too_large` above `MAX_BATCH_BYTES`.
 */
export function encodeBatch(run: Run, batch: Batch): Uint8Array<ArrayBuffer> {
  const vectors = batch.rows.flatMap((r) => r.chunks.flatMap((c) => c.vector ?? []));
  const dimensions = vectors[0]?.length ?? 0;
  if (vectors.some((vector) => vector.length !== dimensions || dimensions > 0xffff)) {
    throw invalid([{ pointer: "/rows", rule: "vectors of one batch have one length, at most 65535" }]);
  }
  const { rows, ...rest } = batch;
  const used = [...new Set(rows.map(({ accessClass }) => accessClass))];
  const head = encoder.encode(JSON.stringify({ run, ...rest, used }));
  const json = encoder.encode(
    JSON.stringify(rows.map(({ chunks, ...r }) => ({ ...r, chunks: chunks.map(bare) }))),
  );
  const start = padded(PREFIX_BYTES + head.byteLength + json.byteLength);
  const length = start + vectors.length * dimensions * 4;
  if (length > MAX_BATCH_BYTES) {
    throw new QuaysideError(
      "body_too_large",
      `A batch of ${length} bytes is more than the ${MAX_BATCH_BYTES} that the registry takes.`,
    );
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, FORMAT, true);
  view.setUint16(6, dimensions, true);
  view.setUint32(8, head.byteLength, true);
  view.setUint32(12, json.byteLength, true);
  bytes.set(head, PREFIX_BYTES);
  bytes.set(json, PREFIX_BYTES + head.byteLength);
  // Typed arrays have the machine's byte order; every machine that V8 runs on in practice is little-endian.
  const floats = new Float32Array(bytes.buffer, start);
  for (const [i, vector] of vectors.entries()) floats.set(vector, i * dimensions);
  return bytes;
}

function bare({ n, text, lexical, vector }: StagedChunk): object {
  return { n, text, lexical, ...(vector ? { v: true } : {}) };
}

/**
 * The head of an encoded batch; the rows are not looked at.
 * @throws QuaysideError `malformed_json` (not the format), `body_too_large`, `invalid_request` (every rule that is broken).
 */
export function decodeHead(bytes: Uint8Array): BatchHead {
  return headOf(unframe(bytes));
}

/**
 * Inverse of `encodeBatch`, strict. The vectors share one buffer of their own, so the input may be let go.
 * @throws QuaysideError `malformed_json` (not the format), `body_too_large`, `invalid_request` (every rule that is broken).
 */
export function decodeBatch(bytes: Uint8Array): { readonly run: Run; readonly batch: Batch } {
  const frame = unframe(bytes);
  const { run, used, ...rest } = headOf(frame);
  const rows = rowsOf(frame);
  const prefix = `${encodePart(rest.table)}:`;
  const foreign = [...rows, ...rest.gone].some(
    ({ row }) => !row.startsWith(prefix) || row.includes("#") || row.includes(":", prefix.length),
  );
  if (foreign) throw invalid([{ pointer: "/rows", rule: "a row id starts with the batch's table" }]);
  const told = new Set(used);
  if (rows.some(({ accessClass }) => !told.has(accessClass))) {
    throw invalid([{ pointer: "/used", rule: "every access class of the rows" }]);
  }

  const floats = floatsOf(frame);
  const expected = rows.reduce((sum, r) => sum + r.chunks.filter((c) => c.v).length, 0) * frame.dimensions;
  if (floats.length !== expected || (frame.dimensions === 0 && rows.some((r) => r.chunks.some((c) => c.v)))) {
    throw invalid([{ pointer: "/rows", rule: "as many vectors as chunks that announce one" }]);
  }
  if (!floats.every(Number.isFinite)) {
    throw invalid([{ pointer: "/rows", rule: "vectors hold finite numbers" }]);
  }
  let at = 0;
  const next = (): Float32Array => floats.subarray(at, (at += frame.dimensions));
  const staged = rows.map((r): StagedRow => ({
    ...r,
    changedAt: r.changedAt,
    url: r.url,
    chunks: r.chunks.map(({ n, text, lexical, v }) => ({ n, text, lexical, vector: v ? next() : undefined })),
  }));
  return { run, batch: { ...rest, rows: staged } };
}

/** The parts of an encoded batch, unread. */
interface Frame {
  readonly head: Uint8Array;
  readonly rows: Uint8Array;
  readonly vectors: Uint8Array;
  readonly dimensions: number;
}

function unframe(bytes: Uint8Array): Frame {
  if (bytes.byteLength > MAX_BATCH_BYTES) {
    throw new QuaysideError("body_too_large", `A batch may have ${MAX_BATCH_BYTES} bytes.`);
  }
  if (bytes.byteLength < PREFIX_BYTES) throw malformed();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headEnd = PREFIX_BYTES + view.getUint32(8, true);
  const rowsEnd = headEnd + view.getUint32(12, true);
  const start = padded(rowsEnd);
  const known = view.getUint32(0, true) === MAGIC && view.getUint16(4, true) === FORMAT;
  if (!known || start > bytes.byteLength || (bytes.byteLength - start) % 4 !== 0) throw malformed();
  if (bytes.subarray(rowsEnd, start).some((byte) => byte !== 0)) throw malformed();
  return {
    head: bytes.subarray(PREFIX_BYTES, headEnd),
    rows: bytes.subarray(headEnd, rowsEnd),
    vectors: bytes.subarray(start),
    dimensions: view.getUint16(6, true),
  };
}

function headOf({ head }: Frame): BatchHead {
  const parsed = headSchema.safeParse(parse(head));
  if (!parsed.success) throw broken("", parsed.error.issues);
  return parsed.data;
}

function rowsOf({ rows }: Frame): readonly WireRow[] {
  const json = parse(rows);
  if (areRows(json)) return json;
  const parsed = rowsSchema.safeParse(json);
  if (!parsed.success) throw broken("/rows", parsed.error.issues);
  return parsed.data;
}

/** A copy: floats need an address that is a multiple of 4, and a buffer without the rest of the body. */
function floatsOf({ vectors }: Frame): Float32Array {
  return new Float32Array(vectors.slice().buffer);
}

function parse(json: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(json)) as unknown;
  } catch (cause) {
    throw malformed(cause);
  }
}

function broken(within: string, issues: readonly z.core.$ZodIssue[]): QuaysideError {
  return invalid(
    issues.slice(0, 20).map((issue) => ({
      pointer: `${within}/${issue.path.map(String).join("/")}`,
      rule: issue.code,
    })),
  );
}

function malformed(cause?: unknown): QuaysideError {
  return new QuaysideError("malformed_json", "The body is not a batch.", { cause });
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function depthOf(value: unknown): number {
  let depth = 0;
  for (let level: unknown[] = [value]; depth <= MAX_DEPTH; depth++) {
    level = level.flatMap((v) => (typeof v === "object" && v !== null ? Object.values(v) : []));
    if (level.length === 0) break;
  }
  return depth;
}

function invalid(violations: readonly Violation[]): QuaysideError {
  return new QuaysideError("invalid_request", "The batch breaks the format's rules.", { violations });
}
