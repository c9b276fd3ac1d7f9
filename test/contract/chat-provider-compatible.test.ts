import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { llama, openaiCompatible } from "../../workers/providers/compatible.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: Stub[] = [];

async function open() {
  const stub = await startOpenai();
  opened.push(stub);
  const host = secretHost({ LLAMA_BASE_URL: `${stub.url}/v1`, LLAMA_API_KEY: OPENAI_STUB_KEY });
  return { provider: llama({}, host), stub, secrets: [OPENAI_STUB_KEY] };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("llama", open, close);
remoteChatProviderContract("llama", open, close);

/** The code of what a factory throws. */
function codeOf(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    return error instanceof QuaysideError ? error.code : error;
  }
  return undefined;
}

describe("hosts of OpenAI's protocol", () => {
  let stub: Stub;
  beforeAll(async () => {
    stub = await startOpenai();
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  it("are spoken to by their settings", async () => {
    const settings = { baseUrl: `${stub.url}/api/v9/`, secret: "MISTRAL_API_KEY" };
    const provider = openaiCompatible(settings, secretHost({ MISTRAL_API_KEY: OPENAI_STUB_KEY }));
    const request = chatRequest({ model: "mistral-large-latest" });
    for await (const event of provider.stream(request, new AbortController().signal)) void event;
    expect(stub.exchanges[0]?.path).toBe("/api/v9/chat/completions");
    expect(JSON.parse(stub.exchanges[0]?.body ?? "{}")).toMatchObject({
      model: "mistral-large-latest",
      messages: [{ role: "system" }, { role: "user" }],
      max_tokens: 200,
      stream_options: { include_usage: true },
    });
  });

  it.each([
    ["a reason of its own for the end", { content: "I" }, "content_filter", "content-filter"],
    ["a refusal beside a usual end", { refusal: "I can't help with that." }, "stop", "content-filter"],
    ["a limit", { content: "I" }, "length", "length"],
    ["an end that is not known", { content: "I" }, "eos", "other"],
  ])("say with %s how they ended", async (_, delta, finish, reason) => {
    const chunk = JSON.stringify({ choices: [{ delta }] });
    const end = JSON.stringify({ choices: [{ delta: {}, finish_reason: finish }] });
    const host = scriptedHost({}, () => recorded(`data: ${chunk}\n\ndata: ${end}\n\ndata: [DONE]\n\n`));
    const provider = openaiCompatible({ baseUrl: "https://host.example/v1" }, host);
    let last: unknown;
    for await (const event of provider.stream(chatRequest(), new AbortController().signal)) last = event;
    expect(last).toMatchObject({ type: "finish", reason });
  });

  it("get no key when none is named", async () => {
    stub.reset();
    const provider = openaiCompatible({ baseUrl: `${stub.url}/v1` }, secretHost({}));
    const stream = provider.stream(chatRequest(), new AbortController().signal);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "provider_misconfigured",
    });
    expect(stub.exchanges[0]?.headers.authorization).toBeUndefined();
  });

  it.each([
    ["a base URL that is not one", { baseUrl: "file:///etc/passwd" }],
    ["no base URL", {}],
    ["a secret that is not set", { baseUrl: "https://llm.example/v1", secret: "NOT_SET" }],
  ])("are refused with %s", (_, settings) => {
    expect(codeOf(() => openaiCompatible(settings, secretHost({})))).toBe("config_invalid");
  });

  it("of Llama models need their base URL", () => {
    expect(codeOf(() => llama({}, secretHost({})))).toBe("config_invalid");
  });

  it("of Llama models are offered with their base URL", () => {
    expect(whyNot("llama/x", {})).toBe("LLAMA_BASE_URL is not set.");
    expect(whyNot("llama/x", { LLAMA_BASE_URL: "https://llm.example/v1" })).toBeUndefined();
  });
});
