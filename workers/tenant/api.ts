import type { AuditEntry, AuditHead, Chained } from "../../shared/audit-wire.ts";
import type { AnswersApi } from "./api-answers.ts";
import type { Config } from "../../shared/config.ts";
import type { Near } from "../../shared/indexes/outside.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type {
  AccessClass,
  Batch,
  HeldBack,
  KnownRow,
  PublishedTable,
  Run,
  RunProgress,
  RunRequest,
  ServedBasis,
  TableCounts,
  TableShape,
} from "../../shared/ports/registry.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";

/**
 * What the two Durable Objects offer over RPC. The Ledger (one a tenant) decides; a Shard (one a space, more when a space is
 * split by table range) holds rows and, where it is used, the embedded index. Their failures are QuaysideErrors;
 * `workers/tenant/rpc.ts` carries them across.
 */

/** What one caller may do, decided by the ledger; memoised at most 5 s in an isolate. */
export interface Admission {
  readonly tenant: string;
  /** Rises with every change that can revoke something: policy, classes, erasure. */
  readonly epoch: number;
  /** The served generation; 0 before the first publish. */
  readonly generation: number;
  readonly configVersion: number;
  /** The served space; empty before the first publish. */
  readonly space: string;
  /** Access class ids that the caller is permitted, sorted. */
  readonly permitted: readonly string[];
  /** Tables in which the caller is permitted at least one class, in config order. */
  readonly tables: readonly AdmittedTable[];
  readonly config: Config;
}

export interface AdmittedTable {
  readonly table: string;
  readonly asOf: string;
  /** How far it may lie behind the warehouse, in milliseconds; undefined where the configuration says nothing. */
  readonly targetLagMs?: number | undefined;
  /** Rows served in all; shown to admins only. */
  readonly rows: number;
}

/** Where a run is carried out: inside the Worker, or by a program that can reach what only Node can. */
export type RunHost = "edge" | "node";

/** A run that somebody asks for. */
export interface RunTrigger {
  /** Undefined: every indexed table. */
  readonly tables: readonly string[] | undefined;
  /** Every row anew, changed or not. */
  readonly full: boolean;
  /** Every table read whole, those too whose sources say that nothing has changed. `full` reads them so in any case. */
  readonly readAll?: boolean | undefined;
  readonly trigger: RunRequest["trigger"];
  readonly host: RunHost;
  /** Makes a repetition known as one, for a day. Where `body` is given, another one under the same key is a conflict. */
  readonly once?: { readonly key: string; readonly body?: string };
  /** As the audit trail names whoever asks; undefined: the Worker itself. */
  readonly by?: string;
}

export interface Triggered {
  readonly id: string;
  /** `coalesced`: an equal run waits or runs already. `duplicate`: the very trigger came before. */
  readonly outcome: "queued" | "coalesced" | "duplicate";
}

/** A run that waits for somebody to lease it. */
export interface WaitingRun {
  readonly id: string;
  readonly tables: readonly string[];
  readonly full: boolean;
  readonly readAll: boolean;
  readonly trigger: RunRequest["trigger"];
}

export interface RunRecord {
  readonly id: string;
  readonly state: "queued" | "running" | "published" | "unchanged" | "failed" | "cancelled";
  readonly trigger: RunRequest["trigger"];
  readonly host: RunHost;
  readonly requestedAt: string;
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  readonly generation: number | undefined;
  /** Names of the tables that it is for. */
  readonly asked: readonly string[];
  readonly full: boolean;
  readonly readAll: boolean;
  /** What it has done, or has done so far. */
  readonly tables: readonly TableCounts[];
  readonly reason: string | undefined;
}

/** A run with the first of the rows that it holds back. */
export interface RunDetail extends RunRecord {
  readonly heldBack: readonly HeldBack[];
}

export interface TenantStatus {
  readonly configVersion: number;
  readonly epoch: number;
  readonly generation: number;
  readonly space: string;
  readonly tables: readonly AdmittedTable[];
  readonly runs: readonly RunRecord[];
}

