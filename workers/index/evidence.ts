import { chunkId, parseId } from "../../shared/ids.ts";
import type { Classification, Evidence, EvidenceCell } from "../../shared/ports/evidence.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import { NEVER, readMeta } from "./schema.ts";

/**
 * The last word on what a caller may see. Hits come from somewhere (the search beside this, a vector store outside, a cache);
 * what leaves here was found in the registry itself, in the served generation, in a class that the caller is permitted.
 * Nothing here trusts the search's own columns, so a filter that is wrong there shows nothing here.
 */

/** A version that the registry serves to this caller. */
export interface ServedVersion {
  readonly rec: number;
  readonly row: string;
  readonly view: string;
  readonly version: string;
  readonly title: string;
  readonly cells: readonly EvidenceCell[];
  readonly changedAt: string;
  readonly url: string | undefined;
  readonly classification: Classification;
  readonly table: string;
  readonly key: readonly string[];
  readonly rollup: boolean;
  readonly asOf: string;
}

interface VersionRow extends Record<string, SqlStorageValue> {
  readonly rec: number;
  readonly row: string;
  readonly view: string;
  readonly version: string;
  readonly title: string;
  readonly cells: string;
  readonly changed_at: string;
  readonly url: string | null;
  readonly class: string;
  readonly classification: string;
  readonly name: string;
  readonly key: string;
  readonly rollup: number;
  readonly as_of: string;
}

const SELECT_VERSION = `SELECT r.no AS rec, r.row AS row, r.view AS view, r.version AS version, r.title AS title, r.cells AS cells,
  coalesce(r.changed_at, r.first_seen) AS changed_at, r.url AS url, c.id AS class, c.classification AS classification,
  t.name AS name, t.key AS key, t.rollup AS rollup, t.as_of AS as_of
  FROM rec r JOIN class c ON c.no = r.class JOIN tbl t ON t.no = r.tbl
  WHERE t.as_of IS NOT NULL AND r.gen_from <= ? AND r.gen_to > ?`;

/**
 * The versions of these rows that the caller may see, the widest view first within a row: it is the one with most cells.
 * @param rows row ids, in any number.
 */
export function servedVersions(
  sql: SqlStorage,
  rows: readonly string[],
  filter: Filter,
): ReadonlyMap<string, readonly ServedVersion[]> {
  const { generation } = readMeta(sql);
  const found = sql
    .exec<VersionRow>(
      `${SELECT_VERSION} AND r.row IN (SELECT value FROM json_each(?))`,
      generation,
      generation,
      JSON.stringify(rows),
    )
    .toArray();
  const classes = new Set(filter.classes);
  const byRow = new Map<string, ServedVersion[]>();
  for (const row of found) {
    if (!classes.has(row.class)) continue;
    if (filter.tables !== undefined && !filter.tables.includes(row.name)) continue;
    const version = parseVersion(row);
    if (!hasCells(version.cells, filter.cells)) continue;
    byRow.set(row.row, [...(byRow.get(row.row) ?? []), version]);
  }
  for (const versions of byRow.values()) {
    versions.sort((a, b) => b.cells.length - a.cells.length || (a.view < b.view ? -1 : 1));
  }
  return byRow;
}

function parseVersion(row: VersionRow): ServedVersion {
  const cells: readonly EvidenceCell[] = JSON.parse(row.cells);
  const key: readonly string[] = JSON.parse(row.key);
  return {
    rec: row.rec,
    row: row.row,
    view: row.view,
    version: row.version,
    title: row.title,
    cells,
    changedAt: row.changed_at,
    url: row.url ?? undefined,
    classification: classificationOf(row.classification),
    table: row.name,
    key,
    rollup: row.rollup === 1,
    asOf: row.as_of,
  };
}

/** What is none of the four reads as the strictest. */
function classificationOf(text: string): Classification {
  return text === "public" || text === "internal" || text === "confidential" ? text : "restricted";
}

