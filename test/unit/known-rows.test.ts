import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeKnownRows } from "../../ingest/pipeline/known-rows.ts";

const version = (n: number): string => `${n}${"A".repeat(21)}`;

describe("makeKnownRows", () => {
  it("tells new, changed, unchanged and repeated rows apart", () => {
    const known = makeKnownRows();
    known.learn([
      { row: "t:1", view: "all", version: "AAAAAAAAAAAAAAAAAAAAAA", chunks: 2 },
      { row: "t:2", view: "all", version: "BBBBBBBBBBBBBBBBBBBBBB", chunks: 1 },
    ]);
    expect(known.rows).toBe(2);
    expect(known.see("t:1", "all", "AAAAAAAAAAAAAAAAAAAAAA")).toBe("unchanged");
    expect(known.see("t:2", "all", "CCCCCCCCCCCCCCCCCCCCCC")).toBe("changed");
    expect(known.see("t:3", "all", "CCCCCCCCCCCCCCCCCCCCCC")).toBe("added");
    expect(known.see("t:3", "all", "CCCCCCCCCCCCCCCCCCCCCC")).toBe("duplicate");
    expect(known.unseen).toBe(0);
    expect(known.chunksOf("t:1", "all")).toBe(2);
  });

  it.each([undefined, 3, 1e12])("keeps every row, whatever the estimate was (%s)", (expected) => {
    const known = makeKnownRows({ expected });
    const rows = Array.from({ length: 5000 }, (_, i) => `t:${i}`);
    known.learn(rows.map((row, i) => ({ row, view: "all", version: version(i), chunks: 1 })));
    const again = makeKnownRows({ expected, saved: known.save() });
    for (const [i, row] of rows.entries()) expect(again.see(row, "all", version(i))).toBe("unchanged");
    expect([again.rows, again.unseen]).toEqual([5000, 0]);
  });

  it.each([undefined, 3])("keeps what a first run has met, over a pause too (estimate %s)", (expected) => {
    const rows = Array.from({ length: 3000 }, (_, i) => `t:${i}`);
    const known = makeKnownRows({ expected });
    for (const row of rows) known.see(row, "all", version(1));
    const again = makeKnownRows({ expected, saved: known.save() });
    // Staged by then, they are told of.
    again.learn(rows.map((row) => ({ row, view: "all", version: version(1), chunks: 1 })));
    again.learn([{ row: "t:other", view: "all", version: version(1), chunks: 1 }]);
    for (const table of [known, again]) {
      expect(new Set(rows.map((row) => table.stateOf(row, "all")))).toEqual(new Set(["added"]));
      expect(new Set(rows.map((row) => table.see(row, "all", version(1))))).toEqual(new Set(["duplicate"]));
    }
    expect([known.unseen, again.unseen]).toEqual([0, 1]);
  });

  it("keeps what was met before anything was known", () => {
    const known = makeKnownRows();
    known.see("t:1", "all", version(1));
    known.learn([
      { row: "t:1", view: "all", version: version(2), chunks: 1 },
      { row: "t:2", view: "all", version: version(2), chunks: 1 },
    ]);
    expect([known.stateOf("t:1", "all"), known.stateOf("t:2", "all"), known.unseen]).toEqual([
      "added",
      undefined,
      1,
    ]);
  });

  it("takes a row whose removal is staged as new when it is back", () => {
    const known = makeKnownRows();
    known.learn([{ row: "t:1", view: "all", version: "", chunks: 3 }]);
    expect(known.rows).toBe(0);
    expect(known.see("t:1", "all", "AAAAAAAAAAAAAAAAAAAAAA")).toBe("added");
  });

  it("counts a row of several views once, and knows each view", () => {
    const known = makeKnownRows();
    known.learn([
      { row: "t:1", view: "full", version: "AAAAAAAAAAAAAAAAAAAAAA", chunks: 1 },
      { row: "t:1", view: "narrow", version: "AAAAAAAAAAAAAAAAAAAAAA", chunks: 1 },
    ]);
    expect(known.rows).toBe(1);
    expect(known.unseen).toBe(2);
    known.see("t:1", "full", "AAAAAAAAAAAAAAAAAAAAAA");
    expect(known.stateOf("t:1", "full")).toBe("unchanged");
    expect(known.stateOf("t:1", "narrow")).toBeUndefined();
  });

  it("counts everything as changed in a full run", () => {
    const known = makeKnownRows({ full: true });
    known.learn([{ row: "t:1", view: "all", version: "AAAAAAAAAAAAAAAAAAAAAA", chunks: 1 }]);
    expect(known.see("t:1", "all", "AAAAAAAAAAAAAAAAAAAAAA")).toBe("changed");
  });

  it("agrees with a plain map over random tables", () => {
    const table = fc.uniqueArray(fc.tuple(fc.string({ maxLength: 12 }), fc.integer({ min: 0, max: 5 })), {
      selector: ([row]) => row,
      maxLength: 3000,
      size: "max",
    });
    fc.assert(
      fc.property(table, table, fc.integer(), (before, after, seed) => {
        const known = makeKnownRows({ seed });
        known.learn(before.map(([row, v]) => ({ row, view: "all", version: version(v), chunks: 1 })));
        const model = new Map(before);
        for (const [row, v] of after) {
          const was = model.get(row);
          const expected = was === undefined ? "added" : was === v ? "unchanged" : "changed";
          expect(known.see(row, "all", version(v))).toBe(expected);
        }
        const met = new Set(after.map(([row]) => row));
        expect(known.unseen).toBe(before.filter(([row]) => !met.has(row)).length);
      }),
      { numRuns: 30 },
    );
  });
});
