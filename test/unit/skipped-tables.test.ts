import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { bench, configOf, counts, failure, shop, warehouse, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";

/** Tables that a run leaves unread since what their rows are made of has not changed. */

const signal = new AbortController().signal;

const SKIPPED = { read: 0, added: 0, changed: 0, deleted: 0, unchanged: 20, failed: 0, skipped: true };

function world(more: Parameters<typeof bench>[0] = {}): Bench {
  return bench({ revisions: true, ...more });
}

function rename(world: Bench, id: number, name: string): void {
  const rows = world.tables["parts"]?.rows;
  if (rows) rows[id] = { ...rows[id], name };
}

/** How often a table was read to its end so far. */
function readsOf(world: Bench, table: string): number {
  return world.tables[table]?.reads ?? 0;
}

/** A run that dies once it has staged some batches. */
async function killed(world: Bench, afterCommits: number): Promise<void> {
  let commits = 0;
  const registry: Bench["registry"] = Object.create(world.registry, {
    commit: {
      value: async (...args: Parameters<Bench["registry"]["commit"]>) => {
        if (++commits > afterCommits) throw new QuaysideError("internal", "killed");
        return world.registry.commit(...args);
      },
    },
    publish: { value: () => Promise.reject(new QuaysideError("internal", "killed")) },
    abandon: { value: () => Promise.reject(new QuaysideError("internal", "killed")) },
  });
  await world.run({ yes: true }, { registry }).catch(() => undefined);
  world.registry.expireLease();
}

describe("a table whose source says that nothing has changed", () => {
  it("is not read: its rows count as unchanged, nothing is embedded or written", async () => {
    const shopping = world();
    await shopping.run();
    const [reads, commits] = [readsOf(shopping, "parts"), shopping.registry.commits.length];
    const report = await shopping.run();
    expect(counts(report, "parts")).toEqual(SKIPPED);
    expect(report).toMatchObject({ generation: 1, embeddedTexts: 0, upsertRequests: 0, deleteRequests: 0 });
    expect(readsOf(shopping, "parts")).toBe(reads);
    expect(shopping.registry.commits.length).toBe(commits);
  });

  it("becomes as of the moment at which that was asked", async () => {
    const shopping = world();
    await shopping.run();
    await shopping.run({}, { now: () => 1_700_000_060_000 });
    expect(shopping.registry.published.map(({ asOf }) => asOf)).toEqual([
      "2023-11-14T22:14:20.000Z",
      "2023-11-14T22:14:20.000Z",
    ]);
  });

  it("is read when the source tells no revision", async () => {
    const shopping = world({ revisions: false });
    await shopping.run();
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20, unchanged: 20 });
  });

  it("is read when the source fails to tell one", async () => {
    const shopping = world();
    await shopping.run();
    const source = shopping.deps.sourceOf("w");
    const report = await shopping.run(
      {},
      { sourceOf: () => ({ ...source, revision: () => Promise.reject(new Error("no right to ask")) }) },
    );
    expect(counts(report, "parts")).toMatchObject({ read: 20 });
  });

  it("is read when the code's identity is not known, and after that once more", async () => {
    const shopping = world();
    await shopping.run();
    expect(counts(await shopping.run({}, { code: undefined }), "parts")).toMatchObject({ read: 20 });
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20 });
    expect(counts(await shopping.run(), "parts")).toEqual(SKIPPED);
  });

  it.each<[string, Parameters<Bench["run"]>[0], Parameters<Bench["run"]>[1]]>([
    ["--full", { full: true }, {}],
    ["--read-all", { readAll: true }, {}],
    ["other code", {}, { code: "newer" }],
    ["another space", {}, { indexKind: "other" }],
  ])("is read for %s", async (_, options, deps) => {
    const shopping = world();
    await shopping.run();
    expect(counts(await shopping.run(options, deps), "parts")).toMatchObject({ read: 20 });
  });

  it("is read again only if something has changed: of two tables, the one", async () => {
    const shopping = world();
    await shopping.run();
    rename(shopping, 3, "another");
    const report = await shopping.run();
    expect(counts(report, "parts")).toMatchObject({ read: 20, changed: 1 });
    expect(counts(report, "suppliers")).toMatchObject({ read: 0, unchanged: 2, skipped: true });
  });

  it("is read when a table that it looks names up in has changed", async () => {
    const shopping = world();
    await shopping.run();
    const suppliers = shopping.tables["suppliers"]?.rows;
    if (suppliers) suppliers[0] = { id: 1, name: "Foo Ltd" };
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20, changed: 10 });
  });

  it.each<[string, Partial<Config["tables"][string]>]>([
    ["access rule", { access: { allowAny: ["group:sales"] } }],
    ["title", { title: "owner" }],
    ["column label", { columns: { owner: { label: "team" } } }],
    ["redaction", { redact: ["email"] }],
    ["classification", { classification: "restricted" }],
  ])("is read under another %s", async (_, table) => {
    const before = configOf({ parts: { title: "name" } });
    const shopping = world({ config: before });
    await shopping.run();
    const config = configOf({ parts: { title: "name", ...table } });
    expect(counts(await shopping.run({ config }), "parts")).toMatchObject({ read: 20 });
  });

  it("is read under another configuration of a table that it looks names up in, or of its source", async () => {
    const shopping = world();
    await shopping.run();
    const suppliers = { ...shop.tables["suppliers"], redact: ["phone"] };
    const looked: Config = JSON.parse(JSON.stringify({ ...shop, tables: { ...shop.tables, suppliers } }));
    expect(counts(await shopping.run({ config: looked }), "parts")).toMatchObject({ read: 20 });
    const sources = { w: { kind: "memory", encoding: "latin-1" } };
    expect(counts(await shopping.run({ config: { ...looked, sources } }), "parts")).toMatchObject({
      read: 20,
    });
  });

  it("is read under another masks' key, where a column is masked", async () => {
    const config = configOf({ parts: { columns: { name: { mask: "hash" } } }, suppliers: {} });
    const shopping = world({ config });
    await shopping.run();
    const report = await shopping.run({}, { maskKey: "another" });
    expect(counts(report, "parts")).toMatchObject({ read: 20, changed: 20 });
    expect(counts(report, "suppliers")).toMatchObject({ skipped: true });
  });

  it("is read while rows of it are held back, which are told of each time", async () => {
    const shopping = world();
    shopping.tables["parts"]?.rows.push({ id: null, name: "x", supplier_id: 1, owner: "ops" });
    await shopping.run();
    const report = await shopping.run();
    expect(counts(report, "parts")).toMatchObject({ read: 21, failed: 1 });
    expect(report.failures).toHaveLength(1);
  });

  it("is read while a key is not unique", async () => {
    const shopping = world({ ordered: false });
    shopping.tables["parts"]?.rows.push({ id: 0, name: "x", supplier_id: 1, owner: "ops" });
    await shopping.run();
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 21, failed: 2 });
  });

  it("is read once more after rows of it have lost their label", async () => {
    const shopping = world();
    await shopping.run();
    const rows = shopping.tables["parts"]?.rows;
    if (rows) rows[0] = { ...rows[0], owner: null };
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20, changed: 1 });
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20, unchanged: 20 });
    expect(counts(await shopping.run(), "parts")).toEqual(SKIPPED);
  });

  it("is read while a column of it is left out, which is told of each time", async () => {
    const shopping = world();
    await shopping.run();
    const parts = shopping.tables["parts"];
    if (parts) parts.columns["colour"] = "string";
    await shopping.run();
    const report = await shopping.run();
    expect(counts(report, "parts")).toMatchObject({ read: 20 });
    expect(report.drift).toMatchObject([{ table: "parts", column: "colour", ignored: true }]);
  });

  it("counts without rows that were erased, and brings none back", async () => {
    const shopping = world();
    await shopping.run();
    shopping.registry.erase("parts:7");
    const report = await shopping.run();
    expect(counts(report, "parts")).toEqual({ ...SKIPPED, unchanged: 19 });
    expect(shopping.registry.served("parts").map(({ row }) => row)).not.toContain("parts:7");
    await shopping.run({ readAll: true });
    expect(shopping.registry.served("parts")).toHaveLength(19);
  });
});

