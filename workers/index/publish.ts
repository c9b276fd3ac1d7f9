import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  PublishedTable,
  Run,
  ServedBasis,
  TableCounts,
  TableCursor,
} from "../../shared/ports/registry.ts";
import type { ServedTable, ShardPublished } from "../tenant/api.ts";
import { packBlocks, wipeVectors, type Place } from "./blocks.ts";
import { countOf, createStoredIndex, NEVER, readMeta, writeMeta } from "./schema.ts";
import { dropVersions, tableNumber } from "./stage.ts";

/** What a publish did to the versions, for the vectors in memory. */
export interface Flipped {
  readonly published: ShardPublished;
  readonly shown: ReadonlySet<number>;
  readonly hidden: ReadonlySet<number>;
  readonly dropped: ReadonlySet<number>;
}

/** Versions of a table that are staged: they begin after the served generation. */
const STAGED = "FROM rec WHERE tbl = ? AND gen_to = ? AND gen_from > ?";
const stagedOf = (table: number, served: number): readonly number[] => [table, NEVER, served];

/** Versions of a table that end when what is staged is published: replaced, or gone. Costs what was staged, not what is served. */
const ENDING = `FROM (
  SELECT r.no AS no FROM rec s JOIN rec r ON r.row = s.row AND r.view = s.view AND r.gen_to = s.gen_to AND r.gen_from <= ?1
  WHERE s.tbl = ?2 AND s.gen_to = ?3 AND s.gen_from > ?1
  UNION SELECT r.no FROM gone g JOIN rec r ON r.row = g.row AND r.view = g.view AND r.gen_to = ?3 AND r.gen_from <= ?1
  WHERE g.tbl = ?2)`;
const endingOf = (table: number, served: number): readonly number[] => [served, table, NEVER];

/**
 * Makes what is staged for these tables visible, inside the caller's transaction: staged versions begin and the ones that they
 * replace, or that are gone, end with this generation. Versions that ended with an earlier one are deleted. Staged work for
 * other tables stays staged.
 * @throws QuaysideError `run_fenced`, or `guard_stopped` when the shard's counts and the run's can't both be right.
 */
export function publishStaged(
  sql: SqlStorage,
  run: Run,
  tables: readonly PublishedTable[],
  epoch: number,
): Flipped {
  const meta = readMeta(sql);
  if (run.fence < meta.fence) throw new QuaysideError("run_fenced", "A later run has taken over.");
  createStoredIndex(sql);
  const generation = run.generation;
  const shown = new Set<number>();
  const hidden = new Set<number>();
  let changed = false;
  const asOf = sql.exec<{ no: number; as_of: string | null }>("SELECT no, as_of FROM tbl").toArray();
  // Without chunks to search there are none in memory either.
  const searched = countOf(sql, "SELECT EXISTS (SELECT 1 FROM entry) AS n") > 0;
  for (const table of tables) {
    const no = tableNumber(sql, table.counts.table);
    if (table.counts.skipped) checkSkipped(sql, no, table, meta.generation);
    const unwritten = countOf(
      sql,
      "SELECT count(*) AS n FROM pending p JOIN rec r ON r.no = p.rec WHERE r.tbl = ?",
      no,
    );
    if (unwritten > 0) throw stopped(table.counts.table, `the chunks of ${unwritten} rows are not written`);
    const [ending, staged] = [endingOf(no, meta.generation), stagedOf(no, meta.generation)];
    if (searched) {
      for (const rec of numbers(sql, `SELECT no ${ENDING}`, ...ending)) hidden.add(rec);
      for (const rec of numbers(sql, `SELECT no ${STAGED}`, ...staged)) shown.add(rec);
      sql.exec(`UPDATE entry SET live = 0 WHERE rec IN (SELECT no ${ENDING})`, ...ending);
      sql.exec(`UPDATE entry SET live = 1 WHERE rec IN (SELECT no ${STAGED})`, ...staged);
    }
    const begun = countOf(sql, `SELECT EXISTS (SELECT 1 ${STAGED}) AS n`, ...staged);
    const ended = sql.exec(
      `UPDATE OR FAIL rec SET gen_to = ?4 WHERE no IN (SELECT no ${ENDING})`,
      ...ending,
      generation,
    );
    // Staged for this generation they begin by themselves; what another run left begins with it.
    moveStaged(sql, no, meta.generation, generation);
    if (ended.rowsWritten + begun > 0) {
      changed = true;
      sql.exec("UPDATE tbl SET served = NULL WHERE no = ?", no);
    }
    // A repeated call finds nothing staged and the counts of a run that has been checked already.
    if (meta.publishedRun !== run.id) checkCounts(sql, run, no, table.counts, generation);
    sql.exec("DELETE FROM gone WHERE tbl = ?", no);
    sql.exec(
      `UPDATE tbl SET as_of = ?, key = ?, rollup = ?, basis = ?, cursor = CASE WHEN ? THEN cursor ELSE ? END, erased = 0
       WHERE no = ?`,
      table.asOf,
      JSON.stringify(table.key),
      table.rollup ? 1 : 0,
      table.basis ?? null,
      table.counts.skipped ? 1 : 0,
      table.cursor ? JSON.stringify(table.cursor) : null,
      no,
    );
  }
  if (changed) {
    // What is staged for other tables begins when they are published.
    const read = new Set(tables.map((table) => tableNumber(sql, table.counts.table)));
    for (const { no } of asOf) if (!read.has(no)) moveStaged(sql, no, meta.generation, NEVER);
    sql.exec("UPDATE tbl SET was_as_of = NULL");
    for (const { no, as_of } of asOf) sql.exec("UPDATE tbl SET was_as_of = ? WHERE no = ?", as_of, no);
  }
  const dropped = changed ? deleteEnded(sql, generation) : new Set<number>();
  sql.exec("DELETE FROM batch WHERE run <> ?", run.id);
  const served = changed ? generation : meta.generation;
  writeMeta(sql, {
    generation: served,
    epoch: Math.max(meta.epoch, epoch),
    fence: run.fence,
    publishedRun: run.id,
    ...(changed ? { previous: meta.generation, french: shareOfFrench(sql) } : {}),
  });
  return {
    published: { generation: served, changed, rows: servedTables(sql, served) },
    shown,
    hidden,
    dropped,
  };
}

