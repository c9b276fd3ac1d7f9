import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBatch, decodeHead, encodeBatch, MAX_BATCH_BYTES } from "../../shared/batch.ts";
import { rowId } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Batch, Run, StagedRow } from "../../shared/ports/registry.ts";

const RUN: Run = { id: "run_1", fence: 3, generation: 4, space: "local/lexical/8 chunk-1 embedded" };
const CLASS_ID = "AAAAAAAAAAAAAAAAAAAAAA";

const ROW: StagedRow = {
  row: "tickets:4711",
  view: "all",
  version: "v1",
  accessClass: CLASS_ID,
  title: "Ticket",
  cells: [{ column: "status", value: "open" }],
  changedAt: undefined,
  url: undefined,
  chunks: [
    {
      n: 0,
      text: "status: open",
      lexical: { title: "Ticket", body: "open", labels: "", meta: "tickets status" },
      vector: new Float32Array([0.5, -0.25, 0]),
    },
  ],
};

const BATCH: Batch = { seq: 0, table: "tickets", classes: [], rows: [ROW], gone: [] };

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
  return "none";
}

/** The encoded batch with its JSON replaced: the head's fields and `rows`. */
function withHeader(
  change: (header: Record<string, unknown>) => Record<string, unknown>,
  vectors = new Uint8Array(),
): Uint8Array {
  const bytes = encodeBatch(RUN, { ...BATCH, rows: [] });
  const length = new DataView(bytes.buffer).getUint32(8, true);
  const header: Record<string, unknown> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(16, 16 + length)),
  );
  const { rows = [], ...head } = change({ ...header, used: [CLASS_ID] });
  const [headJson, rowsJson] = [head, rows].map((part) => new TextEncoder().encode(JSON.stringify(part)));
  if (!headJson || !rowsJson) throw new Error("no JSON");
  const start = Math.ceil((16 + headJson.length + rowsJson.length) / 4) * 4;
  const out = new Uint8Array(start + vectors.length);
  out.set(bytes.subarray(0, 16));
  new DataView(out.buffer).setUint32(8, headJson.length, true);
  new DataView(out.buffer).setUint32(12, rowsJson.length, true);
  out.set(headJson, 16);
  out.set(rowsJson, 16 + headJson.length);
  out.set(vectors, start);
  return out;
}

