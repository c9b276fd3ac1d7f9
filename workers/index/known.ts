import { parseId } from "../../shared/ids.ts";
import { lazily } from "../../shared/lazily.ts";
import type { Classification, EvidenceCell } from "../../shared/ports/evidence.ts";
import { countOf, FIELD_WEIGHTS, readMeta, type ShardMeta } from "./schema.ts";

/**
 * What a shard has read of its own tables, so that the next question need not read it again. It holds as long as nothing is
 * written: the shard, which alone writes these tables, forgets all of it with every change. Nothing here is held for a caller:
 * of what class a row is stands beside it, and who may see it is decided for each question.
 */
export interface Known {
  readonly meta: () => ShardMeta;
  /** How many chunks are searched here, those not served included. */
  readonly chunks: () => number;
  /** The shard's own numbers of access classes and tables. */
  readonly classes: Look<string, number>;
  readonly tables: Look<string, number>;
  /** How many chunks have a term; none for a term that no chunk has. */
  readonly terms: Look<string, number>;
  /** What BM25 gives the live chunks that hold a term or phrase, as it is spelled: what else is asked does not change it. */
  readonly scores: Look<string, readonly ScoredChunk[]>;
  /** Live chunks, as the search finds them, by number and by stored id (`storedId` of shared/ids.ts). */
  readonly places: Look<number, Place>;
  readonly stored: Look<string, Place>;
  /** The served versions of rows by row id, each row's with the most cells first. */
  readonly versions: Look<string, readonly ServedVersion[]>;
  /** Passages by `<version's number>.<n>`. */
  readonly texts: Look<string, string>;
}

/** Reads what is not known yet, all in one statement, and returns everything that is. Undefined for what there is not. */
type Look<K, V> = (keys: readonly K[]) => ReadonlyMap<K, V | undefined>;

/** A chunk in the search's own copy of what it filters by, and the names of what it belongs to. */
export interface Place {
  readonly chunk: number;
  readonly rec: number;
  readonly n: number;
  readonly table: number;
  readonly accessClass: number;
  readonly row: string;
  readonly view: string;
}

/** What one term is worth in a chunk, with what the search filters by. */
export interface ScoredChunk {
  readonly chunk: number;
  readonly rec: number;
  readonly table: number;
  readonly accessClass: number;
  readonly score: number;
}

/** A version that the registry serves, to whoever is permitted its class. */
export interface ServedVersion {
  readonly rec: number;
  readonly row: string;
  readonly view: string;
  readonly version: string;
  readonly title: string;
  readonly cells: readonly EvidenceCell[];
  readonly changedAt: string;
  readonly url: string | undefined;
  readonly accessClass: string;
  readonly classification: Classification;
  readonly table: string;
  /** Values by key column. */
  readonly key: Readonly<Record<string, string>>;
  readonly rollup: boolean;
  readonly asOf: string;
}

/** Most that is kept of each kind before it is forgotten: characters of versions and passages, entries of the rest. */
const MOST_CHARACTERS = 4_000_000;
const MOST_ENTRIES = 20_000;
/** Scores of terms in chunks; about 6 MB. */
const MOST_SCORES = 100_000;
/** What an entry weighs beside its text. */
const ENTRY = 200;

