import { makeHasher } from "../../shared/sha256.ts";
import type { KnownRow, Registry, Run, TableCounts } from "../../shared/ports/registry.ts";
import type { KnownRows, State } from "./known-rows.ts";
import { isFailure, type Failure, type PreparedRow, type PreparedView, type RowReader } from "./rows.ts";
import type { OpenTable } from "./table.ts";

/** What reading one table has found so far. */
export interface Scan {
  /** Rows that were erased for good (see `Registry.erased`): to this run they do not exist. */
  readonly erased: ReadonlySet<string>;
  /** Counts so far; final once `changes` has ended and `deleted` is set. */
  readonly counts: { -readonly [K in keyof TableCounts]: TableCounts[K] };
  /** The first 100 rows held back. */
  readonly failures: Failure[];
  /** Chunks of the views that stay as they are. */
  kept: number;
  /** Changed rows that nobody may see now, though their access rule names columns: they have lost their label. */
  unlabelled: number;
  /**
   * Rows met twice, where what was staged of the first has to be taken back, or one more may come. Rows met twice in a row, by a
   * source that keeps key order, are neither.
   */
  readonly ambiguous: Set<string>;
  /** Where the source goes on behind what was read (see `ReadOptions.after`); set when reading paused before its end. */
  after: string | undefined;
}

/** A new or changed row, and the views of it that have to be made again. */
export interface Change {
  readonly prepared: PreparedRow;
  readonly views: readonly PreparedView[];
  readonly state: "added" | "changed";
}

const MAX_FAILURES = 100;
const READ_ROWS = 1000;

