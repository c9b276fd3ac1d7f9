import { QuaysideError } from "../../shared/ports/errors.ts";

/**
 * The shard's tables. `rec` is the row registry: one version of one view of a row, visible in the generations
 * `gen_from <= g < gen_to`; staged while `gen_from` is above the served generation, current while `gen_to` is NEVER. `entry` is the search's own copy of
 * what it filters by, one small row a chunk; `passage` holds the chunk's text, `fts` its terms, `block` its vector. A version whose
 * chunks are searched outside has none of these, only its chunks' texts, as one JSON list in `texts`.
 * The two copies are kept apart on purpose: hits come from `entry`, evidence is checked against `rec`.
 */

/** A generation that is never reached. */
export const NEVER = 9_007_199_254_740_991;

/** Deployed limit of a row, a blob and a string is 2 MB, which local development does not enforce; ours is below it. */
export const MAX_ROW_BYTES = 1_900_000;
/** Vectors of one block, scales included. */
export const MAX_BLOCK_BYTES = 1_048_576;
/** Vectors live in the object's memory, 128 MB with all else. 64 MiB is 174,000 chunks at 384 dimensions. */
export const MAX_VECTOR_BYTES = 67_108_864;

/** Weights of title, body, labels and meta in BM25. Measured over five sets with one configuration. */
export const FIELD_WEIGHTS = "3.0, 1.0, 0.5, 0.5";

