import { afterAll, beforeAll, expect, it } from "vitest";
import * as z from "zod/mini";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";

/** What a key has open when it is revoked: an answer whose model has begun and says nothing more. */

const TOKEN = "a-token-for-this-test";
const operator = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const PATIENT = 60_000;

let openai: Stub;
let worker: RunningWorker;

beforeAll(async () => {
  openai = await startOpenai();
  openai.fault({ mode: "stream_idle_mid" });
  worker = await runWorker({
    demo: false,
    env: {
      QUAYSIDE_TOKEN: TOKEN,
      OPENAI_API_KEY: OPENAI_STUB_KEY,
      OPENAI_BASE_URL: `${openai.url}/v1`,
    },
  });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), {
    ...CONFIG,
    limits: { ...CONFIG.limits, idleTimeoutMs: PATIENT, totalTimeoutMs: PATIENT, streamTimeoutMs: PATIENT },
  });
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await openai?.[Symbol.asyncDispose]();
});

const key = z.object({ id: z.string(), key: z.string() });
const QUESTION = "Why is the berth closed?";

it.each([
  [
    "/v1/ask",
    { question: QUESTION, model: "openai/gpt-test", cache: "bypass", stream: true },
    /unauthenticated/,
  ],
  [
    "/openai/v1/chat/completions",
    { model: "openai/gpt-test", stream: true, messages: [{ role: "user", content: QUESTION }] },
    /invalid_api_key/,
  ],
  [
    "/mcp",
    {
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "ask", arguments: { question: QUESTION, model: "openai/gpt-test" } },
    },
    /unauthenticated/,
  ],
])("%s ends within ten seconds, says why, and stops the model", async (path, body, why) => {
  openai.reset();
  openai.fault({ mode: "stream_idle_mid" });
  const made = await fetch(`${worker.url}/v1/admin/keys`, {
    method: "POST",
    headers: operator,
    body: JSON.stringify({ name: "reader", scopes: ["ask"], days: 1 }),
  });
  const { id, key: secret } = key.parse(await made.json());
  const response = await fetch(worker.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(200);
  await expect.poll(() => openai.exchanges.length).toBe(1);
  const since = performance.now();
  await fetch(`${worker.url}/v1/admin/keys/${id}`, { method: "DELETE", headers: operator });
  expect(await response.text()).toMatch(why);
  await openai.left();
  expect(performance.now() - since).toBeLessThan(10_000);
});
