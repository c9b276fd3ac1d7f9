import { describe, expect, it } from "vitest";
import { runIngest } from "../../ingest/pipeline/run.ts";
import { parseConfig } from "../../shared/config.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { memorySource } from "../fakes/memory-source.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

const config = parseConfig({
  name: "test",
  sources: { w: { kind: "memory" } },
  tables: {
    people: {
      source: "w",
      key: ["id"],
      classification: "restricted",
      access: { allowAny: ["public"] },
    },
  },
});

/** @param large what the second of three rows holds, and a fourth. */
function bench(large?: string) {
  const registry = memoryRegistry();
  const rows = [1, 2, 3].map((id) => ({ id, name: (id === 2 ? large : undefined) ?? `person ${id}` }));
  if (large !== undefined) rows.push({ id: 4, name: large });
  const source = memorySource({ people: { columns: { id: "number", name: "string" }, rows } }, true);
  const embedder = stubEmbedder({ price: 0 });
  const run = () =>
    runIngest(
      { config, trigger: "cli", signal: new AbortController().signal },
      {
        tenant: "t",
        sourceOf: () => source,
        embedder,
        index: undefined,
        indexKind: "embedded",
        registry,
        maskKey: undefined,
        now: () => 1_700_000_000_000,
        wait: async () => {},
        log: () => {},
      },
    );
  return { registry, run };
}

describe("an erased row that the warehouse still has", () => {
  it("is not embedded, staged or counted", async () => {
    const { registry, run } = bench();
    registry.erase("people:2");
    const report = await run();
    expect(report.tables).toEqual([
      { table: "people", read: 2, added: 2, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
    ]);
    expect(report.embeddedTexts).toBe(2);
    expect(registry.served("people").map(({ row }) => row)).toEqual(["people:1", "people:3"]);
  });

  it("is not told among those held back, when it would be", async () => {
    const { registry, run } = bench("x".repeat(600_000));
    registry.erase("people:2");
    const report = await run();
    expect(report.failures.map(({ key }) => key)).toEqual(["4"]);
    expect(report.tables[0]).toMatchObject({ read: 3, failed: 1 });
  });

  it("does not come back in three later runs", async () => {
    const { registry, run } = bench();
    await run();
    registry.erase("people:2");
    for (let i = 0; i < 3; i++) {
      const report = await run();
      expect(report.embeddedTexts).toBe(0);
      expect(report.tables[0]).toMatchObject({ read: 2, added: 0, unchanged: 2, deleted: 0 });
    }
    expect(registry.served("people").map(({ row }) => row)).toEqual(["people:1", "people:3"]);
  });
});
