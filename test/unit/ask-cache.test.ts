import { describe, expect, it } from "vitest";
import type { Question } from "../../shared/ports/answer.ts";
import { makeAnswerKeys, type AnswerKeys } from "../../workers/answer/cache-key.ts";
import {
  ADMISSION,
  BERTH,
  CAFE,
  CONFIG,
  evidence,
  GOOD,
  makeWorld,
  tell,
  type World,
} from "../fakes/ask-world.ts";
import { saying, scriptedProvider, type ScriptedProvider } from "../fakes/scripted-provider.ts";

describe("ask: the exact cache", () => {
  it("costs one read and one registry call on a hit, and no model", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    await tell(world);
    world.trips.length = 0;
    const { answer, text } = await tell(world);
    expect(answer).toMatchObject({ cache: "exact", text: GOOD, usage: { costUsd: 0, inputTokens: 0 } });
    expect(text).toBe(GOOD);
    expect(world.trips).toEqual(["admit", "cache-get", "confirm"]);
    expect(model.requests).toHaveLength(1);
  });

  it("asks the registry about every row that the answer rests on, in the version that was read, for this caller", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    await tell(world);
    const rows = [
      ["notices:1", "v-1"],
      ["notices:2", "v-2"],
    ];
    expect(world.confirmed).toEqual([[ADMISSION.epoch, rows, ADMISSION.permitted]]);
  });

  it("makes id and freshness anew on a hit", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const first = await tell(world);
    const tables = ADMISSION.tables.map((table) => ({ ...table, asOf: "2026-11-23T00:00:00.000Z" }));
    world.admission = { ...ADMISSION, tables };
    world.now = Date.parse("2026-11-23T00:10:00.000Z");
    const second = await tell(world);
    expect(second.answer?.cache).toBe("exact");
    expect(second.answer?.tables).toEqual([
      { table: "notices", asOf: "2026-11-23T00:00:00.000Z", lagMs: 600_000, targetLagMs: undefined },
    ]);
    expect(second.answer?.id).not.toBe(first.answer?.id);
    expect(second.answer?.asOf).toBe("2026-11-23T00:00:00.000Z");
    expect(second.answer?.citations[0]?.asOf).toBe("2026-11-23T00:00:00.000Z");
  });

  it("keeps every row that the model read, cited or not", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    expect([...world.cached.values()][0]?.rows).toEqual([
      ["notices:1", "v-1"],
      ["notices:2", "v-2"],
    ]);
  });

  it("answers anew, from a fresh admission, when the registry does not confirm", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    await tell(world);
    world.holds = false;
    world.fresh = { ...ADMISSION, epoch: 2 };
    world.trips.length = 0;
    const { answer } = await tell(world);
    expect(answer?.cache).toBe("evidence");
    const afresh = ["admit", "cache-get", "confirm", "admit-fresh", "retrieve"];
    await Promise.all(world.deferred);
    expect(world.trips).toEqual([...afresh, "start-call", "cache-get", "cache-put", "settle-call"]);
  });

  it("is passed by on request, both ways", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const { answer } = await tell(world, { cache: "bypass" });
    expect(answer?.cache).toBe("bypass");
    expect(world.trips).toEqual(["admit", "retrieve", "settle-call"]);
    expect(world.cached.size).toBe(0);
  });

  it("is passed by within the budgets, where there are any", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    world.admission = {
      ...world.admission,
      config: { ...world.admission.config, budgets: { tenant: { tokensPerDay: 1000 } } },
    };
    await tell(world, { cache: "bypass" });
    expect(world.trips).toEqual(["admit", "retrieve", "start-call", "settle-call"]);
    expect(world.calls[0]?.flight).toBeUndefined();
  });

  it("is all there is on request", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    expect((await tell(world, { cache: "only" })).failure).toBe("cache_miss");
    await tell(world);
    expect((await tell(world, { cache: "only" })).answer?.cache).toBe("exact");
  });

  it.each([
    ["permitted classes", { permitted: ["BBBBBBBBBBBBBBBBBBBBBB"] }],
    ["epoch", { epoch: 9 }],
    ["generation", { generation: 5 }],
    ["configuration", { configVersion: 3 }],
    ["space", { space: "other chunk-1 embedded" }],
  ])("is not shared across another %s", async (_, change) => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.admission = { ...ADMISSION, ...change };
    world.evidence = [BERTH];
    expect((await tell(world)).answer?.cache).toBe("miss");
  });

  it("is not shared across tenants", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.admission = { ...ADMISSION, tenant: "other" };
    expect((await tell(world)).answer?.cache).toBe("miss");
  });

  it.each([
    ["model", { model: "b/two" }],
    ["history", { history: [{ role: "user" as const, content: "Hello" }] }],
    ["output limit", { maxOutputTokens: 10 }],
    ["case", { text: "until when is the east berth closed?" }],
  ])("is not shared across another %s", async (_, change) => {
    const world = makeWorld({ "a/one": saying(GOOD), "b/two": saying(GOOD) });
    await tell(world);
    expect((await tell(world, change)).answer?.cache).toBe("miss");
  });

  it("is shared across white space around a question and forms of the same letter", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world, { text: "Caf\u00e9: until when is the berth closed?" });
    const again = await tell(world, { text: "  Cafe\u0301: until when is the berth closed?\n" });
    expect(again.answer?.cache).toBe("exact");
  });

  it("lets entries live a little less than configured", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    world.admission = { ...ADMISSION, config: { ...CONFIG, cache: { ttlSeconds: 1000 } } };
    await tell(world);
    expect([...world.cached.values()].map(({ until }) => until - world.now)).toEqual([950_000, 950_000]);
  });
});

