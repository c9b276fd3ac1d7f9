import { describe, expect, it } from "vitest";
import type { AnswerEvent } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { makeTelling } from "../../workers/answer/telling.ts";
import type { CallStart, Telling } from "../../workers/tenant/api-answers.ts";
import {
  ADMISSION,
  CONFIG,
  evidence,
  GOOD,
  makeWorld,
  MODEL,
  PRINCIPAL,
  QUESTION,
  tell,
  type World,
} from "../fakes/ask-world.ts";
import { saying, scriptedProvider, type ScriptedProvider } from "../fakes/scripted-provider.ts";

function budgeted(): typeof ADMISSION {
  return { ...ADMISSION, config: { ...CONFIG, budgets: { tenant: { usdPerDay: 1 } } } };
}

describe("ask: one call to the ledger before a model, one after", () => {
  it("asks, warm, the cache, the index, the ledger and the model, and settles and keeps afterwards", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    const before = ["admit", "cache-get", "retrieve", "start-call", "cache-get"];
    expect(world.trips).toEqual([...before, "cache-put", "cache-put", "settle-call"]);
  });

  it("names the caller, and the most that each model may spend", async () => {
    const world = makeWorld({ "a/one": saying(GOOD), "b/two": saying(GOOD) });
    await tell(world, { model: "a/one", fallbacks: ["b/two", "local/compose"], maxOutputTokens: 500 });
    const [call] = world.calls;
    expect(call).toMatchObject({ subject: "u", groups: [] });
    expect(call?.calls.map(({ model }) => model)).toEqual(["a/one", "b/two", "local/compose"]);
    const [first, , free] = call?.calls ?? [];
    const input = (first?.tokens ?? 0) - 500;
    expect(input).toBeGreaterThan(100);
    // 1 and 10 dollars a million tokens.
    expect(first?.nanoUsd).toBe(input * 1000 + 500 * 10_000);
    expect(free).toMatchObject({ tokens: 0, nanoUsd: 0 });
  });

  it("holds what no tokenizer can go beyond: a token for each byte that the model reads", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    world.admission = withContext(200_000);
    world.evidence = [evidence("1", "Fermé jusqu’au 14 mars — 東京 👍🏽 ".repeat(40))];
    await tell(world, { model: "a/one" });
    const [request] = model.requests;
    const read = [request?.system ?? "", ...(request?.messages ?? []).map(({ content }) => content)].join("");
    const input = (world.calls[0]?.calls[0]?.tokens ?? 0) - 1024;
    expect(input).toBeGreaterThan(new TextEncoder().encode(read).byteLength);
    expect(input).toBeLessThan(new TextEncoder().encode(read).byteLength + 200);
  });

  it("holds no more than the model reads at all", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    world.admission = withContext(900);
    await tell(world, { model: "a/one" });
    expect(world.calls[0]?.calls[0]?.tokens).toBe(900 + 1024);
  });

  it("settles in full what is billed within what is held, and never more", async () => {
    const input = ((await billing(1)).calls[0]?.calls[0]?.tokens ?? 0) - 1024;
    expect((await billing(input)).spent[0]?.[0]?.tokens).toBe(input + 20);
    const beyond = await billing(input + 1);
    expect(beyond.spent[0]?.[0]?.tokens).toBeLessThan(input);
    expect(beyond.logs).toContainEqual({ level: "warn", event: "model-usage-absurd", model: "a/one" });
  });

  it("asks the model while its evidence is still being told", async () => {
    const model = saying(GOOD);
    const world = makeWorld({ "a/one": model });
    for await (const event of world.ask(QUESTION, PRINCIPAL, new AbortController().signal)) {
      expect(event.type).toBe("evidence");
      await expect.poll(() => model.requests.length).toBe(1);
      break;
    }
    // Whoever leaves then leaves nothing held.
    expect(world.spent).toHaveLength(1);
  });

  it("settles what the model says that it used", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    expect(world.spent).toEqual([[{ model: "a/one", tokens: 120, nanoUsd: 300_000 }]]);
  });

  it("settles before the end of the answer is fetched: a caller that has it does not come back", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    for await (const event of world.ask(QUESTION, PRINCIPAL, new AbortController().signal)) {
      if (event.type === "done") expect(world.spent).toHaveLength(1);
    }
    expect(world.spent).toHaveLength(1);
  });

  it("settles an estimate of what was sent and received when the answer broke off", async () => {
    const world = makeWorld({
      "a/one": scriptedProvider([{ say: GOOD }, { fail: "provider_bad_response" }]),
    });
    await tell(world, { model: "a/one" });
    expect(world.spent[0]?.[0]?.tokens).toBeGreaterThan(100);
    expect(world.spent[0]?.[0]?.tokens).toBeLessThan(1000);
  });

  it("settles what the model has told of its usage when the answer broke off", async () => {
    const steps = [{ used: 77 }, { say: GOOD }, { fail: "provider_bad_response" }] as const;
    const world = makeWorld({ "a/one": scriptedProvider(steps) });
    await tell(world, { model: "a/one" });
    const said = estimateTokens(GOOD);
    expect(world.spent[0]).toEqual([{ model: "a/one", tokens: 77 + said, nanoUsd: (77 + said * 10) * 1000 }]);
  });

  it("settles what a call is billed that came to nothing before its first word, beside the answer", async () => {
    const told = [{ answering: true }, { used: 77 }, { fail: "provider_reported_error" }] as const;
    const world = makeWorld({ "a/one": scriptedProvider(told), "b/two": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.model).toBe("b/two");
    expect(world.failed).toEqual([{ model: "a/one", tokens: 77, nanoUsd: 77_000 }]);
    expect(world.spent).toEqual([[{ model: "b/two", tokens: 120, nanoUsd: 300_000 }]]);
  });

  it("holds anew before another call where there are budgets, and tells what the one before is billed", async () => {
    const told = [{ answering: true }, { used: 77 }, { fail: "provider_reported_error" }] as const;
    const world = makeWorld({ "a/one": scriptedProvider(told), "b/two": saying(GOOD) });
    world.admission = budgeted();
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.model).toBe("b/two");
    const [first, second] = world.calls;
    expect(second).toEqual({
      ...first,
      calls: first?.calls.filter(({ model }) => model === "b/two"),
      flight: undefined,
      again: { turn: 1, failed: [{ model: "a/one", tokens: 77, nanoUsd: 77_000 }] },
    });
    expect([world.calls.length, world.failed]).toEqual([2, []]);
    expect(world.spent).toEqual([[{ model: "b/two", tokens: 120, nanoUsd: 300_000 }]]);
  });

  it("makes no other call that the budget does not pay for", async () => {
    const told = [{ answering: true }, { used: 77 }, { fail: "provider_bad_response" }] as const;
    const model = scriptedProvider(told);
    const world = makeWorld({ "a/one": model });
    world.admission = budgeted();
    world.start = ({ again }) => {
      if (again) throw new QuaysideError("budget_exhausted", "spent", { retryAfterMs: 5000 });
      return undefined;
    };
    expect(await tell(world, { model: "a/one" })).toMatchObject({
      failure: "budget_exhausted",
      retryAfterMs: 5000,
    });
    expect(model.requests).toHaveLength(1);
  });

  it("asks the ledger once where the call before was not billed", async () => {
    const world = makeWorld({
      "a/one": scriptedProvider([{ fail: "no_provider_available" }]),
      "b/two": saying(GOOD),
    });
    world.admission = budgeted();
    await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(world.calls).toHaveLength(1);
  });

  it.each([
    ["that broke off", [{ answering: true }, { fail: "no_provider_available" }], 2],
    ["that says nothing", [{ answering: true }, { hang: true }], 1],
    ["that the service refused", [{ fail: "no_provider_available" }], 0],
    ["that the service took, and then refused", [{ answering: true }, { fail: "rate_limited" }], 0],
    ["that the service never took", [{ hang: true }], 0],
  ] as const)(
    "estimates what a call read %s, unless it was not taken: %j, %i times",
    async (_, steps, calls) => {
      const world = makeWorld({ "a/one": scriptedProvider(steps) });
      await tell(world, { model: "a/one" });
      expect(world.failed).toHaveLength(calls);
      for (const { tokens, nanoUsd } of world.failed) {
        expect(tokens).toBeGreaterThan(100);
        expect(tokens).toBeLessThan(1000);
        // All of it input, at a dollar a million.
        expect(nanoUsd).toBe(tokens * 1000);
      }
      expect(world.spent).toEqual([[]]);
    },
  );

  it("estimates what a call read whose reader left before its first word", async () => {
    const model = scriptedProvider([{ answering: true }, { hang: true }]);
    const world = makeWorld({ "a/one": model });
    world.admission = { ...ADMISSION, config: { ...CONFIG, limits: {} } };
    const leave = new AbortController();
    const telling = tell(world, { model: "a/one" }, leave.signal);
    await expect.poll(() => model.requests.length).toBe(1);
    leave.abort();
    expect((await telling).failure).toBe("cancelled");
    expect(world.failed).toHaveLength(1);
  });

  it("settles nothing when no model began", async () => {
    const world = makeWorld({ "a/one": scriptedProvider([{ fail: "provider_rejected" }]) });
    await tell(world, { model: "a/one" });
    expect(world.spent).toEqual([[]]);
  });

  it("does not ask the ledger for a built-in answerer", async () => {
    const world = makeWorld({ "local/quote": saying(GOOD) });
    await tell(world, { model: "local/quote" });
    expect(world.calls).toEqual([]);
  });

  it("answers from the cache although the budget is spent", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.start = () => {
      throw new QuaysideError("budget_exhausted", "spent", { retryAfterMs: 5000 });
    };
    world.admission = { ...ADMISSION, generation: 5 };
    expect((await tell(world)).answer?.cache).toBe("evidence");
    expect((await tell(world, { maxOutputTokens: 9 })).failure).toBe("budget_exhausted");
  });

  it("asks the next model when the first one's budget is spent, says so, and keeps nothing", async () => {
    const world = makeWorld({ "a/one": saying(GOOD), "b/two": saying(GOOD) });
    world.start = () => ({ type: "lead", models: ["b/two"] });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.attempts).toEqual([
      { model: "a/one", outcome: "budget_exhausted" },
      { model: "b/two", outcome: "ok" },
    ]);
    expect(world.cached.size).toBe(0);
  });

  it("gives back what it was granted after it had left", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const leave = new AbortController();
    world.start = () => {
      leave.abort();
      return undefined;
    };
    expect((await tell(world, {}, leave.signal)).failure).toBe("cancelled");
    await Promise.all(world.deferred);
    expect(world.trips.at(-1)).toBe("settle-call");
    expect(world.spent).toEqual([[]]);
  });
});