/**
 * A table is skipped for what is served of it, alone: not if that has become another since the run looked, or if a batch that was
 * under way has been staged, which would begin with this publication.
 */
function checkSkipped(sql: SqlStorage, no: number, { counts, basis }: PublishedTable, served: number): void {
  const [kept] = sql.exec<{ basis: string | null }>("SELECT basis FROM tbl WHERE no = ?", no).toArray();
  if (basis !== undefined && kept?.basis === basis && !hasStaged(sql, no, served)) return;
  throw new QuaysideError(
    "run_conflict",
    `Table ${counts.table} is no longer what it was when this run looked at it. Nothing was published; run the ingest again.`,
  );
}

function hasStaged(sql: SqlStorage, table: number, served: number): boolean {
  const removed = "EXISTS (SELECT 1 FROM gone WHERE tbl = ?)";
  return (
    countOf(sql, `SELECT EXISTS (SELECT 1 ${STAGED}) OR ${removed} AS n`, ...stagedOf(table, served), table) >
    0
  );
}

/** See `ShardApi.bases`. */
export function servedBases(sql: SqlStorage): (readonly [string, ServedBasis])[] {
  const { generation } = readMeta(sql);
  return sql
    .exec<{ no: number; name: string; basis: string | null; cursor: string | null }>(
      "SELECT no, name, basis, cursor FROM tbl WHERE basis IS NOT NULL OR cursor IS NOT NULL",
    )
    .toArray()
    .filter(({ no }) => !hasStaged(sql, no, generation))
    .map(({ no, name, basis, cursor: kept }) => {
      const { rows, chunks } = servedOf(sql, no, generation);
      const cursor: TableCursor | undefined = kept === null ? undefined : JSON.parse(kept);
      return [name, { basis: basis ?? undefined, cursor, rows, chunks }];
    });
}

/** Lets the staged versions of a table begin with another generation. */
function moveStaged(sql: SqlStorage, table: number, served: number, generation: number): void {
  sql.exec(
    `UPDATE OR FAIL rec SET gen_from = ? WHERE no IN (SELECT no ${STAGED} AND gen_from <> ?)`,
    generation,
    ...stagedOf(table, served),
    generation,
  );
}

/**
 * Serves once more what the generation before the served one had, as a generation of its own, inside the caller's transaction:
 * versions that the served one ended go on, those that it began are removed. Erased rows stay erased, staged work stays staged.
 * @throws QuaysideError `run_fenced`, or `invalid_request` for a generation whose versions are not kept.
 */
