import { afterAll, describe, expect, it } from "vitest";
import { compatibleEmbedder } from "../../shared/embedders/compatible.ts";
import { cortexEmbedder } from "../../shared/embedders/cortex.ts";
import { geminiEmbedder } from "../../shared/embedders/gemini.ts";
import { pineconeEmbedder } from "../../shared/embedders/pinecone-inference.ts";
import { workersAiEmbedder } from "../../shared/embedders/workers-ai.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { startCortex } from "../stubs/cortex.ts";
import { GEMINI_STUB_KEY, startGemini } from "../stubs/gemini.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone } from "../stubs/pinecone.ts";
import type { Stub } from "../stubs/stub.ts";
import { startWorkersAi, WORKERS_AI_STUB } from "../stubs/workers-ai.ts";
import { failureCode } from "./embedder.ts";
import { remoteEmbedderContract, type RemoteEmbedder } from "./embedder-remote.ts";

const signal = new AbortController().signal;

interface Vendor {
  readonly make: Factory<Embedder>;
  readonly start: () => Promise<Stub>;
  readonly secrets: (stub: Stub) => Promise<Readonly<Record<string, string>>>;
  readonly settings: (stub: Stub) => Readonly<Record<string, unknown>>;
}

const cortexStubs = new Map<Stub, Awaited<ReturnType<typeof startCortex>>>();

const VENDORS = {
  compatible: {
    make: compatibleEmbedder,
    start: () => startOpenai(),
    secrets: async () => ({ BGE_KEY: OPENAI_STUB_KEY }),
    settings: (stub) => ({ baseUrl: `${stub.url}/v1`, secret: "BGE_KEY", model: "bge-m3", dimensions: 1024 }),
  },
  gemini: {
    make: geminiEmbedder,
    start: () => startGemini(),
    secrets: async (stub) => ({ GEMINI_API_KEY: GEMINI_STUB_KEY, GEMINI_BASE_URL: stub.url }),
    settings: () => ({}),
  },
  pinecone: {
    make: pineconeEmbedder,
    start: () => startPinecone(),
    secrets: async (stub) => ({ PINECONE_API_KEY: PINECONE_STUB_KEY, PINECONE_CONTROLLER_HOST: stub.url }),
    settings: () => ({}),
  },
  cortex: {
    make: cortexEmbedder,
    start: async () => {
      const stub = await startCortex();
      cortexStubs.set(stub, stub);
      return stub;
    },
    secrets: async (stub) => ({
      SNOWFLAKE_BASE_URL: stub.url,
      SNOWFLAKE_TOKEN: cortexStubs.get(stub)?.token ?? "",
    }),
    settings: () => ({}),
  },
  "workers-ai": {
    make: workersAiEmbedder,
    start: () => startWorkersAi(),
    secrets: async (stub) => ({
      CLOUDFLARE_ACCOUNT_ID: WORKERS_AI_STUB.account,
      CLOUDFLARE_API_TOKEN: WORKERS_AI_STUB.token,
      CLOUDFLARE_BASE_URL: stub.url,
    }),
    settings: () => ({}),
  },
} satisfies Record<string, Vendor>;

async function open(vendor: Vendor, more: Readonly<Record<string, unknown>> = {}): Promise<RemoteEmbedder> {
  const stub = await vendor.start();
  const host = secretHost(await vendor.secrets(stub));
  return { stub, embedder: vendor.make({ ...vendor.settings(stub), ...more }, host) };
}

for (const [name, vendor] of Object.entries(VENDORS)) remoteEmbedderContract(name, () => open(vendor));

const stubs: Stub[] = [];
afterAll(async () => {
  for (const stub of stubs) await stub[Symbol.asyncDispose]();
});

/** The body that one text is sent in. */
async function sent(
  vendor: Vendor,
  purpose: "document" | "query",
  more: Readonly<Record<string, unknown>> = {},
): Promise<{ readonly body: unknown; readonly path: string; readonly headers: Record<string, unknown> }> {
  const { embedder, stub } = await open(vendor, more);
  stubs.push(stub);
  await embedder.embed(["a"], purpose, signal);
  const [exchange] = stub.exchanges;
  return {
    body: JSON.parse(exchange?.body ?? ""),
    path: exchange?.path ?? "",
    headers: { ...exchange?.headers },
  };
}

