import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { Config } from "../../shared/config.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";
import type { Stub } from "../stubs/stub.ts";
import { hostile } from "./hostile.ts";

const repeat = z.object({ repeat: z.string(), times: z.number() });

const requests = hostile(
  "http-bad-requests.jsonl",
  z.object({
    id: z.string(),
    surface: z.string(),
    name: z.string(),
    request: z.looseObject({
      method: z.optional(z.string()),
      headers: z.optional(z.record(z.string(), z.string())),
      json: z.optional(z.record(z.string(), z.unknown())),
      body: z.optional(z.string()),
      body_b64: z.optional(z.string()),
      json_gen: z.optional(z.record(z.string(), z.unknown())),
      gen_body: z.optional(repeat),
      path_suffix: z.optional(z.string()),
      auth: z.optional(z.nullable(z.string())),
    }),
    status: z.union([z.number(), z.string()]),
    code: z.nullable(z.union([z.string(), z.number()])),
  }),
);

const bodies = hostile(
  "json-bodies.jsonl",
  z.object({
    id: z.string(),
    name: z.string(),
    class: z.enum(["must_accept", "must_reject", "either"]),
    body_b64: z.optional(z.string()),
    gen: z.optional(z.object({ repeat_b64: z.string(), times: z.number(), tail_b64: z.string() })),
  }),
);

type BadRequest = NonNullable<typeof requests>[number];

/** Lines that ask for what is not built yet, for a shape that the contract does not have, or for what is shown elsewhere. */
const NOT_BUILT: Readonly<Record<string, string>> = {
  "hb-d-0031": "there are no budgets yet",
  "hb-d-0035": "POST /v1/ask takes no idempotency key; ingest runs will",
  "hb-d-0061": "there is no widget page yet",
  "hb-d-0052": "test/e2e/mcp.test.ts decides it: an issuer is needed",
  "hb-d-0058": "this server keeps no sessions, so a session's id means nothing (MCP 2026-07-28)",
  "hb-d-0064": "the clock can't be set from outside: test/workerd/identity.test.ts decides it",
  "hb-d-0065": "there is no widget page yet",
  "hb-d-0066": "there is no widget page yet",
  "hb-d-0067": "there are no signed re-ingest webhooks yet",
  "hb-d-0068": "there are no re-ingest runs over HTTP yet",
  "hb-d-0072": "POST /v1/erase takes {table, key} of the caller's own tenant; it can't name another's row",
};
/** What a line says in the contract's own fields: `provider` is the front of `model`, an index is a list of tables. */
const IN_OUR_FIELDS: Readonly<Record<string, Record<string, unknown>>> = {
  "hb-d-0004": { question: "x", tables: ["tenant-b-main"] },
  "hb-d-0005": { question: "x", tables: ["nope"] },
  "hb-d-0023": { question: "x", model: "skynet/any" },
  "hb-d-0024": { question: "How much does Ada Marchmont earn?", model: "openai/gpt-test", tables: ["pay"] },
  "hb-d-0025": { question: "x", model: "openai/gpt-1000" },
  "hb-d-0033": { question: "Why is the berth closed?", model: "openai/gpt-test" },
  "hb-d-0034": { question: "Why is the berth closed?", model: "openai/gpt-test" },
};
const PING = { jsonrpc: "2.0", id: 1, method: "ping" };
Object.assign(IN_OUR_FIELDS, {
  "hb-d-0056": { ...PING, method: "tools/call", params: { name: "fetch", arguments: { id: "pay:7" } } },
  "hb-d-0057": PING,
  "hb-d-0059": PING,
});
/** Codes that the contract folds into another one. */
const IN_OUR_CODES: Readonly<Record<string, string | number>> = {
  "hb-d-0023": "unknown_model",
  // Arguments of the wrong type are told to the model, which can mend them (MCP 2025-11-25, "Tools: error handling").
  "hb-d-0054": "isError",
  "hb-d-0056": "not_found",
};

const TOKEN = "a-token-for-these-tests";
/** Enough for thousands of requests; everything else is the default. */
const RAISED: Config = {
  ...CONFIG,
  limits: { requestsPerMinute: 1e6, tenantRequestsPerMinute: 1e6, concurrentRequests: 1000 },
};

/** Without demo mode, limits raised: most lines go here. */
let guarded: RunningWorker;
/** With demo users, and every limit at its default. */
let demo: RunningWorker;
/** Its vectors are in Pinecone. */
let outside: RunningWorker;
let openai: Stub;
let pinecone: PineconeStub;

