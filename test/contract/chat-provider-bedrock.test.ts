import { afterAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import { bedrock } from "../../workers/providers/bedrock.ts";
import { held, recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { awsEvent, awsMessage, BEDROCK_STUB, startBedrock } from "../stubs/bedrock.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: Stub[] = [];

const KEYS = {
  AWS_REGION: BEDROCK_STUB.region,
  AWS_ACCESS_KEY_ID: BEDROCK_STUB.accessKeyId,
  AWS_SECRET_ACCESS_KEY: BEDROCK_STUB.secretAccessKey,
};

function opener(secrets: Readonly<Record<string, string>> = {}) {
  return async () => {
    const stub = await startBedrock();
    opened.push(stub);
    const provider = bedrock({}, secretHost({ ...KEYS, ...secrets, BEDROCK_BASE_URL: stub.url }));
    return { provider, stub, secrets: [BEDROCK_STUB.secretAccessKey, BEDROCK_STUB.sessionToken] };
  };
}

const open = opener();

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("bedrock", open, close);
remoteChatProviderContract("bedrock", open, close);
chatProviderContract(
  "bedrock, temporary credentials",
  opener({ AWS_SESSION_TOKEN: BEDROCK_STUB.sessionToken }),
  close,
);

async function collect(
  provider: ChatProvider,
  model = "test-model",
  signal = new AbortController().signal,
): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  const stream = provider.stream(chatRequest({ model }), signal);
  for await (const event of stream) events.push(event);
  return events;
}

/** What the provider makes of a recorded stream, one character a byte. */
function read(...messages: readonly string[]): Promise<ChatEvent[]> {
  const stream = () => recorded(messages.join(""), "application/vnd.amazon.eventstream", "latin1");
  return collect(bedrock({}, scriptedHost(KEYS, stream)));
}

/** As `read`, of a stream that comes in these pieces and stays open. */
function readHeld(pieces: readonly string[], signal = new AbortController().signal): Promise<ChatEvent[]> {
  const stream = () => held(pieces, "application/vnd.amazon.eventstream", "latin1");
  return collect(bedrock({}, scriptedHost(KEYS, stream)), "test-model", signal);
}

const said = (text: string) => awsEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text } });
const stopped = (stopReason: string) => awsEvent("messageStop", { stopReason });
const exception = (type: string) =>
  awsMessage({ ":exception-type": type, ":message-type": "exception" }, '{"message":"x"}');
const USAGE = awsEvent("metadata", {
  usage: { inputTokens: 20, outputTokens: 5, totalTokens: 125, cacheReadInputTokens: 100 },
});

/** The message with its byte at this place changed. */
function flipped(message: string, at: number): string {
  const bytes = Buffer.from(message, "latin1");
  const place = at < 0 ? bytes.length + at : at;
  bytes.writeUInt8(bytes.readUInt8(place) ^ 1, place);
  return bytes.toString("latin1");
}

