import type { Near } from "../../shared/indexes/outside.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import type { ShardQuery } from "../tenant/api.ts";
import type { Hit } from "./evidence.ts";
import { lexicalQuery, searchLexical, type SqlFilter } from "./lexical.ts";
import { readMeta } from "./schema.ts";
import type { Allowed, ChunkScore, VectorMemory } from "./vectors.ts";

/** Candidates that each leg brings: enough that what one leg ranks low and the other high is seen by both. */
const MIN_CANDIDATES = 200;

/**
 * Both legs, filtered inside, fused. Best first, more than `topK` of them so that the re-check may drop some; scores 0 to 1.
 * @param vectors called only when there are vectors to search.
 */
export function searchChunks(sql: SqlStorage, query: ShardQuery, vectors: () => VectorMemory): ChunkScore[] {
  const meta = readMeta(sql);
  const allowed = resolveFilter(sql, query.filter);
  if (allowed.classes.size === 0 || allowed.tables?.size === 0 || allowed.recs?.size === 0) return [];
  const limit = Math.max(MIN_CANDIDATES, query.topK * 4);
  const lexical = searchLexical(sql, lexicalQuery(query.text, meta.french), asSql(allowed), limit);
  if (query.near) return fuse(lexical, denseOutside(sql, query.near, allowed, lexical), query.fusionWeight);
  if (meta.dimensions === 0 || query.fusionWeight === 0) return fuse(lexical, [], 0);
  if (query.vector.length !== meta.dimensions) {
    throw new QuaysideError(
      "index_embedder_mismatch",
      `The question was embedded in ${query.vector.length} dimensions, the index in ${meta.dimensions}; ingest again.`,
    );
  }
  const memory = vectors();
  const near = memory.search(query.vector, allowed, limit);
  const seen = new Set(near.map((hit) => hit.chunk));
  const rest = lexical.flatMap(({ chunk, rec }): ChunkScore[] => {
    const score = seen.has(chunk) ? undefined : memory.scoreOf(query.vector, chunk);
    return score === undefined ? [] : [{ chunk, rec, score }];
  });
  return fuse(lexical, [...near, ...rest], query.fusionWeight);
}

/**
 * The dense leg of an outside index: those of its hits that are served and within the filter, whatever the store thought of
 * it, and what the lexical leg found besides. How near that is was not said, only that it is no nearer than the last hit.
 */
function denseOutside(
  sql: SqlStorage,
  { hits, whole }: Near,
  allowed: Allowed,
  lexical: readonly ChunkScore[],
): ChunkScore[] {
  const near = storedChunks(sql, hits, asSql(allowed));
  const floor = whole ? 0 : near.reduce((least, { score }) => Math.min(least, score), 1);
  const seen = new Set(near.map((hit) => hit.chunk));
  const rest = lexical.filter(({ chunk }) => !seen.has(chunk));
  return [...near, ...rest.map(({ chunk, rec }) => ({ chunk, rec, score: floor }))];
}

/** The live chunks that stored ids name, within the filter. One row of JSON: hundreds of rows cost more than their look-up. */
function storedChunks(sql: SqlStorage, hits: Near["hits"], filter: SqlFilter): ChunkScore[] {
  const named = hits.map(({ id }) => /^([A-Za-z0-9_-]{22})\.(\d{1,9})$/.exec(id)?.slice(1) ?? []);
  const { found } = sql
    .exec<{ found: string }>(
      `SELECT json_group_array(json_array(w.key, e.no, e.rec)) AS found FROM json_each(?) w
       JOIN rec r ON r.stored = w.value ->> 0 JOIN entry e ON e.rec = r.no AND e.n = CAST(w.value ->> 1 AS INTEGER)
       WHERE e.live = 1 AND e.class IN (SELECT value FROM json_each(?))
       AND (? IS NULL OR e.tbl IN (SELECT value FROM json_each(?)))
       AND (? IS NULL OR e.rec IN (SELECT value FROM json_each(?)))`,
      JSON.stringify(named),
      filter.classes,
      ...[filter.tables, filter.tables, filter.recs, filter.recs].map((list) => list ?? null),
    )
    .one();
  const rows: readonly (readonly [at: number, chunk: number, rec: number])[] = JSON.parse(found);
  return rows.map(([at, chunk, rec]) => ({ chunk, rec, score: hits[at]?.score ?? 0 }));
}

/**
 * The weighted sum of both legs, each scaled so that its best is 1, brought to 0..1. Scores and not ranks: a weak dense leg with
 * ranks would outvote a lexical leg that is sure.
 */