describe("ask: the evidence cache", () => {
  it("answers another caller who is given the same rows, without a model", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    const first = await tell(world);
    world.admission = { ...ADMISSION, permitted: ["BBBBBBBBBBBBBBBBBBBBBB"] };
    world.trips.length = 0;
    const { answer, text } = await tell(world);
    expect(answer).toMatchObject({ cache: "evidence", text: GOOD, model: "a/one", usage: { costUsd: 0 } });
    expect(answer?.id).not.toBe(first.answer?.id);
    expect(text).toBe(GOOD);
    expect(model.requests).toHaveLength(1);
    await Promise.all(world.deferred);
    const trips = ["admit", "cache-get", "retrieve", "start-call", "cache-get", "cache-put", "settle-call"];
    expect(world.trips).toEqual(trips);
    expect(world.spent.at(-1)).toEqual([]);
  });

  it("is followed by an exact hit for that caller, which ends when the first answer does", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.now += 60_000;
    world.admission = { ...ADMISSION, generation: 5 };
    await tell(world);
    expect((await tell(world)).answer?.cache).toBe("exact");
    expect(new Set([...world.cached.values()].map(({ until }) => until)).size).toBe(1);
  });

  it("outlives an ingest that did not touch the rows, and tells the new generation and times", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    const tables = ADMISSION.tables.map((table) => ({ ...table, asOf: "2026-11-23T00:00:00.000Z" }));
    world.admission = { ...ADMISSION, generation: 5, tables };
    world.evidence = [CAFE, BERTH].map((item) => ({ ...item, asOf: "2026-11-23T00:00:00.000Z", score: 0.4 }));
    const { answer } = await tell(world);
    expect(answer).toMatchObject({ cache: "evidence", generation: 5, asOf: "2026-11-23T00:00:00.000Z" });
  });

  it.each([
    ["a row changed", [{ ...BERTH, version: "v-1b" }, CAFE]],
    ["a row is gone", [BERTH]],
    ["a row came", [BERTH, CAFE, evidence("3", "The west berth is open.")]],
    ["a row's time of change is another", [BERTH, { ...CAFE, changedAt: "2026-11-02T00:00:00.000Z" }]],
  ])("is passed by when %s", async (_, rows) => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    await tell(world);
    world.admission = { ...ADMISSION, generation: 5 };
    world.evidence = rows;
    expect((await tell(world)).answer?.cache).toBe("miss");
    expect(model.requests).toHaveLength(2);
  });

  it.each([
    ["tables", { tables: ["notices"] }],
    ["scope", { cells: { berth: "east" } }],
    ["top_k", { topK: 3 }],
    ["name of the same model", { model: "a/one" }],
  ])("is shared across another %s when the rows are the same", async (_, change) => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    expect((await tell(world, change)).answer?.cache).toBe("evidence");
  });

  it("tells why this model serves this asker, not the first", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    const { answer } = await tell(world, { model: "a/one" });
    expect(answer?.route).toEqual({ requested: "a/one", why: "as requested" });
  });

  it("is not used on another day, when the models are configured otherwise, or by another model", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model, "b/two": saying(GOOD) });
    await tell(world);
    world.now += 86_400_000;
    expect((await tell(world)).answer?.cache).toBe("miss");
    world.admission = { ...ADMISSION, config: { ...CONFIG, models: { ...CONFIG.models, aliases: {} } } };
    expect((await tell(world)).answer?.cache).toBe("miss");
    expect((await tell(world, { model: "b/two" })).answer?.cache).toBe("miss");
  });

  it("takes a relative date for another question on the next day, on both levels, and tells the model which day it is", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    const question = { text: "Is the east berth closed today?" };
    const caches: (string | undefined)[] = [];
    for (const hours of [0, 20, 4]) {
      world.now += hours * 3_600_000;
      for (const generation of [4, 5]) {
        world.admission = { ...ADMISSION, generation };
        caches.push((await tell(world, question)).answer?.cache);
      }
    }
    expect(caches).toEqual(["miss", "evidence", "exact", "exact", "miss", "evidence"]);
    expect(model.requests.map(({ today }) => today)).toEqual(["2026-11-23", "2026-11-24"]);
  });

  it("serves what was asked for as cached only", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.admission = { ...ADMISSION, generation: 5 };
    expect((await tell(world, { cache: "only" })).answer?.cache).toBe("evidence");
    world.evidence = [BERTH];
    expect((await tell(world, { cache: "only", topK: 2 })).failure).toBe("cache_miss");
    world.evidence = [];
    expect((await tell(world, { cache: "only", topK: 3 })).failure).toBe("cache_miss");
  });

  it.each<[string, ScriptedProvider]>([
    ["cut short", scriptedProvider([{ say: GOOD }, { finish: "length" }])],
    ["refused", scriptedProvider([{ finish: "content-filter" }])],
    ["broken off", scriptedProvider([{ say: GOOD }, { fail: "provider_bad_response" }])],
    ["failed", scriptedProvider([{ fail: "provider_rejected" }])],
  ])("keeps nothing that was %s, on either level", async (_, model) => {
    const world = makeWorld({ "a/one": model });
    await tell(world, { model: "a/one" });
    expect(world.cached.size).toBe(0);
  });

  it("keeps nothing that a stand-in wrote, on either level", async () => {
    const failing = scriptedProvider([{ fail: "no_provider_available" }]);
    const world = makeWorld({ "a/one": failing, "b/two": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.model).toBe("b/two");
    expect(world.cached.size).toBe(0);
  });
});

