import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Config } from "../../shared/config.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import type { CallRequest } from "../../workers/tenant/api-answers.ts";
import { ADMISSION, CONFIG, makeWorld, tell } from "../fakes/ask-world.ts";
import { MODEL, open, request, settled, start } from "./calls-fixture.ts";

async function spent(ledger: LedgerApi, scope: string): Promise<number | undefined> {
  return (await ledger.budgets()).lines.find((line) => line.scope === scope)?.tokens;
}

async function refusal(ledger: LedgerApi, asked: CallRequest): Promise<unknown> {
  return ledger.startCall(asked, undefined).catch((error: unknown) => error);
}

/** The ledger's clock stands: nobody gives up waiting for money because the machine is busy. */
function stopClock(): void {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
}

describe("budgets", () => {
  it("count once what was spent before there were any", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 1000 } });
    const early = settled("early", [{ model: MODEL, tokens: 40, nanoUsd: 0 }]);
    await ledger.conclude(early);
    await ledger.conclude(early);
    expect([await spent(ledger, "tenant"), await spent(ledger, `model:${MODEL}`)]).toEqual([40, 40]);
  });

  it("count what calls cost that came to nothing, and not as answers", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 1000 } });
    const asked = request(100);
    await start(ledger, asked);
    await ledger.conclude({
      settled: [
        {
          id: asked.id,
          spent: [{ model: "b/two", tokens: 40, nanoUsd: 0 }],
          failed: [{ model: MODEL, tokens: 7, nanoUsd: 0 }],
        },
      ],
      answers: [],
      audit: [],
    });
    const lines = (await ledger.budgets()).lines.map(({ scope, tokens, answers }) => [
      scope,
      tokens,
      answers,
    ]);
    expect(lines).toEqual([
      ["tenant", 47, 1],
      [`model:${MODEL}`, 7, 0],
      ["model:b/two", 40, 1],
    ]);
  });

  it("hold anew for another call after one that was billed for nothing, once however often it is asked", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 1000 } });
    const asked = request(600);
    await start(ledger, asked);
    const failed = [{ model: MODEL, tokens: 100, nanoUsd: 0 }];
    for (let i = 0; i < 2; i++) {
      expect(await start(ledger, { ...asked, again: { turn: 1, failed } })).toEqual([MODEL]);
    }
    const tenant = async (): Promise<unknown> => (await ledger.budgets()).lines[0];
    expect(await tenant()).toMatchObject({ tokens: 100, heldTokens: 600, answers: 0 });
    await ledger.conclude(settled(asked.id, [{ model: MODEL, tokens: 50, nanoUsd: 0 }]));
    expect(await tenant()).toMatchObject({ tokens: 150, heldTokens: 0, answers: 1 });
  });

  it("refuse another call that what is left could not pay for, and count the one before", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 1000 } });
    const asked = request(600);
    await start(ledger, asked);
    const again = { turn: 1, failed: [{ model: MODEL, tokens: 500, nanoUsd: 0 }] };
    for (let i = 0; i < 2; i++) {
      expect(await start(ledger, { ...asked, again })).toBe("budget_exhausted");
    }
    await ledger.conclude(settled(asked.id, []));
    expect((await ledger.budgets()).lines[0]).toMatchObject({ tokens: 500, heldTokens: 0, answers: 0 });
    expect(await start(ledger, request(500))).toEqual([MODEL]);
  });

  it("let another call wait for what others hold", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 1000 } });
    const [asked, other] = [request(500), request(500)];
    await start(ledger, asked);
    await start(ledger, other);
    const again = { turn: 1, failed: [{ model: MODEL, tokens: 100, nanoUsd: 0 }] };
    const waiting = start(ledger, { ...asked, again });
    await ledger.conclude(settled(other.id, [{ model: MODEL, tokens: 50, nanoUsd: 0 }]));
    expect(await waiting).toEqual([MODEL]);
    expect((await ledger.budgets()).lines[0]).toMatchObject({ tokens: 150, heldTokens: 500 });
  });

  it("never spend over the cap and refuse nobody while money is left: 200 at once", async () => {
    stopClock();
    const cap = 10_000;
    const { ledger } = await open({ tenant: { tokensPerDay: cap } });
    let committed = 0;
    let most = 0;
    let largest = 0;
    const refused: number[] = [];
    // Each holds 100 and uses 20 to 100, so that much of what is held comes back.
    const one = async (i: number): Promise<void> => {
      const asked = request(100);
      const models = await start(ledger, asked);
      if (models === "budget_exhausted") {
        refused.push(i);
        return;
      }
      expect(models).toEqual([MODEL]);
      const tokens = 20 + ((i * 37) % 81);
      committed += tokens;
      most = Math.max(most, committed);
      largest = Math.max(largest, tokens);
      await ledger.conclude(settled(asked.id, [{ model: MODEL, tokens, nanoUsd: tokens * 1000 }]));
    };
    await Promise.all(Array.from({ length: 200 }, (_, i) => one(i)));
    expect(most).toBeLessThanOrEqual(cap);
    expect(await spent(ledger, "tenant")).toBe(committed);
    expect(refused.length).toBeGreaterThan(0);
    // What is left would not have paid for one more.
    expect(cap - committed).toBeLessThan(100);
    expect((await ledger.budgets()).lines[0]).toMatchObject({
      scope: "tenant",
      heldTokens: 0,
      heldNanoUsd: 0,
    });
  });

  it("hold through the whole read path: 1,000 questions at once, whatever their answers are billed", async () => {
    // 1 dollar a million tokens in and 10 out: a question holds about 0.013 dollars, and is billed a tenth of it and more.
    stopClock();
    const capNano = 500_000_000;
    const { ledger } = await open({ tenant: { usdPerDay: capNano / 1e9 } });
    let n = 0;
    const model: ChatProvider = {
      async *stream() {
        n += 1;
        yield { type: "text-delta", text: "The east berth is closed until 14 March 2026 [1]." };
        const usage = { inputTokens: 500 + ((n * 613) % 2000), outputTokens: 50 + ((n * 71) % 975) };
        yield { type: "finish", reason: "stop", usage };
      },
    };
    const world = makeWorld({ "a/one": model });
    world.admission = { ...ADMISSION, config: { ...CONFIG, limits: {} } };
    world.ledger = ledger;
    const failures = await Promise.all(
      Array.from({ length: 1000 }, async (_, i) => {
        const { failure } = await tell(world, { text: `Until when is berth ${i} closed?`, model: "a/one" });
        return failure;
      }),
    );
    await Promise.all(world.deferred);
    const refused = failures.filter((failure) => failure !== undefined);
    expect(new Set(refused)).toEqual(new Set(["budget_exhausted"]));
    const [tenant] = (await ledger.budgets()).lines;
    expect(tenant?.nanoUsd).toBeLessThanOrEqual(capNano);
    expect(tenant?.heldNanoUsd).toBe(0);
    // What is left would not have paid for one more.
    const least = Math.min(...world.calls.flatMap(({ calls }) => calls.map(({ nanoUsd }) => nanoUsd)));
    expect(capNano - (tenant?.nanoUsd ?? 0)).toBeLessThan(least);
    expect(refused).toHaveLength(1000 - (tenant?.answers ?? 0));
  });

  it("refuse nobody of 100 at once when there is exactly enough", async () => {
    stopClock();
    const { ledger } = await open({ tenant: { usdPerDay: 0.01 } });
    const codes = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const asked = request(100);
        const models = await start(ledger, asked);
        await ledger.conclude(settled(asked.id, asked.calls));
        return models;
      }),
    );
    expect(codes.filter((code) => code === "budget_exhausted")).toEqual([]);
    expect((await ledger.budgets()).lines[0]).toMatchObject({
      nanoUsd: 10_000_000,
      nanoUsdPerDay: 10_000_000,
    });
    expect(await start(ledger, request(1))).toBe("budget_exhausted");
  });

  it.each<[string, Config["budgets"], Partial<CallRequest>]>([
    ["a caller's own", { principal: { tokensPerDay: 100 } }, { subject: "ben" }],
    ["a named caller's", { principals: { ana: { tokensPerDay: 100 } } }, { subject: "ben" }],
    ["a group's", { groups: { ops: { tokensPerDay: 100 } } }, { groups: ["hr"] }],
    [
      "a model's",
      { models: { [MODEL]: { tokensPerDay: 100 } } },
      { calls: [{ model: "b/two", tokens: 100, nanoUsd: 0 }] },
    ],
  ])("%s is spent by whom it is for, and by nobody else", async (_, budgets, other) => {
    const { ledger } = await open(budgets);
    const first = request(100);
    expect(await start(ledger, first)).toEqual([MODEL]);
    await ledger.conclude(settled(first.id, first.calls));
    expect(await start(ledger, request(1))).toBe("budget_exhausted");
    expect(await start(ledger, request(100, other))).not.toBe("budget_exhausted");
  });

  it("a named caller's stands in the place of each caller's", async () => {
    const { ledger } = await open({
      principal: { tokensPerDay: 10 },
      principals: { ana: { tokensPerDay: 100 } },
    });
    expect(await start(ledger, request(100))).toEqual([MODEL]);
    expect(await start(ledger, request(100, { subject: "ben" }))).toBe("budget_exhausted");
  });

  it("say when they are there again", async () => {
    stopClock();
    const { ledger } = await open({ tenant: { tokensPerDay: 10 } });
    const error = await refusal(ledger, request(11));
    const now = Date.now();
    const midnight = (Math.floor(now / 86_400_000) + 1) * 86_400_000;
    expect(error).toMatchObject({ code: "budget_exhausted" });
    const off = error instanceof QuaysideError ? (error.retryAfterMs ?? 0) - (midnight - now) : Number.NaN;
    expect(Math.abs(off)).toBeLessThan(5000);
    expect(error).toHaveProperty("message", expect.stringContaining(new Date(midnight).toISOString()));
  });

  it("leave out a stand-in that is spent, and the preferred model when only the stand-in may be paid", async () => {
    const { ledger } = await open({ models: { [MODEL]: { tokensPerDay: 10 } } });
    const other = { model: "b/two", tokens: 50, nanoUsd: 0 };
    const own = { model: MODEL, tokens: 50, nanoUsd: 0 };
    const free = { model: "local/compose", tokens: 0, nanoUsd: 0 };
    expect(await start(ledger, request(0, { calls: [other, own] }))).toEqual(["b/two"]);
    expect(await start(ledger, request(0, { calls: [own, other, free] }))).toEqual([
      "b/two",
      "local/compose",
    ]);
  });

  it("wait for what others hold, and take it in the order of arrival", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 100 } });
    const first = request(100);
    await start(ledger, first);
    const order: string[] = [];
    const waiting = ["b", "c"].map(async (name) => {
      const asked = request(50);
      await start(ledger, asked);
      order.push(name);
    });
    await ledger.conclude(settled(first.id, []));
    await Promise.all(waiting);
    expect(order).toEqual(["b", "c"]);
  });

  it("hold once for a repeated call, and count a repeated settlement once", async () => {
    const { ledger } = await open({ tenant: { tokensPerDay: 100 } });
    const asked = request(60);
    expect(await start(ledger, asked)).toEqual([MODEL]);
    expect(await start(ledger, asked)).toEqual([MODEL]);
    await ledger.conclude(settled(asked.id, asked.calls));
    await ledger.conclude(settled(asked.id, asked.calls));
    expect(await spent(ledger, "tenant")).toBe(60);
  });

  it("free what nobody settled, and still count it when it comes late", async () => {
    const { ledger, sql } = await open({ tenant: { tokensPerDay: 100 } });
    const lost = request(100);
    await start(ledger, lost);
    await sql("UPDATE holds SET until = 0");
    const after = request(40);
    expect(await start(ledger, after)).toEqual([MODEL]);
    await ledger.conclude(settled(after.id, after.calls));
    await ledger.conclude(settled(lost.id, [{ model: MODEL, tokens: 30, nanoUsd: 0 }]));
    expect(await spent(ledger, "tenant")).toBe(70);
    expect((await ledger.budgets()).lines[0]).toMatchObject({ heldTokens: 0 });
  });

  it("begin anew with the day", async () => {
    const { ledger, sql } = await open({ tenant: { tokensPerDay: 100 } });
    const asked = request(100);
    await start(ledger, asked);
    await ledger.conclude(settled(asked.id, asked.calls));
    expect(await start(ledger, request(1))).toBe("budget_exhausted");
    await sql("UPDATE spending SET day = '2026-01-01'");
    expect(await start(ledger, request(100))).toEqual([MODEL]);
  });

  it("where there are none, what is spent is counted all the same", async () => {
    const { ledger } = await open(undefined);
    const asked = request(60);
    expect(await start(ledger, asked)).toEqual([MODEL]);
    await ledger.conclude(settled(asked.id, asked.calls));
    expect((await ledger.budgets()).lines.map(({ scope, tokens }) => [scope, tokens])).toEqual([
      ["tenant", 60],
      [`model:${MODEL}`, 60],
    ]);
  });
});
