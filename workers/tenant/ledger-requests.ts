import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { PublishedTable, RunProgress, TableCounts } from "../../shared/ports/registry.ts";
import { isDue, parseDuration } from "../../shared/schedule.ts";
import type { RunDetail, RunHost, RunRecord, RunTrigger, Triggered, WaitingRun } from "./api.ts";
import { heldBackBy, storeHeldBack, sweepHeldBack } from "./ledger-held-back.ts";
import { recordOperation } from "./ledger-operations.ts";

/**
 * Runs as people see them: somebody asked for one, it waits, it is carried out under a lease (`ledger-runs.ts`), and it ends.
 * States: queued -> running -> published | unchanged | failed | cancelled; a run that lost its lease, or failed in passing, is
 * queued again, at most MAX_ATTEMPTS times in all. All of it is plain SQL; callers make it transactional.
 */

const MAX_ATTEMPTS = 3;
/** Before the second attempt, and the third. */
const BACKOFF_MS = [0, 60_000, 300_000] as const;
/** How long a repeated trigger is known as one. */
const SEEN_MS = 24 * 3_600_000;
/** Ended runs that are kept. */
const HISTORY = 500;
/** Failures that the same run may not meet again; `cancelled` is a holder that was interrupted, not the run. */
const PASSING: ReadonlySet<string> = new Set([
  "source_unavailable",
  "embedder_unavailable",
  "index_unavailable",
  "registry_unavailable",
  "rate_limited",
  "deadline_exceeded",
  "cancelled",
]);

interface RequestRow {
  readonly [column: string]: SqlStorageValue;
  readonly id: string;
  readonly tables: string;
  readonly full: number;
  readonly read_all: number;
  readonly host: RunHost;
  readonly trigger: RunRecord["trigger"];
  readonly state: RunRecord["state"];
  readonly requested_at: number;
  readonly attempts: number;
  readonly fence: number | null;
  readonly again: number;
  readonly progress: string | null;
  readonly finished_at: number | null;
  readonly reason: string | null;
  readonly started_at: number | null;
  readonly generation: number | null;
  /** JSON of the lease: table names while running, PublishedTable[] from its publication on. */
  readonly counts: string | null;
}

const SELECT = `SELECT r.*, l.started_at AS started_at, l.served AS generation, l.tables AS counts
  FROM requests r LEFT JOIN runs l ON l.fence = r.fence`;

function rowsWhere(sql: SqlStorage, where: string, ...values: SqlStorageValue[]): RequestRow[] {
  return sql.exec<RequestRow>(`${SELECT} WHERE ${where}`, ...values).toArray();
}

