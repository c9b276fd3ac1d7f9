import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import { classOf } from "../../shared/policy.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, PublishedTable, Run, RunRequest } from "../../shared/ports/registry.ts";
import type { IndexEntry } from "../../shared/ports/vector-index.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import {
  makeRecheck,
  makeTenantRegistry,
  shardName,
  type TenantDeps,
  type TenantRegistry,
} from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { CONTRACT_CONFIG } from "../contract/registry.ts";
import { memoryIndex } from "../fakes/memory-index.ts";

const SPACE = "space-1";
const everyone = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");
const signal = AbortSignal.timeout(60_000);

interface Bench {
  readonly tenant: string;
  readonly registry: TenantRegistry;
  readonly ledger: LedgerApi;
  readonly shard: ShardApi;
  readonly request: RunRequest;
  /** The same registry with some methods replaced, as if the Worker died in them. */
  readonly broken: (over: Broken) => TenantRegistry;
  readonly served: (id: string) => Promise<string | undefined>;
}

interface Broken {
  readonly ledger?: (real: LedgerApi) => Partial<LedgerApi>;
  readonly shard?: (real: ShardApi) => Partial<ShardApi>;
  readonly outside?: TenantDeps["outside"];
  readonly answers?: TenantDeps["answers"];
}

function shardOf(name: string): ShardApi {
  return overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
}

