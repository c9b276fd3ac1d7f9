import { describe, expect, it } from "vitest";
import { cellText } from "../../ingest/pipeline/cells.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Row, Source, Table, TableRef } from "../../shared/ports/source.ts";

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
  /** Absent for what can't be read by a cursor. */
  readonly stamped?: Stamped;
}

/**
 * A table of six rows with ids 1 to 6 in a column `id`, and columns that a cursor may be: in each of them row 1 is lower than
 * row 2 by the least that the type can tell, row 3 equals row 2, row 4 is higher by as little, row 5 has none, row 6 is highest.
 */
export interface Stamped {
  readonly ref: TableRef;
  readonly cursors: readonly string[];
  /** More columns that a key may have. */
  readonly word?: readonly string[];
  /** An empty table with the same columns; default: `empty`, by its id. */
  readonly none?: TableRef;
}

/** The rows of STAMPED in the SQL of most: id, time, date, number, text. */
export const STAMPED_SQL = `SELECT * FROM (VALUES
  (1, TIMESTAMP '2026-03-01 10:00:00.123455', DATE '2026-02-28', 1000000000000000000.4999, 'M'),
  (2, TIMESTAMP '2026-03-01 10:00:00.123456', DATE '2026-03-01', 1000000000000000000.5000, 'O''x\\y'),
  (3, TIMESTAMP '2026-03-01 10:00:00.123456', DATE '2026-03-01', 1000000000000000000.5000, 'O''x\\y'),
  (4, TIMESTAMP '2026-03-01 10:00:00.123457', DATE '2026-03-02', 1000000000000000000.5001, 'O''x\\z'),
  (5, NULL, NULL, NULL, NULL),
  (6, TIMESTAMP '2026-03-01 10:00:01', DATE '2026-12-31', 2000000000000000000.0000, 'Z')
) AS t(id, "changed at", "on", "no ""1""", word)`;
export const STAMPED_CURSORS = ["changed at", "on", 'no "1"', "word"] as const;

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

    describe("by a cursor", () => {
      /** A source with its six rows, in the order of their ids. */
      interface Opened {
        readonly source: Source;
        readonly stamped: Stamped;
        readonly table: Table;
        readonly all: readonly Row[];
      }
      const withStamped = async (run: (opened: Opened) => Promise<void>): Promise<void> => {
        await using fixture = await opened(make);
        const { source, stamped } = fixture;
        expect(source.highest === undefined).toBe(stamped === undefined);
        if (!stamped) return;
        const table = await source.describe(stamped.ref, signal);
        await run({ source, stamped, table, all: inOrder(await rowsOf(source, table, {})) });
      };

      it("tells the largest value, every digit of it", () =>
        withStamped(async ({ source, stamped, table, all }) => {
          for (const column of stamped.cursors) {
            expect([column, await source.highest?.(table, column, signal)]).toEqual([
              column,
              text(all[5], column),
            ]);
          }
        }));

      it("tells no largest value of an empty table", () =>
        withStamped(async ({ source, stamped }) => {
          const { empty } = await make();
          const table = await source.describe(stamped.none ?? empty, signal);
          const [column = ""] = stamped.none ? stamped.cursors : ["id"];
          expect(await source.highest?.(table, column, signal)).toBeUndefined();
        }));

      it("gives rows at the cursor, behind it and without one whole, all others by their key, each once", () =>
        withStamped(async ({ source, stamped, table, all }) => {
          for (const column of stamped.cursors) {
            const since = { column, value: text(all[1], column) };
            const rows = await rowsOf(source, table, { since });
            expect(inOrder(rows)).toEqual([{ id: all[0]?.["id"] }, ...all.slice(1)]);
          }
        }));

      it("goes on behind any batch of such a reading that it gave a mark with", () =>
        withStamped(async ({ source, stamped, table, all }) => {
          const [column = ""] = stamped.cursors;
          const since = { column, value: text(all[3], column) };
          const marks: string[] = [];
          const mark = (after: () => string): void => void marks.push(after());
          const batches: (readonly Row[])[] = [];
          const options = { key: ["id"], batchSize: 2, since, signal };
          for await (const batch of source.read(table, { ...options, mark })) batches.push(batch);
          expect([0, batches.length]).toContain(marks.length);
          for (const [i, after] of marks.entries()) {
            expect(await rowsOf(source, table, { since, after })).toEqual(batches.slice(i + 1).flat());
          }
        }));

      it("reads rows by their keys, whole, and nothing for keys that no row has", () =>
        withStamped(async ({ source, table, all }) => {
          const stranger = typeof all[0]?.["id"] === "number" ? 99 : "99";
          const only = [[all[4]?.["id"] ?? null], [stranger], [all[1]?.["id"] ?? null]];
          expect(inOrder(await rowsOf(source, table, { only }))).toEqual([all[1], all[4]]);
        }));

      it("reads rows by keys of several columns, whatever is in them", () =>
        withStamped(async ({ source, stamped, table, all }) => {
          const key = [...new Set(["id", ...(stamped.word ?? []), ...stamped.cursors])];
          const wanted = [all[1], all[3]];
          const only = wanted.map((row) => key.map((column) => row?.[column] ?? null));
          expect(inOrder(await rowsOf(source, table, { key, only }))).toEqual(wanted);
        }));

      it("rejects a cursor that is not there", () =>
        withStamped(async ({ source, table }) => {
          const found = (async () => source.highest?.(table, "nope", signal))();
          expect(code(await found.catch((e: unknown) => e))).toBe("source_rejected");
          const since = { column: "nope", value: "1" };
          const rows = rowsOf(source, table, { since });
          expect(code(await rows.catch((e: unknown) => e))).toBe("source_rejected");
        }));
    });

    it("tells the same revision of a table that stays as it is, and none of one that is not there", async () => {
      await using fixture = await opened(make);
      const revisionOf = async (ref: TableRef): Promise<string | undefined> =>
        fixture.source.revision?.(ref, signal).catch(() => undefined);
      expect(await revisionOf(fixture.people)).toBe(await revisionOf(fixture.people));
      expect(await revisionOf(fixture.missing)).toBeUndefined();
    });

    it("estimates no more rows than there are, where it can tell", async () => {
      await using fixture = await opened(make);
      const table = await fixture.source.describe(fixture.many, signal);
      const { rows } = await fixture.source.estimate(table, signal);
      if (rows !== undefined) expect(rows).toBe(5000);
    });
  });
}

/** A table with ids, two rows at a time unless told otherwise. */
const rowsOf = async (
  source: Source,
  table: Table,
  options: Partial<Parameters<Source["read"]>[1]>,
): Promise<Row[]> => {
  const rows: Row[] = [];
  for await (const batch of source.read(table, {
    key: ["id"],
    batchSize: 2,
    signal: new AbortController().signal,
    ...options,
  })) {
    rows.push(...batch);
  }
  return rows;
};

const inOrder = (rows: readonly Row[]): Row[] => rows.toSorted((a, b) => Number(a["id"]) - Number(b["id"]));

const text = (row: Row | undefined, column: string): string => cellText(row?.[column] ?? null);

function code(error: unknown): string {
  return error instanceof QuaysideError ? error.code : String(error);
}

async function opened(make: () => Promise<SourceFixture>): Promise<SourceFixture & AsyncDisposable> {
  const fixture = await make();
  return { ...fixture, [Symbol.asyncDispose]: () => fixture.source[Symbol.asyncDispose]() };
}
