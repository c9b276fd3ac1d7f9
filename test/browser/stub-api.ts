import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

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

/** One thing that the stub does while answering, in order. */
export type Step =
  | { readonly event: "evidence" | "delta" | "retract" | "done" | "error"; readonly data: unknown }
  /** Bytes as they are. */
  | { readonly raw: string }
  /** Holds the stream until the promise settles. */
  | { readonly until: Promise<unknown> }
  /** Ends the connection in the middle. */
  | { readonly cut: true }
  /** Instead of a stream: a problem document. */
  | {
      readonly problem: string;
      readonly status: number;
      readonly retryable?: boolean;
      readonly retryAfter?: number;
    };

export interface StubApi {
  readonly url: string;
  readonly asked: Asked[];
  /** What the next questions get. */
  answer: (asked: Asked) => readonly Step[];
  /** False: the demo route answers 404, and tables and models 401. */
  demo: boolean;
  /** Votes that were sent. */
  readonly votes: unknown[];
  /** Tokens that `/quayside-token` gives, in order; the last one again and again. Only the last one is valid. */
  tokens: readonly string[];
  /** How many answers were left by their reader before their end. */
  hangUps: number;
  stop(): Promise<void>;
}

const AS_OF = "2026-11-23T09:41:00Z";

export function citation(
  marker: number,
  extra: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  return {
    marker,
    id: `incidents:INC-${1000 + marker}`,
    table: "incidents",
    key: { incident_id: `INC-${1000 + marker}` },
    title: `Bow door sensor fault on Alba, no. ${marker}`,
    excerpt: `Incident INC-${1000 + marker}. Vessel: Alba. Cause: a corroded connector on the bow door sensor. Delay: 95 minutes.`,
    cells: [
      { column: "incident_id", value: `INC-${1000 + marker}` },
      { column: "vessel", value: "Alba" },
      { column: "cause", value: "corroded connector" },
      { column: "delay_minutes", value: 95 },
      { column: "reported_on", value: "2026-10-14" },
      { column: "note", value: null },
    ],
    as_of: AS_OF,
    changed_at: "2026-10-15T07:12:00Z",
    url: `https://erp.example.com/incidents/INC-${1000 + marker}`,
    ...extra,
  };
}

export function answer(text: string, extra: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: "ans_01TEST",
    outcome: "answered",
    reason: null,
    text,
    ai_generated: true,
    citations: [citation(1), citation(2)],
    verification: { checked: 4, supported: 4, removed: [] },
    model: "local/compose",
    route: { requested: "auto", why: "default model; rows are internal" },
    attempts: [{ model: "local/compose", outcome: "ok" }],
    cache: "miss",
    generation: 12,
    as_of: AS_OF,
    usage: { input_tokens: 812, output_tokens: 64, cost_usd: 0, estimated: false },
    timings: { total_ms: 41.7, retrieve_ms: 12.3, first_token_ms: 18 },
    ...extra,
  };
}

export const TEXT =
  "Alba left 95 minutes late because of a corroded connector on the bow door sensor [1]. The same fault was reported on 14 October 2026 [2].";

/** A whole answer in order: evidence, the text in two pieces, done. */
export function steps(text = TEXT, extra: Readonly<Record<string, unknown>> = {}): readonly Step[] {
  const done = answer(text, extra);
  const half = Math.floor(text.length / 2);
  return [
    { event: "evidence", data: { citations: [citation(1, { marker: 0 }), citation(2, { marker: 0 })] } },
    { event: "delta", data: { text: text.slice(0, half) } },
    { raw: ": keep-alive\n\n" },
    { event: "delta", data: { text: text.slice(half) } },
    { event: "done", data: done },
  ];
}

export const NO_EVIDENCE = answer("", {
  outcome: "no_evidence",
  reason: "none_found",
  citations: [],
  verification: { checked: 0, supported: 0, removed: [] },
});