describe("bedrock", () => {
  afterAll(close);

  it.each([
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "eu.meta.llama3-3-70b-instruct-v1:0",
    "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude",
  ])("signs a call of the model %s", async (model) => {
    const { provider } = await open();
    expect((await collect(provider, model)).at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });

  it("calls the region's address", async () => {
    const host = scriptedHost(KEYS, () => new Response(null, { status: 503 }));
    await expect(collect(bedrock({}, host), "meta.llama3:0")).rejects.toMatchObject({
      code: "no_provider_available",
    });
    expect(host.asked[0]?.url).toBe(
      "https://bedrock-runtime.eu-central-1.amazonaws.com/model/meta.llama3%3A0/converse-stream",
    );
    expect(JSON.stringify([...(host.asked[0]?.headers ?? [])])).not.toContain(BEDROCK_STUB.secretAccessKey);
  });

  it.each([
    ["the wrong secret", { AWS_SECRET_ACCESS_KEY: "other" }],
    ["another region", { AWS_REGION: "us-east-1" }],
    ["an expired session", { AWS_SESSION_TOKEN: "old" }],
  ])("is rejected with %s", async (_, secrets) => {
    const { provider } = await opener(secrets)();
    await expect(collect(provider)).rejects.toMatchObject({ code: "provider_misconfigured" });
  });

  it("is rejected when our clock is wrong", async () => {
    const stub = await startBedrock();
    opened.push(stub);
    const host = secretHost({ ...KEYS, BEDROCK_BASE_URL: stub.url });
    const provider = bedrock({}, { ...host, now: () => Date.now() - 600_000 });
    await expect(collect(provider)).rejects.toMatchObject({ code: "provider_misconfigured" });
  });

  it("counts what was read from the prompt cache, and shows no thoughts", async () => {
    const thought = awsEvent("contentBlockDelta", { delta: { reasoningContent: { text: "Let me look." } } });
    const events = await read(thought, said("A hinge"), said(" pin [1]."), stopped("end_turn"), USAGE);
    expect(events).toMatchObject([
      { type: "text-delta", text: "A hinge pin [1]." },
      { type: "finish", reason: "stop", usage: { inputTokens: 120, outputTokens: 5 } },
    ]);
  });

  it.each([
    ["max_tokens", "length"],
    ["stop_sequence", "stop"],
    ["content_filtered", "content-filter"],
    ["guardrail_intervened", "content-filter"],
    ["tool_use", "other"],
  ])("stop reason %s is %s", async (stopReason, reason) => {
    expect((await read(said("A pin"), stopped(stopReason), USAGE)).at(-1)).toMatchObject({ reason });
  });

  it.each([
    ["throttlingException", "rate_limited"],
    ["validationException", "provider_rejected"],
    ["modelStreamErrorException", "provider_reported_error"],
    ["internalServerException", "provider_reported_error"],
  ])("%s before the first token is %s", async (type, code) => {
    await expect(read(exception(type))).rejects.toMatchObject({ code });
  });

  it("says no_provider_available when the model failed", async () => {
    const { provider, stub } = await open();
    stub.fault({ mode: "status_424" });
    await expect(collect(provider)).rejects.toMatchObject({ code: "no_provider_available" });
  });

  it.each([
    ["length", 3],
    ["checksum of the lengths", 8],
    ["header", 20],
    ["payload", -8],
    ["checksum of the message", -1],
  ])("refuses a message whose %s is corrupt", async (_, at) => {
    await expect(read(flipped(said("A hinge"), at), stopped("end_turn"), USAGE)).rejects.toMatchObject({
      code: "provider_bad_response",
    });
  });

  it("does not wait for what a corrupt length promises", async () => {
    await expect(readHeld([flipped(said("A hinge"), 1)])).rejects.toMatchObject({
      code: "provider_bad_response",
    });
  });

  it("reads the same wherever the stream is split", async () => {
    const whole = said("A hinge") + said(" pin [1] — pièce.") + stopped("end_turn") + USAGE;
    const splits = Array.from({ length: whole.length - 1 }, (_, i) => i + 1);
    // Side by side: each waits a little for more to come.
    const answers = await Promise.all(splits.map((at) => readHeld([whole.slice(0, at), whole.slice(at)])));
    for (const events of answers) {
      const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
      expect(text).toBe("A hinge pin [1] — pièce.");
      expect(events.at(-1)).toMatchObject({ reason: "stop", usage: { inputTokens: 120 } });
    }
  });

  it("ignores text after the stop", async () => {
    const events = await read(said("A pin [1]."), stopped("end_turn"), said(" More."), USAGE);
    expect(events[0]).toEqual({ type: "text-delta", text: "A pin [1]." });
    expect(events[1]).toMatchObject({ type: "finish" });
  });

  it("stops reading a stalled stream when it is cancelled", async () => {
    const failed = readHeld([said("A hinge")], AbortSignal.timeout(20));
    await expect(failed).rejects.toMatchObject({ code: "deadline_exceeded" });
  });

  it("delivers what came before a corrupt message, then says that the answer was interrupted", async () => {
    const bytes = said("A hinge") + flipped(said(" pin"), -1);
    const host = scriptedHost(KEYS, () => recorded(bytes, "application/vnd.amazon.eventstream", "latin1"));
    const stream = bedrock({}, host).stream(chatRequest(), new AbortController().signal);
    const events = stream[Symbol.asyncIterator]();
    expect(await events.next()).toMatchObject({ value: { type: "text-delta", text: "A hinge" } });
    await expect(events.next()).rejects.toMatchObject({ code: "provider_stream_interrupted" });
  });

  it("marks the instructions for the prompt cache when told so", async () => {
    const { stub } = await open();
    const host = secretHost({ ...KEYS, BEDROCK_BASE_URL: stub.url });
    await collect(bedrock({ promptCache: true }, host));
    expect(JSON.parse(stub.exchanges[0]?.body ?? "{}")).toMatchObject({
      system: [{ text: "Answer from the rows. Cite them by number." }, { cachePoint: { type: "default" } }],
      inferenceConfig: { maxTokens: 200 },
    });
  });

  it.each([
    [{ AWS_REGION: "" }],
    [{ AWS_REGION: "eu-central-1.example.com/" }],
    [{ AWS_ACCESS_KEY_ID: "" }],
    [{ AWS_SECRET_ACCESS_KEY: "" }],
    [{ BEDROCK_BASE_URL: "x" }],
  ])("refuses to start with %j", (change) => {
    const secrets = Object.entries({ ...KEYS, ...change }).filter(([, value]) => value !== "");
    expect(() => bedrock({}, secretHost(Object.fromEntries(secrets)))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it.each([
    [{ AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "a" }, "AWS_SECRET_ACCESS_KEY is not set."],
    [KEYS, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot("bedrock/x", secrets as Record<string, string>)).toBe(expected);
  });
});
