import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Run } from "../../shared/ports/registry.ts";
import type { ErasureOutcome, ErasureProof, ErasureReceipt, SpaceRef } from "./api.ts";
import { recordOperation } from "./ledger-operations.ts";
import { metaOf, raiseEpoch } from "./ledger-schema.ts";
import { allSpaces } from "./ledger-spaces.ts";

/**
 * Rows erased for good. A row's id may itself be personal (an e-mail address as key), so what is kept in the long run is its
 * hash. The id is kept until the next publication, which erases it once more: a batch that was on its way when the row was
 * erased may have staged it again.
 */

interface ErasureRow {
  readonly [column: string]: SqlStorageValue;
  readonly id: string;
  readonly name: string;
  readonly requested_at: string;
  readonly erased_at: string | null;
  readonly rows: number;
  readonly chunks: number;
  readonly vectors: number | null;
  readonly answers: number | null;
  readonly runs: number | null;
  readonly records: number | null;
  readonly residue: number;
  readonly proof: string | null;
}

const NOTHING_LEFT: ErasureProof = { spaces: 0, registry: 0, index: 0, answers: 0, runs: 0, records: 0 };

export function suppressRow(
  sql: SqlStorage,
  { table, row, hash }: { readonly table: string; readonly row: string; readonly hash: string },
  by: string | undefined,
  now: number,
): { readonly id: string; readonly epoch: number; readonly spaces: readonly SpaceRef[] } {
  const [before] = sql.exec<{ id: string }>("SELECT id FROM erasures WHERE hash = ?", hash).toArray();
  const id = before?.id ?? `era_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  if (!before) {
    sql.exec(
      "INSERT INTO erasures (id, hash, row, name, requested_at) VALUES (?, ?, ?, ?, ?)",
      id,
      hash,
      row,
      table,
      new Date(now).toISOString(),
    );
  }
  const details = { erasure: id, table, row: hash };
  recordOperation(sql, { by, now }, "erasure-requested", crypto.randomUUID(), details);
  return {
    id,
    epoch: before ? metaOf(sql).epoch : raiseEpoch(sql),
    spaces: allSpaces(sql),
  };
}

/**
 * Counts add up over repeated calls: a repetition finds nothing more, unless the first was cut short. The row is erased once
 * nothing of it is found anywhere.
 */
export function completeErasure(
  sql: SqlStorage,
  id: string,
  outcome: ErasureOutcome,
  now: number,
): ErasureReceipt {
  const { removed, proof } = outcome;
  const residue = proof.registry + proof.index + proof.answers + proof.runs + proof.records;
  sql.exec(
    `UPDATE erasures SET erased_at = CASE WHEN ? = 0 THEN coalesce(erased_at, ?) ELSE erased_at END,
       rows = rows + ?, chunks = chunks + ?, residue = ? WHERE id = ?`,
    residue,
    new Date(now).toISOString(),
    removed.rows,
    removed.chunks,
    residue,
    id,
  );
  sql.exec(
    `INSERT INTO erasure_proofs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE
     SET vectors = vectors + excluded.vectors, answers = answers + excluded.answers, proof = excluded.proof`,
    id,
    removed.vectors,
    removed.answers,
    JSON.stringify(proof),
  );
  sql.exec(
    `INSERT INTO erasure_mentions VALUES (?, ?, ?) ON CONFLICT DO UPDATE
     SET runs = runs + excluded.runs, records = records + excluded.records`,
    id,
    removed.runs,
    removed.records,
  );
  const receipt = erasureById(sql, id);
  if (!receipt) throw new QuaysideError("not_found", "No such erasure.");
  const details = { erasure: id, removed: receipt.removed, residue };
  recordOperation(sql, { by: undefined, now }, "erasure-done", crypto.randomUUID(), details);
  return receipt;
}

export function erasureById(sql: SqlStorage, id: string): ErasureReceipt | undefined {
  const [row] = sql
    .exec<ErasureRow>(
      `SELECT id, name, requested_at, erased_at, rows, chunks, residue, vectors, answers, proof, runs, records
       FROM erasures LEFT JOIN erasure_proofs USING (id) LEFT JOIN erasure_mentions USING (id) WHERE id = ?`,
      id,
    )
    .toArray();
  if (!row) return undefined;
  const proof: ErasureProof = { ...NOTHING_LEFT, ...JSON.parse(row.proof ?? "{}") };
  return {
    id: row.id,
    table: row.name,
    requestedAt: row.requested_at,
    erasedAt: row.erased_at ?? undefined,
    removed: {
      rows: row.rows,
      chunks: row.chunks,
      vectors: row.vectors ?? 0,
      answers: row.answers ?? 0,
      runs: row.runs ?? 0,
      records: row.records ?? 0,
    },
    residue: row.residue,
    proof,
  };
}

export function erasedHashes(sql: SqlStorage): readonly string[] {
  return sql
    .exec<{ hash: string }>("SELECT hash FROM erasures")
    .toArray()
    .map(({ hash }) => hash);
}

export function countErasures(sql: SqlStorage): number {
  return sql.exec<{ n: number }>("SELECT count(*) AS n FROM erasures").one().n;
}

/** Which of the hashes are erased; remembered under the run, once each, so that its counts can leave them out. */
export function withholdRows(
  sql: SqlStorage,
  run: Run,
  table: string,
  hashes: readonly string[],
): readonly string[] {
  const found = sql
    .exec<{ hash: string }>(
      "SELECT hash FROM erasures WHERE hash IN (SELECT value FROM json_each(?))",
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ hash }) => hash);
  for (const hash of found) sql.exec("INSERT OR IGNORE INTO withheld VALUES (?, ?, ?)", run.id, hash, table);
  return found;
}

/** Rows erased since the last publication, with their hashes: something that was under way then may still name them. */
export function lastErased(sql: SqlStorage): readonly (readonly [row: string, hash: string])[] {
  return sql
    .exec<{ row: string; hash: string }>("SELECT row, hash FROM erasures WHERE row IS NOT NULL")
    .toArray()
    .map(({ row, hash }) => [row, hash]);
}

/** Rows to erase again before the flip; `sealErasures` forgets their ids once it is done. */
export function unsealedRows(sql: SqlStorage, run: Run): readonly string[] {
  sql.exec("UPDATE erasures SET sealing = ? WHERE row IS NOT NULL", run.id);
  return sql
    .exec<{ row: string }>("SELECT row FROM erasures WHERE row IS NOT NULL")
    .toArray()
    .map(({ row }) => row);
}

export function sealErasures(sql: SqlStorage, run: Run): void {
  sql.exec("UPDATE erasures SET row = NULL, sealing = NULL WHERE sealing = ?", run.id);
}
