import { expect, it } from "vitest";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { IndexQuery } from "../../shared/ports/vector-index.ts";
import { outsideIndex, type Near } from "../../shared/indexes/outside.ts";
import { evidence } from "../fakes/ask-world.ts";

const QUERY: IndexQuery = {
  vector: Float32Array.of(1, 0),
  text: "bow door",
  topK: 4,
  fusionWeight: 1,
  filter: { classes: ["a"], tables: undefined },
};

const FOUND: readonly Evidence[] = ["1", "2", "3", "4"].map((key) => evidence(key, "berth", { score: 0.7 }));

async function ask(hits: number, maxTopK: number, confirmed: (near: Near | undefined) => number = () => 4) {
  const asked: number[] = [];
  const legs: (Near | undefined)[] = [];
  const index = outsideIndex(
    {
      maxTopK,
      async query({ topK }) {
        asked.push(topK);
        return Array.from({ length: Math.min(topK, hits) }, (_, i) => ({ id: `s${i}`, score: 1 / (i + 1) }));
      },
    },
    {
      async query({ near, vector }) {
        legs.push(near);
        expect(vector).toHaveLength(0);
        return { evidence: FOUND.slice(0, confirmed(near)) };
      },
    },
  );
  const matches = await index.query(QUERY, new AbortController().signal);
  return { asked, legs, matches };
}

it("asks the outside index for enough to fuse, within what it allows", async () => {
  expect((await ask(1, 10_000)).asked).toEqual([50]);
  expect((await ask(1, 20)).asked).toEqual([20]);
});

/** Of the first 50 hits, one too few is still there. */
const gone = (near: Near | undefined): number => ((near?.ids.length ?? 0) > 50 ? 4 : 3);

it("asks for more when of those hits too few are still there to fill the list", async () => {
  const again = await ask(10_000, 10_000, gone);
  expect(again.asked).toEqual([50, 1000]);
  expect(again.matches).toHaveLength(4);
  // All that there is has been asked for.
  expect((await ask(49, 10_000, gone)).asked).toEqual([50]);
  expect((await ask(10_000, 50, gone)).asked).toEqual([50]);
});

it("hands its hits to the registry's lexical leg, and says whether they are all", async () => {
  expect((await ask(2, 10_000)).legs).toEqual([
    {
      ids: ["s0", "s1"],
      scores: Float64Array.of(1, 0.5),
      whole: true,
    },
  ]);
  expect((await ask(100, 100)).legs[0]?.whole).toBe(false);
});

it("gives what the registry confirmed, with its evidence", async () => {
  const { matches } = await ask(1, 100);
  expect(matches.map(({ score, evidence: item }) => [item?.row, score])[0]).toEqual(["notices:1", 0.7]);
});