/** Keys in which one part is left out: it is the same for every question. */
function keysWithout(part: string, constant: unknown): AnswerKeys {
  const keys = makeAnswerKeys(() => "a secret of this test");
  const blank = <T extends object>(parts: T): T => (part in parts ? { ...parts, [part]: constant } : parts);
  return {
    ...keys,
    keyOf: (parts) => keys.keyOf(blank(parts)),
    evidenceKeyOf: (parts) => keys.evidenceKeyOf(blank(parts)),
  };
}

/** What is another between two askings, for each part of the keys; both levels depend on it, or the rows are others. */
const CHANGES: readonly (readonly [
  part: string,
  constant: unknown,
  change: { readonly world?: Partial<World>; readonly question?: Partial<Question> },
])[] = [
  ["tenant", "", { world: { admission: { ...ADMISSION, tenant: "other" } } }],
  ["question", "", { question: { text: "Is the east berth closed until 14 March 2026?" } }],
  ["history", [], { question: { history: [{ role: "user", content: "Hello" }] } }],
  ["today", "", { world: { now: Date.UTC(2026, 10, 24) } }],
  ["model", "", { question: { model: "b/two" } }],
  ["maxOutputTokens", 0, { question: { maxOutputTokens: 10 } }],
  [
    "permitted",
    [],
    { world: { admission: { ...ADMISSION, permitted: ["B".repeat(22)] }, evidence: [BERTH] } },
  ],
  ["epoch", 0, { world: { admission: { ...ADMISSION, epoch: 2 }, evidence: [BERTH] } }],
  ["configVersion", 0, { world: { admission: { ...ADMISSION, configVersion: 3 }, evidence: [BERTH] } }],
  ["generation", 0, { world: { admission: { ...ADMISSION, generation: 5 }, evidence: [BERTH] } }],
  ["space", "", { world: { admission: { ...ADMISSION, space: "other" }, evidence: [BERTH] } }],
  ["tables", [], { question: { tables: ["notices"] }, world: { evidence: [BERTH] } }],
  ["topK", 0, { question: { topK: 1 }, world: { evidence: [BERTH] } }],
  ["cells", {}, { question: { cells: { berth: "east" } }, world: { evidence: [BERTH] } }],
  ["fallbacks", [], { question: { fallbacks: ["b/two"] }, world: { evidence: [BERTH] } }],
  [
    "evidence",
    [],
    {
      world: { admission: { ...ADMISSION, generation: 5 }, evidence: [{ ...BERTH, version: "v-1b" }, CAFE] },
    },
  ],
];

