import { describe, expect, it } from "vitest";
import { respond, type McpServer } from "../../workers/surfaces/mcp-protocol.ts";

/** The protocol alone, over a server of one tool that says what it was given. */

const KEY = "io.modelcontextprotocol/";
const META = { [`${KEY}protocolVersion`]: "2026-07-28", [`${KEY}clientCapabilities`]: {} };

const SERVER: McpServer = {
  info: { name: "s", title: "S", version: "1" },
  instructions: "Ask.",
  tools: [
    {
      listed: { name: "echo" },
      async call(args) {
        if (args["fail"] === true) throw new Error("a secret");
        return { structuredContent: args, text: JSON.stringify(args) };
      },
    },
  ],
  resources: [{ uri: "s://a", name: "a" }],
  templates: [],
  async read(uri) {
    if (uri === "s://broken") throw new Error("a secret");
    return uri === "s://a" ? { mimeType: "text/plain", text: "A" } : undefined;
  },
  tell: () => "Something failed.",
};

interface Sent {
  readonly response: Response;
  readonly closed: number;
}

async function send(
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  server = SERVER,
): Promise<Sent> {
  let closed = 0;
  const response = await respond(server, {
    headers: new Headers({ accept: "application/json", ...headers }),
    body,
    left: () => undefined,
    closed: () => (closed += 1),
  });
  return { response, closed };
}

const ECHO = { name: "echo", arguments: {} };
const BOTH = { accept: "application/json, text/event-stream" };
const request = (method: string, params?: object) => ({ jsonrpc: "2.0", id: 1, method, params });

/** As a client of 2025 sends it. */
const opened = (method: string, params?: object) => send(request(method, params), BOTH);

/** As a client of 2026-07-28 sends it. */
function enveloped(
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<Sent> {
  const name = params["name"] ?? params["uri"];
  return send(request(method, { ...params, _meta: META }), {
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": method,
    ...(typeof name === "string" ? { "mcp-name": name } : {}),
    ...headers,
  });
}

/** What came back, whether as JSON or as a stream of one event. */
async function told({ response }: Sent): Promise<Readonly<Record<string, unknown>>> {
  const text = await response.text();
  return JSON.parse(/^data: (.+)$/m.exec(text)?.[1] ?? text) as Record<string, unknown>;
}

describe("opening", () => {
  it.each([
    ["2025-11-25", "2025-11-25"],
    ["2024-11-05", "2024-11-05"],
    ["1999-01-01", "2025-11-25"],
    ["2026-07-28", "2025-11-25"],
  ])("with %s is answered with %s", async (protocolVersion, agreed) => {
    expect(await told(await opened("initialize", { protocolVersion }))).toEqual({
      jsonrpc: "2.0",
      id: 1,
      result: {
        protocolVersion: agreed,
        capabilities: { tools: {}, resources: {} },
        serverInfo: SERVER.info,
        instructions: "Ask.",
      },
    });
  });

  it("is not needed by a request that names its revision", async () => {
    expect(await told(await enveloped("server/discover"))).toEqual({
      jsonrpc: "2.0",
      id: 1,
      result: {
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {}, resources: {} },
        instructions: "Ask.",
        resultType: "complete",
        ttlMs: 0,
        cacheScope: "private",
        _meta: { [`${KEY}serverInfo`]: SERVER.info },
      },
    });
  });
});

describe("methods", () => {
  it.each([
    ["ping", opened, 200, { result: {} }],
    ["ping", enveloped, 404, { error: { code: -32_601 } }],
    ["initialize", enveloped, 404, { error: { code: -32_601 } }],
    ["server/discover", opened, 200, { error: { code: -32_601 } }],
    ["prompts/list", opened, 200, { error: { code: -32_601 } }],
    ["toString", enveloped, 404, { error: { code: -32_601 } }],
    ["tools/list", opened, 200, { result: { tools: [{ name: "echo" }] } }],
    ["resources/list", opened, 200, { result: { resources: [{ uri: "s://a" }] } }],
    ["resources/templates/list", opened, 200, { result: { resourceTemplates: [] } }],
  ] as const)("%s of %o is answered %i", async (method, as, status, expected) => {
    const sent = await as(method);
    expect(sent.response.status).toBe(status);
    expect(await told(sent)).toMatchObject(expected);
    expect(sent.closed).toBe(1);
  });
});

describe("a tool", () => {
  const args = { name: "echo", arguments: { x: 1 } };

  it.each([
    ["in a stream", opened],
    ["as JSON where no stream is taken", enveloped],
  ] as const)("answers %s", async (_, as) => {
    const sent = await as("tools/call", args);
    const type = as === opened ? "text/event-stream" : "application/json";
    expect(sent.response.headers.get("content-type")).toBe(type);
    expect(await told(sent)).toMatchObject({
      result: { structuredContent: { x: 1 }, content: [{ type: "text", text: '{"x":1}' }] },
    });
  });

  it("that fails tells the model no more than may be said", async () => {
    const sent = await opened("tools/call", { name: "echo", arguments: { fail: true } });
    expect(await told(sent)).toMatchObject({
      result: { isError: true, content: [{ text: "Something failed." }] },
    });
  });

  it.each([[{ name: "rm" }], [{}], [{ name: 5 }], [{ name: "echo", arguments: [] }]])(
    "called with %j is refused",
    async (params) => {
      expect(await told(await opened("tools/call", params))).toMatchObject({ error: { code: -32_602 } });
    },
  );

  it("is stopped when its client leaves the stream", async () => {
    let left = false;
    const never: McpServer = {
      ...SERVER,
      tools: [{ listed: { name: "echo" }, call: () => new Promise(() => undefined) }],
    };
    const response = await respond(never, {
      headers: new Headers(BOTH),
      body: request("tools/call", args),
      left: () => (left = true),
      closed: () => undefined,
    });
    await response.body?.cancel();
    expect(left).toBe(true);
  });
});

