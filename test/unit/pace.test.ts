import { describe, expect, it } from "vitest";
import { makePace, type Pace } from "../../ingest/pipeline/pace.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

const signal = new AbortController().signal;

/** A clock that moves only when told to, or when something waits. */
function clock(): {
  now: () => number;
  wait: (ms: number) => Promise<void>;
  waits: number[];
  pass: (ms: number) => void;
} {
  let time = 0;
  const waits: number[] = [];
  return {
    now: () => time,
    async wait(ms) {
      waits.push(ms);
      time += ms;
    },
    waits,
    pass: (ms) => void (time += ms),
  };
}

function limited(retryAfterMs?: number): QuaysideError {
  return new QuaysideError("rate_limited", "slow down", { retryAfterMs });
}

/** Calls that each take so long. */
async function calls(
  pace: Pace,
  time: ReturnType<typeof clock>,
  durations: readonly number[],
): Promise<void> {
  for (const ms of durations) await pace.run(10, async () => (time.pass(ms), {}));
}

describe("the pace of calls", () => {
  it("begins with 4 and grows by one with each good call, up to the most", async () => {
    const time = clock();
    const pace = makePace({ most: 6, ...time, signal });
    expect(pace.limit).toBe(4);
    await calls(pace, time, [100]);
    expect(pace.limit).toBe(5);
    await calls(pace, time, [100, 100]);
    expect(pace.limit).toBe(6);
  });

  it("shrinks by one when a call takes more than three times as long as the quickest", async () => {
    const time = clock();
    const pace = makePace({ most: 8, ...time, signal });
    await calls(pace, time, [100, 301]);
    expect(pace.limit).toBe(4);
  });

  it("waits as long as a limit says, makes the call again, and halves once for calls under way together", async () => {
    const time = clock();
    const pace = makePace({ most: 8, ...time, signal });
    const answers: Record<string, (QuaysideError | "ok")[]> = {
      a: [limited(1000), "ok"],
      b: [limited(1000), "ok"],
    };
    const call = (name: string) => async (): Promise<{ name: string; restMs?: number }> => {
      const next = answers[name]?.shift();
      if (next instanceof QuaysideError) throw next;
      return { name };
    };
    expect(await Promise.all([pace.run(1, call("a")), pace.run(1, call("b"))])).toEqual([
      { name: "a" },
      { name: "b" },
    ]);
    expect(time.waits[0]).toBe(1000);
    // 4 halved, then two good calls.
    expect(pace.limit).toBe(4);
  });

  it("makes the next call wait when nothing is left until then", async () => {
    const time = clock();
    const pace = makePace({ most: 8, ...time, signal });
    await pace.run(1, async () => ({ restMs: 700 }));
    await pace.run(1, async () => ({}));
    expect(time.waits).toEqual([700]);
  });

  it.each([
    ["a limit without an end", limited()],
    ["a limit that lasts for more than ten minutes", limited(600_001)],
    ["any other failure", new QuaysideError("embedder_unavailable", "down")],
  ])("passes on %s", async (_, error) => {
    const time = clock();
    const pace = makePace({ most: 8, ...time, signal });
    await expect(pace.run(1, () => Promise.reject(error))).rejects.toBe(error);
  });
});
