import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import type { Delivery, ThreadMemory } from "./api.ts";

/**
 * A thread's messages and turns, as plain SQL on its object's storage. A message is `waiting` until its answerer has ended;
 * an answerer that was killed with its object finds the message waiting still, and the steps that it had noted.
 */

/** How often an answerer is tried. */
export const MAX_ATTEMPTS = 3;
/** Ids are known this long, which is longer than a platform repeats a delivery; turns are history this long. */
export const KEPT_MS = 24 * 60 * 60 * 1000;
/** Turns that a question is asked with, question and answer counted apart. */
const HISTORY_MESSAGES = 12;
const MAX_ID = 500;

export interface Waiting {
  readonly id: number;
  readonly surface: string;
  readonly work: string;
  readonly attempts: number;
}

export function createThreadSchema(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS message (
      id INTEGER PRIMARY KEY, surface TEXT NOT NULL, work TEXT, attempts INTEGER NOT NULL, taken_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS alias (id TEXT PRIMARY KEY, message INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS step (
      message INTEGER NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (message, name)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS turn (
      id INTEGER PRIMARY KEY, audience TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL, at INTEGER NOT NULL
    );
  `);
}

/** False when one of its ids is known. Call it in a transaction. */
export function takeIn(sql: SqlStorage, delivery: Delivery, now: number): boolean {
  const ids = delivery.ids.map((id) => id.slice(0, MAX_ID));
  const known = sql
    .exec("SELECT 1 FROM alias WHERE id IN (SELECT value FROM json_each(?)) LIMIT 1", JSON.stringify(ids))
    .toArray();
  if (known.length > 0) return false;
  const { id } = sql
    .exec<{ id: number }>(
      "INSERT INTO message (surface, work, attempts, taken_at) VALUES (?, ?, 0, ?) RETURNING id",
      delivery.surface,
      delivery.work,
      now,
    )
    .one();
  for (const alias of ids) sql.exec("INSERT OR IGNORE INTO alias VALUES (?, ?)", alias, id);
  return true;
}

/** The oldest message that is not answered, counted as tried once more. */
export function nextWaiting(sql: SqlStorage): Waiting | undefined {
  const [row] = sql
    .exec<{ id: number; surface: string; work: string; attempts: number }>(
      `UPDATE message SET attempts = attempts + 1
       WHERE id = (SELECT id FROM message WHERE work IS NOT NULL ORDER BY id LIMIT 1)
       RETURNING id, surface, work, attempts`,
    )
    .toArray();
  return row;
}

/** Nothing more is done for the message, and what it said is forgotten. */
export function settle(sql: SqlStorage, id: number): void {
  sql.exec("UPDATE message SET work = NULL WHERE id = ?", id);
}

/** Forgets what is old. @returns when the next thing will be, in milliseconds since the epoch; undefined when nothing is left. */
export function sweep(sql: SqlStorage, now: number): number | undefined {
  const before = now - KEPT_MS;
  sql.exec("DELETE FROM turn WHERE at <= ?", before);
  sql.exec("DELETE FROM fact WHERE at <= ?", before);
  sql.exec("DELETE FROM message WHERE work IS NULL AND taken_at <= ?", before);
  sql.exec("DELETE FROM alias WHERE message NOT IN (SELECT id FROM message)");
  sql.exec("DELETE FROM step WHERE message NOT IN (SELECT id FROM message)");
  const { oldest } = sql
    .exec<{
      oldest: number | null;
    }>(
      "SELECT min(at) AS oldest FROM (SELECT taken_at AS at FROM message UNION ALL SELECT at FROM turn UNION ALL SELECT at FROM fact)",
    )
    .one();
  return oldest === null ? undefined : oldest + KEPT_MS;
}

/** @param sync resolves once what was written is durable. */
export function memoryOf(
  sql: SqlStorage,
  { id, attempts }: Waiting,
  now: () => number,
  sync: () => Promise<void>,
): ThreadMemory {
  return {
    attempt: attempts,
    last: attempts >= MAX_ATTEMPTS,
    step(name) {
      const [row] = sql
        .exec<{ value: string }>("SELECT value FROM step WHERE message = ? AND name = ?", id, name)
        .toArray();
      return row?.value;
    },
    async note(name, value) {
      sql.exec(
        "INSERT INTO step VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
        id,
        name,
        value,
      );
      await sync();
    },
    recall(name) {
      const [row] = sql
        .exec<{ value: string }>("SELECT value FROM fact WHERE name = ? AND at > ?", name, now() - KEPT_MS)
        .toArray();
      return row?.value;
    },
    keep(name, value) {
      sql.exec(
        "INSERT INTO fact VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at",
        name,
        value,
        now(),
      );
    },
    history(audience) {
      const turns = sql
        .exec<{ question: string; answer: string }>(
          "SELECT question, answer FROM turn WHERE audience = ? AND at > ? ORDER BY id DESC LIMIT ?",
          audience,
          now() - KEPT_MS,
          HISTORY_MESSAGES / 2,
        )
        .toArray();
      return turns.reverse().flatMap<ChatMessage>(({ question, answer }) => [
        { role: "user", content: question },
        { role: "assistant", content: answer },
      ]);
    },
    remember(audience, question, answer) {
      sql.exec(
        "INSERT INTO turn (audience, question, answer, at) VALUES (?, ?, ?, ?)",
        audience,
        question,
        answer,
        now(),
      );
    },
  };
}
