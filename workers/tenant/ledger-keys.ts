import { QuaysideError } from "../../shared/ports/errors.ts";
import type { StoredKey } from "./api.ts";
import { recordOperation } from "./ledger-operations.ts";

/** API keys. They live in the ledger of the deployment's own tenant, whichever tenant they are of: a key is found by its id alone. */

/** One in use, and the one that replaces it. */
const MOST_LIVE = 2;

interface KeyRow extends Record<string, SqlStorageValue> {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly digest: string;
  readonly holder: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly revoked_at: string | null;
}

type Holder = Pick<StoredKey, "subject" | "groups" | "attributes" | "scopes">;

/** @throws QuaysideError `invalid_request`. */
export function insertKey(sql: SqlStorage, key: StoredKey, by: string | undefined, now: number): void {
  const { live } = sql
    .exec<{ live: number }>(
      `SELECT count(*) AS live FROM api_keys
       WHERE tenant = ? AND name = ? AND id <> ? AND revoked_at IS NULL AND expires_at > ?`,
      key.tenant,
      key.name,
      key.id,
      new Date(now).toISOString(),
    )
    .one();
  if (live >= MOST_LIVE) {
    throw new QuaysideError("invalid_request", "Two live keys have this name already: revoke one.", {
      violations: [{ pointer: "/name", rule: `at most ${MOST_LIVE} live keys` }],
    });
  }
  const { subject, groups, attributes, scopes } = key;
  const holder: Holder = { subject, groups, attributes, scopes };
  sql.exec(
    "INSERT OR IGNORE INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
    key.id,
    key.tenant,
    key.name,
    key.digest,
    JSON.stringify(holder),
    key.createdAt,
    key.expiresAt,
  );
  const { id, expiresAt } = key;
  const details = { key: id, scopes, groups: groups.length, expiresAt };
  recordOperation(sql, { by, now }, "key-made", id, details);
}

export function keyById(sql: SqlStorage, id: string): StoredKey | undefined {
  const [row] = sql.exec<KeyRow>("SELECT * FROM api_keys WHERE id = ?", id).toArray();
  return row && keyOf(row);
}

export function keysOf(sql: SqlStorage, tenant: string): readonly StoredKey[] {
  const query = "SELECT * FROM api_keys WHERE tenant = ? ORDER BY created_at DESC, id";
  return sql.exec<KeyRow>(query, tenant).toArray().map(keyOf);
}

export function revokeKeyById(
  sql: SqlStorage,
  tenant: string,
  id: string,
  by: string | undefined,
  now: number,
): boolean {
  const found = sql.exec(
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, ?) WHERE tenant = ? AND id = ?",
    new Date(now).toISOString(),
    tenant,
    id,
  );
  if (found.rowsWritten > 0) recordOperation(sql, { by, now }, "key-revoked", id, { key: id });
  return found.rowsWritten > 0;
}

function keyOf(row: KeyRow): StoredKey {
  // Written by insertKey.
  const holder: Holder = JSON.parse(row.holder);
  return {
    id: row.id,
    name: row.name,
    digest: row.digest,
    tenant: row.tenant,
    ...holder,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at ?? undefined,
  };
}
