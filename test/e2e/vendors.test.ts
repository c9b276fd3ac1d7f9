import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Config } from "../../shared/config.ts";
import { ANTHROPIC_STUB_KEY, startAnthropic } from "../stubs/anthropic.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone } from "../stubs/pinecone.ts";
import { startVectorize, VECTORIZE_STUB } from "../stubs/vectorize.ts";
import { serve, type Served } from "./harness.ts";
import { ownSample } from "./sample.ts";

/** The same question through each vendor's wire protocol, and the same story with the vectors in Pinecone. */

const QUESTION = "What should foot passengers do before departure?";

let sample: Awaited<ReturnType<typeof ownSample>>;
let openai: Awaited<ReturnType<typeof startOpenai>>;
let anthropic: Awaited<ReturnType<typeof startAnthropic>>;
let pinecone: Awaited<ReturnType<typeof startPinecone>>;
let vectorize: Awaited<ReturnType<typeof startVectorize>>;
let served: Served;
let remote: Served;
let edge: Served;

beforeAll(async () => {
  sample = await ownSample();
  openai = await startOpenai();
  anthropic = await startAnthropic();
  pinecone = await startPinecone(0, { index: "quayside", dimension: 256 });
  vectorize = await startVectorize(0, { dimensions: 384 });
  const env = {
    OPENAI_API_KEY: OPENAI_STUB_KEY,
    OPENAI_BASE_URL: `${openai.url}/v1`,
    ANTHROPIC_API_KEY: ANTHROPIC_STUB_KEY,
    ANTHROPIC_BASE_URL: anthropic.url,
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_CONTROLLER_HOST: pinecone.url,
    PINECONE_INDEX: "quayside",
    CLOUDFLARE_ACCOUNT_ID: VECTORIZE_STUB.account,
    CLOUDFLARE_API_TOKEN: VECTORIZE_STUB.token,
    CLOUDFLARE_BASE_URL: vectorize.url,
  };
  // Articles and notices are enough here: what is tested is the protocols, not the volume.
  const tables = Object.fromEntries(
    Object.entries(sample.config.tables).filter(([, table]) => table.source === "files" && !table.lookups),
  );
  const config: Config = { ...sample.config, tables };
  served = await serve(config, env);
  remote = await serve(
    {
      ...config,
      embedder: { kind: "openai", model: "text-embedding-3-small", dimensions: 256 },
      index: { kind: "pinecone" },
    },
    env,
  );
  edge = await serve({ ...config, index: { kind: "vectorize", index: VECTORIZE_STUB.index } }, env);
  await Promise.all([served.ingest(), remote.ingest(), edge.ingest()]);
});

afterAll(async () => {
  await Promise.all([served?.stop(), remote?.stop(), edge?.stop()]);
  await Promise.all([
    openai?.[Symbol.asyncDispose](),
    anthropic?.[Symbol.asyncDispose](),
    pinecone?.[Symbol.asyncDispose](),
    vectorize?.[Symbol.asyncDispose](),
  ]);
  await rm(sample.directory, { recursive: true, force: true });
});

describe("a model chosen per request", () => {
  test.each([
    ["openai/gpt-5-mini", () => openai],
    ["anthropic/claude-haiku-4-5", () => anthropic],
  ] as const)("%s answers over its own protocol, streamed and cited", async (model, stub) => {
    const before = stub().exchanges.length;
    const response = await served.post(
      "/v1/ask",
      { question: QUESTION, model, stream: true, cache: "bypass" },
      { "x-quayside-demo-user": "guest" },
    );
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const text = await response.text();
    const events = [...text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1]);
    expect(events[0]).toBe("evidence");
    expect(events).toContain("delta");
    expect(events.at(-1)).toBe("done");
    const done = JSON.parse(/event: done\ndata: (.*)/.exec(text)?.[1] ?? "{}") as Record<string, unknown>;
    expect(done).toMatchObject({ outcome: "answered", model, attempts: [{ model, outcome: "ok" }] });
    expect(done["citations"]).not.toEqual([]);
    expect(stub().exchanges.length).toBe(before + 1);
  });

  test("a model that is not registered is refused before anything is sent", async () => {
    const seen = openai.exchanges.length;
    const response = await served.post(
      "/v1/ask",
      { question: QUESTION, model: "openai/gpt-1000" },
      { "x-quayside-demo-user": "guest" },
    );
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "unknown_model" });
    expect(openai.exchanges.length).toBe(seen);
  });
});

describe.each([
  ["Pinecone", () => [remote, pinecone] as const],
  ["Vectorize", () => [edge, vectorize] as const],
])("vectors in %s", (_, open) => {
  test("the same rows are found, confirmed by the registry and cited", async () => {
    const answer = await open()[0].ask(
      "How long before departure does car check-in close at Dieppe?",
      "guest",
    );
    expect(answer.outcome).toBe("answered");
    expect(answer.citations.map((c) => c.id)).toContain("knowledge_articles:KA-101");
  });

  test("a store that ignores its filter shows nobody a row that they may not see", async () => {
    const body = { query: "reefer sockets temperature Salicorne", top_k: 50 };
    const [world, store] = open();
    const permitted = await world.post("/v1/search", body, { "x-quayside-demo-user": "ops-fr" });
    expect(await permitted.text()).toContain("KA-118");
    store.fault({ mode: "ignores_filter" });
    const forbidden = await world.post("/v1/search", body, { "x-quayside-demo-user": "guest" });
    store.fault(undefined);
    expect(forbidden.status).toBe(200);
    expect(await forbidden.text()).not.toContain("KA-118");
  });

  test("an unchanged warehouse embeds and writes nothing", async () => {
    const result = await open()[0].ingest();
    expect([result.embedded_texts, result.upsert_requests, result.delete_requests]).toEqual([0, 0, 0]);
  });
});
