import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { IngestReport } from "../../ingest/pipeline/run.ts";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import type { TableConfig } from "../../shared/config.ts";
import type { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, Column, Source } from "../../shared/ports/source.ts";
import { bench, configOf, counts, failure, type Bench } from "../fakes/ingest-bench.ts";
import type { MemoryTable } from "../fakes/memory-source.ts";
import { startPglite } from "../fakes/pglite.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";
import { hostile } from "./hostile.ts";

/** What sources do to their tables between two runs: each case ends as the set says, and what was served answers throughout. */

const cases = hostile(
  "schema-drift.jsonl",
  z.object({ id: z.string(), name: z.string(), expect: z.string() }),
);
const signal = new AbortController().signal;

type Columns = Record<string, Column["type"]>;

/** A table `t` of twenty rows, ingested once. */
async function ingested(columns: Columns, table: Partial<TableConfig> = {}, ordered = true) {
  const tables: Record<string, MemoryTable> = { t: { columns, rows: [] } };
  const t = tables["t"] ?? { columns, rows: [] };
  t.rows = Array.from({ length: 20 }, (_, i) =>
    Object.fromEntries(
      Object.keys(columns).map((name): [string, Cell] => [
        name,
        name.toLowerCase() === "id" ? i : `${name} ${i}`,
      ]),
    ),
  );
  const world = bench({ config: configOf({ t: table }), tables, ordered });
  const run = (options = {}, more = {}): Promise<IngestReport> =>
    world.run({ config: configOf({ t: table }), ...options }, more);
  await run();
  return { ...world, t, run };
}
type Ingested = Awaited<ReturnType<typeof ingested>>;

/** The run stops, and what is served is what was. */
async function stops(world: Ingested, code: string, options = {}, more = {}): Promise<QuaysideError> {
  const [served, generation] = [world.registry.served("t"), world.registry.generation];
  const error = await failure(world.run(options, more));
  expect(error.code).toBe(code);
  expect(world.registry.served("t")).toEqual(served);
  expect(world.registry.generation).toBe(generation);
  return error;
}

/** What `plan` says would stop the run. */
async function planned(world: Bench, table: Partial<TableConfig>): Promise<readonly string[]> {
  const plan = await planIngest({ config: configOf({ t: table }), signal }, world.deps);
  return plan.stops.map((stop) => stop.guard);
}

const spoken = (world: Ingested): string => JSON.stringify(world.registry.served("t"));

