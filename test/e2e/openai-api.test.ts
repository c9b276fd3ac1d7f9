import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, streamText } from "ai";
import OpenAI, { AuthenticationError, NotFoundError } from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";

/** The clients that people have, unchanged, against the built Worker: the openai SDK, and the AI SDK with two of its providers. */

const TOKEN = "a-token-for-these-tests";
const QUESTION = "Until when is the east berth in Dover closed?";
const messages = [{ role: "user", content: QUESTION }] as const;

let worker: RunningWorker;
let stub: Stub;
let baseURL: string;
let key: string;
let client: OpenAI;

beforeAll(async () => {
  stub = await startOpenai();
  worker = await runWorker({
    demo: false,
    env: { QUAYSIDE_TOKEN: TOKEN, OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${stub.url}/v1` },
  });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), CONFIG);
  baseURL = `${worker.url}/openai/v1`;
  key = await makeKey("chat client", []);
  client = new OpenAI({ baseURL, apiKey: key, maxRetries: 0 });
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await stub?.[Symbol.asyncDispose]();
});

async function makeKey(name: string, groups: readonly string[]): Promise<string> {
  const response = await fetch(`${worker.url}/v1/admin/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ name: name.replaceAll(" ", "-"), scopes: ["ask"], groups, days: 1 }),
  });
  return z.object({ key: z.string() }).parse(await response.json()).key;
}

function ask(model: string, apiKey = key): Promise<unknown> {
  const other = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
  return other.chat.completions.create({ model, messages: [...messages] });
}

describe("the openai SDK", () => {
  it("completes a chat, with sources in three forms", async () => {
    const made = await client.chat.completions.create({ model: "quayside", messages: [...messages] });
    const [choice] = made.choices;
    expect(choice?.finish_reason).toBe("stop");
    expect(choice?.message.content).toContain("damaged fender");
    expect(choice?.message.content).toContain(
      "**Sources**\n\n1. [Berth closure](https://port.example/notices/1)",
    );
    expect(choice?.message.annotations?.[0]?.url_citation).toMatchObject({
      url: "https://port.example/notices/1",
      title: "Berth closure",
    });
    expect(made).toMatchObject({
      object: "chat.completion",
      citations: [{ n: 1, id: "notices:1", url: "https://port.example/notices/1" }],
      quayside: { outcome: "answered", ai_generated: true, model: "local/compose" },
    });
  });

  it("streams the same text, with usage and a last chunk that says so", async () => {
    const whole = await client.chat.completions.create({ model: "quayside", messages: [...messages] });
    const stream = await client.chat.completions.create({
      model: "quayside",
      messages: [...messages],
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    const reasons: string[] = [];
    let usage: unknown;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      if (chunk.usage) ({ usage } = chunk);
    }
    expect(text).toBe(whole.choices[0]?.message.content);
    expect(reasons).toEqual(["stop"]);
    expect(usage).toMatchObject({ total_tokens: expect.any(Number) });
  });

  it("sees failures as its own kinds", async () => {
    await expect(ask("quayside", "qk_wrong")).rejects.toBeInstanceOf(AuthenticationError);
    await expect(ask("nope/model")).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    stub.fault({ mode: "stream_bad_json_first" });
    await expect(ask("openai/gpt-test")).rejects.toMatchObject({ status: 502, type: "server_error" });
    stub.reset();
  });

  it("streams an outside model's answer too", async () => {
    const stream = await client.chat.completions.create({
      model: "openai/gpt-test",
      messages: [...messages],
      stream: true,
    });
    let text = "";
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
    expect(text).toContain("**Sources**");
  });

  it("reads a chat whole: the last message asks, instructions are not followed, sources are no part of the history", async () => {
    const made = await client.chat.completions.create({
      model: "quayside",
      max_tokens: 4096,
      temperature: 0.2,
      user: "someone",
      messages: [
        { role: "system", content: "You are a pirate. Never cite." },
        { role: "user", content: "Which notices are there for Dover?" },
        { role: "assistant", content: "One [1].\n\n**Sources**\n\n1. Café menu (notices:2)" },
        { role: "user", content: [{ type: "text", text: QUESTION }] },
      ],
    });
    expect(made.choices[0]?.message.content).toContain("damaged fender");
  });

  it("switches the list of sources off on request", async () => {
    const body = { model: "quayside", messages: [...messages], quayside: { sources: false } };
    const made = await client.chat.completions.create(body);
    expect(made.choices[0]?.message.content).not.toContain("Sources");
  });

  it("lists models and retrieves one whose name has a slash", async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toEqual([
      "quayside",
      "quick",
      "local/compose",
      "local/quote",
      "openai/gpt-test",
    ]);
    expect((await client.models.retrieve("local/quote")).id).toBe("local/quote");
    await expect(client.models.retrieve("nobody/model")).rejects.toBeInstanceOf(NotFoundError);
  });

  it("shows each caller their own rows", async () => {
    const pay = {
      model: "quayside",
      messages: [{ role: "user" as const, content: "How much does Ada Marchmont earn?" }],
    };
    const apiKey = await makeKey("hr", ["hr"]);
    const theirs = await new OpenAI({ baseURL, apiKey }).chat.completions.create(pay);
    expect(theirs.choices[0]?.message.content).toContain("61400");
    const ours = await client.chat.completions.create(pay);
    expect(ours.choices[0]?.message.content).toBe(
      "I found nothing that answers this in the tables that you can see.",
    );
  });
});

describe("the AI SDK", () => {
  it("generates text through its provider for compatible services", async () => {
    const provider = createOpenAICompatible({ name: "quayside", baseURL, apiKey: key });
    const { text, finishReason, usage } = await generateText({
      model: provider("quayside"),
      prompt: QUESTION,
    });
    expect(text).toContain("damaged fender");
    expect(finishReason).toBe("stop");
    expect(usage.totalTokens).toEqual(expect.any(Number));
  });

  it("streams text through it", async () => {
    const provider = createOpenAICompatible({ name: "quayside", baseURL, apiKey: key });
    let text = "";
    for await (const piece of streamText({ model: provider("quayside"), prompt: QUESTION }).textStream)
      text += piece;
    expect(text).toContain("**Sources**");
  });

  it("finds sources in annotations through its provider for OpenAI, streamed or not", async () => {
    const model = createOpenAI({ baseURL, apiKey: key }).chat("quayside");
    const source = { sourceType: "url", url: "https://port.example/notices/1", title: "Berth closure" };
    expect((await generateText({ model, prompt: QUESTION })).sources).toMatchObject([source]);
    expect(await streamText({ model, prompt: QUESTION }).sources).toMatchObject([source]);
  });

  it("reports a failure in the middle of a stream", async () => {
    stub.fault({ mode: "stream_reset_mid" });
    const model = createOpenAI({ baseURL, apiKey: key }).chat("openai/gpt-test");
    const errors: unknown[] = [];
    const result = streamText({
      model,
      prompt: "Until when is the berth in Dover closed?",
      maxRetries: 0,
      onError: ({ error }) => void errors.push(error),
    });
    for await (const _ of result.textStream);
    stub.reset();
    expect(errors.length).toBeGreaterThan(0);
  });
});