/** Whether every column named holds the value, as text. */
export function hasCells(
  cells: readonly EvidenceCell[],
  wanted: Readonly<Record<string, string>> | undefined,
): boolean {
  return Object.entries(wanted ?? {}).every(([column, value]) =>
    cells.some((cell) => cell.column === column && cellText(cell) === value),
  );
}

function cellText({ value }: EvidenceCell): string | undefined {
  if (value === null) return undefined;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** One chunk of a served version as evidence. */
export function toEvidence(version: ServedVersion, n: number, text: string, score: number): Evidence {
  const values = parseId(version.row)?.keyValues ?? [];
  return {
    id: chunkId(version.row, n),
    row: version.row,
    table: version.table,
    key: Object.fromEntries(version.key.map((column, i) => [column, values[i] ?? ""])),
    title: version.title,
    text,
    cells: version.cells,
    version: version.version,
    classification: version.classification,
    rollup: version.rollup,
    asOf: version.asOf,
    changedAt: version.changedAt,
    ...(version.url === undefined ? {} : { url: version.url }),
    score,
  };
}

/** A hit that names a chunk of a version; nothing about it is trusted yet. */
export interface Hit {
  readonly row: string;
  readonly view: string;
  readonly n: number;
  readonly score: number;
}

/** More chunks than this of one row would crowd out the others. */
const MAX_CHUNKS_PER_ROW = 3;

/**
 * Hits as evidence, in their order: those that the registry confirms, each row in the widest view that the caller may see, at
 * most three chunks of a row, at most `limit` in all. A row that was only hit in a narrower view is shown in the widest.
 * @param pages hits, best first, in pages: as many are taken as fill the limit.
 */
export function confirmHits(
  sql: SqlStorage,
  pages: Iterable<readonly Hit[]>,
  filter: Filter,
  limit: number,
): Evidence[] {
  const shown = new Map<string, Set<number>>();
  const evidence: Evidence[] = [];
  for (const hits of pages) {
    const served = servedVersions(sql, [...new Set(hits.map((hit) => hit.row))], filter);
    const inWidest = new Set(
      hits.filter((hit) => served.get(hit.row)?.[0]?.view === hit.view).map((hit) => hit.row),
    );
    const textOf = chunkTexts(sql, hits, served);
    for (const hit of hits) {
      if (evidence.length === limit) return evidence;
      const versions = served.get(hit.row) ?? [];
      const widest = versions[0];
      // The view that was hit must be one of the caller's own: else a hit would tell what a hidden view says.
      if (!widest || !versions.some((version) => version.view === hit.view)) continue;
      if (hit.view !== widest.view && inWidest.has(hit.row)) continue;
      const chunks = shown.get(hit.row) ?? new Set<number>();
      const chunk =
        textOf(widest.rec, hit.n) ?? (hit.view === widest.view ? undefined : textOf(widest.rec, 0));
      if (!chunk || chunks.has(chunk.n) || chunks.size === MAX_CHUNKS_PER_ROW) continue;
      shown.set(hit.row, chunks.add(chunk.n));
      evidence.push(toEvidence(widest, chunk.n, chunk.text, hit.score));
    }
  }
  return evidence;
}

interface ChunkText {
  readonly n: number;
  readonly text: string;
}

/** The passages that a page of hits may show, in one query: the chunk that was hit, and the first, in each row's widest view. */
function chunkTexts(
  sql: SqlStorage,
  hits: readonly Hit[],
  served: ReadonlyMap<string, readonly ServedVersion[]>,
): (rec: number, n: number) => ChunkText | undefined {
  const wanted = hits.flatMap(({ row, view, n }): (readonly [number, number])[] => {
    const widest = served.get(row)?.[0];
    if (!widest) return [];
    return view === widest.view
      ? [[widest.rec, n]]
      : [
          [widest.rec, n],
          [widest.rec, 0],
        ];
  });
  const texts = new Map<string, ChunkText>();
  if (wanted.length > 0) {
    const rows = sql.exec<{ rec: number; n: number; text: string | null }>(
      `SELECT w.value ->> 0 AS rec, w.value ->> 1 AS n, coalesce(p.text, t.texts ->> ('$[' || (w.value ->> 1) || ']')) AS text
       FROM json_each(?) w LEFT JOIN entry e ON e.rec = w.value ->> 0 AND e.n = w.value ->> 1
       LEFT JOIN passage p ON p.no = e.no LEFT JOIN texts t ON t.rec = w.value ->> 0`,
      JSON.stringify(wanted),
    );
    for (const { rec, n, text } of rows) if (text !== null) texts.set(`${rec}.${n}`, { n, text });
  }
  return (rec, n) => texts.get(`${rec}.${n}`);
}

/**
 * Ids from outside as hits, order kept, ids that name nothing left out: stored ids (`storedId` of shared/ids.ts), document ids of
 * chunks (`<table>:<key>#<n>`) and of rows (their first chunk).
 */
export function resolveIds(
  sql: SqlStorage,
  ids: readonly { readonly id: string; readonly score: number }[],
): Hit[] {
  const { generation } = readMeta(sql);
  const hits: Hit[] = [];
  for (const { id, score } of ids) {
    const document = parseId(id);
    const stored = /^([A-Za-z0-9_-]{22})\.(\d{1,9})$/.exec(id);
    const [column, value] = document ? ["row", id.split("#")[0] ?? ""] : ["stored", stored?.[1] ?? ""];
    const n = document ? (document.n ?? 0) : Number(stored?.[2] ?? 0);
    const versions = sql
      .exec<{ row: string; view: string }>(
        `SELECT row, view FROM rec WHERE ${column} = ? AND gen_from <= ? AND gen_to > ?`,
        value,
        generation,
        generation,
      )
      .toArray();
    for (const { row, view } of versions) hits.push({ row, view, n, score });
  }
  return hits;
}

/** Whether a cached answer's rows are all still served to these classes at these versions, and how fresh their tables are. */
export function confirmRows(
  sql: SqlStorage,
  epoch: number,
  rows: readonly (readonly [row: string, version: string])[],
  classes: readonly string[],
): { readonly holds: boolean; readonly asOf: string } {
  if (rows.length === 0) {
    const times = visibleTimes(sql, classes);
    const asOf = times.reduce((oldest, time) => (time < oldest ? time : oldest), times[0] ?? "");
    return { holds: readMeta(sql).epoch === epoch, asOf };
  }
  // One statement, because every answer from the cache asks it.
  const { current, found, as_of } = sql
    .exec<{ current: number; found: number; as_of: string | null }>(
      `WITH now AS (SELECT coalesce(max(value) FILTER (WHERE name = 'generation'), 0) AS generation,
         coalesce(max(value) FILTER (WHERE name = 'epoch'), 0) AS epoch FROM meta)
       SELECT (SELECT epoch FROM now) AS current, count(DISTINCT w.key) AS found, min(t.as_of) AS as_of
       FROM now CROSS JOIN json_each(?) w JOIN rec r ON r.row = w.value ->> 0 AND r.version = w.value ->> 1
       JOIN class c ON c.no = r.class JOIN tbl t ON t.no = r.tbl
       WHERE t.as_of IS NOT NULL AND r.gen_from <= now.generation AND r.gen_to > now.generation
       AND c.id IN (SELECT value FROM json_each(?))`,
      JSON.stringify(rows),
      JSON.stringify(classes),
    )
    .one();
  return { holds: current === epoch && found === rows.length, asOf: as_of ?? "" };
}

/** `asOf` of every table in which these classes see a row. */
function visibleTimes(sql: SqlStorage, classes: readonly string[]): string[] {
  return sql
    .exec<{ as_of: string }>(
      `SELECT t.as_of AS as_of FROM tbl t WHERE t.as_of IS NOT NULL AND EXISTS (
         SELECT 1 FROM rec r JOIN class c ON c.no = r.class
         WHERE r.tbl = t.no AND r.gen_to = ? AND r.gen_from <= ? AND c.id IN (SELECT value FROM json_each(?)))`,
      NEVER,
      readMeta(sql).generation,
      JSON.stringify(classes),
    )
    .toArray()
    .map((row) => row.as_of);
}