describe("what each vendor is sent", () => {
  it("compatible: plain numbers unless the host offers base64, dimensions only when told", async () => {
    expect((await sent(VENDORS.compatible, "query")).body).toEqual({
      model: "bge-m3",
      input: ["a"],
      encoding_format: "float",
    });
    const more = { encoding: "base64", sendDimensions: true, dimensions: 512 };
    expect((await sent(VENDORS.compatible, "query", more)).body).toEqual({
      model: "bge-m3",
      input: ["a"],
      encoding_format: "base64",
      dimensions: 512,
    });
  });

  it("compatible: no key when none is named", async () => {
    const { stub, embedder } = await open(VENDORS.compatible, { secret: undefined });
    stubs.push(stub);
    expect(await failureCode(embedder.embed(["a"], "document", signal))).toBe("embedder_rejected");
    expect(stub.exchanges[0]?.headers).not.toHaveProperty("authorization");
  });

  it("gemini: what the text is for, and a length only when it is not the model's own", async () => {
    const request = { model: "models/gemini-embedding-001", content: { parts: [{ text: "a" }] } };
    expect((await sent(VENDORS.gemini, "document")).body).toEqual({
      requests: [{ ...request, taskType: "RETRIEVAL_DOCUMENT" }],
    });
    expect((await sent(VENDORS.gemini, "query", { dimensions: 768 })).body).toEqual({
      requests: [{ ...request, taskType: "RETRIEVAL_QUERY", outputDimensionality: 768 }],
    });
  });

  it("gemini: waits as long as the error's body says", async () => {
    const { stub, embedder } = await open(VENDORS.gemini);
    stubs.push(stub);
    stub.fault({ mode: "status_429_retry_info" });
    await expect(embedder.embed(["a"], "query", signal)).rejects.toMatchObject({
      code: "rate_limited",
      retryAfterMs: 34_500,
    });
  });

  it("pinecone: what the text is for, and never to cut it", async () => {
    expect((await sent(VENDORS.pinecone, "query", { dimensions: 512 })).body).toEqual({
      model: "llama-text-embed-v2",
      inputs: [{ text: "a" }],
      parameters: { input_type: "query", truncate: "NONE", dimension: 512 },
    });
    expect((await sent(VENDORS.pinecone, "document")).body).toMatchObject({
      parameters: { input_type: "passage", truncate: "NONE" },
    });
  });

  it("cortex: the texts and the model", async () => {
    expect((await sent(VENDORS.cortex, "document")).body).toEqual({
      model: "snowflake-arctic-embed-l-v2.0",
      text: ["a"],
    });
  });

  it("workers-ai: the account in the path, never to cut a text, the better pooling of the older models", async () => {
    const { body, path } = await sent(VENDORS["workers-ai"], "document");
    expect(path).toBe(`/accounts/${WORKERS_AI_STUB.account}/ai/run/@cf/baai/bge-m3`);
    expect(body).toEqual({ text: ["a"], truncate_inputs: false });
    const older = await sent(VENDORS["workers-ai"], "document", { model: "@cf/baai/bge-base-en-v1.5" });
    expect(older.body).toEqual({ text: ["a"], pooling: "cls" });
  });
});

describe("tokens billed", () => {
  it.each([
    ["compatible", 1],
    ["pinecone", 1],
    ["cortex", 1],
    ["gemini", undefined],
    ["workers-ai", undefined],
  ] as const)("%s", async (name, tokens) => {
    const { embedder, stub } = await open(VENDORS[name]);
    stubs.push(stub);
    expect((await embedder.embed(["abcd"], "document", signal)).inputTokens).toBe(tokens);
  });
});

describe("settings", () => {
  it.each([
    ["compatible", { baseUrl: "https://e.example/v1", model: "m" }],
    ["compatible", { baseUrl: "nowhere", model: "m", dimensions: 3 }],
    ["compatible", { baseUrl: "https://e.example/v1", model: "m", dimensions: 3, secret: "UNSET" }],
    ["gemini", {}],
    ["gemini", { model: "unheard-of" }],
    ["gemini", { dimensions: 4096 }],
    ["pinecone", { dimensions: 500 }],
    ["cortex", { model: "unheard-of" }],
    ["workers-ai", {}],
    ["workers-ai", { model: "@cf/baai/bge-m3", dimensions: 512 }],
  ] as const)("%s refuses %j", (name, settings) => {
    const make: Factory<Embedder> = VENDORS[name].make;
    let code: unknown;
    try {
      make(settings, secretHost({}));
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("config_invalid");
  });
});

/** A Worker that has the binding `AI`. */
const bound = (run: (model: string, input: unknown) => Promise<unknown>): Host => ({
  ...secretHost({}),
  fetch: () => Promise.reject(new Error("a bound Worker calls nobody")),
  binding: (name) => (name === "AI" ? { run } : undefined),
});

describe("workers-ai through its binding", () => {
  it("needs no account and no token, and has the same id", async () => {
    const calls: unknown[] = [];
    const embedder = workersAiEmbedder(
      {},
      bound(async (model, input) => {
        calls.push([model, input]);
        return { shape: [1, 1024], data: [[2, ...Array.from({ length: 1023 }, () => 0)]] };
      }),
    );
    expect(embedder.id).toBe("workers-ai/@cf/baai/bge-m3/1024");
    const { vectors } = await embedder.embed(["a"], "query", signal);
    expect(vectors[0]?.slice(0, 2)).toEqual(Float32Array.of(1, 0));
    expect(calls).toEqual([["@cf/baai/bge-m3", { text: ["a"], truncate_inputs: false }]]);
  });

  it("stops waiting when the caller leaves, and hides what the binding says", async () => {
    const never = workersAiEmbedder(
      {},
      bound(() => new Promise(() => {})),
    );
    const controller = new AbortController();
    const call = failureCode(never.embed(["a"], "query", controller.signal));
    controller.abort();
    expect(await call).toBe("cancelled");
    const failing = workersAiEmbedder(
      {},
      bound(() => Promise.reject(new Error("3040: capacity, account 42"))),
    );
    await expect(failing.embed(["a"], "query", signal)).rejects.toThrow(/^Workers AI failed\.$/);
  });
});
