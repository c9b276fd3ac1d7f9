import { describe, expect, it } from "vitest";
import { ADMISSION, CONFIG, makeWorld, tell } from "../fakes/ask-world.ts";
import { saying } from "../fakes/scripted-provider.ts";

const GOOD = "The east berth is closed until 14 March 2026 [1].";

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

  it("makes id and freshness anew on a hit", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const first = await tell(world);
    const tables = ADMISSION.tables.map((table) => ({ ...table, asOf: "2026-11-23T00:00:00.000Z" }));
    world.admission = { ...ADMISSION, tables };
    const second = await tell(world);
    expect(second.answer?.cache).toBe("exact");
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
    expect(answer?.cache).toBe("miss");
    expect(world.trips).toEqual(["admit", "cache-get", "confirm", "admit-fresh", "retrieve", "cache-put"]);
    expect(world.cached.size).toBe(2);
  });

  it("is passed by on request, both ways", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const { answer } = await tell(world, { cache: "bypass" });
    expect(answer?.cache).toBe("bypass");
    expect(world.trips).toEqual(["admit", "retrieve"]);
  });

  it("is all there is on request", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    expect((await tell(world, { cache: "only" })).failure).toBe("cache_miss");
    await tell(world);
    expect((await tell(world, { cache: "only" })).answer?.cache).toBe("exact");
  });

  it.each([
    ["permitted classes", { permitted: ["BBBBBBBBBBBBBBBBBBBBBB"] }],
    ["tenant", { tenant: "other" }],
    ["epoch", { epoch: 9 }],
    ["generation", { generation: 5 }],
    ["configuration", { configVersion: 3 }],
    ["space", { space: "other chunk-1 embedded" }],
  ])("is not shared across another %s", async (_, change) => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.admission = { ...ADMISSION, ...change };
    expect((await tell(world)).answer?.cache).toBe("miss");
  });

  it.each([
    ["model", { model: "b/two" }],
    ["tables", { tables: ["notices"] }],
    ["scope", { cells: { berth: "east" } }],
    ["top_k", { topK: 3 }],
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
    expect(world.ttls).toEqual([950]);
  });
});
