import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeRun } from "../../ingest/commands/run.ts";
import * as z from "zod/mini";
import { runCommandLine, type Globals, type Program } from "../../ingest/command-line.ts";
import type { ExitStatus, Terminal } from "../../ingest/commands/command.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { parseConfig, type Config } from "../../shared/config.ts";

interface Ran {
  readonly status: ExitStatus;
  /** Lines on stdout whatever the options say: results, help. */
  readonly lines: readonly string[];
  readonly printed: string;
  readonly warned: readonly string[];
  readonly globals: Globals | undefined;
  readonly requests: readonly Request[];
}

interface World {
  readonly config?: () => Promise<Config>;
  readonly token?: string;
  readonly respond?: (request: Request) => Response | Promise<Response>;
}

/** Runs a command line against a fake worker. */
async function quayside(argv: readonly string[], world: World = {}): Promise<Ran> {
  const lines: string[] = [];
  const warned: string[] = [];
  const requests: Request[] = [];
  let printed = "";
  let globals: Globals | undefined;
  const terminal = ({ json }: { readonly json: boolean }): Terminal => ({
    interactive: false,
    live: false,
    print: (text) => {
      if (!json) printed += text;
    },
    note: () => {},
    progress: () => {},
    warn: (line) => void warned.push(line),
  });
  const program: Program = {
    version: "1.2.3",
    terminal,
    line: (text) => void lines.push(text),
    context: (given) => {
      globals = given;
      return {
        url: given.url ?? "http://127.0.0.1:8787",
        signal: new AbortController().signal,
        environment: {},
        tokenGiven: world.token !== undefined,
        token: async () => world.token,
        config: async () => ({
          config: await (world.config ?? (async () => simple()))(),
          path: "quayside.config.ts",
        }),
        host: {
          fetch: async (input, init) => {
            const request = new Request(input, init);
            requests.push(request);
            return (await world.respond?.(request)) ?? Response.json({});
          },
          secret: () => undefined,
          now: () => 1_700_000_000_000,
          log: () => {},
        },
      };
    },
  };
  const status = await runCommandLine(argv, program);
  return { status, lines, printed, warned, globals, requests };
}

