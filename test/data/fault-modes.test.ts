import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod/mini";
import { makeLeaseNotes } from "../../ingest/lease-notes.ts";
import { makeServiceNowSource } from "../../ingest/sources/servicenow.ts";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import { vectorize } from "../../shared/indexes/vectorize.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import type { Source } from "../../shared/ports/source.ts";
import { problemBody } from "../../workers/problem.ts";
import { commandLine } from "../fakes/command-line.ts";
import { bench, configOf, counts, failure, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubVector } from "../stubs/embedding.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";
import { SERVICENOW_STUB, startServiceNow } from "../stubs/servicenow.ts";
import type { Fault, Stub } from "../stubs/stub.ts";
import { startVectorize, VECTORIZE_STUB } from "../stubs/vectorize.ts";
import { hostile } from "./hostile.ts";

/**
 * What ingest's dependencies do to it: every mode of the set ends as the set says. A mode is either injected here, through the
 * strict stubs, or shown by a test elsewhere, which is named by its words and must be there.
 */

const OURS = ["embedder", "vector_store", "warehouse", "ingest_process", "durable_object"];
const modes = hostile(
  "fault-modes.jsonl",
  z.object({ id: z.string(), dependency: z.string(), mode: z.string(), expect: z.string() }),
)?.filter(({ dependency }) => OURS.includes(dependency));

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const signal = new AbortController().signal;
let embeddings: Stub;
let store: PineconeStub;

beforeAll(async () => {
  embeddings = await startOpenai();
  store = await startPinecone(0, { dimension: 64 });
});
beforeEach(() => {
  embeddings.reset();
  store.reset();
});
afterAll(async () => {
  await embeddings?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});

/** Sixty notes, embedded through the real client in calls of sixteen. */
function notes(index?: VectorIndex): Bench {
  const rows = Array.from({ length: 60 }, (_, id) => ({ id, body: `note ${id} says this` }));
  const world = bench({
    config: configOf({ notes: { text: ["body"] } }),
    tables: { notes: { columns: { id: "number", body: "string" }, rows } },
    ...(index ? { index } : {}),
  });
  const host = secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${embeddings.url}/v1` });
  const embedder = openaiEmbedder({ dimensions: 64, maxBatch: 16 }, host);
  // Waits cost no time, and the clock knows of them.
  let clock = 1_700_000_000_000;
  const time = { now: () => clock, wait: async (ms: number) => void (clock += ms) };
  return { ...world, run: (options, more) => world.run(options, { embedder, ...time, ...more }) };
}

/** The same notes in a CSV file, ingested by the command line. */
async function onCommandLine(now?: () => number) {
  const path = await mkdtemp(join(tmpdir(), "quayside-notes-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const lines = Array.from({ length: 60 }, (_, id) => `${id},note ${id} says this`);
  writeFileSync(join(path, "notes.csv"), `${["id,body", ...lines].join("\n")}\n`);
  const config = {
    ...configOf({ notes: { text: ["body"] } }),
    sources: { w: { kind: "duckdb", path } },
    embedder: { kind: "openai", dimensions: 64, maxBatch: 16 },
  };
  const secrets = { OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${embeddings.url}/v1` };
  const registry = memoryRegistry();
  return {
    registry,
    ingest: () => commandLine(["ingest"], { config, registry, secrets, ...(now ? { now } : {}) }),
  };
}

function pineconeIndex(): VectorIndex {
  const secrets = {
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_CONTROLLER_HOST: store.url,
    PINECONE_INDEX: "quayside",
  };
  return pinecone({ tenant: "t", space: "s" }, secretHost(secrets));
}

const overPinecone = (): Bench => notes(pineconeIndex());

const question = {
  vector: stubVector("note", 64),
  text: "note",
  topK: 10,
  fusionWeight: 1,
  filter: { classes: ["c".repeat(22)], tables: undefined },
};

/** Inputs that the embedder answered, by text. */
function inputs(): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { body } of embeddings.exchanges) {
    const { input }: { readonly input: readonly string[] } = JSON.parse(body);
    for (const text of input) times.set(text, (times.get(text) ?? 0) + 1);
  }
  return times;
}

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

