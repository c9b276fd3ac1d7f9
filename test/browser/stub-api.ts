import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  answer,
  AS_OF,
  BUDGETS,
  HELD_BACK,
  citation,
  DEFAULT_TABLES,
  DEMO,
  KEYS,
  matches,
  MODELS,
  RECEIPT,
  REPORT,
  run,
  type Step,
  steps,
  TABLES,
  TEXT,
} from "./stub-data.ts";

/**
 * The API as the contract words it, for one page under test: fixtures instead of rows, and an answer that each test writes
 * event by event. Serves the built page with the Worker's own headers.
 */

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

interface Asked {
  readonly question: string;
  readonly model?: string;
  readonly cache?: string;
  readonly history?: readonly { readonly role: string; readonly content: string }[];
  /** The `x-quayside-demo-user` header. */
  readonly user: string | undefined;
  readonly authorization: string | undefined;
}

export interface StubApi {
  readonly url: string;
  readonly asked: Asked[];
  /** What the next questions get. */
  answer: (asked: Asked) => readonly Step[];
  /** Events of the next comparison. */
  compared: (models: readonly string[]) => readonly (readonly [event: string, data: unknown])[];
  /** False: the demo route answers 404, and whoever has no key is unknown. */
  demo: boolean;
  /** Whom a sign-on in front of the page vouches for, outside demo mode. */
  session: { readonly subject: string; readonly scopes: readonly string[] } | undefined;
  /** What was sent to change something: `POST /v1/erase` and its body. */
  readonly sent: (readonly [request: string, body: unknown])[];
  /** Tokens that `/quayside-token` gives, in order; the last one again and again. Only the last one is valid. */
  tokens: readonly string[];
  /** How many answers were left by their reader before their end. */
  hangUps: number;
  /** Instead of the fixtures: what a path answers, as JSON or as the problem of a code and status. */
  readonly says: Map<string, unknown>;
  readonly fails: Map<string, readonly [code: string, status: number]>;
  /** Everything as in the beginning. */
  reset(): void;
  stop(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  "/": "text/html; charset=utf-8",
  "/page.js": "text/javascript; charset=utf-8",
  "/style.css": "text/css; charset=utf-8",
  "/favicon.svg": "image/svg+xml",
  "/widget.js": "text/javascript; charset=utf-8",
  "/portal": "text/html; charset=utf-8",
  "/portal.js": "text/javascript; charset=utf-8",
  "/portal.css": "text/css; charset=utf-8",
};

/** Worker-side code, by path: another TypeScript project, so its types are said here. */
export async function imported<T>(path: string): Promise<T> {
  return (await import(pathToFileURL(join(root, path)).href)) as T;
}

function fresh(): Omit<StubApi, "url" | "stop" | "reset"> {
  return {
    asked: [],
    sent: [],
    tokens: [],
    answer: () => steps(),
    compared,
    demo: true,
    session: undefined,
    hangUps: 0,
    says: new Map(),
    fails: new Map(),
  };
}

/** Builds the page and serves it with the stub on a free port of 127.0.0.1. */
export async function startStubApi(): Promise<StubApi> {
  const page = await imported<{ readonly buildConsole: () => Promise<unknown> }>(
    "workers/surfaces/console/build.ts",
  );
  const { CONSOLE_HEADERS } = await imported<{
    readonly CONSOLE_HEADERS: Readonly<Record<string, string>>;
  }>("workers/surfaces/console-assets.ts");
  await page.buildConsole();
  const widget = await imported<{ readonly buildWidget: () => Promise<unknown> }>(
    "workers/surfaces/widget/build.ts",
  );
  await widget.buildWidget();
  const stub = fresh();
  let tokensGiven = 0;

  const server = createServer((request, response) => {
    serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? "/", "http://stub").pathname;
    const type = TYPES[path];
    if (type !== undefined) {
      const file = path === "/" ? "/index.html" : path === "/portal" ? "/portal.html" : path;
      const body = await readFile(join(root, "workers/surfaces/console/dist", file));
      const kept = path.endsWith(".js") || path.endsWith(".css") ? { "cache-control": "max-age=600" } : {};
      response.writeHead(200, { ...CONSOLE_HEADERS, "content-type": type, ...kept }).end(body);
      return;
    }
    const { authorization } = request.headers;
    const header = request.headers["x-quayside-demo-user"];
    const user = typeof header === "string" ? header : undefined;
    const say = (body: unknown, status = 200): void => json(response, status, body);
    const fail = (code: string, status: number): void =>
      json(response, status, problem(code, status), status === 429 ? { "retry-after": "1" } : {});

    if (path === "/v1/demo") return stub.demo ? say(DEMO) : fail("not_found", 404);
    if (path === "/quayside-token") {
      const token = stub.tokens[Math.min(tokensGiven, stub.tokens.length - 1)];
      tokensGiven += 1;
      return say({ token }, token === undefined ? 403 : 200);
    }
    if (authorization !== undefined && user !== undefined) return fail("unauthenticated", 401);
    const key = authorization?.replace("Bearer ", "") ?? "";
    const known =
      authorization === undefined
        ? stub.demo
          ? { subject: user ?? "ops-fr", scopes: ["ask"] }
          : stub.session
        : (KEYS[key] ?? (stub.tokens.at(-1) === key && { subject: "portal", scopes: ["ask"] }));
    if (!known) return fail("unauthenticated", 401);
    const failing = stub.fails.get(path);
    if (failing) return fail(...failing);

    const body: unknown = request.method === "POST" ? await bodyOf(request) : undefined;
    const call = `${request.method} ${path}`;
    const [scope] = ROUTES.find(([, pattern]) => pattern.test(call)) ?? [];
    if (scope === undefined) return fail("not_found", 404);
    if (!known.scopes.includes(scope)) return fail("forbidden", 403);
    if (request.method !== "GET" && !READS.has(path)) stub.sent.push([call, body]);
    if (stub.says.has(path)) return say(stub.says.get(path));

    switch (path) {
      case "/v1/status":
        return say({ caller: known });
      case "/v1/models":
        return say(MODELS);
      case "/v1/tables":
        return say({ tables: tablesOf(user), generation: 12 });
      case "/v1/search":
        return say({ matches: matches(user), generation: 12 });
      case "/v1/rows": {
        const { ids } = body as { ids: string[] };
        return say({ rows: matches(user).filter(({ id }) => ids.includes(String(id))) });
      }
      case "/v1/erase":
        return say(RECEIPT, 202);
      case "/v1/ingest/runs":
        return request.method === "POST"
          ? say({ run_id: "run_new", outcome: "queued" }, 202)
          : say({ runs: [run("run_2"), run("run_1", { state: "failed", reason: "The source is away." })] });
      case "/v1/admin/shapes":
        return say({ tables: { incidents: {}, vessels: {} } });
      case "/v1/admin/status":
        return say({ tables: tablesOf(undefined), runs: [] });
      case "/v1/admin/answers":
        return say(REPORT);
      case "/v1/admin/budgets":
        return say(BUDGETS);
      case "/v1/feedback":
        response.writeHead(204).end();
        return;
      case "/v1/compare":
        return playEvents(response, stub.compared((body as { models: string[] }).models));
      case "/v1/ask": {
        const asked = { ...(body as Omit<Asked, "user">), user, authorization };
        stub.asked.push(asked);
        response.on("close", () => {
          if (!response.writableEnded) stub.hangUps += 1;
        });
        return play(response, stub.answer(asked));
      }
      default:
        if (path.startsWith("/v1/ingest/runs/")) {
          return say(
            request.method === "GET"
              ? { ...run("run_2"), held_back: HELD_BACK }
              : run("run_2", { state: "cancelled" }),
          );
        }
        return rowOf(decodeURIComponent(path.slice("/v1/rows/".length)), user, say, fail);
    }
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return Object.assign(stub, {
    url: `http://127.0.0.1:${port}`,
    reset() {
      tokensGiven = 0;
      Object.assign(stub, fresh());
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

/** Which scope a call needs. */
const ROUTES: readonly (readonly [scope: string, call: RegExp])[] = [
  ["ask", /^GET \/v1\/(status|models|tables|rows\/.+)$/],
  ["ask", /^POST \/v1\/(ask|search|compare|feedback|rows)$/],
  ["erase", /^POST \/v1\/erase$/],
  ["ingest", /^(GET|POST) \/v1\/ingest\/runs$/],
  ["ingest", /^(GET|DELETE) \/v1\/ingest\/runs\/.+$/],
  ["ingest", /^GET \/v1\/admin\/shapes$/],
  ["admin", /^GET \/v1\/admin\/(status|answers|budgets)$/],
];

/** Posts that change nothing. */
const READS: ReadonlySet<string> = new Set(["/v1/ask", "/v1/search", "/v1/compare", "/v1/rows"]);

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return JSON.parse(text) as unknown;
}

function tablesOf(user: string | undefined): readonly unknown[] {
  return (TABLES[user ?? ""] ?? DEFAULT_TABLES).map(([table, rows]) => ({
    table,
    rows,
    as_of: AS_OF,
    description: `What the line keeps about ${table.replaceAll("_", " ")}, one row each.`,
    classification: "internal",
    lag_seconds: table === "incidents" ? 7380 : 180,
    target_lag_seconds: table === "vessels" ? null : 3600,
    late: table === "incidents",
  }));
}

function rowOf(
  id: string,
  user: string | undefined,
  say: (body: unknown) => void,
  fail: (code: string, status: number) => void,
): void {
  const row = matches(user).find((one) => one["id"] === id);
  if (!row) return fail("not_found", 404);
  const answers = [
    { id: "ans_01TEST", at: AS_OF, model: "local/compose", cache: "miss", outcome: "answered" },
  ];
  say({ ...row, classification: "internal", source: "warehouse", answers });
}

function compared(models: readonly string[]): readonly (readonly [string, unknown])[] {
  return [
    ...models.map((model) => ["delta", { model, text: "Alba left" }] as const),
    ...models.map((model, i) => {
      const told = answer(TEXT, {
        model,
        usage: { input_tokens: 812, output_tokens: 64, cost_usd: 0.002 * (i + 1), estimated: false },
        citations: i === 0 ? [citation(1), citation(2)] : [citation(1)],
      });
      return ["done", { model, answer: told, problem: null }] as const;
    }),
    ["end", { generation: 12, retrieve_ms: 12 }] as const,
  ];
}

function playEvents(response: ServerResponse, events: readonly (readonly [string, unknown])[]): void {
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req-stub-1" });
  for (const [event, data] of events) {
    response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }
  response.end();
}

function problem(code: string, status: number, retryable = false): Record<string, unknown> {
  return {
    type: `urn:quayside:problem:${code}`,
    title: code,
    status,
    detail: "A fixed text.",
    instance: "urn:request:req-stub-1",
    code,
    retryable,
  };
}

function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  extra: Record<string, string> = {},
): void {
  const type = status < 400 ? "application/json" : "application/problem+json";
  response
    .writeHead(status, { "content-type": type, "x-request-id": "req-stub-1", ...extra })
    .end(JSON.stringify(body));
}

async function play(response: ServerResponse, script: readonly Step[]): Promise<void> {
  const first = script[0];
  if (first && "problem" in first) {
    const extra: Record<string, string> =
      first.retryAfter === undefined ? {} : { "retry-after": String(first.retryAfter) };
    return json(response, first.status, problem(first.problem, first.status, first.retryable), extra);
  }
  response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": "req-stub-1" });
  response.flushHeaders();
  for (const step of script) {
    if (response.destroyed) return;
    if ("event" in step) response.write(`event: ${step.event}\ndata: ${JSON.stringify(step.data)}\n\n`);
    else if ("raw" in step) response.write(step.raw);
    else if ("until" in step) await step.until;
    else if ("cut" in step) {
      // The bytes written so far have to leave first.
      await new Promise((resolve) => response.write(":\n\n", resolve));
      response.destroy();
      return;
    }
  }
  response.end();
}