function simple(): Config {
  return parseConfig({
    name: "test",
    sources: { w: { kind: "duckdb", path: "/nowhere/at/all" } },
    tables: {
      t: { source: "w", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    },
  });
}

function problem(status: number, code: string, detail = "No."): Response {
  return Response.json(
    { type: `urn:quayside:problem:${code}`, title: code, status, detail, code, retryable: false },
    { status, headers: { "content-type": "application/problem+json" } },
  );
}

function last(ran: Ran): unknown {
  return JSON.parse(ran.lines.at(-1) ?? "null");
}

describe("the command line", () => {
  it("without a command lists all commands and is bad usage", async () => {
    const ran = await quayside([]);
    expect(ran.status).toBe(2);
    for (const name of ["ingest", "plan", "status", "ask", "search", "eval", "erase", "models", "doctor"]) {
      expect(ran.lines[0]).toContain(`\n  ${name}`);
    }
  });

  it("helps and tells its version", async () => {
    expect((await quayside(["--help"])).status).toBe(0);
    expect((await quayside(["--version"])).lines).toEqual(["1.2.3"]);
    const ran = await quayside(["ingest", "--help"]);
    expect(ran.status).toBe(0);
    expect(ran.lines[0]).toContain("--max-cost USD");
  });

  it("guesses what a mistyped command or option was meant to be", async () => {
    const command = await quayside(["ingset"]);
    expect(command.status).toBe(2);
    expect(command.warned[0]).toContain("Did you mean ingest?");
    const option = await quayside(["plan", "--tabel", "t"]);
    expect(option.status).toBe(2);
    expect(option.warned[0]).toContain("Did you mean --table?");
  });

  it("says nothing of a command that resembles none", async () => {
    const ran = await quayside(["frobnicate"]);
    expect(ran.warned[0]).not.toContain("Did you mean");
  });

  it("names every wrong option at once", async () => {
    const ran = await quayside(["ingest", "--wrong", "--max-cost", "--json=yes", "--full=yes"]);
    expect(ran.status).toBe(2);
    expect(ran.warned[0]?.split("\n")).toHaveLength(3);
  });

  it.each(["-1", "abc", "1e999", " "])("refuses --max-cost %j", async (value) => {
    const ran = await quayside(["ingest", `--max-cost=${value}`], { token: "t" });
    expect(ran.status).toBe(2);
  });

  it("takes global options before and after the command", async () => {
    const before = await quayside(["--url", "http://127.0.0.1:1", "--config", "c.ts", "--sample", "models"]);
    expect(before.globals).toEqual({
      url: "http://127.0.0.1:1",
      config: "c.ts",
      sample: true,
      token: undefined,
    });
    const after = await quayside(["models", "--token", "t", "--url=http://127.0.0.1:2"]);
    expect(after.globals).toEqual({
      url: "http://127.0.0.1:2",
      config: undefined,
      sample: false,
      token: "t",
    });
  });

  it.each<[string, number]>([
    ["config_invalid", 2],
    ["unknown_model", 2],
    ["guard_stopped", 3],
    ["schema_drift", 3],
    ["budget_exhausted", 3],
    ["run_conflict", 75],
    ["run_fenced", 75],
    ["forbidden", 1],
    ["not_found", 1],
  ])("ends with the status of %s: %i", async (code, status) => {
    const ran = await quayside(["search", "x", "--json"], { respond: () => problem(422, code) });
    expect(ran.status).toBe(status);
    expect(last(ran)).toEqual({ error: { code, message: "No." } });
  });

  it("under --json prints the result as the last line, and nothing else on stdout", async () => {
    const result = { default: "local/compose", aliases: {}, models: [] };
    const ran = await quayside(["models", "--json"], { respond: () => Response.json(result) });
    expect(ran.printed).toBe("");
    expect(ran.lines).toEqual([JSON.stringify(result)]);
  });

  it("lists every mistake of a configuration", async () => {
    const ran = await quayside(["plan", "--json"], {
      token: "t",
      config: async () =>
        parseConfig({
          name: "",
          sources: {},
          tables: {
            a: { source: "nowhere", key: [], classification: "secret", access: { allowAny: [] }, typo: 1 },
            b: { source: "nowhere", key: ["id"], classification: "public" },
          },
        }),
    });
    expect(ran.status).toBe(2);
    expect(last(ran)).toMatchObject({
      error: {
        code: "config_invalid",
        errors: expect.arrayContaining([{ pointer: "tables.a.classification", rule: expect.any(String) }]),
      },
    });
  });

  it("tells where the operator's token comes from when there is none", async () => {
    const ran = await quayside(["status", "--json"]);
    expect(ran.status).toBe(1);
    expect(last(ran)).toMatchObject({ error: { code: "unauthenticated" } });
  });
});

describe("ask", () => {
  const answer = {
    id: "ans_1",
    outcome: "answered",
    reason: null,
    text: "The ramp [1].",
    citations: [
      {
        marker: 1,
        table: "tickets",
        key: { id: "7" },
        excerpt: "The \u001B[31mramp",
        as_of: "2026-01-01T00:00:00Z",
      },
    ],
    model: "local/compose",
    cache: "miss",
    usage: { cost_usd: 0 },
    timings: { total_ms: 5 },
  };
  const stream = (): Response =>
    new Response(
      [
        'event: delta\ndata: {"text":"The "}\n\n',
        'event: delta\ndata: {"text":"ramp [1]."}\n\n',
        `event: done\ndata: ${JSON.stringify(answer)}\n\n`,
      ].join(""),
      { headers: { "content-type": "text/event-stream" } },
    );

  it("prints the answer, its sources and where it came from, with control characters shown", async () => {
    const ran = await quayside(["ask", "what", "broke?"], { respond: stream });
    expect(ran.status).toBe(0);
    expect(ran.printed).toBe(
      [
        "The ramp [1].",
        "",
        "[1] tickets 7 · as of 2026-01-01T00:00:00Z",
        "    The \\u001b[31mramp",
        "",
        "answered · local/compose · cache miss · 5 ms · $0.00",
        "",
      ].join("\n"),
    );
  });

  it("acts as a demo user, and sends the question and what narrows it", async () => {
    const ran = await quayside(["ask", "what broke?", "--as", "hr", "--model", "auto", "--table", "t"], {
      respond: stream,
      token: "secret",
    });
    const [request] = ran.requests;
    expect(request?.headers.get("x-quayside-demo-user")).toBe("hr");
    expect(request?.headers.has("authorization")).toBe(false);
    expect(await request?.json()).toEqual({
      question: "what broke?",
      stream: true,
      model: "auto",
      tables: ["t"],
    });
  });

  it("needs a question", async () => {
    expect((await quayside(["ask"])).status).toBe(2);
  });

  it("fails with the problem that breaks a stream off", async () => {
    const ran = await quayside(["ask", "x", "--json"], {
      respond: () =>
        new Response(
          'event: delta\ndata: {"text":"The "}\n\nevent: error\ndata: {"code":"provider_stream_interrupted","detail":"Cut."}\n\n',
        ),
    });
    expect(ran.status).toBe(1);
    expect(last(ran)).toEqual({ error: { code: "provider_stream_interrupted", message: "Cut." } });
  });
});

describe("doctor", () => {
  it("looks at everything it can, says what is wrong, and fails", async () => {
    const ran = await quayside(["doctor", "--json"], {
      token: "t",
      respond: (request) => {
        if (request.url.endsWith("/healthz")) return Response.json({ status: "ok" });
        return Response.json({ config_version: 1, epoch: 1, generation: 0, space: "", tables: [], runs: [] });
      },
    });
    expect(ran.status).toBe(1);
    expect(last(ran)).toMatchObject({
      ok: false,
      checks: [
        { check: "configuration", ok: true },
        { check: "table t", ok: false },
        { check: "embedder", ok: true },
        { check: "worker", ok: true },
        { check: "registry", ok: false },
        { check: "models", ok: true },
      ],
    });
  });

  it("tells of a worker that runs with another register than the configuration's", async () => {
    const model = {
      classes: ["public" as const],
      contextTokens: 8000,
      price: { input: 1, output: 1 },
      region: "eu",
      retention: "none",
      trainsOnData: false,
    };
    const served = {
      id: "a/one",
      available: true,
      classes: ["public", "internal"],
      region: "eu",
      retention: "none",
      trains_on_data: false,
      context_tokens: 8000,
      max_output_tokens: null,
      price: { input: 1, output: 1 },
    };
    const config = { ...simple(), models: { register: { "a/one": model } } };
    const checked = async (shown: unknown): Promise<unknown> => {
      const ran = await quayside(["doctor", "--json"], {
        token: "t",
        config: async () => config,
        respond: (request) => Response.json(request.url.endsWith("/v1/models") ? { models: [shown] } : {}),
      });
      const { checks } = last(ran) as { checks: readonly { check: string; ok: boolean }[] };
      return checks.find(({ check }) => check === "models")?.ok;
    };
    expect(await checked(served)).toBe(false);
    expect(await checked({ ...served, classes: ["public"] })).toBe(true);
    expect(await checked({ ...served, classes: ["public"], region: "us" })).toBe(false);
  });
});

describe("ingest", () => {
  it("tells of a warehouse that is not there, and publishes nothing", async () => {
    const ran = await quayside(["ingest", "--json"], {
      token: "t",
      respond: () => Response.json({ version: 1, tables: {} }),
    });
    expect(ran.status).toBe(1);
    expect(last(ran)).toMatchObject({ error: { code: "source_rejected" } });
    expect(ran.requests.map((request) => new URL(request.url).pathname)).toEqual([
      "/v1/admin/config",
      "/v1/admin/shapes",
    ]);
  });
});

it("an error that nobody expected is told as internal, without its text in the JSON", async () => {
  const ran = await quayside(["models", "--json"], {
    config: () => Promise.reject(new QuaysideError("internal", "unused")),
    respond: () => new Response("not json"),
  });
  expect(ran.status).toBe(1);
  expect(JSON.stringify(last(ran))).not.toContain("not json");
});

describe("run", () => {
  it("tells what a run did, and the rows that it held back", () => {
    const counts = { table: "orders", read: 9, added: 4, changed: 2, deleted: 1, unchanged: 1, failed: 2 };
    const result = {
      run_id: "run_1",
      generation: 5,
      tables: [counts],
      embedded_texts: 6,
      embed_requests: 1,
      upsert_requests: 1,
      delete_requests: 1,
      tokens: 90,
      cost_usd: 0,
      seconds: 0.42,
      replaced_characters: 0,
      drift: [],
      redacted: {},
      failures: [{ table: "orders", key: "4711", reason: "label_not_computable" }],
    } as const;
    expect(describeRun({ id: "run_1", trigger: "cron", result, failed: undefined }).split("\n")).toEqual([
      "run_1 (cron): 4 added, 2 changed, 1 deleted; generation 5, 0.4 s",
      "Held back: orders 4711: label not computable",
    ]);
  });
});

describe("status", () => {
  // The clock stands at 2023-11-14T22:13:20Z.
  const served = {
    config_version: 3,
    epoch: 1,
    generation: 4,
    space: "local/lexical-v1/384 chunk-1 embedded",
    tables: [
      { table: "orders", rows: 1200, as_of: "2023-11-14T20:13:20Z", target_lag_seconds: 3600 },
      { table: "ports", rows: 5, as_of: "2023-11-14T22:12:20Z", target_lag_seconds: 3600 },
      { table: "terms", rows: 1, as_of: "2023-11-12T22:13:20Z", target_lag_seconds: null },
    ],
    runs: [],
  };
  const world = {
    token: "t",
    respond: (request: Request) => Response.json(request.url.endsWith("/shapes") ? { tables: {} } : served),
  };

  it("tells how far each table lies behind, and whether that is more than it may", async () => {
    const ran = await quayside(["status"], world);
    expect(ran.printed.split("\n").slice(0, 6)).toEqual([
      "Generation 4 · configuration 3 · embedder local/lexical-v1/384",
      "",
      "table    rows  as of                 lag             target",
      "orders  1,200  2023-11-14T20:13:20Z  2 h 0 min ago   1 h 0 min, late",
      "ports       5  2023-11-14T22:12:20Z  1 min 0 s ago   1 h 0 min",
      "terms       1  2023-11-12T22:13:20Z  48 h 0 min ago",
    ]);
  });

  it("tells the same as JSON", async () => {
    expect(last(await quayside(["status", "--json"], world))).toMatchObject({
      generation: 4,
      embedder: "local/lexical-v1/384",
      tables: [
        { table: "orders", lag_seconds: 7200, target_lag_seconds: 3600, late: true },
        { table: "ports", lag_seconds: 60, target_lag_seconds: 3600, late: false },
        { table: "terms", lag_seconds: 172_800, target_lag_seconds: null, late: false },
      ],
    });
  });
});

describe("keys", () => {
  const made = {
    key: "qk_id_secret",
    id: "id",
    name: "reports",
    subject: "key:reports",
    groups: ["ops"],
    attributes: { site: ["fr", "uk"] },
    scopes: ["ask"],
    created_at: "2026-11-23T00:00:00.000Z",
    expires_at: "2026-12-23T00:00:00.000Z",
    revoked_at: null,
  };

  it("prints a new key and nothing else", async () => {
    const given = ["--group", "ops", "--attribute", "site=fr", "--attribute", "site=uk", "--days", "30"];
    const ran = await quayside(["keys", "create", "--name", "reports", ...given], {
      token: "t",
      respond: () => Response.json(made, { status: 201 }),
    });
    expect([ran.status, ran.printed]).toEqual([0, "qk_id_secret\n"]);
    expect(await ran.requests[0]?.json()).toEqual({
      name: "reports",
      scopes: ["ask"],
      groups: ["ops"],
      attributes: { site: ["fr", "uk"] },
      days: 30,
    });
  });

  it("lists which keys are live", async () => {
    const { key: _, ...listed } = made;
    const expired = { ...listed, id: "old", expires_at: "2020-01-01T00:00:00.000Z" };
    const revoked = { ...listed, id: "gone", revoked_at: "2026-11-24T00:00:00.000Z" };
    const respond = (): Response => Response.json({ keys: [listed, expired, revoked] });
    const ran = await quayside(["keys", "list"], { token: "t", respond });
    const states = ran.printed
      .split("\n")
      .slice(1)
      .map((line) => line.split(/ {2,}/)[2]);
    expect(states.slice(0, 3)).toEqual(["live", "expired", "revoked"]);
  });

  it("revokes by id", async () => {
    const ran = await quayside(["keys", "revoke", "a/b"], {
      token: "t",
      respond: () => new Response(null, { status: 204 }),
    });
    expect(ran.status).toBe(0);
    expect([ran.requests[0]?.method, ran.requests[0]?.url]).toEqual([
      "DELETE",
      "http://127.0.0.1:8787/v1/admin/keys/a%2Fb",
    ]);
  });

  it.each([[[]], [["drop"]], [["create"]], [["revoke"]], [["create", "--name", "n", "--attribute", "fr"]]])(
    "takes %j for bad usage",
    async (args) => {
      expect((await quayside(["keys", ...args], { token: "t" })).status).toBe(2);
    },
  );
});

async function served(): Promise<Config> {
  return { ...simple(), surfaces: { slack: {}, teams: {} } };
}

describe("manifest", () => {
  const url = ["--url", "https://quayside.acme.example"];

  it("prints what a Slack app is created from", async () => {
    const ran = await quayside(["manifest", "slack", ...url, "--json"], { config: served });
    expect([ran.status, JSON.parse(ran.lines[0] ?? "")]).toMatchObject([
      0,
      {
        settings: {
          event_subscriptions: { request_url: "https://quayside.acme.example/slack/events" },
          interactivity: { request_url: "https://quayside.acme.example/slack/interactions" },
        },
      },
    ]);
  });

  it.each([
    ["an address that a platform can't reach", ["manifest", "slack"]],
    ["no such platform", ["manifest", "irc", ...url]],
    ["a Teams app without its registration", ["manifest", "teams", ...url]],
  ])("refuses %s as bad usage", async (_, argv) => {
    expect((await quayside(argv, { config: served })).status).toBe(2);
  });

  it("refuses a configuration that does not serve Slack", async () => {
    expect((await quayside(["manifest", "slack", ...url])).status).toBe(2);
  });
});

describe("eval", () => {
  const answers = {
    "a/right": "It is closed until 14 March 2026.",
    "b/also": "Until 2026-03-14.",
    "c/wrong": "Until 2 May 2026.",
  };

  const asked = z.object({ model: z.enum(["a/right", "b/also", "c/wrong"]) });

  /** A Worker whose models each have one thing to say. */
  async function respond(request: Request): Promise<Response> {
    if (request.url.endsWith("/v1/search")) return Response.json({ matches: [] });
    const { model } = asked.parse(await request.json());
    return Response.json({
      outcome: "answered",
      text: answers[model],
      citations: [],
      attempts: [{ model, outcome: "ok" }],
      usage: { cost_usd: 0.5 },
      timings: { total_ms: 40 },
    });
  }

  async function gate(...options: string[]): Promise<Ran> {
    const folder = await mkdtemp(join(tmpdir(), "quayside-gate-"));
    try {
      const questions = join(folder, "golden.jsonl");
      await writeFile(questions, `{"id":"q1","question":"Until when?","answers":["2026-03-14"]}\n`);
      return await quayside(["eval", "--questions", questions, ...options], { respond });
    } finally {
      await rm(folder, { recursive: true });
    }
  }

  it("lets through a model that is as good as the present default", async () => {
    const ran = await gate("--gate", "a/right", "--model", "b/also", "--json");
    expect(ran.status).toBe(0);
    expect(last(ran)).toMatchObject({
      answers: { "a/right": { ok: 1, usd: 0.5, medianMs: 40 }, "b/also": { ok: 1 } },
      gate: { present: "a/right", margin: 0.02, worse: { "b/also": [] } },
    });
  });

  it("fails for one that is worse, and names the measure", async () => {
    const ran = await gate("--gate", "a/right", "--model", "b/also", "--model", "c/wrong");
    expect(ran.status).toBe(1);
    expect(ran.printed).toContain("gate       c/wrong is worse: ok, held against a/right\n");
  });

  it("lets through one that is worse by no more than the margin", async () => {
    expect((await gate("--gate", "a/right", "--model", "c/wrong", "--margin", "1")).status).toBe(0);
  });

  it.each([
    ["--gate", "a/right"],
    ["--gate", "a/right", "--model", "a/right"],
    ["--gate", "a/right", "--model", "b/also", "--margin", "2%"],
  ])("refuses %s %s %s %s %s %s", async (...options) => {
    expect((await gate(...options)).status).toBe(2);
  });
});