export function makeKnown(sql: SqlStorage): Known {
  const meta = lazily(() => readMeta(sql));
  const numbers = (query: string): Look<string, number> =>
    look(MOST_ENTRIES, one, (names) =>
      sql
        .exec<{ name: string; n: number }>(query, JSON.stringify(names))
        .toArray()
        .map(({ name, n }) => [name, n]),
    );
  return {
    meta,
    chunks: lazily(() => countOf(sql, "SELECT count(*) AS n FROM entry")),
    classes: numbers("SELECT id AS name, no AS n FROM class WHERE id IN (SELECT value FROM json_each(?))"),
    tables: numbers("SELECT name, no AS n FROM tbl WHERE name IN (SELECT value FROM json_each(?))"),
    terms: numbers(
      "SELECT term AS name, doc AS n FROM fts_term WHERE term IN (SELECT value FROM json_each(?))",
    ),
    scores: look(
      MOST_SCORES,
      (scores) => 1 + (scores?.length ?? 0),
      (terms) => scoresOf(sql, terms),
    ),
    places: look(MOST_ENTRIES, one, (chunks) =>
      placesOf(sql, chunks, chunks, "entry e ON e.no = w.value JOIN rec r ON r.no = e.rec"),
    ),
    stored: look(MOST_ENTRIES, one, (ids) =>
      placesOf(
        sql,
        ids,
        ids.map((id) => /^([A-Za-z0-9_-]{22})\.(\d{1,9})$/.exec(id)?.slice(1) ?? []),
        `rec r ON r.stored = w.value ->> 0
         JOIN entry e ON e.rec = r.no AND e.n = CAST(w.value ->> 1 AS INTEGER) AND e.live = 1`,
      ),
    ),
    versions: look(MOST_CHARACTERS, weightOf, (rows) => versionsOf(sql, rows, meta().generation)),
    texts: look(
      MOST_CHARACTERS,
      (text) => ENTRY + (text?.length ?? 0),
      (keys) => textsOf(sql, keys),
    ),
  };
}

const one = (): number => 1;

/** @param weigh what a value takes of `most`; beyond that all of them are forgotten. */
export function look<K, V>(
  most: number,
  weigh: (value: V | undefined) => number,
  read: (missing: readonly K[]) => Iterable<readonly [K, V]>,
): Look<K, V> {
  let known = new Map<K, V | undefined>();
  let weight = 0;
  return (keys) => {
    const missing = keys.filter((key) => !known.has(key));
    if (missing.length === 0) return known;
    // What there is not is known as well.
    for (const key of missing) known.set(key, undefined);
    for (const [key, value] of read(missing)) known.set(key, value);
    for (const key of missing) weight += weigh(known.get(key));
    const all = known;
    if (weight > most) {
      known = new Map();
      weight = 0;
    }
    return all;
  };
}

function scoresOf(sql: SqlStorage, terms: readonly string[]): readonly (readonly [string, ScoredChunk[]])[] {
  const scores = terms.map((term) => [term, [] as ScoredChunk[]] as const);
  // CROSS JOIN fixes the order: the index first, then one look-up a match. Rows as lists: objects cost half as much again.
  const rows = sql
    .exec(
      `SELECT w.key, e.no, e.rec, e.tbl, e.class, -bm25(fts, ${FIELD_WEIGHTS})
       FROM json_each(?) w CROSS JOIN fts CROSS JOIN entry e ON e.no = fts.rowid WHERE fts MATCH w.value AND e.live = 1`,
      JSON.stringify(terms.map((term) => `"${term}"`)),
    )
    .raw<[at: number, chunk: number, rec: number, table: number, accessClass: number, score: number]>();
  for (const [at, chunk, rec, table, accessClass, score] of rows) {
    scores[at]?.[1].push({ chunk, rec, table, accessClass, score });
  }
  return scores;
}

/** One row of JSON: hundreds of rows cost more than their look-up. @param wanted what `join` finds each key's chunk by. */
function placesOf<K>(
  sql: SqlStorage,
  keys: readonly K[],
  wanted: readonly unknown[],
  join: string,
): (readonly [K, Place])[] {
  const { found } = sql
    .exec<{ found: string }>(
      `SELECT json_group_array(json_array(w.key, e.no, e.rec, e.n, e.tbl, e.class, r.row, r.view)) AS found
       FROM json_each(?) w JOIN ${join}`,
      JSON.stringify(wanted),
    )
    .one();
  const rows: readonly (readonly [number, number, number, number, number, number, string, string])[] =
    JSON.parse(found);
  return rows.flatMap(([at, chunk, rec, n, table, accessClass, row, view]) => {
    const key = keys[at];
    return key === undefined ? [] : [[key, { chunk, rec, n, table, accessClass, row, view }] as const];
  });
}

