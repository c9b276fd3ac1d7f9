import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { ASK, FETCH, SEARCH } from "../../workers/surfaces/mcp-listed.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";

/** The official MCP client, unchanged, against the built Worker, signed in at an issuer of its own. */

const TOKEN = "a-token-for-these-tests";
const AUDIENCE = "https://quayside.example/mcp";
const QUESTION = "Until when is the east berth in Dover closed?";

let worker: RunningWorker;
let issuer: Server;
let issuerUrl: string;
let sign: (claims: Readonly<Record<string, unknown>>) => Promise<string>;
/** Access tokens of somebody without groups, and of somebody in `hr`. */
let guest: string;
let hr: string;

beforeAll(async () => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const keys = [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }];
  issuer = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    const discovery = { issuer: issuerUrl, jwks_uri: `${issuerUrl}/keys` };
    response.end(JSON.stringify(request.url === "/keys" ? { keys } : discovery));
  });
  await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
  issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  sign = (claims) => {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: issuerUrl, aud: AUDIENCE, sub: "ana", iat: now, exp: now + 600, ...claims };
    return new SignJWT(all).setProtectedHeader({ alg: "ES256", kid: "k" }).sign(privateKey);
  };
  [guest, hr] = await Promise.all([sign({}), sign({ sub: "ben", groups: ["hr"] })]);
  worker = await runWorker({
    demo: false,
    env: { QUAYSIDE_TOKEN: TOKEN, OIDC_ISSUER: issuerUrl, OIDC_AUDIENCE: AUDIENCE },
  });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), CONFIG);
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  issuer?.close();
});

async function connect(token: string, options: Readonly<Record<string, unknown>> = {}): Promise<Client> {
  const client = new Client({ name: "test", version: "1" }, options);
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${worker.url}/mcp`), { requestInit }));
  return client;
}

const results = z.object({
  results: z.array(z.object({ id: z.string(), title: z.string(), url: z.string(), snippet: z.string() })),
});

/** A client that opens with 2025's handshake, and one of the current protocol. */
const ERAS = [
  ["of 2025", {}],
  ["of 2026-07-28", { versionNegotiation: { mode: { pin: "2026-07-28" } } }],
] as const;

describe.each(ERAS)("an MCP client %s", (_, options) => {
  it("finds three tools that only read", async () => {
    const { tools } = await (await connect(guest, options)).listTools();
    expect(tools.map(({ name, annotations }) => [name, annotations?.readOnlyHint])).toEqual([
      ["ask", true],
      ["search", true],
      ["fetch", true],
    ]);
  });

  it("is told the schemas that the tools' arguments are parsed with", async () => {
    const { tools } = await (await connect(guest, options)).listTools();
    expect(tools).toEqual(JSON.parse(JSON.stringify([ASK, SEARCH, FETCH])));
  });

  it("asks, and gets the answer with its rows, for programs and for people", async () => {
    const client = await connect(guest, options);
    const made = await client.callTool({ name: "ask", arguments: { question: QUESTION } });
    expect(made.structuredContent).toMatchObject({
      outcome: "answered",
      citations: [{ n: 1, id: "notices:1", url: "https://port.example/notices/1" }],
      model: "local/compose",
      ai_generated: true,
    });
    expect(JSON.stringify(made.content)).toContain("Sources:");
  });

  it("searches and fetches in the form that research clients take", async () => {
    const client = await connect(guest, options);
    const search = await client.callTool({ name: "search", arguments: { query: "berth in Dover" } });
    const [content] = z.array(z.object({ type: z.literal("text"), text: z.string() })).parse(search.content);
    expect(JSON.parse(content?.text ?? "")).toEqual(search.structuredContent);
    const [first] = results.parse(search.structuredContent).results;
    expect(first).toMatchObject({
      id: "notices:1",
      title: "Berth closure",
      url: "https://port.example/notices/1",
    });
    const fetched = await client.callTool({ name: "fetch", arguments: { id: first?.id } });
    expect(fetched.structuredContent).toMatchObject({
      id: "notices:1",
      title: "Berth closure",
      text: expect.stringContaining("damaged fender"),
      url: "https://port.example/notices/1",
      metadata: { table: "notices" },
    });
  });

  it("reads tables and rows as resources", async () => {
    const client = await connect(guest, options);
    const { resources } = await client.listResources();
    expect(resources.map(({ uri }) => uri)).toEqual(["quayside://tables/notices"]);
    const row = await client.readResource({ uri: "quayside://rows/notices%3A1" });
    expect(JSON.stringify(row.contents)).toContain("damaged fender");
  });

  it("is told what it may not see as what is not there", async () => {
    const client = await connect(guest, options);
    const ids = ["pay:7", "pay:8", "nope:1", "pay", "../../x", "notices:1%00"];
    const denied = await Promise.all(ids.map((id) => client.callTool({ name: "fetch", arguments: { id } })));
    for (const one of denied) {
      expect(one).toMatchObject({
        isError: true,
        content: [{ text: "not_found: There is nothing here, or nothing that you may see." }],
      });
    }
    const theirs = await connect(hr, options);
    const found = await theirs.callTool({ name: "fetch", arguments: { id: "pay:7" } });
    expect(JSON.stringify(found.structuredContent)).toContain("61400");
  });

  it("is told of wrong arguments", async () => {
    const client = await connect(guest, options);
    const wrong = await client.callTool({ name: "ask", arguments: { question: 5 } });
    expect(wrong.isError).toBe(true);
    await expect(client.callTool({ name: "rm", arguments: {} })).rejects.toMatchObject({ code: -32_602 });
  });
});

/** One message by hand. */
function post(token: string | undefined, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${worker.url}/mcp`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
  });
}

describe("signing in", () => {
  it("is told where, without a token and with one for somebody else", async () => {
    const where = `resource_metadata="${worker.url}/.well-known/oauth-protected-resource/mcp"`;
    const none = await post(undefined);
    expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, `Bearer ${where}`]);
    for (const claims of [
      { aud: "https://other.example/mcp" },
      { exp: 1 },
      { iss: "https://evil.example" },
    ]) {
      const refused = await post(await sign(claims));
      expect(refused.status).toBe(401);
      expect(refused.headers.get("www-authenticate")).toBe(`Bearer ${where}, error="invalid_token"`);
    }
  });

  it.each(["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"])(
    "is described at %s",
    async (path) => {
      expect(await (await fetch(worker.url + path)).json()).toEqual({
        resource: `${worker.url}/mcp`,
        authorization_servers: [issuerUrl],
        bearer_methods_supported: ["header"],
      });
    },
  );

  it("takes no token in the address, and needs the scope ask", async () => {
    const inUrl = await fetch(`${worker.url}/mcp?access_token=${guest}`, { method: "POST" });
    expect(inUrl.status).toBe(401);
    const response = await fetch(`${worker.url}/v1/admin/keys`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ name: "metrics", scopes: ["metrics"], days: 1 }),
    });
    const { key } = z.object({ key: z.string() }).parse(await response.json());
    const refused = await post(key);
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="ask"',
    ]);
  });

  it("is no way in for pages of foreign origins", async () => {
    expect((await post(guest, { origin: "https://evil.example" })).status).toBe(403);
  });

  it("has no sessions to open or end", async () => {
    for (const method of ["GET", "DELETE"]) {
      const response = await fetch(`${worker.url}/mcp`, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
    }
  });
});
