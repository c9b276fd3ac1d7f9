import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import { BEAT_MS } from "./sse.ts";

/**
 * The server's side of the Model Context Protocol over Streamable HTTP: tools and resources, stateless, in both eras on one
 * address. A request of revision 2026-07-28 names its revision in `_meta` and repeats method and name in headers; one of the
 * revisions before it does neither, and opens with `initialize`. No sessions, no prompts, no logging, nothing is asked of the
 * client, and no list changes under its eyes, so there is nothing to subscribe to.
 * Facts: modelcontextprotocol.io/specification, 2026-07-28 and 2025-11-25, "Transports", "Tools", "Resources".
 */

/** What one caller is served. */
export interface McpServer {
  readonly info: { readonly name: string; readonly title: string; readonly version: string };
  /** Told to the model. */
  readonly instructions: string;
  readonly tools: readonly Tool[];
  /** Those that are listed; `read` may know more. */
  readonly resources: readonly Readonly<Record<string, unknown>>[];
  readonly templates: readonly Readonly<Record<string, unknown>>[];
  /** What an address holds; undefined when there is nothing. */
  read(uri: string): Promise<{ readonly mimeType: string; readonly text: string } | undefined>;
  /** What of a failure of `read` or of a tool may be said. */
  tell(thrown: unknown): string;
}

export interface Tool {
  /** As `tools/list` shows it; JSON Schema of what it takes and gives. */
  readonly listed: { readonly name: string; readonly [field: string]: unknown };
  /** Arguments are unchecked. What is thrown is told to the model, which may mend it. */
  call(args: Readonly<Record<string, unknown>>): Promise<ToolResult>;
}

export interface ToolResult {
  readonly structuredContent: Readonly<Record<string, unknown>>;
  /** The same for clients that show text only. */
  readonly text: string;
}

export interface Exchange {
  /** Of the HTTP request. */
  readonly headers: Headers;
  /** The JSON that came. */
  readonly body: unknown;
  /** The client has left: stop the work. */
  left(): void;
  /** The work is over, however it ended. Called once. */
  closed(): void;
}

const CURRENT = "2026-07-28";
/** Revisions that open with `initialize`, the newest first: what is offered to a client that asks for another. */
const HANDSHAKE = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"];

const META = "_meta";
const KEY = "io.modelcontextprotocol/";
const VERSION = `${KEY}protocolVersion`;
const CAPABILITIES = `${KEY}clientCapabilities`;
const CLIENT = `${KEY}clientInfo`;

const INVALID_REQUEST = -32_600;
const METHOD_NOT_FOUND = -32_601;
const INVALID_PARAMS = -32_602;
const INTERNAL = -32_603;
/** For what happens before JSON-RPC and has no code there. */
const REFUSED = -32_000;
const HEADER_MISMATCH = -32_020;
const UNSUPPORTED_VERSION = -32_022;

const CAPABLE = { tools: {}, resources: {} };
/** Lists and contents are the caller's own, as of now. */
const UNCACHED = { ttlMs: 0, cacheScope: "private" };

type Id = string | number;
interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}
type Reply = { readonly result: Readonly<Record<string, unknown>> } | { readonly error: RpcError };

interface Asked {
  readonly id: Id;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** Of the era of `_meta` and headers. */
  readonly current: boolean;
}

const messageOf = lazily(() => {
  const jsonrpc = z.literal("2.0");
  const id = z.union([z.string(), z.int()]);
  const object = z.looseObject({});
  const method = z.string();
  const params = z.optional(z.looseObject({ [META]: z.optional(object) }));
  return z.union([
    z.strictObject({ jsonrpc, id, method, params }),
    z.strictObject({ jsonrpc, method, params }),
    z.strictObject({ jsonrpc, id, result: object }),
    z.strictObject({ jsonrpc, id: z.optional(id), error: object }),
  ]);
});

const envelopeOf = lazily(() =>
  z.looseObject({
    [VERSION]: z.string(),
    [CAPABILITIES]: z.looseObject({}),
    [CLIENT]: z.optional(z.looseObject({ name: z.string(), version: z.string() })),
  }),
);

const initializeOf = lazily(() => z.looseObject({ protocolVersion: z.string() }));
const readOf = lazily(() => z.looseObject({ uri: z.string() }));
const callOf = lazily(() =>
  z.looseObject({ name: z.string(), arguments: z.optional(z.record(z.string(), z.unknown())) }),
);

