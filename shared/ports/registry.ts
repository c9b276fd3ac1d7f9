import type { Classification, Evidence, EvidenceCell } from "./evidence.ts";

/** `shared/policy.ts`: who may see a row. Every inner list is a conjunction of grants; see `docs/security.md`. */
export interface Label {
  /** At least one conjunction must be wholly held. Empty means nobody. */
  readonly allowAny: readonly (readonly string[])[];
  /** Every one must be held. */
  readonly allowAll: readonly string[];
  /** Holding any of these hides the row, whatever else is held. */
  readonly deny: readonly string[];
}

export interface AccessClass {
  /** 22 characters: base64url of 128 bits of SHA-256 over the canonical label and classification. */
  readonly id: string;
  readonly label: Label;
  readonly classification: Classification;
}

/** A chunk as ingest made it. `vector` and `lexical` are absent when both legs live in an index of their own. */
export interface StagedChunk {
  /** 0-based position in the row. */
  readonly n: number;
  /** What was embedded, and what a model reads. */
  readonly text: string;
  /** The lexical leg's fields, plain text; the index analyses them. */
  readonly lexical: LexicalFields | undefined;
  readonly vector: Float32Array | undefined;
}

export interface LexicalFields {
  /** The row's name: title column(s). */
  readonly title: string;
  /** The row's own values (of this chunk). */
  readonly body: string;
  /** Names looked up through foreign keys. */
  readonly labels: string;
  /** Table and column names and descriptions. */
  readonly meta: string;
}

/** One view of one row. `row` is `<table>:<key>`; a table with column-level access has several views of a row, each its own class. */
export interface StagedRow {
  readonly row: string;
  readonly view: string;
  /** 22 characters: base64url of 128 bits of SHA-256 over everything that ingest derived from the row. */
  readonly version: string;
  readonly accessClass: string;
  readonly title: string;
  readonly cells: readonly EvidenceCell[];
  /** The row's own change time where the table names a column for it, ISO 8601 UTC. */
  readonly changedAt: string | undefined;
  readonly url: string | undefined;
  readonly chunks: readonly StagedChunk[];
}

/** A run's right to write. A later run's fence is larger; a batch with an old fence is refused with `run_fenced`. */
export interface Run {
  readonly id: string;
  readonly fence: number;
  /** The generation that this run will publish. */
  readonly generation: number;
  /** The space that this run writes to. */
  readonly space: string;
}

export interface RunRequest {
  readonly tenant: string;
  readonly tables: readonly string[];
  /**
   * Identity of the space that this run writes: embedder, chunker and index, one string. Another one than the current
   * starts a new space alongside; vectors of two spaces never mix.
   */
  readonly space: string;
  readonly trigger: "cli" | "api" | "cron" | "webhook" | "rollback";
  /** The id of a run that waits to be carried out: this lease is for it. Absent for one that begins at once. */
  readonly requested?: string;
  /** Takes a lease that is still alive, for a caller who knows that its holder is dead; the fence keeps it out if it is not. */
  readonly takeOver?: boolean;
}

/** What one table's part of a run did, for the manifest and for people. */
export interface TableCounts {
  readonly table: string;
  readonly read: number;
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  readonly unchanged: number;
  /** Rows held back: unreadable, or a label could not be computed. */
  readonly failed: number;
  /** It was not read, since nothing that its rows are made of has changed: all that are served count as unchanged. */
  readonly skipped?: true | undefined;
  /** Of the rows read, those of which the key alone was: the rest of them is known. Absent where the table was read whole. */
  readonly keys?: number | undefined;
}

/** A row that a run holds back: never published, and taken out where an earlier version was. */
export interface HeldBack {
  readonly table: string;
  /** The key in text form, as far as it could be read; at most 200 characters. */
  readonly key: string;
  readonly reason: string;
}

/** Where a run is. */
export interface RunProgress {
  /** The tables that it has finished included. */
  readonly tables: readonly TableCounts[];
  /** The first of the rows held back, at most 200; `failed` counts all. */
  readonly heldBack: readonly HeldBack[];
}

