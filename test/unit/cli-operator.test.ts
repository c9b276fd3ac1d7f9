import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { describeRun } from "../../ingest/commands/run.ts";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { type Config } from "../../shared/config.ts";
import { last, quayside, simple, type Ran } from "../fakes/quayside.ts";

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

describe("runs show", () => {
  const run = {
    id: "run_1",
    state: "published",
    trigger: "cron",
    host: "edge",
    requested_at: "2026-11-26T08:00:00Z",
    started_at: "2026-11-26T08:00:01Z",
    finished_at: "2026-11-26T08:00:02Z",
    generation: 5,
    asked: ["orders"],
    full: false,
    read_all: false,
    tables: [{ table: "orders", read: 9, added: 4, changed: 2, deleted: 1, unchanged: 1, failed: 1300 }],
    reason: null,
    held_back: { total: 1300, rows: [{ table: "orders", key: "47\u001b11", reason: "too_large" }] },
  };

  it("tells the rows that the run held back, harmlessly, and how many there are in all", async () => {
    const ran = await quayside(["runs", "show", "run_1"], { token: "t", respond: () => Response.json(run) });
    expect([ran.status, new URL(ran.requests[0]?.url ?? "").pathname]).toEqual([0, "/v1/ingest/runs/run_1"]);
    expect(ran.printed.trimEnd().split("\n").slice(2)).toEqual([
      "Held back: orders 47\\u001b11: too large",
      "Held back in all: 1,300.",
    ]);
  });

  it("has the run as the Worker tells it in its JSON", async () => {
    const respond = (): Response => Response.json(run);
    const ran = await quayside(["runs", "show", "run_1", "--json"], { token: "t", respond });
    expect(last(ran)).toEqual(run);
  });
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