/** Answers one message. Never throws: whatever is wrong with it is told as JSON-RPC does. */
export async function respond(server: McpServer, exchange: Exchange): Promise<Response> {
  const asked = check(exchange.body, exchange.headers);
  if (asked instanceof Response) {
    exchange.closed();
    return asked;
  }
  const { id, method, current } = asked;
  const handlers = { ...SHARED, ...(current ? ENVELOPED : OPENED) };
  const handle = Object.hasOwn(handlers, method) ? handlers[method] : undefined;
  if (!handle) {
    exchange.closed();
    return failure(current ? 404 : 200, id, { code: METHOD_NOT_FOUND, message: "Method not found." });
  }
  const work = answer(server, asked, handle).finally(() => exchange.closed());
  const streams = method === "tools/call" && takes(exchange.headers, "text/event-stream");
  return streams ? stream(work, exchange) : Response.json(await work);
}

async function answer(server: McpServer, { id, method, params, current }: Asked, handle: Handler) {
  const reply = await handle(server, params);
  if (!current || "error" in reply) return { jsonrpc: "2.0", id, ...reply };
  const result = {
    ...reply.result,
    resultType: "complete",
    ...(method === "tools/call" ? {} : UNCACHED),
    [META]: { [`${KEY}serverInfo`]: server.info },
  };
  return { jsonrpc: "2.0", id, result };
}

/** The request in a message, or how it is answered when there is none, or none that is served. */
function check(body: unknown, headers: Headers): Asked | Response {
  const parsed = messageOf().safeParse(body);
  if (!parsed.success) {
    return failure(400, idIn(body), { code: INVALID_REQUEST, message: "Not one JSON-RPC 2.0 message." });
  }
  const version = headers.get("mcp-protocol-version");
  const message = parsed.data;
  const isRequest = "method" in message && "id" in message;
  const meta = "method" in message ? message.params?.[META] : undefined;
  const current = meta?.[VERSION] !== undefined || (version ?? "") >= CURRENT;
  const opens = isRequest && message.method === "initialize";
  if (!current && !opens && version !== null && !HANDSHAKE.includes(version)) {
    return failure(400, null, { code: REFUSED, message: "This protocol version is not supported." });
  }
  // Nothing waits for a notification, and nothing was asked that could be responded to.
  if (!isRequest) return new Response(null, { status: 202 });
  if (!takes(headers, "application/json") || (!current && !takes(headers, "text/event-stream"))) {
    const text = "The Accept header must name application/json and text/event-stream.";
    return failure(406, message.id, { code: REFUSED, message: text });
  }
  const { id, method, params = {} } = message;
  return (
    (current ? checkEnvelope(id, method, params, headers) : undefined) ?? { id, method, params, current }
  );
}

/** What is wrong with a request of the current era before its method is looked at. */
function checkEnvelope(
  id: Id,
  method: string,
  params: Readonly<Record<string, unknown>>,
  headers: Headers,
): Response | undefined {
  const envelope = envelopeOf().safeParse(params[META]);
  if (!envelope.success) {
    const key = String(envelope.error.issues[0]?.path[0] ?? META);
    const message = `Invalid params: ${key} is missing or malformed.`;
    return failure(400, id, { code: INVALID_PARAMS, message });
  }
  const requested = envelope.data[VERSION];
  const name = NAMED[method] === undefined ? undefined : params[NAMED[method]];
  const wrong =
    (headers.get("mcp-protocol-version") !== requested && "MCP-Protocol-Version") ||
    (headers.get("mcp-method") !== method && "Mcp-Method") ||
    (typeof name === "string" && decoded(headers.get("mcp-name")) !== name && "Mcp-Name");
  if (wrong !== false) {
    const message = `The header ${wrong} is missing or says something else than the body.`;
    return failure(400, id, { code: HEADER_MISMATCH, message });
  }
  if (requested === CURRENT) return undefined;
  const data = { supported: [CURRENT], requested };
  return failure(400, id, { code: UNSUPPORTED_VERSION, message: "Unsupported protocol version.", data });
}

/** What the header `Mcp-Name` repeats. */
const NAMED: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "resources/read": "uri",
};

