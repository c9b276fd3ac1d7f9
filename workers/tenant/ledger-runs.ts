import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { PublishedTable, Run, RunRequest, TableShape } from "../../shared/ports/registry.ts";
import type { RunRecord, ShardPublished } from "./api.ts";
import { recordOperation } from "./ledger-operations.ts";
import {
  cancelRequest,
  claimRequest,
  newRunId,
  recordRequest,
  runById,
  settleRequest,
} from "./ledger-requests.ts";
import { metaOf } from "./ledger-schema.ts";

/**
 * Leases of runs: one at a time a tenant, with a fencing token. States: running -> publishing -> published | unchanged,
 * or failed | cancelled from either. All of it is plain SQL on the ledger's storage; callers make it transactional.
 */

/** Renewed by every batch; longer than an embedder's worst wait between two batches would be kinder, but holds up a resume. */
export const LEASE_MS = 60_000;

interface RunRow {
  readonly [column: string]: SqlStorageValue;
  readonly fence: number;
  readonly id: string;
  readonly generation: number;
  readonly space: string;
  readonly trigger: RunRecord["trigger"];
  readonly state: RunRecord["state"] | "publishing";
  readonly started_at: number;
  readonly lease_until: number;
  readonly finished_at: number | null;
  readonly served: number | null;
  /** JSON: table names while running, PublishedTable[] from `prepare` on. */
  readonly tables: string;
  readonly reason: string | null;
}

const ACTIVE = "state IN ('running', 'publishing')";

function runsWhere(sql: SqlStorage, where: string, ...values: SqlStorageValue[]): RunRow[] {
  return sql.exec<RunRow>(`SELECT * FROM runs WHERE ${where}`, ...values).toArray();
}

function runOf(row: RunRow): Run {
  return { id: row.id, fence: row.fence, generation: row.generation, space: row.space };
}

/** @throws `run_conflict`, `run_fenced`, `guard_stopped`, `invalid_request`. */
export function beginRun(
  sql: SqlStorage,
  config: Config,
  request: RunRequest,
  key: string,
  by: string | undefined,
  now: number,
): Run {
  const [repeated] = runsWhere(sql, "key = ?", key);
  if (repeated) return runOf(owned(sql, runOf(repeated)));
  checkTables(sql, config, request);

  const [active] = runsWhere(sql, ACTIVE);
  if (active) {
    // A lease that ends later than any can was renewed before the clock was set back: a holder that lives has renewed it since.
    const leftMs = active.lease_until - now > LEASE_MS ? 0 : active.lease_until - now;
    if (leftMs > 0 && request.takeOver !== true) throw conflict(active, leftMs);
    const reason = leftMs > 0 ? "taken over by a later run" : "its lease ended before it published";
    finish(sql, active, "failed", reason, now);
  }

  const meta = metaOf(sql);
  const fence = meta.fence + 1;
  const run: Run = {
    id: request.requested === undefined ? newRunId() : claimRequest(sql, request.requested, fence),
    fence,
    generation: Math.max(meta.generation, meta.reserved) + 1,
    space: request.space,
  };
  sql.exec("UPDATE meta SET fence = ?", run.fence);
  sql.exec("INSERT OR IGNORE INTO spaces VALUES (?)", run.space);
  sql.exec(
    `INSERT INTO runs (fence, id, key, generation, space, "trigger", state, started_at, lease_until, tables)
     VALUES (?, ?, ?, ?, ?, ?, 'running', ?, ?, ?)`,
    run.fence,
    run.id,
    key,
    run.generation,
    run.space,
    request.trigger,
    now,
    now + LEASE_MS,
    JSON.stringify(request.tables),
  );
  if (request.requested === undefined) {
    recordRequest(sql, run.id, request.tables, request.trigger, fence, now);
  }
  const { trigger, takeOver = false } = request;
  recordOperation(sql, { by, now }, "run-begun", `${run.id} ${fence}`, { run: run.id, trigger, takeOver });
  return run;
}

