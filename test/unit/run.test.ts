import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell } from "../../shared/ports/source.ts";
import { bench, configOf, counts, failure, shop, warehouse } from "../fakes/ingest-bench.ts";
import type { MemoryTable } from "../fakes/memory-source.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

function table(rows: MemoryTable["rows"]): Record<string, MemoryTable> {
  return { parts: { columns: { id: "string", name: "string", owner: "string" }, rows } };
}

describe("a run", () => {
  it("publishes every row with its vector", async () => {
    const { run, registry } = bench();
    const report = await run();
    expect(report.tables).toEqual([
      { table: "suppliers", read: 2, added: 2, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
      { table: "parts", read: 20, added: 20, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
    ]);
    expect(report.generation).toBe(1);
    expect(report.embeddedTexts).toBe(22);
    expect(report.embedRequests).toBe(1);
    const [row] = registry.served("parts");
    expect(row?.chunks[0]?.vector).toHaveLength(4);
    expect(row?.chunks[0]?.text).toBe("parts\npart 0\nid: 0\nsupplier: Foo (supplier_id 1)\nowner: ops");
    expect(row?.cells).toEqual([
      { column: "id", value: 0 },
      { column: "name", value: "part 0" },
      { column: "supplier_id", value: 1 },
      { column: "supplier", value: "Foo" },
      { column: "owner", value: "ops" },
    ]);
    expect(row?.chunks[0]?.lexical).toEqual({
      title: "part 0",
      body: "0\n1\nops",
      labels: "Foo",
      meta: "parts\nid\nname\nsupplier id\nowner",
    });
  });

  it("run again changes nothing: no embedding, no write, no generation", async () => {
    const { run, registry } = bench();
    await run();
    const before = registry.commits.length;
    const report = await run();
    expect(report).toMatchObject({
      generation: 1,
      embeddedTexts: 0,
      embedRequests: 0,
      upsertRequests: 0,
      deleteRequests: 0,
    });
    expect(registry.commits.length).toBe(before);
    expect(counts(report, "parts")).toMatchObject({ read: 20, unchanged: 20 });
  });

  it("reordering rows and columns changes nothing", async () => {
    const { run, tables } = bench({ ordered: false });
    await run();
    const parts = tables["parts"];
    if (parts) {
      parts.rows.reverse();
      parts.columns = Object.fromEntries(Object.entries(parts.columns).reverse());
    }
    expect(await run()).toMatchObject({ embeddedTexts: 0, upsertRequests: 0 });
  });

  it("a new column without values changes nothing", async () => {
    const { run, tables } = bench();
    await run();
    const parts = tables["parts"];
    if (parts) parts.columns["added_later"] = "string";
    expect(await run()).toMatchObject({ embeddedTexts: 0 });
  });

  it("pools few changes over tables into one embedding call, one write a table, one removal", async () => {
    const { run, tables, registry } = bench({ tables: warehouse(200) });
    await run();
    const parts = tables["parts"]?.rows ?? [];
    for (let i = 0; i < 20; i++) parts[i * 7] = { ...parts[i * 7], name: `new ${i}` };
    parts.splice(150, 3);
    tables["suppliers"]?.rows.push({ id: 3, name: "Baz" });
    const report = await run();
    expect(counts(report, "parts")).toEqual({
      read: 197,
      added: 0,
      changed: 20,
      deleted: 3,
      unchanged: 177,
      failed: 0,
    });
    expect(report).toMatchObject({ embedRequests: 1, upsertRequests: 2, deleteRequests: 1, generation: 2 });
    expect(registry.served("parts")).toHaveLength(197);
  });

  it("makes rows anew when the name that they look up changes", async () => {
    const { run, tables } = bench();
    await run();
    const foo = tables["suppliers"]?.rows;
    if (foo) foo[0] = { id: 1, name: "Foo Ltd" };
    const report = await run();
    expect(counts(report, "parts")).toMatchObject({ changed: 10, unchanged: 10 });
  });

  it("restages a row whose label changes, without embedding its text again in the same run", async () => {
    const { run, tables, registry } = bench();
    await run();
    const rows = tables["parts"]?.rows;
    if (rows) rows[0] = { ...rows[0], owner: "sales" };
    const report = await run();
    expect(counts(report, "parts")).toMatchObject({ changed: 1 });
    const row = registry.served("parts").find((r) => r.row === "parts:0");
    expect(registry.classes.get(row?.accessClass ?? "")?.label.allowAny).toEqual([["group:sales"]]);
  });

  it("embeds equal texts once", async () => {
    const config = configOf({ notes: { columns: { id: { exclude: true } }, title: "text" } });
    const rows = Array.from({ length: 50 }, (_, i) => ({ id: i, text: i % 2 === 0 ? "same" : "other" }));
    const { run, embedder, registry } = bench({
      config,
      tables: { notes: { columns: { id: "number", text: "string" }, rows } },
    });
    await run();
    expect(embedder.texts.filter((text) => text.startsWith("notes\n"))).toHaveLength(2);
    expect(registry.served("notes")).toHaveLength(50);
  });

  it("splits a long row into chunks and embeds them over several calls", async () => {
    const config = configOf({ notes: { text: ["body"] } });
    const body = Array.from({ length: 2000 }, (_, i) => `Sentence number ${i} says this.`).join(" ");
    const { run, registry, embedder } = bench({
      config,
      tables: { notes: { columns: { id: "number", body: "string" }, rows: [{ id: 1, body }] } },
      embedder: { maxBatch: 10 },
    });
    const report = await run();
    const chunks = registry.served("notes")[0]?.chunks ?? [];
    expect(chunks.length).toBeGreaterThan(20);
    expect(report.embedRequests).toBe(Math.ceil(chunks.length / 10));
    expect(chunks.every((chunk) => chunk.vector?.length === 4)).toBe(true);
    expect(embedder.calls.every((call) => call.texts <= 10)).toBe(true);
    expect(chunks.map((chunk) => chunk.n)).toEqual(chunks.map((_, n) => n));
  });

  it("tells when another run holds the lease", async () => {
    const { run, registry } = bench();
    await registry.begin(
      { tenant: "t", tables: [], space: "x", trigger: "cli" },
      new AbortController().signal,
    );
    expect((await failure(run())).code).toBe("run_conflict");
  });

  it("gives the lease back when it fails", async () => {
    const { run } = bench();
    const broken = {
      ...stubEmbedder(),
      embed: () => Promise.reject(new QuaysideError("embedder_unavailable", "down")),
    };
    expect((await failure(run({}, { embedder: broken }))).code).toBe("embedder_unavailable");
    expect((await run()).generation).toBe(1);
  });

  it("stops as cancelled when the signal aborts, and publishes nothing", async () => {
    const { run, registry } = bench();
    const controller = new AbortController();
    const error = await failure(run({ signal: controller.signal, onProgress: () => controller.abort() }));
    expect(error.code).toBe("cancelled");
    expect(registry.generation).toBe(0);
  });

  it("refuses an embedder that returns too few vectors", async () => {
    const { run } = bench();
    const broken = { ...stubEmbedder(), embed: async () => ({ vectors: [], inputTokens: 0 }) };
    expect((await failure(run({}, { embedder: broken }))).code).toBe("embedder_rejected");
  });

  it("leaves erased rows out of everything", async () => {
    const { run, registry, embedder } = bench();
    await run();
    registry.erase("parts:3");
    const before = embedder.texts.length;
    const report = await run();
    expect(counts(report, "parts")).toMatchObject({ read: 19, unchanged: 19, deleted: 0 });
    expect(embedder.texts.length).toBe(before);
  });
});

describe("rows that can't be stored", () => {
  const config = configOf({ parts: { access: { allowAny: ["group:{owner}"] } } });

  it("are held back with their reason while the others are published", async () => {
    const deep: Cell = JSON.parse("[".repeat(200) + "]".repeat(200));
    const { run, registry } = bench({
      config,
      tables: table([
        { id: "a", name: "fine", owner: "ops" },
        { id: null, name: "no key", owner: "ops" },
        { id: "b", name: "no scalar label", owner: ["ops"] },
        { id: "c", name: deep, owner: "ops" },
        { id: "d", name: "x".repeat(600_000), owner: "ops" },
        { id: "e", name: "one", owner: "ops" },
        { id: "e", name: "two", owner: "ops" },
      ]),
    });
    const report = await run();
    expect(counts(report, "parts")).toEqual({
      read: 7,
      added: 1,
      changed: 0,
      deleted: 0,
      unchanged: 0,
      failed: 6,
    });
    expect(report.failures.map(({ key, reason }) => [key, reason])).toEqual([
      ["b", "label_not_computable"],
      ["c", "unreadable_cell"],
      ["d", "too_large"],
      ["", "null_key"],
      ["e", "duplicate_key"],
      ["e", "duplicate_key"],
    ]);
    expect(registry.heldBack).toEqual(report.failures);
    expect(registry.served("parts").map((row) => row.row)).toEqual(["parts:a"]);
  });

  it.each([true, false])(
    "sharing a key are all held back, and taken out when they were there (ordered: %s)",
    async (ordered) => {
      const { run, registry, tables } = bench({
        config,
        ordered,
        tables: table([
          { id: "a", name: "one", owner: "ops" },
          { id: "b", name: "two", owner: "ops" },
          { id: "c", name: "three", owner: "ops" },
          { id: "d", name: "four", owner: "ops" },
        ]),
      });
      await run();
      tables["parts"]?.rows.push({ id: "a", name: "another", owner: "ops" });
      const report = await run();
      expect(counts(report, "parts")).toEqual({
        read: 5,
        added: 0,
        changed: 0,
        deleted: 1,
        unchanged: 3,
        failed: 2,
      });
      expect(registry.served("parts").map((row) => row.row)).toEqual(["parts:b", "parts:c", "parts:d"]);
    },
  );

  it("are taken out when an earlier version was served: nobody may see a row by a label that no longer holds", async () => {
    const { run, registry, tables } = bench({
      config,
      tables: table(Array.from({ length: 10 }, (_, i) => ({ id: String(i), name: `n${i}`, owner: "ops" }))),
    });
    await run();
    const rows = tables["parts"]?.rows;
    if (rows) rows[0] = { id: "0", name: "n0", owner: { not: "a scalar" } };
    const report = await run();
    expect(counts(report, "parts")).toMatchObject({ failed: 1, deleted: 1, unchanged: 9 });
    expect(registry.served("parts").some((row) => row.row === "parts:0")).toBe(false);
  });

  it("come with NUL and lone surrogates replaced and counted", async () => {
    const { run, registry } = bench({
      config,
      tables: table([{ id: "a", name: "x\u0000y\uD800", owner: "ops" }]),
    });
    const report = await run();
    expect(report.replacedCharacters).toBe(2);
    expect(registry.served("parts")[0]?.cells[1]).toEqual({ column: "name", value: "x\uFFFDy\uFFFD" });
  });
});

describe("guards", () => {
  it("stop a run that read nothing although rows are known, and delete nothing", async () => {
    const { run, tables, registry } = bench();
    await run();
    tables["parts"]?.rows.splice(0);
    const error = await failure(run());
    expect(error.code).toBe("guard_stopped");
    expect(error.violations).toEqual([{ pointer: "parts", rule: "empty_table" }]);
    expect(registry.served("parts")).toHaveLength(20);
  });

  it("stop a mass delete, and let it pass when it is accepted", async () => {
    const { run, tables, registry } = bench();
    await run();
    tables["parts"]?.rows.splice(0, 7);
    expect((await failure(run())).violations).toEqual([{ pointer: "parts", rule: "mass_delete" }]);
    expect(registry.served("parts")).toHaveLength(20);
    const report = await run({ yes: true });
    expect(counts(report, "parts")).toMatchObject({ deleted: 7, unchanged: 13 });
    expect(registry.served("parts")).toHaveLength(13);
  });

  it("let deletes up to the limit pass", async () => {
    const { run, tables } = bench();
    await run();
    tables["parts"]?.rows.splice(0, 6);
    expect(counts(await run(), "parts")).toMatchObject({ deleted: 6 });
  });

  it("stop when more than a handful and more than the limit of rows can't be stored", async () => {
    const { run, tables, registry } = bench({ tables: warehouse(30) });
    const rows = tables["parts"]?.rows ?? [];
    for (let i = 0; i < 11; i++) rows[i] = { ...rows[i], owner: ["a"] };
    expect((await failure(run())).violations).toEqual([{ pointer: "parts", rule: "failed_rows" }]);
    // Whoever looks at the run that was stopped is told why.
    expect(registry.heldBack).toHaveLength(11);
    expect(registry.generation).toBe(0);
  });

  it("stop before embedding costs more than the cap", async () => {
    const { run, embedder } = bench({ embedder: { price: 1_000_000 } });
    const error = await failure(run({ maxCostUsd: 10 }));
    expect(error.violations).toEqual([{ pointer: "", rule: "cost" }]);
    expect(embedder.calls).toEqual([]);
  });

  it("stop before anything is embedded at a price that nobody has said, until tokens are capped", async () => {
    const { run, embedder, registry, deps } = bench({ embedder: { price: "unknown" } });
    const error = await failure(run({ maxCostUsd: 1e9 }));
    expect(error.violations).toEqual([{ pointer: "", rule: "price" }]);
    expect([embedder.calls.length, registry.commits.length]).toEqual([0, 0]);
    const plan = await planIngest({ config: shop, signal: new AbortController().signal }, deps);
    expect([plan.costUsd, plan.stops.map(({ guard }) => guard)]).toEqual([undefined, ["price"]]);
    const report = await run({ maxTokens: 1_000_000 });
    expect([report.generation, report.embeddedTexts, report.costUsd]).toEqual([1, 22, undefined]);
    // Nothing is embedded, so nothing has a price.
    expect((await run()).generation).toBe(1);
  });

  it("stop before embedding takes more tokens than the cap, whatever it costs", async () => {
    const { run, embedder } = bench({ config: configOf(shop.tables, { maxTokens: 20 }) });
    expect((await failure(run())).violations).toEqual([{ pointer: "", rule: "tokens" }]);
    expect(embedder.calls).toEqual([]);
    expect((await run({ maxTokens: 1000 })).embeddedTexts).toBe(22);
  });

  it("stop a drifted schema before anything is read, naming column and setting", async () => {
    const { run, tables, registry } = bench();
    const parts = tables["parts"];
    if (parts) parts.columns = { id: "number", label: "string" };
    const error = await failure(run());
    expect(error.code).toBe("schema_drift");
    for (const name of [
      "parts.name: named by title",
      "parts.supplier_id: named by lookups",
      "parts.owner: named by access",
    ]) {
      expect(error.message).toContain(name);
    }
    expect(registry.commits).toEqual([]);
  });
});
