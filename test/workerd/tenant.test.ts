import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import type { PublishedTable } from "../../shared/ports/registry.ts";
import { makeRecheck, type TenantDeps } from "../../workers/tenant/registry.ts";
import { CONTRACT_CONFIG } from "../contract/registry-harness.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import { codeOf } from "./ledger-fixture.ts";
import {
  batch,
  type Bench,
  type Broken,
  counts,
  died,
  everyone,
  ingest,
  NOBODY,
  open,
  signal,
  SPACE,
} from "./tenant-fixture.ts";

async function basisOf({ registry }: Bench): Promise<string | undefined> {
  return (await registry.shapes(signal)).get("notes")?.served?.basis;
}

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
