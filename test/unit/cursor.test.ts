import { describe, expect, it } from "vitest";
import { lowered, markOf } from "../../ingest/pipeline/cursor.ts";
import type { Column } from "../../shared/ports/source.ts";

/** Values of a cursor, made lower. */

const AS_OF = "2026-03-01T10:00:00.000Z";

describe("the mark of a cursor", () => {
  it.each<[string, Column["type"], string, string | undefined]>([
    [
      "a time before the as-of time, every digit",
      "timestamp",
      "2026-03-01T09:59:59.999999999Z",
      "2026-03-01T09:59:59.999999999Z",
    ],
    ["a time behind it", "timestamp", "2026-03-01T10:00:00.000001Z", "2026-03-01T10:00:00.000000Z"],
    ["a time without a fraction behind it", "timestamp", "2099-01-01T00:00:00Z", "2026-03-01T10:00:00Z"],
    ["a date behind it", "date", "2026-03-02", "2026-03-01"],
    ["a year of five digits", "timestamp", "+010000-01-01T00:00:00Z", "2026-03-01T10:00:00.000Z"],
    ["the end of time", "date", "Infinity", "2026-03-01"],
    ["the beginning of time", "timestamp", "-Infinity", undefined],
    ["text that is a time behind it, in its own form", "string", "2026-03-01 10:30", "2026-03-01 10:00"],
    ["text", "string", "v0042", "v0042"],
    ["a number, every digit", "number", "9007199254740993.50", "9007199254740993.50"],
    ["no number", "number", "NaN", undefined],
    ["an endless number", "number", "Infinity", undefined],
  ])("of %s", (_, type, highest, mark) => {
    expect(markOf(highest, type, AS_OF)).toBe(mark);
  });

  it("of nothing is none", () => {
    expect(markOf(undefined, "timestamp", AS_OF)).toBeUndefined();
  });
});

describe("where a reading begins", () => {
  it.each<[string, Column["type"], string, number | undefined, string]>([
    [
      "ten minutes below a time, unless told otherwise",
      "timestamp",
      "2026-03-01T00:05:00.123456Z",
      undefined,
      "2026-02-28T23:55:00.123000Z",
    ],
    [
      "at the time itself without an overlap",
      "timestamp",
      "2026-03-01T00:05:00.123456789Z",
      0,
      "2026-03-01T00:05:00.123456789Z",
    ],
    ["a day below a date, for whatever is less than one", "date", "2026-03-01", 600, "2026-02-28"],
    ["below text that is a time", "string", "2026-03-01 00:05:00", 3600, "2026-02-28 23:05:00"],
    ["at other text", "string", "v0042", 600, "v0042"],
    [
      "a thousand below a number, unless told otherwise",
      "number",
      "9007199254740993",
      undefined,
      "9007199254739993",
    ],
    ["below a number with a fraction, at a whole one", "number", "12.75", 2, "10"],
    ["below a negative number with a fraction", "number", "-12.75", 2, "-15"],
    ["below a number with an exponent", "number", "1.5e3", 1, "1499"],
    ["at a number without an overlap", "number", "12.75", 0, "12.75"],
  ])("is %s", (_, type, mark, overlap, since) => {
    expect(lowered(mark, type, overlap)).toBe(since);
  });
});