/** What an erasure took away, over all spaces and generations. */
export interface ErasureRemoved {
  readonly rows: number;
  readonly chunks: number;
  /** From indexes outside the shards. */
  readonly vectors: number;
  /** Cached answers that rested on the row. */
  readonly answers: number;
  /** Its key among what runs have written down of rows. */
  readonly runs: number;
  /** Records of answers that named it. */
  readonly records: number;
}

/** What one place held of a row, and what of it is there when it is asked again. */
export interface Found {
  readonly removed: number;
  readonly left: number;
}

/** What was found of the row when each place was asked again after the removal: how many pieces. */
export interface ErasureProof {
  /** How many spaces were looked through, the served one included. */
  readonly spaces: number;
  /** Versions, staged work, words and vectors in the shards. */
  readonly registry: number;
  /** Entries of indexes outside the shards. */
  readonly index: number;
  readonly answers: number;
  readonly runs: number;
  readonly records: number;
}

export interface ErasureOutcome {
  readonly removed: ErasureRemoved;
  readonly proof: ErasureProof;
}

export interface ErasureReceipt extends ErasureOutcome {
  readonly id: string;
  readonly table: string;
  readonly requestedAt: string;
  /** When nothing was left anywhere; undefined while something is. */
  readonly erasedAt: string | undefined;
  /** The proof's sum. */
  readonly residue: number;
}

/** An API key as the ledger keeps it. */
export interface StoredKey {
  readonly id: string;
  /** What it is for; two live keys may share it, so that one can be replaced without a gap. */
  readonly name: string;
  /** SHA-256 of the secret, in base64url. */
  readonly digest: string;
  readonly tenant: string;
  readonly subject: string;
  readonly groups: readonly string[];
  readonly attributes: Readonly<Record<string, readonly string[]>>;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string;
  readonly revokedAt: string | undefined;
}

/** A space, and where its vectors lie outside the shards: `index` of the configuration that it was written under. */
export interface SpaceRef {
  readonly space: string;
  readonly index: Config["index"];
}

/** A run that may have flipped its shards without the ledger hearing of it: the next writer finishes it first. */
export interface Publication {
  readonly run: Run;
  /** Without the rows that were withheld. */
  readonly tables: readonly PublishedTable[];
  readonly epoch: number;
  /** Rows that were erased while runs were writing: to be erased again before the flip. */
  readonly erase: readonly string[];
  /** The run's space. */
  readonly space: SpaceRef;
}

/** What a shard says after a publish about one table that it serves. */
export interface ServedTable {
  readonly table: string;
  readonly asOf?: string;
  /** Rows served, each counted once however many views it has. */
  readonly rows: number;
  /** Access class ids of the rows served. */
  readonly classes: readonly string[];
}

/** What a shard serves once `publish` is done; the same again when the call is repeated. */
export interface ShardPublished {
  /** The generation that the shard now serves: the run's when anything was staged, else the one before. */
  readonly generation: number;
  /** Whether this call flipped anything. */
  readonly changed: boolean;
  /** Every table that the shard serves, those that this run did not read included. */
  readonly rows: readonly ServedTable[];
}

