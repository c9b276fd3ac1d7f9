import { shownKey } from "../../shared/ids.ts";
import { makeHasher } from "../../shared/sha256.ts";
import type { KnownRow, Registry, Run, TableCounts } from "../../shared/ports/registry.ts";
import type { Cell, Row, Since } from "../../shared/ports/source.ts";
import type { KnownRows, State } from "./known-rows.ts";
import { cellText } from "./cells.ts";
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
  /** From where on rows are read whole, and of others the key alone; undefined for a table that is read whole. */
  readonly since: Since | undefined;
  /**
   * Reading by the cursor falls short: more rows are new below it than are asked for one by one, or one that was asked for did
   * not come. Nothing of the table holds then, and it has to be read whole.
   */
  short: boolean;
}

/** A new or changed row, and the views of it that have to be made again. */
export interface Change {
  readonly prepared: PreparedRow;
  readonly views: readonly PreparedView[];
  readonly state: "added" | "changed";
}

const MAX_FAILURES = 100;
const READ_ROWS = 1000;
/** Rows that are asked for by their keys in one run and table; more are read with the whole table. */
const MAX_LATE = 1000;
/** Keys in one question, and their length together: a statement of BigQuery may have 1 MB. */
const LATE_KEYS = 250;
const LATE_UNITS = 100_000;

export function newScan(table: string, erased: ReadonlySet<string>, since?: Since): Scan {
  const counts = { table, read: 0, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 0 };
  return {
    erased,
    counts: since ? { ...counts, keys: 0 } : counts,
    failures: [],
    kept: 0,
    unlabelled: 0,
    ambiguous: new Set(),
    after: undefined,
    since,
    short: false,
  };
}

/** Counts a row that is not published. */
export function holdBack(scan: Scan, failure: Failure): void {
  scan.counts.failed += 1;
  if (scan.failures.length < MAX_FAILURES) scan.failures.push(failure);
}

/** A row as it was met: prepared, or by the cells of its key alone. */
interface Met {
  readonly row: string;
  readonly prepared: PreparedRow | undefined;
  readonly cells: readonly Cell[];
}

