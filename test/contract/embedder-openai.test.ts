import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";
import { embedderContract, failureCode } from "./embedder.ts";
import { remoteEmbedderContract } from "./embedder-remote.ts";

const opened: Stub[] = [];

async function open(settings: Readonly<Record<string, unknown>> = {}) {
  const stub = await startOpenai();
  opened.push(stub);
  const host = secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${stub.url}/v1` });
  return { stub, host, embedder: openaiEmbedder(settings, host) };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

remoteEmbedderContract("openai", open);
embedderContract("openai, shortened", async () => (await open({ dimensions: 256 })).embedder, close);

describe("openai embedder", () => {
  const signal = new AbortController().signal;
  let subject: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    subject = await open();
  });
  afterEach(() => subject.stub.reset());
  afterAll(close);

  it("is text-embedding-3-small unless told otherwise", () => {
    expect(subject.embedder).toMatchObject({
      id: "openai/text-embedding-3-small/1536",
      maxBatch: 2048,
      maxBatchTokens: 300_000,
      pricePerMillionTokens: 0.02,
    });
  });

  it("asks for base64, and for dimensions only when they are not the model's own", async () => {
    await subject.embedder.embed(["a"], "document", signal);
    expect(JSON.parse(subject.stub.exchanges[0]?.body ?? "")).toEqual({
      model: "text-embedding-3-small",
      input: ["a"],
      encoding_format: "base64",
    });
  });

  it("reports the tokens billed", async () => {
    expect((await subject.embedder.embed(["x".repeat(40)], "document", signal)).inputTokens).toBe(10);
  });

  it("puts vectors that arrive in another order where they belong", async () => {
    const { vectors } = await subject.embedder.embed(["one", "two", "three"], "document", signal);
    subject.stub.fault({ mode: "reordered_batch" });
    expect((await subject.embedder.embed(["one", "two", "three"], "document", signal)).vectors).toEqual(
      vectors,
    );
  });

  it.each([
    ["as long as the headers say once no request is left", { requests: ["0", "6m0s"] }, 360_000],
    ["for what lasts longer", { requests: ["0", "250ms"], tokens: ["0", "1.5s"] }, 1500],
    ["for nothing while there is some", { requests: ["1", "6m0s"], tokens: ["149984", "20ms"] }, undefined],
    ["for nothing that it can't read", { requests: ["0", "soon"] }, 0],
  ])("rests %s", async (_, limits, restMs) => {
    const { host } = subject;
    const fetch: typeof host.fetch = async (input, init) => {
      const answer = await host.fetch(input, init);
      const response = new Response(answer.body, answer);
      for (const [what, [left = "", reset = ""]] of Object.entries(limits)) {
        response.headers.set(`x-ratelimit-remaining-${what}`, left);
        response.headers.set(`x-ratelimit-reset-${what}`, reset);
      }
      return response;
    };
    const embedder = openaiEmbedder({}, { ...host, fetch });
    expect((await embedder.embed(["one"], "document", signal)).restMs).toBe(restMs);
  });

  it("waits for no quota that is used up", async () => {
    subject.stub.fault({ mode: "status_429_quota" });
    expect(await failureCode(subject.embedder.embed(["one"], "document", signal))).toBe("rate_limited");
    expect(subject.stub.exchanges).toHaveLength(1);
  });

  it.each(["status_500", "reset", "json_truncated"])("%s twice: tried again", async (mode) => {
    subject.stub.fault({ mode, calls: 2 });
    expect(await failureCode(subject.embedder.embed(["one"], "document", signal))).toBeUndefined();
    expect(subject.stub.exchanges).toHaveLength(3);
  });

  it.each(["json_huge", "gzip_bomb"])("%s: stops reading at the cap", async (mode) => {
    subject.stub.fault({ mode });
    expect(await failureCode(subject.embedder.embed(["one"], "query", signal))).toBe("embedder_unavailable");
  });

  it.each([
    [{ model: "unknown-model" }],
    [{ dimensions: 4096 }],
    [{ model: "text-embedding-ada-002", dimensions: 256 }],
    [{ dimensions: 0 }],
    [{ baseUrl: "nowhere" }],
    [{ secret: "UNSET" }],
  ])("refuses the settings %j", (settings) => {
    let code: unknown;
    try {
      openaiEmbedder(settings, subject.host);
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("config_invalid");
  });

  it("serves another host of the protocol under its own name and price", () => {
    const settings = {
      model: "bge-m3",
      dimensions: 1024,
      name: "acme",
      price: 0.01,
      baseUrl: "http://127.0.0.1:1/v1",
    };
    expect(openaiEmbedder(settings, subject.host)).toMatchObject({
      id: "acme/bge-m3/1024",
      pricePerMillionTokens: 0.01,
    });
  });
});