async function open(): Promise<Bench> {
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

function batch(seq: number, ids: readonly string[], version = "v1"): Batch {
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

function counts(part: Partial<PublishedTable["counts"]>): PublishedTable[] {
  const zero = { table: "notes", read: 0, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 0 };
  return [{ counts: { ...zero, ...part }, asOf: "2026-11-23T08:00:00Z", key: ["id"], rollup: false }];
}

async function ingest({ registry, request }: Bench, ids: readonly string[]): Promise<Run> {
  const run = await registry.begin(request, signal);
  await registry.commit(run, batch(0, ids), signal);
  await registry.publish(run, counts({ read: ids.length, added: ids.length }), signal);
  return run;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
  return "none";
}

/** Entries of an index outside for the first chunks of a note. */
async function entriesOf(id: string, chunks: number): Promise<IndexEntry[]> {
  const ids = await Promise.all(Array.from({ length: chunks }, (_, n) => storedId(`notes:${id}`, "all", n)));
  const vector = new Float32Array([1, 0, 0, 0]);
  return ids.map((stored) => ({ id: stored, vector, table: "notes", accessClass: everyone.id, text: "" }));
}

async function basisOf({ registry }: Bench): Promise<string | undefined> {
  return (await registry.shapes(signal)).get("notes")?.served?.basis;
}

const died = (): never => {
  throw new QuaysideError("registry_unavailable", "the Worker died here");
};

describe("a skipped table", () => {
  const SHAPE = { origin: undefined, columns: { id: "string" } };
  const read = (basis: string, part: Partial<PublishedTable["counts"]>): PublishedTable[] =>
    counts(part).map((table) => ({ ...table, shape: SHAPE, basis }));
  const skipped = (basis: string, rows: number): PublishedTable[] =>
    read(basis, { unchanged: rows, skipped: true });

  /** One row is served, and its table was published with the basis `b1`. */
  const servedOnce = async (): ReturnType<typeof open> => {
    const bench = await open();
    const first = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(first, batch(0, ["1"]), signal);
    await bench.registry.publish(first, read("b1", { read: 1, added: 1 }), signal);
    return bench;
  };

  it("has no basis after a rollback: the next run reads it", async () => {
    const bench = await open();
    for (const [version, basis] of [
      ["v1", "b1"],
      ["v2", "b2"],
    ] as const) {
      const run = await bench.registry.begin(bench.request, signal);
      await bench.registry.commit(run, batch(0, ["1"], version), signal);
      const part = version === "v1" ? { read: 1, added: 1 } : { read: 1, changed: 1 };
      await bench.registry.publish(run, read(basis, part), signal);
    }
    expect(await basisOf(bench)).toBe("b2");
    await bench.registry.rollBack(1, signal);
    expect(await bench.served("1")).toBe("1 v1");
    expect(await basisOf(bench)).toBeUndefined();
    const late = await bench.registry.begin(bench.request, signal);
    expect(await codeOf(bench.registry.publish(late, skipped("b2", 1), signal))).toBe("run_conflict");
  });

  it("of a publication that was cut short is published by the next run's begin", async () => {
    const bench = await servedOnce();
    const run = await bench.registry.begin(bench.request, signal);
    const cut = bench.broken({ shard: () => ({ publish: async () => died() }) });
    expect(await codeOf(cut.publish(run, skipped("b1", 1), signal))).toBe("registry_unavailable");
    await bench.registry.begin(bench.request, signal);
    expect((await bench.registry.status(signal)).runs.map(({ state }) => state)).toEqual([
      "running",
      "unchanged",
      "published",
    ]);
    expect(await basisOf(bench)).toBe("b1");
  });

  it("that is another by then ends its publication, and holds up no run", async () => {
    const bench = await servedOnce();
    const run = await bench.registry.begin(bench.request, signal);
    const cut = bench.broken({ shard: () => ({ publish: async () => died() }) });
    expect(await codeOf(cut.publish(run, skipped("b0", 1), signal))).toBe("registry_unavailable");
    const next = await bench.registry.begin(bench.request, signal);
    await bench.registry.publish(next, skipped("b1", 1), signal);
    expect((await bench.registry.status(signal)).runs.map(({ state }) => state)).toEqual([
      "unchanged",
      "failed",
      "published",
    ]);
  });
});

describe("a publication that is cut short", () => {
  it("before the shard flips: is finished by the next run's begin", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["1"]), signal);
    const cut = bench.broken({ shard: () => ({ publish: async () => died() }) });
    expect(await codeOf(cut.publish(run, counts({ read: 1, added: 1 }), signal))).toBe(
      "registry_unavailable",
    );
    expect(await bench.served("1")).toBeUndefined();

    const next = await bench.registry.begin(bench.request, signal);
    expect(await bench.served("1")).toBe("1 v1");
    expect(next.generation).toBe(2);
    expect((await bench.registry.status(signal)).runs.map(({ state }) => state)).toEqual([
      "running",
      "published",
    ]);
  });

  it("after the shard flipped: is finished by the next run's begin, and its generation is not used again", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["1"]), signal);
    const cut = bench.broken({ ledger: () => ({ publish: async () => died() }) });
    expect(await codeOf(cut.publish(run, counts({ read: 1, added: 1 }), signal))).toBe(
      "registry_unavailable",
    );
    expect((await bench.ledger.status()).generation).toBe(0);

    const next = await bench.registry.begin(bench.request, signal);
    expect((await bench.ledger.status()).generation).toBe(1);
    expect(next.generation).toBe(2);
    await bench.registry.commit(next, batch(0, ["2"]), signal);
    expect(await bench.served("2")).toBeUndefined();
  });

  it("is finished by the same run when it asks again", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["1"]), signal);
    const cut = bench.broken({ ledger: () => ({ publish: async () => died() }) });
    const tables = counts({ read: 1, added: 1 });
    await codeOf(cut.publish(run, tables, signal));
    expect(await bench.registry.publish(run, tables, signal)).toEqual({ generation: 1 });
    expect((await bench.ledger.status()).tables).toMatchObject([{ table: "notes", rows: 1 }]);
  });

  it("is given up when the shard refuses it, and holds nobody up", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["1"]), signal);
    expect(await codeOf(bench.registry.publish(run, counts({ read: 5, added: 5 }), signal))).toBe(
      "guard_stopped",
    );
    const next = await bench.registry.begin(bench.request, signal);
    expect(next.generation).toBe(2);
    expect((await bench.ledger.status()).runs.map(({ state }) => state)).toEqual(["running", "failed"]);
  });

  it("can be killed at each of its steps and ends the same", async () => {
    const kills: readonly Broken[] = [
      { ledger: () => ({ prepare: async () => died() }) },
      { shard: () => ({ publish: async () => died() }) },
      { shard: (real) => ({ publish: async (...args) => (await real.publish(...args), died()) }) },
      { ledger: (real) => ({ prepare: async (...args) => (await real.prepare(...args), died()) }) },
      { ledger: (real) => ({ publish: async (...args) => (await real.publish(...args), died()) }) },
    ];
    for (const kill of kills) {
      const bench = await open();
      const tables = counts({ read: 2, added: 2 });
      const run = await bench.registry.begin(bench.request, signal);
      await bench.registry.commit(run, batch(0, ["1", "2"]), signal);
      await codeOf(bench.broken(kill).publish(run, tables, signal));

      const next = await bench.registry.begin({ ...bench.request, takeOver: true }, signal);
      const known = [];
      for await (const page of bench.registry.known(next, "notes", signal)) known.push(...page);
      expect(known.map(({ row }) => row)).toEqual(["notes:1", "notes:2"]);
      await bench.registry.publish(next, counts({ read: 2, unchanged: 2 }), signal);
      expect([await bench.served("1"), await bench.served("2")]).toEqual(["1 v1", "2 v1"]);
      expect((await bench.ledger.admit(NOBODY)).tables).toMatchObject([{ table: "notes", rows: 2 }]);
    }
  });
});

