import { DuckDBInstance } from "@duckdb/node-api";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";
import { memorySource } from "../fakes/memory-source.ts";

import { secretHost } from "../fakes/secret-host.ts";
import { takeIn } from "./grants.ts";
import { PEOPLE, sourceContract, STAMPED_CURSORS, STAMPED_SQL } from "./source.ts";

const signal = new AbortController().signal;
const open = (path: string): Source => makeDuckDbSource({ kind: "duckdb", path }, secretHost({}));
let directory = "";

async function database(path: string, statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  for (const statement of statements) await connection.run(statement);
  connection.closeSync();
  instance.closeSync();
}

async function read(source: Source, ref: TableRef, key: readonly string[]): Promise<Row[]> {
  const table = await source.describe(ref, signal);
  const rows: Row[] = [];
  for await (const batch of source.read(table, { key, batchSize: 1000, signal })) rows.push(...batch);
  return rows;
}

async function revision(path: string, name = "t"): Promise<string | undefined> {
  await using source = open(path);
  return source.revision?.({ name: [name] }, signal);
}

async function failure(promise: Promise<unknown>): Promise<QuaysideError> {
  const error: unknown = await promise.catch((e: unknown) => e);
  if (error instanceof QuaysideError) return error;
  throw new Error(`expected a QuaysideError, got ${String(error)}`);
}

const people = `SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', concat('two', chr(10), 'lines')),
  (10, '007', 'x')) AS t(id, name, note)`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-duckdb-"));
  await database(join(directory, "w.duckdb"), [
    `CREATE TABLE people AS ${people}`,
    `CREATE TABLE stamped AS ${STAMPED_SQL}`,
    "CREATE TABLE many AS SELECT range AS n FROM range(5000)",
    "CREATE TABLE empty (id INTEGER PRIMARY KEY)",
    "COMMENT ON TABLE empty IS 'nothing yet'",
    "COMMENT ON COLUMN empty.id IS 'its number'",
  ]);
  const files = join(directory, "parquet");
  await database(":memory:", [`COPY (SELECT 1) TO '${join(directory, "probe.parquet")}'`]);
  const { mkdir } = await import("node:fs/promises");
  await mkdir(files);
  await mkdir(join(directory, "csv"));
  await database(":memory:", [
    `COPY (${people}) TO '${join(files, "people.parquet")}'`,
    `COPY (${STAMPED_SQL}) TO '${join(files, "stamped.parquet")}'`,
    `COPY (${STAMPED_SQL}) TO '${join(directory, "csv", "stamped.csv")}'`,
    `COPY (SELECT range AS n FROM range(5000)) TO '${join(files, "many.parquet")}'`,
    `COPY (SELECT 1 AS id WHERE false) TO '${join(files, "empty.parquet")}'`,
    `COPY (${people}) TO '${join(directory, "csv", "people.csv")}'`,
    `COPY (SELECT range AS n FROM range(5000)) TO '${join(directory, "csv", "many.csv")}'`,
  ]);
  await writeFile(join(directory, "csv", "empty.csv"), "id\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const refs = {
  people: { name: ["people"] },
  many: { name: ["many"] },
  empty: { name: ["empty"] },
  missing: { name: ["missing"] },
  stamped: { ref: { name: ["stamped"] }, cursors: STAMPED_CURSORS },
};

sourceContract("duckdb, database file", async () => ({ source: open(join(directory, "w.duckdb")), ...refs }));
sourceContract("duckdb, folder of Parquet", async () => ({
  source: open(join(directory, "parquet")),
  ...refs,
}));
sourceContract("duckdb, folder of CSV", async () => ({ source: open(join(directory, "csv")), ...refs }));
sourceContract("duckdb, queries over CSV", async () => ({
  source: open(join(directory, "csv")),
  people: { query: "SELECT id, name, note FROM people;" },
  many: { query: "SELECT n FROM many -- all of them" },
  empty: { query: "SELECT 1 AS id WHERE false" },
  missing: { query: "SELECT * FROM missing" },
  stamped: { ref: { query: "SELECT * FROM stamped" }, cursors: ["changed at"] },
}));
sourceContract("memory fake", async () => ({
  source: memorySource({
    people: { columns: { id: "number", name: "string", note: "string" }, rows: [...PEOPLE] },
    many: { columns: { n: "number" }, rows: Array.from({ length: 5000 }, (_, n) => ({ n })) },
    empty: { columns: { id: "number" }, rows: [] },
    stamped: {
      columns: { id: "number", at: "timestamp" },
      rows: ["55", "56", "56", "57", null, "99"].map((s, i) => ({
        id: i + 1,
        at: s === null ? null : `2026-03-01T10:00:${s}Z`,
      })),
    },
  }),
  ...refs,
  stamped: { ref: { name: ["stamped"] }, cursors: ["at"] },
}));

