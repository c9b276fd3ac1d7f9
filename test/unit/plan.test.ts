import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { planIngest, type IngestPlan, type PlanDeps } from "../../ingest/pipeline/plan.ts";
import { commandLine } from "../fakes/command-line.ts";
import { bench, configOf, shop, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";

const signal = new AbortController().signal;

describe("plan", () => {
  it("counts as a run would, forecasts tokens and cost, and writes nothing", async () => {
    const { run, tables, deps, registry, embedder } = bench({ embedder: { price: 2 } });
    await run();
    const rows = tables["parts"]?.rows ?? [];
    rows[0] = { ...rows[0], name: "changed" };
    rows.splice(10, 2);
    const before = registry.commits.length;
    const calls = embedder.calls.length;
    const plan = await planIngest({ config: shop, signal: signal }, deps);
    expect(plan.tables[1]?.counts).toEqual({
      table: "parts",
      read: 18,
      added: 0,
      changed: 1,
      deleted: 2,
      unchanged: 17,
      failed: 0,
    });
    expect(plan.texts).toBe(1);
    expect(plan.tokens).toBeGreaterThan(5);
    expect(plan.costUsd).toBeCloseTo((plan.tokens * 2) / 1e6, 12);
    expect(plan.stops).toEqual([]);
    expect(registry.commits.length).toBe(before);
    expect(embedder.calls.length).toBe(calls);
  });

  it("lists every guard that would stop the run", async () => {
    const { run, tables, deps } = bench({ embedder: { price: 1_000_000 } });
    await run({ maxCostUsd: 1e9 });
    tables["parts"]?.rows.splice(0);
    tables["suppliers"]?.rows.splice(0, 1);
    tables["suppliers"]?.rows.push({ id: 9, name: "New" }, { id: 10, name: "Newer" });
    const plan = await planIngest({ config: shop, maxCostUsd: 1, signal: signal }, deps);
    expect(plan.stops.map((stop) => [stop.table, stop.guard])).toEqual([
      ["suppliers", "mass_delete"],
      ["parts", "empty_table"],
      [undefined, "cost"],
    ]);
  });
});

/** Ten notes, each one record of exactly 6,000 bytes in the index, and no tags. */
const library = configOf({ notes: { text: ["body"] }, tags: {} });
const BODY = "word ".repeat(400).slice(0, 1848);

function notes(): Bench {
  return bench({
    config: library,
    embedder: { dimensions: 1000 },
    index: memoryIndex(),
    tables: {
      notes: {
        columns: { id: "number", body: "string" },
        rows: Array.from({ length: 10 }, (_, i) => ({ id: 1000 + i, body: BODY })),
      },
      tags: { columns: { id: "number" }, rows: [] },
    },
  });
}

async function published(): Promise<Bench> {
  const world = notes();
  await world.run();
  return world;
}

function planOf({ deps }: Bench, more: Partial<PlanDeps> = {}): Promise<IngestPlan> {
  return planIngest({ config: library, signal }, { ...deps, ...more });
}

describe("write units", () => {
  /** A unit a thousand bytes of what is written, replaced or deleted, at least five a request. */
  const writeUnits = { bytes: 1000, least: 5 };
  const units = async (world: Bench): Promise<readonly number[]> =>
    (await planOf(world, { writeUnits })).tables.map((table) => table.writeUnits);

  it("are those of every record at first, and none of a table without rows", async () => {
    expect(await units(notes())).toEqual([60, 0]);
  });

  it("are none of what has not changed", async () => {
    expect(await units(await published())).toEqual([0, 0]);
  });

  it("count a record that is replaced besides the one that takes its place", async () => {
    const world = await published();
    const rows = world.tables["notes"]?.rows ?? [];
    for (const [i, row] of rows.entries()) rows[i] = { ...row, body: BODY.replaceAll("word", "wort") };
    expect(await units(world)).toEqual([120, 0]);
  });

  it("count what is deleted, a row at about half a kilobyte of text", async () => {
    const world = await published();
    world.tables["notes"]?.rows.splice(0, 2);
    // 2 × (4,000 + 120 + 500) bytes.
    expect(await units(world)).toEqual([10, 0]);
  });

  it("count the passages that a row no longer has as deleted", async () => {
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    rows[0] = { id: 1000, body: BODY.repeat(10) };
    await world.run();
    const chunks = world.registry.served("notes").find(({ row }) => row === "notes:1000")?.chunks.length ?? 0;
    rows[0] = { id: 1000, body: BODY };
    // One written and one replaced, the others deleted.
    expect(await units(world)).toEqual([12 + (chunks - 1) * 6, 0]);
  });

  it("are never fewer than a request costs", async () => {
    const world = bench({ index: memoryIndex() });
    await world.run();
    const rows = world.tables["parts"]?.rows ?? [];
    rows[0] = { ...rows[0], name: "changed" };
    rows.splice(10, 1);
    const plan = await planIngest({ config: shop, signal }, { ...world.deps, writeUnits });
    expect(plan.tables.map((table) => table.writeUnits)).toEqual([0, 10]);
  });

  it("are one a text for an index that bills no sizes", async () => {
    const plan = await planOf(notes());
    expect(plan.tables.map((table) => table.writeUnits)).toEqual([10, 0]);
  });
});

describe("warehouse bytes", () => {
  it("are each source's own estimate, and not known where it has none", async () => {
    const world = notes();
    const source = world.deps.sourceOf("w");
    const telling = {
      ...source,
      estimate: async ({ ref }: { readonly ref: { readonly name?: readonly string[] } }) =>
        ref.name?.[0] === "notes" ? { bytes: 123_456 } : { rows: 0 },
    };
    const plan = await planOf(world, { sourceOf: () => telling });
    expect(plan.tables.map(({ bytes }) => bytes)).toEqual([123_456, undefined]);
  });
});

describe("the command", () => {
  it("tells texts, tokens, cost, write units and warehouse bytes as JSON, and calls no vendor", async () => {
    const path = await mkdtemp(join(tmpdir(), "quayside-plan-"));
    onTestFinished(() => rm(path, { recursive: true }));
    const lines = Array.from({ length: 60 }, (_, id) => `${id},note ${id} says this`);
    const file = `${["id,body", ...lines].join("\n")}\n`;
    writeFileSync(join(path, "notes.csv"), file);
    const config = {
      ...configOf({ notes: { text: ["body"] } }, { maxCostUsd: 0 }),
      sources: { w: { kind: "duckdb", path } },
      embedder: { kind: "openai", price: 10 },
      index: { kind: "pinecone", index: "quayside" },
    };
    const secrets = { OPENAI_API_KEY: "sk-test", PINECONE_API_KEY: "pc-test" };
    const ran = await commandLine(["plan"], { config, registry: memoryRegistry(), secrets });
    expect(ran).toEqual({
      status: 3,
      result: {
        embedder: "openai/text-embedding-3-small/1536",
        tables: [
          {
            table: "notes",
            read: 60,
            added: 60,
            changed: 0,
            deleted: 0,
            unchanged: 0,
            failed: 0,
            texts: 60,
            tokens: 900,
            // 60 records of 6,144 + 120 bytes and their text.
            write_units: 379,
            warehouse_bytes: file.length,
          },
        ],
        texts: 60,
        tokens: 900,
        write_units: 379,
        warehouse_bytes: file.length,
        cost_usd: 0.009,
        replaced_characters: 0,
        drift: [],
        failures: [],
        stops: [{ guard: "cost", table: null, message: expect.stringContaining("--max-cost") }],
      },
    });
  });
});
