import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { vectorize } from "../../shared/indexes/vectorize.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { IndexEntry, VectorIndex } from "../../shared/ports/vector-index.ts";
import { secretHost } from "../fakes/secret-host.ts";
import {
  startVectorize,
  VECTORIZE_STUB,
  type VectorizeOptions,
  type VectorizeStub,
} from "../stubs/vectorize.ts";
import { vectorIndexContract } from "./vector-index.ts";

const DIMENSIONS = 8;
const signal = new AbortController().signal;
const CELLS = ["region", "year"];
const OPTIONS: VectorizeOptions = {
  dimensions: DIMENSIONS,
  properties: ["class", "table", "cell_region", "cell_year"],
};

const secretsOf = (stub: VectorizeStub): Record<string, string> => ({
  CLOUDFLARE_ACCOUNT_ID: VECTORIZE_STUB.account,
  CLOUDFLARE_API_TOKEN: VECTORIZE_STUB.token,
  CLOUDFLARE_BASE_URL: stub.url,
  VECTORIZE_INDEX: VECTORIZE_STUB.index,
});

function open(stub: VectorizeStub, more: Readonly<Record<string, unknown>> = {}, host?: Host): VectorIndex {
  const settings = { tenant: "acme", space: "space", filterable: CELLS, ...more };
  return vectorize(settings, host ?? secretHost(secretsOf(stub)));
}

/** A Worker's binding over the stub: the same calls in the platform's shapes. Listing alone goes over REST. */
function bound(stub: VectorizeStub): Host {
  const url = `${stub.url}/accounts/${VECTORIZE_STUB.account}/vectorize/v2/indexes/${VECTORIZE_STUB.index}`;
  const call = async (method: string, path: string, type: string, body?: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${VECTORIZE_STUB.token}`, "content-type": type };
    const response = await fetch(`${url}/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    if (!response.ok) throw new Error(`VECTOR_ERROR: ${await response.text()}`);
    return ((await response.json()) as { result: unknown }).result;
  };
  const json = (path: string, value: unknown): Promise<unknown> =>
    call("POST", path, "application/json", JSON.stringify(value));
  const binding = {
    describe: () => call("GET", "info", "application/json"),
    query: (vector: unknown, options: object) => json("query", { vector, ...options }),
    upsert: (vectors: readonly unknown[]) =>
      call(
        "POST",
        "upsert",
        "application/x-ndjson",
        vectors.map((vector) => JSON.stringify(vector)).join("\n"),
      ),
    deleteByIds: (ids: unknown) => json("delete_by_ids", { ids }),
    getByIds: (ids: unknown) => json("get_by_ids", { ids }),
  };
  return {
    ...secretHost(secretsOf(stub)),
    binding: (name) => (name === "VECTORIZE" ? binding : undefined),
  };
}

for (const way of ["REST", "binding"] as const) {
  vectorIndexContract(`vectorize, by ${way}`, async () => {
    const stub = await startVectorize(0, OPTIONS);
    const index = open(stub, {}, way === "binding" ? bound(stub) : undefined);
    return {
      index,
      dimensions: DIMENSIONS,
      put: (entries) => index.upsert(entries, signal),
      remove: (ids) => index.delete(ids, signal),
      entryId: (id) => id,
      close: () => stub[Symbol.asyncDispose]().then(() => undefined),
    };
  });
}

const entry = (id: string, change: Partial<IndexEntry> = {}): IndexEntry => ({
  id,
  vector: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0),
  table: "notes",
  accessClass: "a".repeat(22),
  text: "what only the row's readers may read",
  ...change,
});
const asked = {
  vector: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0),
  text: "?",
  topK: 1000,
  fusionWeight: 1,
  filter: { classes: ["a".repeat(22)], tables: undefined },
};

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return error instanceof QuaysideError ? error.code : error;
  }
}

