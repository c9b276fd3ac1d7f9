import { expect } from "vitest";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { counts, failure, type Bench } from "../fakes/ingest-bench.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { OPENAI_STUB_KEY } from "../stubs/openai.ts";
import type { Fault } from "../stubs/stub.ts";
import { embeddings, faultModes, inputs, notes, onCommandLine, type Checks } from "./fault-modes.ts";

/** The run gets over the fault: every row is served, with a vector. */
async function survives(fault: Fault): Promise<Bench> {
  const world = notes();
  embeddings.fault(fault);
  expect(counts(await world.run(), "notes")).toMatchObject({ added: 60, failed: 0 });
  const vectors = world.registry
    .served("notes")
    .flatMap(({ chunks }) => chunks.map(({ vector }) => vector?.length));
  expect(vectors).toEqual(Array.from({ length: 60 }, () => 64));
  return world;
}

/** The run stops with the code, and nothing is written of what was wrong. */
async function stopsUnwritten(fault: Fault, code: string): Promise<Bench> {
  const world = notes();
  embeddings.fault(fault);
  expect((await failure(world.run())).code).toBe(code);
  expect([world.registry.generation, world.registry.commits.length]).toEqual([0, 0]);
  embeddings.fault(undefined);
  expect(counts(await world.run(), "notes")).toMatchObject({ added: 60 });
  return world;
}

/** One row is held back, the others are served. */
async function holdsBackOne(fault: Fault): Promise<void> {
  const world = notes();
  embeddings.fault({ ...fault, only: "note 17 " });
  const report = await world.run();
  expect(counts(report, "notes")).toMatchObject({ added: 59, failed: 1 });
  expect(report.failures).toEqual([{ table: "notes", key: "17", reason: "not_embeddable" }]);
}

const EMBEDDER: Checks = {
  status_429: () => survives({ mode: "status_429_retry_after_ms", calls: 2 }),
  async status_500_every_7th() {
    await survives({ mode: "status_500_every_7th" });
    // What failed was not embedded: each text counts once among the calls that were answered.
    expect([...inputs().values()].every((times) => times <= 2)).toBe(true);
  },
  partial_batch: () => survives({ mode: "partial_batch", calls: 1 }),
  async reordered_batch() {
    const [plain, reordered] = [notes(), notes()];
    await plain.run();
    embeddings.fault({ mode: "reordered_batch" });
    await reordered.run();
    expect(reordered.registry.served("notes")).toEqual(plain.registry.served("notes"));
  },
  wrong_dim: () => stopsUnwritten({ mode: "wrong_dim" }, "embedder_rejected"),
  nan_vector: () => stopsUnwritten({ mode: "nan_vector" }, "embedder_unavailable"),
  zero_vector: () => holdsBackOne({ mode: "zero_vector" }),
  one_bad_input: () => holdsBackOne({ mode: "one_bad_input" }),
  async input_too_long() {
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    rows[3] = {
      id: 3,
      body: Array.from({ length: 90 }, (_, i) => `Sentence ${i} of a long note.`).join(" "),
    };
    embeddings.fault({ mode: "input_too_long" });
    expect(counts(await world.run(), "notes")).toMatchObject({ added: 60, failed: 0 });
    const chunks = world.registry.served("notes").find(({ row }) => row === "notes:3")?.chunks ?? [];
    expect(chunks.length).toBeGreaterThan(2);
    expect(chunks.every(({ text }) => text.length <= 600)).toBe(true);
  },
  async timeout_after_success() {
    const world = await survives({ mode: "timeout_after_success", calls: 1 });
    expect(world.registry.served("notes")).toHaveLength(60);
  },
  async model_alias_moved() {
    const world = notes();
    await world.run();
    const rows = world.tables["notes"]?.rows ?? [];
    rows[0] = { id: 0, body: "changed" };
    const commits = world.registry.commits.length;
    embeddings.fault({ mode: "model_alias_moved" });
    expect((await failure(world.run())).violations).toEqual([
      { pointer: "embedder", rule: "embedder_changed" },
    ]);
    expect(world.registry.commits.length).toBe(commits);
  },
  async quota_exhausted() {
    const { registry, ingest } = await onCommandLine();
    // Of the four calls under way together, the third, whichever comes first.
    embeddings.fault({ mode: "status_402_quota", body: "note 40 says" });
    expect(await ingest()).toMatchObject({ status: 75, result: { error: { code: "rate_limited" } } });
    const staged = registry.commits.flatMap(({ rows }) =>
      rows.flatMap(({ chunks }) => chunks.map(({ text }) => text)),
    );
    expect(staged).toHaveLength(44);
    embeddings.reset();
    expect(await ingest()).toMatchObject({ status: 0, result: { tables: [{ read: 60, failed: 0 }] } });
    expect(staged.filter((text) => inputs().has(text))).toEqual([]);
    expect(registry.served("notes")).toHaveLength(60);
  },
  slow_30x: async () => {
    const world = notes();
    let most = 0;
    let now = 0;
    const host = secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${embeddings.url}/v1` });
    const embedder = openaiEmbedder({ dimensions: 64, maxBatch: 2 }, host);
    embeddings.fault({ mode: "slow_headers", ms: 60 });
    const counted = {
      ...embedder,
      async embed(...args: Parameters<typeof embedder.embed>) {
        most = Math.max(most, ++now);
        try {
          return await embedder.embed(...args);
        } finally {
          now -= 1;
        }
      },
    };
    expect(counts(await world.run({}, { embedder: counted }), "notes")).toMatchObject({ added: 60 });
    expect(most).toBeLessThanOrEqual(32);
  },
  async "non_deterministic_1e-4"() {
    const world = await survives({ mode: "non_deterministic_1e-4" });
    const before = embeddings.exchanges.length;
    expect((await world.run()).embeddedTexts).toBe(0);
    expect(embeddings.exchanges.length).toBe(before);
    const rows = world.tables["notes"]?.rows ?? [];
    rows[0] = { id: 0, body: "changed" };
    expect(counts(await world.run(), "notes")).toMatchObject({ changed: 1, unchanged: 59 });
  },
};

faultModes({ embedder: EMBEDDER });