const NOBODY = { tenant: "t", subject: "s", groups: [], attributes: {}, scopes: [] };

describe("the epoch", () => {
  it("reaches the served shard with a new configuration", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const rows = [["notes:1", "v1"]] as const;
    const { epoch } = await bench.ledger.admit(NOBODY);
    expect(await bench.shard.holds(epoch, rows, [everyone.id])).toBe(true);
    await bench.registry.publishConfig({ ...CONTRACT_CONFIG, name: "changed" }, signal);
    expect(await bench.shard.holds(epoch, rows, [everyone.id])).toBe(false);
    const now = await bench.ledger.admit(NOBODY);
    expect(await bench.shard.holds(now.epoch, rows, [everyone.id])).toBe(true);
  });

  it("reaches a shard that missed it with the next run", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const cut = bench.broken({ shard: () => ({ setEpoch: async () => died() }) });
    await codeOf(cut.publishConfig({ ...CONTRACT_CONFIG, name: "changed" }, signal));
    const { epoch } = await bench.ledger.admit(NOBODY);
    const rows = [["notes:1", "v1"]] as const;
    expect(await bench.shard.holds(epoch, rows, [everyone.id])).toBe(false);
    await bench.registry.begin(bench.request, signal);
    expect(await bench.shard.holds(epoch, rows, [everyone.id])).toBe(true);
  });
});