describe("what a killed run left", () => {
  it("is not served when the source goes back to what it was: the table is read", async () => {
    const shopping = world();
    await shopping.run();
    const before = structuredClone(shopping.registry.dump());
    rename(shopping, 3, "a passing name");
    await killed(shopping, 1);
    expect(shopping.registry.dump()).not.toEqual(before);
    rename(shopping, 3, "part 3");
    const report = await shopping.run();
    expect(counts(report, "parts")).toMatchObject({ read: 20 });
    expect(shopping.registry.served("parts").find(({ row }) => row === "parts:3")?.title).toBe("part 3");
    expect(counts(await shopping.run(), "parts")).toEqual(SKIPPED);
  });

  it("is not served when only removals were staged", async () => {
    const shopping = world();
    await shopping.run();
    const [gone] = shopping.tables["parts"]?.rows.splice(5, 1) ?? [];
    await killed(shopping, 1);
    if (gone) shopping.tables["parts"]?.rows.splice(5, 0, gone);
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20 });
    expect(shopping.registry.served("parts")).toHaveLength(20);
  });

  it("is read where vectors of it may not be written yet", async () => {
    const index = memoryIndex();
    const shopping = world({ index });
    await shopping.run();
    rename(shopping, 3, "a passing name");
    await killed(shopping, 1);
    rename(shopping, 3, "part 3");
    expect(counts(await shopping.run(), "parts")).toMatchObject({ read: 20 });
  });

  it("is refused at the publication when it arrives after the run has looked", async () => {
    const shopping = world();
    await shopping.run();
    const registry: Bench["registry"] = Object.create(shopping.registry, {
      begin: {
        // A batch of the run before, which was under way when this one took the lease.
        value: async (...args: Parameters<Bench["registry"]["begin"]>) => {
          const run = await shopping.registry.begin(...args);
          const gone = [{ row: "parts:4", view: "all" }];
          await shopping.registry.commit(
            run,
            { seq: 0, table: "parts", classes: [], rows: [], gone },
            signal,
          );
          return run;
        },
      },
    });
    const error = await failure(shopping.run({}, { registry }));
    expect(error.code).toBe("run_conflict");
  });
});