describe("a resource", () => {
  it.each([
    ["s://a", { result: { contents: [{ uri: "s://a", mimeType: "text/plain", text: "A" }] } }],
    ["s://b", { error: { code: -32_602, data: { uri: "s://b" } } }],
    ["s://broken", { error: { code: -32_603, message: "Something failed." } }],
  ])("%s is read", async (uri, expected) => {
    expect(await told(await enveloped("resources/read", { uri }))).toMatchObject(expected);
  });
});

describe("headers", () => {
  it.each([
    ["mcp-protocol-version", "2025-11-25"],
    ["mcp-protocol-version", ""],
    ["mcp-method", "ping"],
    ["mcp-method", "TOOLS/CALL"],
    ["mcp-method", "=?base64?dG9vbHMvY2FsbA==?="],
    ["mcp-name", "rm"],
    ["mcp-name", ""],
    ["mcp-name", "=?base64?!!?="],
    ["mcp-name", "=?base64?/w==?="],
  ])("must say what the body says: %s: %s", async (name, value) => {
    const sent = await enveloped("tools/call", ECHO, { [name]: value });
    expect(sent.response.status).toBe(400);
    expect(await told(sent)).toMatchObject({ id: 1, error: { code: -32_020 } });
    expect(sent.closed).toBe(1);
  });

  it("may say it in base64", async () => {
    const { response } = await enveloped("tools/call", ECHO, { "mcp-name": "=?base64?ZWNobw==?=" });
    expect(response.status).toBe(200);
  });

  it.each([
    ["application/json", 406],
    ["text/event-stream", 406],
    ["text/html", 406],
    ["application/json, text/event-stream;q=0.5", 200],
    ["*/*", 200],
  ])("accept: %s is answered %i to a client of 2025", async (accept, status) => {
    expect((await send(request("ping"), { accept })).response.status).toBe(status);
  });
});

describe("an envelope", () => {
  it.each([
    [{ [`${KEY}protocolVersion`]: "2026-07-28" }],
    [{ [`${KEY}protocolVersion`]: 5, [`${KEY}clientCapabilities`]: {} }],
    [{ [`${KEY}clientCapabilities`]: {} }],
    [{ ...META, [`${KEY}clientInfo`]: "me" }],
    [undefined],
  ])("%j is refused", async (meta) => {
    const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list" };
    const sent = await send(request("tools/list", { _meta: meta }), headers);
    expect(sent.response.status).toBe(400);
    expect(await told(sent)).toMatchObject({ error: { code: -32_602 } });
  });

  it("of a revision to come is told which is served", async () => {
    const meta = { ...META, [`${KEY}protocolVersion`]: "2099-01-01" };
    const headers = { "mcp-protocol-version": "2099-01-01", "mcp-method": "tools/list" };
    const sent = await send(request("tools/list", { _meta: meta }), headers);
    expect(sent.response.status).toBe(400);
    expect(await told(sent)).toMatchObject({
      error: { code: -32_022, data: { supported: ["2026-07-28"], requested: "2099-01-01" } },
    });
  });

  it("is not needed by the revisions before, whose header must be one of them", async () => {
    const sent = await send(request("ping"), { ...BOTH, "mcp-protocol-version": "1999-01-01" });
    expect(sent.response.status).toBe(400);
    const known = await send(request("ping"), { ...BOTH, "mcp-protocol-version": "2025-06-18" });
    expect(known.response.status).toBe(200);
  });
});

describe("messages", () => {
  it.each([
    [{ jsonrpc: "2.0", method: "notifications/initialized" }],
    [{ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } }],
    [{ jsonrpc: "2.0", id: 1, result: {} }],
    [{ jsonrpc: "2.0", id: 1, error: { code: 1, message: "x" } }],
  ])("%j that nobody waits for are taken", async (body) => {
    const { response, closed } = await send(body);
    expect([response.status, await response.text(), closed]).toEqual([202, "", 1]);
  });

  it.each([
    [null, null],
    [5, null],
    [[request("ping")], null],
    [{ id: 1, method: "ping" }, 1],
    [{ jsonrpc: "1.0", id: "a", method: "ping" }, "a"],
    [{ jsonrpc: "2.0", id: null, method: "ping" }, null],
    [{ jsonrpc: "2.0", id: {}, method: "ping" }, null],
    [{ jsonrpc: "2.0", id: 1, method: 5 }, null],
    [{ jsonrpc: "2.0", id: 1, method: "ping", params: [1] }, 1],
    [{ jsonrpc: "2.0", id: 1, method: "ping", more: 1 }, 1],
  ])("%j are no messages", async (body, id) => {
    const sent = await send(body, BOTH);
    expect(sent.response.status).toBe(400);
    expect(await told(sent)).toMatchObject({ id, error: { code: -32_600 } });
  });
});
