import { describe, expect, it } from "vitest";
import { bench, failure, warehouse } from "../fakes/ingest-bench.ts";
import { stubEmbedder, type StubEmbedder } from "../fakes/stub-embedder.ts";

/** The same name and length, other vectors. */
function moved(): StubEmbedder {
  const stub = stubEmbedder();
  return {
    ...stub,
    async embed(texts, purpose, signal) {
      const { vectors, inputTokens } = await stub.embed(texts, purpose, signal);
      return { inputTokens, vectors: vectors.map((vector) => vector.toReversed()) };
    },
  };
}

/** As arithmetic in another order leaves them. */
function unsteady(): StubEmbedder {
  const stub = stubEmbedder();
  return {
    ...stub,
    async embed(texts, purpose, signal) {
      const { vectors, inputTokens } = await stub.embed(texts, purpose, signal);
      return {
        inputTokens,
        vectors: vectors.map((vector) => vector.map((x, i) => x + (i % 2 === 0 ? 1e-4 : -1e-4))),
      };
    },
  };
}

describe("probe texts", () => {
  it("ride in the first call of a run where there is room, and in no other", async () => {
    const { run, embedder, tables } = bench({ tables: warehouse(30), embedder: { maxBatch: 20 } });
    const report = await run();
    expect(embedder.calls.map(({ texts }) => texts)).toEqual([5, 20, 12]);
    expect(report.embeddedTexts).toBe(32);
    const rows = tables["parts"]?.rows ?? [];
    rows[0] = { ...rows[0], name: "changed" };
    await run();
    expect(embedder.calls.slice(3).map(({ texts }) => texts)).toEqual([6]);
  });

  it("ask nothing in a run that embeds nothing", async () => {
    const { run, embedder } = bench();
    await run();
    const calls = embedder.calls.length;
    await run();
    expect(embedder.calls.length).toBe(calls);
  });

  it("stop a run whose embedder was changed behind its name, before anything is written", async () => {
    const { run, registry, tables } = bench();
    await run();
    const rows = tables["parts"]?.rows ?? [];
    rows[0] = { ...rows[0], name: "changed" };
    const commits = registry.commits.length;
    const error = await failure(run({ yes: true }, { embedder: moved() }));
    expect([error.code, error.violations]).toEqual([
      "guard_stopped",
      [{ pointer: "embedder", rule: "embedder_changed" }],
    ]);
    expect(registry.commits.length).toBe(commits);
    expect(registry.generation).toBe(1);
  });

  it("are kept of the space, so that another space has its own", async () => {
    const { run } = bench();
    await run();
    const other = { ...moved(), id: "stub/other/4" };
    expect((await run({}, { embedder: other })).generation).toBe(2);
    expect(
      (await failure(run({ full: true }, { embedder: { ...stubEmbedder(), id: "stub/other/4" } }))).code,
    ).toBe("guard_stopped");
  });

  it("accept vectors that differ by rounding", async () => {
    const { run, tables } = bench();
    await run();
    const rows = tables["parts"]?.rows ?? [];
    rows[0] = { ...rows[0], name: "changed" };
    expect((await run({}, { embedder: unsteady() })).embeddedTexts).toBe(1);
  });
});
