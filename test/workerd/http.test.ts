import { beforeAll, describe, expect, it } from "vitest";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { call, ownRegistry, post } from "./seed.ts";

type Json = Record<string, unknown>;

beforeAll(async () => {
  const { notices } = CONFIG.tables;
  if (!notices) throw new Error("no notices");
  const tables = { ...CONFIG.tables, notices: { ...notices, targetLag: "1h" } };
  await seedRows(ownRegistry(), { ...CONFIG, tables });
});

/** The events of a stream, in order. */
async function eventsOf(response: Response): Promise<{ event: string; data: Json }[]> {
  const text = await response.text();
  return text
    .split("\n\n")
    .filter((block) => block !== "" && !block.startsWith(":"))
    .map((block) => {
      const [event = "", data = ""] = block.split("\n");
      const parsed: Json = JSON.parse(data.replace("data: ", ""));
      return { event: event.replace("event: ", ""), data: parsed };
    });
}

/** How the table with a target lag of an hour is told of: it was read days ago. */
const LATE = {
  table: "notices",
  as_of: "2026-11-20T06:00:00.000Z",
  lag_seconds: expect.any(Number),
  target_lag_seconds: 3600,
  late: true,
};

describe("POST /v1/ask", () => {
  it("answers with the cited row, in the contract's shape", async () => {
    const response = await post("/v1/ask", { question: "Until when is the east berth in Dover closed?" });
    expect(response.status).toBe(200);
    const answer = await response.json<Json & { citations: Json[]; text: string }>();
    expect(answer).toMatchObject({
      outcome: "answered",
      reason: null,
      ai_generated: true,
      model: "local/compose",
      route: { requested: "auto", why: "the default" },
      attempts: [{ model: "local/compose", outcome: "ok" }],
      cache: "miss",
      generation: 1,
      as_of: "2026-11-20T06:00:00.000Z",
      tables: [LATE],
    });
    expect(answer["id"]).toMatch(/^ans_[0-9a-z]{9}[A-Za-z0-9_-]{16}$/);
    expect(answer.text).toContain("14 March 2026");
    expect(answer.text).toContain("[1]");
    expect(answer.citations[0]).toMatchObject({
      marker: 1,
      id: "notices:1",
      table: "notices",
      key: { id: "1" },
    });
  });

  it("answers again from the cache, with a new id", async () => {
    const question = { question: "What does the café in Calais serve?" };
    const first = await (await post("/v1/ask", question)).json<Json>();
    expect(first["cache"]).toBe("miss");
    // It is kept behind its last byte, and a read of it that takes its time is a miss.
    let again = first;
    await expect
      .poll(async () => (again = await (await post("/v1/ask", question)).json<Json>())["cache"])
      .toBe("exact");
    expect(again["text"]).toBe(first["text"]);
    expect(again["id"]).not.toBe(first["id"]);
  });

  it("gives one caller's cached answer to no caller who sees less", async () => {
    const question = { question: "How much does Ada Marchmont earn a year?" };
    const hr = await (await post("/v1/ask", question, "hr")).json<Json>();
    const guest = await (await post("/v1/ask", question, "guest")).json<Json>();
    expect(hr).toMatchObject({ outcome: "answered", cache: "miss" });
    expect(String(hr["text"])).toContain("61");
    expect(guest).toMatchObject({
      outcome: "no_evidence",
      reason: "none_found",
      cache: "miss",
      citations: [],
    });
  });

  it("has a problem for a miss when only the cache is asked", async () => {
    const response = await post("/v1/ask", { question: "Never asked before?", cache: "only" });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: "cache_miss" });
  });

  it("streams evidence, text and the whole answer", async () => {
    const response = await post("/v1/ask", { question: "Why is the east berth closed?", stream: true });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const events = await eventsOf(response);
    expect(events[0]?.event).toBe("evidence");
    const done = events.at(-1);
    expect(done?.event).toBe("done");
    let text = "";
    for (const { event, data } of events) {
      if (event === "delta") text += String(data["text"]);
      if (event === "retract") text = text.slice(0, Number(data["from"]));
    }
    expect(text).toBe(done?.data["text"]);
  });

  it("streams for Accept: text/event-stream", async () => {
    const response = await post("/v1/ask", { question: "Why is the berth closed?" }, undefined, {
      accept: "text/event-stream",
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    await response.body?.cancel();
  });

  it("refuses a model that may not receive the rows", async () => {
    const response = await post(
      "/v1/ask",
      { question: "How much does Ada Marchmont earn a year?", model: "openai/gpt-test", tables: ["pay"] },
      "hr",
    );
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "provider_not_permitted", retryable: false });
  });

  it("refuses a model that nobody registered", async () => {
    const response = await post("/v1/ask", { question: "Why?", model: "openai/gpt-1000" });
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ code: "unknown_model" });
  });
});