function conflict(active: RunRow, leftMs: number): QuaysideError {
  const since = new Date(active.started_at).toISOString();
  const seconds = Math.ceil(leftMs / 1000);
  const message = `Run ${active.id} (${active.trigger}, since ${since}) is writing; its lease ends in ${seconds} s unless it goes on.`;
  return new QuaysideError("run_conflict", message, { retryAfterMs: leftMs });
}

function checkTables(sql: SqlStorage, config: Config, request: RunRequest): void {
  const unknown = request.tables.filter((table) => !Object.hasOwn(config.tables, table));
  if (unknown.length > 0) {
    const violations = unknown.map((table) => ({ pointer: "/tables", rule: `no table "${table}"` }));
    throw new QuaysideError("invalid_request", "The published configuration has no such table.", {
      violations,
    });
  }
  const { space } = metaOf(sql);
  if (space === "" || space === request.space) return;
  const missing = Object.entries(config.tables)
    .filter(([id, table]) => table.index !== false && !request.tables.includes(id))
    .map(([id]) => id);
  if (missing.length > 0) {
    throw new QuaysideError(
      "guard_stopped",
      `The embedder, chunker or index has changed, so every table has to be read again; this run leaves out ${missing.join(", ")}.`,
    );
  }
}

/** The run's row, while it is the last that took the lease. @throws `run_fenced`. */
function owned(sql: SqlStorage, run: Run): RunRow {
  const [row] = runsWhere(sql, `id = ? AND ${ACTIVE}`, run.id);
  const holds =
    row !== undefined &&
    row.fence === run.fence &&
    row.generation === run.generation &&
    row.space === run.space &&
    row.fence === metaOf(sql).fence;
  if (!holds) throw fenced();
  return row;
}

function fenced(): QuaysideError {
  return new QuaysideError(
    "run_fenced",
    "This run no longer holds the lease: another took over, or it ended.",
  );
}

/** @throws `run_fenced`. */
export function renewLease(sql: SqlStorage, run: Run, now: number): void {
  owned(sql, run);
  sql.exec("UPDATE runs SET lease_until = ? WHERE id = ?", now + LEASE_MS, run.id);
}

export function pendingPublication(
  sql: SqlStorage,
): { readonly run: Run; readonly tables: readonly PublishedTable[] } | undefined {
  const [row] = runsWhere(sql, "state = 'publishing'");
  if (!row) return undefined;
  const tables: PublishedTable[] = JSON.parse(row.tables);
  return { run: runOf(row), tables };
}

/** The generation that this run has published; undefined while it has not. */
export function publishedBy(sql: SqlStorage, run: Run): number | undefined {
  const [row] = runsWhere(sql, "id = ? AND fence = ? AND served IS NOT NULL", run.id, run.fence);
  return row?.served ?? undefined;
}

/** From here on a shard may have flipped: the run's generation is never given to another. */
export function preparePublication(
  sql: SqlStorage,
  run: Run,
  tables: readonly PublishedTable[],
  now: number,
): readonly PublishedTable[] {
  renewLease(sql, run, now);
  const counted = tables.map((table) => withoutWithheld(sql, run, table));
  sql.exec("UPDATE meta SET reserved = max(reserved, ?)", run.generation);
  sql.exec("UPDATE runs SET state = 'publishing', tables = ? WHERE id = ?", JSON.stringify(counted), run.id);
  return counted;
}

/** Rows that ingest sent and the registry kept out are no part of what the shard will count. */
function withoutWithheld(sql: SqlStorage, run: Run, table: PublishedTable): PublishedTable {
  const { n } = sql
    .exec<{ n: number }>(
      "SELECT count(*) AS n FROM withheld WHERE run = ? AND name = ?",
      run.id,
      table.counts.table,
    )
    .one();
  if (n === 0) return table;
  const { counts } = table;
  // A withheld row is never known, so ingest counts it as added each time.
  return {
    ...table,
    counts: { ...counts, read: Math.max(0, counts.read - n), added: Math.max(0, counts.added - n) },
  };
}

