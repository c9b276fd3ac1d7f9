import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { hash128 } from "../../shared/ids.ts";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { IndexEntry, IndexQuery } from "../../shared/ports/vector-index.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubVector } from "../stubs/embedding.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";
import { failureCode } from "./embedder.ts";

const DIMENSION = 64;
const SPACE = "openai/text-embedding-3-small/64 chunk-1 pinecone";
const signal = new AbortController().signal;

async function namespace(tenant = "acme", space = SPACE): Promise<string> {
  return `${tenant}.${await hash128(space)}`;
}

function entry(id: string, text: string, change: Partial<IndexEntry> = {}): IndexEntry {
  return {
    id,
    text,
    vector: stubVector(text, DIMENSION),
    table: "tickets",
    accessClass: "class-a",
    ...change,
  };
}

function ask(text: string, change: Partial<IndexQuery> = {}): IndexQuery {
  return {
    vector: stubVector(text, DIMENSION),
    text,
    topK: 10,
    fusionWeight: 1,
    filter: { classes: ["class-a"], tables: undefined },
    ...change,
  };
}

describe("pinecone", () => {
  let stub: PineconeStub;
  const secrets = () => ({
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_INDEX: "quayside",
    PINECONE_CONTROLLER_HOST: stub.url,
  });
  const open = (settings: Readonly<Record<string, unknown>> = {}) =>
    pinecone({ kind: "pinecone", tenant: "acme", space: SPACE, ...settings }, secretHost(secrets()));
  beforeAll(async () => {
    stub = await startPinecone(0, { dimension: DIMENSION });
  });
  afterEach(() => stub.reset());
  afterAll(() => stub[Symbol.asyncDispose]());

  const bodies = (path: string) =>
    stub.exchanges.filter((e) => e.path === path).map((e) => JSON.parse(e.body) as unknown);

  it("keeps each tenant and space in a namespace of its own", async () => {
    await open().upsert([entry("a.0", "one")], signal);
    await open({ tenant: "globex" }).upsert([entry("a.0", "one")], signal);
    await open({ space: "other" }).upsert([entry("a.0", "one")], signal);
    expect(stub.namespaces()).toEqual(
      [await namespace(), await namespace("globex"), await namespace("acme", "other")].sort(),
    );
  });

  it("stores class, table, cells and text as metadata", async () => {
    await open().upsert([entry("a.0", "one", { cells: { region: "FR" } })], signal);
    expect(bodies("/vectors/upsert")).toMatchObject([
      {
        vectors: [
          { id: "a.0", metadata: { class: "class-a", table: "tickets", cell_region: "FR", text: "one" } },
        ],
      },
    ]);
  });

  it("filters by class, table and cell inside the index", async () => {
    const filter = { classes: ["class-a", "class-b"], tables: ["tickets"], cells: { region: "FR" } };
    await open().query(ask("one", { filter }), signal);
    expect(bodies("/query")).toMatchObject([
      {
        topK: 10,
        includeMetadata: false,
        filter: {
          class: { $in: ["class-a", "class-b"] },
          table: { $in: ["tickets"] },
          cell_region: { $eq: "FR" },
        },
      },
    ]);
  });

  it("asks nothing for someone who may see nothing", async () => {
    expect(await open().query(ask("one", { filter: { classes: [], tables: undefined } }), signal)).toEqual(
      [],
    );
    expect(await open().query(ask("one", { filter: { classes: ["class-a"], tables: [] } }), signal)).toEqual(
      [],
    );
    expect(stub.exchanges).toHaveLength(0);
  });

  it("splits more classes than a filter holds, and merges what comes back", async () => {
    await open().upsert([entry("a.0", "one two"), entry("b.0", "one", { accessClass: "class-b" })], signal);
    const others = Array.from({ length: 10_000 }, (_, i) => `other-${i}`);
    const filter = { classes: ["class-a", ...others, "class-b"], tables: undefined };
    const matches = await open().query(ask("one", { filter }), signal);
    expect(bodies("/query")).toHaveLength(2);
    expect(matches.map(({ id }) => id)).toEqual(["b.0", "a.0"]);
  });

  it("fails closed for more classes than ten queries hold", async () => {
    const classes = Array.from({ length: 100_001 }, (_, i) => `class-${i}`);
    const call = open().query(ask("one", { filter: { classes, tables: undefined } }), signal);
    expect(await failureCode(call)).toBe("too_many_labels");
  });

  it("fails closed when Pinecone refuses the filter", async () => {
    stub.fault({ mode: "filter_too_big" });
    expect(await failureCode(open().query(ask("one"), signal))).toBe("too_many_labels");
  });

  it("sends vectors to seven decimals", async () => {
    const vector = new Float32Array(DIMENSION);
    vector.set([0.123456789, -0.5, 1e-9, 1, -0.00001234, -1]);
    await open().upsert([entry("a.0", "one", { vector })], signal);
    const [body] = stub.exchanges.filter((e) => e.path === "/vectors/upsert");
    expect(/"values":\[([^\]]*)\]/.exec(body?.body ?? "")?.[1]).toMatch(
      /^0\.1234568,-0\.5000000,0,1,-0\.0000123,-1,0,/,
    );
  });

  it("says how its writes are billed", () => {
    expect(open().writeUnits).toEqual({ bytes: 1000, least: 5 });
  });

  it("splits an upsert at 1,000 records", async () => {
    const entries = Array.from({ length: 2001 }, (_, i) => entry(`${i}.0`, `row ${i}`));
    await open().upsert(entries, signal);
    const upserts = stub.exchanges.filter((e) => e.path === "/vectors/upsert");
    expect(upserts.map((e) => e.body.split('"id":').length - 1).sort((a, b) => a - b)).toEqual([
      1, 1000, 1000,
    ]);
    expect(stub.ids(await namespace())).toHaveLength(2001);
  });

  it("splits an upsert at two megabytes", async () => {
    const entries = Array.from({ length: 300 }, (_, i) => entry(`${i}.0`, "x".repeat(8000)));
    await open().upsert(entries, signal);
    expect(bodies("/vectors/upsert")).toHaveLength(2);
    expect(stub.ids(await namespace())).toHaveLength(300);
  });

  it("keeps a long text within what metadata may hold", async () => {
    await open().upsert([entry("a.0", "é😀".repeat(20_000))], signal);
    expect(stub.ids(await namespace())).toEqual(["a.0"]);
  });

  it("deletes in thousands", async () => {
    const entries = Array.from({ length: 1500 }, (_, i) => entry(`${i}.0`, `row ${i}`));
    await open().upsert(entries, signal);
    await open().delete(
      entries.map(({ id }) => id),
      signal,
    );
    expect(stub.ids(await namespace())).toEqual([]);
    expect(bodies("/vectors/delete")).toHaveLength(2);
  });

  it("deletes from a namespace that nothing was written to", async () => {
    expect(await failureCode(open().delete(["a.0"], signal))).toBeUndefined();
  });

  it("reads back by id", async () => {
    await open().upsert([entry("a.0", "one"), entry("b.0", "two")], signal);
    expect(await open().has(["a.0", "b.0", "c.0"], signal)).toEqual(new Set(["a.0", "b.0"]));
  });

  it("notices on reading back what was dropped", async () => {
    stub.fault({ mode: "partial_upsert", path: "/upsert" });
    await open().upsert([entry("a.0", "one"), entry("b.0", "two"), entry("c.0", "three")], signal);
    expect(await open().has(["a.0", "b.0", "c.0"], signal)).toEqual(new Set(["a.0", "b.0"]));
  });

  it("counts this space only", async () => {
    await open().upsert([entry("a.0", "one")], signal);
    await open({ tenant: "globex" }).upsert([entry("a.0", "one"), entry("b.0", "two")], signal);
    expect(await open().stats(signal)).toEqual({ entries: 1 });
  });

  it("counts none before anything was written", async () => {
    expect(await open().stats(signal)).toEqual({ entries: 0 });
  });

  it("refuses vectors of another length, before anything is written", async () => {
    const wrong = entry("a.0", "one", { vector: stubVector("one", 32) });
    expect(await failureCode(open().upsert([entry("b.0", "two"), wrong], signal))).toBe(
      "index_embedder_mismatch",
    );
    expect(bodies("/vectors/upsert")).toEqual([]);
  });

  it("refuses a question's vector of another length", async () => {
    stub.fault({ mode: "dim_mismatch" });
    expect(await failureCode(open().query(ask("one"), signal))).toBe("index_embedder_mismatch");
  });

  it("drops a match without a score", async () => {
    await open().upsert([entry("a.0", "one"), entry("b.0", "one two")], signal);
    stub.fault({ mode: "score_nan" });
    expect((await open().query(ask("one"), signal)).map(({ id }) => id)).toEqual(["b.0"]);
  });

  it("names each match once", async () => {
    await open().upsert([entry("a.0", "one")], signal);
    stub.fault({ mode: "dup_ids" });
    expect((await open().query(ask("one"), signal)).map(({ id }) => id)).toEqual(["a.0"]);
  });

  it("asks where the index is only once", async () => {
    const index = open();
    await index.stats(signal);
    await index.stats(signal);
    expect(stub.exchanges.filter((e) => e.path.startsWith("/indexes/"))).toHaveLength(1);
  });

  it.each([
    ["status_401", "config_invalid"],
    ["status_403", "config_invalid"],
    ["status_404", "index_unavailable"],
    ["index_missing", "index_unavailable"],
    ["status_503", "index_unavailable"],
    ["status_429_far", "rate_limited"],
    ["reset", "index_unavailable"],
    ["json_garbage", "index_unavailable"],
  ])("%s: %s", async (mode, code) => {
    stub.fault({ mode });
    expect(await failureCode(open().query(ask("one"), signal))).toBe(code);
  });

  it.each(["status_503", "status_429_retry_after_ms", "json_truncated", "reset"])(
    "%s: a write is tried again",
    async (mode) => {
      stub.fault({ mode, calls: 2, path: "/upsert" });
      await open().upsert([entry("a.0", "one")], signal);
      expect(stub.ids(await namespace())).toEqual(["a.0"]);
    },
  );

  it("cancels upstream", async () => {
    stub.fault({ mode: "headers_never", path: "/query" });
    const controller = new AbortController();
    const call = failureCode(open().query(ask("one"), controller.signal));
    while (!stub.exchanges.some((e) => e.path === "/query")) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    controller.abort();
    expect(await call).toBe("cancelled");
    await stub.left();
  });

  it("keeps key and vendor text out of the message", async () => {
    stub.fault({ mode: "status_400" });
    await expect(open().query(ask("one"), signal)).rejects.toThrow(/^((?!Stubbed|pc-test).)*$/);
  });

  it.each([
    [{}, {}],
    [{ PINECONE_API_KEY: "k" }, {}],
    [{ PINECONE_API_KEY: "k", PINECONE_INDEX: "i" }, { concurrency: 0 }],
    [{ PINECONE_API_KEY: "k", PINECONE_INDEX: "i" }, { tenant: "a b" }],
  ])("refuses the secrets %j with the settings %j", (given, settings) => {
    let code: unknown;
    try {
      pinecone({ tenant: "acme", space: SPACE, ...settings }, secretHost(given));
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("config_invalid");
  });
});
