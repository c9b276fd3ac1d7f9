/**
 * The ledger's tables. `meta` has one row. `reserved` is the highest generation that a shard may have flipped to: a number
 * is never used for a second run, even when the first one's publication was lost half way.
 */
export function createLedgerSchema(sql: SqlStorage): void {
  sql.exec(`
    CREATE TABLE IF NOT EXISTS meta (
      id INTEGER PRIMARY KEY CHECK (id = 1),
      epoch INTEGER NOT NULL, generation INTEGER NOT NULL, reserved INTEGER NOT NULL, fence INTEGER NOT NULL,
      space TEXT NOT NULL
    );
    INSERT OR IGNORE INTO meta VALUES (1, 0, 0, 0, 0, '');
    CREATE TABLE IF NOT EXISTS configs (version INTEGER PRIMARY KEY, json TEXT NOT NULL, published_at TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS classes (
      id TEXT PRIMARY KEY, label TEXT NOT NULL, classification TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS served (
      name TEXT PRIMARY KEY, rows INTEGER NOT NULL, as_of TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS served_classes (
      name TEXT NOT NULL, class TEXT NOT NULL, PRIMARY KEY (name, class)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS spaces (space TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS shapes (name TEXT PRIMARY KEY, shape TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS space_facts (
      space TEXT PRIMARY KEY, place TEXT, probes TEXT, retired_at INTEGER, dropping INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS runs (
      fence INTEGER PRIMARY KEY,
      id TEXT NOT NULL UNIQUE, key TEXT NOT NULL UNIQUE,
      generation INTEGER NOT NULL, space TEXT NOT NULL, "trigger" TEXT NOT NULL, state TEXT NOT NULL,
      started_at INTEGER NOT NULL, lease_until INTEGER NOT NULL, finished_at INTEGER,
      served INTEGER, tables TEXT NOT NULL, reason TEXT
    );
    CREATE TABLE IF NOT EXISTS requests (
      no INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
      tables TEXT NOT NULL, full INTEGER NOT NULL, host TEXT NOT NULL, "trigger" TEXT NOT NULL, state TEXT NOT NULL,
      requested_at INTEGER NOT NULL, not_before INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, fence INTEGER,
      again INTEGER NOT NULL DEFAULT 0, progress TEXT, finished_at INTEGER, reason TEXT
    );
    CREATE INDEX IF NOT EXISTS requests_state ON requests (state);
    CREATE INDEX IF NOT EXISTS requests_fence ON requests (fence);
    CREATE TABLE IF NOT EXISTS seen (
      key TEXT PRIMARY KEY, body TEXT NOT NULL, run TEXT NOT NULL, at INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS asked (name TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS withheld (
      run TEXT NOT NULL, hash TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (run, hash)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS held_back (fence INTEGER PRIMARY KEY, told TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS erasures (
      id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, row TEXT, name TEXT NOT NULL,
      requested_at TEXT NOT NULL, erased_at TEXT,
      rows INTEGER NOT NULL DEFAULT 0, chunks INTEGER NOT NULL DEFAULT 0, residue INTEGER NOT NULL DEFAULT 0,
      sealing TEXT
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS api_keys (
      id TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, holder TEXT NOT NULL,
      created_at TEXT NOT NULL, expires_at TEXT NOT NULL, revoked_at TEXT
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS audit (
      seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, record TEXT NOT NULL, hash TEXT NOT NULL
    );
    CREATE TABLE IF NOT EXISTS erasure_proofs (
      id TEXT PRIMARY KEY, vectors INTEGER NOT NULL DEFAULT 0, answers INTEGER NOT NULL DEFAULT 0, proof TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS erasure_mentions (
      id TEXT PRIMARY KEY, runs INTEGER NOT NULL, records INTEGER NOT NULL
    ) WITHOUT ROWID;
  `);
  // Requests of an earlier version.
  const columns = sql.exec<{ name: string }>("SELECT name FROM pragma_table_info('requests')").toArray();
  if (!columns.some(({ name }) => name === "read_all")) {
    sql.exec("ALTER TABLE requests ADD COLUMN read_all INTEGER NOT NULL DEFAULT 0");
  }
  // Runs of a ledger that knew no requests yet.
  sql.exec(`
    INSERT INTO requests (id, tables, full, host, "trigger", state, requested_at, not_before, attempts, fence, finished_at, reason)
    SELECT id, '[]', 0, 'node', "trigger", CASE state WHEN 'publishing' THEN 'running' ELSE state END,
      started_at, started_at, 1, fence, finished_at, reason
    FROM runs WHERE NOT EXISTS (SELECT 1 FROM requests) ORDER BY fence
  `);
}

export interface Meta {
  readonly epoch: number;
  readonly generation: number;
  readonly reserved: number;
  readonly fence: number;
  readonly space: string;
}

export function metaOf(sql: SqlStorage): Meta {
  return sql
    .exec<{ epoch: number; generation: number; reserved: number; fence: number; space: string }>(
      "SELECT epoch, generation, reserved, fence, space FROM meta",
    )
    .one();
}

/** Everything cached, admitted or memoised before this moment stops holding. @returns the new epoch. */
export function raiseEpoch(sql: SqlStorage): number {
  return sql.exec<{ epoch: number }>("UPDATE meta SET epoch = epoch + 1 RETURNING epoch").one().epoch;
}