/** The world's source, whose connection is lost behind the first thousand rows, so many times. */
function dropping(world: Bench, times: number) {
  const source = world.deps.sourceOf("w");
  const drops = {
    left: times,
    sourceOf: (): Source => ({
      ...source,
      async *read(table, options) {
        for await (const batch of source.read(table, options)) {
          yield batch;
          if (drops.left === 0) continue;
          drops.left -= 1;
          throw new QuaysideError("source_unavailable", "The connection to the database was lost.");
        }
      },
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    }),
  };
  return drops;
}

/** A test elsewhere that shows the mode: its file, and words of its title or of its row. */
function shownBy(file: string, ...words: readonly string[]): () => Promise<void> {
  return async () => {
    const text = readFileSync(join(root, file), "utf8");
    for (const word of words) expect(text, `${file} has nothing that says "${word}"`).toContain(word);
  };
}

const EMBEDDER: Readonly<Record<string, () => Promise<unknown>>> = {
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

const STORE: Readonly<Record<string, () => Promise<unknown>>> = {
  ignores_filter: shownBy("test/e2e/vendors.test.ts", "a store that ignores its filter shows nobody a row"),
  async stale_read() {
    const world = overPinecone();
    store.fault({ mode: "stale_read" });
    expect((await failure(world.run())).code).toBe("index_unavailable");
    expect(world.registry.generation).toBe(0);
    store.fault(undefined);
    // Seconds later it shows what it was given: nothing is embedded again.
    const calls = embeddings.exchanges.length;
    expect(counts(await world.run(), "notes")).toMatchObject({ unchanged: 60 });
    expect([world.registry.generation, embeddings.exchanges.length]).toEqual([1, calls]);
  },
  returns_deleted: shownBy(
    "test/workerd/tenant-erasure.test.ts",
    "is not finished while an index outside still shows the row",
  ),
  missing_metadata: shownBy(
    "test/unit/retrieve.test.ts",
    "takes an outside index's ids only, and what the registry says of them",
  ),
  wrong_namespace: shownBy("test/unit/retrieve.test.ts", "leaves out what the index should have filtered"),
  async partial_upsert() {
    const world = overPinecone();
    store.fault({ mode: "partial_upsert" });
    expect((await failure(world.run())).code).toBe("index_unavailable");
    expect(world.registry.generation).toBe(0);
    store.fault(undefined);
    expect((await world.run({ full: true })).generation).toBe(1);
  },
  async upsert_429() {
    const world = overPinecone();
    store.fault({ mode: "status_429_retry_after_ms", path: "/vectors/upsert", calls: 2 });
    expect(counts(await world.run(), "notes")).toMatchObject({ added: 60 });
  },
  async upsert_timeout_applied() {
    const world = overPinecone();
    store.fault({ mode: "upsert_lost_applied", path: "/vectors/upsert", calls: 1 });
    expect(counts(await world.run(), "notes")).toMatchObject({ added: 60 });
    expect(store.namespaces().map((namespace) => store.ids(namespace).length)).toEqual([60]);
  },
  query_timeout: shownBy("test/contract/pinecone.test.ts", "cancels upstream"),
  async query_500() {
    const index = pineconeIndex();
    store.fault({ mode: "status_500", path: "/query", calls: 1 });
    expect(await index.query(question, signal)).toEqual([]);
    store.reset();
    store.fault({ mode: "status_500", path: "/query" });
    const error = await index.query(question, signal).catch((e: unknown) => e);
    expect(error instanceof QuaysideError && [error.code, problemBody(error, "req").status]).toEqual([
      "index_unavailable",
      503,
    ]);
    expect(store.exchanges.filter(({ path }) => path === "/query")).toHaveLength(2);
  },
  dim_mismatch: shownBy(
    "test/contract/pinecone.test.ts",
    "refuses a question's vector of another length",
    "refuses vectors of another length, before anything is written",
  ),
  score_nan: shownBy("test/contract/pinecone.test.ts", "drops a match without a score"),
  topk_short: shownBy("test/unit/retrieve.test.ts", "asks for more, once, when too many hits fell away"),
  dup_ids: shownBy("test/contract/pinecone.test.ts", "names each match once"),
  filter_too_big: shownBy(
    "test/contract/pinecone.test.ts",
    "fails closed when Pinecone refuses the filter",
    "fails closed for more classes than ten queries hold",
  ),
  async index_missing() {
    const world = overPinecone();
    store.fault({ mode: "index_missing" });
    expect((await failure(world.run())).code).toBe("index_unavailable");
    expect(world.registry.generation).toBe(0);
  },
  async metadata_truncated_64b() {
    // Two groups that differ beyond the 64th byte: a store that compares less still tells their rows apart.
    const long = "g".repeat(200);
    const made = bench({
      config: configOf({ notes: { text: ["body"], access: { allowAny: ["group:{team}"] } } }),
      tables: {
        notes: {
          columns: { id: "number", body: "string", team: "string" },
          rows: ["a", "b"].map((end, id) => ({ id, body: `of ${end}`, team: long + end })),
        },
      },
      embedder: { dimensions: 64 },
      index: pineconeIndex(),
    });
    await made.run();
    const classes = made.registry.served("notes").map(({ accessClass }) => accessClass);
    const shown = async (accessClass: string): Promise<readonly string[]> => {
      const asked = { ...question, filter: { classes: [accessClass], tables: undefined } };
      return (await pineconeIndex().query(asked, signal)).map(({ id }) => id);
    };
    store.fault({ mode: "metadata_truncated_64b" });
    const [one, other] = await Promise.all(classes.map(shown));
    expect([one?.length, other?.length]).toEqual([1, 1]);
    expect(one).not.toEqual(other);
  },
  async array_label_unsupported() {
    // A store that can't filter by label is refused before anything is written.
    await using vectors = await startVectorize(0, { dimensions: 64, properties: ["table"] });
    const secrets = {
      CLOUDFLARE_ACCOUNT_ID: VECTORIZE_STUB.account,
      CLOUDFLARE_API_TOKEN: VECTORIZE_STUB.token,
      CLOUDFLARE_BASE_URL: vectors.url,
      VECTORIZE_INDEX: VECTORIZE_STUB.index,
    };
    const world = notes(vectorize({ tenant: "t", space: "s" }, secretHost(secrets)));
    expect((await failure(world.run())).code).toBe("config_invalid");
    expect([world.registry.generation, vectors.stored().length]).toEqual([0, 0]);
  },
  generation_half_written: shownBy(
    "test/workerd/shard.test.ts",
    "stop a publish when rows that were read never arrived",
  ),
  async empty_index() {
    // An index that was emptied behind our back, or is another one under the old name, is noticed by the next run.
    const index = memoryIndex();
    const world = notes(index);
    await world.run();
    await index.drop(signal);
    const error = await failure(world.run());
    expect(error.code).toBe("index_unavailable");
    expect(error.message).toContain("--full");
    expect((await world.run({ full: true })).generation).toBe(2);
    expect(await index.stats(signal)).toEqual({ entries: 60 });
  },
};

const WAREHOUSE: Readonly<Record<string, () => Promise<unknown>>> = {
  async conn_drop_mid_page() {
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    for (let id = 60; id < 2500; id++) rows.push({ id, body: `note ${id} says this` });
    const drops = dropping(world, 1);
    const report = await world.run({}, { sourceOf: drops.sourceOf });
    expect(drops.left).toBe(0);
    expect(counts(report, "notes")).toMatchObject({ read: 2500, failed: 0, deleted: 0 });
    expect(new Set(world.registry.served("notes").map(({ row }) => row)).size).toBe(2500);
    const twice = [...inputs()].filter(([text, times]) => text.startsWith("notes\n") && times > 1);
    expect(twice).toEqual([]);
    // A source that breaks off again is down: nothing is published.
    rows.push({ id: 9999, body: "late" });
    const down = dropping(world, 2);
    expect((await failure(world.run({}, { sourceOf: down.sourceOf }))).code).toBe("source_unavailable");
    expect([down.left, world.registry.generation]).toEqual([0, 1]);
  },
  cursor_expired: shownBy("test/contract/source-bigquery.test.ts", "a page token that has ended"),
  row_changed_during_scan: shownBy(
    "test/contract/source-snowflake.test.ts",
    "reads the tables of a run as at one moment, changed or not since",
  ),
  async slow_query_timeout() {
    await using instance = await startServiceNow();
    await instance.define({
      name: "notes",
      fields: { id: { type: "integer" }, body: { type: "string" } },
      records: "SELECT range AS id, 'note' AS body, md5(CAST(range AS VARCHAR)) AS sys_id FROM range(900)",
    });
    // The instance breaks off every page of more than 250 rows.
    instance.fault({ mode: "too_slow", path: "/notes" });
    const secrets = { SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: instance.url };
    const tables = { notes: { fields: ["id", "body"] } };
    await using source = makeServiceNowSource({ kind: "servicenow", tables }, secretHost(secrets));
    const report = await notes().run({}, { sourceOf: () => source });
    expect(counts(report, "notes")).toMatchObject({ read: 900, added: 900, failed: 0 });
  },
  auth_expired_mid_run: shownBy(
    "test/contract/source-bigquery.test.ts",
    "signs in again when its token ends in the middle",
  ),
  warehouse_suspended: shownBy(
    "test/contract/source-snowflake.test.ts",
    "waits for a statement that is queued or still runs",
  ),
  throttle_429: shownBy(
    "test/contract/source-servicenow.test.ts",
    "says how long to wait where the limit is for the hour",
  ),
  page_repeats: shownBy("test/contract/source-bigquery.test.ts", "the same page again and again"),
  total_count_wrong: shownBy("test/contract/source-snowflake.test.ts", "fewer rows than announced"),
  async empty_result() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.splice(0);
    expect((await failure(world.run())).violations).toEqual([{ pointer: "notes", rule: "empty_table" }]);
    expect(world.registry.served("notes")).toHaveLength(60);
  },
  async permission_partial() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.splice(0, 25);
    expect((await failure(world.run())).violations).toEqual([{ pointer: "notes", rule: "mass_delete" }]);
    expect(world.registry.served("notes")).toHaveLength(60);
  },
  async duplicate_rows() {
    const world = notes();
    world.tables["notes"]?.rows.push({ id: 5, body: "another of the same key" });
    expect(counts(await world.run(), "notes")).toMatchObject({ read: 61, added: 59, failed: 2 });
  },
  type_lies: shownBy(
    "test/contract/source-servicenow.test.ts",
    "holds back a value that is not of its field's type, instead of guessing",
  ),
  nul_and_surrogates: shownBy(
    "test/data/ingest-strings.test.ts",
    "come back byte for byte from any source, replacements counted",
  ),
  async clock_backwards() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.push({ id: 99, body: "late, and older than all" });
    expect(counts(await world.run(), "notes")).toMatchObject({ added: 1 });
  },
  tls_bad_cert: shownBy("test/deep/postgres.test.ts", "trusts certificates as sslmode says"),
  html_instead_of_json: shownBy("test/contract/source-snowflake.test.ts", "a proxy's login page"),
  xss_in_values: shownBy("test/data/xss-console.test.ts", "hostile strings in the console"),
};