describe("an erasure", () => {
  it("removes the row at once and says what it removed", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    const receipt = await bench.registry.erase("notes", "notes:1", signal);
    expect(receipt).toMatchObject({ table: "notes", removed: { rows: 1, chunks: 1 }, residue: 0 });
    expect(await bench.served("1")).toBeUndefined();
    expect(await bench.served("2")).toBe("2 v1");
    expect(await bench.registry.erasure(receipt.id, signal)).toEqual(receipt);
  });

  it("ends every answer that was kept before it", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    const { epoch } = await bench.ledger.admit(NOBODY);
    await bench.registry.erase("notes", "notes:1", signal);
    expect(await bench.shard.holds(epoch, [["notes:2", "v1"]], [everyone.id])).toBe(false);
  });

  it("is the same for a row that never was", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    expect(await bench.registry.erase("notes", "notes:9", signal)).toMatchObject({
      removed: { rows: 0, chunks: 0 },
      residue: 0,
    });
  });

  it("holds through three ingests that still bring the row", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    await bench.registry.erase("notes", "notes:1", signal);
    for (let i = 2; i < 5; i++) {
      const run = await bench.registry.begin(bench.request, signal);
      await bench.registry.commit(run, batch(0, ["1", "2"], `v${i}`), signal);
      await bench.registry.publish(run, counts({ read: 2, added: 1, changed: 1 }), signal);
      expect([await bench.served("1"), await bench.served("2")]).toEqual([undefined, `2 v${i}`]);
    }
    expect((await bench.ledger.status()).tables).toMatchObject([{ rows: 1 }]);
  });

  it("reaches a batch that was staged behind its back", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["2"]), signal);
    await bench.registry.erase("notes", "notes:1", signal);
    // The batch had asked the ledger before the erasure, and arrives after it.
    await bench.shard.stage(run, batch(1, ["1"]));
    await codeOf(bench.registry.publish(run, counts({ read: 2, added: 2 }), signal));
    expect(await bench.served("1")).toBeUndefined();
    const next = await bench.registry.begin(bench.request, signal);
    await bench.registry.publish(next, counts({ read: 1, unchanged: 1 }), signal);
    expect([await bench.served("1"), await bench.served("2")]).toEqual([undefined, "2 v1"]);
  });

  it("can be asked for again after it was cut short", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const cut = bench.broken({ shard: () => ({ erase: async () => died() }) });
    expect(await codeOf(cut.erase("notes", "notes:1", signal))).toBe("registry_unavailable");
    const receipt = await bench.registry.erase("notes", "notes:1", signal);
    expect(receipt.removed).toEqual({ rows: 1, chunks: 1, vectors: 0, answers: 0, runs: 0, records: 0 });
    expect(await bench.served("1")).toBeUndefined();
  });

  it("reaches an index outside, and vectors there that the registry never heard of", async () => {
    const bench = await open();
    await ingest(bench, ["1", "10"]);
    const index = memoryIndex();
    // A run that was killed after it wrote 250 chunks of a longer version, and before it committed them.
    await index.upsert([...(await entriesOf("1", 250)), ...(await entriesOf("10", 1))], signal);
    const outside = bench.broken({ outside: async () => index });
    const receipt = await outside.erase("notes", "notes:1", signal);
    expect(receipt).toMatchObject({ removed: { rows: 1, chunks: 1, vectors: 250 }, residue: 0 });
    expect(receipt.proof).toEqual({ spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 });
    expect(await index.stats(signal)).toEqual({ entries: 1 });
  });

  it("is not finished while an index outside still shows the row, and is when it is asked for again", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const index = memoryIndex();
    await index.upsert(await entriesOf("1", 1), signal);
    const late = bench.broken({ outside: async () => ({ ...index, delete: async () => {} }) });
    const first = await late.erase("notes", "notes:1", signal);
    expect([first.erasedAt, first.residue, first.proof.index]).toEqual([undefined, 1, 1]);
    expect(await bench.served("1")).toBeUndefined();
    const second = await bench.broken({ outside: async () => index }).erase("notes", "notes:1", signal);
    expect([second.id, second.residue]).toEqual([first.id, 0]);
    expect(second.erasedAt).toBeDefined();
  });

  it("reaches what a batch under way wrote to an index outside after it", async () => {
    const bench = await open();
    const index = memoryIndex();
    const outside = bench.broken({ outside: async () => index });
    const run = await outside.begin(bench.request, signal);
    await outside.commit(run, batch(0, ["2"]), signal);
    await outside.erase("notes", "notes:1", signal);
    await index.upsert([...(await entriesOf("1", 2)), ...(await entriesOf("2", 1))], signal);
    await outside.publish(run, counts({ read: 1, added: 1 }), signal);
    expect(await index.stats(signal)).toEqual({ entries: 1 });
  });

  it("reaches every space, and the cached answers", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const next = { ...bench, request: { ...bench.request, space: "space-2", tables: ["notes", "people"] } };
    await ingest(next, ["1", "2"]);
    const asked: string[] = [];
    const answers = { erase: async (row: string) => (asked.push(row), { removed: 3, left: 0 }) };
    const receipt = await bench.broken({ answers }).erase("notes", "notes:1", signal);
    expect(receipt.removed).toEqual({ rows: 2, chunks: 2, vectors: 0, answers: 3, runs: 0, records: 0 });
    expect([receipt.proof.spaces, asked]).toEqual([2, ["notes:1"]]);
    expect(await bench.shard.stats()).toMatchObject({ rows: 0, chunks: 0 });
  });
});

