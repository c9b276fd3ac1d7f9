import type { Config } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type {
  AccessClass,
  Batch,
  KnownRow,
  PublishedTable,
  Run,
  RunRequest,
  TableCounts,
} from "../../shared/ports/registry.ts";
import type { Filter } from "../../shared/ports/vector-index.ts";

/**
 * What the two Durable Objects offer over RPC. The Ledger (one a tenant) decides; a Shard (one a space, more when a space is
 * split by table range) holds rows and, where it is used, the embedded index. Errors cross RPC as `QuaysideError`-coded
 * messages; `workers/tenant/rpc.ts` restores them.
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
  /** Rows served in all; shown to admins only. */
  readonly rows: number;
}

export interface RunRecord {
  readonly id: string;
  readonly state: "running" | "published" | "unchanged" | "failed" | "cancelled";
  readonly trigger: RunRequest["trigger"];
  readonly startedAt: string;
  readonly finishedAt: string | undefined;
  readonly generation: number | undefined;
  readonly tables: readonly TableCounts[];
  readonly reason: string | undefined;
}

export interface TenantStatus {
  readonly configVersion: number;
  readonly epoch: number;
  readonly generation: number;
  readonly space: string;
  readonly tables: readonly { readonly table: string; readonly rows: number; readonly asOf: string }[];
  readonly runs: readonly RunRecord[];
}

export interface ErasureReceipt {
  readonly id: string;
  readonly table: string;
  readonly requestedAt: string;
  readonly erasedAt: string | undefined;
  /** Chunks and rows removed, over all spaces and generations; what is left anywhere. */
  readonly removed: { readonly rows: number; readonly chunks: number };
  readonly residue: number;
}

export interface LedgerApi {
  admit(principal: Principal): Promise<Admission>;
  publishConfig(config: Config): Promise<{ readonly version: number }>;
  begin(request: RunRequest): Promise<Run>;
  /** Renews the lease and stores the batch's classes. @throws `run_fenced`. */
  renew(run: Run, classes: readonly AccessClass[]): Promise<void>;
  publish(
    run: Run,
    tables: readonly PublishedTable[],
    changed: boolean,
  ): Promise<{ readonly generation: number }>;
  abandon(run: Run, reason: string): Promise<void>;
  status(): Promise<TenantStatus>;
  /** Rows that were erased: a later ingest must not bring them back. */
  suppress(row: string): Promise<{ readonly epoch: number }>;
  suppressed(): Promise<readonly string[]>;
}

export interface ShardQuery {
  readonly vector: Float32Array;
  readonly text: string;
  readonly topK: number;
  readonly fusionWeight: number;
  readonly filter: Filter;
}

export interface ShardApi {
  /** Idempotent by `(run.id, batch.seq)`; a batch with a fence lower than the highest seen is refused with `run_fenced`. */
  stage(run: Run, batch: Batch): Promise<void>;
  /** One page of at most `limit` known rows of a table, in `(row, view)` order, after the given one. */
  known(
    table: string,
    after: { readonly row: string; readonly view: string } | undefined,
    limit: number,
  ): Promise<readonly KnownRow[]>;
  /**
   * Makes the staged rows of this run visible at once. `changed` is false when nothing was staged: only `asOf` moves then.
   * @throws `guard_stopped` when the shard's own counts disagree with the run's.
   */
  publish(
    run: Run,
    tables: readonly PublishedTable[],
    epoch: number,
  ): Promise<{
    readonly changed: boolean;
    readonly rows: readonly { readonly table: string; readonly rows: number }[];
  }>;
  /** Hybrid search and registry re-check in one call. Best first. */
  query(query: ShardQuery): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }>;
  recheck(
    hits: readonly { readonly id: string; readonly score: number }[],
    filter: Filter,
  ): Promise<{ readonly evidence: readonly Evidence[]; readonly epoch: number }>;
  confirm(
    epoch: number,
    rows: readonly (readonly [string, string])[],
    classes: readonly string[],
  ): Promise<{ readonly holds: boolean; readonly asOf: string }>;
  /** Removes a row at once, from every generation; returns what was removed and what is left (0). */
  erase(
    row: string,
    epoch: number,
  ): Promise<{ readonly rows: number; readonly chunks: number; readonly residue: number }>;
  /** Policy changed: answers cached under an older epoch no longer hold. */
  setEpoch(epoch: number): Promise<void>;
  stats(): Promise<{
    readonly rows: number;
    readonly chunks: number;
    readonly vectors: number;
    readonly sizeBytes: number;
  }>;
}
