import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { openai } from "../../workers/providers/openai.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, hear, remoteChatProviderContract } from "./chat-provider.ts";

function suites(name: string, settings: Readonly<Record<string, unknown>>): void {
  const opened: Stub[] = [];
  const open = async () => {
    const stub = await startOpenai();
    opened.push(stub);
    return { provider: openai(settings, hostOf(stub)), stub, secrets: [OPENAI_STUB_KEY] };
  };
  const close = async () => {
    for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
  };
  chatProviderContract(name, open, close);
  remoteChatProviderContract(name, open, close);
}

suites("openai, chat completions", { api: "chat" });
suites("openai, responses", { api: "responses" });

function hostOf(stub: Stub) {
  return secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${stub.url}/v1` });
}

/** The code of what a factory throws. */
function codeOf(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error instanceof QuaysideError ? error.code : error;
  }
  return undefined;
}

describe("openai", () => {
  let stub: Stub;
  beforeAll(async () => {
    stub = await startOpenai();
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  const drain = async (provider: ReturnType<typeof openai>, model: string) => {
    stub.reset();
    for await (const event of provider.stream(chatRequest({ model }), new AbortController().signal))
      void event;
    return { path: stub.exchanges[0]?.path, body: JSON.parse(stub.exchanges[0]?.body ?? "{}") as unknown };
  };

  it("uses chat completions by default", async () => {
    expect((await drain(openai({}, hostOf(stub)), "gpt-4.1-mini")).path).toBe("/v1/chat/completions");
  });

  it("uses the Responses API for a model that is served there only", async () => {
    expect((await drain(openai({}, hostOf(stub)), "o3-pro")).path).toBe("/v1/responses");
  });

  it("asks the Responses API to keep nothing", async () => {
    expect((await drain(openai({}, hostOf(stub)), "o3-pro")).body).toMatchObject({ store: false });
  });

  it("sends instructions, turns and limit", async () => {
    expect((await drain(openai({}, hostOf(stub)), "gpt-4.1-mini")).body).toMatchObject({
      model: "gpt-4.1-mini",
      messages: [{ role: "system" }, { role: "user" }],
      max_completion_tokens: 200,
      stream_options: { include_usage: true },
    });
  });

  it("says quota, not rate limit, when the account is empty", async () => {
    stub.reset();
    stub.fault({ mode: "status_429_quota" });
    const stream = openai({}, hostOf(stub)).stream(chatRequest(), new AbortController().signal);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "provider_misconfigured",
    });
  });

  it("needs its key", () => {
    expect(codeOf(() => openai({}, secretHost({})))).toBe("config_invalid");
  });
});

it("tells the usage of a response that failed", async () => {
  const response = { error: { code: "server_error" }, usage: { input_tokens: 31, output_tokens: 4 } };
  const data = JSON.stringify({ type: "response.failed", response });
  const host = scriptedHost({ OPENAI_API_KEY: "k" }, () => recorded(`data: ${data}\n\n`));
  let told: unknown;
  const request = chatRequest({ used: (usage) => void (told = usage) });
  const { error } = await hear(openai({ api: "responses" }, host), request);
  expect(error?.code).toBe("provider_reported_error");
  expect(told).toEqual({ inputTokens: 31, outputTokens: 4 });
});
