import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ADMISSION, CONFIG, makeWorld, tell, type Told } from "../fakes/ask-world.ts";
import { scriptedProvider, type Step } from "../fakes/scripted-provider.ts";

describe("ask: deadlines of a model", () => {
  const LIMITS = { headersTimeoutMs: 2000, firstTokenTimeoutMs: 7000, idleTimeoutMs: 4000 };

  /** Asks a model that follows these steps. @returns lets so many milliseconds go by, and says how it has ended, if it has. */
  function asking(...steps: readonly Step[]) {
    const world = makeWorld({ "a/one": scriptedProvider(steps) });
    world.admission = { ...ADMISSION, config: { ...CONFIG, limits: LIMITS } };
    let told: Told | undefined;
    const telling = tell(world, { model: "a/one", cache: "bypass" });
    void telling.then((end) => (told = end));
    return async (ms: number): Promise<string | undefined> => {
      await vi.advanceTimersByTimeAsync(ms);
      return told && (told.failure ?? told.answer?.outcome);
    };
  }

  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("the headers must come within theirs", async () => {
    const after = asking({ hang: true });
    expect(await after(1999)).toBeUndefined();
    expect(await after(1)).toBe("deadline_exceeded");
  });

  it("the first word must come within its own, counted from the call as well", async () => {
    const after = asking({ waitMs: 1500 }, { answering: true }, { hang: true });
    expect(await after(6999)).toBeUndefined();
    expect(await after(1)).toBe("deadline_exceeded");
  });

  it("every further word must come within a time of its own", async () => {
    const after = asking({ answering: true }, { waitMs: 6000 }, { say: "The east " }, { hang: true });
    expect(await after(9999)).toBeUndefined();
    expect(await after(1)).toBe("provider_stream_interrupted");
  });

  it("a model may think longer than its headers may take, and pause longer between words", async () => {
    const after = asking(
      { answering: true },
      { waitMs: 6000 },
      { say: "The east berth is closed " },
      { waitMs: 3500 },
      { say: "until 14 March 2026 [1]." },
      { finish: "stop" },
    );
    expect(await after(9500)).toBe("answered");
  });

  it("a model that does not say when it answers is given the headers' time for its first word only", async () => {
    const after = asking(
      { waitMs: 1900 },
      { say: "The east berth is closed " },
      { waitMs: 3500 },
      { say: "until 14 March 2026 [1]." },
      { finish: "stop" },
    );
    expect(await after(5400)).toBe("answered");
  });
});
