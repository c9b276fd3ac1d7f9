import { describe, expect, it } from "vitest";
import {
  firstCheckpoint,
  withoutRow,
  type Checkpoint,
  type SavedTable,
} from "../../ingest/pipeline/checkpoint.ts";

/** What a run has written down of rows, while one of them is erased. */

const RUN = { id: "run_1", fence: 1, generation: 1, space: "s" };

function saved(table: string, more: Partial<SavedTable> = {}): SavedTable {
  const counts = { table, read: 3, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 3 };
  return {
    asOf: "2026-11-26T08:00:00Z",
    rowsKnown: 0,
    counts,
    failures: [],
    ambiguous: [],
    kept: 0,
    unlabelled: 0,
    shape: undefined,
    basis: undefined,
    cursor: undefined,
    since: undefined,
    ...more,
  };
}

function checkpoint(more: Partial<Checkpoint>): Checkpoint {
  return { ...firstCheckpoint(RUN), ...more };
}

const known = { seed: 1, rows: 0, unseen: 0, slots: new Int32Array(0) };

const marked = (mark: string): Checkpoint =>
  checkpoint({
    read: [saved("people", { cursor: { mark, wholeAt: "2026-11-26T08:00:00Z", made: "m" } })],
    open: { table: "people", after: "7", known },
  });

describe("a checkpoint without a row", () => {
  it("names it no more among those held back, met twice or refused, and keeps all others and every count", () => {
    const other = { table: "staff", key: "ana", reason: "too_large" } as const;
    const before = checkpoint({
      read: [
        saved("people", {
          failures: [{ table: "people", key: "ana", reason: "too_large" }],
          ambiguous: ["people:ana", "people:ben"],
        }),
        saved("staff", { failures: [other] }),
      ],
      refused: [["people", ["people:ana", "people:ben"]]],
    });
    const after = withoutRow(before, "people:ana");
    expect(after.pieces).toBe(3);
    expect(after.checkpoint).toEqual({
      ...before,
      read: [
        saved("people", { failures: [], ambiguous: ["people:ben"] }),
        saved("staff", { failures: [other] }),
      ],
      refused: [["people", ["people:ben"]]],
    });
    expect(withoutRow(after.checkpoint, "people:ana").pieces).toBe(0);
  });

  it("finds a key that was cut when it was held back", () => {
    const key = "k".repeat(300);
    const read = [saved("t", { failures: [{ table: "t", key: key.slice(0, 200), reason: "too_large" }] })];
    expect(withoutRow(checkpoint({ read }), `t:${key}`)).toMatchObject({
      pieces: 1,
      checkpoint: { read: [{ failures: [] }] },
    });
  });

  it("reads the table anew where the run would have gone on behind its key", () => {
    const before = checkpoint({
      read: [saved("first"), saved("people")],
      open: { table: "people", after: "ana", known },
      refused: [["people", ["people:cid"]]],
    });
    expect(withoutRow(before, "people:ana")).toEqual({
      pieces: 1,
      checkpoint: { ...before, read: [saved("first")], open: undefined, refused: [] },
    });
    expect(withoutRow(before, "people:ben")).toEqual({ pieces: 0, checkpoint: before });
    expect(withoutRow(before, "first:ana").pieces).toBe(0);
  });

  it("reads the table anew, and whole, where its cursor's mark is text; a time stays", () => {
    expect(withoutRow(marked("zoe@example.org"), "people:ana")).toEqual({
      pieces: 1,
      checkpoint: { ...marked("x"), read: [], open: undefined, whole: ["people"] },
    });
    const timed = marked("2026-11-26T08:00:00.123Z");
    expect(withoutRow(timed, "people:ana")).toEqual({ pieces: 0, checkpoint: timed });
  });
});
