import { describe, expect, it } from "vitest";
import { makeModelHealth } from "../../workers/answer/health.ts";

const MODEL = "a/one";

/** A health with a clock that stands still until it is moved. */
function started() {
  let now = Date.UTC(2026, 10, 23);
  const health = makeModelHealth(() => now);
  const ends = (ok: boolean, times: number): void => {
    for (let i = 0; i < times; i++) health.ended(MODEL, ok);
  };
  return { health, ends, pass: (ms: number) => void (now += ms) };
}

describe("circuit of a model", () => {
  it("opens after five failures in a row, not after four", () => {
    const { health, ends } = started();
    ends(false, 4);
    expect(health.gate(MODEL)).toBe("closed");
    expect(health.ended(MODEL, false)).toBe(true);
    expect(health.gate(MODEL)).toBe("open");
  });

  it("opens when half of ten in 30 s failed", () => {
    const { health } = started();
    for (let i = 0; i < 4; i++) {
      health.ended(MODEL, true);
      health.ended(MODEL, false);
    }
    health.ended(MODEL, true);
    expect(health.gate(MODEL)).toBe("closed");
    health.ended(MODEL, false);
    expect(health.gate(MODEL)).toBe("open");
  });

  it("forgets what is older than 30 s", () => {
    const { health, ends, pass } = started();
    ends(true, 1);
    for (let i = 0; i < 4; i++) {
      ends(false, 1);
      ends(true, 1);
    }
    pass(30_000);
    ends(false, 1);
    expect(health.gate(MODEL)).toBe("closed");
  });

  it("lets one probe through in 30 s", () => {
    const { health, ends, pass } = started();
    ends(false, 5);
    pass(29_999);
    expect(health.gate(MODEL)).toBe("open");
    pass(1);
    expect([health.gate(MODEL), health.gate(MODEL)]).toEqual(["probe", "open"]);
    pass(30_000);
    expect([health.gate(MODEL), health.gate(MODEL)]).toEqual(["probe", "open"]);
  });

  it("closes after two good probes in a row", () => {
    const { health, ends, pass } = started();
    ends(false, 5);
    for (const ok of [true, false, true, true]) {
      expect(health.gate(MODEL)).toBe("open");
      pass(30_000);
      expect(health.gate(MODEL)).toBe("probe");
      health.ended(MODEL, ok);
    }
    expect(health.gate(MODEL)).toBe("closed");
  });

  it("is each model's own", () => {
    const { health, ends } = started();
    ends(false, 5);
    expect(health.gate("b/two")).toBe("closed");
  });

  it("says how long until the next probe", () => {
    const { health, ends, pass } = started();
    expect(health.waitMs(MODEL)).toBe(0);
    ends(false, 5);
    pass(10_000);
    expect(health.waitMs(MODEL)).toBe(20_000);
  });
});

describe("retry budget of a model", () => {
  it("is spent by an outage: of 1,000 failed calls, four may be repeated", () => {
    const { health } = started();
    let repeated = 0;
    for (let i = 0; i < 1000; i++) {
      health.called(MODEL, false);
      if (health.mayRetry(MODEL)) repeated += 1;
    }
    expect(repeated).toBe(4);
  });

  it("lasts for a model whose every second call fails", () => {
    const { health } = started();
    for (let i = 0; i < 1000; i++) {
      health.called(MODEL, false);
      expect(health.mayRetry(MODEL)).toBe(true);
      health.called(MODEL, true);
    }
  });

  it("is back with good calls", () => {
    const { health } = started();
    for (let i = 0; i < 20; i++) health.called(MODEL, false);
    for (let i = 0; i < 5; i++) health.called(MODEL, true);
    expect(health.mayRetry(MODEL)).toBe(false);
    health.called(MODEL, true);
    expect(health.mayRetry(MODEL)).toBe(true);
  });

  it("allows no second try of a probe", () => {
    const { health, ends, pass } = started();
    ends(false, 5);
    pass(30_000);
    health.gate(MODEL);
    expect(health.mayRetry(MODEL)).toBe(false);
  });
});
