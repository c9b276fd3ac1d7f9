import type { BatchHead } from "../../shared/batch.ts";
import type { Config } from "../../shared/config.ts";
import { onAbort } from "../../shared/deadline.ts";
import { aborted } from "../../shared/http.ts";
import { hash128 } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  Batch,
  KnownRow,
  PublishedTable,
  Recheck,
  Registry,
  Run,
  RunRequest,
  TableBefore,
} from "../../shared/ports/registry.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { MEMO_MS } from "../admissions.ts";
import type { ErasableCache } from "../answer/cache-erase.ts";
import type { RunnerApi } from "../runner/api.ts";
import type {
  Admission,
  ErasureReceipt,
  Found,
  LedgerApi,
  Publication,
  ShardApi,
  SpaceRef,
  TenantStatus,
} from "./api.ts";
import { chunksOf, forgetVectors, viewsOf, type RowForgotten } from "./forget.ts";

/**
 * The registry of one tenant inside the Worker: the ledger decides, shards hold rows, and here the two are called in the
 * order that a crash can't hurt. `prepare` (ledger) -> `publish` (shard) -> `publish` (ledger): a crash before the shard
 * leaves the old generation served, one after it is finished by whoever writes next (`begin`, or `publish` again).
 */

/** Name of the n-th shard of a space; a space has one shard (n = 0) until it is split by table range. */
export async function shardName(tenant: string, space: string, n: number): Promise<string> {
  return `${tenant}:${await hash128(space)}:${n}`;
}