describe("POST /v1/search", () => {
  it("finds rows, each once, best first", async () => {
    const response = await post("/v1/search", { query: "berth Dover closed", top_k: 5 });
    expect(response.status).toBe(200);
    const { matches, generation } = await response.json<{ matches: Json[]; generation: number }>();
    expect(generation).toBe(1);
    expect(matches[0]).toMatchObject({ id: "notices:1", table: "notices", key: { id: "1" } });
    expect(new Set(matches.map((match) => match["id"])).size).toBe(matches.length);
  });

  it("narrows to a scope", async () => {
    const response = await post("/v1/search", { query: "berth café", scope: { port: "Calais" } });
    const { matches } = await response.json<{ matches: Json[] }>();
    expect(matches.map((match) => match["id"])).toEqual(["notices:2"]);
  });

  it("shows a table that may not be seen as one that is not there", async () => {
    const hidden = await post("/v1/search", { query: "pay", tables: ["pay"] }, "guest");
    const absent = await post("/v1/search", { query: "pay", tables: ["nope"] }, "guest");
    expect([hidden.status, absent.status]).toEqual([404, 404]);
    const strip = (body: Json): Json => ({ ...body, instance: "" });
    expect(strip(await hidden.json<Json>())).toEqual(strip(await absent.json<Json>()));
  });
});

describe("what a caller may use and see", () => {
  it("lists models with the reason why one is not available", async () => {
    const body = await (
      await call("/v1/models", { as: "guest" })
    ).json<{ default: string; models: Json[] }>();
    expect(body.default).toBe("local/compose");
    const why = Object.fromEntries(body.models.map((model) => [model["id"], model["why_not"]]));
    expect(why["local/quote"]).toBeNull();
    expect(why["openai/gpt-test"]).toBe("OPENAI_API_KEY is not set.");
    expect(why["nobody/model"]).toMatch(/no provider nobody/);
  });

  it("lists the tables of which the caller sees a row, and no row counts", async () => {
    const guest = await (await call("/v1/tables", { as: "guest" })).json<{ tables: Json[] }>();
    const hr = await (await call("/v1/tables", { as: "hr" })).json<{ tables: Json[] }>();
    expect(guest.tables).toMatchObject([{ table: "notices", rows: null, filters: ["port"] }]);
    expect(guest.tables).toMatchObject([LATE]);
    expect(hr.tables.map((table) => table["table"])).toEqual(["notices", "pay"]);
  });

  it("tells generation and freshness", async () => {
    const body = await (await call("/v1/status", { as: "guest" })).json<Json>();
    expect(body).toMatchObject({
      generation: 1,
      embedder: "local/lexical-v1/384",
      as_of: "2026-11-20T06:00:00.000Z",
      caller: { subject: "guest", scopes: ["ask"] },
      tables: [LATE],
    });
    const [table] = body["tables"] as readonly { readonly lag_seconds: number }[];
    const lag = (Date.now() - Date.parse("2026-11-20T06:00:00.000Z")) / 1000;
    expect(Math.abs((table?.lag_seconds ?? 0) - lag)).toBeLessThan(60);
  });

  it("is alive and ready", async () => {
    expect((await call("/healthz")).status).toBe(200);
    expect(await (await call("/readyz")).json()).toEqual({ ready: true });
  });

  it("describes every route, the operator's too", async () => {
    const document = await (
      await call("/openapi.json")
    ).json<{ openapi: string; paths: Record<string, Json> }>();
    expect(document.openapi).toBe("3.1.0");
    for (const path of ["/v1/ask", "/v1/search", "/v1/models", "/v1/admin/runs", "/readyz"]) {
      expect(Object.keys(document.paths)).toContain(path);
    }
  });
});
