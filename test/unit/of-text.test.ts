import { expect, it } from "vitest";
import { ofText } from "../../workers/answer/of-text.ts";

/** The length of a text, with what was asked for in turn. */
function lengths(most: number) {
  const made: string[] = [];
  const of = ofText(most, (text) => {
    made.push(text);
    return { length: text.length };
  });
  return { of, made };
}

it("makes what it gives of a text once, and of each text its own", () => {
  const { of, made } = lengths(100);
  expect([of("one").length, of("three").length, of("one").length]).toEqual([3, 5, 3]);
  expect(made).toEqual(["one", "three"]);
});

it("forgets when it has too much, and never keeps what is longer than that", () => {
  const { of, made } = lengths(8);
  for (const text of ["one", "three", "seven", "seven", "one", "much longer", "one"]) of(text);
  expect(made).toEqual(["one", "three", "seven", "one", "much longer"]);
});
