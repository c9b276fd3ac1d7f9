import { expect } from "vitest";
import { vectorize } from "../../shared/indexes/vectorize.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { problemBody } from "../../workers/problem.ts";
import { bench, configOf, counts, failure } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubVector } from "../stubs/embedding.ts";
import { startVectorize, VECTORIZE_STUB } from "../stubs/vectorize.ts";
import {
  embeddings,
  faultModes,
  notes,
  overPinecone,
  pineconeIndex,
  shownBy,
  store,
  type Checks,
} from "./fault-modes.ts";

const signal = new AbortController().signal;

const question = {
  vector: stubVector("note", 64),
  text: "note",
  topK: 10,
  fusionWeight: 1,
  filter: { classes: ["c".repeat(22)], tables: undefined },
};

async function shown(accessClass: string): Promise<readonly string[]> {
  const asked = { ...question, filter: { classes: [accessClass], tables: undefined } };
  return (await pineconeIndex().query(asked, signal)).map(({ id }) => id);
}

const STORE: Checks = {
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

faultModes({ vector_store: STORE });
