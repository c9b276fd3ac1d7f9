import {
  AUDIT_START,
  chainHash,
  type AuditEntry,
  type AuditHead,
  type Chained,
} from "../../shared/audit-wire.ts";

/** The audit trail in the ledger: records are added at its end, and nothing here changes or removes one. */

export function auditHead(sql: SqlStorage): AuditHead {
  const [last] = sql
    .exec<{ seq: number; hash: string }>("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    .toArray();
  return last ?? { seq: 0, hash: AUDIT_START };
}

export function appendAudit(sql: SqlStorage, entries: readonly AuditEntry[]): AuditHead {
  let head = auditHead(sql);
  for (const { key, record } of entries) {
    const seq = head.seq + 1;
    const hash = chainHash(head.hash, seq, record);
    const { rowsWritten } = sql.exec(
      "INSERT INTO audit (seq, key, record, hash) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO NOTHING",
      seq,
      key,
      record,
      hash,
    );
    if (rowsWritten > 0) head = { seq, hash };
  }
  return head;
}

export function auditAfter(sql: SqlStorage, after: number, limit: number): Chained[] {
  return sql
    .exec<{ seq: number; record: string; hash: string }>(
      "SELECT seq, record, hash FROM audit WHERE seq > ? ORDER BY seq LIMIT ?",
      after,
      limit,
    )
    .toArray();
}
