import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstCheckpoint, type Checkpoint } from "../../ingest/pipeline/checkpoint.ts";
import { runSlice, type IngestDeps, type IngestReport } from "../../ingest/pipeline/run.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Source } from "../../shared/ports/source.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { bench, configOf, shop, warehouse, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import type { MemoryTable } from "../fakes/memory-source.ts";

/** A run in slices ends as one in a single go, wherever it pauses and wherever it is killed. */

const signal = new AbortController().signal;

/** The same source, a few rows at a time. */
function inBatches(source: Source, batchSize: number): Source {
  return {
    ...source,
    read: (table, options) => source.read(table, { ...options, batchSize }),
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

interface Sliced {
  readonly report: IngestReport;
  readonly slices: number;
}

/** @param killAt fails that call to the registry, as a crash would: nothing after it happens in that slice. */
async function inSlices(
  world: Bench,
  options: {
    readonly batch: number;
    readonly batchesASlice: number;
    readonly config?: typeof shop;
    readonly killAt?: number | undefined;
    readonly index?: VectorIndex | undefined;
  },
): Promise<Sliced> {
  let calls = 0;
  let dead = false;
  const mortally = async <T>(call: () => Promise<T>): Promise<T> => {
    if (dead) throw new QuaysideError("internal", "killed");
    const result = await call();
    dead = ++calls === options.killAt;
    if (dead) throw new QuaysideError("internal", "killed");
    return result;
  };
  let kept: Checkpoint | undefined;
  const { registry } = world;
  const deps: IngestDeps = {
    ...world.deps,
    index: options.index,
    sourceOf: (name) => inBatches(world.deps.sourceOf(name), options.batch),
    registry: {
      ...registry,
      async begin(request, inner) {
        const run = await registry.begin(request, inner);
        kept = firstCheckpoint(run);
        return run;
      },
      commit: (...args) => mortally(() => registry.commit(...args)),
      report: (...args) => mortally(() => registry.report(...args)),
      publish: (...args) => mortally(() => registry.publish(...args)),
      abandon: (...args) => mortally(() => registry.abandon(...args)),
    },
  };
  for (let slice = 0; slice < 1000; slice++) {
    let batches = 0;
    try {
      const part = await runSlice(
        {
          config: options.config ?? shop,
          trigger: "cron",
          yes: true,
          signal,
          resume: kept,
          slice,
          pause: () => ++batches >= options.batchesASlice,
        },
        deps,
      );
      if (!part.paused) return { report: part.report, slices: slice + 1 };
      kept = structuredClone(part.paused);
    } catch (error) {
      const ended = error instanceof QuaysideError && error.code === "run_fenced";
      if (!dead && !ended) throw error;
      // It died with its publication done.
      if (ended) kept = undefined;
      dead = false;
    }
  }
  throw new Error("the run does not end");
}

function served(world: Bench): unknown {
  return Object.keys(world.tables).map((name) =>
    world.registry.served(name).map(({ chunks, ...row }) => ({ ...row, text: chunks.map((c) => c.text) })),
  );
}

/** Rows go, change and come between a first run and the one under test. */
function edit(tables: Record<string, MemoryTable>): void {
  const rows = tables["parts"]?.rows ?? [];
  rows.splice(4, 5);
  rows[0] = { ...rows[0], name: "changed" };
  rows[20] = { ...rows[20], name: "changed too" };
  rows.push({ id: 99, name: "new", supplier_id: 1, owner: "ops" });
}

const row = (id: number, name: string) => ({ id, name, supplier_id: 1, owner: "ops" });

describe("a run in slices", () => {
  it.each([1, 2, 3, 7])(
    "of %i batches serves and counts what one in a single go does",
    async (batchesASlice) => {
      const world = bench({ tables: warehouse(40) });
      await world.run();
      edit(world.tables);
      const clean = bench({ tables: warehouse(40) });
      await clean.run();
      edit(clean.tables);
      const { report, slices } = await inSlices(world, { batch: 3, batchesASlice });
      expect(slices).toBeGreaterThan(2);
      const whole = await clean.run();
      expect(report.tables).toEqual(whole.tables);
      expect(report.tables[1]).toMatchObject({ read: 36, added: 1, changed: 2, deleted: 5, unchanged: 33 });
      expect([report.embeddedTexts, report.tokens]).toEqual([whole.embeddedTexts, whole.tokens]);
      expect(served(world)).toEqual(served(clean));
    },
  );

  it("is one run: one generation, and the time at which each table was begun", async () => {
    const world = bench();
    let now = 1_700_000_000_000;
    Object.assign(world.deps, { now: () => (now += 1000) });
    const { report } = await inSlices(world, { batch: 4, batchesASlice: 2 });
    expect(report).toMatchObject({ runId: "run_1", generation: 1 });
    const times = world.registry.published.map(({ asOf }) => asOf);
    expect(times[0]?.localeCompare(times[1] ?? "")).toBe(-1);
    expect(Date.parse(times[1] ?? "")).toBeLessThan(now - 10_000);
  });

  it("keeps its cost cap over all of them", async () => {
    const world = bench({ tables: warehouse(40), embedder: { price: 1e6, maxBatch: 4 } });
    const config = configOf({ suppliers: {}, parts: {} }, { maxCostUsd: 150 });
    const error: unknown = await inSlices(world, { batch: 4, batchesASlice: 1, config }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: "guard_stopped" });
  });

  it("holds back rows that share a key across a pause", async () => {
    // Batches of 2: [1 2] [2 3] [3 3] [3 4], the key's copies on both sides of every pause.
    const rows = [
      row(1, "a"),
      row(2, "b"),
      row(2, "c"),
      row(3, "d"),
      row(3, "e"),
      row(3, "f"),
      row(3, "g"),
      row(4, "h"),
    ];
    const tables = { ...warehouse(0), parts: { ...(warehouse(0)["parts"] ?? { columns: {} }), rows } };
    const world = bench({ tables });
    const { report } = await inSlices(world, { batch: 2, batchesASlice: 1 });
    expect(report.tables[1]).toMatchObject({ read: 8, added: 2, failed: 6 });
    expect(world.registry.served("parts").map(({ row: id }) => id)).toEqual(["parts:1", "parts:4"]);
  });

  it.each([
    { ids: [7, 0, 7], kept: ["parts:0"], batch: 10, killAt: undefined },
    { ids: [0, 1, 0], kept: ["parts:1"], batch: 2, killAt: 3 },
    { ids: [7, 0, 7], kept: ["parts:0"], batch: 2, killAt: 3 },
    { ids: [3, 1, 3, 2, 3], kept: ["parts:1", "parts:2"], batch: 1, killAt: 2 },
  ])(
    "holds back equal keys that are no neighbours: $ids, $batch a batch, killed at call $killAt",
    async ({ ids, kept, batch, killAt }) => {
      const rows = ids.map((id, n) => row(id, `copy ${n}`));
      const tables = { ...warehouse(0), parts: { ...(warehouse(0)["parts"] ?? { columns: {} }), rows } };
      const world = bench({ tables, ordered: false });
      const { report } = await inSlices(world, { batch, batchesASlice: 3, killAt });
      const { added, changed, unchanged, failed } = report.tables[1] ?? {};
      // What a slice that was killed had staged is there already.
      expect([(added ?? 0) + (unchanged ?? 0), changed, failed]).toEqual([
        kept.length,
        0,
        ids.length - kept.length,
      ]);
      expect(world.registry.served("parts").map(({ row: id }) => id)).toEqual(kept);
      tables["parts"].rows = [];
      await inSlices(world, { batch, batchesASlice: 3, killAt: 1 });
      expect(world.registry.served("parts")).toEqual([]);
    },
  );

  it("takes back what an outside index was given of a key that comes again", async () => {
    const rows = [row(7, "a"), row(0, "b"), row(7, "c")];
    const tables = { ...warehouse(0), parts: { ...(warehouse(0)["parts"] ?? { columns: {} }), rows } };
    const index = memoryIndex();
    const world = bench({ tables, ordered: false, index });
    await inSlices(world, { batch: 1, batchesASlice: 1, index });
    // Two suppliers, and the part whose key came once.
    expect(world.registry.served("parts").map(({ row: id }) => id)).toEqual(["parts:0"]);
    expect((await index.stats(signal)).entries).toBe(3);
  });

  it("that is killed at any call serves the same, and embeds again no more than a slice", async () => {
    const clean = bench({ tables: warehouse(30) });
    await clean.run();
    edit(clean.tables);
    await clean.run();
    for (let killAt = 1; killAt < 60; killAt++) {
      const world = bench({ tables: warehouse(30), embedder: { maxBatch: 2 } });
      await world.run();
      edit(world.tables);
      const before = world.embedder.texts.length;
      const { slices } = await inSlices(world, { batch: 3, batchesASlice: 2, killAt });
      expect(served(world)).toEqual(served(clean));
      // The probe texts, which every slice that embeds is begun with, apart.
      const embedded = world.embedder.texts.slice(before).filter((text) => text.startsWith("parts"));
      expect(embedded.length).toBeLessThanOrEqual(3 + 6);
      if (slices < 7) break;
    }
  });

  it("that is killed leaves no orphan in an outside index", async () => {
    const fresh = memoryIndex();
    const clean = bench({ tables: warehouse(30), index: fresh });
    await clean.run();
    edit(clean.tables);
    await clean.run();
    const expected = (await fresh.stats(signal)).entries;
    for (let killAt = 1; killAt < 25; killAt++) {
      const index = memoryIndex();
      const world = bench({ tables: warehouse(30), index });
      await world.run();
      edit(world.tables);
      await inSlices(world, { batch: 3, batchesASlice: 2, killAt, index });
      expect((await index.stats(signal)).entries).toBe(expected);
      expect(served(world)).toEqual(served(clean));
    }
  });

  it("skips the next time what it has read in slices, and a run in slices skips too", async () => {
    const world = bench({ tables: warehouse(30), revisions: true });
    await inSlices(world, { batch: 3, batchesASlice: 2 });
    const skipped = await world.run();
    expect(skipped.tables.map((table) => table.skipped)).toEqual([true, true]);
    edit(world.tables);
    const { report } = await inSlices(world, { batch: 3, batchesASlice: 2 });
    expect(report.tables.map((table) => table.skipped)).toEqual([true, undefined]);
    expect(report.tables[1]).toMatchObject({ read: 26, added: 1, changed: 2, deleted: 5 });
  });

  it.each([1, 2, 3, 4, 5])(
    "keeps no basis of a table that changes while it is read: after %i batches",
    async (batches) => {
      const world = bench({ tables: warehouse(30), revisions: true });
      const source = world.deps.sourceOf("w");
      let left = batches;
      const changing: Source = {
        ...source,
        async *read(table, options) {
          for await (const rows of source.read(table, options)) {
            if (table.ref.name?.[0] === "parts" && --left === 0) edit(world.tables);
            yield rows;
          }
        },
        [Symbol.asyncDispose]: async () => {},
      };
      const once = { ...world, deps: { ...world.deps, sourceOf: () => changing } };
      await inSlices(once, { batch: 3, batchesASlice: 2 });
      expect((await world.registry.shapes(signal)).get("parts")?.served).toBeUndefined();
    },
  );

  it("that is killed at any call leaves nothing that is skipped wrongly when the source goes back", async () => {
    for (let killAt = 1; killAt < 20; killAt++) {
      const world = bench({ tables: warehouse(12), revisions: true });
      await world.run();
      const before = structuredClone(served(world));
      world.tables["parts"]?.rows.splice(2, 3);
      await inSlices(world, { batch: 3, batchesASlice: 2, killAt });
      Object.assign(world.tables, warehouse(12));
      await world.run({ yes: true });
      expect(served(world)).toEqual(before);
    }
  });

  it("gives its lease back when it fails", async () => {
    const world = bench();
    const failing = { ...world.deps, sourceOf: world.deps.sourceOf };
    const paused = await runSlice(
      { config: shop, trigger: "cron", signal, slice: 0, pause: () => true },
      failing,
    );
    delete world.tables["parts"]?.columns["owner"];
    const options = { config: shop, trigger: "cron", signal, slice: 1, pause: () => true } as const;
    const error: unknown = await runSlice({ ...options, resume: paused.paused }, failing).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: "schema_drift" });
    expect(
      (await world.registry.begin({ tenant: "t", tables: [], space: "s", trigger: "cli" }, signal)).fence,
    ).toBe(2);
  });

  it("ends with the warehouse's rows, whatever the rows and wherever it pauses and dies", async () => {
    const rowOf = fc.record({
      id: fc.integer({ min: 0, max: 12 }),
      name: fc.constantFrom("a", "b", "c"),
      owner: fc.oneof(fc.constantFrom("ops", "sales"), fc.constant(["bad"])),
    });
    const state = fc.array(rowOf, { maxLength: 14 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(state, fc.integer({ min: 1, max: 12 })), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        fc.boolean(),
        async (states, batch, batchesASlice, ordered, outside) => {
          const config = configOf({ parts: { title: "name", access: { allowAny: ["group:{owner}"] } } });
          const columns = { id: "number", name: "string", owner: "json" } as const;
          const tables: Record<string, MemoryTable> = { parts: { columns: { ...columns }, rows: [] } };
          const index = outside ? memoryIndex() : undefined;
          const world = bench({ config, tables, ordered, embedder: { maxBatch: 2 } });
          for (const [rows, killAt] of states) {
            if (tables["parts"]) tables["parts"].rows = rows;
            await inSlices(world, { config, batch, batchesASlice, killAt, index });
          }
          const last = states.at(-1)?.[0] ?? [];
          const kept = last.filter((row) => !Array.isArray(row.owner));
          const expected = kept
            .filter((row) => kept.filter(({ id }) => id === row.id).length === 1)
            .map((row) => [`parts:${row.id}`, row.name] as const);
          const found = world.registry.served("parts").map((row) => [row.row, row.title] as const);
          expect(new Map(found)).toEqual(new Map(expected));
        },
      ),
      { numRuns: 100 },
    );
  });
});