/** Operations are recorded in the audit trail. `by`: a pseudonym of whoever asked for one; undefined: the Worker itself. */
export interface LedgerApi extends AnswersApi {
  /** Adds to the end of the audit trail, in this order. */
  appendAudit(entries: readonly AuditEntry[]): Promise<AuditHead>;
  /** The trail after a record, at most `limit` of it, and its newest record. */
  audit(
    after: number,
    limit: number,
  ): Promise<{ readonly records: readonly Chained[]; readonly head: AuditHead }>;
  /** @throws `not_configured` before the first `publishConfig`. */
  admit(principal: Principal): Promise<Admission>;
  /** The published configuration; undefined before the first. */
  config(): Promise<
    { readonly version: number; readonly epoch: number; readonly config: Config } | undefined
  >;
  /**
   * Stores a parsed configuration; one equal to the current makes no new version. The epoch rises with each version.
   * `budgeted`: it has budgets, and the one before had none.
   */
  publishConfig(
    config: Config,
    by?: string,
  ): Promise<{
    readonly version: number;
    readonly epoch: number;
    readonly budgeted: boolean;
    readonly space: string;
  }>;
  /**
   * Takes the lease for 60 s. A repeated call with the same `key` returns the same run.
   * @throws `run_conflict` (who, since when, `retryAfterMs` until the lease ends), `guard_stopped` when a new space would miss tables.
   */
  begin(request: RunRequest, key: string, by?: string): Promise<Run>;
  /**
   * Renews the lease and stores the batch's classes; `used` are the class ids that its rows carry.
   * `erasures` is how many rows are erased for good: when not 0, ask `withheld`.
   * @throws `run_fenced`, `invalid_request` (a class whose id is not its label's, or a row whose class is unknown).
   */
  renew(
    run: Run,
    classes: readonly AccessClass[],
    used: readonly string[],
  ): Promise<{ readonly erasures: number }>;
  /** Keeps the vectors of the space's probe texts, unless it has some; returns those that it keeps. @throws `run_fenced`. */
  probe(run: Run, vectors: readonly Float32Array[]): Promise<readonly Float32Array[]>;
  /** Spaces that have not been served for a minute, to be dropped now; no run begins in one until it is `dropped`. */
  retired(): Promise<readonly SpaceRef[]>;
  dropped(space: string): Promise<void>;
  /** Which of these rows (hashes, see `hash128`) are erased and must not be staged; remembered for the run's counts. */
  withheld(run: Run, table: string, hashes: readonly string[]): Promise<readonly string[]>;
  /** What tables were like when they were last published, by name, and the served space. */
  shapes(): Promise<{ readonly space: string; readonly tables: readonly (readonly [string, TableShape])[] }>;
  /** Hashes of every row that is erased for good. */
  erasedRows(): Promise<readonly string[]>;
  /** A publication that was prepared and not finished: under way, or left half done by a crash. Finishing it twice is harmless. */
  pending(): Promise<Publication | undefined>;
  /** Writes down what is about to be published, before any shard flips. A number when this run has published already: its generation. */
  prepare(run: Run, tables: readonly PublishedTable[]): Promise<Publication | number>;
  /** Serves what the shards now serve. Repeating it returns the same generation. */
  publish(
    run: Run,
    tables: readonly PublishedTable[],
    served: ShardPublished,
  ): Promise<{ readonly generation: number }>;
  abandon(run: Run, reason: string): Promise<void>;
  /** Renews the lease, and writes down where the run is. @throws `run_fenced`. */
  report(run: Run, progress: RunProgress): Promise<void>;
  /** Asks for a run. @throws `idempotency_conflict`, `invalid_request` (no such table), `not_configured`. */
  trigger(asked: RunTrigger): Promise<Triggered>;
  /** Asks for runs of the tables that are due now. @param edge the tables that the Worker itself can read. */
  triggerDue(edge: readonly string[]): Promise<readonly Triggered[]>;
  /** The run that a host should lease next, and when another may be ready, in milliseconds since the epoch. */
  next(
    host: RunHost,
  ): Promise<{ readonly run: WaitingRun | undefined; readonly readyAt: number | undefined }>;
  /** A waiting run failed before it could be leased; it may be tried again, as if it had been. */
  refuse(id: string, reason: string): Promise<void>;
  run(id: string): Promise<RunDetail | undefined>;
  /** At most `limit` runs, newest first. */
  runs(limit: number): Promise<readonly RunRecord[]>;
  /** Ends a run for good, waiting or running; one that has ended stays as it is. Undefined: no such run. */
  cancel(id: string, by?: string): Promise<RunRecord | undefined>;
  status(): Promise<TenantStatus>;
  /** Erases a row for good: no later ingest brings it back. Repeating it returns the same receipt id; the epoch rises once. */
  suppress(
    table: string,
    row: string,
    by?: string,
  ): Promise<{ readonly id: string; readonly epoch: number; readonly spaces: readonly SpaceRef[] }>;
  /**
   * Has the records of answers name the row by its hash, as the audit trail does, and takes it out of the rows that runs hold
   * back; in what is written down later, too.
   */
  forget(row: string): Promise<{ readonly records: Found; readonly runs: Found }>;
  /** Writes the receipt once every place was asked to erase the row. */
  erased(id: string, outcome: ErasureOutcome): Promise<ErasureReceipt>;
  erasure(id: string): Promise<ErasureReceipt | undefined>;
  /** Repeating it changes nothing. @throws `invalid_request` when two live keys have the name already. */
  addKey(key: StoredKey, by?: string): Promise<void>;
  /** Whatever its state. */
  key(id: string): Promise<StoredKey | undefined>;
  /** Every key of a tenant, the newest first. */
  keys(tenant: string): Promise<readonly StoredKey[]>;
  /** For good. Repeating it changes nothing. @returns whether the tenant has such a key. */
  revokeKey(tenant: string, id: string, by?: string): Promise<boolean>;
}

