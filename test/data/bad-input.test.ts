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
import { documentOf, EXPECT, expectDocument, toldBy } from "./bad-input-answers.ts";
import {
  bodies,
  bodyOf,
  bytesOf,
  IN_OUR_CODES,
  PATHS,
  reasonNot,
  requests,
  type BadRequest,
} from "./bad-input-lines.ts";

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

function ask(body: BodyInit, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${guarded.url}/v1/ask`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}`, ...headers },
    body,
  });
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
