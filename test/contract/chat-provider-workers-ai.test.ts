import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";
import { parseConfig } from "../../shared/config.ts";
import { workersAi } from "../../workers/providers/workers-ai.ts";
import { makeProviders } from "../../workers/registry.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import type { Stub } from "../stubs/stub.ts";
import { startWorkersAi, WORKERS_AI_STUB } from "../stubs/workers-ai.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast";

const opened: Stub[] = [];

async function start(): Promise<Stub> {
  const stub = await startWorkersAi();
  opened.push(stub);
  return stub;
}

function secretsOf(stub: Stub): Record<string, string> {
  return {
    CLOUDFLARE_BASE_URL: stub.url,
    CLOUDFLARE_ACCOUNT_ID: WORKERS_AI_STUB.account,
    CLOUDFLARE_API_TOKEN: WORKERS_AI_STUB.token,
  };
}

/** A Worker's binding as workerd makes it: JSON for JSON, the body of anything else, errors by their code and message. */
function boundTo(stub: Stub): Host {
  const run = async (model: string, input: unknown, options: { readonly signal: AbortSignal }) => {
    const response = await fetch(`${stub.url}/accounts/${WORKERS_AI_STUB.account}/ai/run/${model}`, {
      method: "POST",
      headers: { authorization: `Bearer ${WORKERS_AI_STUB.token}` },
      body: JSON.stringify(input),
      signal: options.signal,
    });
    if (!response.ok || !response.body) {
      const { errors } = (await response.json()) as { errors: { code: number; message: string }[] };
      throw new Error(`${errors[0]?.code}: ${errors[0]?.message}`);
    }
    return response.headers.get("content-type") === "application/json" ? response.json() : response.body;
  };
  return { ...secretHost({}), binding: (name) => (name === "AI" ? { run } : undefined) };
}

/** The provider, asked for this model whatever the suite names. */
function asking(provider: ChatProvider, model: string): ChatProvider {
  return { stream: (request, signal) => provider.stream({ ...request, model }, signal) };
}

function opener(model: string, hostOf: (stub: Stub) => Host) {
  return async () => {
    const stub = await start();
    return { provider: asking(workersAi({}, hostOf(stub)), model), stub, secrets: [WORKERS_AI_STUB.token] };
  };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

const overRest = opener(LLAMA, (stub) => secretHost(secretsOf(stub)));
chatProviderContract("workers-ai", overRest, close);
remoteChatProviderContract("workers-ai", overRest, close);
chatProviderContract(
  "workers-ai, OpenAI's chunks",
  opener("@cf/qwen/qwen3-30b-a3b-fp8", (stub) => secretHost(secretsOf(stub))),
  close,
);
chatProviderContract("workers-ai, binding", opener(LLAMA, boundTo), close);

async function collect(provider: ChatProvider, model = LLAMA, maxOutputTokens = 200): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  const request = chatRequest({ model, maxOutputTokens });
  for await (const event of provider.stream(request, new AbortController().signal)) events.push(event);
  return events;
}

const SECRETS = { CLOUDFLARE_ACCOUNT_ID: "acc", CLOUDFLARE_API_TOKEN: "very-secret" };

function read(chunks: readonly unknown[], maxOutputTokens?: number): Promise<ChatEvent[]> {
  const stream = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("");
  const host = scriptedHost(SECRETS, () => recorded(`${stream}data: [DONE]\n\n`));
  return collect(workersAi({}, host), LLAMA, maxOutputTokens);
}

const USAGE = { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 };

