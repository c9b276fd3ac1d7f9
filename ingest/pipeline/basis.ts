import type { Config, TableConfig } from "../../shared/config.ts";
import type { PublishedTable, TableBefore } from "../../shared/ports/registry.ts";
import { makeHasher } from "../../shared/sha256.ts";
import { spaceOf } from "../../shared/space.ts";
import type { TableRead } from "./checkpoint.ts";
import type { IngestDeps, IngestOptions } from "./run.ts";
import { isDue } from "./reading.ts";
import { newScan } from "./scan.ts";
import { refOf } from "./table.ts";

/**
 * A table whose rows would be made of the same as what is served of it need not be read. What they are made of is one digest:
 * the revision that its source tells, those of the tables that it looks names up in, their configuration, the masks' key, the
 * space, and the code. Whatever is in doubt is read.
 */

/** Follows the basis of rows that were read by the table's cursor: they are believed until the table is to be read whole. */
const BY_CURSOR = " by cursor";

/** What a table's rows would be made of now. */
export interface Basis {
  readonly digest: string;
  /** The moment before which it was found, ISO 8601 UTC. */
  readonly asOf: string;
}

/** Undefined where a source can't tell a revision. @throws QuaysideError `cancelled`. */
export type BasisOf = (table: string) => Promise<Basis | undefined>;

export type BasisDeps = Pick<
  IngestDeps,
  "sourceOf" | "embedder" | "indexKind" | "maskKey" | "hasher" | "code" | "now"
>;

export function makeBasisOf(config: Config, deps: BasisDeps, signal: AbortSignal): BasisOf {
  const hasher = deps.hasher ?? makeHasher();
  const space = spaceOf(deps.embedder.id, deps.indexKind);

  /** A table's settings, its source's, and its revision. */
  const partOf = async (name: string, table: TableConfig): Promise<readonly unknown[] | undefined> => {
    const source = deps.sourceOf(table.source);
    try {
      const revision = await source.revision?.(refOf(name, table), signal);
      if (revision === undefined) return undefined;
      return [name, table, config.sources[table.source], source.origin ?? "", revision];
    } catch (error) {
      if (signal.aborted) throw error;
      // Whatever keeps a source from telling is met again by reading, which says what is wrong.
      return undefined;
    }
  };

  return async (name) => {
    const own = config.tables[name];
    if (!own || deps.code === undefined) return undefined;
    const asOf = new Date(deps.now()).toISOString();
    const parts: unknown[] = [];
    for (const used of new Set([name, ...lookedUp(own)])) {
      const table = config.tables[used];
      const part = table && (await partOf(used, table));
      if (!part) return undefined;
      parts.push(part);
    }
    const key = Object.values(own.columns ?? {}).some(({ mask }) => mask !== undefined) ? deps.maskKey : "";
    const digest = hasher.hash256(JSON.stringify([deps.code, space, config.redact ?? [], key ?? "", parts]));
    return { digest, asOf };
  };
}

/** Names of the tables that a table's foreign keys are shown by. */
function lookedUp(table: TableConfig): readonly string[] {
  return Object.values(table.lookups ?? {}).map((target) => target.split(".")[0] ?? "");
}

/** What tables would be made of now, by name: asked before any of them is read. Tables that can't be told are left out. */
export async function basesOf(names: readonly string[], basisOf: BasisOf): Promise<Map<string, Basis>> {
  const bases = new Map<string, Basis>();
  for (const name of names) {
    const basis = await basisOf(name);
    if (basis) bases.set(name, basis);
  }
  return bases;
}

/**
 * The tables that need not be read, as if they had been: what is served of them was made of what they would be made of now. None
 * where every table is to be read.
 */
export function unchangedTables(
  { config, full = false, readAll = false }: Pick<IngestOptions, "config" | "full" | "readAll">,
  bases: ReadonlyMap<string, Basis>,
  before: ReadonlyMap<string, TableBefore>,
): ReadonlyMap<string, TableRead> {
  const unchanged = new Map<string, TableRead>();
  if (full || readAll) return unchanged;
  for (const [name, { digest, asOf }] of bases) {
    const table = config.tables[name];
    const served = before.get(name)?.served;
    if (!table || !served?.basis?.startsWith(digest)) continue;
    const { basis, rows, chunks, cursor } = served;
    const byCursor = basis === digest + BY_CURSOR;
    if (byCursor ? !cursor || isDue(table, cursor, asOf) : basis !== digest) continue;
    const scan = newScan(name, new Set());
    scan.counts.unchanged = rows;
    scan.counts.skipped = true;
    scan.kept = chunks;
    unchanged.set(name, { asOf, rowsKnown: rows, scan, shape: undefined, basis, cursor });
  }
  return unchanged;
}

/**
 * What a run publishes. A table's basis goes with it only if it is still the same now that the table is read, and every row was
 * taken: rows that were held back, or have lost their label, are to be told of again.
 */
export async function publishedTables(
  config: Config,
  tables: ReadonlyMap<string, TableRead>,
  basisOf: BasisOf,
): Promise<PublishedTable[]> {
  const published: PublishedTable[] = [];
  for (const [name, { asOf, scan, shape, basis, cursor }] of tables) {
    const { key = [], rollup = false } = config.tables[name] ?? {};
    const { counts, ambiguous, unlabelled, since } = scan;
    const clean = counts.failed === 0 && ambiguous.size === 0 && unlabelled === 0;
    const same =
      counts.skipped === true || (basis !== undefined && clean && (await basisOf(name))?.digest === basis);
    const kept = same && basis !== undefined ? basis + (since ? BY_CURSOR : "") : undefined;
    published.push({ counts, asOf, key, rollup, shape, basis: kept, cursor });
  }
  return published;
}
