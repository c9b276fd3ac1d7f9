import { describe, expect, it } from "vitest";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { bench, configOf, counts, everyone, failure, warehouse } from "../fakes/ingest-bench.ts";
import { stubEmbedder, type StubEmbedder } from "../fakes/stub-embedder.ts";

/** An embedder that has no vector for texts in which `refuses` finds something. */
function picky(
  code: "input_rejected" | "input_too_long" | "embedder_rejected",
  refuses: (text: string) => boolean,
): StubEmbedder {
  const stub = stubEmbedder();
  return {
    ...stub,
    embed(texts, purpose, signal) {
      if (!texts.some(refuses)) return stub.embed(texts, purpose, signal);
      stub.calls.push({ texts: texts.length });
      return Promise.reject(new QuaysideError(code, "No."));
    },
  };
}

describe("a text that the embedder refuses", () => {
  it("holds back its row alone, found by halving, and is embedded with no other again", async () => {
    const embedder = picky("input_rejected", (text) => text.includes("part 7\n"));
    const { run, registry } = bench({ tables: warehouse(60) });
    const report = await run({}, { embedder });
    expect(counts(report, "parts")).toMatchObject({ read: 60, added: 59, failed: 1, deleted: 0 });
    expect(report.failures).toEqual([{ table: "parts", key: "7", reason: "not_embeddable" }]);
    expect(registry.served("parts").map(({ row }) => row)).not.toContain("parts:7");
    const texts = embedder.texts.filter((text) => /^(parts|suppliers)\n/.test(text));
    expect([texts.length, new Set(texts).size]).toEqual([61, 61]);
    // 62 texts, halved down to the one: two calls a level, and one for the probe texts.
    expect(embedder.calls.length).toBeLessThanOrEqual(2 + 2 * 6);
  });

  it("takes out the version of its row that was served", async () => {
    const { run, registry, tables } = bench();
    await run();
    const rows = tables["parts"]?.rows ?? [];
    rows[3] = { ...rows[3], name: "unspeakable" };
    rows[4] = { ...rows[4], name: "fine" };
    const report = await run(
      {},
      { embedder: picky("input_rejected", (text) => text.includes("unspeakable")) },
    );
    expect(counts(report, "parts")).toMatchObject({ changed: 1, failed: 1, deleted: 1, unchanged: 18 });
    expect(registry.served("parts").map(({ row }) => row)).not.toContain("parts:3");
  });

  it("counts its row once when the key is met again later", async () => {
    const columns = { id: "number", name: "string" } as const;
    const rows = Array.from({ length: 1100 }, (_, id) => ({ id, name: `n${id}` }));
    const tables = { notes: { columns, rows } };
    const { run } = bench({ config: configOf({ notes: { title: "name" } }), tables, ordered: false });
    const embedder = picky("input_rejected", (text) => text.includes("unspeakable"));
    rows[0] = { id: 0, name: "unspeakable" };
    rows.push({ id: 0, name: "again" });
    const added = await run({}, { embedder });
    expect(counts(added, "notes")).toMatchObject({ read: 1101, added: 1099, failed: 2, deleted: 0 });

    rows.splice(1100, 1);
    rows[0] = { id: 0, name: "fine" };
    await run();
    rows[0] = { id: 0, name: "unspeakable" };
    rows.push({ id: 0, name: "again" });
    const changed = await run({}, { embedder });
    expect(counts(changed, "notes")).toMatchObject({ changed: 0, unchanged: 1099, failed: 2, deleted: 1 });
  });

  it("holds back every view of its row", async () => {
    const config = configOf({
      people: {
        title: "name",
        views: [
          { name: "directory", columns: ["id", "name"], access: everyone },
          { name: "full", columns: "*", access: { allowAny: ["group:hr"] } },
        ],
      },
    });
    const people = Array.from({ length: 12 }, (_, id) => ({ id, name: `n${id}`, note: `note ${id}` }));
    const tables = {
      people: { columns: { id: "number", name: "string", note: "string" } as const, rows: people },
    };
    const { run, registry } = bench({ config, tables });
    const report = await run({}, { embedder: picky("input_rejected", (text) => text.includes("note 5")) });
    expect(counts(report, "people")).toMatchObject({ added: 11, failed: 1 });
    expect(registry.served("people").filter(({ row }) => row === "people:5")).toEqual([]);
  });

  it("counts towards the guard on bad rows", async () => {
    const { run, registry } = bench({ tables: warehouse(100) });
    const embedder = picky("input_rejected", (text) => /part [0-4]?\d\n/.test(text));
    expect((await failure(run({}, { embedder }))).violations).toEqual([
      { pointer: "parts", rule: "failed_rows" },
    ]);
    expect(registry.generation).toBe(0);
  });

  it("stops the run when it is every text, which is no fault of the rows", async () => {
    const { run } = bench();
    expect((await failure(run({}, { embedder: picky("input_rejected", () => true) }))).code).toBe(
      "embedder_rejected",
    );
  });

  it("for its length is cut shorter until it fits", async () => {
    const config = configOf({ notes: { text: ["body"] } });
    const body = Array.from({ length: 200 }, (_, i) => `Sentence number ${i} says this.`).join(" ");
    const tables = { notes: { columns: { id: "number", body: "string" } as const, rows: [{ id: 1, body }] } };
    const wide = bench({ config, tables });
    await wide.run();
    const narrow = bench({ config, tables });
    const report = await narrow.run({}, { embedder: picky("input_too_long", (text) => text.length > 600) });
    expect(counts(report, "notes")).toMatchObject({ added: 1, failed: 0 });
    const chunks = narrow.registry.served("notes")[0]?.chunks ?? [];
    expect(chunks.length).toBeGreaterThan(wide.registry.served("notes")[0]?.chunks.length ?? 0);
    expect(chunks.every(({ text, vector }) => text.length <= 600 && vector !== undefined)).toBe(true);
    expect(chunks.map(({ text }) => text).join(" ")).toContain("Sentence number 199 says this.");
  });

  it("for its length is held back when no cut is short enough", async () => {
    const { run } = bench();
    const report = await run({}, { embedder: picky("input_too_long", (text) => text.includes("part 2\n")) });
    expect(report.failures).toEqual([{ table: "parts", key: "2", reason: "not_embeddable" }]);
  });
});

describe("an embedder that fails for another reason", () => {
  it("is asked once, and the run stops", async () => {
    const embedder: StubEmbedder & Embedder = picky("embedder_rejected", () => true);
    expect((await failure(bench().run({}, { embedder }))).code).toBe("embedder_rejected");
    expect(embedder.calls).toHaveLength(1);
  });
});
