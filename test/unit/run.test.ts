import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { storedId } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell } from "../../shared/ports/source.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { bench, configOf, counts, everyone, failure, shop, warehouse } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import type { MemoryRegistry } from "../fakes/memory-registry.ts";
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

describe("views, masks and classification", () => {
  const people = {
    people: {
      columns: { id: "number", name: "string", salary: "number", email: "string" } as const,
      rows: [{ id: 1, name: "Ada", salary: 50_000, email: "ada@example.com" }],
    },
  };

  it("index each view apart, with its own class, and keep columns to their view", async () => {
    const config = configOf({
      people: {
        title: "name",
        views: [
          { name: "full", columns: "*", access: { allowAny: ["group:hr"] }, classification: "restricted" },
          { name: "directory", columns: ["id", "name"], access: everyone },
        ],
      },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    const report = await run();
    expect(counts(report, "people")).toMatchObject({ read: 1, added: 1 });
    const rows = registry.served("people");
    expect(rows.map((row) => [row.view, row.cells.map((cell) => cell.column)])).toEqual([
      ["directory", ["id", "name"]],
      ["full", ["id", "name", "salary", "email"]],
    ]);
    expect(rows.map((row) => registry.classes.get(row.accessClass)?.classification)).toEqual([
      "internal",
      "restricted",
    ]);
    expect(JSON.stringify(rows[0])).not.toContain("50000");
  });

  it("raise the class to the most sensitive column shown", async () => {
    const config = configOf({ people: { columns: { salary: { classification: "restricted" } } } });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    expect([...registry.classes.values()].map((c) => c.classification)).toEqual(["restricted"]);
  });

  it("never read an excluded column and never store a masked value", async () => {
    const config = configOf({
      people: { columns: { salary: { exclude: true }, email: { mask: "hash" }, name: { mask: "redact" } } },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    const stored = JSON.stringify(registry.dump());
    expect(stored).not.toContain("50000");
    expect(stored).not.toContain("ada@example.com");
    expect(stored).not.toContain("Ada");
    expect(stored).toContain("[redacted]");
  });

  it("tokenise a value into a pseudonym that is the same wherever its word is", async () => {
    const rows = [
      { id: 1, name: "Ada", boss: "Bob", salary: 1 },
      { id: 2, name: "Bob", boss: null, salary: 1 },
    ];
    const columns = { id: "number", name: "string", boss: "string", salary: "number" } as const;
    const config = configOf({
      people: {
        columns: {
          name: { mask: "tokenise", token: "person" },
          boss: { mask: "tokenise", token: "person" },
          salary: { mask: "tokenise" },
        },
      },
    });
    const { run, registry } = bench({ config, tables: { people: { columns, rows } } });
    await run();
    const [ada, bob] = registry
      .served("people")
      .map((row) => Object.fromEntries(row.cells.map(({ column, value }) => [column, value] as const)));
    expect(ada?.["name"]).toMatch(/^person_[a-z0-9]{16}$/);
    expect(ada?.["boss"]).toBe(bob?.["name"]);
    expect(ada?.["name"]).not.toBe(bob?.["name"]);
    expect(ada?.["salary"]).toMatch(/^token_[a-z0-9]{16}$/);
    expect(JSON.stringify(registry.dump())).not.toMatch(/Ada|Bob/);
  });

  it("take personal data out of text before it is stored or embedded, and say how much", async () => {
    const tables = {
      people: {
        columns: { id: "string", name: "string", salary: "string" } as const,
        rows: [{ id: "4111111111111111", name: "Ada, ada@example.com", salary: "paid to ada@example.com" }],
      },
    };
    const config = configOf({ people: { redact: ["email", "card"], columns: { salary: { redact: [] } } } });
    const { run, registry } = bench({ config, tables });
    expect((await run()).redacted).toEqual({ email: 1 });
    const [row] = registry.served("people");
    // A key stays whole, and a column's own list holds before the table's.
    expect(row?.cells.map(({ value }) => value)).toEqual([
      "4111111111111111",
      "Ada, [email]",
      "paid to ada@example.com",
    ]);
    expect(row?.chunks[0]?.text).toContain("name: Ada, [email]");
  });

  it("render rows anew when what is taken out of them changes, and only then", async () => {
    const world = bench({ config: configOf({ people: {} }), tables: structuredClone(people) });
    await world.run();
    const config = configOf({ people: { redact: ["email"] } });
    expect(counts(await world.run({ config }), "people")).toMatchObject({ changed: 1 });
    expect(counts(await world.run({ config }), "people")).toMatchObject({ unchanged: 1 });
  });

  it("take it out of looked-up names by the rules of the table that they come from", async () => {
    const tables = warehouse(2);
    const suppliers = tables["suppliers"];
    if (suppliers) suppliers.rows[0] = { id: 1, name: "Foo foo@example.com" };
    const config = configOf({ ...shop.tables, suppliers: { title: "name", redact: ["email"] } });
    const { run, registry } = bench({ config, tables });
    await run();
    expect(JSON.stringify(registry.served("parts"))).toContain("Foo [email]");
    expect(JSON.stringify(registry.dump())).not.toContain("foo@example.com");
  });

  it("decide access by a column that is excluded from the record", async () => {
    const config = configOf({
      people: { columns: { email: { exclude: true } }, access: { allowAny: ["user:{email}"] } },
    });
    const { run, registry } = bench({ config, tables: structuredClone(people) });
    await run();
    expect([...registry.classes.values()][0]?.label.allowAny).toEqual([["user:ada@example.com"]]);
    expect(JSON.stringify(registry.served("people"))).not.toContain("ada@example.com");
  });
});

describe("an outside index", () => {
  it("holds every chunk, and the registry no vector", async () => {
    const index = memoryIndex();
    const { run, registry } = bench({ index });
    const report = await run();
    const signal = new AbortController().signal;
    expect((await index.stats(signal)).entries).toBe(22);
    expect(registry.served("parts").every((row) => row.chunks.every((c) => c.vector === undefined))).toBe(
      true,
    );
    expect(report).toMatchObject({ upsertRequests: 2, deleteRequests: 0 });
  });

  it("forgets deleted rows, and chunks that a row no longer has", async () => {
    const index = memoryIndex();
    const config = configOf({ notes: { text: ["body"] } });
    const long = Array.from({ length: 200 }, (_, i) => `Sentence number ${i} says this.`).join(" ");
    const rows = [1, 2, 3, 4, 5].map((id) => ({ id, body: long }));
    const tables = {
      notes: { columns: { id: "number", body: "string" } as const, rows: rows as MemoryTable["rows"] },
    };
    const { run } = bench({ index, config, tables });
    await run();
    tables.notes.rows = [{ id: 1, body: "short now" }, ...rows.slice(1, 4)];
    const report = await run();
    const signal = new AbortController().signal;
    const fresh = memoryIndex();
    await bench({ index: fresh, config, tables }).run();
    expect((await index.stats(signal)).entries).toBe((await fresh.stats(signal)).entries);
    expect(report.deleteRequests).toBe(2);
  });

  it("forgets a deleted row only once its removal is committed", async () => {
    const index = memoryIndex();
    const { run, tables, registry } = bench({ index });
    await run();
    tables["parts"]?.rows.splice(4, 2);
    const removedAtDelete: number[] = [];
    const watched: VectorIndex = {
      ...index,
      delete: (ids, signal) => {
        removedAtDelete.push(registry.commits.reduce((sum, batch) => sum + batch.gone.length, 0));
        return index.delete(ids, signal);
      },
    };
    await run({}, { index: watched });
    expect(removedAtDelete).toEqual([2]);
  });

  it.each([
    ["memory", true],
    ["memory-dense", false],
  ])("named %s in the space has words beside it: %s", async (indexKind, words) => {
    const { run, registry } = bench({ index: memoryIndex() });
    await run({}, { indexKind });
    const chunks = registry.commits.flatMap((batch) => batch.rows.flatMap((row) => row.chunks));
    expect(new Set(chunks.map((chunk) => chunk.lexical !== undefined))).toEqual(new Set([words]));
  });

  it("keeps nothing of a row that a killed run wrote and that is deleted before the next", async () => {
    const index = memoryIndex();
    const { run, tables, registry } = bench({ index });
    const cut = new AbortController();
    const cutOff: VectorIndex = {
      ...index,
      async upsert(entries, signal) {
        await index.upsert(entries, signal);
        if (entries[0]?.table !== "parts") return;
        cut.abort();
        throw new Error("killed");
      },
    };
    await failure(run({ signal: cut.signal }, { index: cutOff }));
    const key = tables["parts"]?.rows[0]?.["id"];
    const id = await storedId(`parts:${JSON.stringify(key)}`, "all", 0);
    const { signal } = new AbortController();
    expect([...(await index.has([id], signal))]).toEqual([id]);
    registry.expireLease();
    tables["parts"]?.rows.splice(0, 2);
    await run({}, { index });
    expect([...(await index.has([id], signal))]).toEqual([]);
  });

  it("that lost writes stops the run before it publishes", async () => {
    const index = memoryIndex();
    const lossy: VectorIndex = {
      ...index,
      upsert: (entries, signal) => index.upsert(entries.slice(1), signal),
    };
    const { run, registry } = bench({ index: lossy });
    expect((await failure(run())).code).toBe("index_unavailable");
    expect(registry.generation).toBe(0);
  });
});

interface Clock {
  /** Calls that still go through. */
  left: number;
  /** Whether the last one dies after its effect, not before. */
  readonly after: boolean;
}

/** A call of a port that plays dead once the clock has run out. */
async function mortally<T>(clock: Clock, call: () => Promise<T>): Promise<T> {
  const dead = new QuaysideError("internal", "killed");
  if (clock.left < 0) throw dead;
  clock.left -= 1;
  if (clock.left < 0 && !clock.after) throw dead;
  const result = await call();
  if (clock.left < 0) throw dead;
  return result;
}

function mortalRegistry(registry: MemoryRegistry, clock: Clock): MemoryRegistry {
  return {
    ...registry,
    begin: (...args) => mortally(clock, () => registry.begin(...args)),
    commit: (...args) => mortally(clock, () => registry.commit(...args)),
    publish: (...args) => mortally(clock, () => registry.publish(...args)),
    abandon: (...args) => mortally(clock, () => registry.abandon(...args)),
  };
}

function mortalIndex(index: VectorIndex, clock: Clock): VectorIndex {
  return {
    ...index,
    upsert: (...args) => mortally(clock, () => index.upsert(...args)),
    delete: (...args) => mortally(clock, () => index.delete(...args)),
  };
}

function served(registry: MemoryRegistry): unknown {
  return ["suppliers", "parts"].map((name) =>
    registry.served(name).map((row) => ({ ...row, chunks: row.chunks.length })),
  );
}

describe("a run that is killed", () => {
  it("between any two steps loses nothing, repeats nothing, and leaves nothing behind", async () => {
    for (const after of [false, true]) {
      for (let step = 0; step < 400; step++) {
        const world = bench({ tables: warehouse(30), embedder: { maxBatch: 4 } });
        const clock = { left: step, after };
        const registry = mortalRegistry(world.registry, clock);
        const embedder = {
          ...world.embedder,
          embed: (...args: Parameters<Embedder["embed"]>) =>
            mortally(clock, () => world.embedder.embed(...args)),
        };
        const killed = await world.run({}, { registry, embedder }).then(
          () => false,
          () => true,
        );
        world.registry.expireLease();
        const kept = new Set(
          world.registry.commits.flatMap((b) => b.rows.flatMap((r) => r.chunks.map((c) => c.text))),
        );
        const before = world.embedder.texts.length;
        // The table changes before the next run: one row goes, one changes, one comes.
        const rows = world.tables["parts"]?.rows ?? [];
        rows.splice(5, 1);
        rows[0] = { ...rows[0], name: "changed meanwhile" };
        rows.push({ id: 99, name: "new", supplier_id: 1, owner: "ops" });
        await world.run();
        const again = world.embedder.texts.slice(before);
        expect(again.filter((text) => kept.has(text))).toEqual([]);
        const clean = bench({ tables: structuredClone(world.tables) });
        await clean.run();
        expect(served(world.registry)).toEqual(served(clean.registry));
        if (!killed) break;
        expect(step).toBeLessThan(399);
      }
    }
  }, 30_000);

  it("leaves no orphan and loses no entry in an outside index", async () => {
    for (const after of [false, true]) {
      for (let step = 0; step < 400; step++) {
        const store = memoryIndex();
        const world = bench({ tables: warehouse(12), embedder: { maxBatch: 4 }, index: store });
        await world.run();
        const rows = world.tables["parts"]?.rows ?? [];
        rows.splice(2, 3);
        rows[0] = { ...rows[0], name: "changed" };
        rows.push({ id: 50, name: "new", supplier_id: 2, owner: "ops" });
        const clock = { left: step, after };
        const killed = await world
          .run(
            {},
            {
              registry: mortalRegistry(world.registry, clock),
              index: mortalIndex(store, clock),
            },
          )
          .then(
            () => false,
            () => true,
          );
        world.registry.expireLease();
        await world.run();
        const fresh = memoryIndex();
        const clean = bench({ tables: structuredClone(world.tables), index: fresh });
        await clean.run();
        const signal = new AbortController().signal;
        expect((await store.stats(signal)).entries).toBe((await fresh.stats(signal)).entries);
        expect(served(world.registry)).toEqual(served(clean.registry));
        if (!killed) break;
      }
    }
  }, 30_000);
});

describe("any sequence of edits and runs", () => {
  it("ends with exactly the warehouse's rows served", async () => {
    const rowOf = fc.record({
      id: fc.integer({ min: 0, max: 15 }),
      name: fc.constantFrom("a", "b", "c"),
      owner: fc.oneof(fc.constantFrom("ops", "sales"), fc.constant(null), fc.constant(["bad"])),
    });
    const state = fc.uniqueArray(rowOf, { selector: (row) => row.id, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(state, fc.integer({ min: 0, max: 30 })), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (states, ordered) => {
          const config = configOf({ parts: { title: "name", access: { allowAny: ["group:{owner}"] } } });
          const tables: Record<string, MemoryTable> = {
            parts: { columns: { id: "number", name: "string", owner: "json" }, rows: [] },
          };
          const world = bench({ config, tables, ordered, embedder: { maxBatch: 2 } });
          for (const [rows, left] of states) {
            const parts = tables["parts"];
            if (parts) parts.rows = rows;
            const registry = mortalRegistry(world.registry, { left, after: left % 2 === 0 });
            await world.run({ yes: true }, { registry }).catch(() => undefined);
            world.registry.expireLease();
          }
          const last = states.at(-1)?.[0] ?? [];
          await world.run({ yes: true });
          const expected = last
            .filter((row) => !Array.isArray(row.owner))
            .map((row) => [`parts:${row.id}`, row.name] as const);
          const found = world.registry.served("parts").map((row) => [row.row, row.title] as const);
          expect(new Map(found)).toEqual(new Map(expected));
          expect(found.length).toBe(expected.length);
        },
      ),
      { numRuns: 200 },
    );
  }, 30_000);
});