interface VersionRow extends Record<string, SqlStorageValue> {
  readonly rec: number;
  readonly row: string;
  readonly view: string;
  readonly version: string;
  readonly title: string;
  readonly cells: string;
  readonly changed_at: string;
  readonly url: string | null;
  readonly class: string;
  readonly classification: string;
  readonly name: string;
  readonly key: string;
  readonly rollup: number;
  readonly as_of: string;
}

function versionsOf(
  sql: SqlStorage,
  rows: readonly string[],
  generation: number,
): ReadonlyMap<string, readonly ServedVersion[]> {
  const found = sql
    .exec<VersionRow>(
      `SELECT r.no AS rec, r.row AS row, r.view AS view, r.version AS version, r.title AS title, r.cells AS cells,
       coalesce(r.changed_at, r.first_seen) AS changed_at, r.url AS url, c.id AS class, c.classification AS classification,
       t.name AS name, t.key AS key, t.rollup AS rollup, t.as_of AS as_of
       FROM rec r JOIN class c ON c.no = r.class JOIN tbl t ON t.no = r.tbl
       WHERE t.as_of IS NOT NULL AND r.gen_from <= ?1 AND r.gen_to > ?1 AND r.row IN (SELECT value FROM json_each(?2))`,
      generation,
      JSON.stringify(rows),
    )
    .toArray();
  const byRow = new Map<string, ServedVersion[]>();
  for (const row of found) {
    const versions = byRow.get(row.row);
    if (versions) versions.push(parseVersion(row));
    else byRow.set(row.row, [parseVersion(row)]);
  }
  for (const versions of byRow.values()) {
    versions.sort((a, b) => b.cells.length - a.cells.length || (a.view < b.view ? -1 : 1));
  }
  return byRow;
}

function parseVersion(row: VersionRow): ServedVersion {
  const cells: readonly EvidenceCell[] = JSON.parse(row.cells);
  const key: readonly string[] = JSON.parse(row.key);
  const values = parseId(row.row)?.keyValues ?? [];
  return {
    rec: row.rec,
    row: row.row,
    view: row.view,
    version: row.version,
    title: row.title,
    cells,
    changedAt: row.changed_at,
    url: row.url ?? undefined,
    accessClass: row.class,
    classification: classificationOf(row.classification),
    table: row.name,
    key: Object.fromEntries(key.map((column, i) => [column, values[i] ?? ""])),
    rollup: row.rollup === 1,
    asOf: row.as_of,
  };
}

/** What is none of the four reads as the strictest. */
function classificationOf(text: string): Classification {
  return text === "public" || text === "internal" || text === "confidential" ? text : "restricted";
}

function weightOf(versions: readonly ServedVersion[] = []): number {
  return versions.reduce((sum, { cells }) => sum + ENTRY + JSON.stringify(cells).length, ENTRY);
}

function textsOf(sql: SqlStorage, keys: readonly string[]): (readonly [string, string])[] {
  const rows = sql.exec<{ rec: number; n: number; text: string | null }>(
    `SELECT w.value ->> 0 AS rec, w.value ->> 1 AS n, coalesce(p.text, t.texts ->> ('$[' || (w.value ->> 1) || ']')) AS text
     FROM json_each(?) w LEFT JOIN entry e ON e.rec = w.value ->> 0 AND e.n = w.value ->> 1
     LEFT JOIN passage p ON p.no = e.no LEFT JOIN texts t ON t.rec = w.value ->> 0`,
    JSON.stringify(keys.map((key) => key.split(".").map(Number))),
  );
  return rows
    .toArray()
    .flatMap(({ rec, n, text }) => (text === null ? [] : [[`${rec}.${n}`, text] as const]));
}
