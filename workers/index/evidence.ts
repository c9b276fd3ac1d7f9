import { chunkId, parseId } from "../../shared/ids.ts";
import type { Evidence, EvidenceCell } from "../../shared/ports/evidence.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";
import type { Known, ServedVersion } from "./known.ts";

/**
 * The last word on what a caller may see. Hits come from somewhere (the search beside this, a vector store outside, a cache);
 * what leaves here was found in the registry itself, in the served generation, in a class that the caller is permitted.
 * Nothing here trusts the search's own columns, so a filter that is wrong there shows nothing here.
 */

/** Those of a row's versions that the caller may see, the widest view first: it is the one with most cells. */
function permitted(
  versions: readonly ServedVersion[] = [],
  classes: ReadonlySet<string>,
  { tables, cells }: Filter,
): readonly ServedVersion[] {
  return versions.filter(
    (version) =>
      classes.has(version.accessClass) &&
      (tables === undefined || tables.includes(version.table)) &&
      hasCells(version.cells, cells),
  );
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
function toEvidence(version: ServedVersion, n: number, text: string, score: number): Evidence {
  return {
    id: chunkId(version.row, n),
    row: version.row,
    table: version.table,
    key: version.key,
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
  known: Known,
  pages: Iterable<readonly Hit[]>,
  filter: Filter,
  limit: number,
): Evidence[] {
  const classes = new Set(filter.classes);
  const shown = new Map<string, Set<number>>();
  const evidence: Evidence[] = [];
  for (const hits of pages) {
    const rows = [...new Set(hits.map((hit) => hit.row))];
    const served = known.versions(rows);
    const visible = new Map(rows.map((row) => [row, permitted(served.get(row), classes, filter)]));
    const inWidest = new Set(
      hits.filter((hit) => visible.get(hit.row)?.[0]?.view === hit.view).map((hit) => hit.row),
    );
    const textOf = chunkTexts(known, hits, visible);
    for (const hit of hits) {
      if (evidence.length === limit) return evidence;
      const versions = visible.get(hit.row) ?? [];
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

/** The passages that a page of hits may show: the chunk that was hit, and the first, in each row's widest view. */
function chunkTexts(
  known: Known,
  hits: readonly Hit[],
  visible: ReadonlyMap<string, readonly ServedVersion[]>,
): (rec: number, n: number) => ChunkText | undefined {
  const wanted = hits.flatMap(({ row, view, n }): string[] => {
    const widest = visible.get(row)?.[0];
    if (!widest) return [];
    return view === widest.view ? [`${widest.rec}.${n}`] : [`${widest.rec}.${n}`, `${widest.rec}.0`];
  });
  const texts = known.texts(wanted);
  return (rec, n) => {
    const text = texts.get(`${rec}.${n}`);
    return text === undefined ? undefined : { n, text };
  };
}

/**
 * Ids from outside as hits, order kept, ids that name nothing left out: stored ids (`storedId` of shared/ids.ts), document ids of
 * chunks (`<table>:<key>#<n>`) and of rows (their first chunk).
 */
export function resolveIds(
  sql: SqlStorage,
  known: Known,
  ids: readonly { readonly id: string; readonly score: number }[],
): Hit[] {
  const { generation } = known.meta();
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

/** Whether the epoch holds and a cached answer's rows are all still served to these classes at these versions. */
export function confirmRows(
  known: Known,
  epoch: number,
  rows: readonly (readonly [row: string, version: string])[],
  classes: readonly string[],
): boolean {
  const permitted = new Set(classes);
  const served = known.versions(rows.map(([row]) => row));
  return (
    known.meta().epoch === epoch &&
    rows.every(([row, version]) =>
      served.get(row)?.some((one) => one.version === version && permitted.has(one.accessClass)),
    )
  );
}