/** @returns the served generation, and whether it moved. */
export function publishRun(
  sql: SqlStorage,
  run: Run,
  tables: readonly PublishedTable[],
  served: ShardPublished,
  now: number,
): { readonly generation: number } {
  owned(sql, run);
  const meta = metaOf(sql);
  const generation = Math.max(meta.generation, served.generation);
  sql.exec("UPDATE meta SET generation = ?, reserved = ?, space = ?", generation, generation, run.space);

  sql.exec("UPDATE served SET rows = 0");
  for (const { counts, asOf } of tables) {
    sql.exec(
      "INSERT INTO served VALUES (?, 0, ?) ON CONFLICT DO UPDATE SET as_of = excluded.as_of",
      counts.table,
      asOf,
    );
  }
  for (const { counts, shape } of tables) {
    if (shape) sql.exec("INSERT OR REPLACE INTO shapes VALUES (?, ?)", counts.table, JSON.stringify(shape));
  }
  sql.exec("DELETE FROM served_classes");
  const oldest = new Date(now).toISOString();
  for (const { table, asOf, rows, classes } of served.rows) {
    sql.exec(
      "INSERT INTO served VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET rows = excluded.rows",
      table,
      rows,
      oldest,
    );
    // A rollback takes the time back too.
    if (asOf !== undefined) sql.exec("UPDATE served SET as_of = ? WHERE name = ?", asOf, table);
    for (const id of classes) sql.exec("INSERT OR IGNORE INTO served_classes VALUES (?, ?)", table, id);
  }

  const state = generation > meta.generation ? "published" : "unchanged";
  finish(sql, run, state, null, now);
  sql.exec("UPDATE runs SET served = ? WHERE id = ?", generation, run.id);
  sql.exec("DELETE FROM withheld");
  const read = tables.map(({ counts }) => counts.table);
  const details = { run: run.id, state, generation, tables: read };
  recordOperation(sql, { by: undefined, now }, "run-published", `${run.id} ${run.fence}`, details);
  return { generation };
}

/** What tables were like when they were last published. */
export function publishedShapes(sql: SqlStorage): readonly (readonly [string, TableShape])[] {
  return sql
    .exec<{ name: string; shape: string }>("SELECT name, shape FROM shapes ORDER BY name")
    .toArray()
    .map(({ name, shape }) => {
      const parsed: TableShape = JSON.parse(shape);
      return [name, parsed];
    });
}

/** Ending a run that has ended changes nothing. @throws `run_fenced` for one that another took over from. */
export function abandonRun(sql: SqlStorage, run: Run, reason: string, now: number): void {
  const [row] = runsWhere(sql, "id = ? AND fence = ?", run.id, run.fence);
  if (!row || row.fence !== metaOf(sql).fence) throw fenced();
  if (row.finished_at !== null) return;
  finish(sql, run, "failed", reason.slice(0, 500), now);
  recordOperation(sql, { by: undefined, now }, "run-abandoned", `${run.id} ${run.fence}`, { run: run.id });
}

/** Ends a run that waits or runs, for good: a batch that its holder sends from now on is refused. Undefined: no such run. */
export function cancelRun(
  sql: SqlStorage,
  id: string,
  by: string | undefined,
  now: number,
): RunRecord | undefined {
  const fence = cancelRequest(sql, id, now);
  const [active] = fence === undefined ? [] : runsWhere(sql, `fence = ? AND ${ACTIVE}`, fence);
  if (active) finish(sql, active, "cancelled", null, now);
  const run = runById(sql, id);
  if (run) recordOperation(sql, { by, now }, "run-cancelled", id, { run: id, state: run.state });
  return run;
}

function finish(
  sql: SqlStorage,
  { id, fence }: Pick<Run, "id" | "fence">,
  state: RunRecord["state"],
  reason: string | null,
  now: number,
): void {
  sql.exec("UPDATE runs SET state = ?, reason = ?, finished_at = ? WHERE id = ?", state, reason, now, id);
  forgetMarks(sql, fence);
  settleRequest(sql, fence, state, reason, now);
}

/** The mark of a cursor is a value of some row: it is kept beside what is served, and of a run that has ended nowhere else. */
function forgetMarks(sql: SqlStorage, fence: number): void {
  sql.exec(
    `UPDATE runs SET tables = (SELECT json_group_array(CASE type WHEN 'object' THEN json_remove(value, '$.cursor') ELSE value END)
       FROM json_each(runs.tables)) WHERE fence = ?`,
    fence,
  );
}