/**
 * Reads a table and yields what is new or changed against `known`, batch by batch (possibly empty ones, so that the reader
 * can report progress). Rows that can't be stored, and all rows that share a key, are counted and held back. Where the table is
 * read by its cursor, a row whose key alone came stays as it is known; one that is not known is asked for, whole, at the end
 * and before each pause: it was written late, or has been held back before.
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
  const { counts, since } = scan;
  const { key } = table.config;
  const views = table.views.map(({ name }) => name);
  const hasher = makeHasher();
  const isWhole = wholeBy(table, scan);
  /** Rows that are not known and came by their key alone, with the cells of it. */
  const late = new Map<string, readonly Cell[]>();
  let held: Met | undefined;
  let copies = 0;
  const fail = (failure: Failure): void => holdBack(scan, failure);
  const settle = (): Change | undefined => {
    if (!held) return undefined;
    const { row, prepared } = held;
    const failure: Failure = { table: table.name, key: shownKey(row), reason: "duplicate_key" };
    const shown = prepared ? prepared.views.map(({ plan }) => plan.name) : views;
    const before = shown.map((view) => known.stateOf(row, view)).filter((state) => state !== undefined);
    if (late.delete(row)) {
      scan.ambiguous.add(row);
      fail(failure);
    } else if (before.length > 0 && !scan.ambiguous.has(row)) {
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
    if (!prepared) {
      if (!known.meet(row, views)) {
        late.set(row, held.cells);
        return undefined;
      }
      counts.unchanged += 1;
      for (const view of views) scan.kept += known.chunksOf(row, view);
      return undefined;
    }
    const states = prepared.views.map((view) => known.see(row, view.plan.name, view.version));
    const state = overall(states);
    counts[state] += 1;
    for (const [i, view] of prepared.views.entries()) {
      if (states[i] === "unchanged") scan.kept += known.chunksOf(row, view.plan.name);
    }
    if (state === "unchanged") return undefined;
    if (state === "changed" && prepared.views.every(hasLostItsLabel)) scan.unlabelled += 1;
    return { prepared, views: prepared.views.filter((_, i) => states[i] !== "unchanged"), state };
  };
  /** @param counted whether its key was, before it came whole. */
  const take = async (raw: Row, found: Change[], counted = false): Promise<void> => {
    const prepared = isWhole(raw) ? await reader.prepare(raw) : undefined;
    const met = prepared ?? reader.identify(raw);
    if (scan.erased.size > 0) {
      // One that would be held back, too: nobody is to be told its key.
      const { row } = { row: undefined, ...(isFailure(met) ? reader.identify(raw) : met) };
      if (row !== undefined && scan.erased.has(hasher.hash128(row))) return;
    }
    if (!counted) counts.read += 1;
    if (counts.keys !== undefined) counts.keys += prepared ? (counted ? -1 : 0) : 1;
    if (isFailure(met)) return fail(met);
    if (held?.row === met.row) {
      copies += 1;
      return;
    }
    const change = settle();
    if (change) found.push(change);
    const cells = prepared ? [] : key.map((name) => raw[name] ?? null);
    held = {
      row: met.row,
      prepared: prepared && !isFailure(prepared) ? prepared : undefined,
      cells,
    };
    copies = 1;
  };
  const ended = function* (): Iterable<readonly Change[]> {
    const last = settle();
    held = undefined;
    if (last) yield [last];
  };

  let after: (() => string) | undefined;
  const mark = (make: () => string): void => void (after = make);
  const options = { key, batchSize: READ_ROWS, since, after: scan.after, mark, signal };
  scan.after = undefined;
  for await (const rows of table.source.read(table.shape, options)) {
    const found: Change[] = [];
    for (const raw of rows) await take(raw, found);
    yield found;
    if (late.size > MAX_LATE) {
      scan.short = true;
      return;
    }
    if (!after || !pause()) continue;
    scan.after = after();
    break;
  }
  yield* ended();
  const parts = portions(late);
  late.clear();
  for (const part of parts) {
    const missing = new Set(part.keys());
    const only = [...part.values()];
    for await (const rows of table.source.read(table.shape, { key, only, batchSize: READ_ROWS, signal })) {
      const found: Change[] = [];
      for (const raw of rows) {
        const { row } = { row: undefined, ...reader.identify(raw) };
        // A source that takes letters for equal gives more than it was asked for.
        if (row !== undefined && part.has(row)) await take(raw, found, missing.delete(row));
      }
      yield found;
    }
    yield* ended();
    if (missing.size === 0) continue;
    scan.short = true;
    return;
  }
}

/** Whether a row came whole: one that came by its key alone lacks every other column. */
function wholeBy(table: OpenTable, { since }: Scan): (row: Row) => boolean {
  const other = table.shape.columns.find(({ name }) => !table.config.key.includes(name));
  return since && other ? (row) => Object.hasOwn(row, other.name) : () => true;
}

/** Rows by their keys, as many as one question to a source may name. */
function portions(late: ReadonlyMap<string, readonly Cell[]>): ReadonlyMap<string, readonly Cell[]>[] {
  const parts: Map<string, readonly Cell[]>[] = [];
  let units = 0;
  for (const [row, cells] of late) {
    units += cells.reduce<number>((sum, cell) => sum + cellText(cell).length, 0);
    const last = parts.at(-1);
    if (last && last.size < LATE_KEYS && units <= LATE_UNITS) last.set(row, cells);
    else {
      parts.push(new Map([[row, cells]]));
      units = 0;
    }
  }
  return parts;
}

/** Nobody may see the row, though who may is read from it. */
function hasLostItsLabel({ accessClass, plan }: PreparedView): boolean {
  return accessClass.label.allowAny.length === 0 && plan.access.allowAny.length > 0;
}

/** A row is new when all of its views are, and unchanged when all of its views are. */
function overall(states: readonly State[]): "added" | "changed" | "unchanged" {
  const [first] = states;
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