/** What of a table's source the next run is compared with. */
export interface TableShape {
  /** `Source.origin`. */
  readonly origin: string | undefined;
  /** Types of its columns (`Column.type`), by name. */
  readonly columns: Readonly<Record<string, string>>;
  /** Fields of its columns that are declared records, by column. */
  readonly fields?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** From where on a table can be read by its cursor. */
export interface TableCursor {
  /** The highest value of the cursor when the table was last read, or less, as the text of its cell. */
  readonly mark: string;
  /** The moment up to which the table was last read whole, ISO 8601 UTC. */
  readonly wholeAt: string;
  /** Digest of everything that its rows were made of beside their own cells. */
  readonly made: string;
}

/** What is known of a table since its last publication. */
export interface TableBefore extends TableShape {
  /** What is served of it; absent where it was published without either, was rolled back, or something is staged beside it. */
  readonly served?: ServedBasis | undefined;
}

export interface ServedBasis {
  /** See `PublishedTable.basis`. */
  readonly basis?: string | undefined;
  /** See `PublishedTable.cursor`. */
  readonly cursor?: TableCursor | undefined;
  readonly rows: number;
  /** Of all views of these rows. */
  readonly chunks: number;
}

export interface PublishedTable {
  readonly counts: TableCounts;
  /** When reading this table began, ISO 8601 UTC: the answers' `as_of`. */
  readonly asOf: string;
  /** The table's key columns, in order. */
  readonly key: readonly string[];
  readonly rollup: boolean;
  /** Undefined leaves what is known of it. */
  readonly shape?: TableShape | undefined;
  /**
   * Digest of everything that the table's rows were made of. Of a skipped table: the basis of what is served. Undefined: the next
   * run has to read it.
   */
  readonly basis?: string | undefined;
  /** For a table that is read by a cursor. Undefined: the next run reads it whole. Of a skipped table what is kept stays. */
  readonly cursor?: TableCursor | undefined;
}

/** `(row, view)` and version of everything staged or published for a table, as stored ids and hashes. */
export interface KnownRow {
  readonly row: string;
  readonly view: string;
  /** Empty for a staged removal, which no row of the warehouse equals. */
  readonly version: string;
  /** How many chunks it has: their ids follow from it. */
  readonly chunks: number;
}

/**
 * The row registry as ingest sees it: the truth about what is indexed, and the only way anything becomes visible.
 * Two adapters: the Durable Objects themselves inside the Worker, and `/v1/admin/…` for the CLI.
 * Methods reject with QuaysideError `run_conflict` (another run holds the lease), `run_fenced` (this run lost it),
 * `registry_unavailable`, `guard_stopped`, `deadline_exceeded`, `cancelled`.
 */
export interface Registry {
  /** Takes the tenant's ingest lease (renewed by every `commit`). */
  begin(request: RunRequest, signal: AbortSignal): Promise<Run>;

  /**
   * What is known of a table in the run's space, staged work of interrupted runs included, in `row` order. A row whose removal
   * is staged is left out, or has an empty version. Only reads: needs no lease.
   */
  known(run: Pick<Run, "space">, table: string, signal: AbortSignal): AsyncIterable<readonly KnownRow[]>;

  /**
   * Rows that were erased for good, as `hash128` of their row ids. Ingest leaves them out before anything is embedded, and out
   * of every count; the registry keeps them out in any case.
   */
  erased(signal: AbortSignal): Promise<ReadonlySet<string>>;

  /** What tables were like when they were last published, by name, and what the served space has of them. */
  shapes(signal: AbortSignal): Promise<ReadonlyMap<string, TableBefore>>;

  /**
   * Keeps the vectors that the run's embedder gives for the probe texts, unless the run's space has some already, and returns
   * those that the space has: they tell a model that was changed behind its name.
   */
  probe(run: Run, vectors: readonly Float32Array[], signal: AbortSignal): Promise<readonly Float32Array[]>;

  /**
   * Stages one batch: classes, new or changed rows, and rows that are gone. Nothing is visible until `publish`.
   * Idempotent by `(run, seq)`: a repeated batch changes nothing.
   */
  commit(run: Run, batch: Batch, signal: AbortSignal): Promise<void>;

  /**
   * Makes everything staged visible at once, as the next generation, after the registry's own counts agree with `tables`.
   * A run that changed nothing publishes no generation, only newer `asOf` times. Returns the generation now served.
   * Rejects with `run_conflict` when a skipped table's basis is no longer what is served, or something is staged beside it.
   */
  publish(
    run: Run,
    tables: readonly PublishedTable[],
    signal: AbortSignal,
  ): Promise<{ readonly generation: number }>;

  /** Tells where the run is, and renews the lease. */
  report(run: Run, progress: RunProgress, signal: AbortSignal): Promise<void>;

  /** Gives the lease back without publishing; staged work is kept for the next run to resume. */
  abandon(run: Run, reason: string, signal: AbortSignal): Promise<void>;
}

export interface Batch {
  /** Rising, and never used twice within a run for two batches; the registry remembers those that it took. */
  readonly seq: number;
  readonly table: string;
  readonly classes: readonly AccessClass[];
  readonly rows: readonly StagedRow[];
  /**
   * The chunks of `rows` are still to be written to an outside index. Until a later batch of the run names this one in `written`,
   * the rows are known without a version, with the most chunks that any of their versions has: a run that finds them so writes
   * or deletes them.
   */
  readonly pending?: true | undefined;
  /** `seq` of earlier batches of this run whose chunks are written. */
  readonly written?: readonly number[] | undefined;
  /** `(row, view)` pairs that the warehouse no longer has. */
  readonly gone: readonly { readonly row: string; readonly view: string }[];
}

/** The registry as an answer sees it: the last word on what a caller may see. */
export interface Recheck {
  /**
   * Confirms stored chunk ids (as a vector store returned them) for a caller: row present in the served generation,
   * class among `classes`, not erased. Unknown, foreign and deleted ids are alike: left out. Order and scores are kept.
   */
  recheck(
    hits: readonly { readonly id: string; readonly score: number }[],
    classes: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly Evidence[]>;

  /** Whether a cached answer still holds: same epoch, and every row still visible at the same version. One call. */
  holds(
    epoch: number,
    rows: readonly (readonly [string, string])[],
    classes: readonly string[],
    signal: AbortSignal,
  ): Promise<boolean>;
}
