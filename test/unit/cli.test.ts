import { describe, expect, it } from "vitest";
import { parseConfig } from "../../shared/config.ts";
import { last, problem, quayside, simple } from "../fakes/quayside.ts";

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