const TABLES = [
  "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
  "CREATE TABLE IF NOT EXISTS class (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, classification TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS tbl (
    no INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, as_of TEXT, key TEXT NOT NULL DEFAULT '[]',
    rollup INTEGER NOT NULL DEFAULT 0, erased INTEGER NOT NULL DEFAULT 0, was_as_of TEXT, served TEXT, basis TEXT, cursor TEXT)`,
  `CREATE TABLE IF NOT EXISTS rec (
    no INTEGER PRIMARY KEY AUTOINCREMENT, tbl INTEGER NOT NULL, class INTEGER NOT NULL, gen_from INTEGER NOT NULL,
    gen_to INTEGER NOT NULL, row TEXT NOT NULL, view TEXT NOT NULL, version TEXT NOT NULL, stored TEXT NOT NULL,
    chunks INTEGER NOT NULL, run TEXT NOT NULL, first_seen TEXT NOT NULL, changed_at TEXT, url TEXT, title TEXT NOT NULL,
    cells TEXT NOT NULL)`,
  "CREATE UNIQUE INDEX IF NOT EXISTS rec_row ON rec (row, view, gen_from)",
  "CREATE INDEX IF NOT EXISTS rec_generation ON rec (tbl, gen_to, gen_from)",
  `CREATE TABLE IF NOT EXISTS gone (row TEXT NOT NULL, view TEXT NOT NULL, tbl INTEGER NOT NULL, run TEXT NOT NULL,
    PRIMARY KEY (row, view)) WITHOUT ROWID`,
  "CREATE TABLE IF NOT EXISTS batch (run TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID",
  `CREATE TABLE IF NOT EXISTS entry (
    no INTEGER PRIMARY KEY AUTOINCREMENT, rec INTEGER NOT NULL, n INTEGER NOT NULL, tbl INTEGER NOT NULL,
    class INTEGER NOT NULL, live INTEGER NOT NULL, french INTEGER NOT NULL, block INTEGER, pos INTEGER)`,
  "CREATE INDEX IF NOT EXISTS entry_rec ON entry (rec, n)",
  "CREATE INDEX IF NOT EXISTS entry_block ON entry (block, pos)",
  "CREATE TABLE IF NOT EXISTS passage (no INTEGER PRIMARY KEY, text TEXT NOT NULL)",
  // Staged versions whose chunks an outside index may not have yet; see `Batch.pending`.
  "CREATE TABLE IF NOT EXISTS pending (rec INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL)",
  "CREATE TABLE IF NOT EXISTS texts (rec INTEGER PRIMARY KEY, texts TEXT NOT NULL)",
  "CREATE TABLE IF NOT EXISTS block (no INTEGER PRIMARY KEY AUTOINCREMENT, slots INTEGER NOT NULL, data BLOB NOT NULL)",
  // Terms come analysed and spelled in a-z, 0-9 and `_` (see lexical.ts), so the plainest tokenizer is the right one.
  `CREATE VIRTUAL TABLE IF NOT EXISTS fts USING fts5(title, body, labels, meta, content='', contentless_delete=1,
    tokenize="ascii tokenchars '_'")`,
  "CREATE VIRTUAL TABLE IF NOT EXISTS fts_term USING fts5vocab('fts', 'row')",
];

/**
 * Finds versions by their stored ids, which only what is served is asked for. Its keys are hashes: made once from all that a first
 * run staged, it costs a tenth of what the pages do that each batch of rows would scatter over.
 */
export function createStoredIndex(sql: SqlStorage): void {
  sql.exec("CREATE INDEX IF NOT EXISTS rec_stored ON rec (stored)");
}

export function createShardSchema(sql: SqlStorage): void {
  for (const statement of TABLES) sql.exec(statement);
  // Shards of an earlier version.
  const columns = sql.exec<{ name: string }>("SELECT name FROM pragma_table_info('tbl')").toArray();
  for (const column of ["was_as_of", "served", "basis", "cursor"]) {
    if (!columns.some(({ name }) => name === column)) sql.exec(`ALTER TABLE tbl ADD COLUMN ${column} TEXT`);
  }
}

/** What the shard knows about itself; 0 and "" before anything was written. */
export interface ShardMeta {
  readonly generation: number;
  /** The generation served before, while its versions are kept; 0 when there is none to go back to. */
  readonly previous: number;
  readonly epoch: number;
  /** The highest fence seen. */
  readonly fence: number;
  /** Length of every vector; 0 while there is none. */
  readonly dimensions: number;
  /** The run that published last, and whether it changed anything. */
  readonly publishedRun: string;
  /** Share of the served chunks that are French, 0 to 1. */
  readonly french: number;
}

const START: ShardMeta = {
  generation: 0,
  previous: 0,
  epoch: 0,
  fence: 0,
  dimensions: 0,
  publishedRun: "",
  french: 0,
};

export function readMeta(sql: SqlStorage): ShardMeta {
  // One row: it is read with every question.
  const { meta } = sql
    .exec<{ meta: string }>("SELECT json_group_object(name, value) AS meta FROM meta")
    .one();
  const known: Partial<ShardMeta> = JSON.parse(meta);
  return { ...START, ...known };
}

export function writeMeta(sql: SqlStorage, changes: Partial<ShardMeta>): void {
  for (const [name, value] of Object.entries(changes)) {
    sql.exec("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", name, value);
  }
}

/** The one number of a counting statement. */
export function countOf(sql: SqlStorage, query: string, ...bindings: readonly (string | number)[]): number {
  return sql.exec<{ n: number }>(query, ...bindings).one().n;
}

const encoder = new TextEncoder();

/** @throws QuaysideError `input_too_long` for what a deployed database would refuse to store. */
export function checkRowSize(row: string, parts: readonly string[]): void {
  let characters = 0;
  for (const part of parts) characters += part.length;
  // A UTF-16 unit is at most three bytes, so most rows need no count.
  if (characters * 3 <= MAX_ROW_BYTES) return;
  let bytes = 0;
  for (const part of parts) bytes += encoder.encode(part).byteLength;
  if (bytes > MAX_ROW_BYTES) {
    throw new QuaysideError(
      "input_too_long",
      `One row or chunk of table ${row.split(":")[0] ?? ""} is ${bytes} bytes; the most is ${MAX_ROW_BYTES}. Leave a wide column out.`,
    );
  }
}
