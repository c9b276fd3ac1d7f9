import { expect, it } from "vitest";
import { estimateTokens } from "../../shared/tokens.ts";

it.each([
  ["", 0],
  ["hello world", 2],
  ["a b c d e f g h i j", 10],
  ["internationalisation", 4],
  ["It rains.", 3],
  ["1234567", 3],
  ["déjà vu", 2],
  ["東京", 2],
  ["👍", 2],
  ["a".padEnd(17), 3],
])("estimates %j as %i tokens", (text, tokens) => {
  expect(estimateTokens(text)).toBe(tokens);
});

it("never estimates more tokens than UTF-16 units", () => {
  for (const text of ["éééé", "a é 1 東 👍🏽", "x".repeat(1000), "é".repeat(1000)]) {
    expect(estimateTokens(text)).toBeLessThanOrEqual(text.length);
  }
});
