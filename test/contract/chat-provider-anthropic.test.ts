import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { anthropic } from "../../workers/providers/anthropic.ts";
import type { FinishReason } from "../../shared/ports/chat-provider.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { ANTHROPIC_STUB_KEY, startAnthropic } from "../stubs/anthropic.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, hear, remoteChatProviderContract } from "./chat-provider.ts";

const opened: Stub[] = [];

async function open() {
  const stub = await startAnthropic();
  opened.push(stub);
  const host = secretHost({ ANTHROPIC_API_KEY: ANTHROPIC_STUB_KEY, ANTHROPIC_BASE_URL: stub.url });
  return { provider: anthropic({}, host), stub, secrets: [ANTHROPIC_STUB_KEY] };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("anthropic", open, close);
remoteChatProviderContract("anthropic", open, close);

/** What the provider makes of a recorded message. */
async function last(stopReason: string, usage: Readonly<Record<string, number>> = {}): Promise<unknown> {
  const events = [
    { type: "message_start", message: { model: "m", usage: { input_tokens: 20, ...usage } } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "A pin [1]." } },
    { type: "message_delta", delta: { stop_reason: stopReason }, usage: { output_tokens: 5 } },
    { type: "message_stop" },
  ];
  const stream = events.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  const host = scriptedHost({ ANTHROPIC_API_KEY: "k" }, () => recorded(stream));
  let event: unknown;
  const told = anthropic({}, host).stream(chatRequest(), new AbortController().signal);
  for await (const one of told) event = one;
  return event;
}

it("tells what it knows of the usage of an answer that fails before its first word", async () => {
  const events = [
    {
      type: "message_start",
      message: { model: "m", usage: { input_tokens: 20, cache_read_input_tokens: 3 } },
    },
    { type: "error", error: { type: "overloaded_error" } },
  ];
  const stream = events.map((data) => `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`).join("");
  const host = scriptedHost({ ANTHROPIC_API_KEY: "k" }, () => recorded(stream));
  let told: unknown;
  const request = chatRequest({ used: (usage) => void (told = usage) });
  const { error } = await hear(anthropic({}, host), request);
  expect(error?.code).toBe("provider_reported_error");
  expect(told).toEqual({ inputTokens: 23, outputTokens: undefined });
});

describe("anthropic", () => {
  let subject: Awaited<ReturnType<typeof open>>;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(close);

  it("marks the instructions for the prompt cache", async () => {
    for await (const event of subject.provider.stream(chatRequest(), new AbortController().signal))
      void event;
    expect(JSON.parse(subject.stub.exchanges[0]?.body ?? "{}")).toMatchObject({
      system: [{ type: "text", cache_control: { type: "ephemeral" } }],
      max_tokens: 200,
    });
  });

  it.each<[string, FinishReason]>([
    ["end_turn", "stop"],
    ["stop_sequence", "stop"],
    ["max_tokens", "length"],
    ["model_context_window_exceeded", "length"],
    ["refusal", "content-filter"],
    ["pause_turn", "other"],
  ])("takes the stop reason %s for %s", async (stopReason, reason) => {
    expect(await last(stopReason)).toMatchObject({ type: "finish", reason });
  });

  it("counts what was read from or written to the prompt cache as input: it is billed", async () => {
    const cached = { cache_read_input_tokens: 100, cache_creation_input_tokens: 3 };
    expect(await last("end_turn", cached)).toMatchObject({ usage: { inputTokens: 123, outputTokens: 5 } });
  });

  it("needs its key", () => {
    let code: unknown;
    try {
      anthropic({}, secretHost({}));
    } catch (error) {
      code = error instanceof QuaysideError ? error.code : error;
    }
    expect(code).toBe("config_invalid");
  });
});