describe("ask: every part of the keys matters", () => {
  const askTwice = async (
    keys: AnswerKeys | undefined,
    { world: changes = {}, question = {} }: (typeof CHANGES)[number][2],
  ): Promise<string | undefined> => {
    const world = makeWorld({ "a/one": saying(GOOD), "b/two": saying(GOOD) }, keys);
    await tell(world);
    Object.assign(world, changes);
    return (await tell(world, question)).answer?.cache;
  };

  it.each(CHANGES)(
    "another %s is another answer, and keys without it would be caught",
    async (part, constant, change) => {
      expect(await askTwice(undefined, change)).toBe("miss");
      expect(await askTwice(keysWithout(part, constant), change)).not.toBe("miss");
    },
  );
});

describe("ask: tables that are late", () => {
  const HOUR = 3_600_000;
  const AS_OF = Date.parse("2026-11-20T00:00:00.000Z");
  const lateWorld = (whenLate: "answer" | "withhold"): { world: World; model: ScriptedProvider } => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    const tables = Object.fromEntries(
      Object.entries(CONFIG.tables).map(([name, table]) => [
        name,
        { ...table, ...(name === "notices" ? { targetLag: "6h", whenLate } : {}) },
      ]),
    );
    world.admission = { ...ADMISSION, config: { ...CONFIG, tables } };
    world.now = AS_OF + 5 * HOUR;
    return { world, model };
  };

  it("are left out from then on, from the cache too, and answer again once they are read", async () => {
    const { world, model } = lateWorld("withhold");
    await tell(world);
    world.now = AS_OF + 7 * HOUR;
    const late = await tell(world);
    expect(late.answer).toMatchObject({ outcome: "no_evidence", reason: "stale", citations: [] });
    const asOf = new Date(AS_OF + 7 * HOUR).toISOString();
    world.admission = { ...world.admission, tables: [{ table: "notices", asOf, rows: 10 }] };
    expect((await tell(world)).answer).toMatchObject({ cache: "exact", asOf });
    expect(model.requests).toHaveLength(1);
  });

  it("are answered from with their time where they may be", async () => {
    const { world } = lateWorld("answer");
    await tell(world);
    world.now = AS_OF + 7 * HOUR;
    expect((await tell(world)).answer).toMatchObject({ cache: "exact", asOf: "2026-11-20T00:00:00.000Z" });
  });

  it("leave an answer from the others, which is not kept for when they are back", async () => {
    const { world } = lateWorld("withhold");
    world.now = AS_OF + 7 * HOUR;
    world.evidence = [
      BERTH,
      evidence("9", "The east berth is closed until 14 March 2026.", { table: "pay", row: "pay:9" }),
    ];
    expect((await tell(world)).answer?.citations.map(({ table }) => table)).toEqual(["pay"]);
    expect([...world.cached.values()].map(({ rows }) => rows.map(([row]) => row))).toEqual([["pay:9"]]);
  });
});