const publish = (worker: RunningWorker, config: Config): Promise<void> =>
  seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), config);

const skip = !requests || !bodies;

beforeAll(async () => {
  if (skip) return;
  [openai, pinecone] = await Promise.all([startOpenai(), startPinecone(0, { dimension: 384 })]);
  const env = {
    QUAYSIDE_TOKEN: TOKEN,
    OPENAI_API_KEY: OPENAI_STUB_KEY,
    OPENAI_BASE_URL: `${openai.url}/v1`,
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_CONTROLLER_HOST: pinecone.url,
    PINECONE_INDEX: "quayside",
  };
  guarded = await runWorker({ demo: false, env });
  demo = await runWorker({ demo: true, env });
  outside = await runWorker({ demo: false, env });
  await publish(guarded, RAISED);
  await publish(demo, { ...CONFIG, limits: {} });
  await publish(outside, { ...RAISED, index: { kind: "pinecone" } });
});

afterAll(async () => {
  for (const part of [guarded, demo, outside, openai, pinecone]) await part?.[Symbol.asyncDispose]();
});

describe.skipIf(skip)("bad requests", () => {
  const lines = (requests ?? []).filter((line) => reasonNot(line) === undefined);
  const left = (requests ?? []).flatMap((line) => reasonNot(line) ?? []);

  it(`asks all but ${left.length} of ${requests?.length ?? 0} lines, each left out for a reason`, () => {
    expect(lines.length + left.length).toBe(requests?.length ?? 0);
    expect(lines.length).toBeGreaterThan(40);
  });

  it.each(lines.map((line) => [`${line.id} ${line.surface} ${line.name}`, line] as const))(
    "%s",
    async (_, line) => {
      const response = await (SPECIAL[line.name] ?? send)(line);
      await (EXPECT[line.surface] ?? expectDocument)(response);
      const allowed = String(line.status).split(" or ").map(Number);
      expect(allowed).toContain(response.status);
      if (line.code !== null) {
        expect(await toldBy(response)).toContain(IN_OUR_CODES[line.id] ?? line.code);
      }
      if (response.status === 405) expect(response.headers.get("allow")).toBe("POST, OPTIONS");
      if (response.status === 401) expect(response.headers.get("www-authenticate")).toBe("Bearer");
      if ([429, 503].includes(response.status))
        expect(response.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
    },
  );
});

describe.skipIf(skip)("hostile JSON bodies", () => {
  it.each((bodies ?? []).map((body) => [`${body.id} ${body.name}`, body] as const))("%s", async (_, body) => {
    const response = await ask(bytesOf(body));
    await expectDocument(response);
    // Whatever is JSON is not a question, and says so; what is not JSON says that, or that it is too large.
    const statuses = { must_accept: [422], must_reject: [400, 413], either: [400, 422] }[body.class];
    expect(statuses).toContain(response.status);
    const { code } = await documentOf(response);
    expect(["malformed_json", "body_too_large", "invalid_request"]).toContain(code);
  });
});

function reasonNot(line: BadRequest): string | undefined {
  return NOT_BUILT[line.id];
}

/** Nothing is ever a 500, every problem is a problem document, and it names the request as the header does. */
async function expectDocument(response: Response): Promise<void> {
  expect(response.status).not.toBe(500);
  const id = response.headers.get("x-request-id") ?? "";
  expect(id).not.toBe("");
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const body = await documentOf(response);
  expect(body).toMatchObject({
    type: `urn:quayside:problem:${String(body["code"])}`,
    status: response.status,
    instance: `urn:request:${id}`,
  });
  expect(typeof body["retryable"]).toBe("boolean");
  if (response.status === 422 && body["code"] === "invalid_request") {
    expect(body["errors"]).not.toEqual([]);
  }
}

/** The form that clients of the OpenAI API read. */
async function expectOpenaiError(response: Response): Promise<void> {
  expect(response.status).not.toBe(500);
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/json");
  const { error } = await documentOf(response);
  expect(Object.keys(z.looseObject({}).parse(error))).toEqual(["message", "type", "param", "code"]);
}

/** JSON-RPC's own errors, and problem documents for what comes before it. */
async function expectRpc(response: Response): Promise<void> {
  if (response.headers.get("content-type") === "application/problem+json") return expectDocument(response);
  expect(response.status).not.toBe(500);
  expect(await documentOf(response)).toMatchObject({ jsonrpc: "2.0" });
}

const EXPECT: Readonly<Record<string, (response: Response) => Promise<void>>> = {
  openai: expectOpenaiError,
  mcp: expectRpc,
};

/** Codes and kinds by which an answer says what is wrong. */
async function toldBy(response: Response): Promise<readonly unknown[]> {
  const { code, error, result } = await documentOf(response);
  if (error !== undefined) return Object.values(z.looseObject({}).parse(error));
  if (result === undefined) return [code];
  const { isError, content } = z
    .object({ isError: z.boolean(), content: z.array(z.object({ text: z.string() })) })
    .parse(result);
  return [isError ? "isError" : "", content[0]?.text.split(":")[0]];
}

async function documentOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const text = await response.clone().text();
  // MCP of 2025 answers in a stream of one event.
  const json = /^data: (.+)$/m.exec(text)?.[1] ?? text;
  return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
}

