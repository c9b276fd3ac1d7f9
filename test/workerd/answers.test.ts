import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { hash128 } from "../../shared/ids.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { call, post, seed } from "./seed.ts";

type Json = Record<string, unknown>;

const EAST = "Until when is the east berth in Dover closed?";
const OPERATOR = { authorization: "Bearer test-token" };

beforeAll(async () => {
  await seed();
});

async function ask(question: string, as = "guest", more: Json = {}): Promise<Json & { id: string }> {
  const response = await post("/v1/ask", { question, ...more }, as);
  expect(response.status).toBe(200);
  return response.json();
}

async function manifest(id: string, as = "guest"): Promise<Json> {
  const response = await call(`/v1/answers/${id}`, { as });
  expect(response.status).toBe(200);
  return response.json<Json>();
}

describe("an answer's manifest", () => {
  it("tells rows and versions, generation, policy, prompt, model, and no word of question or answer", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    const told = await manifest(answer.id);
    expect(told).toMatchObject({
      id: answer.id,
      from: null,
      model: "local/compose",
      cache: "bypass",
      outcome: "answered",
      generation: 1,
      policy: { config_version: 1, epoch: 1 },
      question_kind: "lookup",
      attempts: [{ model: "local/compose", outcome: "ok" }],
    });
    expect(told["rows"]).toContainEqual(["notices:1", "notices-1-v1".padEnd(22, "0")]);
    expect(JSON.stringify(told)).not.toContain("berth");
  });

  it("of a repeated answer names the first", async () => {
    const first = await ask(`${EAST} `);
    // It is kept behind its last byte, and a read of it that takes its time is a miss.
    const answers = new Map([[first.id, first]]);
    let again = first;
    await expect
      .poll(async () => {
        again = await ask(EAST);
        answers.set(again.id, again);
        return again["cache"];
      })
      .toBe("exact");
    const told = await manifest(again.id);
    expect(told["cache"]).toBe("exact");
    expect(answers.get(String(told["from"]))?.["cache"]).toBe("miss");
  });

  it("is only for whom it answered: another's reads as none", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    await manifest(answer.id);
    const others = await call(`/v1/answers/${answer.id}`, { as: "hr" });
    const none = await call("/v1/answers/ans_none", { as: "hr" });
    expect([others.status, none.status]).toEqual([404, 404]);
    const [one, other] = [await others.json<Json>(), await none.json<Json>()];
    expect({ ...one, instance: "" }).toEqual({ ...other, instance: "" });
  });
});

describe("a replay", () => {
  it("answers again from the same rows", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    await manifest(answer.id);
    const response = await post(`/v1/answers/${answer.id}/replay`, { question: EAST }, "guest");
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      text: answer["text"],
      cache: "bypass",
      model: "local/compose",
    });
  });

  it("needs the question that was answered", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    await manifest(answer.id);
    const response = await post(`/v1/answers/${answer.id}/replay`, { question: "Another one?" }, "guest");
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ errors: [{ pointer: "/question" }] });
  });

  it("is nobody else's", async () => {
    const answer = await ask(EAST, "hr", { cache: "bypass" });
    await manifest(answer.id, "hr");
    const response = await post(`/v1/answers/${answer.id}/replay`, { question: EAST }, "guest");
    expect(response.status).toBe(404);
  });
});

describe("a comparison", () => {
  it("puts one retrieval to several models, and tells a failure beside the answers", async () => {
    const models = ["local/compose", "local/quote", "openai/gpt-test"];
    const response = await post("/v1/compare", { question: EAST, models }, "guest");
    expect(response.status).toBe(200);
    const body = await response.json<{
      answers: { model: string; answer: Json | null; problem: Json | null }[];
    }>();
    expect(body.answers.map(({ model }) => model)).toEqual(models);
    expect(body.answers[0]?.answer).toMatchObject({ outcome: "answered", verification: {}, timings: {} });
    expect(body.answers[1]?.answer?.["model"]).toBe("local/quote");
    expect(body.answers[2]).toMatchObject({ answer: null, problem: { code: "no_provider_available" } });
  });

  it("streams each model's words under its name, and ends", async () => {
    const models = ["local/compose", "local/quote"];
    const response = await post("/v1/compare", { question: EAST, models, stream: true }, "guest");
    const text = await response.text();
    const events = [...text.matchAll(/^event: (\w+)$/gm)].map((match) => match[1]);
    expect(events.filter((event) => event === "done")).toHaveLength(2);
    expect(events.at(-1)).toBe("end");
    expect(text).toContain('event: delta\ndata: {"model":"local/quote"');
  });

  it.each([[["local/compose"]], [["local/compose", "local/compose"]], [["a/1", "a/2", "a/3", "a/4", "a/5"]]])(
    "refuses %j",
    async (models) => {
      expect((await post("/v1/compare", { question: EAST, models }, "guest")).status).toBe(422);
    },
  );
});

