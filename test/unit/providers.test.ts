import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig, type Config } from "../../shared/config.ts";
import { makeProviders } from "../../workers/registry.ts";
import { chatRequest } from "../contract/chat-provider.ts";
import { secretHost } from "../fakes/secret-host.ts";
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
