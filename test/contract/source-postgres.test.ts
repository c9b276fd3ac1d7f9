import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makePostgresSource } from "../../ingest/sources/postgres.ts";
import { makeRedshiftSource } from "../../ingest/sources/redshift.ts";
import type { Row, Source } from "../../shared/ports/source.ts";
import { startPglite, type PostgresInProcess } from "../fakes/pglite.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { documentedSql, takeIn } from "./grants.ts";
import { DESCRIBED_EMPTY, STAFF_AND_SALES, TABLES } from "./postgres-tables.ts";
import { failureOf, readRows } from "./source-sql.ts";
import { sourceContract, STAMPED_CURSORS } from "./source.ts";

const signal = new AbortController().signal;
let server: PostgresInProcess;

const open = (settings: Readonly<Record<string, unknown>> = {}): Source =>
  makePostgresSource({ kind: "postgres", ...settings }, secretHost({ DATABASE_URL: server.url }));

beforeAll(async () => {
  server = await startPglite(TABLES);
});
afterAll(() => server[Symbol.asyncDispose]());
afterEach(() => {
  server.onData = undefined;
  server.refused = undefined;
});

const refs = {
  people: { name: ["people"] },
  many: { name: ["public", "many"] },
  empty: { name: ["postgres", "public", "empty"] },
  missing: { name: ["missing"] },
  stamped: { ref: { name: ["stamped"] }, cursors: STAMPED_CURSORS },
};
const redshift = (): Source =>
  makeRedshiftSource(
    { kind: "redshift", secret: "REDSHIFT_URL" },
    secretHost({ REDSHIFT_URL: server.url.replace("postgres:", "redshift:") }),
  );
sourceContract("postgres", async () => ({ source: open(), ...refs }));
sourceContract("postgres, queries", async () => ({
  source: open(),
  people: { query: "SELECT id, name, note FROM people;" },
  many: { query: "SELECT n FROM many -- all of them" },
  empty: { query: "WITH one AS (SELECT 1 AS id) SELECT id FROM one WHERE false" },
  missing: { query: "SELECT * FROM missing" },
  stamped: { ref: { query: "SELECT * FROM stamped" }, cursors: ["changed at"] },
}));
sourceContract("redshift", async () => ({
  source: redshift(),
  ...refs,
  stamped: { ...refs.stamped, cursors: ["word"] },
}));

/** A table `t` of one row, made and read. */
async function readOne(columns: string, setup: readonly string[] = []): Promise<Row | undefined> {
  await server.run("DROP TABLE IF EXISTS t", ...setup, `CREATE TABLE t AS SELECT ${columns}`);
  await using source = open();
  return (await readRows(source, { name: ["t"] }, []))[0];
}

/** Reads as the role, which the one session that there is takes on. */
async function asRole(given: readonly string[], work: (source: Source) => Promise<void>): Promise<void> {
  const dropped = ["RESET ROLE", "DROP OWNED BY quayside", "DROP ROLE quayside"];
  onTestFinished(() => server.run(...dropped));
  await server.run(
    "DROP SCHEMA IF EXISTS sales, hr CASCADE",
    ...STAFF_AND_SALES,
    ...given,
    "SET ROLE quayside",
  );
  await using source = open();
  await work(source);
}