const scenarios: Readonly<Record<string, () => Promise<void>>> = {
  async column_added_unclassified_pii() {
    const world = await ingested({ id: "number" });
    world.t.columns["ssn"] = "string";
    for (const row of world.t.rows) Object.assign(row, { ssn: "078-05-1120" });
    const report = await world.run();
    expect(report).toMatchObject({ embeddedTexts: 0, generation: 1 });
    expect(report.drift).toEqual([
      { table: "t", column: "ssn", change: "added", to: "string", ignored: true },
    ]);
    // And stays out, also where every row is made anew.
    await world.run({ full: true });
    expect(spoken(world) + world.embedder.texts.join()).not.toContain("078-05");
    const mapped = configOf({ t: { columns: { ssn: { label: "social security number" } } } });
    expect((await world.run({ config: mapped })).embeddedTexts).toBe(20);
    expect(spoken(world)).toContain("078-05-1120");
  },
  async column_dropped_unmapped() {
    const world = await ingested({ id: "number", a: "string", b: "string" });
    delete world.t.columns["b"];
    const report = await world.run();
    expect(counts(report, "t")).toMatchObject({ failed: 0, deleted: 0, changed: 20 });
    expect(report.drift).toEqual([{ table: "t", column: "b", change: "dropped", from: "string" }]);
  },
  async column_renamed_mapped() {
    const table = {
      text: ["desc"],
      filters: ["desc"],
      access: { allowAny: ["group:{desc}"] },
      url: "https://x.example/{desc}",
    };
    const world = await ingested({ id: "number", desc: "string" }, table);
    world.t.columns = { id: "number", description: "string" };
    const { message } = await stops(world, "schema_drift");
    for (const word of ["t.desc", "text", "filters", "access", "url", "renamed to description?"]) {
      expect(message).toContain(word);
    }
    expect(await planned(world, table)).toEqual(["schema_drift"]);
  },
  async type_int_to_text() {
    const world = await ingested({ id: "number", n: "number" });
    for (const [i, row] of world.t.rows.entries()) Object.assign(row, { n: i });
    await world.run();
    world.t.columns["n"] = "string";
    for (const [i, row] of world.t.rows.entries()) Object.assign(row, { n: `${i}` });
    const report = await world.run();
    expect(report.embeddedTexts).toBeGreaterThan(0);
    expect(report.drift).toEqual([
      { table: "t", column: "n", change: "retyped", from: "number", to: "string" },
    ]);
  },
  async type_widen_int_bigint() {
    // Both are numbers to us, of the same text.
    const world = await ingested({ id: "number", n: "number" });
    const report = await world.run();
    expect([report.embeddedTexts, report.drift]).toEqual([0, []]);
  },
  async pk_type_int_to_text() {
    const world = await ingested({ id: "number", a: "string" });
    world.t.columns["id"] = "string";
    for (const [i, row] of world.t.rows.entries()) Object.assign(row, { id: `${i}` });
    const error = await stops(world, "guard_stopped");
    expect(error.violations).toEqual([{ pointer: "t", rule: "rekey" }]);
    expect(await planned(world, {})).toEqual(["rekey"]);
    expect((await world.run({ yes: true })).generation).toBeGreaterThanOrEqual(1);
    expect(await planned(world, {})).toEqual([]);
  },
  async pk_dropped() {
    const world = await ingested({ id: "number", a: "string" });
    delete world.t.columns["id"];
    expect((await stops(world, "schema_drift")).message).toContain("t.id: named by key");
  },
  async case_change() {
    // PostgreSQL folds names that are not quoted: to us, and to it, they are the ones before.
    await using server = await startPglite([]);
    await using source = makePostgresSource({ kind: "postgres" }, secretHost({ DATABASE_URL: server.url }));
    const table = { from: "public.t", title: "name" };
    const world = bench({ config: configOf({ t: table }) });
    const run = (): Promise<IngestReport> => world.run({}, { sourceOf: () => source });
    await server.run("CREATE TABLE t (Id int, Name text)", "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    expect(counts(await run(), "t")).toMatchObject({ added: 2 });
    await server.run(
      "DROP TABLE t",
      "CREATE TABLE t (id int, name text)",
      "INSERT INTO t VALUES (1, 'one'), (2, 'two')",
    );
    expect(await run()).toMatchObject({ generation: 1, embeddedTexts: 0, drift: [] });
    // Quoted ones are others. The run stops, and says what they are called now.
    await server.run('ALTER TABLE t RENAME name TO "Name"');
    const error = await failure(run());
    expect([error.code, world.registry.served("t").length]).toEqual(["schema_drift", 2]);
    expect(error.message).toContain("renamed to Name?");
  },
  async column_reordered() {
    const world = await ingested({ id: "number", a: "string", b: "string" });
    world.t.columns = { id: "number", b: "string", a: "string" };
    expect(await world.run()).toMatchObject({ embeddedTexts: 0, upsertRequests: 0, drift: [] });
  },
  async table_missing() {
    const world = await ingested({ id: "number" });
    delete world.tables["t"];
    await stops(world, "source_rejected");
  },
  async table_empty() {
    const world = await ingested({ id: "number" });
    world.t.rows = [];
    expect((await stops(world, "guard_stopped")).violations).toEqual([{ pointer: "t", rule: "empty_table" }]);
  },
  async rows_drop_40pct() {
    const world = await ingested({ id: "number" });
    world.t.rows.splice(0, 8);
    expect((await stops(world, "guard_stopped")).violations).toEqual([{ pointer: "t", rule: "mass_delete" }]);
  },
  async view_definition_changed() {
    const world = await ingested({ id: "number", a: "string" });
    for (const row of world.t.rows) Object.assign(row, { a: "other content" });
    expect(counts(await world.run(), "t")).toMatchObject({ changed: 20, deleted: 0 });
  },
  async updated_at_ties() {
    const world = await ingested({ id: "number", updated_at: "timestamp" }, { changedAt: "updated_at" });
    world.t.rows = Array.from({ length: 10_000 }, (_, id) => ({ id, updated_at: "2026-01-01T00:00:00Z" }));
    const controller = new AbortController();
    const half = ({ counts: { read } }: { counts: { read: number } }): void =>
      void (read >= 5000 && controller.abort());
    expect((await failure(world.run({ signal: controller.signal, onProgress: half }))).code).toBe(
      "cancelled",
    );
    expect(counts(await world.run(), "t")).toMatchObject({ read: 10_000, failed: 0 });
    expect(new Set(world.registry.served("t").map(({ row }) => row)).size).toBe(10_000);
  },
  async updated_at_backwards() {
    const world = await ingested({ id: "number", updated_at: "timestamp" }, { changedAt: "updated_at" });
    world.t.rows.push({ id: 99, updated_at: "1999-01-01T00:00:00Z" });
    expect(counts(await world.run(), "t")).toMatchObject({ added: 1 });
  },
  embedder_changed_dim: () => newSpace(stubEmbedder({ dimensions: 8 })),
  embedder_changed_same_dim: () => newSpace(stubEmbedder({ id: "stub/another/4" })),
  async embedder_prefix_changed() {
    // A prefix that changes the vectors under an unchanged id is a changed embedder; under a new id it is a new space.
    const world = await ingested({ id: "number", a: "string" });
    const stub = stubEmbedder();
    const prefixed = {
      ...stub,
      embed: (texts: readonly string[], purpose: "document" | "query", inner: AbortSignal) =>
        stub.embed(
          texts.map((text) => `passage: ${text}`),
          purpose,
          inner,
        ),
    };
    Object.assign(world.t.rows[0] ?? {}, { a: "new" });
    expect((await stops(world, "guard_stopped", {}, { embedder: prefixed })).violations).toEqual([
      { pointer: "embedder", rule: "embedder_changed" },
    ]);
    await newSpace({ ...prefixed, id: "stub/passage/4" });
  },
  chunker_version_changed: () => newSpace(stubEmbedder({ id: "stub/chunk-2/4" })),
  async metric_changed() {
    // Vectors are of unit length, so that the two metrics rank alike; a store of another kind is another space.
    const world = await ingested({ id: "number" });
    const report = await world.run({}, { indexKind: "another" });
    expect([report.generation, report.embeddedTexts]).toEqual([2, 20]);
  },
  encoding_changed,
  async collation_changed() {
    const world = await ingested({ id: "string", a: "string" }, {}, false);
    world.t.rows.reverse();
    expect(await world.run()).toMatchObject({ embeddedTexts: 0, upsertRequests: 0 });
  },
  async comment_changed() {
    const world = await ingested({ id: "number", a: "string" });
    const source = world.deps.sourceOf("w");
    const commented: Source = {
      ...source,
      describe: async (ref, inner) => {
        const table = await source.describe(ref, inner);
        return {
          ...table,
          columns: table.columns.map((column) => ({ ...column, description: "a new comment" })),
        };
      },
    };
    expect(await world.run({}, { sourceOf: () => commented })).toMatchObject({ embeddedTexts: 0 });
  },
  async column_type_array() {
    const world = await ingested({ id: "number", tags: "string" });
    world.t.columns["tags"] = "json";
    for (const row of world.t.rows) Object.assign(row, { tags: ["a", "b"] });
    expect(counts(await world.run(), "t")).toMatchObject({ changed: 20, failed: 0 });
  },
  async struct_field_added() {
    const world = await ingested({ id: "number", j: "json" });
    const { t } = world;
    const tell = (records: readonly Cell[]): void => {
      for (const [i, row] of t.rows.entries()) Object.assign(row, { j: records[i % records.length] ?? null });
    };
    t.fields = { j: ["a"] };
    tell([{ a: "first field" }]);
    await world.run();
    t.fields = { j: ["a", "b"] };
    tell([{ a: "first field", b: "secret field" }]);
    const report = await world.run();
    expect(report).toMatchObject({ embeddedTexts: 0, generation: 2 });
    const drift = { table: "t", column: "j.b", change: "added", to: "json", ignored: true };
    expect(report.drift).toEqual([drift]);
    // And stays out, also where every row is made anew, and in the run after that.
    await world.run({ full: true });
    expect((await world.run()).drift).toEqual([drift]);
    expect(spoken(world) + world.embedder.texts.join()).not.toContain("secret field");
    const mapped = configOf({ t: { columns: { j: { label: "details" } } } });
    expect(counts(await world.run({ config: mapped }), "t")).toMatchObject({ changed: 20 });
    expect(spoken(world)).toContain("secret field");
  },
  async source_switched_db() {
    const world = await ingested({ id: "number" });
    const source = world.deps.sourceOf("w");
    const at = (origin: string) => ({ sourceOf: () => ({ ...source, origin }) });
    await world.run({}, at("snowflake:a1"));
    const error = await stops(world, "guard_stopped", {}, at("snowflake:a2"));
    expect(error.violations).toEqual([{ pointer: "t", rule: "source_changed" }]);
    await world.run({ yes: true }, at("snowflake:a2"));
    expect((await world.run({}, at("snowflake:a2"))).embeddedTexts).toBe(0);
  },
};

/** The old space answers until the new one is whole; a run that is cut short changes nothing. */
async function newSpace(embedder: ReturnType<typeof stubEmbedder>): Promise<void> {
  const world = await ingested({ id: "number", a: "string" });
  const served = world.registry.served("t");
  const controller = new AbortController();
  const cut = world.run({ signal: controller.signal, onProgress: () => controller.abort() }, { embedder });
  expect((await failure(cut)).code).toBe("cancelled");
  expect([world.registry.generation, world.registry.served("t")]).toEqual([1, served]);
  const report = await world.run({}, { embedder });
  expect([report.generation, report.embeddedTexts]).toEqual([2, 20]);
  const lengths = new Set(
    world.registry.served("t").flatMap(({ chunks }) => chunks.map(({ vector }) => vector?.length)),
  );
  expect(lengths).toEqual(new Set([embedder.dimensions]));
}

/** A CSV that is declared to be Latin-1 from now on. */
async function encoding_changed(): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "quayside-drift-"));
  const world = bench({ config: configOf({ t: {} }) });
  const through = async (encoding: string, bytes: Buffer): Promise<IngestReport> => {
    await writeFile(join(path, "t.csv"), bytes);
    await using source = makeDuckDbSource({ kind: "duckdb", path, encoding }, secretHost({}));
    return world.run({ config: configOf({ t: {} }) }, { sourceOf: () => source });
  };
  await through("utf-8", Buffer.from("id,a\n1,Zoë\n2,plain\n", "utf8"));
  const report = await through("latin-1", Buffer.from("id,a\n1,Chloé\n2,plain\n", "latin1"));
  expect(counts(report, "t")).toMatchObject({ changed: 1, unchanged: 1, failed: 0 });
  expect(JSON.stringify(world.registry.served("t"))).toContain("Chloé");
  await rm(path, { recursive: true, force: true });
}