/** Paths of the surfaces that the lines name. */
const PATHS: Readonly<Record<string, string>> = {
  ask: "/v1/ask",
  forget: "/v1/erase",
  widget: "/v1/widget/tokens",
  openai: "/openai/v1/chat/completions",
  mcp: "/mcp",
};

function send(line: BadRequest, worker = guarded): Promise<Response> {
  const { request } = line;
  const headers = new Headers(request.headers);
  if (line.surface === "mcp") headers.set("content-type", "application/json");
  const restricted = request.auth === "user:restricted";
  // Nobody but a demo user lacks an operator's scopes here.
  const asDemo = restricted || (line.surface === "forget" && request.auth === "user");
  if (asDemo) headers.set("x-quayside-demo-user", restricted ? "hr" : "guest");
  else if (request.auth !== null && !headers.has("authorization") && request.method !== "OPTIONS") {
    headers.set("authorization", `Bearer ${TOKEN}`);
  }
  const url = (asDemo ? demo : worker).url + (PATHS[line.surface] ?? "") + (request.path_suffix ?? "");
  const body = bodyOf(line);
  return fetch(url, {
    method: request.method ?? "POST",
    headers,
    ...(body === undefined ? {} : { body }),
  });
}

function bodyOf({ id, request }: BadRequest): string | Buffer<ArrayBuffer> | undefined {
  const ours = IN_OUR_FIELDS[id];
  if (ours) return JSON.stringify(ours);
  if (request.json) return JSON.stringify(request.json);
  if (request.body !== undefined) return request.body;
  if (request.body_b64 !== undefined) return Buffer.from(request.body_b64, "base64");
  if (request.gen_body) return request.gen_body.repeat.repeat(request.gen_body.times);
  if (!request.json_gen) return undefined;
  const turns = request.json_gen["messages_count"];
  if (typeof turns === "number") {
    const messages = Array.from({ length: turns }, () => ({ role: "user", content: "x" }));
    return JSON.stringify({ model: "quayside", messages });
  }
  return JSON.stringify(
    Object.fromEntries(
      Object.entries(request.json_gen).map(([name, value]) => {
        const made = repeat.safeParse(value);
        return [name, made.success ? made.data.repeat.repeat(made.data.times) : value];
      }),
    ),
  );
}

function ask(body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${guarded.url}/v1/ask`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}`, ...headers },
    body,
  });
}

function bytesOf(body: NonNullable<typeof bodies>[number]): Buffer<ArrayBuffer> {
  if (!body.gen) return Buffer.from(body.body_b64 ?? "", "base64");
  const part = Buffer.from(body.gen.repeat_b64, "base64").toString("latin1");
  const tail = Buffer.from(body.gen.tail_b64, "base64").toString("latin1");
  return Buffer.from(part.repeat(body.gen.times) + tail, "latin1");
}