function withContext(contextTokens: number): World["admission"] {
  const { models } = ADMISSION.config;
  const register = { "a/one": { ...MODEL, classes: ["public" as const], contextTokens } };
  return { ...ADMISSION, config: { ...ADMISSION.config, models: { ...models, aliases: {}, register } } };
}

/** After a question whose model bills so much for reading. */
async function billing(inputTokens: number): Promise<World> {
  const world = makeWorld({
    "a/one": scriptedProvider([{ say: GOOD }, { finish: "stop", inputTokens }]),
  });
  world.admission = withContext(200_000);
  await tell(world, { model: "a/one" });
  return world;
}

/** A ledger's flights in miniature: whoever asks while another is at it hears that one. */
function coalescing(world: World): void {
  let leading: Telling | undefined;
  world.joining = async (telling): Promise<CallStart | undefined> => {
    if (leading) {
      try {
        return { type: "follow", events: await leading() };
      } catch {
        leading = undefined;
      }
    }
    leading = telling;
    return undefined;
  };
}

/** A model that speaks once it is let. */
function held(text: string): { readonly model: ScriptedProvider; readonly speak: () => void } {
  const gate = Promise.withResolvers<void>();
  const inner = saying(text);
  return {
    speak: () => gate.resolve(),
    model: {
      ...inner,
      async *stream(request, signal) {
        await gate.promise;
        yield* inner.stream(request, signal);
      },
    },
  };
}