describe("a source that changes while it is read", () => {
  it("is read again: what it was before is not taken for what was read", async () => {
    const shopping = world();
    const source = shopping.deps.sourceOf("w");
    let changed = false;
    const changing = {
      ...source,
      async *read(...args: Parameters<typeof source.read>) {
        if (args[0].ref.name?.[0] === "parts" && !changed) {
          changed = true;
          rename(shopping, 1, "changed on the way");
        }
        yield* source.read(...args);
      },
    };
    await shopping.run({}, { sourceOf: () => changing });
    rename(shopping, 1, "part 1");
    const report = await shopping.run();
    expect(counts(report, "parts")).toMatchObject({ read: 20, changed: 1 });
    expect(shopping.registry.served("parts").find(({ row }) => row === "parts:1")?.title).toBe("part 1");
  });
});

describe("an outside index", () => {
  it("is still counted when nothing is read: one that lost its entries is told of", async () => {
    const index = memoryIndex();
    const shopping = world({ index });
    await shopping.run();
    expect(counts(await shopping.run(), "parts")).toEqual(SKIPPED);
    const empty = { ...index, stats: async () => ({ ...(await index.stats(signal)), entries: 3 }) };
    expect((await failure(shopping.run({}, { index: empty }))).code).toBe("index_unavailable");
  });
});

describe("a plan", () => {
  it("reads as little as the run would, and says so", async () => {
    const shopping = world();
    await shopping.run();
    rename(shopping, 3, "another");
    const plan = await planIngest({ config: shop, signal }, shopping.deps);
    expect(plan.tables.map(({ counts }) => [counts.table, counts.read, counts.skipped])).toEqual([
      ["suppliers", 0, true],
      ["parts", 20, undefined],
    ]);
    const all = await planIngest({ config: shop, readAll: true, signal }, shopping.deps);
    expect(all.tables.map(({ counts }) => counts.read)).toEqual([2, 20]);
  });
});

describe("any sequence of edits, kills, reverts and erasures", () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant("rename" as const), id: fc.nat(5), name: fc.constantFrom("a", "b", "c") }),
    fc.record({ do: fc.constant("lookup" as const), id: fc.nat(1), name: fc.constantFrom("Foo", "Bar") }),
    fc.record({ do: fc.constant("drop" as const), id: fc.nat(5) }),
    fc.record({ do: fc.constant("restore" as const) }),
    fc.record({ do: fc.constant("kill" as const), commits: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant("erase" as const), id: fc.nat(5) }),
    fc.record({ do: fc.constant("run" as const), only: fc.boolean() }),
  );

  it("serves the same with skipping as without", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.boolean(), async (steps, outside) => {
        const served: unknown[] = [];
        for (const revisions of [true, false]) {
          const index = outside ? memoryIndex() : undefined;
          const one = world({ tables: warehouse(6), revisions, ...(index ? { index } : {}) });
          await one.run();
          for (const now of steps) {
            const rows = one.tables["parts"]?.rows ?? [];
            const at = now.do === "rename" || now.do === "drop" ? now.id % Math.max(1, rows.length) : 0;
            const suppliers = one.tables["suppliers"]?.rows ?? [];
            if (now.do === "rename" && rows.length > 0) rows[at] = { ...rows[at], name: now.name };
            if (now.do === "lookup") suppliers[now.id] = { id: now.id + 1, name: now.name };
            if (now.do === "drop") rows.splice(at, 1);
            if (now.do === "restore") Object.assign(one.tables, warehouse(6));
            if (now.do === "erase") one.registry.erase(`parts:${now.id}`);
            if (now.do === "kill") await killed(one, now.commits);
            if (now.do === "run") await one.run({ yes: true, ...(now.only ? { tables: ["parts"] } : {}) });
          }
          await one.run({ yes: true });
          const entries = (await index?.stats(signal))?.entries;
          served.push([one.registry.served("parts"), one.registry.dump(), entries]);
        }
        expect(served[0]).toEqual(served[1]);
      }),
      { numRuns: 60 },
    );
  });
});