describe("vectorize", () => {
  let stub: VectorizeStub;
  beforeEach(async () => {
    await stub?.[Symbol.asyncDispose]();
    stub = await startVectorize(0, OPTIONS);
  });
  afterAll(() => stub?.[Symbol.asyncDispose]());
  const paths = (): readonly string[] => stub.exchanges.map(({ path }) => path.split("/").at(-1) ?? "");

  it("stores no text of a row, and ids of at most 64 bytes that no other space has", async () => {
    const id = `${"x".repeat(22)}.123456789`;
    await open(stub).upsert([entry(id)], signal);
    await open(stub, { space: "another" }).upsert([entry(id)], signal);
    const stored = stub.stored();
    expect(JSON.stringify(stored)).not.toContain("readers");
    expect(stored.map((vector) => Object.keys(vector.metadata ?? {}))).toEqual([
      ["class", "table"],
      ["class", "table"],
    ]);
    expect(new Set(stored.map((vector) => vector.id)).size).toBe(2);
    expect(await open(stub).query(asked, signal)).toEqual([{ id, score: 1 }]);
  });

  it("asks several times when the permitted classes are more than one filter takes, and merges", async () => {
    const classes = Array.from({ length: 200 }, (_, i) => `class-${String(i).padStart(16, "0")}`);
    await open(stub).upsert(
      classes.map((accessClass, i) => entry(`e${i}`, { accessClass })),
      signal,
    );
    const found = await open(stub).query(
      { ...asked, topK: 100, filter: { classes, tables: ["notes"] } },
      signal,
    );
    expect([found.length, paths().filter((path) => path === "query").length]).toEqual([100, 3]);
  });

  it("splits long lists of tables too, and gives up beyond what a question may cost", async () => {
    const tables = Array.from({ length: 40 }, (_, i) => `${"t".repeat(60)}${i}`);
    await open(stub).upsert([entry("a", { table: tables[39] ?? "" })], signal);
    const filter = { ...asked.filter, tables };
    expect(await open(stub).query({ ...asked, filter }, signal)).toHaveLength(1);
    const many = Array.from({ length: 5000 }, (_, i) => `class-${String(i).padStart(16, "0")}`);
    const call = open(stub).query({ ...asked, filter: { classes: many, tables: undefined } }, signal);
    expect(await codeOf(call)).toBe("too_many_labels");
  });

  it("deletes by the hundred and reads back by twenty", async () => {
    const entries = Array.from({ length: 150 }, (_, i) => entry(`e${i}`));
    const index = open(stub);
    await index.upsert(entries, signal);
    const ids = entries.map(({ id }) => id);
    expect((await index.has(ids, signal)).size).toBe(150);
    await index.delete(ids, signal);
    expect(stub.stored()).toEqual([]);
    expect(paths().filter((path) => path.endsWith("_by_ids"))).toEqual([
      ...Array.from({ length: 8 }, () => "get_by_ids"),
      "delete_by_ids",
      "delete_by_ids",
    ]);
  });

  it("has nothing until its last mutation shows, and asks for no ids before", async () => {
    const index = open(stub);
    stub.hold();
    await index.upsert([entry("a")], signal);
    expect(await index.has(["a"], signal)).toEqual(new Set());
    expect(paths()).not.toContain("get_by_ids");
    stub.settle();
    expect(await index.has(["a"], signal)).toEqual(new Set(["a"]));
  });

  it("finds a value beyond 64 bytes by its first, and columns without a metadata index not at all", async () => {
    const region = `${"é".repeat(31)}xyz tail`;
    const index = open(stub);
    await index.upsert([entry("a", { cells: { region, colour: "red" } })], signal);
    expect(stub.stored()[0]?.metadata).toEqual({
      class: "a".repeat(22),
      table: "notes",
      cell_region: `${"é".repeat(31)}xy`,
    });
    const cells = { region, colour: "blue" };
    expect(await index.query({ ...asked, filter: { ...asked.filter, cells } }, signal)).toHaveLength(1);
  });

  it.each([
    [{ properties: ["table"] }, "config_invalid"],
    [{ metric: "euclidean" }, "config_invalid"],
    [{ dimensions: 9 }, "index_embedder_mismatch"],
  ])("writes nothing into an index made with %j", async (change, code) => {
    const other = await startVectorize(0, { ...OPTIONS, ...change });
    expect(await codeOf(open(other).upsert([entry("a")], signal))).toBe(code);
    expect(other.stored()).toEqual([]);
    expect(await codeOf(open(other).stats(signal))).toBe(code === "config_invalid" ? code : undefined);
    await other[Symbol.asyncDispose]();
  });

  it("drops no space that it can't list, so that the registry keeps it in mind", async () => {
    const alone = { ...bound(stub), secret: () => undefined };
    expect(await codeOf(open(stub, {}, alone).drop(signal))).toBe("not_configured");
  });

  it("drops its own space only, however many pages it takes", async () => {
    const other = open(stub, { space: "another" });
    await other.upsert([entry("kept")], signal);
    const index = open(stub);
    await index.upsert(
      Array.from({ length: 1500 }, (_, i) => entry(`e${i}`)),
      signal,
    );
    await index.drop(signal);
    expect(stub.stored().length).toBe(1);
    expect(await other.has(["kept"], signal)).toEqual(new Set(["kept"]));
  });

  it("names the commands that make the metadata indexes", async () => {
    const other = await startVectorize(0, { ...OPTIONS, properties: ["table", "cell_region", "cell_year"] });
    await expect(open(other).upsert([entry("a")], signal)).rejects.toThrow(
      "npx wrangler vectorize create-metadata-index quayside --property-name=class --type=string",
    );
    await other[Symbol.asyncDispose]();
  });

  it.each([
    ["status_403", "config_invalid", 1],
    ["status_404", "index_unavailable", 1],
    ["status_429_far", "rate_limited", 1],
    ["json_garbage", "index_unavailable", 1],
    ["status_503", "index_unavailable", 2],
  ])("%s: %s for a question", async (mode, code, calls) => {
    const index = open(stub);
    await index.query(asked, signal);
    const before = stub.exchanges.length;
    stub.fault({ mode });
    expect(await codeOf(index.query(asked, signal))).toBe(code);
    expect(stub.exchanges.length - before).toBe(calls);
  });

  it("takes no hit of another space from a store that ignores its filter", async () => {
    await open(stub, { tenant: "other" }).upsert([entry("a")], signal);
    stub.fault({ mode: "ignores_filter" });
    expect(await open(stub).query(asked, signal)).toEqual([]);
  });

  it("keeps the token and the service's words out of messages", async () => {
    stub.fault({ mode: "status_400" });
    await expect(open(stub).query(asked, signal)).rejects.toThrow(/^((?!Stubbed|cf-test).)*$/);
  });

  it.each([
    [{ index: "Not a name" }, {}],
    [{ filterable: Array.from({ length: 9 }, (_, i) => `c${i}`) }, {}],
    [{}, { VECTORIZE_INDEX: "" }],
    [{}, { CLOUDFLARE_API_TOKEN: "" }],
    [{}, { CLOUDFLARE_ACCOUNT_ID: "" }],
    [{}, { CLOUDFLARE_BASE_URL: "nowhere" }],
  ])("refuses %j with %j", (settings, without) => {
    const secrets = Object.fromEntries(
      Object.entries({ ...secretsOf(stub), ...without }).filter(([, value]) => value !== ""),
    );
    let code: unknown;
    try {
      open(stub, settings, secretHost(secrets));
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("config_invalid");
  });
});