export interface ShardQuery {
  /** Empty where `near` stands for it. */
  readonly vector: Float32Array;
  readonly text: string;
  readonly topK: number;
  readonly fusionWeight: number;
  readonly filter: Filter;
  /** What an outside index found near the question: the dense leg of a space whose vectors are not here. */
  readonly near?: Near | undefined;
}

export interface ShardApi {
  /** Idempotent by `(run.id, batch.seq)`; a batch with a fence lower than the highest seen is refused with `run_fenced`. */
  stage(run: Run, batch: Batch): Promise<void>;
  /** `stage` of an encoded batch (`shared/batch.ts`). @throws `malformed_json`, `invalid_request` beside what `stage` throws. */
  stageEncoded(bytes: Uint8Array): Promise<void>;
  /** One page of at most `limit` known rows of a table, in `(row, view)` order, after the given one. */
  known(
    table: string,
    after: { readonly row: string; readonly view: string } | undefined,
    limit: number,
  ): Promise<readonly KnownRow[]>;
  /** What is served of the tables that were published with a basis, where nothing is staged beside it. */
  bases(): Promise<readonly (readonly [string, ServedBasis])[]>;
  /**
   * Makes what is staged visible at once as generation `run.generation`; nothing staged moves only `asOf`.
   * Repeating the call changes nothing and reports the same generation.
   * @throws `guard_stopped` when the shard's own counts disagree with the run's; `run_conflict` when a skipped table is another.
   */
  publish(run: Run, tables: readonly PublishedTable[], epoch: number): Promise<ShardPublished>;
  /**
   * Serves generation `to`, the one before the served, once more, as generation `run.generation`. Repeating the call changes
   * nothing. @throws `invalid_request` when it is not kept.
   */
  rollBack(run: Run, to: number, epoch: number): Promise<ShardPublished>;
  /** Hybrid search and registry re-check in one call. Best first. */
  query(query: ShardQuery): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }>;
  recheck(
    hits: readonly { readonly id: string; readonly score: number }[],
    filter: Filter,
  ): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }>;
  /** Whether a cached answer still holds. Nothing but yes or no: an object costs the call more than what it asks. */
  holds(
    epoch: number,
    rows: readonly (readonly [string, string])[],
    classes: readonly string[],
  ): Promise<boolean>;
  /** Removes a row at once, from every generation; returns what was removed and what is left (0). */
  erase(
    row: string,
    epoch: number,
  ): Promise<{ readonly rows: number; readonly chunks: number; readonly residue: number }>;
  /** Forgets everything. */
  clear(): Promise<void>;
  /** Policy changed: answers cached under an older epoch no longer hold. */
  setEpoch(epoch: number): Promise<void>;
  stats(): Promise<{
    readonly rows: number;
    readonly chunks: number;
    readonly vectors: number;
    readonly sizeBytes: number;
  }>;
}