describe("workers-ai", () => {
  afterAll(close);

  it("calls the account's own path, with what the settings add", async () => {
    const host = scriptedHost(SECRETS, () => new Response(null, { status: 503 }));
    const provider = workersAi({ modelFields: { reasoning_effort: "low", stream: false } }, host);
    await expect(collect(provider)).rejects.toMatchObject({ code: "no_provider_available" });
    expect(host.asked[0]?.url).toBe(`https://api.cloudflare.com/client/v4/accounts/acc/ai/run/${LLAMA}`);
    expect(host.asked[0]?.headers.get("authorization")).toBe("Bearer very-secret");
    expect(JSON.parse(host.asked[0]?.body ?? "{}")).toMatchObject({
      messages: [{ role: "system" }, { role: "user" }],
      max_tokens: 200,
      stream: true,
      reasoning_effort: "low",
    });
  });

  it("reads a piece that is a number", async () => {
    const said = ["It is of ", 1987, " [1]."].map((response) => ({ response, p: "abc" }));
    expect(await read([...said, { response: "", usage: USAGE }])).toMatchObject([
      { type: "text-delta", text: "It is of 1987 [1]." },
      { type: "finish", reason: "stop", usage: { inputTokens: 20, outputTokens: 5 } },
    ]);
  });

  it("tells that the limit was reached although the model gives no reason", async () => {
    const events = await read([{ response: "A hinge" }, { response: "", usage: USAGE }], 5);
    expect(events.at(-1)).toMatchObject({ reason: "length" });
  });

  it.each(["", "llama", "@cf", "@cf/meta/../../x", "@cf/meta/x?y", "@cf/meta/%2e%2e", "@cf//x"])(
    "calls no model of the name %j",
    async (model) => {
      const host = scriptedHost(SECRETS, () => new Response(null, { status: 503 }));
      await expect(collect(workersAi({}, host), model)).rejects.toMatchObject({ code: "config_invalid" });
      expect(host.asked).toEqual([]);
    },
  );

  it.each([
    [
      413,
      5021,
      "The estimated number of input and maximum output tokens (9) exceeded this model context window limit (8)",
      "context_too_long",
    ],
    [400, 5007, "No such model", "provider_misconfigured"],
    [429, 3036, "You have used up your daily free allocation", "provider_misconfigured"],
    [429, 3040, "No more data centers to forward the request to", "rate_limited"],
    [403, 5016, "User has not agreed to the model's terms", "provider_misconfigured"],
    [413, 3006, "Request is too large", "prompt_too_large"],
    [400, 5006, "Schema validation failed", "provider_rejected"],
    [408, 3007, "Request timeout", "no_provider_available"],
    [500, 3043, "Internal server error", "no_provider_available"],
  ])(
    "%i with its own code %i is the same over REST and through the binding",
    async (status, code, message, expected) => {
      const host = scriptedHost(SECRETS, () =>
        Response.json({ success: false, errors: [{ code, message }] }, { status }),
      );
      await expect(collect(workersAi({}, host))).rejects.toMatchObject({ code: expected });
      const run = () => Promise.reject(new Error(`${code}: ${message}`));
      const bound = workersAi({}, { ...secretHost({}), binding: () => ({ run }) });
      await expect(collect(bound)).rejects.toMatchObject({ code: expected });
      await expect(collect(bound)).rejects.not.toThrow(message);
    },
  );

  it.each([
    [{}, "CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are not set."],
    [{ CLOUDFLARE_ACCOUNT_ID: "a" }, "CLOUDFLARE_API_TOKEN is not set."],
    [SECRETS, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot(`workers-ai/${LLAMA}`, secrets as Record<string, string>)).toBe(expected);
  });
});

describe("workers-ai through the binding", () => {
  let stub: Stub;
  beforeAll(async () => {
    stub = await start();
  });
  afterAll(close);

  it("is offered without a secret, and called", async () => {
    const config = parseConfig({ name: "Test", sources: {}, tables: {} });
    const providers = makeProviders(boundTo(stub));
    expect(providers.whyNot(`workers-ai/${LLAMA}`, config)).toBeUndefined();
    const events = await collect(await providers.open(`workers-ai/${LLAMA}`, config));
    expect(events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });

  it("stops the model when its reader leaves, and while it is waited for", async () => {
    const provider = workersAi({}, boundTo(stub));
    for (const mode of ["stream_idle_mid", "headers_never"]) {
      stub.reset();
      stub.fault({ mode });
      const gone = new AbortController();
      const heard = (async () => {
        for await (const event of provider.stream(chatRequest({ model: LLAMA }), gone.signal)) {
          if (event.type === "text-delta") gone.abort();
        }
      })();
      if (mode === "headers_never") {
        await expect.poll(() => stub.exchanges.length).toBe(1);
        gone.abort();
      }
      await expect(heard).rejects.toMatchObject({ code: "cancelled" });
      await stub.left();
    }
  });

  it.each([
    ["stream_reset_mid", "provider_stream_interrupted"],
    ["stream_fin_without_done", "provider_stream_interrupted"],
    ["stream_error_event_first", "provider_reported_error"],
    ["status_200_error_body", "provider_reported_error"],
    ["status_500", "no_provider_available"],
  ])("%s: %s", async (mode, code) => {
    stub.reset();
    stub.fault({ mode });
    await expect(collect(workersAi({}, boundTo(stub)))).rejects.toMatchObject({ code });
  });
});
