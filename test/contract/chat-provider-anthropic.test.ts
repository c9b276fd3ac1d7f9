import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { anthropic } from "../../workers/providers/anthropic.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { ANTHROPIC_STUB_KEY, startAnthropic } from "../stubs/anthropic.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";

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