export function newRunId(): string {
  return `run_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
}

/** @throws `idempotency_conflict`, `invalid_request` (no such table). */
export function triggerRun(sql: SqlStorage, config: Config, asked: RunTrigger, now: number): Triggered {
  const { once } = asked;
  sql.exec("DELETE FROM seen WHERE at < ?", now - SEEN_MS);
  if (once) {
    const [seen] = sql
      .exec<{ body: string; run: string }>("SELECT body, run FROM seen WHERE key = ?", once.key)
      .toArray();
    if (seen && once.body !== undefined && seen.body !== once.body) {
      throw new QuaysideError(
        "idempotency_conflict",
        "This idempotency key was used for another request within the last day.",
      );
    }
    if (seen) return { id: seen.run, outcome: "duplicate" };
  }
  const tables = checkedTables(config, asked.tables);
  const wanted = JSON.stringify(tables);
  const how = { full: asked.full ? 1 : 0, read_all: asked.readAll === true ? 1 : 0 };
  const [equal] = rowsWhere(
    sql,
    "r.state IN ('queued', 'running') AND r.tables = ? AND r.full = ? AND r.read_all = ? ORDER BY r.no DESC LIMIT 1",
    wanted,
    how.full,
    how.read_all,
  );
  // What a running one has read already may have changed since: it is followed by one more, however many ask for it.
  if (equal?.state === "running") sql.exec("UPDATE requests SET again = 1 WHERE id = ?", equal.id);
  const id = equal?.id ?? enqueue(sql, wanted, how, asked, now);
  if (once) sql.exec("INSERT INTO seen VALUES (?, ?, ?, ?)", once.key, once.body ?? "", id, now);
  const outcome = equal ? "coalesced" : "queued";
  const { trigger, full, readAll = false } = asked;
  const details = { run: id, outcome, trigger, full, readAll, tables };
  recordOperation(sql, { by: asked.by, now }, "run-requested", crypto.randomUUID(), details);
  return { id, outcome };
}

function enqueue(
  sql: SqlStorage,
  tables: string,
  how: Pick<RequestRow, "full" | "read_all">,
  asked: Pick<RunTrigger, "host" | "trigger">,
  now: number,
): string {
  const id = newRunId();
  sql.exec(
    `INSERT INTO requests (id, tables, full, read_all, host, "trigger", state, requested_at, not_before)
     VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?)`,
    id,
    tables,
    how.full,
    how.read_all,
    asked.host,
    asked.trigger,
    now,
    now,
  );
  sql.exec(
    `DELETE FROM requests WHERE finished_at IS NOT NULL AND no <= (SELECT max(no) FROM requests) - ?`,
    HISTORY,
  );
  sweepHeldBack(sql);
  return id;
}

function checkedTables(config: Config, asked: readonly string[] | undefined): readonly string[] {
  const indexed = Object.keys(config.tables).filter((table) => config.tables[table]?.index !== false);
  const unknown = (asked ?? []).filter((table) => !indexed.includes(table));
  if (unknown.length > 0) {
    throw new QuaysideError("invalid_request", "The published configuration has no such table.", {
      violations: [{ pointer: "/tables", rule: "no such indexed table" }],
    });
  }
  return asked === undefined ? indexed : indexed.filter((table) => asked.includes(table));
}

/**
 * Asks for runs of the tables that are due: by their schedule, else at half of their target lag, which leaves the other half for
 * the run. A table that was asked for, and failed, is due again when its schedule next says so.
 */
export function triggerDue(
  sql: SqlStorage,
  config: Config,
  edge: readonly string[],
  now: number,
): readonly Triggered[] {
  const since = new Map<string, number>();
  for (const { name, at } of sql.exec<{ name: string; at: number }>("SELECT name, at FROM asked")) {
    since.set(name, at);
  }
  for (const { name, as_of } of sql.exec<{ name: string; as_of: string }>("SELECT name, as_of FROM served")) {
    since.set(name, Math.max(since.get(name) ?? 0, Date.parse(as_of)));
  }
  const due = Object.entries(config.tables)
    .filter(([name, { index, schedule, targetLag }]) => {
      const last = since.get(name) ?? 0;
      if (index === false) return false;
      if (schedule !== undefined) return isDue(schedule, last, now);
      return targetLag !== undefined && now - last >= (parseDuration(targetLag) ?? 0) / 2;
    })
    .map(([name]) => name);
  for (const name of due) sql.exec("INSERT OR REPLACE INTO asked VALUES (?, ?)", name, now);
  return (["edge", "node"] as const).flatMap((host) => {
    const tables = due.filter((name) => edge.includes(name) === (host === "edge"));
    if (tables.length === 0) return [];
    return [triggerRun(sql, config, { tables, full: false, trigger: "cron", host }, now)];
  });
}

/** The run that a host should lease next, and when another may be ready, in milliseconds since the epoch. */
export function nextRun(
  sql: SqlStorage,
  host: RunHost,
  now: number,
): { readonly run: WaitingRun | undefined; readonly readyAt: number | undefined } {
  // A running one whose lease has ended lost its holder.
  const ready =
    "r.host = ? AND (r.state = 'queued' AND r.not_before <= ? OR r.state = 'running' AND l.lease_until < ?)";
  const [row] = rowsWhere(sql, `${ready} ORDER BY r.no LIMIT 1`, host, now, now);
  const { at } = sql
    .exec<{ at: number | null }>(
      "SELECT min(not_before) AS at FROM requests WHERE host = ? AND state = 'queued'",
      host,
    )
    .one();
  return {
    run: row && {
      id: row.id,
      tables: namesOf(row.tables),
      full: row.full === 1,
      readAll: row.read_all === 1,
      trigger: row.trigger,
    },
    readyAt: at ?? undefined,
  };
}

/** The id of the lease that carries out a queued run from now on. @throws `run_conflict` when it is not queued. */
export function claimRequest(sql: SqlStorage, id: string, fence: number): string {
  const [row] = rowsWhere(sql, "r.id = ?", id);
  if (row?.state !== "queued") {
    throw new QuaysideError("run_conflict", `Run ${id} is not waiting: another took it, or it has ended.`);
  }
  sql.exec(
    "UPDATE requests SET state = 'running', attempts = attempts + 1, fence = ?, reason = NULL WHERE id = ?",
    fence,
    id,
  );
  // Batches are known by their run's id and number: an attempt's own must not be taken for an earlier one's.
  return row.attempts === 0 ? id : `${id}-${row.attempts + 1}`;
}

/** Writes down a run that began at once, without having waited. */
export function recordRequest(
  sql: SqlStorage,
  id: string,
  tables: readonly string[],
  trigger: RunRecord["trigger"],
  fence: number,
  now: number,
): void {
  sql.exec(
    `INSERT INTO requests (id, tables, full, host, "trigger", state, requested_at, not_before, attempts, fence)
     VALUES (?, ?, 0, 'node', ?, 'running', ?, ?, 1, ?)`,
    id,
    JSON.stringify(tables),
    trigger,
    now,
    now,
    fence,
  );
}

/** A lease has ended, and with it the run that it carried out, unless that may be tried again. */
export function settleRequest(
  sql: SqlStorage,
  fence: number,
  state: RunRecord["state"],
  reason: string | null,
  now: number,
): void {
  const [row] = rowsWhere(sql, "r.fence = ? AND r.state = 'running'", fence);
  if (row) settle(sql, row, state, reason, now);
}

/** A waiting run failed before it could be leased. */
export function refuseRequest(sql: SqlStorage, id: string, reason: string, now: number): void {
  sql.exec("UPDATE requests SET attempts = attempts + 1 WHERE id = ? AND state = 'queued'", id);
  const [row] = rowsWhere(sql, "r.id = ? AND r.state = 'queued'", id);
  if (row) settle(sql, row, "failed", reason, now);
}

function settle(
  sql: SqlStorage,
  row: RequestRow,
  state: RunRecord["state"],
  reason: string | null,
  now: number,
): void {
  // Nobody waits for a run from the command line but the command itself.
  const again = state === "failed" && row.trigger !== "cli" && row.attempts < MAX_ATTEMPTS;
  if (again && (reason === null || !/^[a-z_]+$/.test(reason) || PASSING.has(reason))) {
    const notBefore = now + (BACKOFF_MS[row.attempts] ?? 0);
    sql.exec(
      "UPDATE requests SET state = 'queued', reason = ?, not_before = ? WHERE id = ?",
      reason,
      notBefore,
      row.id,
    );
    return;
  }
  sql.exec(
    "UPDATE requests SET state = ?, reason = ?, finished_at = ? WHERE id = ?",
    state,
    reason,
    now,
    row.id,
  );
  if (row.again === 1) enqueue(sql, row.tables, row, row, now);
}

/** Where a run is: counts are shown until it publishes, rows held back for as long as the run. @param erased rows that none of them is. */
export function reportProgress(
  sql: SqlStorage,
  fence: number,
  { tables, heldBack }: RunProgress,
  erased: ReadonlyMap<string, string>,
): void {
  sql.exec("UPDATE requests SET progress = ? WHERE fence = ?", JSON.stringify(tables), fence);
  storeHeldBack(sql, fence, heldBack, erased.keys());
}

/** Ends a run that waits. @returns the fence of the lease to end for one that runs; undefined for any other. */
export function cancelRequest(sql: SqlStorage, id: string, now: number): number | undefined {
  sql.exec("UPDATE requests SET again = 0 WHERE id = ?", id);
  sql.exec(
    "UPDATE requests SET state = 'cancelled', finished_at = ? WHERE id = ? AND state = 'queued'",
    now,
    id,
  );
  const [row] = sql
    .exec<{ fence: number }>("SELECT fence FROM requests WHERE id = ? AND state = 'running'", id)
    .toArray();
  return row?.fence;
}

export function runById(sql: SqlStorage, id: string): RunDetail | undefined {
  const [row] = rowsWhere(sql, "r.id = ?", id);
  return row && { ...recordOf(row), heldBack: heldBackBy(sql, row.fence) };
}

/** The last runs, newest first. */
export function recentRuns(sql: SqlStorage, limit: number): readonly RunRecord[] {
  return rowsWhere(sql, "true ORDER BY r.no DESC LIMIT ?", limit).map(recordOf);
}

function recordOf(row: RequestRow): RunRecord {
  const published = countsOf(row.counts);
  return {
    id: row.id,
    state: row.state,
    trigger: row.trigger,
    host: row.host,
    requestedAt: new Date(row.requested_at).toISOString(),
    startedAt: timeOf(row.started_at),
    finishedAt: timeOf(row.finished_at),
    generation: row.generation ?? undefined,
    asked: namesOf(row.tables),
    full: row.full === 1,
    readAll: row.read_all === 1,
    tables: published.length > 0 ? published : progressOf(row.progress),
    reason: row.reason ?? undefined,
  };
}

function timeOf(at: number | null): string | undefined {
  return at === null ? undefined : new Date(at).toISOString();
}

function namesOf(json: string): readonly string[] {
  const names: readonly string[] = JSON.parse(json);
  return names;
}

function progressOf(json: string | null): readonly TableCounts[] {
  const counts: readonly TableCounts[] = JSON.parse(json ?? "[]");
  return counts;
}

function countsOf(json: string | null): readonly TableCounts[] {
  const tables: readonly (string | PublishedTable)[] = JSON.parse(json ?? "[]");
  return tables.flatMap((table) => (typeof table === "string" ? [] : [table.counts]));
}
