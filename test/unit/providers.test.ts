import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig, type Config } from "../../shared/config.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import { anthropic } from "../../workers/providers/anthropic.ts";
import { azure } from "../../workers/providers/azure.ts";
import { bedrock } from "../../workers/providers/bedrock.ts";
import { openaiCompatible } from "../../workers/providers/compatible.ts";
import { openai } from "../../workers/providers/openai.ts";
import { makeProviders } from "../../workers/registry.ts";
import { chatRequest } from "../contract/chat-provider.ts";
import { startProviderSubjects, type ProviderSubject } from "../fakes/provider-subjects.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { ANTHROPIC_STUB_KEY, startAnthropic } from "../stubs/anthropic.ts";
import { AZURE_STUB_KEY, startAzure } from "../stubs/azure.ts";
import { BEDROCK_STUB, startBedrock } from "../stubs/bedrock.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";

function configOf(compatible: Record<string, { baseUrl: string; secret?: string }> = {}): Config {
  return parseConfig({ name: "Test", sources: {}, tables: {}, models: { compatible } });
}

describe("why a model can't be called", () => {
  it.each(["nobody", "constructor"])("there is no provider %s", (name) => {
    expect(makeProviders(secretHost({})).whyNot(`${name}/x`, configOf())).toBe(
      `There is no provider ${name}; one that speaks the OpenAI protocol goes under models.compatible.`,
    );
  });

  it("names the secret of a configured host", () => {
    const config = configOf({ mistral: { baseUrl: "https://llm.example/v1", secret: "MISTRAL_API_KEY" } });
    expect(makeProviders(secretHost({})).whyNot("mistral/large", config)).toBe("MISTRAL_API_KEY is not set.");
  });
});

