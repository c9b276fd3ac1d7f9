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

async function ask(hits: number, maxTopK: number) {
  const asked: number[] = [];
  const legs: (Near | undefined)[] = [];
  const found: readonly Evidence[] = [evidence("1", "berth", { score: 0.7 })];
  const index = outsideIndex(
    {
      maxTopK,
      async query({ topK }) {
        asked.push(topK);
        return Array.from({ length: hits }, (_, i) => ({ id: `s${i}`, score: 1 / (i + 1) }));
      },
    },
    {
      async query({ near, vector }) {
        legs.push(near);
        expect(vector).toHaveLength(0);
        return { evidence: found };
      },
    },
  );
  const matches = await index.query(QUERY, new AbortController().signal);
  return { asked, legs, matches };
}

it("asks the outside index for enough to fuse, within what it allows", async () => {
  expect((await ask(1, 10_000)).asked).toEqual([200]);
  expect((await ask(1, 100)).asked).toEqual([100]);
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
  expect(matches.map(({ score, evidence: item }) => [item?.row, score])).toEqual([["notices:1", 0.7]]);
});
