import type { Near } from "../../shared/indexes/outside.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import type { ShardQuery } from "../tenant/api.ts";
import type { Hit } from "./evidence.ts";
import type { Known } from "./known.ts";
import { lexicalQuery, namedChunks, searchLexical } from "./lexical.ts";
import { isAllowed, type Allowed, type ChunkScore, type VectorMemory, type Writable } from "./vectors.ts";

/** Candidates that each leg brings: enough that what one leg ranks low and the other high is seen by both. */
const MIN_CANDIDATES = 200;

/**
 * Both legs, filtered inside, fused. Best first, more than `topK` of them so that the re-check may drop some; scores 0 to 1.
 * @param vectors called only when there are vectors to search.
 */
export function searchChunks(
  sql: SqlStorage,
  known: Known,
  query: ShardQuery,
  vectors: () => VectorMemory,
): ChunkScore[] {
  const meta = known.meta();
  const allowed = resolveFilter(sql, known, query.filter);
  if (allowed.classes.size === 0 || allowed.tables?.size === 0 || allowed.recs?.size === 0) return [];
  const limit = Math.max(MIN_CANDIDATES, query.topK * 4);
  const dense = meta.dimensions > 0 && query.fusionWeight > 0;
  const wanted = lexicalQuery(query.text, meta.french);
  // What the vectors reach by themselves: all that they are asked for, or all that there is.
  const reached = query.near ? !query.near.whole : dense;
  const lexical = searchLexical(sql, known, wanted, allowed, limit, reached);
  const named = namedChunks(known, wanted, allowed);
  if (query.near) {
    const near = denseOutside(known, query.near, allowed, lexical);
    return withNamed(fuse(lexical, near, query.fusionWeight), named);
  }
  if (!dense) return withNamed(fuse(lexical, [], 0), named);
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
  return withNamed(fuse(lexical, [...near, ...rest], query.fusionWeight), named);
}

/** Hits that stand before a row that the question names: they may say more of it than it does itself. */
const BEFORE_NAMED = 2;

/** The ranking with what the question names in it third at the latest: not to be crowded out by all that mentions it. */
function withNamed(ranked: readonly ChunkScore[], named: readonly ChunkScore[]): ChunkScore[] {
  const first = ranked.slice(0, BEFORE_NAMED);
  const score = ranked[BEFORE_NAMED]?.score ?? 0;
  const raised = named
    .filter(({ chunk }) => !first.some((hit) => hit.chunk === chunk))
    .map(({ chunk, rec }) => ({ chunk, rec, score }));
  const moved = new Set(raised.map(({ chunk }) => chunk));
  return [...first, ...raised, ...ranked.slice(BEFORE_NAMED).filter(({ chunk }) => !moved.has(chunk))];
}

/**
 * The dense leg of an outside index: those of its hits that are served and within the filter, whatever the store thought of
 * it, and what the lexical leg found besides. How near that is was not said, only that it is no nearer than the last hit.
 */
function denseOutside(
  known: Known,
  { ids, scores, whole }: Near,
  allowed: Allowed,
  lexical: readonly ChunkScore[],
): ChunkScore[] {
  const near = storedChunks(known, ids, scores, allowed);
  const floor = whole ? 0 : near.reduce((least, { score }) => Math.min(least, score), 1);
  const seen = new Set(near.map((hit) => hit.chunk));
  const rest = lexical.filter(({ chunk }) => !seen.has(chunk));
  return [...near, ...rest.map(({ chunk, rec }) => ({ chunk, rec, score: floor }))];
}

/** The live chunks that stored ids name, within the filter. */
function storedChunks(
  known: Known,
  ids: readonly string[],
  scores: Float64Array,
  allowed: Allowed,
): ChunkScore[] {
  const stored = known.stored(ids);
  const near: ChunkScore[] = [];
  for (const [i, id] of ids.entries()) {
    const place = stored.get(id);
    if (!place || !isAllowed(place, allowed)) continue;
    near.push({ chunk: place.chunk, rec: place.rec, score: scores[i] ?? 0 });
  }
  return near;
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
  const fused = new Map<number, Writable<ChunkScore>>();
  const add = (hits: readonly ChunkScore[], share: number): void => {
    const best = hits.reduce((max, hit) => Math.max(max, hit.score), 0);
    for (const { chunk, rec, score } of hits) {
      const scaled = best === 0 ? 0 : (share * Math.max(0, score)) / best;
      const before = fused.get(chunk);
      if (before) before.score += scaled;
      else fused.set(chunk, { chunk, rec, score: scaled });
    }
  };
  const total = (lexical.length > 0 ? 1 : 0) + (dense.length > 0 ? weight : 0) || 1;
  add(lexical, 1 / total);
  add(dense, weight / total);
  // Equal scores in the order of ingest: the same question always gets the same list.
  return [...fused.values()].sort((a, b) => b.score - a.score || a.chunk - b.chunk);
}

/** The filter in the shard's own numbers. A class or table that the shard does not know narrows to nothing. */
export function resolveFilter(sql: SqlStorage, known: Known, filter: Filter): Allowed {
  const classes = numbersOf(known.classes(filter.classes), filter.classes);
  const tables = filter.tables && numbersOf(known.tables(filter.tables), filter.tables);
  const cells = Object.entries(filter.cells ?? {});
  const recs = cells.length === 0 ? undefined : recsWithCells(sql, known, cells, tables);
  return { classes, tables, recs };
}

function numbersOf(
  numbers: ReadonlyMap<string, number | undefined>,
  names: readonly string[],
): ReadonlySet<number> {
  return new Set(names.flatMap((name) => numbers.get(name) ?? []));
}

/** Versions in which every column named holds the value, as text. */
function recsWithCells(
  sql: SqlStorage,
  known: Known,
  cells: readonly (readonly [string, string])[],
  tables: ReadonlySet<number> | undefined,
): ReadonlySet<number> {
  const { generation } = known.meta();
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

/** Chunk numbers as rows, views and chunk positions, the re-check's terms; a page at a time, so that few are looked up in vain. */
export function* namedHits(
  known: Known,
  ranked: readonly ChunkScore[],
  pageSize: number,
): Generator<readonly Hit[], void, undefined> {
  for (let start = 0; start < ranked.length; start += pageSize) {
    const page = ranked.slice(start, start + pageSize);
    const places = known.places(page.map(({ chunk }) => chunk));
    yield page.flatMap(({ chunk, score }): Hit[] => {
      const place = places.get(chunk);
      return place ? [{ row: place.row, view: place.view, n: place.n, score }] : [];
    });
  }
}
