import { expect, it } from "vitest";
import { timedId } from "../../shared/ids.ts";

it("new ids begin with their time, in its order, and never meet", () => {
  const times = [0, 1, Date.UTC(2026, 10, 23), Date.UTC(2026, 10, 23) + 1, Date.UTC(2500, 0)];
  const ids = times.map(timedId);
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.every((id) => /^[0-9a-z]{9}[A-Za-z0-9_-]{16}$/.test(id))).toBe(true);
  const many = Array.from({ length: 1000 }, () => timedId(0));
  expect(new Set(many).size).toBe(1000);
});