export function rollBack(sql: SqlStorage, run: Run, to: number, epoch: number): Flipped {
  const meta = readMeta(sql);
  if (run.fence < meta.fence) throw new QuaysideError("run_fenced", "A later run has taken over.");
  const none = new Set<number>();
  if (meta.publishedRun === run.id) {
    const rows = servedTables(sql, meta.generation);
    const published = { generation: meta.generation, changed: false, rows };
    return { published, shown: none, hidden: none, dropped: none };
  }
  if (to < 1 || meta.previous !== to) {
    const kept = meta.previous < 1 ? "none" : `generation ${meta.previous}`;
    throw new QuaysideError(
      "invalid_request",
      `Generation ${to} is not kept; beside the served generation ${meta.generation} there is ${kept}.`,
      { violations: [{ pointer: "/generation", rule: "not kept" }] },
    );
  }
  for (const no of numbers(sql, "SELECT no FROM tbl")) moveStaged(sql, no, meta.generation, NEVER);
  const shown = new Set(numbers(sql, "SELECT no FROM rec WHERE gen_to = ?", meta.generation));
  const dropped = new Set(
    numbers(sql, "SELECT no FROM rec WHERE gen_from = ? AND gen_to = ?", meta.generation, NEVER),
  );
  dropVersions(sql, dropped);
  sql.exec("UPDATE entry SET live = 1 WHERE rec IN (SELECT no FROM rec WHERE gen_to = ?)", meta.generation);
  sql.exec("UPDATE rec SET gen_to = ? WHERE gen_to = ?", NEVER, meta.generation);
  sql.exec("UPDATE tbl SET as_of = was_as_of, served = NULL, basis = NULL, cursor = NULL");
  if (meta.dimensions > 0) packBlocks(sql, meta.dimensions);
  writeMeta(sql, {
    generation: run.generation,
    previous: 0,
    epoch: Math.max(meta.epoch, epoch),
    fence: run.fence,
    publishedRun: run.id,
    french: shareOfFrench(sql),
  });
  const rows = servedTables(sql, run.generation);
  const published = { generation: run.generation, changed: true, rows };
  return { published, shown, hidden: none, dropped };
}

/**
 * Whether every batch arrived. Rows that were read and not held back must be served; a row that the run calls added or changed
 * must have been staged by it. Held-back rows may still be served in an older version or another view, so they widen the range.
 */
function checkCounts(
  sql: SqlStorage,
  run: Run,
  table: number,
  counts: TableCounts,
  generation: number,
): void {
  const { read, added, changed, unchanged, failed } = counts;
  if (read !== added + changed + unchanged + failed) return;
  const erased = countOf(sql, "SELECT erased AS n FROM tbl WHERE no = ?", table);
  const served = servedOf(sql, table, generation).rows;
  const touched = countOf(
    sql,
    `SELECT count(*) AS n FROM (
       SELECT row FROM rec WHERE tbl = ? AND gen_from = ? AND run = ?
       UNION SELECT row FROM gone WHERE tbl = ? AND run = ?)`,
    table,
    generation,
    run.id,
    table,
    run.id,
  );
  if (served > read) {
    throw stopped(counts.table, `${served} rows would be served, but the warehouse holds ${read}`);
  }
  if (served < read - failed - erased) {
    throw stopped(
      counts.table,
      `${served} rows would be served, but ${read - failed} were read (a key may not be unique)`,
    );
  }
  if (touched + erased < added + changed) {
    throw stopped(counts.table, `${added + changed} rows were added or changed, but only ${touched} arrived`);
  }
}

function stopped(table: string, what: string): QuaysideError {
  return new QuaysideError(
    "guard_stopped",
    `Table ${table}: ${what}. Nothing was published; run the ingest again.`,
  );
}

/** Versions that an earlier generation ended: no generation that can still be served shows them. */
function deleteEnded(sql: SqlStorage, generation: number): ReadonlySet<number> {
  const ended = new Set(numbers(sql, "SELECT no FROM rec WHERE gen_to < ?", generation));
  dropVersions(sql, ended);
  const { dimensions } = readMeta(sql);
  if (dimensions > 0) packBlocks(sql, dimensions);
  return ended;
}

function shareOfFrench(sql: SqlStorage): number {
  const { n, french } = sql
    .exec<{ n: number; french: number | null }>(
      "SELECT count(*) AS n, sum(french) AS french FROM entry WHERE live = 1",
    )
    .one();
  return n === 0 ? 0 : (french ?? 0) / n;
}

function servedTables(sql: SqlStorage, generation: number): ServedTable[] {
  const tables = sql
    .exec<{ no: number; name: string; as_of: string }>(
      "SELECT no, name, as_of FROM tbl WHERE as_of IS NOT NULL ORDER BY no",
    )
    .toArray();
  return tables.map(({ no, name, as_of }) => {
    const { rows, classes } = servedOf(sql, no, generation);
    return { table: name, asOf: as_of, rows, classes };
  });
}