describe("a host that the configuration names", () => {
  let stub: Stub;
  beforeAll(async () => {
    stub = await startOpenai();
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  it("answers, with the key that the configuration names", async () => {
    const config = configOf({ mistral: { baseUrl: `${stub.url}/v1`, secret: "MISTRAL_API_KEY" } });
    const providers = makeProviders(secretHost({ MISTRAL_API_KEY: OPENAI_STUB_KEY }));
    const provider = await providers.open("mistral/large", config);
    const events = [];
    for await (const event of provider.stream(chatRequest(), new AbortController().signal))
      events.push(event);
    expect(events.at(-1)).toMatchObject({ type: "finish", reason: "stop" });
  });

  it("of our own gets its settings", async () => {
    const models = { providers: { openai: { api: "telepathy" } } };
    const config = parseConfig({ name: "Test", sources: {}, tables: {}, models });
    const opening = makeProviders(secretHost({ OPENAI_API_KEY: "k" })).open("openai/x", config);
    await expect(opening).rejects.toMatchObject({ code: "config_invalid" });
  });

  it("of our own can be given another secret", () => {
    const config = parseConfig({
      name: "Test",
      sources: {},
      tables: {},
      models: { providers: { openai: { secret: "TEAM_KEY" } } },
    });
    const providers = makeProviders(secretHost({ OPENAI_API_KEY: "k" }));
    expect(providers.whyNot("openai/x", config)).toBe("TEAM_KEY is not set.");
  });

  it("is made once, and anew when its settings change", async () => {
    const providers = makeProviders(secretHost({}));
    const one = configOf({ own: { baseUrl: "https://one.example/v1" } });
    const other = configOf({ own: { baseUrl: "https://other.example/v1" } });
    const first = await providers.open("own/a", one);
    expect(await providers.open("own/b", one)).toBe(first);
    expect(await providers.open("own/a", other)).not.toBe(first);
  });
});

describe("settings of one model", () => {
  const PRICE = { input: 1, output: 1 };
  const entry = (options: Record<string, unknown>) => ({
    classes: ["public"],
    contextTokens: 8000,
    price: PRICE,
    region: "eu",
    retention: "none",
    trainsOnData: false,
    options,
  });
  const configWith = (options: Record<string, unknown>): Config =>
    parseConfig({
      name: "Test",
      sources: {},
      tables: {},
      models: {
        register: { "openai/thinker": entry(options) },
        providers: { openai: { reasoningEffort: "low" } },
      },
    });

  it("go before those of its provider", async () => {
    await using stub = await startOpenai();
    const secrets = { OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${stub.url}/v1` };
    const providers = makeProviders(secretHost(secrets));
    for (const id of ["openai/thinker", "openai/other"]) {
      const provider = await providers.open(id, configWith({ reasoningEffort: "high" }));
      for await (const event of provider.stream(chatRequest(), new AbortController().signal)) void event;
    }
    const sent = stub.exchanges.map(({ body }) => JSON.parse(body) as unknown);
    expect(sent).toMatchObject([{ reasoning_effort: "high" }, { reasoning_effort: "low" }]);
  });

  it("are read before the model is offered", async () => {
    const providers = makeProviders(secretHost({ OPENAI_API_KEY: "k" }));
    expect(await providers.check("openai/thinker", configWith({ reasoningEffort: "high" }))).toBeUndefined();
    expect(await providers.check("openai/thinker", configWith({ reasoningEffort: 11 }))).toContain(
      "Provider setting reasoningEffort",
    );
  });
});

describe("what a vendor has beyond the prompt is sent as the vendor names it", () => {
  it.each([
    [
      "openai, chat",
      { api: "chat", reasoningEffort: "low", promptCacheKey: "q" },
      { reasoning_effort: "low", prompt_cache_key: "q" },
    ],
    [
      "openai, responses",
      { api: "responses", reasoningEffort: "high", promptCacheKey: "q" },
      { reasoning: { effort: "high" }, prompt_cache_key: "q" },
    ],
  ] as const)("%s", async (_, settings, sent) => {
    await using stub = await startOpenai();
    const host = secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${stub.url}/v1` });
    expect(await sentBy(openai(settings, host), stub)).toMatchObject(sent);
  });

  it.each([
    [
      { effort: "high", thinking: "adaptive" },
      { output_config: { effort: "high" }, thinking: { type: "adaptive" } },
    ],
    [{ thinking: { budget: 2048 } }, { thinking: { type: "enabled", budget_tokens: 2048 } }],
    [{}, { system: [{ cache_control: { type: "ephemeral" } }] }],
  ] as const)("anthropic %j", async (settings, sent) => {
    await using stub = await startAnthropic();
    const host = secretHost({ ANTHROPIC_API_KEY: ANTHROPIC_STUB_KEY, ANTHROPIC_BASE_URL: stub.url });
    expect(await sentBy(anthropic(settings, host), stub)).toMatchObject(sent);
  });

  it("anthropic without the mark of the prompt cache", async () => {
    await using stub = await startAnthropic();
    const host = secretHost({ ANTHROPIC_API_KEY: ANTHROPIC_STUB_KEY, ANTHROPIC_BASE_URL: stub.url });
    const sent = await sentBy(anthropic({ promptCache: false }, host), stub);
    expect(JSON.stringify(sent)).not.toContain("cache_control");
  });

  it("azure", async () => {
    await using stub = await startAzure();
    const host = secretHost({ AZURE_OPENAI_API_KEY: AZURE_STUB_KEY, AZURE_OPENAI_ENDPOINT: stub.url });
    expect(await sentBy(azure({ reasoningEffort: "minimal" }, host), stub)).toMatchObject({
      reasoning_effort: "minimal",
    });
  });

  it("bedrock", async () => {
    await using stub = await startBedrock();
    const host = secretHost({
      AWS_REGION: BEDROCK_STUB.region,
      AWS_ACCESS_KEY_ID: BEDROCK_STUB.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BEDROCK_STUB.secretAccessKey,
      BEDROCK_BASE_URL: stub.url,
    });
    const modelFields = { reasoning_config: { type: "enabled", budget_tokens: 1024 } };
    expect(await sentBy(bedrock({ modelFields }, host), stub)).toMatchObject({
      additionalModelRequestFields: modelFields,
    });
  });

  describe("under modelFields", () => {
    let subjects: readonly ProviderSubject[] = [];
    beforeAll(async () => {
      subjects = await startProviderSubjects();
    });
    afterAll(async () => {
      for (const { stub } of subjects) await stub[Symbol.asyncDispose]();
    });

    it.each([
      ["openai, chat", "max_completion_tokens", undefined],
      ["openai, responses", "max_output_tokens", undefined],
      ["compatible", "max_tokens", undefined],
      ["anthropic", "max_tokens", undefined],
      ["azure", "max_completion_tokens", undefined],
      ["cortex", "max_tokens", undefined],
      ["workers-ai", "max_tokens", undefined],
      ["gemini", "maxOutputTokens", "generationConfig"],
      ["vertex", "maxOutputTokens", "generationConfig"],
      ["bedrock", undefined, "additionalModelRequestFields"],
    ])("by %s, and never in the place of what is ours", async (name, limit, part) => {
      const subject = subjects.find((one) => one.name === name);
      if (!subject) throw new Error(`no provider ${name}`);
      const fields = (tokens: number) => ({
        temperature: 0.5,
        ...(limit === undefined ? {} : { [limit]: tokens }),
      });
      const provider = subject.provider(subject.stub.url, fetch, { modelFields: fields(1) });
      const sent = await sentBy(provider, subject.stub);
      expect(part === undefined ? sent : Reflect.get(sent, part)).toMatchObject(fields(200));
    });
  });

  it("any host of OpenAI's protocol", async () => {
    await using stub = await startOpenai();
    const settings = { baseUrl: `${stub.url}/v1`, secret: "K", reasoningEffort: "none" };
    const provider = openaiCompatible(settings, secretHost({ K: OPENAI_STUB_KEY }));
    expect(await sentBy(provider, stub)).toMatchObject({ reasoning_effort: "none" });
  });
});

/** What the first call sent; the stub has taken it. */
async function sentBy(provider: ChatProvider, stub: Stub): Promise<object> {
  for await (const event of provider.stream(chatRequest(), new AbortController().signal)) void event;
  return JSON.parse(stub.exchanges[0]?.body ?? "{}") as object;
}
