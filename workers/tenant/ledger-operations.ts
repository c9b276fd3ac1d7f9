import { appendAudit } from "./ledger-audit.ts";

/**
 * Operations leave a record in the audit trail, in the transaction that does them: nothing is done that is not recorded.
 * Names of fields, ids and counts; never a value of the configuration, a row or its key.
 */

export type Operation =
  | "config-published"
  | "key-made"
  | "key-revoked"
  | "erasure-requested"
  | "erasure-done"
  | "run-requested"
  | "run-begun"
  | "run-published"
  | "run-abandoned"
  | "run-cancelled";

/** Who does what, and when. */
export interface Acting {
  /** A pseudonym of whoever asked for it; undefined: the Worker itself. */
  readonly by: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** @param key tells the operation from all others of its kind; one that is there already adds nothing. */
export function recordOperation(
  sql: SqlStorage,
  { by, now }: Acting,
  action: Operation,
  key: string,
  details: Readonly<Record<string, unknown>>,
): void {
  const at = new Date(now).toISOString();
  const record = JSON.stringify({ action, at, principal: by ?? "worker", ...details });
  appendAudit(sql, [{ key: `${action} ${key}`, record }]);
}