const DEMO = {
  name: "Stub Line",
  users: [
    { name: "ops-fr", label: "Solène, port operations, Calais", language: "fr" },
    { name: "sales-uk", label: "Edith, freight sales, Dover", language: "en" },
    { name: "hr", label: "Noor, human resources", language: "en" },
    { name: "guest", label: "A passenger, not signed in", language: "en" },
  ],
  examples: [
    ["Why did Alba leave late on 14 October?", "ops-fr", "A cause, cited to the cell"],
    [
      "What discount does Norland Freight get?",
      "sales-uk",
      "A term that one person may see and another finds absent",
    ],
    ["What is the pay grade of Marie Duval?", "hr", "Pay, for human resources only"],
    [
      "May a driver stay in the cab during the crossing?",
      "guest",
      "Two rows in conflict, both shown with their dates",
    ],
    [
      "Quel est le préavis pour annuler une réservation de fret ?",
      "ops-fr",
      "A French question, from French and English rows",
    ],
    ["What was freight revenue in Dover in the third quarter?", "sales-uk", "A total from a table of totals"],
  ].map(([question, as, shows]) => ({ question, as, shows: { en: shows, fr: `${shows} (fr)` } })),
};

const TABLES: Readonly<Record<string, readonly (readonly [string, number])[]>> = {
  guest: [
    ["vessels", 9],
    ["sailings", 1840],
    ["articles", 46],
  ],
};

const DEFAULT_TABLES: readonly (readonly [string, number])[] = [
  ["vessels", 9],
  ["sailings", 1840],
  ["incidents", 212],
  ["bookings", 2210],
  ["contracts", 64],
  ["support_tickets", 480],
  ["parts", 350],
  ["suppliers", 28],
  ["articles", 46],
  ["revenue_by_port_and_quarter", 24],
];

const MODELS = {
  default: "local/compose",
  models: [
    {
      id: "local/compose",
      available: true,
      region: "this machine",
      retention: "none",
      classes: ["public", "internal", "confidential", "restricted"],
      price: { input: 0, output: 0 },
    },
    {
      id: "local/quote",
      available: true,
      region: "this machine",
      retention: "none",
      classes: ["public", "internal", "confidential", "restricted"],
      price: { input: 0, output: 0 },
    },
    {
      id: "anthropic/claude-sonnet-5",
      available: false,
      why_not: "ANTHROPIC_API_KEY is not set",
      region: "us",
      retention: "30 days",
      classes: ["public", "internal"],
      price: { input: 3, output: 15 },
    },
  ],
};

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
  const stub: Omit<StubApi, "url" | "stop"> = {
    asked: [],
    votes: [],
    tokens: [],
    answer: () => steps(),
    demo: true,
    hangUps: 0,
  };
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
      response.writeHead(200, { ...CONSOLE_HEADERS, "content-type": type }).end(body);
      return;
    }
    const user = request.headers["x-quayside-demo-user"];
    const name = typeof user === "string" ? user : undefined;
    if (path === "/v1/demo")
      return json(response, stub.demo ? 200 : 404, stub.demo ? DEMO : problem("not_found", 404));
    if (!stub.demo && request.headers.authorization === undefined) {
      return json(response, 401, problem("unauthenticated", 401));
    }
    if (path === "/quayside-token") {
      const token = stub.tokens[Math.min(tokensGiven, stub.tokens.length - 1)];
      tokensGiven += 1;
      return json(response, token === undefined ? 403 : 200, { token });
    }
    if (path === "/v1/models") return json(response, 200, MODELS);
    if (path === "/v1/tables") {
      const rows = TABLES[name ?? ""] ?? DEFAULT_TABLES;
      const tables = rows.map(([table, count]) => ({
        table,
        rows: count,
        as_of: AS_OF,
        description: `What the line keeps about ${table.replaceAll("_", " ")}, one row each.`,
      }));
      return json(response, 200, { tables, generation: 12 });
    }
    if (path !== "/v1/ask" && path !== "/v1/feedback") return json(response, 404, problem("not_found", 404));
    let body = "";
    for await (const chunk of request) body += String(chunk);
    if (path === "/v1/feedback") {
      stub.votes.push(JSON.parse(body));
      return json(response, 200, { ok: true });
    }
    const { authorization } = request.headers;
    if (stub.tokens.length > 0 && authorization !== `Bearer ${stub.tokens.at(-1)}`) {
      return json(response, 401, problem("unauthenticated", 401));
    }
    const asked = { ...(JSON.parse(body) as Omit<Asked, "user">), user: name, authorization };
    stub.asked.push(asked);
    response.on("close", () => {
      if (!response.writableEnded) stub.hangUps += 1;
    });
    await play(response, stub.answer(asked));
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return Object.assign(stub, {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
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
