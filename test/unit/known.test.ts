import { expect, it } from "vitest";
import { look } from "../../workers/index/known.ts";

/** A look-up of lengths that notes what it reads. */
function lengths(most: number): {
  readonly of: ReturnType<typeof look<string, number>>;
  readonly read: string[][];
} {
  const read: string[][] = [];
  const of = look<string, number>(
    most,
    (length = 0) => length,
    (words) => {
      read.push([...words]);
      return words.flatMap((word) => (word === "?" ? [] : [[word, word.length] as const]));
    },
  );
  return { of, read };
}

it("reads what it does not know, together, and nothing twice", () => {
  const { of, read } = lengths(100);
  expect(of(["one", "three"]).get("three")).toBe(5);
  const all = of(["one", "three", "seven"]);
  expect(["one", "seven"].map((word) => all.get(word))).toEqual([3, 5]);
  expect(read).toEqual([["one", "three"], ["seven"]]);
});

it("knows what there is not", () => {
  const { of, read } = lengths(100);
  expect(of(["?"]).get("?")).toBeUndefined();
  of(["?"]);
  expect(read).toEqual([["?"]]);
});

it("gives all that was asked for, and forgets it where it is too much to keep", () => {
  const { of, read } = lengths(6);
  expect([...of(["one", "three"]).values()]).toEqual([3, 5]);
  of(["one"]);
  of(["one"]);
  expect(read).toEqual([["one", "three"], ["one"]]);
});