describe("feedback", () => {
  it("is kept by model and kind of question, once a person, and told to administrators", async () => {
    // At once: answers are written down shortly after they were given.
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    const rate = (rating: number, as = "guest"): Promise<Response> =>
      post("/v1/feedback", { answer_id: answer.id, rating, comment: "Right to the day" }, as);
    expect((await rate(-1)).status).toBe(204);
    expect((await rate(1)).status).toBe(204);
    expect((await rate(1, "hr")).status).toBe(404);
    expect((await rate(2)).status).toBe(422);
    const report = await (await call("/v1/admin/answers", { headers: OPERATOR })).json<Json>();
    expect(report).toMatchObject({
      feedback: [{ model: "local/compose", question_kind: "lookup", up: 1, down: 0 }],
      comments: [{ answer_id: answer.id, rating: 1, comment: "Right to the day" }],
    });
    expect((await call("/v1/admin/answers", { as: "guest" })).status).toBe(403);
  });

  it("on what a channel was told is taken from its people, and kept under each", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    await manifest(answer.id);
    const ledger = overRpc<LedgerApi>(
      () => env.LEDGER.get(env.LEDGER.idFromName("default")),
      "registry_unavailable",
    );
    const channel = (await ledger.answer(answer.id))?.subject;
    const vote = (subject: string, audience: string | undefined): Promise<boolean> =>
      ledger.rate({ answer: answer.id, subject, audience, rating: -1, comment: undefined });
    expect([await vote("ada", "another-channel"), await vote("ada", undefined)]).toEqual([false, false]);
    expect([await vote("ada", channel), await vote("bob", channel)]).toEqual([true, true]);
    expect((await ledger.ratings()).totals).toContainEqual({
      model: "local/compose",
      kind: "lookup",
      up: 1,
      down: 2,
    });
  });

  it("stands beside what the cache spared", async () => {
    const report = await (
      await call("/v1/admin/answers", { headers: OPERATOR })
    ).json<{ hit_rate: number }>();
    expect(report.hit_rate).toBeGreaterThan(0);
    expect(report.hit_rate).toBeLessThan(1);
  });
});

const row = (id: string, init: Parameters<typeof call>[1]): Promise<Response> =>
  call(`/v1/rows/${encodeURIComponent(id)}`, init);

describe("GET /v1/rows/{id}", () => {
  it("tells a row as its reader may see it, and which answers of theirs were written from it", async () => {
    const mine = await ask(EAST, "guest", { cache: "bypass" });
    const theirs = await ask(EAST, "hr", { cache: "bypass" });
    await Promise.all([manifest(mine.id), manifest(theirs.id, "hr")]);
    const told = await (await row("notices:1", { as: "guest" })).json<Json & { answers: { id: string }[] }>();
    expect(told).toMatchObject({
      id: "notices:1",
      table: "notices",
      key: { id: "1" },
      classification: "public",
      source: "local",
    });
    const ids = told.answers.map(({ id }) => id);
    expect(ids[0]).toBe(mine.id);
    expect(ids).not.toContain(theirs.id);
    expect(told.answers[0]).toMatchObject({ model: "local/compose", cache: "bypass", outcome: "answered" });
  });

  it("tells administrators of everybody's answers", async () => {
    const [mine, theirs] = [await ask(EAST, "guest"), await ask(EAST, "hr")];
    await Promise.all([manifest(mine.id), manifest(theirs.id, "hr")]);
    const told = await (await row("notices:1", { headers: OPERATOR })).json<{ answers: { id: string }[] }>();
    expect(told.answers.map(({ id }) => id)).toEqual(expect.arrayContaining([mine.id, theirs.id]));
  });

  it("reads a row that the caller may not see like one that is not there", async () => {
    const [barred, none] = [await row("pay:7", { as: "guest" }), await row("pay:none", { as: "guest" })];
    expect([barred.status, none.status]).toEqual([404, 404]);
    const [one, other] = [await barred.json<Json>(), await none.json<Json>()];
    expect({ ...one, instance: "" }).toEqual({ ...other, instance: "" });
    expect((await row("pay:7", { as: "hr" })).status).toBe(200);
  });

  it.each(["notices", "notices:", ":1", "%", "notices:1%7C2", "notices:1#0#0", "../status", "\u0000"])(
    "finds nothing under %j",
    async (id) => {
      expect((await row(id, { as: "guest" })).status).toBe(404);
    },
  );

  it("reads several at once, those that are there for the caller", async () => {
    const ids = ["pay:7", "notices:1", "notices:none", "nonsense", "notices:1"];
    const read = async (as: string): Promise<unknown[]> => {
      const response = await post("/v1/rows", { ids }, as);
      expect(response.status).toBe(200);
      return (await response.json<{ rows: Json[] }>()).rows.map(({ id }) => id);
    };
    expect(await read("guest")).toEqual(["notices:1"]);
    expect(await read("hr")).toEqual(expect.arrayContaining(["notices:1", "pay:7"]));
  });

  it.each([[{}], [{ ids: [] }], [{ ids: [7] }], [{ ids: Array.from({ length: 51 }, () => "n:1") }]])(
    "refuses to read %#",
    async (body) => {
      expect((await post("/v1/rows", body, "guest")).status).toBe(422);
    },
  );
});

