import { QuaysideError } from "../../shared/ports/errors.ts";
import type { SpaceRef } from "./api.ts";
import { metaOf } from "./ledger-schema.ts";

/**
 * Spaces: which there are, where their vectors lie, what their embedder said of the probe texts. One is served; another may be
 * built beside it. A space that is served no longer is kept a minute, for questions that were admitted to it, and then dropped.
 */

/** Longer than an isolate believes an admission, and than a question takes. */
const RETIRED_MS = 60_000;

interface SpaceRow {
  readonly [column: string]: SqlStorageValue;
  readonly space: string;
  readonly place: string | null;
}

function refOf({ space, place }: SpaceRow): SpaceRef {
  const index: SpaceRef["index"] = place === null ? undefined : JSON.parse(place);
  return { space, index };
}

/** A run writes to this space from now on. @throws QuaysideError `run_conflict` while it is being dropped. */
export function useSpace(sql: SqlStorage, { space, index }: SpaceRef): void {
  if (sql.exec("SELECT 1 FROM space_facts WHERE space = ? AND dropping = 1", space).toArray().length > 0) {
    throw new QuaysideError("run_conflict", "The space that this run would write to is being dropped.", {
      retryAfterMs: 2000,
    });
  }
  sql.exec(
    `INSERT INTO space_facts (space, place) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET place = excluded.place, retired_at = NULL`,
    space,
    index === undefined ? null : JSON.stringify(index),
  );
}

/** Keeps the vectors of a space's probe texts, unless it has some; returns those that it keeps. */
export function keepProbes(
  sql: SqlStorage,
  space: string,
  vectors: readonly Float32Array[],
): readonly Float32Array[] {
  sql.exec(
    `INSERT INTO space_facts (space, probes) VALUES (?, ?)
     ON CONFLICT DO UPDATE SET probes = coalesce(probes, excluded.probes)`,
    space,
    JSON.stringify(vectors.map((vector) => [...vector])),
  );
  const { probes } = sql
    .exec<{ probes: string }>("SELECT probes FROM space_facts WHERE space = ?", space)
    .one();
  const kept: readonly (readonly number[])[] = JSON.parse(probes);
  return kept.map((vector) => Float32Array.from(vector));
}

/** Every space, the retired ones that are not dropped yet among them. */
export function allSpaces(sql: SqlStorage): readonly SpaceRef[] {
  return sql
    .exec<SpaceRow>(
      "SELECT s.space AS space, f.place AS place FROM spaces s LEFT JOIN space_facts f USING (space)",
    )
    .toArray()
    .map(refOf);
}

/** Where a space's vectors lie. */
export function spaceOfRun(sql: SqlStorage, space: string): SpaceRef {
  return allSpaces(sql).find((known) => known.space === space) ?? { space, index: undefined };
}

/** Every space but the served one has had its time. */
export function retireSpaces(sql: SqlStorage, now: number): void {
  const { space: served } = metaOf(sql);
  sql.exec("UPDATE space_facts SET retired_at = NULL WHERE space = ?", served);
  sql.exec(
    `INSERT INTO space_facts (space, retired_at) SELECT space, ? FROM spaces WHERE space <> ?
     ON CONFLICT DO UPDATE SET retired_at = coalesce(retired_at, excluded.retired_at)`,
    now,
    served,
  );
}

/** Spaces to drop now; no run begins in one of them until `forgetSpace` has been told. */
export function dropRetired(sql: SqlStorage, now: number): readonly SpaceRef[] {
  sql.exec("UPDATE space_facts SET dropping = 1 WHERE retired_at <= ?", now - RETIRED_MS);
  return sql.exec<SpaceRow>("SELECT space, place FROM space_facts WHERE dropping = 1").toArray().map(refOf);
}

export function forgetSpace(sql: SqlStorage, space: string): void {
  sql.exec("DELETE FROM space_facts WHERE space = ? AND dropping = 1", space);
  sql.exec(
    "DELETE FROM spaces WHERE space = ? AND NOT EXISTS (SELECT 1 FROM space_facts WHERE space = ?)",
    space,
    space,
  );
}