describe("ask: the same question at the same time", () => {
  it("is put to a model once, and told to all", async () => {
    const { model, speak } = held(GOOD);
    const world = makeWorld({ "a/one": model });
    world.admission = {
      ...ADMISSION,
      config: { ...ADMISSION.config, limits: { firstTokenTimeoutMs: 60_000 } },
    };
    coalescing(world);
    const asking = Array.from({ length: 10 }, () => tell(world));
    await expect.poll(() => world.trips.filter((trip) => trip === "cache-get").length).toBe(20);
    speak();
    const told = await Promise.all(asking);
    expect(model.requests).toHaveLength(1);
    expect(told.map(({ text, answer }) => [text, answer?.text])).toEqual(told.map(() => [GOOD, GOOD]));
    // Which of the ten comes first to the ledger, the digests' threads decide.
    const leading = told.find(({ answer }) => answer?.cache === "miss");
    const others = told.filter((one) => one !== leading);
    expect(others).toHaveLength(9);
    expect(others.map(({ answer }) => answer?.cache)).toEqual(others.map(() => "evidence"));
    expect(new Set(told.map(({ answer }) => answer?.id)).size).toBe(10);
    expect(others.every(({ answer }) => answer?.usage.costUsd === 0)).toBe(true);
    expect(others[3]?.events.map(({ type }) => type)).toEqual(leading?.events.map(({ type }) => type));
  });

  it("goes on by itself when whoever asked first is gone, and takes back the words that it heard", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    const told = makeTelling();
    told.push({ type: "delta", text: "The east " });
    told.end(false);
    let first = true;
    world.joining = async () => {
      if (!first) return undefined;
      first = false;
      return { type: "follow", events: await told.join() };
    };
    const { text, answer, events } = await tell(world);
    expect(answer?.cache).toBe("miss");
    expect(text).toBe(GOOD);
    expect(events.map(({ type }) => type)).toContain("retract");
    expect(world.calls).toHaveLength(2);
    expect(world.calls[1]?.flight).toBe(world.calls[0]?.flight);
  });

  it("is not shared by a question that passes the cache by", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world, { cache: "bypass" });
    expect(world.calls[0]?.flight).toBeUndefined();
  });

  it("is named by the rows: another row is another answer", async () => {
    const world = makeWorld({ "a/one": saying(GOOD) });
    await tell(world);
    world.cached.clear();
    world.evidence = world.evidence.slice(0, 1);
    await tell(world);
    world.cached.clear();
    await tell(world);
    const names = world.calls.map(({ flight }) => flight);
    expect(names[0]).not.toBe(names[1]);
    expect(names[1]).toBe(names[2]);
  });
});

function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(stream).text();
}

describe("telling", () => {
  const DELTA: AnswerEvent = { type: "delta", text: "é" };

  it("tells everything from the beginning, whenever somebody joins", async () => {
    const told = makeTelling();
    const early = textOf(await told.join());
    told.push(DELTA);
    const middle = textOf(await told.join());
    told.push({ type: "retract", from: 0 });
    told.end(true);
    const all = '{"type":"delta","text":"é"}\n{"type":"retract","from":0}\n';
    expect(await Promise.all([early, middle, textOf(await told.join())])).toEqual([all, all, all]);
  });

  it("fails where the answer came to nothing", async () => {
    const told = makeTelling();
    const early = textOf(await told.join());
    told.push(DELTA);
    told.end(false);
    await expect(early).rejects.toThrow();
  });
});
