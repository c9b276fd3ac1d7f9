import { chunkId } from "../../shared/ids.ts";
import type { AnswerRecord, AnswerTotal, Rating, RatingTotal } from "./api-answers.ts";

/**
 * What is remembered of answers: from which rows, by which model, at what cost, and how people rated them. No question, no answer
 * text: a question is held as a keyed digest, which a replay has to meet.
 */

const DAY_MS = 86_400_000;
/** Days, unless the configuration says otherwise. */
const KEEP_DAYS = 7;
const KEEP_RATINGS_DAYS = 365;
/** Comments that an administrator is shown, the newest first. */
const COMMENTS_SHOWN = 100;
/** Answers that are looked through for those that rest on a row, the newest first, and how many of them are told. */
const SEARCHED_FOR_A_ROW = 2000;
const SHOWN_OF_A_ROW = 50;

export interface Retention {
  readonly keepDays?: number | undefined;
  readonly ratingsDays?: number | undefined;
}

export function createAnswerSchema(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS answers (
      id TEXT PRIMARY KEY, at INTEGER NOT NULL, subject TEXT NOT NULL, record TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
    CREATE TABLE IF NOT EXISTS answer_totals (
      model TEXT NOT NULL, cache TEXT NOT NULL, outcome TEXT NOT NULL, answers INTEGER NOT NULL,
      tokens INTEGER NOT NULL, usd REAL NOT NULL, saved_tokens INTEGER NOT NULL, saved_usd REAL NOT NULL,
      PRIMARY KEY (model, cache, outcome)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS ratings (
      answer TEXT NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL,
      rating INTEGER NOT NULL, comment TEXT, PRIMARY KEY (answer, subject)
    ) WITHOUT ROWID;
  `);
}

/** Repeating a record changes nothing. */
export function storeAnswers(
  sql: SqlStorage,
  records: readonly AnswerRecord[],
  retention: Retention | undefined,
  now: number,
): void {
  const keepMs = (retention?.keepDays ?? KEEP_DAYS) * DAY_MS;
  const totals = new Map<string, Total>();
  for (const record of records) {
    const { rowsWritten } = sql.exec(
      "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?)",
      record.id,
      record.at,
      record.subject,
      JSON.stringify(record),
    );
    if (rowsWritten > 0) add(totals, record);
  }
  for (const total of totals.values()) count(sql, total);
  sql.exec("DELETE FROM answers WHERE at <= ?", now - keepMs);
  sql.exec("DELETE FROM ratings WHERE at <= ?", now - (retention?.ratingsDays ?? KEEP_RATINGS_DAYS) * DAY_MS);
}

/** Answers of one model, cache level and outcome. */
interface Total extends Pick<AnswerRecord, "model" | "cache" | "outcome"> {
  answers: number;
  readonly usage: { tokens: number; usd: number };
  readonly saved: { tokens: number; usd: number };
}

function add(totals: Map<string, Total>, { model, cache, outcome, usage, saved }: AnswerRecord): void {
  const key = JSON.stringify([model, cache, outcome]);
  const none = { tokens: 0, usd: 0 };
  const total = totals.get(key) ?? {
    model,
    cache,
    outcome,
    answers: 0,
    usage: { ...none },
    saved: { ...none },
  };
  totals.set(key, total);
  total.answers += 1;
  total.usage.tokens += usage.tokens;
  total.usage.usd += usage.usd;
  total.saved.tokens += saved.tokens;
  total.saved.usd += saved.usd;
}

function count(sql: SqlStorage, { model, cache, outcome, answers, usage, saved }: Total): void {
  sql.exec(
    `INSERT INTO answer_totals VALUES (?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET answers = answers + excluded.answers, tokens = tokens + excluded.tokens,
       usd = usd + excluded.usd, saved_tokens = saved_tokens + excluded.saved_tokens,
       saved_usd = saved_usd + excluded.saved_usd`,
    model,
    cache,
    outcome,
    answers,
    usage.tokens,
    usage.usd,
    saved.tokens,
    saved.usd,
  );
}

/** The records with these rows named by their hashes, as in the audit trail. @param erased hashes by row. */
export function withoutRows(
  records: readonly AnswerRecord[],
  erased: ReadonlyMap<string, string>,
): readonly AnswerRecord[] {
  if (erased.size === 0) return records;
  const hidden = ([id, version]: readonly [string, string]): readonly [string, string] => {
    const [row = "", chunk] = id.split("#");
    const hash = erased.get(row);
    if (hash === undefined) return [id, version];
    return [chunk === undefined ? hash : chunkId(hash, Number(chunk)), version];
  };
  return records.map((record) => ({
    ...record,
    evidence: record.evidence.map(hidden),
    rows: record.rows.map(hidden),
  }));
}

/** Has every record that names a row name it by its hash. @returns how many did. */
export function hideRow(sql: SqlStorage, row: string, hash: string): number {
  const erased = new Map([[row, hash]]);
  const naming = recordsNaming(sql, row);
  for (const { id, record } of naming) {
    const [hidden] = withoutRows([record], erased);
    sql.exec("UPDATE answers SET record = ? WHERE id = ?", JSON.stringify(hidden), id);
  }
  return naming.length;
}

export function recordsNaming(
  sql: SqlStorage,
  row: string,
): readonly { readonly id: string; readonly record: AnswerRecord }[] {
  // As it stands in the record's JSON; a longer id that begins alike is found too.
  return sql
    .exec<{ id: string; record: string }>(
      "SELECT id, record FROM answers WHERE instr(record, ?) > 0",
      JSON.stringify(row).slice(0, -1),
    )
    .toArray()
    .map(({ id, record: json }) => {
      const record: AnswerRecord = JSON.parse(json);
      return { id, record };
    })
    .filter(({ record }) => [...record.rows, ...record.evidence].some(([id]) => id.split("#")[0] === row));
}

export function answerById(sql: SqlStorage, id: string): AnswerRecord | undefined {
  const [row] = sql.exec<{ record: string }>("SELECT record FROM answers WHERE id = ?", id).toArray();
  if (!row) return undefined;
  const record: AnswerRecord = JSON.parse(row.record);
  return record;
}

/** @param subject whose answers; undefined: everybody's. */
export function answersFrom(
  sql: SqlStorage,
  row: string,
  subject: string | undefined,
): readonly AnswerRecord[] {
  return sql
    .exec<{ record: string }>(
      `SELECT record FROM (SELECT * FROM answers ORDER BY at DESC LIMIT ${SEARCHED_FOR_A_ROW}) AS newest
       WHERE (?1 IS NULL OR subject = ?1)
         AND EXISTS (SELECT 1 FROM json_each(newest.record, '$.rows') AS read WHERE read.value ->> 0 = ?2)
       ORDER BY at DESC LIMIT ${SHOWN_OF_A_ROW}`,
      subject ?? null,
      row,
    )
    .toArray()
    .map(({ record }): AnswerRecord => JSON.parse(record));
}

export function answerTotals(sql: SqlStorage): readonly AnswerTotal[] {
  return sql
    .exec<{
      model: string;
      cache: string;
      outcome: string;
      answers: number;
      tokens: number;
      usd: number;
      saved_tokens: number;
      saved_usd: number;
    }>("SELECT * FROM answer_totals ORDER BY model, cache, outcome")
    .toArray()
    .map(({ saved_tokens, saved_usd, ...total }) => ({
      ...total,
      savedTokens: saved_tokens,
      savedUsd: saved_usd,
    }));
}

/** A caller's rating of its own answer; another one takes its place. @returns whether there is such an answer. */
export function storeRating(sql: SqlStorage, rating: Rating, now: number): boolean {
  const record = answerById(sql, rating.answer);
  if (!record || (record.subject !== rating.subject && record.subject !== rating.audience)) return false;
  sql.exec(
    "INSERT OR REPLACE INTO ratings VALUES (?, ?, ?, ?, ?, ?, ?)",
    rating.answer,
    rating.subject,
    now,
    record.model,
    record.kind,
    rating.rating,
    rating.comment ?? null,
  );
  return true;
}

export function ratings(sql: SqlStorage): {
  readonly totals: readonly RatingTotal[];
  readonly comments: readonly (Pick<Rating, "answer" | "rating"> & {
    readonly comment: string;
    readonly at: number;
  })[];
} {
  return {
    totals: sql
      .exec<{ model: string; kind: string; up: number; down: number }>(
        `SELECT model, kind, sum(rating = 1) AS up, sum(rating = -1) AS down FROM ratings
         GROUP BY model, kind ORDER BY model, kind`,
      )
      .toArray(),
    comments: sql
      .exec<{ answer: string; rating: 1 | -1; comment: string; at: number }>(
        `SELECT answer, rating, comment, at FROM ratings WHERE comment IS NOT NULL
         ORDER BY at DESC LIMIT ${COMMENTS_SHOWN}`,
      )
      .toArray(),
  };
}
