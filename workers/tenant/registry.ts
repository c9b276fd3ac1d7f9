import type { Config } from "../../shared/config.ts";
import { aborted } from "../../shared/http.ts";
import { hash128, storedId } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  Batch,
  KnownRow,
  PublishedTable,
  Recheck,
  Registry,
  Run,
  RunRequest,
} from "../../shared/ports/registry.ts";
import type { Admission, ErasureReceipt, LedgerApi, Publication, ShardApi, TenantStatus } from "./api.ts";

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
  readonly ledger: LedgerApi;
  /** By name; see `shardName`. Opens nothing. */
  shard(name: string): ShardApi;
  /** Removes chunks of a space from an index outside the shards, by stored id; absent for the embedded index. */
  readonly purge?: (space: string, ids: readonly string[], signal: AbortSignal) => Promise<void>;
}

/** What the admin surface calls: the port, and what only an operator may do. */
export interface TenantRegistry extends Registry {
  /** `begin` that a caller may repeat with the same key, when the answer to the first got lost. */
  beginOnce(request: Omit<RunRequest, "tenant">, key: string, signal: AbortSignal): Promise<Run>;
  /** One page of `known`: at most `limit` rows after the given one. */
  page(
    run: Pick<Run, "space">,
    table: string,
    after: KnownAfter | undefined,
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly KnownRow[]>;
  config(signal: AbortSignal): Promise<Config | undefined>;
  publishConfig(config: Config, signal: AbortSignal): Promise<{ readonly version: number }>;
  status(signal: AbortSignal): Promise<TenantStatus>;
  /** Erases a row from every shard and keeps it out for good. Unknown rows are erased alike. */
  erase(table: string, row: string, signal: AbortSignal): Promise<ErasureReceipt>;
  erasure(id: string, signal: AbortSignal): Promise<ErasureReceipt | undefined>;
}

export type KnownAfter = Pick<KnownRow, "row" | "view">;

/** Rows that one page of `known` carries: about 600 kB. */
export const KNOWN_PAGE = 5000;

export function makeTenantRegistry(deps: TenantDeps): TenantRegistry {
  const { ledger } = deps;
  const shardOf = async (space: string): Promise<ShardApi> =>
    deps.shard(await shardName(deps.tenant, space, 0));

  /** Flips the shard and tells the ledger; repeating it changes nothing. */
  async function flip(publication: Publication): Promise<{ readonly generation: number }> {
    const { run, tables, epoch, erase } = publication;
    const shard = await shardOf(run.space);
    for (const row of erase) await shard.erase(row, epoch);
    const served = await shard.publish(run, tables, epoch);
    return ledger.publish(run, tables, served);
  }

  /** Finishes what a crash left half done, so that no later run writes into a generation that is already visible. */
  async function settle(): Promise<void> {
    const publication = await ledger.pending();
    if (!publication) return;
    try {
      await flip(publication);
    } catch (error) {
      const final = error instanceof QuaysideError && ["guard_stopped", "run_fenced"].includes(error.code);
      if (!final) throw error;
      await ledger.abandon(publication.run, "its publication was refused");
    }
  }

  async function beginOnce(request: Omit<RunRequest, "tenant">, key: string): Promise<Run> {
    await settle();
    const run = await ledger.begin({ ...request, tenant: deps.tenant }, key);
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

  async function withoutErased(run: Run, batch: Batch): Promise<Batch> {
    const hashes = new Map<string, string>();
    for (const { row } of batch.rows) if (!hashes.has(row)) hashes.set(row, await hash128(row));
    const erased = new Set(await ledger.withheld(run, batch.table, [...hashes.values()]));
    return { ...batch, rows: batch.rows.filter(({ row }) => !erased.has(hashes.get(row) ?? "")) };
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
  ): Promise<{ readonly generation: number }> {
    const prepared = await ledger.prepare(run, tables);
    return typeof prepared === "number" ? { generation: prepared } : flip(prepared);
  }

  async function erase(table: string, row: string, signal: AbortSignal): Promise<ErasureReceipt> {
    const { id, epoch, spaces } = await ledger.suppress(table, row);
    const removed = { rows: 0, chunks: 0, residue: 0 };
    for (const space of spaces) {
      const shard = await shardOf(space);
      if (deps.purge) await deps.purge(space, await storedIdsOf(shard, table, row), signal);
      const part = await shard.erase(row, epoch);
      removed.rows += part.rows;
      removed.chunks += part.chunks;
      removed.residue += part.residue;
    }
    return ledger.erased(id, removed);
  }

  async function publishConfig(config: Config): Promise<{ readonly version: number }> {
    const { version, epoch, space } = await ledger.publishConfig(config);
    if (space !== "") await (await shardOf(space)).setEpoch(epoch);
    return { version };
  }

  return {
    begin: (request, signal) => within(signal, beginOnce(request, crypto.randomUUID())),
    beginOnce: (request, key, signal) => within(signal, beginOnce(request, key)),
    page: (run, table, after, limit, signal) => within(signal, page(run, table, after, limit)),
    known: (run, table, signal) => knownPages((after) => within(signal, page(run, table, after, KNOWN_PAGE))),
    erased: async (signal) => new Set(await within(signal, ledger.erasedRows())),
    commit: (run, batch, signal) => within(signal, commit(run, batch)),
    publish: (run, tables, signal) => within(signal, publish(run, tables)),
    report: (run, tables, signal) => within(signal, ledger.report(run, tables)),
    abandon: (run, reason, signal) => within(signal, ledger.abandon(run, reason)),
    config: async (signal) => (await within(signal, ledger.config()))?.config,
    publishConfig: (config, signal) => within(signal, publishConfig(config)),
    status: (signal) => within(signal, ledger.status()),
    erase: (table, row, signal) => within(signal, erase(table, row, signal)),
    erasure: (id, signal) => within(signal, ledger.erasure(id)),
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

/** Stored ids of every chunk of every view of a row: what an outside index has to forget. */
async function storedIdsOf(shard: ShardApi, table: string, row: string): Promise<readonly string[]> {
  // The empty view sorts before every view of the row.
  const rows = await shard.known(table, { row, view: "" }, 64);
  const ids: string[] = [];
  for (const known of rows) {
    if (known.row !== row) continue;
    for (let n = 0; n < known.chunks; n++) ids.push(await storedId(row, known.view, n));
  }
  return ids;
}

/** The read side for one admitted caller: the shard's last word, narrowed to the tables that the caller was admitted to. */
export function makeRecheck(shard: ShardApi, admission: Pick<Admission, "tables">): Recheck {
  const tables = admission.tables.map(({ table }) => table);
  return {
    async recheck(hits, classes, signal) {
      return (await within(signal, shard.recheck(hits, { classes, tables }))).evidence;
    },
    confirm: (epoch, rows, classes, signal) => within(signal, shard.confirm(epoch, rows, classes)),
  };
}

/** RPC can't be cancelled: the caller stops waiting, the call runs out by itself. */
async function within<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(signal));
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}
