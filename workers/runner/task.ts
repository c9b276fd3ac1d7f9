import type { Checkpoint } from "../../ingest/pipeline/checkpoint.ts";
import type { WaitingRun } from "../tenant/api.ts";

/** What a runner keeps between two alarms: the run that it is at, and where. */
export interface Task {
  readonly run: WaitingRun;
  /** Of the lease: asked for again with it, a ledger gives the same one. */
  readonly key: string;
  /** How often it was gone on with, crashes included. */
  readonly slice: number;
  /** How often since it last got anywhere. */
  readonly starts: number;
  /** Undefined before it has its lease. */
  readonly checkpoint: Checkpoint | undefined;
}

/** Deployed limit of a value is 2 MB (Cloudflare, "SQLite in Durable Objects: limits"). */
const PART_BYTES = 1_000_000;

export function createTaskSchema(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS tenant (id INTEGER PRIMARY KEY CHECK (id = 1), name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS part (kind TEXT NOT NULL, no INTEGER NOT NULL, data BLOB NOT NULL,
      PRIMARY KEY (kind, no)) WITHOUT ROWID;
  `);
}

/** Whose runs these are; undefined before the first. */
export function tenantOf(sql: SqlStorage): string | undefined {
  return sql.exec<{ name: string }>("SELECT name FROM tenant").toArray()[0]?.name;
}

export function setTenant(sql: SqlStorage, name: string): void {
  sql.exec("INSERT OR REPLACE INTO tenant VALUES (1, ?)", name);
}

export function readTask(sql: SqlStorage): Task | undefined {
  const json = readParts(sql, "task");
  if (json.length === 0) return undefined;
  const task: Task = JSON.parse(new TextDecoder().decode(json));
  const { checkpoint } = task;
  if (!checkpoint?.open) return task;
  const { open } = checkpoint;
  const slots = new Int32Array(readParts(sql, "slots").buffer);
  return { ...task, checkpoint: { ...checkpoint, open: { ...open, known: { ...open.known, slots } } } };
}

/** Inside the caller's transaction. The slots of known rows are kept as they are, all else as JSON. */
export function writeTask(sql: SqlStorage, task: Task): void {
  const json = JSON.stringify(task, (name, value: unknown) => (name === "slots" ? undefined : value));
  const slots = task.checkpoint?.open?.known.slots;
  writeParts(sql, "task", new TextEncoder().encode(json));
  if (slots) writeParts(sql, "slots", new Uint8Array(slots.buffer, slots.byteOffset, slots.byteLength));
  else sql.exec("DELETE FROM part WHERE kind = 'slots'");
}

export function clearTask(sql: SqlStorage): void {
  sql.exec("DELETE FROM part");
}

function readParts(sql: SqlStorage, kind: string): Uint8Array<ArrayBuffer> {
  const parts = sql
    .exec<{ data: ArrayBuffer }>("SELECT data FROM part WHERE kind = ? ORDER BY no", kind)
    .toArray();
  const bytes = new Uint8Array(parts.reduce((sum, { data }) => sum + data.byteLength, 0));
  let at = 0;
  for (const { data } of parts) {
    bytes.set(new Uint8Array(data), at);
    at += data.byteLength;
  }
  return bytes;
}

function writeParts(sql: SqlStorage, kind: string, bytes: Uint8Array): void {
  sql.exec("DELETE FROM part WHERE kind = ?", kind);
  for (let no = 0; no * PART_BYTES < bytes.length; no++) {
    sql.exec(
      "INSERT INTO part VALUES (?, ?, ?)",
      kind,
      no,
      bytes.slice(no * PART_BYTES, (no + 1) * PART_BYTES),
    );
  }
}
