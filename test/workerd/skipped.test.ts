import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { localEmbedder } from "../../shared/embedders/local.ts";
import type { Config } from "../../shared/config.ts";
import { sleep } from "../../shared/http.ts";
import type { Host } from "../../shared/ports/host.ts";
import { ingestSlice } from "../../workers/runner/ingest-slice.ts";
import type { Task } from "../../workers/runner/task.ts";
import type { LedgerApi, RunRecord, ShardApi } from "../../workers/tenant/api.ts";
import { makeTenantRegistry } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import type { Edge } from "../../workers/worker.ts";
import { memorySource, type MemoryTable } from "../fakes/memory-source.ts";

/** A run inside the Worker leaves tables unread as the command line's does: over the real ledger and shard. */

const tenant = `t-${crypto.randomUUID()}`;
const { signal } = new AbortController();
const host: Host = { fetch, secret: () => undefined, now: () => Date.now(), log: () => undefined };
const ledger = overRpc<LedgerApi>(() => env.LEDGER.getByName(tenant), "registry_unavailable");
const shard = (name: string): ShardApi =>
  overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
const registry = makeTenantRegistry({ tenant, ledger, shard, sleep });

const table = (): Config["tables"][string] => ({
  source: "w",
  key: ["id"],
  classification: "public",
  access: { allowAny: ["public"] },
});
const config: Config = {
  name: "skipped",
  limits: { sliceRows: 1000 },
  sources: { w: { kind: "memory" } },
  tables: { notes: table(), people: table() },
};
const columns = { id: "number", text: "string" } as const;
const rows = (count: number): MemoryTable["rows"] =>
  Array.from({ length: count }, (_, id) => ({ id, text: `pump ${id} leaks` }));
const tables: Record<string, MemoryTable> = {
  notes: { columns, rows: rows(1500) },
  people: { columns, rows: rows(3) },
};

const edge: Edge = {
  host,
  ledger: () => ledger,
  registry: () => registry,
  adapters: () => ({
    embedders: async () => localEmbedder({ kind: "local" }, host),
    outside: async () => undefined,
    isReadable: () => true,
    openSource: async () => memorySource(tables, true, true),
  }),
};

/** Carries out a run to its end. @returns how many slices it took, and its record. */
async function run(
  how: { readonly full?: boolean; readonly readAll?: boolean } = {},
): Promise<{ readonly slices: number; readonly record: RunRecord | undefined }> {
  const asked = { tables: undefined, full: false, trigger: "api", host: "edge", ...how } as const;
  const { id } = await ledger.trigger(asked);
  const { run: waiting } = await ledger.next("edge");
  if (!waiting) throw new Error("no run waits");
  let task: Task = { run: waiting, key: crypto.randomUUID(), slice: 0, starts: 0, checkpoint: undefined };
  for (let slices = 1; slices < 20; slices++) {
    task = { ...task, slice: slices };
    const checkpoint = await ingestSlice(tenant, task, edge, () => undefined, signal);
    if (!checkpoint) return { slices, record: await ledger.run(id) };
    task = { ...task, checkpoint };
  }
  throw new Error("the run does not end");
}

beforeAll(async () => {
  await ledger.publishConfig(config);
});

it("leaves unread what has not changed, whether it was read in one slice or several", async () => {
  const first = await run();
  expect(first.slices).toBeGreaterThan(1);
  expect(first.record).toMatchObject({ state: "published", tables: [{ read: 1500 }, { read: 3 }] });

  const zero = { read: 0, added: 0, changed: 0, deleted: 0, failed: 0 };
  const second = await run();
  expect(second.slices).toBe(1);
  expect(second.record).toMatchObject({ state: "unchanged", generation: first.record?.generation });
  expect(second.record?.tables).toEqual([
    { table: "notes", ...zero, unchanged: 1500, skipped: true },
    { table: "people", ...zero, unchanged: 3, skipped: true },
  ]);

  tables["people"] = { columns, rows: rows(4) };
  const third = await run();
  expect(third.record?.state).toBe("published");
  expect(third.record?.tables).toMatchObject([
    { table: "notes", unchanged: 1500, skipped: true },
    { table: "people", read: 4, added: 1, unchanged: 3 },
  ]);
});

it("reads every table where that is asked for, and makes anew only what has changed, or all of it", async () => {
  await run();
  const unread = await run();
  expect(unread.record).toMatchObject({ readAll: false, tables: [{ skipped: true }, { skipped: true }] });
  const all = await run({ readAll: true });
  expect(all.record).toMatchObject({
    state: "unchanged",
    readAll: true,
    tables: [
      { read: 1500, unchanged: 1500 },
      { read: 4, unchanged: 4 },
    ],
  });
  const anew = await run({ full: true });
  expect(anew.record).toMatchObject({
    state: "published",
    full: true,
    tables: [
      { read: 1500, changed: 1500 },
      { read: 4, changed: 4 },
    ],
  });
});
