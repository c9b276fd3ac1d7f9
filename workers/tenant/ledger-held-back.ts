import { parseId, shownKey } from "../../shared/ids.ts";
import type { HeldBack } from "../../shared/ports/registry.ts";

/** Rows that runs hold back, by the lease that carried the run out. A key may be a person's name: an erasure takes it out. */

function names(row: string): (held: HeldBack) => boolean {
  const table = parseId(row)?.table;
  const key = shownKey(row);
  return (held) => held.table === table && held.key === key;
}

/** @param erased rows that are left out: a run that was under way may still name them. */
export function storeHeldBack(
  sql: SqlStorage,
  fence: number,
  heldBack: readonly HeldBack[],
  erased: Iterable<string>,
): void {
  let told = heldBack;
  if (told.length > 0) for (const row of erased) told = told.filter((held) => !names(row)(held));
  if (told.length === 0) sql.exec("DELETE FROM held_back WHERE fence = ?", fence);
  else sql.exec("INSERT OR REPLACE INTO held_back VALUES (?, ?)", fence, JSON.stringify(told));
}

export function heldBackBy(sql: SqlStorage, fence: number | null): readonly HeldBack[] {
  const [found] = sql.exec<{ told: string }>("SELECT told FROM held_back WHERE fence = ?", fence).toArray();
  const told: readonly HeldBack[] = JSON.parse(found?.told ?? "[]");
  return told;
}

/** The leases whose run names a row. */
export function heldBackNaming(sql: SqlStorage, row: string): readonly number[] {
  return sql
    .exec<{ fence: number }>("SELECT fence FROM held_back")
    .toArray()
    .flatMap(({ fence }) => (heldBackBy(sql, fence).some(names(row)) ? [fence] : []));
}

/** @returns in how many runs it was. */
export function forgetHeldBack(sql: SqlStorage, row: string): number {
  const naming = heldBackNaming(sql, row);
  for (const fence of naming) storeHeldBack(sql, fence, heldBackBy(sql, fence), [row]);
  return naming.length;
}

/** Of runs that are not kept any more. */
export function sweepHeldBack(sql: SqlStorage): void {
  sql.exec("DELETE FROM held_back WHERE fence NOT IN (SELECT fence FROM requests WHERE fence IS NOT NULL)");
}