interface TableServes extends Pick<ServedTable, "rows" | "classes"> {
  readonly chunks: number;
}

/** What a table serves: counted once after each change of it, for a count reads every row. */
function servedOf(sql: SqlStorage, table: number, generation: number): TableServes {
  const [kept] = sql.exec<{ served: string | null }>("SELECT served FROM tbl WHERE no = ?", table).toArray();
  const told: Partial<TableServes> = JSON.parse(kept?.served ?? "{}");
  const { rows, chunks, classes } = told;
  // A shard of an earlier version did not count chunks.
  if (rows !== undefined && chunks !== undefined && classes !== undefined) return { rows, chunks, classes };
  const counted: TableServes = JSON.parse(countServed(sql, table, generation));
  return counted;
}

function countServed(sql: SqlStorage, table: number, generation: number): string {
  const { served } = sql
    .exec<{ served: string }>(
      `SELECT json_object('rows', count(DISTINCT row), 'chunks', coalesce(sum(chunks), 0), 'classes', (SELECT json_group_array(id) FROM (
           SELECT id FROM class WHERE no IN (SELECT class FROM rec WHERE tbl = ?1 AND gen_to = ?2 AND gen_from <= ?3) ORDER BY id)))
         AS served
       FROM rec WHERE tbl = ?1 AND gen_to = ?2 AND gen_from <= ?3`,
      table,
      NEVER,
      generation,
    )
    .one();
  sql.exec("UPDATE tbl SET served = ? WHERE no = ?", served, table);
  return served;
}

/** What an erasure removed, and what of the row is left anywhere in this shard. */
export interface Erased {
  readonly rows: number;
  readonly chunks: number;
  readonly residue: number;
  readonly dropped: ReadonlySet<number>;
}

/** Removes a row from every generation, staged work included, inside the caller's transaction. */
export function eraseRow(sql: SqlStorage, row: string, epoch: number): Erased {
  const meta = readMeta(sql);
  const recs = new Set(numbers(sql, "SELECT no FROM rec WHERE row = ?", row));
  const served = countOf(
    sql,
    "SELECT count(*) AS n FROM rec WHERE row = ? AND gen_from <= ? AND gen_to = ?",
    row,
    meta.generation,
    NEVER,
  );
  const entries = sql
    .exec<{ no: number; block: number | null; pos: number | null }>(
      "SELECT e.no AS no, e.block AS block, e.pos AS pos FROM rec r JOIN entry e ON e.rec = r.no WHERE r.row = ?",
      row,
    )
    .toArray();
  const chunks = countOf(sql, "SELECT coalesce(sum(chunks), 0) AS n FROM rec WHERE row = ?", row);
  const places = entries.flatMap(({ block, pos }): Place[] =>
    block === null || pos === null ? [] : [{ block, pos }],
  );
  wipeVectors(sql, meta.dimensions, places);
  if (served > 0) {
    sql.exec(
      "UPDATE tbl SET erased = erased + 1, served = NULL WHERE no = (SELECT tbl FROM rec WHERE row = ? LIMIT 1)",
      row,
    );
  }
  dropVersions(sql, recs);
  sql.exec("DELETE FROM gone WHERE row = ?", row);
  // A mark that is text, and no time or number, may be a value of this row.
  sql.exec("UPDATE tbl SET cursor = NULL WHERE json_extract(cursor, '$.mark') GLOB '*[^+0-9.:TZeE -]*'");
  // A delete only marks a term as gone until its segment is merged; an erasure must not leave the words behind.
  if (entries.length > 0) sql.exec("INSERT INTO fts (fts) VALUES ('optimize')");
  writeMeta(sql, { epoch: Math.max(meta.epoch, epoch) });
  const left = entries.filter(
    ({ no }) => countOf(sql, "SELECT count(*) AS n FROM fts WHERE rowid = ?", no) > 0,
  ).length;
  return {
    rows: recs.size > 0 ? 1 : 0,
    chunks,
    residue: left + countOf(sql, "SELECT count(*) AS n FROM rec WHERE row = ?", row),
    dropped: recs,
  };
}

function numbers(sql: SqlStorage, query: string, ...bindings: readonly (string | number)[]): number[] {
  return sql
    .exec<{ no: number }>(query, ...bindings)
    .toArray()
    .map((row) => row.no);
}