describe("batch format", () => {
  it("starts with the magic, the format version, the dimensions and the header's length", () => {
    const bytes = encodeBatch(RUN, BATCH);
    expect([...bytes.subarray(0, 8)]).toEqual([0x51, 0x53, 0x42, 0x54, 2, 0, 3, 0]);
  });

  it("puts vectors last, as little-endian float32", () => {
    const bytes = encodeBatch(RUN, BATCH);
    expect([...bytes.subarray(-12)]).toEqual([0, 0, 0, 0x3f, 0, 0, 0x80, 0xbe, 0, 0, 0, 0]);
  });

  it("tells run, number, table and the classes in use from the head alone, whatever the rows are", () => {
    const bytes = encodeBatch(RUN, BATCH);
    const view = new DataView(bytes.buffer);
    const rows = 16 + view.getUint32(8, true);
    bytes.fill(0xff, rows, rows + view.getUint32(12, true));
    expect(decodeHead(bytes)).toEqual({
      run: RUN,
      seq: 0,
      table: "tickets",
      classes: [],
      used: [CLASS_ID],
      gone: [],
    });
    expect(codeOf(() => decodeBatch(bytes))).toBe("malformed_json");
  });

  it("brings a batch back whole", () => {
    expect(decodeBatch(encodeBatch(RUN, BATCH))).toEqual({ run: RUN, batch: BATCH });
  });

  it("reads a batch that starts anywhere in a larger buffer", () => {
    const bytes = encodeBatch(RUN, BATCH);
    const larger = new Uint8Array(bytes.length + 3);
    larger.set(bytes, 3);
    expect(decodeBatch(larger.subarray(3)).batch).toEqual(BATCH);
  });

  it("carries chunks with and without a vector side by side", () => {
    const [chunk] = ROW.chunks;
    if (!chunk) throw new Error("no chunk");
    const chunks = [
      { ...chunk, vector: undefined },
      { ...chunk, n: 1 },
    ];
    const batch = { ...BATCH, rows: [{ ...ROW, chunks }] };
    expect(decodeBatch(encodeBatch(RUN, batch)).batch.rows[0]?.chunks.map((c) => c.vector?.[0])).toEqual([
      undefined,
      0.5,
    ]);
  });

  it("brings back any row, whatever is written in it", () => {
    const text = fc.string({ unit: "binary", maxLength: 40 });
    const cell = fc.oneof(
      text,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    );
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 });
    const vector = fc.float32Array({ minLength: 5, maxLength: 5, noNaN: true, noDefaultInfinity: true });
    const row = fc.record({
      row: fc.array(text, { minLength: 1, maxLength: 2 }).map((key) => rowId("t", key)),
      view: name,
      version: name,
      accessClass: fc.constant(CLASS_ID),
      title: text,
      cells: fc.array(fc.record({ column: name, value: cell.map((v) => (Object.is(v, -0) ? 0 : v)) }), {
        maxLength: 3,
      }),
      changedAt: fc.option(name, { nil: undefined }),
      url: fc.option(text, { nil: undefined }),
      chunks: fc.array(
        fc.record({
          n: fc.nat(),
          text,
          lexical: fc.option(fc.record({ title: text, body: text, labels: text, meta: text }), {
            nil: undefined,
          }),
          vector: fc.option(vector, { nil: undefined }),
        }),
        { maxLength: 3 },
      ),
    });
    const batch = fc.record({
      seq: fc.nat(),
      table: fc.constant("t"),
      classes: fc.constant([]),
      rows: fc.array(row, { maxLength: 5 }),
      gone: fc.array(fc.record({ row: fc.constant("t:1"), view: name }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(batch, (given) => {
        expect(decodeBatch(encodeBatch(RUN, given))).toEqual({ run: RUN, batch: given });
      }),
      { numRuns: 300 },
    );
  });

  it("never fails on arbitrary bytes otherwise than with its own codes", () => {
    const expected = new Set(["malformed_json", "invalid_request"]);
    const damaged = fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, value]) => {
      const bytes = encodeBatch(RUN, BATCH);
      bytes[at % bytes.length] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), damaged), (bytes) => {
        const code = codeOf(() => decodeBatch(bytes));
        expect(code === "none" || expected.has(code)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("batch format refuses", () => {
  it("every truncation", () => {
    const bytes = encodeBatch(RUN, BATCH);
    const codes = new Set<string>();
    for (let length = 0; length < bytes.length; length++) {
      codes.add(codeOf(() => decodeBatch(bytes.subarray(0, length))));
    }
    expect([...codes].sort()).toEqual(["invalid_request", "malformed_json"]);
  });

  it("bytes after the last vector", () => {
    const bytes = encodeBatch(RUN, BATCH);
    const longer = new Uint8Array(bytes.length + 4);
    longer.set(bytes);
    expect(codeOf(() => decodeBatch(longer))).toBe("invalid_request");
  });

  it("another format version", () => {
    const bytes = encodeBatch(RUN, BATCH);
    bytes[4] = 1;
    expect(codeOf(() => decodeBatch(bytes))).toBe("malformed_json");
  });

  it("invalid UTF-8", () => {
    const bytes = encodeBatch(RUN, BATCH);
    bytes[20] = 0xff;
    expect(codeOf(() => decodeBatch(bytes))).toBe("malformed_json");
  });

  it("a field that it does not know", () => {
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, extra: 1 }))))).toBe("invalid_request");
  });

  it("rows of a class that its head does not tell of", () => {
    const rows = [{ ...ROW, chunks: [], accessClass: "BBBBBBBBBBBBBBBBBBBBBB" }];
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows }))))).toBe("invalid_request");
  });

  it("a row of another table", () => {
    const row = { ...ROW, row: "people:1", chunks: [] };
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows: [row] }))))).toBe("invalid_request");
  });

  it("a deleted row of another table", () => {
    const gone = [{ row: "people:1", view: "all" }];
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, gone }))))).toBe("invalid_request");
  });

  it("a cell nested deeper than 32 levels", () => {
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    const rows = (depth: number): unknown[] => [
      { ...ROW, chunks: [], cells: [{ column: "c", value: nested(depth) }] },
    ];
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows: rows(32) }))))).toBe("none");
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows: rows(33) }))))).toBe("invalid_request");
  });

  it.each([
    ["an unknown field", { extra: 1 }],
    ["a row id that is too long", { row: `tickets:${"1".repeat(8200)}` }],
    ["an empty view", { view: "" }],
    ["a version that is no text", { version: 1 }],
    ["a class that is no hash", { accessClass: "public" }],
    ["a title that is no text", { title: null }],
    ["an empty time", { changedAt: "" }],
    ["a cell without a value", { cells: [{ column: "a" }] }],
    ["a cell with more than a value", { cells: [{ column: "a", value: 1, other: 2 }] }],
    ["a cell of no column", { cells: [{ column: "", value: 1 }] }],
    ["a chunk with a negative number", { chunks: [{ n: -1, text: "" }] }],
    ["a chunk with half a number", { chunks: [{ n: 0.5, text: "" }] }],
    ["a chunk with more than a text", { chunks: [{ n: 0, text: "", other: 1 }] }],
  ])("a row without words that has %s", (_, fault) => {
    const row = { ...ROW, chunks: [{ n: 0, text: "" }] };
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows: [row] }))))).toBe("none");
    const rows = [{ ...row, ...fault }];
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows }))))).toBe("invalid_request");
  });

  it("a vector that holds NaN", () => {
    const [chunk] = ROW.chunks;
    if (!chunk) throw new Error("no chunk");
    const chunks = [{ ...chunk, vector: new Float32Array([1, Number.NaN, 0]) }];
    expect(codeOf(() => decodeBatch(encodeBatch(RUN, { ...BATCH, rows: [{ ...ROW, chunks }] })))).toBe(
      "invalid_request",
    );
  });

  it("a chunk that announces a vector which is not there", () => {
    const chunks = [{ n: 0, text: "", lexical: { title: "", body: "", labels: "", meta: "" }, v: true }];
    expect(codeOf(() => decodeBatch(withHeader((h) => ({ ...h, rows: [{ ...ROW, chunks }] }))))).toBe(
      "invalid_request",
    );
  });

  it("vectors of two lengths, before they are sent", () => {
    const [chunk] = ROW.chunks;
    if (!chunk) throw new Error("no chunk");
    const chunks = [chunk, { ...chunk, n: 1, vector: new Float32Array(2) }];
    expect(codeOf(() => encodeBatch(RUN, { ...BATCH, rows: [{ ...ROW, chunks }] }))).toBe("invalid_request");
  });

  it("a batch above the size limit, on both ends", () => {
    const rows = [{ ...ROW, title: "x".repeat(MAX_BATCH_BYTES) }];
    expect(codeOf(() => encodeBatch(RUN, { ...BATCH, rows }))).toBe("body_too_large");
    expect(codeOf(() => decodeBatch(new Uint8Array(MAX_BATCH_BYTES + 1)))).toBe("body_too_large");
  });

  it("without repeating what was sent", () => {
    let told = "";
    try {
      decodeBatch(
        withHeader((h) => ({ ...h, rows: [{ ...ROW, chunks: [], title: 1, secretColumn: "canary" }] })),
      );
    } catch (error) {
      if (error instanceof QuaysideError) told = error.message + JSON.stringify(error.violations);
    }
    expect(told).toContain("/rows/0/title");
    expect(told).not.toContain("canary");
  });
});