export function fuse(
  lexical: readonly ChunkScore[],
  dense: readonly ChunkScore[],
  weight: number,
): ChunkScore[] {
  const fused = new Map<number, ChunkScore>();
  const add = (hits: readonly ChunkScore[], share: number): void => {
    const best = hits.reduce((max, hit) => Math.max(max, hit.score), 0);
    for (const { chunk, rec, score } of hits) {
      const scaled = best === 0 ? 0 : (share * Math.max(0, score)) / best;
      fused.set(chunk, { chunk, rec, score: (fused.get(chunk)?.score ?? 0) + scaled });
    }
  };
  const total = (lexical.length > 0 ? 1 : 0) + (dense.length > 0 ? weight : 0) || 1;
  add(lexical, 1 / total);
  add(dense, weight / total);
  // Equal scores in the order of ingest: the same question always gets the same list.
  return [...fused.values()].sort((a, b) => b.score - a.score || a.chunk - b.chunk);
}

/** The filter in the shard's own numbers. A class or table that the shard does not know narrows to nothing. */
export function resolveFilter(sql: SqlStorage, filter: Filter): Allowed {
  const numbers = (query: string, names: readonly string[]): ReadonlySet<number> =>
    new Set(
      sql
        .exec<{ no: number }>(query, JSON.stringify(names))
        .toArray()
        .map((row) => row.no),
    );
  const classes = numbers(
    "SELECT no FROM class WHERE id IN (SELECT value FROM json_each(?))",
    filter.classes,
  );
  const tables =
    filter.tables &&
    numbers("SELECT no FROM tbl WHERE name IN (SELECT value FROM json_each(?))", filter.tables);
  const cells = Object.entries(filter.cells ?? {});
  const recs = cells.length === 0 ? undefined : recsWithCells(sql, cells, tables);
  return { classes, tables, recs };
}

/** Versions in which every column named holds the value, as text. */
function recsWithCells(
  sql: SqlStorage,
  cells: readonly (readonly [string, string])[],
  tables: ReadonlySet<number> | undefined,
): ReadonlySet<number> {
  const { generation } = readMeta(sql);
  return new Set(
    sql
      .exec<{ no: number }>(
        `SELECT r.no AS no FROM rec r
         WHERE r.gen_from <= ? AND r.gen_to > ? AND (? OR r.tbl IN (SELECT value FROM json_each(?)))
         AND NOT EXISTS (SELECT 1 FROM json_each(?) w WHERE NOT EXISTS (
           SELECT 1 FROM json_each(r.cells) c WHERE c.value ->> 'column' = w.value ->> 0
           AND CASE json_type(c.value, '$.value') WHEN 'true' THEN 'true' WHEN 'false' THEN 'false'
             ELSE CAST(c.value ->> 'value' AS TEXT) END = w.value ->> 1))`,
        generation,
        generation,
        tables ? 0 : 1,
        JSON.stringify([...(tables ?? [])]),
        JSON.stringify(cells),
      )
      .toArray()
      .map((row) => row.no),
  );
}

function asSql(allowed: Allowed): SqlFilter {
  return {
    classes: JSON.stringify([...allowed.classes]),
    tables: allowed.tables && JSON.stringify([...allowed.tables]),
    recs: allowed.recs && JSON.stringify([...allowed.recs]),
  };
}

/** Chunk numbers as rows, views and chunk positions, the re-check's terms; a page at a time, so that few are looked up in vain. */
export function* namedHits(
  sql: SqlStorage,
  ranked: readonly ChunkScore[],
  pageSize: number,
): Generator<readonly Hit[], void, undefined> {
  for (let start = 0; start < ranked.length; start += pageSize) {
    const page = ranked.slice(start, start + pageSize);
    const names = new Map(
      sql
        .exec<{ no: number; row: string; view: string; n: number }>(
          `SELECT e.no AS no, r.row AS row, r.view AS view, e.n AS n FROM entry e JOIN rec r ON r.no = e.rec
           WHERE e.no IN (SELECT value FROM json_each(?))`,
          JSON.stringify(page.map((hit) => hit.chunk)),
        )
        .toArray()
        .map((row) => [row.no, row] as const),
    );
    yield page.flatMap(({ chunk, score }): Hit[] => {
      const name = names.get(chunk);
      return name ? [{ row: name.row, view: name.view, n: name.n, score }] : [];
    });
  }
}