/** Values that a header can't hold are sent in base64 ("Transports", 2026-07-28); undefined for what is not that. */
function decoded(value: string | null): string | undefined {
  const encoded = /^=\?base64\?(.*)\?=$/.exec(value ?? "")?.[1];
  if (encoded === undefined) return value ?? undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whoever names no type, or any, takes all. */
function takes(headers: Headers, type: string): boolean {
  const accepted = (headers.get("accept") ?? "*/*").toLowerCase().split(",");
  return accepted.some((one) => ["*/*", type].includes(one.split(";")[0]?.trim() ?? ""));
}

type Handler = (server: McpServer, params: Readonly<Record<string, unknown>>) => Reply | Promise<Reply>;

const SHARED: Readonly<Record<string, Handler>> = {
  "tools/list": ({ tools }) => ({ result: { tools: tools.map(({ listed }) => listed) } }),
  "tools/call": callTool,
  "resources/list": ({ resources }) => ({ result: { resources } }),
  "resources/templates/list": ({ templates }) => ({ result: { resourceTemplates: templates } }),
  "resources/read": readResource,
};

const OPENED: Readonly<Record<string, Handler>> = {
  initialize({ info, instructions }, params) {
    const asked = initializeOf().safeParse(params);
    if (!asked.success) return invalidParams("protocolVersion");
    const { protocolVersion } = asked.data;
    const version = HANDSHAKE.includes(protocolVersion) ? protocolVersion : HANDSHAKE[0];
    return { result: { protocolVersion: version, capabilities: CAPABLE, serverInfo: info, instructions } };
  },
  ping: () => ({ result: {} }),
};

const ENVELOPED: Readonly<Record<string, Handler>> = {
  "server/discover": ({ instructions }) => ({
    result: { supportedVersions: [CURRENT], capabilities: CAPABLE, instructions },
  }),
};

async function callTool(server: McpServer, params: Readonly<Record<string, unknown>>): Promise<Reply> {
  const asked = callOf().safeParse(params);
  if (!asked.success) return invalidParams("name and arguments");
  const tool = server.tools.find(({ listed }) => listed.name === asked.data.name);
  if (!tool) return { error: { code: INVALID_PARAMS, message: "There is no such tool." } };
  try {
    const { structuredContent, text } = await tool.call(asked.data.arguments ?? {});
    return { result: { content: [{ type: "text", text }], structuredContent } };
  } catch (thrown) {
    return { result: { content: [{ type: "text", text: server.tell(thrown) }], isError: true } };
  }
}

async function readResource(server: McpServer, params: Readonly<Record<string, unknown>>): Promise<Reply> {
  const asked = readOf().safeParse(params);
  if (!asked.success) return invalidParams("uri");
  const { uri } = asked.data;
  try {
    const content = await server.read(uri);
    if (content) return { result: { contents: [{ uri, ...content }] } };
    return { error: { code: INVALID_PARAMS, message: "Resource not found.", data: { uri } } };
  } catch (thrown) {
    return { error: { code: INTERNAL, message: server.tell(thrown) } };
  }
}

function invalidParams(what: string): Reply {
  return { error: { code: INVALID_PARAMS, message: `Invalid params: ${what} missing or malformed.` } };
}

function failure(status: number, id: Id | null, error: RpcError): Response {
  return Response.json({ jsonrpc: "2.0", id, error }, { status });
}

/** The id of what is no message, where it has one: JSON-RPC 2.0, section 5. */
function idIn(body: unknown): Id | null {
  const { success, data } = z
    .looseObject({ method: z.string(), id: z.union([z.string(), z.number()]) })
    .safeParse(body);
  return success ? data.id : null;
}

/** What may take a while, as a stream of one event; by comments a client that has left is noticed. */
function stream(work: Promise<unknown>, exchange: Exchange): Response {
  const encoder = new TextEncoder();
  let beat: ReturnType<typeof setInterval>;
  let open = true;
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      const write = (text: string): void => controller.enqueue(encoder.encode(text));
      beat = setInterval(() => write(":\n\n"), BEAT_MS);
      const message = await work;
      clearInterval(beat);
      if (!open) return;
      write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);
      controller.close();
    },
    cancel() {
      open = false;
      clearInterval(beat);
      exchange.left();
    },
  });
  const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
  return new Response(body, { headers });
}
