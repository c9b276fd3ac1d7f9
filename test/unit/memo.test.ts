import { expect, it } from "vitest";
import { ofObject } from "../../shared/lazily.ts";
import { makeMemo, type Memo } from "../../workers/memo.ts";

function keysOf(memo: Memo<string>, keys: string): string {
  return keys
    .split("")
    .filter((key) => memo.get(key) !== undefined)
    .join("");
}

it("forgets when its time is up", () => {
  let now = 0;
  const memo = makeMemo<string>(() => now, 10);
  memo.set("a", "1");
  now = 9;
  expect(memo.get("a")).toBe("1");
  now = 10;
  expect(memo.get("a")).toBeUndefined();
});

it("holds so much, the oldest goes first, and what is renewed is new", () => {
  const memo = makeMemo<string>(
    () => 0,
    10,
    6,
    ({ length }) => length,
  );
  memo.set("a", "11");
  memo.set("b", "22");
  memo.set("c", "33");
  memo.set("a", "11");
  memo.set("d", "4");
  expect(keysOf(memo, "abcd")).toBe("acd");
  memo.set("e", "55555");
  expect(keysOf(memo, "abcde")).toBe("de");
  memo.set("f", "7777777");
  expect(keysOf(memo, "abcdef")).toBe("de");
  memo.set("d", "4444444");
  expect(keysOf(memo, "abcdef")).toBe("e");
});

it("lets go of what holds no longer, full or not", () => {
  let now = 0;
  const weighed: string[] = [];
  const memo = makeMemo<string>(
    () => now,
    10,
    100,
    (value) => {
      weighed.push(value);
      return 1;
    },
  );
  memo.set("a", "old");
  now = 10;
  memo.set("b", "new");
  expect(weighed.filter((value) => value === "old")).toHaveLength(2);
});

it("works out once what it gives of an object, and of each object its own", () => {
  const made: string[] = [];
  const of = ofObject(({ name }: { readonly name: string }) => {
    made.push(name);
    return name.toUpperCase();
  });
  const one = { name: "one" };
  expect([of(one), of({ name: "one" }), of(one)]).toEqual(["ONE", "ONE", "ONE"]);
  expect(made).toEqual(["one", "one"]);
});