async function check(body: Json, as = "guest"): Promise<Response> {
  return post("/v1/verify", body, as);
}

async function verdicts(response: Response): Promise<unknown> {
  const { claims } = await response.json<{ claims: { verdict: string }[] }>();
  return claims.map(({ verdict }) => verdict);
}

describe("POST /v1/verify", () => {
  it("holds a text against the rows that a question finds, or that are named", async () => {
    const text = "The east berth in Dover is closed until 14 March 2026. It reopens on 1 May 2031.";
    expect(await verdicts(await check({ text, question: EAST }))).toEqual(["supported", "unknown"]);
    expect(await verdicts(await check({ text, ids: ["notices:1"] }))).toEqual(["supported", "unknown"]);
  });

  it("knows nothing of rows that the caller may not see", async () => {
    const body = { text: "Ada Marchmont earns 61400 EUR a year.", ids: ["pay:7"] };
    expect(await verdicts(await check(body))).toEqual(["unknown"]);
    expect(await verdicts(await check(body, "hr"))).toEqual(["supported"]);
  });

  it.each([[{ text: "x" }], [{ text: "x", question: "y", ids: ["notices:1"] }], [{ question: "y" }]])(
    "refuses %j",
    async (body) => {
      expect((await check(body)).status).toBe(422);
    },
  );
});

describe("GET /metrics", () => {
  it("counts answers by model, cache and outcome, for the scope metrics only", async () => {
    const response = await call("/metrics", { headers: OPERATOR });
    expect(response.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const text = await response.text();
    expect(text).toMatch(
      /^quayside_answers_total\{model="local\/compose",cache="exact",outcome="answered"\} [1-9]\d*$/m,
    );
    expect(text).toContain("# TYPE quayside_saved_usd_total counter");
    expect((await call("/metrics", { as: "guest" })).status).toBe(403);
  });
});

const erase = async (key: string): Promise<Json> => {
  const body = JSON.stringify({ table: "notices", key });
  const headers = { ...OPERATOR, "content-type": "application/json" };
  return (await call("/v1/erase", { method: "POST", headers, body })).json();
};

describe("the records of answers that rest on a row", () => {
  it("name it by its hash once it is erased, and can't be replayed", async () => {
    const answer = await ask(EAST, "guest", { cache: "bypass" });
    await manifest(answer.id);
    expect(await erase("1")).toMatchObject({ residue: 0, proof: { records: 0 } });
    const hash = await hash128("notices:1");
    const told = await manifest(answer.id);
    expect(told["rows"]).toContainEqual([hash, "notices-1-v1".padEnd(22, "0")]);
    expect(JSON.stringify(told)).not.toContain("notices:1");
    const response = await post(`/v1/answers/${answer.id}/replay`, { question: EAST }, "guest");
    expect(response.status).toBe(404);
    expect(await erase("1")).toMatchObject({ proof: { records: 0 } });
  });

  it("name it by its hash when they are written after it was erased", async () => {
    const ledger = overRpc<LedgerApi>(() => env.LEDGER.getByName("default"), "registry_unavailable");
    const answer = await ask("Which notice tells of the west berth?", "guest", { cache: "bypass" });
    await manifest(answer.id);
    const kept = await ledger.answer(answer.id);
    if (!kept) throw new Error("no record");
    const late = {
      ...kept,
      id: "ans_late",
      evidence: [["notices:1#0", "v"]] as const,
      rows: [["notices:1", "v"]] as const,
    };
    await ledger.conclude({ settled: [], answers: [late], audit: [] });
    const hash = await hash128("notices:1");
    expect(await ledger.answer("ans_late")).toMatchObject({
      evidence: [[`${hash}#0`, "v"]],
      rows: [[hash, "v"]],
    });
  });
});