describe("postgres source", () => {
  it("keeps numbers without loss", async () => {
    const row = await readOne(
      `32767::smallint AS small, 9007199254740991::bigint AS safe, 9007199254740993::bigint AS big,
       99999999999999999999999999999999999999::numeric(38,0) AS d38, 1.10::numeric(20,10) AS scaled,
       0.1::real AS single, 0.30000000000000004::float8 AS sum, 1.7976931348623157e308::float8 AS max, '-0'::float8 AS zero,
       'nan'::float8 AS nan, 'infinity'::float8 AS inf, '-infinity'::float8 AS ninf, 'nan'::numeric AS dnan,
       1234.5::numeric::money AS price`,
    );
    expect(row).toEqual({
      small: 32767,
      safe: 9007199254740991,
      big: "9007199254740993",
      d38: "99999999999999999999999999999999999999",
      scaled: "1.1000000000",
      single: 0.1,
      sum: 0.30000000000000004,
      max: 1.7976931348623157e308,
      zero: "-0",
      nan: "NaN",
      inf: "Infinity",
      ninf: "-Infinity",
      dnan: "NaN",
      price: "1234.50",
    });
  });

  it("keeps dates and times, from before our era to after the year 9999, in UTC", async () => {
    const row = await readOne(
      `DATE '2024-02-29' AS leap, DATE '0001-01-01' AS first, DATE '9999-12-31' AS last, DATE '10000-01-01' AS far,
       DATE '0001-01-01 BC' AS zero, DATE '0044-03-15 BC' AS bc, DATE 'infinity' AS forever, DATE '-infinity' AS never,
       TIMESTAMP '2024-01-01 10:00:00.123456' AS ts, TIMESTAMP '0044-03-15 10:00:00 BC' AS ides,
       TIMESTAMPTZ '2024-01-01 10:00:00+05:30' AS tz, TIMESTAMPTZ '0044-03-15 10:00:00+00 BC' AS tzbc,
       TIMESTAMPTZ 'infinity' AS tzinf, TIME '10:00:00.5' AS clock, TIMETZ '10:00:00+02' AS zoned,
       INTERVAL '1 year 2 mons 3 days 04:05:06.7' AS span, INTERVAL '-1 day' AS back`,
      // What the database's owner prefers for people must not matter; this server has one session for all.
      ["SET datestyle = 'SQL, DMY'", "SET timezone = 'Asia/Kolkata'", "SET intervalstyle = 'iso_8601'"],
    );
    expect(row).toEqual({
      leap: "2024-02-29",
      first: "0001-01-01",
      last: "9999-12-31",
      far: "+010000-01-01",
      zero: "0000-01-01",
      bc: "-000043-03-15",
      forever: "Infinity",
      never: "-Infinity",
      ts: "2024-01-01T10:00:00.123456Z",
      ides: "-000043-03-15T10:00:00Z",
      tz: "2024-01-01T04:30:00Z",
      tzbc: "-000043-03-15T10:00:00Z",
      tzinf: "Infinity",
      clock: "10:00:00.5",
      zoned: "10:00:00+02",
      span: "1 year 2 mons 3 days 04:05:06.7",
      back: "-1 days",
    });
  });

  it("keeps text, bytes, JSON and types made of others", async () => {
    const row = await readOne(
      String.raw`'ab '::text AS padded, 'ab'::char(5) AS fixed, ''::text AS nothing, E'\uFEFFmark' AS marked, true AS yes,
       '\xAABB'::bytea AS bytes, ''::bytea AS none, '00000000-0000-0000-0000-000000000001'::uuid AS u,
       '{"n": 9007199254740993, "x": 1.0, "ok": 2}'::json AS j, '{"b": [1, null], "__proto__": 3}'::jsonb AS jb,
       'happy'::mood AS mood, '[1,10)'::int4range AS range, '10.0.0.1/8'::inet AS net, B'101' AS bits, 5::positive AS domain,
       ARRAY[1, NULL, 3] AS ints, ARRAY['a,b', 'NULL', NULL, '', 'q"\}'] AS texts, ARRAY[[1,2],[3,4]] AS grid,
       '[0:1]={7,8}'::int[] AS bounded, '{}'::int[] AS emptied, ARRAY[TIMESTAMPTZ '2024-01-01 10:00+01'] AS times,
       ARRAY[1.10::numeric] AS decimals, ARRAY['\x00FF'::bytea] AS blobs, ARRAY['{"a": 1}'::jsonb] AS docs,
       ARRAY[2::positive] AS domains, ROW('a "b", c', 1.50, ARRAY[1,2], NULL, '')::thing AS thing,
       ARRAY[ROW('x\y', 2, NULL, DATE '2024-01-01', '(')::thing] AS things, '1 2'::int2vector AS vector,
       '(1,2),(3,4)'::box AS shape, ARRAY['((3,4),(1,2))'::box, '((7,8),(5,6))'::box] AS shapes, NULL::jsonb AS gone`,
      [
        "CREATE TYPE mood AS ENUM ('happy', 'sad')",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE TYPE thing AS (name text, price numeric, sizes int[], made date, note text)",
      ],
    );
    expect(row).toEqual({
      padded: "ab ",
      fixed: "ab",
      nothing: "",
      marked: "\uFEFFmark",
      yes: true,
      bytes: "qrs=",
      none: "",
      u: "00000000-0000-0000-0000-000000000001",
      j: { n: "9007199254740993", x: "1.0", ok: 2 },
      jb: { b: [1, null], ["__proto__"]: 3 },
      mood: "happy",
      range: "[1,10)",
      net: "10.0.0.1/8",
      bits: "101",
      domain: 5,
      ints: [1, null, 3],
      texts: ["a,b", "NULL", null, "", 'q"\\}'],
      grid: [
        [1, 2],
        [3, 4],
      ],
      bounded: [7, 8],
      emptied: [],
      times: ["2024-01-01T09:00:00Z"],
      decimals: ["1.10"],
      blobs: ["AP8="],
      docs: [{ a: 1 }],
      domains: [2],
      thing: { name: 'a "b", c', price: "1.50", sizes: [1, 2], made: null, note: "" },
      things: [{ name: "x\\y", price: "2", sizes: null, made: "2024-01-01", note: "(" }],
      vector: "1 2",
      shape: "(3,4),(1,2)",
      shapes: ["(3,4),(1,2)", "(7,8),(5,6)"],
      gone: null,
    });
  });

  it("describes types as they are read", async () => {
    await server.run("DROP TABLE IF EXISTS t");
    await server.run(
      `CREATE TABLE t AS SELECT 1 AS i, 1.5 AS d, now() AS tz, DATE 'today' AS day, 'a'::text AS s, true AS b,
         ''::bytea AS raw, '{}'::jsonb AS j, ARRAY[1] AS list, 1::numeric::money AS m`,
    );
    await using source = open();
    const table = await source.describe({ name: ["t"] }, signal);
    const query = await source.describe({ query: "SELECT * FROM t" }, signal);
    const types = "number number timestamp date string boolean binary json json number";
    expect(table.columns.map((column) => column.type).join(" ")).toBe(types);
    expect(query.columns.map((column) => column.type).join(" ")).toBe(types);
  });

  it("reads comments, nullability and the primary key, in the key's order", async () => {
    await using source = open();
    const table = await source.describe({ name: ["empty"] }, signal);
    expect(table).toMatchObject({ ...DESCRIBED_EMPTY, primaryKey: ["part", "id"] });
  });

  it("estimates the rows that were last counted and the bytes of the table's pages", async () => {
    await using source = open();
    const { rows, bytes = 0 } = await source.estimate(await source.describe(refs.many, signal), signal);
    // 23 pages of 8 KiB and the maps beside them.
    expect([rows, bytes >= 23 * 8192, bytes < 40 * 8192]).toEqual([5000, true, true]);
  });

  describe.each(["CREATE ROLE", "CREATE USER"])(
    "with the grants that its page tells from %s on",
    (beginning) => {
      const all = documentedSql("postgres", beginning).map((statement) =>
        statement.replace("crm", "postgres"),
      );
      const orders = { name: ["sales", "orders"] };

      it("describes, estimates and reads a table, and no other", () =>
        asRole(all, async (source) => {
          expect(await takeIn(source, orders, ["id"])).toEqual([{ id: 1, note: "first" }]);
          const other = takeIn(source, { name: ["sales", "invoices"] }, ["id"]);
          expect((await failureOf(other)).message).toContain('GRANT SELECT ON "sales"."invoices"');
        }));

      it.each(all.filter((statement) => /^GRANT .*\bsales\b/.test(statement)))(
        "can't do without %s",
        (left) =>
          asRole(
            all.filter((statement) => statement !== left),
            async (source) => {
              expect((await failureOf(takeIn(source, orders, ["id"]))).code).toBe("source_rejected");
            },
          ),
      );
    },
  );

  it("sees of a table the columns that its page grants", async () => {
    const grants = documentedSql("postgres", "CREATE ROLE").filter((sql) => !sql.includes("DATABASE"));
    await asRole(grants, async (source) => {
      const rows = await takeIn(source, { name: ["hr", "staff"] }, ["id"]);
      expect(rows).toEqual([{ id: 1, name: "Ada", region: "north" }]);
    });
  });

  it("lists tables with their schema, none of the system", async () => {
    await server.run("DROP TABLE IF EXISTS t; CREATE TABLE t (id int)");
    await using source = open();
    const names = (await source.tables?.(signal))?.map((ref) => ref.name?.join("."));
    expect(names).toEqual(expect.arrayContaining(["public.empty", "public.t"]));
    expect(names?.filter((name) => name?.startsWith("pg_catalog"))).toEqual([]);
  });

  it("reads the same from Redshift's catalogue views", async () => {
    await using source = redshift();
    const table = await source.describe({ name: ["empty"] }, signal);
    expect(table).toMatchObject({ ...DESCRIBED_EMPTY, primaryKey: ["id", "part"] });
  });

  it("finds a table by its name alone on the search path, and says when a name means several", async () => {
    await server.run(
      "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.twice (x int); CREATE TABLE b.twice (y int)",
    );
    await server.run("CREATE TABLE a.people (other int)");
    await using source = open();
    expect((await failureOf(source.describe({ name: ["twice"] }, signal))).message).toContain("several");
    const names = async (name: readonly string[]): Promise<readonly string[]> =>
      (await source.describe({ name }, signal)).columns.map((column) => column.name);
    expect(await names(["b", "twice"])).toEqual(["y"]);
    expect(await names(["people"])).toEqual(["id", "name", "note"]);
    const other = await failureOf(source.describe({ name: ["elsewhere", "public", "people"] }, signal));
    expect(other.code).toBe("source_rejected");
  });

  it.each([
    "DROP TABLE people",
    "SELECT 1; SELECT 2",
    "SELECT 1) AS t; DROP TABLE people; SELECT (1",
    "SELECT 1) AS a, (SELECT 2",
    "INSERT INTO people VALUES (1, 'a', 'b') RETURNING id",
    "WITH gone AS (DELETE FROM people RETURNING id) SELECT * FROM gone",
    "SELECT * INTO stolen FROM people",
    "COPY people TO '/tmp/stolen.csv'",
    "COMMIT; DELETE FROM people",
    "EXPLAIN SELECT 1",
    "SELECT 'no end",
    "SELECT nextval('numbers') AS n",
    "SELECT setval('numbers', 7) AS n",
  ])("refuses the query %s", async (query) => {
    await server.run("CREATE SEQUENCE IF NOT EXISTS numbers");
    await using source = open();
    expect((await failureOf(readRows(source, { query }, []))).code).toBe("source_rejected");
    await using after = open();
    expect(await readRows(after, { name: ["people"] }, ["id"])).toHaveLength(3);
  });

  it("names no value of a row when a query fails over it", async () => {
    await using source = open();
    const error = await failureOf(
      readRows(source, { query: "SELECT (name || 'x')::int AS n FROM people" }, []),
    );
    expect(error.code).toBe("source_rejected");
    expect(error.message).not.toContain("Ada");
  });

  it("reads a table whose column was dropped without it, and refuses to read the column", async () => {
    await server.run("DROP TABLE IF EXISTS t");
    await server.run("CREATE TABLE t AS SELECT 1 AS id, 'a' AS keep, 'b' AS dropped");
    await using source = open();
    const before = await source.describe({ name: ["t"] }, signal);
    await server.run("ALTER TABLE t DROP COLUMN dropped");
    const reading = async (): Promise<void> => {
      for await (const _ of source.read(before, { key: ["id"], batchSize: 10, signal })) continue;
    };
    const error = await failureOf(reading());
    expect(error.code).toBe("source_rejected");
    expect(error.message).toContain("dropped");
    expect(await readRows(source, { name: ["t"] }, ["id"])).toEqual([{ id: 1, keep: "a" }]);
  });

  it("begins again when the connection ends before the first row", async () => {
    let dropped = 0;
    server.onData = (_, drop) => {
      if (dropped < 2) {
        dropped += 1;
        drop();
      }
    };
    await using source = open();
    expect(await readRows(source, { name: ["people"] }, ["id"])).toHaveLength(3);
    expect(dropped).toBe(2);
  });

  it("goes without settings at the start behind a pooler that takes none, and still can't write", async () => {
    server.refused = "default_transaction_read_only";
    await using source = open();
    const query = "SELECT current_setting('transaction_read_only') AS v";
    expect(await readRows(source, { query }, [])).toEqual([{ v: "on" }]);
  });

  it("gives up when the connection ends between rows: what is half read is not read on", async () => {
    await using source = open();
    const table = await source.describe(refs.many, signal);
    const before = server.connections;
    let rows = 0;
    const reading = async (): Promise<void> => {
      for await (const batch of source.read(table, { key: ["n"], batchSize: 100, signal })) {
        rows += batch.length;
        server.onData = (_, drop) => drop();
      }
    };
    expect((await failureOf(reading())).code).toBe("source_unavailable");
    expect(rows).toBeGreaterThan(0);
    expect(rows).toBeLessThan(5000);
    expect(server.connections - before).toBe(1);
  });

  it("holds a bounded number of rows, however slow its reader and large its rows", async () => {
    await server.run("DROP TABLE IF EXISTS t");
    await server.run(
      "CREATE TABLE t AS SELECT n, CASE WHEN n > 600 THEN repeat('x', 200000) ELSE 'x' END AS body FROM generate_series(1, 700) AS g(n)",
    );
    await using source = open();
    const table = await source.describe({ name: ["t"] }, signal);
    let largest = 0;
    let rows = 0;
    for await (const batch of source.read(table, { key: ["n"], batchSize: 1000, signal })) {
      rows += batch.length;
      largest = Math.max(
        largest,
        batch.reduce((sum, row) => sum + JSON.stringify(row).length, 0),
      );
      // Long enough for all that the server would send, if it were not made to wait.
      if (rows > 300)
        for (let turn = 0; turn < 2000; turn++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(rows).toBe(700);
    // 4 MiB, and what was under way.
    expect(largest).toBeLessThan(6 * 1024 * 1024);
  });

  it("does not speak to a server without TLS where TLS was asked for", async () => {
    const host = secretHost({ DATABASE_URL: `${server.url}?sslmode=require` });
    await using source = makePostgresSource({ kind: "postgres" }, host);
    expect((await failureOf(source.describe(refs.people, signal))).code).toBe("source_rejected");
  });
});