export function newScan(table: string, erased: ReadonlySet<string>): Scan {
  return {
    erased,
    counts: { table, read: 0, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
    failures: [],
    kept: 0,
    unlabelled: 0,
    ambiguous: new Set(),
    after: undefined,
  };
}

/** Counts a row that is not published. */
export function holdBack(scan: Scan, failure: Failure): void {
  scan.counts.failed += 1;
  if (scan.failures.length < MAX_FAILURES) scan.failures.push(failure);
}

/**
 * Reads a table and yields what is new or changed against `known`, batch by batch (possibly empty ones, so that the reader
 * can report progress). Rows that can't be stored, and all rows that share a key, are counted and held back.
 * @param refused rows of this table that were yielded, and have been held back since.
 * @param pause asked after each batch that the source can be gone on behind: true ends the reading there, `scan.after` set.
 */
export async function* changes(
  table: OpenTable,
  reader: RowReader,
  known: KnownRows,
  scan: Scan,
  signal: AbortSignal,
  pause: () => boolean = () => false,
  refused: (row: string) => boolean = () => false,
): AsyncIterable<readonly Change[]> {
  const { counts } = scan;
  const hasher = makeHasher();
  let held: PreparedRow | undefined;
  let copies = 0;
  const fail = (failure: Failure): void => holdBack(scan, failure);
  const settle = (): Change | undefined => {
    if (!held) return undefined;
    const { row, key } = held;
    const failure: Failure = { table: table.name, key: key.slice(0, 200), reason: "duplicate_key" };
    const before = held.views.map((view) => known.stateOf(row, view.plan.name));
    if (before.some((state) => state !== undefined) && !scan.ambiguous.has(row)) {
      // What was staged of the one met before has to be taken back.
      scan.ambiguous.add(row);
      if (!refused(row)) {
        counts[overall(before)] -= 1;
        fail(failure);
      } else if (overall(before) === "changed") {
        // Counted as deleted when it was refused, and again when everything of an ambiguous row is found gone.
        counts.deleted -= 1;
      }
    }
    // In no order, and behind a pause, one more copy may come.
    if (copies > 1 && (scan.after !== undefined || !table.source.ordered)) scan.ambiguous.add(row);
    if (copies > 1 || scan.ambiguous.has(row)) {
      for (let n = 0; n < copies; n++) fail(failure);
      return undefined;
    }
    const states = held.views.map((view) => known.see(row, view.plan.name, view.version));
    const state = overall(states);
    counts[state] += 1;
    for (const [i, view] of held.views.entries()) {
      if (states[i] === "unchanged") scan.kept += known.chunksOf(row, view.plan.name);
    }
    if (state === "unchanged") return undefined;
    if (state === "changed" && held.views.every(hasLostItsLabel)) scan.unlabelled += 1;
    return { prepared: held, views: held.views.filter((_, i) => states[i] !== "unchanged"), state };
  };

  let after: (() => string) | undefined;
  const mark = (make: () => string): void => void (after = make);
  const options = { key: table.config.key, batchSize: READ_ROWS, after: scan.after, mark, signal };
  scan.after = undefined;
  for await (const rows of table.source.read(table.shape, options)) {
    const found: Change[] = [];
    for (const raw of rows) {
      const prepared = await reader.prepare(raw);
      counts.read += 1;
      if (isFailure(prepared)) {
        fail(prepared);
        continue;
      }
      if (scan.erased.size > 0 && scan.erased.has(hasher.hash128(prepared.row))) {
        counts.read -= 1;
        continue;
      }
      if (held?.row === prepared.row) {
        copies += 1;
        continue;
      }
      const change = settle();
      if (change) found.push(change);
      held = prepared;
      copies = 1;
    }
    yield found;
    if (!after || !pause()) continue;
    scan.after = after();
    break;
  }
  const last = settle();
  if (last) yield [last];
}

/** Nobody may see the row, though who may is read from it. */
function hasLostItsLabel({ accessClass, plan }: PreparedView): boolean {
  return accessClass.label.allowAny.length === 0 && plan.access.allowAny.length > 0;
}

/** A row is new when all of its views are, and unchanged when all of its views are. */
function overall(states: readonly (State | undefined)[]): "added" | "changed" | "unchanged" {
  const first = states.find((state) => state !== undefined);
  if (first === undefined || first === "duplicate") return "changed";
  return states.every((state) => state === first) ? first : "changed";
}

/** A view of a row that the registry has and the warehouse has not. */
export interface Gone {
  readonly row: string;
  readonly view: string;
  /** How many chunks it has. */
  readonly chunks: number;
  /** The first chunk to remove; default 0: all of them. */
  readonly from?: number;
}

/** Everything of one table that has to go. */
export interface Removal {
  /** Distinct rows of which nothing is left; rows whose removal was staged before are not counted again. */
  readonly rows: number;
  /** The views to remove, in pages. */
  pages(): AsyncIterable<readonly Gone[]>;
}

/** Up to this many are kept from counting to removing; more are read from the registry once more. */
const MAX_KEPT = 20_000;

/**
 * What the registry knows of a table and this run has not met, and everything of ambiguous rows. Asks the registry only
 * when something is gone, so that memory stays flat and an unchanged table costs nothing.
 */
export async function findGone(
  registry: Pick<Registry, "known">,
  run: Pick<Run, "space">,
  table: string,
  known: KnownRows,
  scan: Scan,
  signal: AbortSignal,
): Promise<Removal> {
  let rows = 0;
  let kept: Gone[] | undefined = [];
  if (known.unseen > 0 || scan.ambiguous.size > 0) {
    let row = "";
    let left = false;
    let lost = false;
    for await (const page of registry.known(run, table, signal)) {
      for (const item of page) {
        if (item.row !== row) {
          if (lost && !left) rows += 1;
          row = item.row;
          left = false;
          lost = false;
        }
        if (!isGone(item, known, scan)) left = true;
        else {
          // Known before this run, and not yet staged for removal.
          if (item.version !== "" && known.chunksOf(item.row, item.view) > 0) lost = true;
          kept?.push({ row: item.row, view: item.view, chunks: item.chunks });
        }
      }
      if (kept && kept.length > MAX_KEPT) kept = undefined;
    }
    if (lost && !left) rows += 1;
  }
  return {
    rows,
    async *pages() {
      if (kept) {
        if (kept.length > 0) yield kept;
        return;
      }
      for await (const page of registry.known(run, table, signal)) {
        const views = page.filter((item) => isGone(item, known, scan));
        if (views.length > 0) yield views.map(({ row, view, chunks }) => ({ row, view, chunks }));
      }
    },
  };
}

function isGone(item: KnownRow, known: KnownRows, scan: Scan): boolean {
  return known.stateOf(item.row, item.view) === undefined || scan.ambiguous.has(item.row);
}
