import { describe, expect, it } from "vitest";
import { ADMISSION, CAFE, CONFIG, GOOD, makeWorld, SECRET, tell } from "../fakes/ask-world.ts";
import { saying, scriptedProvider } from "../fakes/scripted-provider.ts";

describe("ask: when a model fails", () => {
  it("tries once more, then the next, before the first token", async () => {
    const first = scriptedProvider([{ fail: "no_provider_available" }]);
    const world = makeWorld({ "a/one": first, "b/two": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer).toMatchObject({
      outcome: "answered",
      model: "b/two",
      attempts: [
        { model: "a/one", outcome: "no_provider_available" },
        { model: "a/one", outcome: "no_provider_available" },
        { model: "b/two", outcome: "ok" },
      ],
    });
    expect(world.waits).toEqual([100]);
  });

  it("keeps no stand-in's answer", async () => {
    const world = makeWorld({
      "a/one": scriptedProvider([{ fail: "no_provider_available" }]),
      "b/two": saying(GOOD),
    });
    await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(world.cached.size).toBe(0);
  });

  it("recovers on the second try", async () => {
    const flaky = scriptedProvider([{ fail: "provider_bad_response" }], [{ say: GOOD }, { finish: "stop" }]);
    const { answer } = await tell(makeWorld({ "a/one": flaky }));
    expect(answer?.attempts.map((attempt) => attempt.outcome)).toEqual(["provider_bad_response", "ok"]);
  });

  it("waits as long as it is told, when that is short", async () => {
    const limited = scriptedProvider(
      [{ fail: "rate_limited", retryAfterMs: 1500 }],
      [{ say: GOOD }, { finish: "stop" }],
    );
    const world = makeWorld({ "a/one": limited });
    expect((await tell(world)).answer?.outcome).toBe("answered");
    expect(world.waits).toEqual([1500]);
  });

  it("waits for nobody who asks for long", async () => {
    const limited = scriptedProvider([{ fail: "rate_limited", retryAfterMs: 60_000 }]);
    const world = makeWorld({ "a/one": limited, "b/two": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.model).toBe("b/two");
    expect(limited.requests).toHaveLength(1);
    expect(world.waits).toEqual([]);
  });

  it.each([
    ["provider_rejected", "provider_rejected"],
    ["prompt_too_large", "prompt_too_large"],
  ] as const)("ends with %s: no model would take the request", async (fail, code) => {
    const refusing = scriptedProvider([{ fail }]);
    const other = saying(GOOD);
    const world = makeWorld({ "a/one": refusing, "b/two": other });
    expect((await tell(world, { model: "a/one", fallbacks: ["b/two"] })).failure).toBe(code);
    expect([refusing.requests.length, other.requests.length]).toEqual([1, 0]);
  });

  it.each(["provider_unreachable", "provider_misconfigured", "provider_reported_error"] as const)(
    "goes to the next model at once after %s",
    async (fail) => {
      const failing = scriptedProvider([{ fail }]);
      const world = makeWorld({ "a/one": failing, "b/two": saying(GOOD) });
      const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
      expect(answer?.model).toBe("b/two");
      expect(failing.requests).toHaveLength(1);
      expect(world.waits).toEqual([]);
    },
  );

  it("tries once more to reach the only model there is", async () => {
    const flaky = scriptedProvider([{ fail: "provider_unreachable" }], [{ say: GOOD }, { finish: "stop" }]);
    expect((await tell(makeWorld({ "a/one": flaky }), { model: "a/one" })).answer?.outcome).toBe("answered");
  });

  it("tells an operator of a key that is not right", async () => {
    const world = makeWorld({ "a/one": scriptedProvider([{ fail: "provider_misconfigured" }]) });
    await tell(world, { model: "a/one" });
    expect(world.logs).toContainEqual({
      level: "error",
      event: "model-failed",
      model: "a/one",
      code: "provider_misconfigured",
    });
  });

  it("takes only a model that reads more after a prompt that was too long", async () => {
    const small = scriptedProvider([{ fail: "context_too_long" }]);
    const same = saying(GOOD);
    const world = makeWorld({ "a/one": small, "b/two": same, "e/large": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two", "e/large"] });
    expect(answer?.model).toBe("e/large");
    expect([small.requests.length, same.requests.length]).toEqual([1, 0]);
  });

  it("says context_too_long when no permitted model reads more", async () => {
    const small = scriptedProvider([{ fail: "context_too_long" }]);
    const world = makeWorld({ "a/one": small, "b/two": saying(GOOD) });
    const { failure } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(failure).toBe("context_too_long");
  });

  it("leaves a model alone that failed five questions in a row, and says how long", async () => {
    const down = scriptedProvider([{ fail: "no_provider_available" }]);
    const world = makeWorld({ "a/one": down });
    for (let i = 0; i < 5; i++) await tell(world, { model: "a/one" });
    const calls = down.requests.length;
    // Second tries of the first two questions; then the budget for them is used up.
    expect(calls).toBe(7);
    world.now += 10_000;
    expect(await tell(world, { model: "a/one" })).toMatchObject({
      failure: "no_provider_available",
      retryAfterMs: 20_000,
    });
    expect(down.requests).toHaveLength(calls);
    world.now += 20_000;
    await tell(world, { model: "a/one" });
    // A probe is one call.
    expect(down.requests).toHaveLength(calls + 1);
    expect(world.logs.filter(({ event }) => event === "model-circuit-opened")).toHaveLength(1);
  });

  it("tells the ledger of a model whose circuit opens, once", async () => {
    const world = makeWorld({ "a/one": scriptedProvider([{ fail: "no_provider_available" }]) });
    for (let i = 0; i < 6; i++) await tell(world, { model: "a/one" });
    expect(world.opened).toEqual(["a/one"]);
  });

  it("leaves alone what another isolate found failing, for the next or with the time until then", async () => {
    const down = saying(GOOD);
    const world = makeWorld({ "a/one": down, "b/two": saying(GOOD) });
    world.start = ({ calls }) => ({
      type: "lead",
      models: calls.map(({ model }) => model),
      open: [["a/one", 7000]],
    });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.attempts).toEqual([
      { model: "a/one", outcome: "circuit_open" },
      { model: "b/two", outcome: "ok" },
    ]);
    expect(await tell(world, { model: "a/one" })).toMatchObject({
      failure: "no_provider_available",
      retryAfterMs: 7000,
    });
    expect(down.requests).toHaveLength(0);
  });

  it("leaves it alone as well where the ledger is not asked, by what it told after the answer before", async () => {
    const down = saying(GOOD);
    const world = makeWorld({ "a/one": down, "b/two": saying(GOOD) });
    world.circuits.learn([["a/one", 7000]]);
    const unshared = { model: "a/one", fallbacks: ["b/two"], cache: "bypass" } as const;
    const { answer } = await tell(world, unshared);
    expect(answer?.attempts).toEqual([
      { model: "a/one", outcome: "circuit_open" },
      { model: "b/two", outcome: "ok" },
    ]);
    expect(world.trips).toEqual(["admit", "retrieve", "settle-call"]);
    world.now += 7000;
    // The probe, and the answer that closes the circuit after another one.
    for (const wait of [0, 30_000]) {
      world.now += wait;
      expect((await tell(world, unshared)).answer?.model).toBe("a/one");
    }
    expect(world.circuits.told()).toEqual([]);
  });

  it("always recovers a model whose every second call fails, and never opens its circuit", async () => {
    const script = [{ say: GOOD }, { finish: "stop" }] as const;
    const fails = [{ fail: "no_provider_available" }] as const;
    const scripts = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? fails : script));
    const world = makeWorld({ "a/one": scriptedProvider(...scripts) });
    for (let i = 0; i < 100; i++) {
      expect((await tell(world, { model: "a/one", cache: "bypass" })).answer?.outcome).toBe("answered");
    }
  });

  it("calls providers three times at most", async () => {
    const down = scriptedProvider([{ fail: "no_provider_available" }]);
    const world = makeWorld({ "a/one": down, "b/two": down, "c/all": down });
    const { failure } = await tell(world, { model: "a/one", fallbacks: ["b/two", "c/all"] });
    expect(failure).toBe("no_provider_available");
    expect(down.requests).toHaveLength(3);
  });

  it("tells a provider's rate limit as unavailability: it is not the caller's", async () => {
    const limited = scriptedProvider([{ fail: "rate_limited", retryAfterMs: 60_000 }]);
    expect((await tell(makeWorld({ "a/one": limited }), { model: "a/one" })).failure).toBe(
      "no_provider_available",
    );
  });

  it("leaves a model that does not begin in time, at once for the next", async () => {
    const silent = scriptedProvider([{ hang: true }]);
    const world = makeWorld({ "a/one": silent, "b/two": saying(GOOD) });
    const { answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
    expect(answer?.attempts).toEqual([
      { model: "a/one", outcome: "deadline_exceeded" },
      { model: "b/two", outcome: "ok" },
    ]);
    expect(silent.aborted()).toBe(1);
  });

  it("ends with deadline_exceeded when nobody else is left", async () => {
    const world = makeWorld({ "a/one": scriptedProvider([{ hang: true }]) });
    expect((await tell(world, { model: "a/one" })).failure).toBe("deadline_exceeded");
  });

  it.each([
    ["fails", { fail: "no_provider_available" }],
    ["hangs", { hang: true }],
  ] as const)(
    "ends an answer whose model %s in the middle: no other model goes on, nothing is kept",
    async (_, step) => {
      const other = saying(GOOD);
      const world = makeWorld({
        "a/one": scriptedProvider([{ say: "The east berth is closed " }, step]),
        "b/two": other,
      });
      const { failure, answer } = await tell(world, { model: "a/one", fallbacks: ["b/two"] });
      expect(failure).toBe("provider_stream_interrupted");
      expect(answer).toBeUndefined();
      expect(other.requests).toHaveLength(0);
      expect(world.cached.size).toBe(0);
    },
  );

  it("takes a stream without an end for an interrupted one", async () => {
    const world = makeWorld({ "a/one": scriptedProvider([{ say: GOOD }]) });
    expect((await tell(world)).failure).toBe("provider_stream_interrupted");
    expect(world.cached.size).toBe(0);
  });

  it("never sends restricted rows to whom they are barred, however the chain fails", async () => {
    const barred = saying(GOOD);
    const world = makeWorld({
      "c/all": scriptedProvider([{ fail: "no_provider_available" }]),
      "a/one": barred,
      "b/two": barred,
    });
    world.evidence = [SECRET, CAFE];
    world.admission = { ...ADMISSION, config: CONFIG };
    const { failure } = await tell(world, { model: "c/all", fallbacks: ["a/one", "b/two"] });
    expect(failure).toBe("no_provider_available");
    expect(barred.requests).toHaveLength(0);
  });
});
