import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";

const TOKEN = "a-token-for-this-test";
let openai: Stub;
let worker: RunningWorker;

beforeAll(async () => {
  openai = await startOpenai();
  const env = {
    QUAYSIDE_TOKEN: TOKEN,
    OPENAI_API_KEY: OPENAI_STUB_KEY,
    OPENAI_BASE_URL: `${openai.url}/v1`,
  };
  worker = await runWorker({ demo: false, env });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), CONFIG);
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await openai?.[Symbol.asyncDispose]();
});

beforeEach(() => openai.reset());

const ASKED = { question: "Why is the berth closed?", model: "openai/gpt-test" };

function post(path: string, body: unknown, signal: AbortSignal): Promise<Response> {
  return fetch(worker.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
    body: JSON.stringify(body),
    signal,
  });
}

const ask = (signal: AbortSignal) => post("/v1/ask", { ...ASKED, cache: "bypass", stream: true }, signal);

const compare = (signal: AbortSignal) =>
  post(
    "/v1/compare",
    { question: ASKED.question, models: [ASKED.model, "local/quote"], stream: true },
    signal,
  );

function askByMcp(signal: AbortSignal): Promise<Response> {
  const params = { name: "ask", arguments: ASKED };
  return post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, signal);
}

/** Milliseconds from the reader's leaving to the provider's noticing. */
async function noticedAfterMs(leave: () => void): Promise<number> {
  const since = performance.now();
  leave();
  await openai.left();
  return performance.now() - since;
}

// Only a stream: a reader who leaves before there is a response is noticed in production, not by workerd on its own.
it.each([
  ["a stream", ask],
  ["a tool's answer", askByMcp],
  ["a comparison", compare],
])("stops the model within a second when the reader of %s leaves", async (_, by) => {
  // The quickest of three at most: whatever else the machine does may hold one of them up.
  const took: number[] = [];
  while (took.length < 3 && !took.some((ms) => ms < 1000)) {
    openai.reset();
    openai.fault({ mode: "stream_idle_mid" });
    const gone = new AbortController();
    const response = await by(gone.signal);
    await response.body?.getReader().read();
    await expect.poll(() => openai.exchanges.length).toBe(1);
    took.push(await noticedAfterMs(() => gone.abort()));
  }
  expect(Math.min(...took)).toBeLessThan(1000);
});

/** The status of a comparison whose reader leaves at once. */
async function askedAndLeft(): Promise<number> {
  const gone = new AbortController();
  const { status } = await compare(gone.signal);
  gone.abort();
  return status;
}

it("counts a comparison out when its reader leaves: a caller may have four at once", async () => {
  openai.fault({ mode: "stream_idle_mid" });
  for (let i = 0; i < 4; i++) {
    const gone = new AbortController();
    const response = await compare(gone.signal);
    await response.body?.getReader().read();
    await expect.poll(() => openai.exchanges.length).toBe(i + 1);
    gone.abort();
  }
  await expect.poll(askedAndLeft).toBe(200);
});

it("ends a stream that the provider cut with an error event, and nothing that looks complete", async () => {
  openai.fault({ mode: "stream_reset_mid" });
  const text = await (await ask(AbortSignal.timeout(60_000))).text();
  expect(text).toContain('event: error\ndata: {"type":"urn:quayside:problem:provider_stream_interrupted"');
  expect(text).not.toContain("event: done");
});