export interface TenantDeps {
  readonly tenant: string;
  /** Whoever asks for what is done, as the audit trail names them; undefined: the Worker itself. */
  readonly by?: string | undefined;
  readonly ledger: LedgerApi;
  /** By name; see `shardName`. Opens nothing. */
  shard(name: string): ShardApi;
  /** The index of a space that lies outside the shards; undefined for an embedded one. */
  readonly outside?: (space: SpaceRef) => Promise<VectorIndex | undefined>;
  /** Forgets every cached answer that rests on a row. */
  readonly answers?: Pick<ErasableCache, "erase">;
  /** Carries out runs inside the Worker, and has written down where they are. */
  readonly runner?: Pick<RunnerApi, "forget">;
  /** Waits. @throws QuaysideError once the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What the admin surface calls: the port, and what only an operator may do. */
export interface TenantRegistry extends Registry {
  /** `begin` that a caller may repeat with the same key, when the answer to the first got lost. */
  beginOnce(request: Omit<RunRequest, "tenant">, key: string, signal: AbortSignal): Promise<Run>;
  /** `commit` of a batch that came as bytes (`shared/batch.ts`): they go to the shard as they are. `head` is theirs. */
  commitEncoded(head: BatchHead, bytes: Uint8Array, signal: AbortSignal): Promise<void>;
  /** One page of `known`: at most `limit` rows after the given one. */
  page(
    run: Pick<Run, "space">,
    table: string,
    after: KnownAfter | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly KnownRow[]>;
  config(signal: AbortSignal): Promise<Config | undefined>;
  /** Ends once every isolate goes by it where the first budgets are published, so that no question asked from then on is answered unheld. */
  publishConfig(config: Config, signal: AbortSignal): Promise<{ readonly version: number }>;
  status(signal: AbortSignal): Promise<TenantStatus>;
  /** Erases a row from every shard and keeps it out for good. Unknown rows are erased alike. */
  erase(table: string, row: string, signal: AbortSignal): Promise<ErasureReceipt>;
  erasure(id: string, signal: AbortSignal): Promise<ErasureReceipt | undefined>;
  /**
   * Serves the generation before the served one once more, as the next.
   * @throws QuaysideError `run_conflict` while a run writes, `invalid_request` for a generation that is not kept.
   */
  rollBack(to: number, signal: AbortSignal): Promise<{ readonly generation: number }>;
  /** Drops the spaces that have not been served for a minute, here and in the outside index. */
  sweep(signal: AbortSignal): Promise<void>;
}

export type KnownAfter = Pick<KnownRow, "row" | "view">;

/** With these a shard has refused a publication for good. */
const FINAL: readonly string[] = ["guard_stopped", "run_conflict", "run_fenced"];

/** Where there is no such place. */
const NOTHING: Found = { removed: 0, left: 0 };

/** What an isolate may wait for the ledger's answer before it begins to remember it. */
const UNDER_WAY_MS = 1000;

/** Rows that one page of `known` carries: about 600 kB. */
export const KNOWN_PAGE = 5000;

export function makeTenantRegistry(deps: TenantDeps): TenantRegistry {
  const { ledger } = deps;
  const shardOf = async (space: string): Promise<ShardApi> =>
    deps.shard(await shardName(deps.tenant, space, 0));

  /** Flips the shard and tells the ledger; repeating it changes nothing. */
  async function flip(
    publication: Publication,
    signal: AbortSignal,
  ): Promise<{ readonly generation: number }> {
    const { run, tables, epoch, erase, space } = publication;
    const shard = await shardOf(run.space);
    // What a batch that was under way brought back.
    for (const row of erase) await forget(row, epoch, [space], signal);
    const served = await shard.publish(run, tables, epoch);
    return ledger.publish(run, tables, served);
  }

  async function shapes(): Promise<ReadonlyMap<string, TableBefore>> {
    const { space, tables } = await ledger.shapes();
    const served = new Map(space === "" ? [] : await (await shardOf(space)).bases());
    return new Map(tables.map(([name, shape]) => [name, { ...shape, served: served.get(name) }]));
  }

  /** Finishes what a crash left half done, so that no later run writes into a generation that is already visible. */
  async function settle(signal: AbortSignal): Promise<void> {
    const publication = await ledger.pending();
    if (!publication) return;
    try {
      await flip(publication, signal);
    } catch (error) {
      const final = error instanceof QuaysideError && FINAL.includes(error.code);
      if (!final) throw error;
      await ledger.abandon(publication.run, "its publication was refused");
    }
  }

  /** Drops the spaces that are served no longer, here and in the outside index. Cut short, it goes on the next time. */
  async function sweep(signal: AbortSignal): Promise<void> {
    for (const space of await ledger.retired()) {
      await (await deps.outside?.(space))?.drop(signal);
      await (await shardOf(space.space)).clear();
      await ledger.dropped(space.space);
    }
  }

  async function beginOnce(
    request: Omit<RunRequest, "tenant">,
    key: string,
    signal: AbortSignal,
  ): Promise<Run> {
    await settle(signal);
    // An old index that can't be reached any more holds up no run.
    await sweep(signal).catch(() => undefined);
    const run = await ledger.begin({ ...request, tenant: deps.tenant }, key, deps.by);
    const published = await ledger.config();
    // A shard that missed an epoch (a crash between ledger and shard) hears of it here.
    if (published) await (await shardOf(run.space)).setEpoch(published.epoch);
    return run;
  }

  async function commit(run: Run, batch: Batch): Promise<void> {
    const used = [...new Set(batch.rows.map((row) => row.accessClass))];
    const { erasures } = await ledger.renew(run, batch.classes, used);
    const allowed = erasures === 0 ? batch : await withoutErased(run, batch);
    await (await shardOf(run.space)).stage(run, allowed);
  }

  async function commitEncoded(head: BatchHead, bytes: Uint8Array): Promise<void> {
    const { erasures } = await ledger.renew(head.run, head.classes, head.used);
    const shard = await shardOf(head.run.space);
    if (erasures === 0) return shard.stageEncoded(bytes);
    const { decodeBatch } = await import("../../shared/batch.ts");
    const { run, batch } = decodeBatch(bytes);
    return shard.stage(run, await withoutErased(run, batch));
  }

  async function withoutErased(run: Run, batch: Batch): Promise<Batch> {
    const hashes = new Map<string, string>();
    for (const { row } of batch.rows) if (!hashes.has(row)) hashes.set(row, await hash128(row));
    const erased = new Set(await ledger.withheld(run, batch.table, [...hashes.values()]));
    return { ...batch, rows: batch.rows.filter(({ row }) => !erased.has(hashes.get(row) ?? "")) };
  }

  async function rollBack(to: number, signal: AbortSignal): Promise<{ readonly generation: number }> {
    const { space } = await ledger.status();
    if (space === "") throw new QuaysideError("not_configured", "Nothing is published yet.");
    const run = await beginOnce({ tables: [], space, trigger: "rollback" }, crypto.randomUUID(), signal);
    try {
      const prepared = await ledger.prepare(run, []);
      if (typeof prepared === "number") return { generation: prepared };
      if (await deps.outside?.(prepared.space)) {
        throw new QuaysideError(
          "invalid_request",
          "An outside index keeps one version of a row only: put the rows back in the warehouse and ingest.",
          { violations: [{ pointer: "/generation", rule: "not kept" }] },
        );
      }
      const served = await (await shardOf(space)).rollBack(run, to, prepared.epoch);
      return await ledger.publish(run, [], served);
    } catch (error) {
      await ledger.abandon(run, error instanceof QuaysideError ? error.code : "internal");
      throw error;
    }
  }

  async function page(
    run: Pick<Run, "space">,
    table: string,
    after: KnownAfter | undefined,
    limit: number,
  ): Promise<readonly KnownRow[]> {
    return (await shardOf(run.space)).known(table, after, limit);
  }

  async function publish(
    run: Run,
    tables: readonly PublishedTable[],
    signal: AbortSignal,
  ): Promise<{ readonly generation: number }> {
    const prepared = await ledger.prepare(run, tables);
    return typeof prepared === "number" ? { generation: prepared } : flip(prepared, signal);
  }

  async function erase(table: string, row: string, signal: AbortSignal): Promise<ErasureReceipt> {
    // From here on no answer that rests on it is used, and no run brings it back.
    const { id, epoch, spaces } = await ledger.suppress(table, row, deps.by);
    const rows = await forget(row, epoch, spaces, signal);
    const answers = (await deps.answers?.erase(row)) ?? NOTHING;
    const underWay = (await deps.runner?.forget(row)) ?? NOTHING;
    const { records, runs } = await ledger.forget(row);
    return ledger.erased(id, {
      removed: {
        ...rows.removed,
        answers: answers.removed,
        runs: runs.removed + underWay.removed,
        records: records.removed,
      },
      proof: {
        ...rows.proof,
        answers: answers.left,
        runs: runs.left + underWay.left,
        records: records.left,
      },
    });
  }

  /** Takes a row out of shards and outside indexes, and looks whether anything is left. */
  async function forget(
    row: string,
    epoch: number,
    spaces: readonly SpaceRef[],
    signal: AbortSignal,
  ): Promise<RowForgotten> {
    const removed = { rows: 0, chunks: 0, vectors: 0 };
    const proof = { spaces: spaces.length, registry: 0, index: 0 };
    const views = viewsOf((await ledger.config())?.config, row);
    for (const space of spaces) {
      const shard = await shardOf(space.space);
      const index = await deps.outside?.(space);
      if (index) {
        const { removed: vectors, left } = await forgetVectors(
          index,
          row,
          await chunksOf(shard, row, views),
          signal,
        );
        removed.vectors += vectors;
        proof.index += left;
      }
      const part = await shard.erase(row, epoch);
      removed.rows += part.rows;
      removed.chunks += part.chunks;
      proof.registry += part.residue;
    }
    return { removed, proof };
  }

  async function publishConfig(config: Config, signal: AbortSignal): Promise<{ readonly version: number }> {
    const { version, epoch, budgeted, space } = await ledger.publishConfig(config, deps.by);
    if (space !== "") await (await shardOf(space)).setEpoch(epoch);
    // Isolates that remember a configuration without budgets hold nothing for answers that are not shared.
    if (budgeted) await deps.sleep(MEMO_MS + UNDER_WAY_MS, signal);
    return { version };
  }

  return {
    begin: (request, signal) => within(signal, beginOnce(request, crypto.randomUUID(), signal)),
    beginOnce: (request, key, signal) => within(signal, beginOnce(request, key, signal)),
    probe: (run, vectors, signal) => within(signal, ledger.probe(run, vectors)),
    page: (run, table, after, limit, signal) => within(signal, page(run, table, after, limit)),
    known: (run, table, signal) => knownPages((after) => within(signal, page(run, table, after, KNOWN_PAGE))),
    erased: async (signal) => new Set(await within(signal, ledger.erasedRows())),
    shapes: (signal) => within(signal, shapes()),
    commit: (run, batch, signal) => within(signal, commit(run, batch)),
    commitEncoded: (head, bytes, signal) => within(signal, commitEncoded(head, bytes)),
    publish: (run, tables, signal) => within(signal, publish(run, tables, signal)),
    report: (run, progress, signal) => within(signal, ledger.report(run, progress)),
    abandon: (run, reason, signal) => within(signal, ledger.abandon(run, reason)),
    config: async (signal) => (await within(signal, ledger.config()))?.config,
    publishConfig: (config, signal) => within(signal, publishConfig(config, signal)),
    status: (signal) => within(signal, ledger.status()),
    erase: (table, row, signal) => within(signal, erase(table, row, signal)),
    rollBack: (to, signal) => within(signal, rollBack(to, signal)),
    erasure: (id, signal) => within(signal, ledger.erasure(id)),
    sweep: (signal) => within(signal, sweep(signal)),
  };
}

async function* knownPages(
  read: (after: KnownAfter | undefined) => Promise<readonly KnownRow[]>,
): AsyncGenerator<readonly KnownRow[]> {
  let after: KnownAfter | undefined;
  for (;;) {
    const rows = await read(after);
    if (rows.length > 0) yield rows;
    const last = rows.at(-1);
    if (!last || rows.length < KNOWN_PAGE) return;
    after = { row: last.row, view: last.view };
  }
}

/** The read side for one admitted caller: the shard's last word, narrowed to the tables that the caller was admitted to. */
export function makeRecheck(shard: ShardApi, admission: Pick<Admission, "tables">): Recheck {
  const tables = admission.tables.map(({ table }) => table);
  return {
    async recheck(hits, classes, signal) {
      return (await within(signal, shard.recheck(hits, { classes, tables }))).evidence;
    },
    holds: (epoch, rows, classes, signal) => within(signal, shard.holds(epoch, rows, classes)),
  };
}

/** RPC can't be cancelled: the caller stops waiting, the call runs out by itself. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let release: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(aborted(signal));
    else release = onAbort(signal, () => reject(aborted(signal)));
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    release?.();
  }
}
