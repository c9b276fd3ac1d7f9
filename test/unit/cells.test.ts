import { describe, expect, it } from "vitest";
import type { Cell } from "../../shared/ports/source.ts";
import { cellText, cleanCell, readable } from "../../ingest/pipeline/cells.ts";

describe("cleanCell", () => {
  it("replaces NUL and lone surrogates one for one and counts them", () => {
    const tally = { replaced: 0 };
    expect(cleanCell("a\u0000b\uD800c", tally)).toBe("a\uFFFDb\uFFFDc");
    expect(tally.replaced).toBe(2);
  });

  it("leaves a U+FFFD that was there before uncounted", () => {
    const tally = { replaced: 0 };
    expect(cleanCell("\uFFFD\u0000", tally)).toBe("\uFFFD\uFFFD");
    expect(tally.replaced).toBe(1);
  });

  it("keeps composed and decomposed letters apart", () => {
    const tally = { replaced: 0 };
    expect(cleanCell("e\u0301", tally)).toBe("e\u0301");
    expect(cleanCell("\u00E9", tally)).toBe("\u00E9");
  });

  it("turns numbers that JSON lacks into their names", () => {
    const tally = { replaced: 0 };
    expect([NaN, Infinity, -Infinity, -0].map((n) => cleanCell(n, tally))).toEqual([
      "NaN",
      "Infinity",
      "-Infinity",
      "-0",
    ]);
  });

  it("keeps a key called __proto__ as data", () => {
    const cell = cleanCell(JSON.parse('{"__proto__": {"admin": true}}'), { replaced: 0 });
    expect(JSON.stringify(cell)).toBe('{"__proto__":{"admin":true}}');
  });

  it("refuses what is nested too deep", () => {
    const bomb: Cell = JSON.parse("[".repeat(5000) + "]".repeat(5000));
    expect(cleanCell(bomb, { replaced: 0 })).toBeUndefined();
  });
});

describe("cellText", () => {
  it("is the plain text of a scalar and the JSON of anything else", () => {
    expect([1, "1 ", true, null, ["a"]].map((cell) => cellText(cell))).toEqual([
      "1",
      "1 ",
      "true",
      "",
      '["a"]',
    ]);
  });
});

describe("readable", () => {
  it("shortens times without losing what they say", () => {
    const times = ["2026-03-01T00:00:00Z", "2026-03-01T14:05:00Z", "2026-03-01T14:05:09.5Z", "soon"];
    expect(times.map((t) => readable(t, "timestamp"))).toEqual([
      "2026-03-01",
      "2026-03-01 14:05 UTC",
      "2026-03-01 14:05:09.5 UTC",
      "soon",
    ]);
  });

  it("joins lists, flattens objects, and has nothing to say of empty ones", () => {
    expect(readable(["a", null, "b"], "json")).toBe("a, b");
    expect(readable({ a: { b: [1, null, "x"] }, c: [{ d: true }] }, "json")).toBe("a.b: 1, x; c.d: yes");
    expect([[], {}, null, ""].map((cell) => readable(cell, "json"))).toEqual(["", "", "", ""]);
  });
});
