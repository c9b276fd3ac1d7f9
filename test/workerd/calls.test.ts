import { describe, expect, it } from "vitest";
import type { CallStart, Telling } from "../../workers/tenant/api-answers.ts";
import { MODEL, open, request, settled, start } from "./calls-fixture.ts";

/** A telling that says these lines. */
function telling(...lines: string[]): Telling {
  return async () => new Blob(lines).stream();
}

async function heard(started: CallStart): Promise<string> {
  return started.type === "follow" ? new Response(started.events).text() : started.type;
}

describe("answers that are being written already", () => {
  it("are told to whoever asks the same, and cost nothing more", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 100 } });
    const leader = request(100, { flight: "k" });
    expect(await start(ledger, leader, telling("one\n", "two\n"))).toEqual([MODEL]);
    const followers = await Promise.all(
      Array.from({ length: 5 }, () => ledger.startCall(request(100, { flight: "k" }), telling())),
    );
    expect(await Promise.all(followers.map(heard))).toEqual(Array.from({ length: 5 }, () => "one\ntwo\n"));
  });

  it("have one leader however many ask at once", async () => {
    const { ledger } = await open(undefined);
    const started = await Promise.all(
      Array.from({ length: 20 }, () => ledger.startCall(request(1, { flight: "k" }), telling("x"))),
    );
    expect(started.filter(({ type }) => type === "lead")).toHaveLength(1);
  });

  it("are not told for another key, without one, or once they have ended", async () => {
    const { ledger } = await open(undefined);
    const leader = request(1, { flight: "k" });
    await start(ledger, leader, telling("x"));
    expect(await start(ledger, request(1, { flight: "other" }), telling())).toEqual([MODEL]);
    expect(await start(ledger, request(1), telling())).toEqual([MODEL]);
    await ledger.conclude(settled(leader.id, []));
    expect(await start(ledger, request(1, { flight: "k" }), telling())).toEqual([MODEL]);
  });

  it("are begun anew when the leader is gone", async () => {
    const { ledger } = await open(undefined);
    await start(ledger, request(1, { flight: "k" }), async () => {
      throw new Error("gone");
    });
    expect(await start(ledger, request(1, { flight: "k" }), telling())).toEqual([MODEL]);
  });

  it("are begun anew when the leader does not answer", async () => {
    const { ledger } = await open(undefined);
    await start(ledger, request(1, { flight: "k" }), () => new Promise(() => undefined));
    expect(await start(ledger, request(1, { flight: "k" }), telling())).toEqual([MODEL]);
  });
});

describe("a model that one isolate found failing", () => {
  it("is left alone by all others of the tenant, and by no other tenant's", async () => {
    const { ledger } = await open(undefined);
    const other = await open(undefined);
    const first = request(1);
    await ledger.startCall(first, undefined);
    const known = await ledger.conclude({
      settled: [{ id: first.id, spent: [], opened: [MODEL] }],
      answers: [],
      audit: [],
    });
    // An isolate whose answers need no leave hears of it so, with the account of its last one.
    expect(known).toEqual([[MODEL, expect.any(Number)]]);
    expect(await ledger.conclude({ settled: [], answers: [], audit: [] })).toHaveLength(1);
    const told = await ledger.startCall(request(1), undefined);
    expect(told).toMatchObject({ type: "lead", models: [MODEL], open: [[MODEL, expect.any(Number)]] });
    expect(await other.ledger.startCall(request(1), undefined)).not.toHaveProperty("open");
  });
});
