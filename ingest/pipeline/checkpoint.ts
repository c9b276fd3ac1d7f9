import type { PersonalKind } from "../../shared/config.ts";
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
 * but for the slots of known rows. Nothing in it says what is in a row, but for the keys of rows that were held back.
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