describe("duckdb source", () => {
  it("tells the fields of a declared record", async () => {
    await using source = open(join(directory, "w.duckdb"));
    const { columns } = await source.describe(
      { query: "SELECT {'a': 1, 'b': 'x'} AS r, [1] AS list" },
      signal,
    );
    expect(columns.map(({ name, type, fields }) => [name, type, fields])).toEqual([
      ["r", "json", ["a", "b"]],
      ["list", "json", undefined],
    ]);
  });

  it("keeps every cell without loss", async () => {
    const path = join(directory, "types.duckdb");
    await database(path, [
      `CREATE TABLE t AS SELECT 1 AS id,
        9007199254740991::BIGINT AS safe, 9007199254740993::BIGINT AS big, 170141183460469231731687303715884105727::HUGEINT AS huge,
        99999999999999999999999999999999999999::DECIMAL(38,0) AS d38, 1.10::DECIMAL(20,10) AS scaled,
        0.1::FLOAT AS single, 1.7976931348623157e308::DOUBLE AS max, -0.0::DOUBLE AS zero,
        'nan'::DOUBLE AS nan, 'infinity'::DOUBLE AS inf, '-infinity'::DOUBLE AS ninf,
        DATE '2024-02-29' AS leap, DATE '10000-01-01' AS far, '0044-03-15 (BC)'::DATE AS bc, 'infinity'::DATE AS forever,
        TIMESTAMP '2024-01-01 10:00:00.123456' AS ts, '2024-01-01 10:00:00.123456789'::TIMESTAMP_NS AS ns,
        TIMESTAMPTZ '2024-01-01 10:00:00+05:30' AS tz, TIME '10:00:00' AS clock, INTERVAL 1 DAY AS span,
        '\\xAA\\xBB'::BLOB AS bytes, true AS yes, UUID '00000000-0000-0000-0000-000000000001' AS u,
        [1, NULL, 3] AS list, {'a': 1.10::DECIMAL(5,2), 'b': {'c': [DATE '2024-01-01']}} AS struct, MAP {'k': 1} AS map,
        '{"n": 9007199254740993, "x": 1.0, "ok": 2}'::JSON AS json, concat('a', chr(0), 'b') AS nul,
        TIMESTAMPTZ '2024-01-01 10:00:00+05:30' - INTERVAL 0 DAY AS tz2, [TIMESTAMPTZ '2024-01-01 10:00:00+05:30'] AS tzs`,
    ]);
    await using source = open(path);
    const [row] = await read(source, { name: ["t"] }, ["id"]);
    expect(row).toEqual({
      id: 1,
      safe: 9007199254740991,
      big: "9007199254740993",
      huge: "170141183460469231731687303715884105727",
      d38: "99999999999999999999999999999999999999",
      scaled: "1.1000000000",
      single: 0.1,
      max: 1.7976931348623157e308,
      zero: "-0",
      nan: "NaN",
      inf: "Infinity",
      ninf: "-Infinity",
      leap: "2024-02-29",
      far: "+010000-01-01",
      bc: "-000043-03-15",
      forever: "Infinity",
      ts: "2024-01-01T10:00:00.123456Z",
      ns: "2024-01-01T10:00:00.123456789Z",
      tz: "2024-01-01T04:30:00Z",
      clock: "10:00:00",
      span: "1 day",
      bytes: "qrs=",
      yes: true,
      u: "00000000-0000-0000-0000-000000000001",
      list: [1, null, 3],
      struct: { a: "1.10", b: { c: ["2024-01-01"] } },
      map: { k: 1 },
      json: { n: "9007199254740993", x: "1.0", ok: 2 },
      nul: "a\u0000b",
      tz2: "2024-01-01T04:30:00Z",
      tzs: ["2024-01-01T04:30:00Z"],
    });
  });

  it.each([
    ["'2024-02-29'", "2024-02-29"],
    ["'1969-12-31'", "1969-12-31"],
    ["'0999-12-31'", "0999-12-31"],
    ["'0001-12-31 (BC)'", "0000-12-31"],
    ["'5881580-07-10'", "+5881580-07-10"],
    ["'5877642-06-25 (BC)'", "-5877641-06-25"],
    ["'-infinity'", "-Infinity"],
    ["NULL", null],
  ])("keeps the date %s", async (sql, cell) => {
    await using source = open(join(directory, "csv"));
    const rows = await read(source, { query: `SELECT 1 AS id, ${sql}::DATE AS day` }, ["id"]);
    expect(rows).toEqual([{ id: 1, day: cell }]);
  });

  it("keeps a byte order mark that leads a text", async () => {
    await using source = open(join(directory, "csv"));
    const query = `SELECT 1 AS id, concat(chr(65279), 'a') AS marked, [concat(chr(65279), chr(65279), 'b')] AS list`;
    const rows = await read(source, { query }, ["id"]);
    expect(rows).toEqual([{ id: 1, marked: "\uFEFFa", list: ["\uFEFF\uFEFFb"] }]);
  });

  it("keeps CSV text as written: leading zeros, trailing zeros, quotes and line ends", async () => {
    await writeFile(
      join(directory, "csv", "codes.csv"),
      'code,zip,price,flag,note\n1,00712,1.50,True,"a\r\nb"\n2,10001,2,no,"say ""hi"""\n3,,,,\n',
    );
    await using source = open(join(directory, "csv"));
    expect(await read(source, { name: ["codes"] }, ["code"])).toEqual([
      { code: "1", zip: "00712", price: "1.50", flag: "True", note: "a\r\nb" },
      { code: "2", zip: "10001", price: "2", flag: "no", note: 'say "hi"' },
      { code: "3", zip: null, price: null, flag: null, note: null },
    ]);
  });

  it("gives queries over CSV numbers to add, and text where digits lead with zero", async () => {
    await writeFile(join(directory, "csv", "sums.csv"), "zip,price\n00712,1.5\n10001,2\n");
    await using source = open(join(directory, "csv"));
    const query = "SELECT min(zip) AS zip, sum(price) AS total FROM sums";
    expect(await read(source, { query }, ["zip"])).toEqual([{ zip: "00712", total: 3.5 }]);
  });

  it("reads comments and primary keys from the catalogue", async () => {
    await using source = open(join(directory, "w.duckdb"));
    const table = await source.describe({ name: ["main", "empty"] }, signal);
    expect(table.description).toBe("nothing yet");
    expect(table.primaryKey).toEqual(["id"]);
    expect(table.columns).toEqual([
      { name: "id", type: "number", nullable: true, description: "its number" },
    ]);
  });

  it.each([
    "DROP TABLE people",
    "SELECT 1; SELECT 2",
    "COPY people TO '/tmp/stolen.csv'",
    "INSERT INTO people VALUES (1, 'a', 'b')",
    "ATTACH '/tmp/x.duckdb'",
    "EXPLAIN SELECT 1",
  ])("refuses the query %s", async (query) => {
    await using source = open(join(directory, "csv"));
    expect((await failure(source.describe({ query }, signal))).code).toBe("source_rejected");
  });

  it.each(["SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM read_csv('/etc/passwd')"])(
    "keeps %s away from the rest of the machine",
    async (query) => {
      await using source = open(join(directory, "csv"));
      const error = await failure(read(source, { query }, []));
      expect(error.code).toBe("source_rejected");
    },
  );

  it.each(["w.duckdb", "csv"])("leaves %s and its folder as they are", async (name) => {
    const state = async (): Promise<unknown> => {
      const paths = await readdir(directory, { recursive: true });
      return Promise.all(
        paths.sort().map(async (path) => {
          const { size, mtimeMs } = await stat(join(directory, path));
          return [path, size, mtimeMs];
        }),
      );
    };
    const before = await state();
    await using source = open(join(directory, name));
    expect(await takeIn(source, refs.many, ["n"])).toHaveLength(5000);
    expect(await state()).toEqual(before);
  });

  it("names the line of a broken CSV file, not its content", async () => {
    await writeFile(join(directory, "csv", "broken.csv"), "id,name\n1,a\n2,secret,extra,more\n");
    await using source = open(join(directory, "csv"));
    const error = await failure(read(source, { name: ["broken"] }, ["id"]));
    expect(error.code).toBe("source_rejected");
    expect(error.message).toContain("Line 3");
    expect(error.message).not.toContain("secret");
  });

  it("tells a revision of a file that only its contents and name make", async () => {
    const folder = await mkdtemp(join(directory, "revision-"));
    const file = join(folder, "t.csv");
    await writeFile(file, "id\n1\n");
    const first = await revision(folder);
    expect(first).toMatch(/^t\.csv [\w-]{43}$/);
    await utimes(file, 1, 1);
    await writeFile(join(folder, "u.csv"), "id\n7\n");
    expect([await revision(folder), await revision(file)]).toEqual([first, first]);
    await writeFile(file, "id\n2\n");
    await utimes(file, 1, 1);
    const second = await revision(folder);
    expect([second === undefined, second === first]).toEqual([false, false]);
    await rename(file, join(folder, "t.tsv"));
    expect(await revision(folder)).not.toBe(second);
    expect(await revision(folder, "missing")).toBeUndefined();
  });

  it.each(["with other contents", "with the same contents"])(
    "tells no revision of a file that was written since it first told one, %s",
    async (how) => {
      const folder = await mkdtemp(join(directory, "revision-"));
      await writeFile(join(folder, "t.csv"), "id\n1\n");
      await using source = open(folder);
      const ref = { name: ["t"] };
      const first = await source.revision?.(ref, signal);
      expect(await source.revision?.(ref, signal)).toBe(first);
      // Another file takes its name, as most programs write: that it came to be tells it apart, whatever the clock's grain.
      await writeFile(join(folder, "new"), how === "with other contents" ? "id\n2\n" : "id\n1\n");
      await rename(join(folder, "new"), join(folder, "t.csv"));
      expect(await source.revision?.(ref, signal)).toBeUndefined();
    },
  );

  it("tells a revision without DuckDB, whose loading would cost more than the digest", async () => {
    const url = new URL("../../ingest/sources/duckdb.ts", import.meta.url).href;
    const program = `import { makeDuckDbSource } from ${JSON.stringify(url)};
      const loaded = () => process.report.getReport().sharedObjects.some((path) => path.includes("duckdb"));
      const source = makeDuckDbSource({ kind: "duckdb", path: process.argv[1] }, {});
      const { signal } = new AbortController();
      const told = [await source.revision({ name: ["people"] }, signal) !== undefined, loaded()];
      await source.describe({ name: ["people"] }, signal);
      console.log(JSON.stringify([...told, loaded()]));`;
    const argv = ["--input-type=module", "-e", program, join(directory, "csv")];
    const { stdout } = await promisify(execFile)(process.execPath, argv);
    expect(JSON.parse(stdout)).toEqual([true, false, true]);
  });

  it("tells the revision of a file of several reads by all of it", async () => {
    const folder = await mkdtemp(join(directory, "revision-"));
    const text = `id,body\n1,${"x".repeat(2_500_000)}`;
    await writeFile(join(folder, "t.csv"), text);
    expect(await revision(folder)).toBe(`t.csv ${createHash("sha256").update(text).digest("base64url")}`);
  });

  it("tells no revision of a query, nor of a database file", async () => {
    await using files = open(join(directory, "csv"));
    expect(await files.revision?.({ query: "SELECT * FROM people" }, signal)).toBeUndefined();
    await using database = open(join(directory, "w.duckdb"));
    expect(await database.revision?.({ name: ["people"] }, signal)).toBeUndefined();
  });

  it("says what to do about a path where nothing is", async () => {
    await using source = open(join(directory, "nowhere"));
    expect((await failure(source.describe({ name: ["t"] }, signal))).code).toBe("source_rejected");
  });

  it("lists every wrong setting", () => {
    try {
      makeDuckDbSource({ kind: "duckdb", delimiter: "ab", other: 1 }, secretHost({}));
      expect.unreachable();
    } catch (error) {
      expect(error instanceof QuaysideError && error.violations.length).toBe(3);
    }
  });
});
