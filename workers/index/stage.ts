import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, KnownRow, Run, StagedChunk, StagedRow } from "../../shared/ports/registry.ts";
import { encodePart } from "../../shared/ids.ts";
import { makeHasher } from "../../shared/sha256.ts";
import { countVectors, writeBlocks, type Place } from "./blocks.ts";
import { analyseChunk, type AnalysedChunk } from "./lexical.ts";
import { checkRowSize, MAX_VECTOR_BYTES, NEVER, readMeta, writeMeta } from "./schema.ts";
import { quantise, strideOf, type Slot } from "./vectors.ts";

/** What a batch added and took away, for the vectors in memory. */
export interface Staged {
  readonly slots: readonly Slot[];
  readonly bytes: Int8Array;
  readonly scales: Float32Array;
  /** Versions that were staged before and are replaced. */
  readonly dropped: ReadonlySet<number>;
}

interface Prepared {
  readonly row: StagedRow;
  readonly stored: string;
  readonly cells: string;
  readonly chunks: readonly { readonly chunk: StagedChunk; readonly analysed: AnalysedChunk }[];
}

const NOTHING: Staged = {
  slots: [],
  bytes: new Int8Array(0),
  scales: new Float32Array(0),
  dropped: new Set(),
};

/** The costly part, outside of any transaction: checks, analysis, hashes. */
export function prepareRows(batch: Batch): Prepared[] {
  const hasher = makeHasher();
  const seen = new Set<string>();
  for (const { row, view } of [...batch.rows, ...batch.gone]) {
    const pair = `${view}\u0000${row}`;
    if (seen.has(pair)) throw invalid("/rows", `Two rows of table ${batch.table} have the same key.`);
    seen.add(pair);
  }
  return batch.rows.map((row) => {
    if (!row.row.startsWith(`${encodePart(batch.table)}:`)) {
      throw invalid("/rows/row", `A row of this batch is not of table ${batch.table}.`);
    }
    const cells = JSON.stringify(row.cells);
    checkRowSize(row.row, [cells, row.row, row.title, row.url ?? ""]);
    for (const chunk of row.chunks) {
      checkRowSize(row.row, [chunk.text]);
      const { title, body, labels, meta } = chunk.lexical;
      checkRowSize(row.row, [title, body, labels, meta]);
    }
    return {
      row,
      // The same as `storedId` of shared/ids.ts, without the chunk's number.
      stored: hasher.hash128(`${row.view}\u0000${row.row}`),
      cells,
      chunks: row.chunks.map((chunk) => ({ chunk, analysed: analyseChunk(chunk.lexical) })),
    };
  });
}

/** Every vector of the batch in one piece; their chunks are those that carry one, in order. */
function packVectors(
  batch: Batch,
  known: number,
): { dimensions: number; bytes: Int8Array; scales: Float32Array } {
  const vectors = batch.rows.flatMap((row) =>
    row.chunks.flatMap((chunk) => (chunk.vector ? [chunk.vector] : [])),
  );
  const dimensions = known || (vectors[0]?.length ?? 0);
  const stride = strideOf(dimensions);
  const bytes = new Int8Array(vectors.length * stride);
  const scales = new Float32Array(vectors.length);
  for (const [i, vector] of vectors.entries()) {
    if (vector.length !== dimensions) {
      throw new QuaysideError(
        "index_embedder_mismatch",
        `This space holds vectors of ${dimensions} dimensions; a batch carries one of ${vector.length}.`,
      );
    }
    if (!vector.every(Number.isFinite))
      throw invalid("/rows/chunks/vector", "A vector holds a number that is not finite.");
    const quantised = quantise(vector);
    bytes.set(quantised.bytes, i * stride);
    scales[i] = quantised.scale;
  }
  return { dimensions, bytes, scales };
}

/**
 * Stages one batch, inside the caller's transaction. A batch that was taken before changes nothing; a row that was staged
 * before is replaced.
 * @throws QuaysideError `run_fenced`, `index_embedder_mismatch`, `invalid_request`, `guard_stopped` (no room for more vectors).
 */
export function stageBatch(
  sql: SqlStorage,
  run: Run,
  batch: Batch,
  prepared: readonly Prepared[],
  now: string,
): Staged {
  const meta = readMeta(sql);
  if (run.fence < meta.fence) throw new QuaysideError("run_fenced", "A later run has taken over.");
  if (run.fence > meta.fence) writeMeta(sql, { fence: run.fence });
  const taken = sql.exec(
    "INSERT OR IGNORE INTO batch (run, seq) VALUES (?, ?) RETURNING seq",
    run.id,
    batch.seq,
  );
  if (taken.toArray().length === 0) return NOTHING;

  const { dimensions, bytes, scales } = packVectors(batch, meta.dimensions);
  if (scales.length > 0) {
    checkRoom(countVectors(sql) + scales.length, dimensions);
    if (meta.dimensions === 0) writeMeta(sql, { dimensions });
  }
  const places = scales.length > 0 ? writeBlocks(sql, dimensions, bytes, scales) : [];
  const table = tableNumber(sql, batch.table);
  for (const { id, classification } of batch.classes) {
    sql.exec("INSERT OR IGNORE INTO class (id, classification) VALUES (?, ?)", id, classification);
  }

  const dropped = new Set<number>();
  const slots: Slot[] = [];
  for (const { row, view } of [...batch.rows, ...batch.gone]) {
    for (const rec of stagedVersions(sql, row, view)) dropped.add(rec);
    sql.exec("DELETE FROM gone WHERE row = ? AND view = ?", row, view);
  }
  dropVersions(sql, dropped);
  for (const item of prepared) {
    slots.push(...insertRow(sql, run.id, table, item, places.slice(slots.length), now));
  }
  for (const { row, view } of batch.gone) {
    sql.exec("INSERT INTO gone (row, view, tbl, run) VALUES (?, ?, ?, ?)", row, view, table, run.id);
  }
  return { slots, bytes, scales, dropped };
}

