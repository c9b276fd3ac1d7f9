import { describe, expect, it } from "vitest";
import { runIngest, type IngestDeps, type IngestOptions } from "../../ingest/pipeline/run.ts";
import { parseConfig, type Config } from "../../shared/config.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { memorySource, type MemoryTable } from "../fakes/memory-source.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";

const config = parseConfig({
  name: "test",
  sources: { w: { kind: "memory" } },
  tables: {
    suppliers: {
      source: "w",
      key: ["id"],
      title: "name",
      classification: "internal",
      access: { allowAny: ["public"] },
    },
    parts: {
      source: "w",
      key: ["id"],
      title: "name",
      lookups: { supplier_id: "suppliers.name" },
      classification: "internal",
      access: { allowAny: ["group:{owner}"] },
    },
  },
});

function warehouse(): Record<string, MemoryTable> {
  return {
    suppliers: {
      columns: { id: "number", name: "string" },
      rows: [
        { id: 1, name: "Foo" },
        { id: 2, name: "Bar" },
      ],
    },
    parts: {
      columns: { id: "number", name: "string", supplier_id: "number", owner: "string" },
      rows: Array.from({ length: 20 }, (_, i) => ({
        id: i,
        name: `part ${i}`,
        supplier_id: 1 + (i % 2),
        owner: "ops",
      })),
    },
  };
}

function bench(tables = warehouse(), ordered = true) {
  const registry = memoryRegistry();
  const embedder = stubEmbedder({ price: 1_000_000 });
  const source = memorySource(tables, ordered);
  const deps: IngestDeps = {
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
  };
  const run = (options: Partial<IngestOptions> = {}, more: Partial<IngestDeps> = {}, c: Config = config) =>
    runIngest(
      { config: c, trigger: "cli", maxCostUsd: 1e9, signal: new AbortController().signal, ...options },
      { ...deps, ...more },
    );
  return { registry, embedder, tables, deps, run };
}

describe("runIngest", () => {
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
    expect(registry.served("parts")[0]?.chunks[0]?.vector).toHaveLength(4);
    expect(registry.served("parts")[0]?.chunks[0]?.text).toBe(
      "parts\npart 0\nid: 0\nsupplier: Foo (supplier_id 1)\nowner: ops",
    );
  });
});