const PROCESS: Readonly<Record<string, () => Promise<unknown>>> = {
  kill_9: shownBy(
    "test/deep/kill.test.ts",
    "whose CLI is killed %s %s leaves what one that was not killed leaves",
    "kills at random moments",
  ),
  sigterm: shownBy("test/deep/kill.test.ts", "ends with 75 within 10 s"),
  async enospc() {
    // The only files that the CLI writes in an ingest are notes of who holds a lease: without them it waits, no more.
    const folder = await mkdtemp(join(tmpdir(), "quayside-notes-"));
    writeFileSync(join(folder, "full"), "");
    const unwritable = makeLeaseNotes(join(folder, "full"));
    await unwritable.write("run_1");
    expect(await unwritable.isOrphan("Run run_1 is writing.")).toBe(false);
    await unwritable.forget("run_1");
    await rm(folder, { recursive: true });
  },
  journal_torn_write: () => tornNote(""),
  journal_corrupt_middle: () => tornNote("12\u0000x9"),
  async two_processes() {
    // The clock passes what the second one waits for at most.
    let clock = 1_700_000_000_000;
    const { registry, ingest } = await onCommandLine(() => (clock += 60_000));
    const holder = await registry.begin(
      { tenant: "t", tables: ["notes"], space: "x", trigger: "cli" },
      signal,
    );
    expect(await ingest()).toMatchObject({ status: 75, result: { error: { code: "run_conflict" } } });
    expect([registry.commits.length, embeddings.exchanges.length]).toEqual([0, 0]);
    await registry.abandon(holder, "done", signal);
    expect((await ingest()).status).toBe(0);
  },
  lease_lost: shownBy(
    "test/workerd/ledger-runs.test.ts",
    "gives a stale lease to the next, and fences the holder",
  ),
  async clock_jump() {
    let now = 1_700_000_000_000;
    const reports: number[] = [];
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    for (let id = 60; id < 5000; id++) rows.push({ id, body: "more" });
    await world.run(
      { onProgress: () => void (now -= 3_600_000) },
      {
        now: () => now,
        registry: {
          ...world.registry,
          async report(...args) {
            reports.push(now);
            return world.registry.report(...args);
          },
        },
      },
    );
    // The lease is renewed although the clock went back an hour between any two batches.
    expect(reports.length).toBeGreaterThan(2);
  },
  oom_limit_256mb: shownBy("test/deep/kill.test.ts", "within 256 MB of heap"),
};

