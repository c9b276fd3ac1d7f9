import { describe, expect, it } from "vitest";
import { cellText } from "../../ingest/pipeline/cells.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";

/**
 * What a source is tested with: `people` has the columns id, name, note and the three rows of PEOPLE; `many` has a column n
 * with the numbers 0 to 4,999; `empty` has a column id and no rows; `missing` does not exist.
 */
export interface SourceFixture {
  readonly source: Source;
  readonly people: TableRef;
  readonly many: TableRef;
  readonly empty: TableRef;
  readonly missing: TableRef;
}

export const PEOPLE = [
  { id: "1", name: "Ada", note: null },
  { id: "2", name: 'Zoë, "the" O\'Brien', note: "two\nlines" },
  { id: "10", name: "007", note: "x" },
] as const;

/** Every promise of the port, over one adapter. */
export function sourceContract(name: string, make: () => Promise<SourceFixture>): void {
  const signal = new AbortController().signal;

  async function readAll(source: Source, ref: TableRef, key: string, batchSize = 100): Promise<Row[][]> {
    const table = await source.describe(ref, signal);
    const batches: Row[][] = [];
    for await (const batch of source.read(table, { key: [key], batchSize, signal })) batches.push([...batch]);
    return batches;
  }
  describe(`source contract: ${name}`, () => {
    it("describes columns in the table's order", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.people, signal);
      expect(table.columns.map((column) => column.name)).toEqual(["id", "name", "note"]);
    });

    it("reads every row once, with its text unchanged and null where there is nothing", async () => {
      await using fixture = await opened(make);
      const rows = (await readAll(fixture.source, fixture.people, "id")).flat();
      const found = rows.map((row) => ({ ...row, id: cellText(row["id"] ?? null) }));
      expect(found.sort((a, b) => Number(a.id) - Number(b.id))).toEqual(PEOPLE);
    });

    it("reads only the columns that it is given", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.people, signal);
      const columns = table.columns.filter((column) => column.name !== "note");
      const rows: Row[] = [];
      for await (const batch of fixture.source.read(
        { ...table, columns },
        { key: ["id"], batchSize: 10, signal },
      )) {
        rows.push(...batch);
      }
      expect(rows.map((row) => Object.keys(row).sort())).toEqual(PEOPLE.map(() => ["id", "name"]));
    });

    it("keeps batches within their size", async () => {
      await using fixture = await opened(make);
      const batches = await readAll(fixture.source, fixture.many, "n", 300);
      expect(Math.max(...batches.map((batch) => batch.length))).toBeLessThanOrEqual(300);
      expect(new Set(batches.flat().map((row) => cellText(row["n"] ?? null))).size).toBe(5000);
    });

    it("keeps key order where it says so: equal keys are neighbours and the order is the same twice", async () => {
      await using fixture = await opened(make);
      if (!fixture.source.ordered) return;
      const first = (await readAll(fixture.source, fixture.many, "n")).flat();
      const second = (await readAll(fixture.source, fixture.many, "n", 700)).flat();
      expect(second).toEqual(first);
    });

    it("goes on behind any batch that it gave a mark with", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.many, signal);
      const marks: string[] = [];
      const options = { key: ["n"], batchSize: 700, signal };
      const mark = (after: () => string): void => void marks.push(after());
      const batches: (readonly Row[])[] = [];
      for await (const batch of fixture.source.read(table, { ...options, mark })) batches.push(batch);
      expect([0, batches.length]).toContain(marks.length);
      for (const i of marks.length === 0 ? [] : [0, marks.length - 2, marks.length - 1]) {
        const after = marks[i];
        const rest: Row[] = [];
        for await (const batch of fixture.source.read(table, { ...options, after })) rest.push(...batch);
        expect(rest).toEqual(batches.slice(i + 1).flat());
      }
    });

    it("reads an empty table as no rows", async () => {
      await using fixture = await opened(make);
      expect((await readAll(fixture.source, fixture.empty, "id")).flat()).toEqual([]);
    });

    it("rejects a table that is not there, by name", async () => {
      await using fixture = await opened(make);
      const error: unknown = await fixture.source.describe(fixture.missing, signal).catch((e: unknown) => e);
      expect(code(error)).toBe("source_rejected");
    });

    it("stops when the signal aborts", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.many, signal);
      const controller = new AbortController();
      const reading = async (): Promise<void> => {
        for await (const _ of fixture.source.read(table, {
          key: ["n"],
          batchSize: 100,
          signal: controller.signal,
        })) {
          controller.abort();
        }
      };
      expect(code(await reading().catch((e: unknown) => e))).toBe("cancelled");
    });

    it("lets its reader leave early", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.many, signal);
      let batches = 0;
      for await (const _ of fixture.source.read(table, { key: ["n"], batchSize: 100, signal })) {
        batches += 1;
        break;
      }
      expect(batches).toBe(1);
      expect((await readAll(fixture.source, fixture.people, "id")).flat()).toHaveLength(3);
    });

    it("estimates no more rows than there are, where it can tell", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.many, signal);
      const { rows } = await fixture.source.estimate(table, signal);
      if (rows !== undefined) expect(rows).toBe(5000);
    });
  });
}

function code(error: unknown): string {
  return error instanceof QuaysideError ? error.code : String(error);
}

async function opened(make: () => Promise<SourceFixture>): Promise<SourceFixture & AsyncDisposable> {
  const fixture = await make();
  return { ...fixture, [Symbol.asyncDispose]: () => fixture.source[Symbol.asyncDispose]() };
}
