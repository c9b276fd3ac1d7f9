import { afterAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import { cortex } from "../../workers/providers/cortex.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { startCortex, type CortexStub } from "../stubs/cortex.ts";
import { makeStubKey } from "../stubs/keys.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: CortexStub[] = [];

async function start() {
  const stub = await startCortex();
  opened.push(stub);
  return stub;
}

function keyPairOf(stub: CortexStub): Record<string, string> {
  return {
    SNOWFLAKE_BASE_URL: stub.url,
    SNOWFLAKE_ACCOUNT: stub.account,
    SNOWFLAKE_USER: stub.user,
    // As an environment file has it, on one line.
    SNOWFLAKE_PRIVATE_KEY: stub.privateKey.replaceAll("\n", String.raw`\n`),
  };
}

async function openWithToken() {
  const stub = await start();
  const host = secretHost({ SNOWFLAKE_BASE_URL: stub.url, SNOWFLAKE_TOKEN: stub.token });
  return { provider: cortex({}, host), stub, secrets: [stub.token] };
}

async function openWithKeyPair() {
  const stub = await start();
  return { provider: cortex({}, secretHost(keyPairOf(stub))), stub, secrets: [stub.privateKey] };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("cortex, access token", openWithToken, close);
chatProviderContract("cortex, key pair", openWithKeyPair, close);
remoteChatProviderContract("cortex, key pair", openWithKeyPair, close);

async function collect(provider: ChatProvider, maxOutputTokens = 200): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  const stream = provider.stream(chatRequest({ maxOutputTokens }), new AbortController().signal);
  for await (const event of stream) events.push(event);
  return events;
}

const TOKEN = { SNOWFLAKE_ACCOUNT: "Acme-Test_One", SNOWFLAKE_TOKEN: "very-secret" };

/** What the provider makes of a recorded stream of chunks. */
function read(chunks: readonly unknown[], maxOutputTokens?: number): Promise<ChatEvent[]> {
  const stream = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  return collect(
    cortex(
      {},
      scriptedHost(TOKEN, () => recorded(stream)),
    ),
    maxOutputTokens,
  );
}

const said = (content: string, usage: unknown = {}) => ({
  id: "a9f0",
  model: "llama3.1-70b",
  choices: [
    { delta: { type: "text", content, content_list: [{ type: "text", text: content }], text: content } },
  ],
  usage,
});
const USAGE = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };

describe("cortex", () => {
  afterAll(close);

  it("calls the account's own address, hyphens for underscores", async () => {
    const host = scriptedHost(TOKEN, () => new Response(null, { status: 503 }));
    await expect(collect(cortex({}, host))).rejects.toMatchObject({ code: "no_provider_available" });
    expect(host.asked[0]?.url).toBe(
      "https://acme-test-one.snowflakecomputing.com/api/v2/cortex/inference:complete",
    );
    expect(host.asked[0]?.headers.get("authorization")).toBe("Bearer very-secret");
    expect(JSON.parse(host.asked[0]?.body ?? "{}")).toMatchObject({
      model: "test-model",
      messages: [{ role: "system" }, { role: "user" }],
      max_tokens: 200,
      stream: true,
    });
  });

  it("ends with the chunk that counts the tokens", async () => {
    expect(await read([said("A hinge"), said(" pin [1].", USAGE), said("more")])).toMatchObject([
      { type: "text-delta", text: "A hinge pin [1]." },
      { type: "finish", reason: "stop", usage: { inputTokens: 20, outputTokens: 5 } },
    ]);
  });

  it("tells that the limit was reached even when the model gives no reason", async () => {
    expect((await read([said("A hinge pin"), said("", USAGE)], 5)).at(-1)).toMatchObject({
      reason: "length",
    });
  });

  it("shows no thoughts", async () => {
    const thought = {
      choices: [{ delta: { type: "anthropic", thinking: { thinking: "Let me look." } } }],
      usage: {},
    };
    expect((await read([thought, said("A pin [1]."), said("", USAGE)]))[0]).toEqual({
      type: "text-delta",
      text: "A pin [1].",
    });
  });

  it("refuses a key that the account does not have", async () => {
    const stub = await start();
    const host = secretHost({ ...keyPairOf(stub), SNOWFLAKE_PRIVATE_KEY: makeStubKey().privateKey });
    await expect(collect(cortex({}, host))).rejects.toMatchObject({ code: "provider_misconfigured" });
  });

  it("signs one token for the calls of 50 minutes", async () => {
    const stub = await start();
    let now = Date.now();
    const asked: string[] = [];
    const host = scriptedHost(
      keyPairOf(stub),
      ({ headers }) => {
        asked.push(headers.get("authorization") ?? "");
        return new Response(null, { status: 503 });
      },
      () => now,
    );
    const provider = cortex({}, host);
    for (const minutes of [0, 49, 2]) {
      now += minutes * 60_000;
      await expect(collect(provider)).rejects.toThrow();
    }
    expect(asked[1]).toBe(asked[0]);
    expect(asked[2]).not.toBe(asked[0]);
  });

  it("says config_invalid, and nothing of the key, when the key can't be read", async () => {
    const key = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5\n-----END PRIVATE KEY-----";
    const host = secretHost({ SNOWFLAKE_ACCOUNT: "a", SNOWFLAKE_USER: "u", SNOWFLAKE_PRIVATE_KEY: key });
    const failed = collect(cortex({}, host));
    await expect(failed).rejects.toMatchObject({ code: "config_invalid" });
    await expect(failed).rejects.not.toThrow("bm90");
  });

  it.each([
    [{}],
    [{ SNOWFLAKE_ACCOUNT: "a" }],
    [{ SNOWFLAKE_ACCOUNT: "a", SNOWFLAKE_PRIVATE_KEY: "k" }],
    [{ SNOWFLAKE_BASE_URL: "http://127.0.0.1", SNOWFLAKE_USER: "u", SNOWFLAKE_PRIVATE_KEY: "k" }],
    [{ SNOWFLAKE_BASE_URL: "ftp://x", SNOWFLAKE_TOKEN: "t" }],
  ])("refuses to start with %j", (secrets) => {
    expect(() => cortex({}, secretHost(secrets as Record<string, string>))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it.each([
    [{ SNOWFLAKE_ACCOUNT: "acme" }, "SNOWFLAKE_TOKEN is not set."],
    [{ SNOWFLAKE_ACCOUNT: "acme", SNOWFLAKE_PRIVATE_KEY: "k" }, "SNOWFLAKE_TOKEN is not set."],
    [{ SNOWFLAKE_ACCOUNT: "acme", SNOWFLAKE_PRIVATE_KEY: "k", SNOWFLAKE_USER: "u" }, undefined],
    [{ SNOWFLAKE_BASE_URL: "http://127.0.0.1", SNOWFLAKE_TOKEN: "t" }, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot("cortex/x", secrets as Record<string, string>)).toBe(expected);
  });
});