/** Lines that take more than one request, or one that `fetch` refuses to make. */
const SPECIAL: Readonly<Record<string, (line: BadRequest) => Promise<Response>>> = {
  content_length_lies: ({ request }) => raw(request.headers ?? {}, [request.body ?? ""]),

  body_chunked_10mb(line) {
    const whole = String(bodyOf(line));
    const chunks = whole.match(/[^]{1,16384}/g) ?? [];
    const framed = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    return raw(line.request.headers ?? {}, [...framed, "0\r\n\r\n"]);
  },

  async concurrency() {
    // Four questions wait on a model that hangs; the fifth is one too many.
    openai.fault({ mode: "headers_never" });
    const gone = new AbortController();
    const waiting = Array.from({ length: 4 }, (_, n) =>
      askAsGuest(gone.signal, ` No. ${n}`).catch(() => undefined),
    );
    await expect.poll(() => openai.exchanges.length).toBe(4);
    const fifth = await askAsGuest(new AbortController().signal);
    gone.abort();
    await Promise.all(waiting);
    openai.reset();
    return fifth;
  },

  async deadline(line) {
    openai.fault({ mode: "headers_never" });
    const response = await send(line);
    openai.reset();
    return response;
  },

  async provider_garbage(line) {
    // Providers are only ever streamed: the nonsense is the first event.
    openai.fault({ mode: "stream_bad_json_first" });
    const response = await send(line);
    openai.reset();
    return response;
  },

  widget_token_on_admin: async () => askWith(await widgetToken(), "/v1/admin/keys"),

  /** A caller of its own: the limit is each caller's. */
  async rate(line) {
    const made = await post("/v1/admin/keys", TOKEN, { name: "rate", scopes: ["ask"], days: 1 }, demo);
    const headers = { "content-type": "application/json", authorization: `Bearer ${String(made["key"])}` };
    const chat = (): Promise<Response> =>
      fetch(`${demo.url}/openai/v1/chat/completions`, {
        method: "POST",
        headers,
        body: String(bodyOf(line)),
      });
    for (let i = 0; i < 30; i++) expect((await chat()).status).toBe(200);
    return chat();
  },

  async down() {
    openai.fault({ mode: "status_503" });
    const messages = [{ role: "user", content: "Why is the berth closed?" }];
    const response = await fetch(`${guarded.url}/openai/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ model: "openai/gpt-test", messages, quayside: { cache: "bypass" } }),
    });
    openai.reset();
    return response;
  },

  async vector_store_down(line) {
    pinecone.fault({ mode: "query_500" });
    const response = await send(line, outside);
    pinecone.reset();
    return response;
  },
};

const PORTAL = "https://portal.acme.example";

async function post(
  path: string,
  token: string,
  body: unknown,
  worker = guarded,
): Promise<Record<string, unknown>> {
  const response = await fetch(worker.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  return z.record(z.string(), z.unknown()).parse(await response.json());
}

/** A widget token, as a portal's backend gets it. */
async function widgetToken(): Promise<string> {
  const { key } = await post("/v1/admin/keys", TOKEN, { name: "portal", scopes: ["widget"], days: 1 });
  const body = { subject: "ana", origin: PORTAL };
  return String((await post("/v1/widget/tokens", String(key), body))["token"]);
}

function askWith(token: string, path: string): Promise<Response> {
  return fetch(guarded.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}`, origin: PORTAL },
    body: JSON.stringify({ question: "x" }),
  });
}

/** @param extra tells questions apart: equal ones are put to the model once. */
function askAsGuest(signal: AbortSignal, extra = ""): Promise<Response> {
  return fetch(`${demo.url}/v1/ask`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ question: `Why is the berth closed?${extra}`, model: "openai/gpt-test" }),
    signal,
  });
}

/** Sends a request as written, a wrong length included, and stops sending once it is answered. */
function raw(headers: Readonly<Record<string, string>>, body: readonly string[]): Promise<Response> {
  const { hostname, port } = new URL(guarded.url);
  const own = { host: `${hostname}:${port}`, authorization: `Bearer ${TOKEN}` };
  const head = Object.entries({ ...own, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    let text = "";
    const pieces = [`POST /v1/ask HTTP/1.1\r\n${head.join("")}\r\n`, ...body];
    const socket = connect(Number(port), hostname, () => next());
    const next = (): void => {
      const piece = text === "" ? pieces.shift() : undefined;
      // The answer may come while this is still going out: what can't be written then is of no interest.
      if (piece !== undefined) socket.write(piece, () => setImmediate(next));
    };
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      text += chunk;
      // These documents have one pair of braces.
      if (!text.includes("}")) return;
      resolve(responseOf(text));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

function responseOf(text: string): Response {
  const end = text.indexOf("\r\n\r\n");
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const at = line.indexOf(":");
    return [line.slice(0, at), line.slice(at + 1).trim()];
  });
  // Chunked or not, the document is what is between the braces.
  const body = text.slice(text.indexOf("{", end), text.indexOf("}", end) + 1);
  return new Response(body, { status: Number(start.split(" ")[1]), headers });
}
