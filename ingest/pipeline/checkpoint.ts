import type { PersonalKind } from "../../shared/config.ts";
import { parseId, shownKey } from "../../shared/ids.ts";
import type { Run, TableCounts, TableCursor, TableShape } from "../../shared/ports/registry.ts";
import type { Since } from "../../shared/ports/source.ts";
import type { CommitStats } from "./commit.ts";
import type { EmbedStats } from "./embed.ts";
import type { SavedRows } from "./known-rows.ts";
import type { SavedRefused } from "./refused.ts";
import type { Failure } from "./rows.ts";
import type { Scan } from "./scan.ts";

/**
 * Where a run can be gone on with, by another process or after a crash: everything that the registry does not know. Plain data
 * but for the slots of known rows. Nothing in it says what is in a row, but for keys (of rows that were held back or met twice, and
 * where a source goes on behind one) and marks of cursors: `withoutRow` takes them out.
 */
export interface Checkpoint {
  readonly run: Run;
  /** Tables that were read, in their order; the last of them perhaps in part. */
  readonly read: readonly SavedTable[];
  /** The table that was read in part. */
  readonly open: OpenRead | undefined;
  /** Tables that this run reads whole, since their cursors fell short. */
  readonly whole: readonly string[];
  readonly refused: SavedRefused;
  readonly embedded: EmbedStats;
  readonly committed: CommitStats;
  readonly replacedCharacters: number;
  readonly redacted: readonly (readonly [PersonalKind, number])[];
}

export interface SavedTable {
  readonly asOf: string;
  /** Distinct rows that the registry knew before. */
  readonly rowsKnown: number;
  readonly counts: TableCounts;
  readonly failures: readonly Failure[];
  readonly ambiguous: readonly string[];
  readonly kept: number;
  readonly unlabelled: number;
  readonly shape: TableShape | undefined;
  readonly basis: string | undefined;
  readonly cursor: TableCursor | undefined;
  readonly since: Since | undefined;
}

export interface OpenRead {
  readonly table: string;
  /** See `ReadOptions.after`. */
  readonly after: string;
  readonly known: SavedRows;
}

/** A table as this run has read it so far. */
export interface TableRead {
  readonly asOf: string;
  readonly rowsKnown: number;
  readonly scan: Scan;
  /** Undefined for a table that was not read. */
  readonly shape: TableShape | undefined;
  /** See `PublishedTable.basis`, as it was before anything was read; undefined where the next run is to read the table in any case. */
  readonly basis: string | undefined;
  /** See `PublishedTable.cursor`. */
  readonly cursor: TableCursor | undefined;
}

/** What a run knows when it has just begun: it may be killed before its first pause. */
export function firstCheckpoint(run: Run): Checkpoint {
  return {
    run,
    read: [],
    open: undefined,
    whole: [],
    refused: [],
    embedded: { texts: 0, requests: 0, tokens: 0 },
    committed: { upserts: 0, deletes: 0, sample: [], chunks: 0 },
    replacedCharacters: 0,
    redacted: [],
  };
}

export function saveTable({ asOf, rowsKnown, scan, shape, basis, cursor }: TableRead): SavedTable {
  const { counts, failures, ambiguous, kept, unlabelled, since } = scan;
  const saved = {
    counts: { ...counts },
    failures: [...failures],
    ambiguous: [...ambiguous],
    kept,
    unlabelled,
    since,
  };
  return { asOf, rowsKnown, shape, basis, cursor, ...saved };
}

export function restoreTable(saved: SavedTable, erased: ReadonlySet<string>): TableRead {
  const { asOf, rowsKnown, shape, basis, cursor, counts, failures, ambiguous, kept, unlabelled, since } =
    saved;
  return {
    asOf,
    rowsKnown,
    shape,
    basis,
    cursor,
    scan: {
      erased,
      counts: { ...counts },
      failures: [...failures],
      kept,
      unlabelled,
      ambiguous: new Set(ambiguous),
      after: undefined,
      since,
      short: false,
    },
  };
}

/** A mark that is text, and no time or number, may be a value of any row. */
const TEXT_MARK = /[^+0-9.:TZeE -]/;

/**
 * The checkpoint of a run while a row of it is erased, without anything that may name the row. Where the run would go on behind
 * its key, or by a value of its cursor, the table is read anew: what was staged of it is known then.
 * @returns `pieces`: how many there were.
 */
export function withoutRow(
  checkpoint: Checkpoint,
  row: string,
): { readonly checkpoint: Checkpoint; readonly pieces: number } {
  const { table, keyValues = [] } = parseId(row) ?? {};
  let pieces = 0;
  const kept = <T>(items: readonly T[], names: (item: T) => boolean): readonly T[] => {
    const left = items.filter((item) => !names(item));
    pieces += items.length - left.length;
    return left;
  };
  const key = shownKey(row);
  const isText = ({ counts, cursor, since }: SavedTable): boolean =>
    counts.table === table && [cursor?.mark, since?.value].some((mark) => TEXT_MARK.test(mark ?? ""));
  const marked = checkpoint.read.some(isText);
  const stopped = checkpoint.open?.table === table && keyValues.includes(checkpoint.open?.after ?? "");
  if (stopped) pieces += 1;
  const anew = (name: string): boolean => name === table && (marked || stopped);
  const read = kept(checkpoint.read, isText)
    .filter(({ counts }) => !anew(counts.table))
    .map((saved) => ({
      ...saved,
      failures: kept(saved.failures, (failure) => failure.table === table && failure.key === key),
      ambiguous: kept(saved.ambiguous, (one) => one === row),
    }));
  const refused = checkpoint.refused
    .filter(([name]) => !anew(name))
    .map(([name, rows]) => [name, kept(rows, (one) => one === row)] as const);
  const open = anew(checkpoint.open?.table ?? "") ? undefined : checkpoint.open;
  const whole = marked ? [...checkpoint.whole, table ?? ""] : checkpoint.whole;
  return { checkpoint: { ...checkpoint, read, refused, open, whole }, pieces };
}
