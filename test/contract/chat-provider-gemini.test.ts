import { afterAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import { gemini } from "../../workers/providers/gemini.ts";
import { held, recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { GEMINI_STUB_KEY, startGemini } from "../stubs/gemini.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: Stub[] = [];

async function open() {
  const stub = await startGemini();
  opened.push(stub);
  const host = secretHost({ GEMINI_API_KEY: GEMINI_STUB_KEY, GEMINI_BASE_URL: stub.url });
  return { provider: gemini({}, host), stub, secrets: [GEMINI_STUB_KEY] };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("gemini", open, close);
remoteChatProviderContract("gemini", open, close);

async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of provider.stream(chatRequest(), new AbortController().signal)) events.push(event);
  return events;
}

/** What the provider makes of a recorded stream of chunks. */
function read(...chunks: readonly unknown[]): Promise<ChatEvent[]> {
  const stream = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\r\n\r\n`).join("");
  return collect(
    gemini(
      {},
      scriptedHost({ GEMINI_API_KEY: "k" }, () => recorded(stream)),
    ),
  );
}

const said = (text: string, more: Readonly<Record<string, unknown>> = {}) => ({
  candidates: [{ content: { parts: [{ text, ...more }], role: "model" }, index: 0 }],
});

describe("gemini", () => {
  afterAll(close);

  it("keeps its key out of the URL", async () => {
    const host = scriptedHost({ GEMINI_API_KEY: "very-secret" }, () => new Response(null, { status: 500 }));
    await expect(collect(gemini({}, host))).rejects.toMatchObject({ code: "no_provider_available" });
    expect(host.asked[0]?.url).toBe(
      "https://generativelanguage.googleapis.com/v1beta/models/test-model:streamGenerateContent?alt=sse",
    );
    expect(host.asked[0]?.headers.get("x-goog-api-key")).toBe("very-secret");
  });

  it("calls an assistant's turn the model's", async () => {
    const { provider, stub } = await open();
    const messages = [
      { role: "user", content: "a" },
      { role: "assistant", content: "b" },
      { role: "user", content: "c" },
    ] as const;
    const events = provider.stream(chatRequest({ messages }), new AbortController().signal);
    for await (const event of events) void event;
    expect(JSON.parse(stub.exchanges[0]?.body ?? "{}")).toMatchObject({
      systemInstruction: { parts: [{ text: "Answer from the rows. Cite them by number." }] },
      contents: [
        { role: "user", parts: [{ text: "a" }] },
        { role: "model", parts: [{ text: "b" }] },
        { role: "user", parts: [{ text: "c" }] },
      ],
      generationConfig: { maxOutputTokens: 200 },
    });
  });

  it("counts thoughts as output, and shows none", async () => {
    const finished = {
      candidates: [{ content: { parts: [{ text: "", thoughtSignature: "AY89" }] }, finishReason: "STOP" }],
    };
    const usage = {
      promptTokenCount: 20,
      candidatesTokenCount: 4,
      thoughtsTokenCount: 30,
      totalTokenCount: 54,
    };
    expect(
      await read(said("Let me look.", { thought: true }), said("A hinge pin [1]."), {
        ...finished,
        usageMetadata: usage,
      }),
    ).toMatchObject([
      { type: "text-delta", text: "A hinge pin [1]." },
      { type: "finish", reason: "stop", usage: { inputTokens: 20, outputTokens: 34 } },
    ]);
  });

  it.each([
    ["MAX_TOKENS", "length"],
    ["SAFETY", "content-filter"],
    ["RECITATION", "content-filter"],
    ["PROHIBITED_CONTENT", "content-filter"],
    ["SPII", "content-filter"],
    ["LANGUAGE", "other"],
  ])("finish reason %s is %s", async (finishReason, reason) => {
    const events = await read(said("A hinge"), { candidates: [{ finishReason, index: 0 }] });
    expect(events.at(-1)).toMatchObject({ type: "finish", reason });
  });

  it("waits for nothing after the chunk that finishes and counts", async () => {
    const last = {
      candidates: [{ finishReason: "STOP" }],
      usageMetadata: { promptTokenCount: 2, candidatesTokenCount: 1 },
    };
    const pieces = [said("A pin [1]."), last].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`);
    const host = scriptedHost({ GEMINI_API_KEY: "k" }, () => held(pieces));
    expect((await collect(gemini({}, host))).at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });

  it("ignores text after the finish reason", async () => {
    const finished = { candidates: [{ finishReason: "STOP" }] };
    expect((await read(said("A pin [1]."), finished, said(" More.")))[0]).toEqual({
      type: "text-delta",
      text: "A pin [1].",
    });
  });

  it("delivers a blocked prompt as a refusal", async () => {
    const blocked = { promptFeedback: { blockReason: "SAFETY" }, usageMetadata: { promptTokenCount: 9 } };
    expect(await read(blocked)).toMatchObject([
      { type: "finish", reason: "content-filter", usage: { inputTokens: 9, outputTokens: undefined } },
    ]);
  });

  it("reads how long to wait out of the body of a 429", async () => {
    const { provider, stub } = await open();
    stub.fault({ mode: "status_429_retry_info" });
    await expect(collect(provider)).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 34_500 });
  });

  it.each([
    [{ budget: 0 }, { thinkingBudget: 0 }],
    [{ level: "low" }, { thinkingLevel: "low" }],
  ])("limits how much the model thinks to %j", async (thinking, thinkingConfig) => {
    const { stub } = await open();
    const host = secretHost({ GEMINI_API_KEY: GEMINI_STUB_KEY, GEMINI_BASE_URL: stub.url });
    await collect(gemini({ thinking }, host));
    expect(JSON.parse(stub.exchanges[0]?.body ?? "{}")).toMatchObject({
      generationConfig: { maxOutputTokens: 200, thinkingConfig },
    });
  });

  it.each([[{}], [{ GEMINI_API_KEY: "k", GEMINI_BASE_URL: "file:///etc" }]])(
    "refuses to start with %j",
    (secrets) => {
      expect(() => gemini({}, secretHost(secrets as Record<string, string>))).toThrow(
        expect.objectContaining({ code: "config_invalid" }),
      );
    },
  );

  it.each([
    [{}, "GEMINI_API_KEY is not set."],
    [{ GEMINI_API_KEY: "k" }, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot("gemini/x", secrets as Record<string, string>)).toBe(expected);
  });
});