/** A note that was cut short, or has rotted, is no proof that its run is dead: the lease is waited for. */
async function tornNote(content: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "quayside-notes-"));
  writeFileSync(join(folder, "run_1"), content);
  expect(await makeLeaseNotes(folder).isOrphan("Run run_1 is writing.")).toBe(false);
  await rm(folder, { recursive: true });
}

const OBJECT: Readonly<Record<string, () => Promise<unknown>>> = {
  evict_between_requests: shownBy("test/workerd/ledger.test.ts", "is the same after the object was evicted"),
  crash_mid_request: shownBy(
    "test/workerd/tenant.test.ts",
    "can be killed at each of its steps and ends the same",
  ),
  overloaded: shownBy("test/workerd/rpc.test.ts", "is left alone when it is overloaded"),
  reset_on_deploy: shownBy(
    "test/workerd/rpc.test.ts",
    "is called once more on a new stub after a failure that the platform calls retryable",
  ),
  alarm_twice: shownBy(
    "test/workerd/runs.test.ts",
    "asks for one run of every table that is due, once however often it fires",
  ),
  alarm_late_1h: shownBy("test/workerd/runs.test.ts", "catches up once after an hour without a clock"),
  async storage_full() {
    const world = notes();
    await world.run();
    const served = world.registry.served("notes");
    const rows = world.tables["notes"]?.rows ?? [];
    rows[0] = { id: 0, body: "changed" };
    const full = {
      ...world.registry,
      commit: () => Promise.reject(new QuaysideError("registry_unavailable", "The object has no room.")),
    };
    expect((await failure(world.run({}, { registry: full }))).code).toBe("registry_unavailable");
    expect(world.registry.served("notes")).toEqual(served);
    expect(counts(await world.run(), "notes")).toMatchObject({ changed: 1 });
  },
  clock_skew_5min: shownBy(
    "test/workerd/ledger-runs.test.ts",
    "takes a lease from the future for the past's: the clock was set back since",
  ),
};

const CHECKS: Readonly<Record<string, Readonly<Record<string, () => Promise<unknown>>>>> = {
  embedder: EMBEDDER,
  vector_store: STORE,
  warehouse: WAREHOUSE,
  ingest_process: PROCESS,
  durable_object: OBJECT,
};

describe.skipIf(!modes)("fault modes", () => {
  it.each(modes ?? [])("$id: $expect", async ({ dependency, mode }) => {
    const check = CHECKS[dependency]?.[mode];
    if (!check) throw new Error(`nothing checks ${dependency}.${mode}`);
    await check();
  });
});
