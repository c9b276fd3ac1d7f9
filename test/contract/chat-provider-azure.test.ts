import { afterAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import { azure } from "../../workers/providers/azure.ts";
import { recorded, scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { AZURE_STUB_KEY, startAzure } from "../stubs/azure.ts";
import type { Stub } from "../stubs/stub.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: Stub[] = [];

function opener(settings: Readonly<Record<string, unknown>>) {
  return async () => {
    const stub = await startAzure();
    opened.push(stub);
    const host = secretHost({ AZURE_OPENAI_API_KEY: AZURE_STUB_KEY, AZURE_OPENAI_ENDPOINT: stub.url });
    return { provider: azure(settings, host), stub, secrets: [AZURE_STUB_KEY] };
  };
}

const open = opener({});

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("azure", open, close);
remoteChatProviderContract("azure", open, close);
chatProviderContract("azure, dated API", opener({ apiVersion: "2024-10-21" }), close);

async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of provider.stream(chatRequest(), new AbortController().signal)) events.push(event);
  return events;
}

const chunk = (choices: readonly unknown[]) => `data: ${JSON.stringify({ id: "", model: "", choices })}\n\n`;

describe("azure", () => {
  afterAll(close);

  it.each([
    ["https://acme.openai.azure.com", undefined, "https://acme.openai.azure.com/openai/v1/chat/completions"],
    ["https://acme.openai.azure.com/", undefined, "https://acme.openai.azure.com/openai/v1/chat/completions"],
    [
      "https://acme.openai.azure.com/openai/v1/",
      undefined,
      "https://acme.openai.azure.com/openai/v1/chat/completions",
    ],
    [
      "https://acme.openai.azure.com",
      "2024-10-21",
      "https://acme.openai.azure.com/openai/deployments/test-model/chat/completions?api-version=2024-10-21",
    ],
  ])("endpoint %s, API version %s: calls %s", async (endpoint, apiVersion, url) => {
    const secrets = { AZURE_OPENAI_API_KEY: "very-secret", AZURE_OPENAI_ENDPOINT: endpoint };
    const host = scriptedHost(secrets, () => new Response(null, { status: 503 }));
    await expect(collect(azure({ apiVersion }, host))).rejects.toMatchObject({
      code: "no_provider_available",
    });
    expect(host.asked[0]?.url).toBe(url);
    expect(host.asked[0]?.headers.get("api-key")).toBe("very-secret");
    expect(host.asked[0]?.headers.get("authorization")).toBeNull();
  });

  it("delivers what the filter left of an answer, and says so", async () => {
    const stream = [
      chunk([]),
      chunk([{ index: 0, delta: { content: "A hinge" }, content_filter_results: {} }]),
      chunk([{ index: 0, delta: {}, finish_reason: "content_filter" }]),
      "data: [DONE]\n\n",
    ].join("");
    const secrets = { AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_ENDPOINT: "https://acme.openai.azure.com" };
    expect(
      await collect(
        azure(
          {},
          scriptedHost(secrets, () => recorded(stream)),
        ),
      ),
    ).toMatchObject([
      { type: "text-delta", text: "A hinge" },
      { type: "finish", reason: "content-filter" },
    ]);
  });

  it("does not take another error of a later call for the filter", async () => {
    const { provider, stub } = await open();
    stub.fault({ mode: "finish_content_filter" });
    await collect(provider);
    stub.fault({ mode: "status_400" });
    await expect(collect(provider)).rejects.toMatchObject({ code: "provider_rejected" });
  });

  it.each([
    [{ AZURE_OPENAI_ENDPOINT: "https://acme.openai.azure.com" }, {}],
    [{ AZURE_OPENAI_API_KEY: "k" }, {}],
    [{ AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_ENDPOINT: "acme" }, {}],
    [{ AZURE_OPENAI_API_KEY: "k", AZURE_OPENAI_ENDPOINT: "https://a" }, { apiVersion: "latest&x=1" }],
  ])("refuses to start with %j, %j", (secrets, settings) => {
    expect(() => azure(settings, secretHost(secrets as Record<string, string>))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it.each([
    [{}, "AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY are not set."],
    [{ AZURE_OPENAI_ENDPOINT: "https://a", AZURE_OPENAI_API_KEY: "k" }, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot("azure/x", secrets as Record<string, string>)).toBe(expected);
  });
});
