import { afterAll, describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import { vertex } from "../../workers/providers/vertex.ts";
import { scriptedHost } from "../fakes/scripted-fetch.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { makeStubKey } from "../stubs/keys.ts";
import { startVertex, VERTEX_STUB, type VertexStub } from "../stubs/vertex.ts";
import { chatProviderContract, chatRequest, remoteChatProviderContract } from "./chat-provider.ts";
import { whyNot } from "./why-not.ts";

const opened: VertexStub[] = [];

function hostOf(stub: VertexStub, change: Readonly<Record<string, string>> = {}) {
  return secretHost({
    GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials,
    VERTEX_LOCATION: VERTEX_STUB.location,
    VERTEX_BASE_URL: stub.url,
    ...change,
  });
}

async function open() {
  const stub = await startVertex();
  opened.push(stub);
  return { provider: vertex({}, hostOf(stub)), stub, secrets: stub.secrets };
}

async function close() {
  for (const stub of opened.splice(0)) await stub[Symbol.asyncDispose]();
}

chatProviderContract("vertex", open, close);
remoteChatProviderContract("vertex", open, close);

async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of provider.stream(chatRequest(), new AbortController().signal)) events.push(event);
  return events;
}

describe("vertex", () => {
  afterAll(close);

  it("calls the model in its project and location", async () => {
    const { provider, stub } = await open();
    await collect(provider);
    expect(stub.exchanges[0]?.path).toBe(
      "/v1/projects/acme-test/locations/europe-west4/publishers/google/models/test-model:streamGenerateContent",
    );
  });

  it("asks for one token for many calls", async () => {
    const { provider, stub } = await open();
    await collect(provider);
    await collect(provider);
    expect(stub.tokens.exchanges).toHaveLength(1);
  });

  it("asks for a new token two minutes before the old one expires", async () => {
    const { stub } = await open();
    const secrets = { GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials, VERTEX_LOCATION: "global" };
    let now = 0;
    let given = 0;
    const host = scriptedHost(
      secrets,
      ({ url }) =>
        url === `${stub.tokens.url}/token`
          ? Response.json({ access_token: `token-${(given += 1)}`, expires_in: 3600 })
          : new Response(null, { status: 503 }),
      () => now,
    );
    const provider = vertex({}, host);
    for (const minute of [0, 57, 58, 59]) {
      now = minute * 60_000;
      await expect(collect(provider)).rejects.toMatchObject({ code: "no_provider_available" });
    }
    const used = host.asked.map(({ headers }) => headers.get("authorization")).filter(Boolean);
    expect(used).toEqual(["Bearer token-1", "Bearer token-1", "Bearer token-2", "Bearer token-2"]);
  });

  it("forgets a token that is refused", async () => {
    const { provider, stub } = await open();
    await collect(provider);
    stub.revoke();
    await expect(collect(provider)).rejects.toMatchObject({ code: "provider_misconfigured" });
    expect((await collect(provider)).at(-1)).toMatchObject({ reason: "stop" });
  });

  it.each([
    ["status_400", "provider_misconfigured"],
    ["status_403", "provider_misconfigured"],
    ["status_429", "rate_limited"],
    ["status_503", "no_provider_available"],
    ["status_200_html", "no_provider_available"],
    ["json_truncated", "no_provider_available"],
    ["reset", "provider_unreachable"],
  ])("the token endpoint's %s is %s, and the model is not called", async (mode, code) => {
    const { provider, stub } = await open();
    stub.tokens.fault({ mode });
    await expect(collect(provider)).rejects.toMatchObject({ code });
    expect(stub.exchanges).toEqual([]);
  });

  it("stops waiting for a token when it is cancelled", async () => {
    const { provider, stub } = await open();
    stub.tokens.fault({ mode: "headers_never" });
    const deadline = new AbortController();
    const failed = provider.stream(chatRequest(), deadline.signal)[Symbol.asyncIterator]().next();
    await expect.poll(() => stub.tokens.exchanges.length).toBe(1);
    deadline.abort(new DOMException("", "TimeoutError"));
    await expect(failed).rejects.toMatchObject({ code: "deadline_exceeded" });
    await stub.tokens.left();
  });

  it("is rejected with another account's key", async () => {
    const { stub } = await open();
    const file = JSON.parse(stub.credentials) as unknown;
    const other = Object.assign({}, file, { private_key: makeStubKey().privateKey });
    const host = hostOf(stub, { GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(other) });
    await expect(collect(vertex({}, host))).rejects.toMatchObject({ code: "provider_misconfigured" });
  });

  it("reads how long to wait out of the body of a 429", async () => {
    const { provider, stub } = await open();
    stub.fault({ mode: "status_429_retry_info" });
    await expect(collect(provider)).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 2000 });
  });

  it.each([
    ["europe-west4", "https://europe-west4-aiplatform.googleapis.com/"],
    ["global", "https://aiplatform.googleapis.com/"],
  ])("location %s is at %s", async (location, start) => {
    const { stub } = await open();
    const urls: string[] = [];
    const host = secretHost({
      GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials,
      VERTEX_LOCATION: location,
      VERTEX_PROJECT: "other-project",
    });
    const provider = vertex(
      {},
      {
        ...host,
        fetch: (input, init) => {
          const { url } = new Request(input, init);
          if (url.startsWith(stub.tokens.url)) return fetch(input, init);
          urls.push(url);
          return Promise.resolve(new Response(null, { status: 503 }));
        },
      },
    );
    await expect(collect(provider)).rejects.toMatchObject({ code: "no_provider_available" });
    expect(urls).toEqual([
      `${start}v1/projects/other-project/locations/${location}/publishers/google/models/test-model:streamGenerateContent?alt=sse`,
    ]);
  });

  it.each([
    ["no credentials", { GOOGLE_APPLICATION_CREDENTIALS_JSON: "" }],
    ["credentials that are not JSON", { GOOGLE_APPLICATION_CREDENTIALS_JSON: "-----BEGIN" }],
    ["a user's credentials", { GOOGLE_APPLICATION_CREDENTIALS_JSON: '{"type":"authorized_user"}' }],
    ["no location", { VERTEX_LOCATION: "" }],
    ["a location that is a path", { VERTEX_LOCATION: "../x" }],
    ["a project that is a path", { VERTEX_PROJECT: "a/b" }],
  ])("refuses to start with %s", async (_, change) => {
    const { stub } = await open();
    expect(() => vertex({}, hostOf(stub, change as Record<string, string>))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it.each([
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: "{}" }, "VERTEX_LOCATION is not set."],
    [{ GOOGLE_APPLICATION_CREDENTIALS_JSON: "{}", VERTEX_LOCATION: "global" }, undefined],
  ])("is offered with %j: %s", (secrets, expected) => {
    expect(whyNot("vertex/x", secrets as Record<string, string>)).toBe(expected);
  });
});
