import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { MUTANTS } from "../deep/mutants.ts";

/** The rules themselves are broken in `test/deep/mutants.test.ts`, which takes a quarter of an hour: here only that they can be. */
const read = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), "utf8");

it.each(MUTANTS)("can be broken in the source as it is: $rule", ({ file, from, to }) => {
  const source = read(file);
  expect(source.split(from)).toHaveLength(2);
  expect(source.replace(from, () => to)).not.toBe(source);
});

it.each([...new Set(MUTANTS.map(({ test }) => test))])("names tests that there are: %s", (test) => {
  const source = read(test);
  const named = MUTANTS.filter((mutant) => mutant.test === test).map(({ caught }) => caught);
  // Names that are made of a table's values are not written out.
  const written = named.filter((name) => source.includes(name));
  expect(written.length).toBeGreaterThan(0);
});