describe.skipIf(!cases)("schema drift", () => {
  it.each(cases ?? [])("$id $name: $expect", async ({ name }) => {
    const scenario = scenarios[name];
    if (!scenario) throw new Error(`nothing checks ${name}`);
    await scenario();
  });
});

describe("a label that is lost", () => {
  it("by more than a share of the rows stops the run, and is accepted with --yes", async () => {
    const table = { access: { allowAny: ["group:{team}"] } };
    const world = await ingested({ id: "number", team: "string" }, table);
    for (const row of world.t.rows.slice(0, 7)) Object.assign(row, { team: null });
    const error = await stops(world, "guard_stopped");
    expect(error.violations).toEqual([{ pointer: "t", rule: "lost_labels" }]);
    expect(await planned(world, table)).toEqual(["lost_labels"]);
    expect(counts(await world.run({ yes: true }), "t")).toMatchObject({ changed: 7 });
  });

  it("by a configuration that grants nobody anything is no loss", async () => {
    const world = await ingested(
      { id: "number", team: "string" },
      { access: { allowAny: ["group:{team}"] } },
    );
    const nobody = configOf({ t: { access: { allowAny: [] } } });
    expect(counts(await world.run({ config: nobody }), "t")).toMatchObject({ changed: 20 });
  });
});
