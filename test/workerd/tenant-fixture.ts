import { env } from "cloudflare:workers";
import { storedId } from "../../shared/ids.ts";
import { classOf } from "../../shared/policy.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, PublishedTable, Run, RunRequest } from "../../shared/ports/registry.ts";
import type { IndexEntry } from "../../shared/ports/vector-index.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import {
  makeTenantRegistry,
  shardName,
  type TenantDeps,
  type TenantRegistry,
} from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { CONTRACT_CONFIG } from "../contract/registry-harness.ts";

/** A tenant of its own for each test: registry, ledger and shard, in which the Worker may die anywhere. */

export const SPACE = "space-1";
export const everyone = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");
/** Without a time limit: this module is loaded once for all files. */
export const { signal } = new AbortController();

export interface Bench {
  readonly tenant: string;
  readonly registry: TenantRegistry;
  readonly ledger: LedgerApi;
  readonly shard: ShardApi;
  readonly request: RunRequest;
  /** The same registry with some methods replaced, as if the Worker died in them. */
  readonly broken: (over: Broken) => TenantRegistry;
  readonly served: (id: string) => Promise<string | undefined>;
}

export interface Broken {
  readonly ledger?: (real: LedgerApi) => Partial<LedgerApi>;
  readonly shard?: (real: ShardApi) => Partial<ShardApi>;
  readonly outside?: TenantDeps["outside"];
  readonly answers?: TenantDeps["answers"];
}

function shardOf(name: string): ShardApi {
  return overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
}

export async function open(): Promise<Bench> {
  const tenant = `t-${crypto.randomUUID()}`;
  const ledger = overRpc<LedgerApi>(() => env.LEDGER.getByName(tenant), "registry_unavailable");
  const registry = makeTenantRegistry({ tenant, ledger, shard: shardOf, sleep });
  await registry.publishConfig(CONTRACT_CONFIG, signal);
  const shard = shardOf(await shardName(tenant, SPACE, 0));
  return {
    tenant,
    registry,
    ledger,
    shard,
    request: { tenant, tables: ["notes"], space: SPACE, trigger: "cli" },
    broken: (over) =>
      makeTenantRegistry({
        tenant,
        sleep,
        ledger: replaced(ledger, over.ledger?.(ledger) ?? {}),
        shard: (name) => replaced(shardOf(name), over.shard?.(shardOf(name)) ?? {}),
        ...(over.outside ? { outside: over.outside } : {}),
        ...(over.answers ? { answers: over.answers } : {}),
      }),
    served: async (id) => {
      const hits = [{ id: await storedId(`notes:${id}`, "all", 0), score: 1 }];
      return (await shard.recheck(hits, { classes: [everyone.id], tables: undefined })).evidence[0]?.text;
    },
  };
}

/** A spread would lose the methods of an object that makes them on demand. */
function replaced<T extends object>(real: T, over: Partial<T>): T {
  return new Proxy(real, {
    get: (target, name) => (Reflect.has(over, name) ? Reflect.get(over, name) : Reflect.get(target, name)),
  });
}

export function batch(seq: number, ids: readonly string[], version = "v1"): Batch {
  return {
    seq,
    table: "notes",
    classes: [everyone],
    rows: ids.map((id) => ({
      row: `notes:${id}`,
      view: "all",
      version,
      accessClass: everyone.id,
      title: id,
      cells: [{ column: "id", value: id }],
      changedAt: undefined,
      url: undefined,
      chunks: [
        {
          n: 0,
          text: `${id} ${version}`,
          lexical: { title: id, body: id, labels: "", meta: "" },
          vector: new Float32Array([1, 0, 0, 0]),
        },
      ],
    })),
    gone: [],
  };
}

export function counts(part: Partial<PublishedTable["counts"]>): PublishedTable[] {
  const zero = { table: "notes", read: 0, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 0 };
  return [{ counts: { ...zero, ...part }, asOf: "2026-11-23T08:00:00Z", key: ["id"], rollup: false }];
}

export async function ingest({ registry, request }: Bench, ids: readonly string[]): Promise<Run> {
  const run = await registry.begin(request, signal);
  await registry.commit(run, batch(0, ids), signal);
  await registry.publish(run, counts({ read: ids.length, added: ids.length }), signal);
  return run;
}

/** Entries of an index outside for the first chunks of a note. */
export async function entriesOf(id: string, chunks: number): Promise<IndexEntry[]> {
  const ids = await Promise.all(Array.from({ length: chunks }, (_, n) => storedId(`notes:${id}`, "all", n)));
  const vector = new Float32Array([1, 0, 0, 0]);
  return ids.map((stored) => ({ id: stored, vector, table: "notes", accessClass: everyone.id, text: "" }));
}

export const died = (): never => {
  throw new QuaysideError("registry_unavailable", "the Worker died here");
};

export const NOBODY = { tenant: "t", subject: "s", groups: [], attributes: {}, scopes: [] };