function checkRoom(vectors: number, dimensions: number): void {
  const stride = strideOf(dimensions);
  if (vectors * stride <= MAX_VECTOR_BYTES) return;
  throw new QuaysideError(
    "guard_stopped",
    `The embedded index holds at most ${Math.floor(MAX_VECTOR_BYTES / stride)} chunks of ${dimensions} dimensions. ` +
      `Index fewer rows, use an embedder with fewer dimensions, or set index.kind to a store of its own.`,
  );
}

/** The table's number in this shard, made on first use. */
export function tableNumber(sql: SqlStorage, name: string): number {
  sql.exec("INSERT OR IGNORE INTO tbl (name) VALUES (?)", name);
  return sql.exec<{ no: number }>("SELECT no FROM tbl WHERE name = ?", name).one().no;
}

function stagedVersions(sql: SqlStorage, row: string, view: string): number[] {
  return sql
    .exec<{ no: number }>("SELECT no FROM rec WHERE row = ? AND view = ? AND gen_from = ?", row, view, NEVER)
    .toArray()
    .map((found) => found.no);
}

/** Places are taken from the front, one for each chunk that has a vector. Returns the slots of those chunks. */
function insertRow(
  sql: SqlStorage,
  run: string,
  table: number,
  { row, stored, cells, chunks }: Prepared,
  places: readonly Place[],
  now: string,
): Slot[] {
  const accessClass = sql
    .exec<{ no: number }>("SELECT no FROM class WHERE id = ?", row.accessClass)
    .toArray()[0]?.no;
  if (accessClass === undefined)
    throw invalid("/rows/accessClass", "A row carries an access class that no batch has sent.");
  // The same version read again is not a change: it keeps the time at which it was first seen.
  const seen = sql
    .exec<{ at: string }>(
      "SELECT first_seen AS at FROM rec WHERE row = ? AND view = ? AND version = ? LIMIT 1",
      row.row,
      row.view,
      row.version,
    )
    .toArray()[0]?.at;
  const rec = sql
    .exec<{ no: number }>(
      `INSERT INTO rec (tbl, class, gen_from, gen_to, row, view, version, stored, chunks, run, first_seen, changed_at, url, title, cells)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING no`,
      table,
      accessClass,
      NEVER,
      NEVER,
      row.row,
      row.view,
      row.version,
      stored,
      chunks.length,
      run,
      seen ?? now,
      row.changedAt ?? null,
      row.url ?? null,
      row.title,
      cells,
    )
    .one().no;
  const slots: Slot[] = [];
  for (const { chunk, analysed } of chunks) {
    const place = chunk.vector ? places[slots.length] : undefined;
    const no = sql
      .exec<{ no: number }>(
        `INSERT INTO entry (rec, n, tbl, class, live, french, block, pos) VALUES (?, ?, ?, ?, 0, ?, ?, ?) RETURNING no`,
        rec,
        chunk.n,
        table,
        accessClass,
        analysed.language === "fr" ? 1 : 0,
        place?.block ?? null,
        place?.pos ?? null,
      )
      .one().no;
    sql.exec("INSERT INTO passage (no, text) VALUES (?, ?)", no, chunk.text);
    sql.exec(
      "INSERT INTO fts (rowid, title, body, labels, meta) VALUES (?, ?, ?, ?, ?)",
      no,
      analysed.title,
      analysed.body,
      analysed.labels,
      analysed.meta,
    );
    if (place) slots.push({ chunk: no, rec, table, accessClass, live: false });
  }
  return slots;
}

/** Removes row versions and all that hangs on them, vectors in blocks excepted. */
export function dropVersions(sql: SqlStorage, recs: Iterable<number>): void {
  for (const rec of recs) {
    const chunks = sql.exec<{ no: number }>("SELECT no FROM entry WHERE rec = ?", rec).toArray();
    for (const { no } of chunks) {
      sql.exec("DELETE FROM fts WHERE rowid = ?", no);
      sql.exec("DELETE FROM passage WHERE no = ?", no);
    }
    sql.exec("DELETE FROM entry WHERE rec = ?", rec);
    sql.exec("DELETE FROM rec WHERE no = ?", rec);
  }
}

/** One page of what a table will hold once everything staged is published, in `(row, view)` order of UTF-8 bytes. */
export function knownRows(
  sql: SqlStorage,
  table: string,
  after: { readonly row: string; readonly view: string } | undefined,
  limit: number,
): KnownRow[] {
  const prefix = encodePart(table);
  return sql
    .exec<{ row: string; view: string; version: string; chunks: number }>(
      // A staged removal has no version: the vectors of its chunks may still be in an outside index, for the next run to delete.
      `SELECT row, view, chunks, CASE WHEN gen_from <> ? AND EXISTS
         (SELECT 1 FROM gone g WHERE g.row = r.row AND g.view = r.view) THEN '' ELSE version END AS version FROM rec r
       WHERE (row, view) > (?, ?) AND row < ? AND gen_to = ? AND (gen_from = ?
         OR NOT EXISTS (SELECT 1 FROM rec s WHERE s.row = r.row AND s.view = r.view AND s.gen_from = ?))
       ORDER BY row, view LIMIT ?`,
      NEVER,
      after?.row ?? `${prefix}:`,
      after?.view ?? "",
      `${prefix};`,
      NEVER,
      NEVER,
      NEVER,
      limit,
    )
    .toArray();
}

function invalid(pointer: string, message: string): QuaysideError {
  return new QuaysideError("invalid_request", message, { violations: [{ pointer, rule: message }] });
}
