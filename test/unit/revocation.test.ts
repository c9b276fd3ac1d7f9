import { describe, expect, it } from "vitest";
import { makeAdmissions } from "../../workers/admissions.ts";
import type { Admission, LedgerApi } from "../../workers/tenant/api.ts";
import { ADMISSION, BERTH, CAFE, GOOD, makeWorld, tell, type World } from "../fakes/ask-world.ts";
import { saying } from "../fakes/scripted-provider.ts";

/** Two isolates over one ledger, one registry and one cache, with one clock. */
function twoIsolates(): {
  readonly one: World;
  readonly two: World;
  change: (change: Partial<Admission>) => void;
} {
  let current = ADMISSION;
  let now = 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- nothing else of the ledger is asked for
  const ledger = { admit: async () => current } as unknown as LedgerApi;
  const isolate = (): World => {
    const admissions = makeAdmissions({ ledger: () => ledger, now: () => now });
    return makeWorld({ "a/one": saying(GOOD) }, undefined, undefined, admissions.admit);
  };
  const one = isolate();
  const two = Object.assign(isolate(), { cached: one.cached });
  const worlds = [one, two];
  for (const world of worlds) {
    Object.defineProperty(world, "now", {
      get: () => ADMISSION_TIME + now,
      set(to: number) {
        now = to;
      },
    });
  }
  return {
    one,
    two,
    change(change) {
      current = { ...current, ...change };
      for (const world of worlds) world.epoch = current.epoch;
    },
  };
}

const ADMISSION_TIME = Date.UTC(2026, 10, 23);
const REVOKED: Partial<Admission> = { epoch: 2, permitted: [], tables: [] };

describe("a grant that is revoked, in two isolates that remember it", () => {
  it("opens no cached answer any more, at once", async () => {
    const { one, two, change } = twoIsolates();
    await tell(one);
    expect((await tell(two)).answer?.cache).toBe("exact");
    change(REVOKED);
    for (const world of [one, two]) {
      world.evidence = [];
      expect((await tell(world)).answer).toMatchObject({ outcome: "no_evidence", citations: [] });
    }
  });

  it("is forgotten by both within 10 s", async () => {
    const { one, two, change } = twoIsolates();
    await tell(one);
    await tell(two);
    change(REVOKED);
    one.now = 10_000;
    const seen: number[] = [];
    for (const world of [one, two]) {
      world.evidence = [];
      await tell(world, { text: "Another question about the berth?" });
      seen.push(world.given.at(-1)?.asked.admission.permitted.length ?? -1);
    }
    expect(seen).toEqual([0, 0]);
  });
});

describe("a row that is gone", () => {
  it("is in no cached answer of either isolate, at once", async () => {
    const { one, two } = twoIsolates();
    await tell(one);
    await tell(two);
    for (const world of [one, two]) {
      world.holds = false;
      world.evidence = [CAFE];
    }
    const answers = [(await tell(one)).answer, (await tell(two)).answer];
    expect(answers.map((answer) => answer?.citations.map(({ id }) => id))).not.toContainEqual([BERTH.row]);
    expect(answers.map((answer) => answer?.cache)).not.toContain("exact");
  });
});