describe("a space that is served no longer", () => {
  const NEXT = "space-2";

  async function switched(): Promise<
    Bench & { readonly dropped: string[]; readonly age: () => Promise<void> }
  > {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    const next = { ...bench, request: { ...bench.request, space: NEXT, tables: ["notes", "people"] } };
    await ingest(next, ["1", "2", "3"]);
    const dropped: string[] = [];
    const outside: TenantDeps["outside"] = async ({ space }) => ({
      ...memoryIndex(),
      drop: async () => void dropped.push(space),
    });
    const age = (): Promise<void> =>
      runInDurableObject(env.LEDGER.getByName(bench.tenant), (_, state) => {
        state.storage.sql.exec("UPDATE space_facts SET retired_at = retired_at - 61000");
      });
    return { ...next, registry: bench.broken({ outside }), dropped, age };
  }

  it("answers until a minute after the switch, and is then dropped, outside too", async () => {
    const bench = await switched();
    await bench.registry.sweep(signal);
    expect(await bench.served("1")).toBe("1 v1");
    expect(bench.dropped).toEqual([]);
    await bench.age();
    await bench.registry.sweep(signal);
    expect(await bench.shard.stats()).toMatchObject({ rows: 0, chunks: 0, vectors: 0 });
    expect(bench.dropped).toEqual([SPACE]);
    await bench.registry.sweep(signal);
    expect(bench.dropped).toEqual([SPACE]);
    const admitted = await bench.ledger.admit(NOBODY);
    expect([admitted.space, admitted.tables]).toMatchObject([NEXT, [{ table: "notes", rows: 3 }]]);
  });

  it("is dropped by the next run's begin, and may be built anew", async () => {
    const bench = await switched();
    await bench.age();
    const back = { ...bench, request: { ...bench.request, space: SPACE } };
    const run = await back.registry.begin(back.request, signal);
    expect(bench.dropped).toEqual([SPACE]);
    for await (const page of back.registry.known(run, "notes", signal)) expect(page).toEqual([]);
    await back.registry.commit(run, batch(0, ["9"]), signal);
    await back.registry.publish(run, counts({ read: 1, added: 1 }), signal);
    expect(await bench.served("9")).toBe("9 v1");
  });

  it("goes on being dropped where a crash cut it short", async () => {
    const bench = await switched();
    await bench.age();
    const cut = bench.broken({ ledger: () => ({ dropped: async () => died() }) });
    expect(await codeOf(cut.sweep(signal))).toBe("registry_unavailable");
    await bench.registry.sweep(signal);
    expect(await bench.ledger.retired()).toEqual([]);
  });
});

describe("the re-check", () => {
  it("leaves out rows of tables that the caller was not admitted to", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const hits = [{ id: await storedId("notes:1", "all", 0), score: 1 }];
    const admitted = makeRecheck(bench.shard, await bench.ledger.admit(NOBODY));
    expect((await admitted.recheck(hits, [everyone.id], signal)).map(({ row }) => row)).toEqual(["notes:1"]);
    const none = makeRecheck(bench.shard, { tables: [] });
    expect(await none.recheck(hits, [everyone.id], signal)).toEqual([]);
  });
});
