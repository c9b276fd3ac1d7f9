import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, KnownRow, Run, StagedChunk, StagedRow } from "../../shared/ports/registry.ts";
import { encodePart } from "../../shared/ids.ts";
import { makeHasher } from "../../shared/sha256.ts";
import { countVectors, writeBlocks, type Place } from "./blocks.ts";
import { makeInserter } from "./insert.ts";
import { analyseChunk, type AnalysedChunk } from "./lexical.ts";
import { checkRowSize, countOf, MAX_VECTOR_BYTES, NEVER, readMeta, writeMeta } from "./schema.ts";
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
  /** Chunks to be searched here; none where both legs live outside. */
  readonly chunks: readonly { readonly chunk: StagedChunk; readonly analysed: AnalysedChunk }[];
  /** The texts of chunks that are searched outside, as a JSON list; undefined when they are searched here. */
  readonly texts: string | undefined;
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
  const seen = makePairs<true>();
  for (const pair of [...batch.rows, ...batch.gone]) {
    if (seen.get(pair)) throw invalid("/rows", `Two rows of table ${batch.table} have the same key.`);
    seen.set(pair, true);
  }
  const prefix = `${encodePart(batch.table)}:`;
  return batch.rows.map((row) => {
    if (!row.row.startsWith(prefix)) {
      throw invalid("/rows/row", `A row of this batch is not of table ${batch.table}.`);
    }
    const cells = JSON.stringify(row.cells);
    checkRowSize(row.row, [cells, row.row, row.title, row.url ?? ""]);
    const outside = row.chunks.length > 0 && row.chunks.every((chunk) => !chunk.lexical && !chunk.vector);
    if (!outside && row.chunks.some((chunk) => !chunk.lexical)) {
      throw invalid("/rows/chunks/lexical", "A chunk that is searched here has words.");
    }
    const chunks = row.chunks.flatMap((chunk) => {
      checkRowSize(row.row, [chunk.text]);
      if (!chunk.lexical) return [];
      const { title, body, labels, meta } = chunk.lexical;
      checkRowSize(row.row, [title, body, labels, meta]);
      return [{ chunk, analysed: analyseChunk(chunk.lexical) }];
    });
    const texts = outside ? JSON.stringify(row.chunks.map((chunk) => chunk.text)) : undefined;
    if (texts !== undefined) checkRowSize(row.row, [texts]);
    if (row.chunks.some((chunk, i) => chunk.n !== i)) {
      throw invalid("/rows/chunks/n", "Chunks are numbered from 0, in order.");
    }
    return {
      row,
      // The same as `storedId` of shared/ids.ts, without the chunk's number.
      stored: hasher.hash128(`${row.view}\u0000${row.row}`),
      cells,
      chunks,
      texts,
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

  // A batch that was under way while its run was published is too late: its rows would be served at once.
  if (run.generation <= meta.generation) throw new QuaysideError("run_fenced", "This run is published.");

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

  const rows = [...batch.rows, ...batch.gone];
  const known = knownVersions(sql, rows, meta.generation);
  const dropped = new Set(rows.flatMap((row) => known.get(row)?.staged ?? []));
  dropVersions(sql, dropped);
  if (countOf(sql, "SELECT EXISTS (SELECT 1 FROM gone) AS n") > 0) {
    sql.exec(
      "DELETE FROM gone WHERE (row, view) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))",
      JSON.stringify(rows.map(({ row, view }) => [row, view])),
    );
  }
  for (const seq of batch.written ?? []) {
    sql.exec("DELETE FROM pending WHERE run = ? AND seq = ?", run.id, seq);
  }
  const pending = batch.pending ? batch.seq : undefined;
  const slots = insertRows(sql, { pending, run, table, now, known, places }, prepared);
  const removals = makeInserter(sql, "gone", { tbl: table, run: run.id }, "row, view");
  for (const { row, view } of batch.gone) removals.add(row, view);
  removals.flush();
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

/** Names one row in one view of it. */
interface Pair {
  readonly row: string;
  readonly view: string;
}

interface Pairs<T> {
  get(pair: Pair): T | undefined;
  set(pair: Pair, value: T): void;
}

/** A map for each view: a key made of both would be a new text to hash at each look. */
function makePairs<T>(): Pairs<T> {
  const views = new Map<string, Map<string, T>>();
  return {
    get: ({ row, view }) => views.get(view)?.get(row),
    set({ row, view }, value) {
      const rows = views.get(view) ?? new Map<string, T>();
      if (rows.size === 0) views.set(view, rows);
      rows.set(row, value);
    },
  };
}

/** What is stored of a view of a row already. */
interface Known {
  /** Versions that are staged; at most one. */
  readonly staged: number[];
  /** When each version was first seen. */
  readonly seen: Map<string, string>;
}

/** A batch asks once, because asking row by row costs as much as writing. */
function knownVersions(sql: SqlStorage, rows: readonly Pair[], served: number): Pairs<Known> {
  const known = makePairs<Known>();
  const found = sql.exec<{
    no: number;
    row: string;
    view: string;
    version: string;
    from: number;
    seen: string;
  }>(
    `SELECT no, row, view, version, gen_from AS "from", first_seen AS seen FROM rec
     WHERE row IN (SELECT value FROM json_each(?))`,
    JSON.stringify(rows.map(({ row }) => row)),
  );
  for (const { no, version, from, seen, ...pair } of found) {
    const entry = known.get(pair) ?? { staged: [], seen: new Map<string, string>() };
    known.set(pair, entry);
    entry.seen.set(version, seen);
    if (from > served) entry.staged.push(no);
  }
  return known;
}

interface Into {
  /** The batch's number, where its chunks are still to be written outside. */
  readonly pending: number | undefined;
  readonly run: Run;
  readonly table: number;
  readonly now: string;
  readonly known: Pairs<Known>;
  /** One for each chunk that has a vector, in order. */
  readonly places: readonly Place[];
}

/**
 * Returns the slots of the chunks that have a vector. Numbers are given here, not asked for with RETURNING, which would cost
 * more than the insert itself.
 */
function insertRows(sql: SqlStorage, into: Into, rows: readonly Prepared[]): Slot[] {
  const { pending, run, table, now, known, places } = into;
  const classes = new Map(
    sql
      .exec<{ id: string; no: number }>("SELECT id, no FROM class")
      .toArray()
      .map(({ id, no }) => [id, no] as const),
  );
  const first = lastNumber(sql, "rec");
  let rec = first;
  let entry = lastNumber(sql, "entry");
  const slots: Slot[] = [];
  const staged = { tbl: table, gen_from: run.generation, gen_to: NEVER, run: run.id };
  const recs = makeInserter(
    sql,
    "rec",
    staged,
    "no, class, row, view, version, stored, chunks, first_seen, changed_at, url, title, cells",
  );
  const outside = makeInserter(sql, "texts", {}, "rec, texts");
  const entries = makeInserter(
    sql,
    "entry",
    { tbl: table, live: 0 },
    "no, rec, n, class, french, block, pos",
  );
  const passages = makeInserter(sql, "passage", {}, "no, text");
  const terms = makeInserter(sql, "fts", {}, "rowid, title, body, labels, meta");
  for (const { row, stored, cells, chunks, texts } of rows) {
    const accessClass = classes.get(row.accessClass);
    if (accessClass === undefined)
      throw invalid("/rows/accessClass", "A row carries an access class that no batch has sent.");
    rec += 1;
    recs.add(
      rec,
      accessClass,
      row.row,
      row.view,
      row.version,
      stored,
      row.chunks.length,
      // The same version read again is not a change: it keeps the time at which it was first seen.
      known.get(row)?.seen.get(row.version) ?? now,
      row.changedAt ?? null,
      row.url ?? null,
      row.title,
      cells,
    );
    if (texts !== undefined) outside.add(rec, texts);
    for (const { chunk, analysed } of chunks) {
      entry += 1;
      const place = chunk.vector ? places[slots.length] : undefined;
      const french = analysed.language === "fr" ? 1 : 0;
      entries.add(entry, rec, chunk.n, accessClass, french, place?.block ?? null, place?.pos ?? null);
      passages.add(entry, chunk.text);
      terms.add(entry, analysed.title, analysed.body, analysed.labels, analysed.meta);
      if (place) slots.push({ chunk: entry, rec, table, accessClass, live: false });
    }
  }
  for (const inserter of [recs, outside, entries, passages, terms]) inserter.flush();
  if (pending !== undefined) {
    sql.exec(
      "INSERT OR FAIL INTO pending (rec, run, seq) SELECT no, ?, ? FROM rec WHERE no > ?",
      run.id,
      pending,
      first,
    );
  }
  return slots;
}

/** The highest number that an AUTOINCREMENT table has ever given; 0 when none. */
function lastNumber(sql: SqlStorage, name: "rec" | "entry"): number {
  return (
    sql.exec<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = ?", name).toArray()[0]?.seq ?? 0
  );
}

/** Versions named in one statement: a bound list stays far below 2 MB. */
const DROP_AT_ONCE = 10_000;

/** Removes row versions and all that hangs on them, vectors in blocks excepted. */
export function dropVersions(sql: SqlStorage, recs: Iterable<number>): void {
  const all = [...recs];
  for (let at = 0; at < all.length; at += DROP_AT_ONCE) {
    const list = JSON.stringify(all.slice(at, at + DROP_AT_ONCE));
    const entries = "SELECT no FROM entry WHERE rec IN (SELECT value FROM json_each(?))";
    sql.exec(`DELETE FROM fts WHERE rowid IN (${entries})`, list);
    sql.exec(`DELETE FROM passage WHERE no IN (${entries})`, list);
    sql.exec("DELETE FROM entry WHERE rec IN (SELECT value FROM json_each(?))", list);
    sql.exec("DELETE FROM pending WHERE rec IN (SELECT value FROM json_each(?))", list);
    sql.exec("DELETE FROM texts WHERE rec IN (SELECT value FROM json_each(?))", list);
    sql.exec("DELETE FROM rec WHERE no IN (SELECT value FROM json_each(?))", list);
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
      // So has one whose chunks may not all be there; those of the version before it may be there still.
      `SELECT row, view, CASE WHEN p.rec IS NULL THEN chunks ELSE
           (SELECT max(m.chunks) FROM rec m WHERE m.row = r.row AND m.view = r.view) END AS chunks,
         CASE WHEN p.rec IS NOT NULL OR gen_from <= ?1 AND EXISTS
         (SELECT 1 FROM gone g WHERE g.row = r.row AND g.view = r.view) THEN '' ELSE version END AS version
       FROM rec r LEFT JOIN pending p ON p.rec = r.no
       WHERE (row, view) > (?2, ?3) AND row < ?4 AND gen_to = ?5 AND (gen_from > ?1
         OR NOT EXISTS (SELECT 1 FROM rec s WHERE s.row = r.row AND s.view = r.view AND s.gen_from > ?1))
       ORDER BY row, view LIMIT ?6`,
      readMeta(sql).generation,
      after?.row ?? `${prefix}:`,
      after?.view ?? "",
      `${prefix};`,
      NEVER,
      limit,
    )
    .toArray();
}

function invalid(pointer: string, message: string): QuaysideError {
  return new QuaysideError("invalid_request", message, { violations: [{ pointer, rule: message }] });
}
