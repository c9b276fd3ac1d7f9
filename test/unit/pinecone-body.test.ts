import { describe, expect, it } from "vitest";
import { makeBufferPool } from "../../shared/buffers.ts";
import { upsertBodies } from "../../shared/indexes/pinecone-body.ts";
import type { IndexEntry } from "../../shared/ports/vector-index.ts";

interface Sent {
  readonly vectors: readonly {
    readonly id: string;
    readonly values: readonly number[];
    readonly metadata: Readonly<Record<string, string>>;
  }[];
  readonly namespace: string;
}

function entryOf(i: number, text: string, dimensions: number): IndexEntry {
  const vector = Float32Array.from({ length: dimensions }, (_, n) => (n === i % dimensions ? -0.5 : 0.25));
  return { id: `${i}"ü.0`, vector, table: "notes", accessClass: "c", text, cells: { state: "open" } };
}

/** Bodies as a server reads them, each before the next is asked for, and its memory given back. */
function sent(entries: readonly IndexEntry[]): Sent[] {
  const pool = makeBufferPool(2);
  const read: Sent[] = [];
  for (const { bytes, records } of upsertBodies(entries, 'n"1', pool)) {
    const body: Sent = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    expect(body.vectors).toHaveLength(records);
    read.push(body);
    pool.give(bytes);
  }
  return read;
}

/** As Pinecone counts: 4 bytes a number, the id and the metadata as JSON. */
function counted({ id, values, metadata }: Sent["vectors"][number]): number {
  const text = JSON.stringify(id) + JSON.stringify(metadata);
  return values.length * 4 + new TextEncoder().encode(text).byteLength;
}

const sizeOf = ({ vectors }: Sent): number => vectors.reduce((sum, record) => sum + counted(record), 0);

describe("the requests of an upsert to Pinecone", () => {
  it("are none for nothing", () => {
    expect(sent([])).toEqual([]);
  });

  it("carry every record as it is, in order", () => {
    const [body, ...more] = sent([entryOf(0, "é", 2), entryOf(1, 'a "quoted" text\n', 2)]);
    expect(more).toEqual([]);
    expect(body).toEqual({
      vectors: [
        {
          id: '0"ü.0',
          values: [-0.5, 0.25],
          metadata: { class: "c", table: "notes", cell_state: "open", text: "é" },
        },
        {
          id: '1"ü.0',
          values: [0.25, -0.5],
          metadata: { class: "c", table: "notes", cell_state: "open", text: 'a "quoted" text\n' },
        },
      ],
      namespace: 'n"1',
    });
  });

  it.each([
    ["many small ones", 2500, () => "x", 3],
    ["texts of one byte a unit", 900, () => "x".repeat(8000), 3],
    ["texts of three bytes a unit", 300, () => "語".repeat(8000), 3],
    ["texts of any length", 900, (i: number) => "é".repeat((i * 7919) % 8192), 16],
    ["long vectors", 700, (i: number) => "y".repeat(i), 3072],
    ["one that is much larger than the first", 40, (i: number) => "語".repeat(i < 2 ? 1 : 8192), 8],
  ])("are full, and within the limits: %s", (_, count, textOf, dimensions) => {
    const entries = Array.from({ length: count }, (__, i) => entryOf(i, textOf(i), dimensions));
    const bodies = sent(entries);
    expect(
      bodies.flatMap(({ vectors }) => vectors.map(({ id, metadata }) => [id, metadata["text"]])),
    ).toEqual(entries.map(({ id, text }) => [id, text]));
    for (const [i, body] of bodies.entries()) {
      expect(body.vectors.length).toBeLessThanOrEqual(1000);
      expect(sizeOf(body)).toBeLessThanOrEqual(2_000_000);
      const next = bodies[i + 1]?.vectors[0];
      if (!next || body.vectors.length === 1000) continue;
      expect(sizeOf(body) + counted(next)).toBeGreaterThan(2_000_000);
    }
  });
});
