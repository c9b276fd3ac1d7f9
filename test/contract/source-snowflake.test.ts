import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makeSnowflakeSource } from "../../ingest/sources/snowflake.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { SNOWFLAKE_STUB, startSnowflake, type SnowflakeStub } from "../stubs/snowflake.ts";
import { documentedSql, takeIn } from "./grants.ts";
import { fillTables, keyPair } from "./snowflake-tables.ts";
import { failureOf, readRows } from "./source-sql.ts";
import { sourceContract, STAMPED_CURSORS } from "./source.ts";

const signal = new AbortController().signal;
let stub: SnowflakeStub;

/** A host with all that a key pair needs, some of it changed or taken away. */
const hostWith = (change: Readonly<Record<string, string | undefined>> = {}): ReturnType<typeof secretHost> =>
  secretHost({ ...keyPair(stub), ...change });

const open = (settings: Readonly<Record<string, unknown>> = {}, host: Host = hostWith()): Source =>
  makeSnowflakeSource({ kind: "snowflake", database: "acme", schema: "public", ...settings }, host);

const refs = {
  people: { name: ["people"] },
  many: { name: ["PUBLIC", "many"] },
  empty: { name: ["ACME", "PUBLIC", "empty"] },
  missing: { name: ["missing"] },
  stamped: { ref: { name: ["stamped"] }, cursors: [...STAMPED_CURSORS, "nano"] },
};

const paths = (part: string): number => stub.exchanges.filter((e) => e.path.includes(part)).length;

beforeAll(async () => {
  stub = await startSnowflake();
  await fillTables(stub);
});
afterEach(() => stub.reset());
afterAll(() => stub[Symbol.asyncDispose]());

sourceContract("snowflake, tables by key pair", async () => ({ source: open(), ...refs }));
sourceContract("snowflake, queries by token", async () => ({
  source: open({}, hostWith({ SNOWFLAKE_PRIVATE_KEY: undefined, SNOWFLAKE_TOKEN: SNOWFLAKE_STUB.token })),
  people: { query: `SELECT id, name, note FROM "ACME"."PUBLIC".people;` },
  many: { query: `SELECT n FROM "ACME"."PUBLIC".many -- all of them` },
  empty: { query: "SELECT 1 AS id WHERE false" },
  missing: { query: `SELECT * FROM "ACME"."PUBLIC".missing` },
  stamped: { ref: { query: `SELECT * FROM "ACME"."PUBLIC".stamped` }, cursors: ["changed at"] },
}));

/** A table of one test's own, gone afterwards. */
async function table(name: string, as: string): Promise<TableRef> {
  await stub.warehouse.run(`CREATE OR REPLACE TABLE "ACME"."PUBLIC"."${name}" AS ${as}`);
  return { name: [name] };
}

describe("snowflake source", () => {
  it("keeps every cell without loss", async () => {
    const ref = await table(
      "TYPES",
      `SELECT 1 AS ID, 9007199254740991::BIGINT AS SAFE, 9007199254740993::BIGINT AS BIG,
        99999999999999999999999999999999999999::DECIMAL(38,0) AS D38, -0.0000000001::DECIMAL(38,10) AS SMALL,
        1.10::DECIMAL(20,10) AS SCALED, 1.7976931348623157e308::DOUBLE AS MAX, -0.0::DOUBLE AS ZERO, 0.1::DOUBLE AS TENTH,
        'nan'::DOUBLE AS NAN, 'infinity'::DOUBLE AS INF, '-infinity'::DOUBLE AS NINF,
        DATE '0001-01-01' AS FIRST, DATE '9999-12-31' AS LAST, DATE '2024-02-29' AS LEAP, DATE '1969-12-31' AS EARLIER,
        TIME '10:00:00.5' AS CLOCK, TIMESTAMP '2024-01-01 10:00:00.123456' AS NTZ,
        TIMESTAMP_NS '2024-01-01 10:00:00.123456789' AS LTZ, TIMESTAMPTZ '2024-01-01 10:00:00+05:30' AS TZ,
        TIMESTAMP '1969-12-31 23:59:59.5' AS HALF, TIMESTAMP '0001-01-01 00:00:00' AS DAWN,
        TIMESTAMP '9999-12-31 23:59:59.999999' AS DUSK,
        unhex('AABB') AS BYTES, true AS YES, false AS NO, NULL::VARCHAR AS NOTHING, 'null' AS WORD, '' AS BLANK,
        concat('a', chr(0), 'b') AS NUL, '{"n": 9007199254740993, "x": 1.0, "ok": [2, null]}'::JSON AS VAR`,
    );
    await using source = open();
    expect(await readRows(source, ref, ["ID"])).toEqual([
      {
        ID: 1,
        SAFE: 9007199254740991,
        BIG: "9007199254740993",
        D38: "99999999999999999999999999999999999999",
        SMALL: "-0.0000000001",
        SCALED: "1.1000000000",
        MAX: 1.7976931348623157e308,
        ZERO: "-0",
        TENTH: 0.1,
        NAN: "NaN",
        INF: "Infinity",
        NINF: "-Infinity",
        FIRST: "0001-01-01",
        LAST: "9999-12-31",
        LEAP: "2024-02-29",
        EARLIER: "1969-12-31",
        CLOCK: "10:00:00.5",
        NTZ: "2024-01-01T10:00:00.123456Z",
        LTZ: "2024-01-01T10:00:00.123456789Z",
        TZ: "2024-01-01T04:30:00Z",
        HALF: "1969-12-31T23:59:59.5Z",
        DAWN: "0001-01-01T00:00:00Z",
        DUSK: "9999-12-31T23:59:59.999999Z",
        BYTES: "qrs=",
        YES: true,
        NO: false,
        NOTHING: null,
        WORD: "null",
        BLANK: "",
        NUL: "a\u0000b",
        VAR: { n: "9007199254740993", x: "1.0", ok: [2, null] },
      },
    ]);
  });

  it("describes types, comments and the primary key from the catalogue", async () => {
    await stub.warehouse.run(
      `CREATE OR REPLACE TABLE "ACME"."PUBLIC"."KEYED" (B VARCHAR, A INTEGER, PRICE DECIMAL(10,2), PRIMARY KEY (A, B))`,
    );
    await stub.warehouse.run(`COMMENT ON TABLE "ACME"."PUBLIC"."KEYED" IS 'prices'`);
    await stub.warehouse.run(`COMMENT ON COLUMN "ACME"."PUBLIC"."KEYED".PRICE IS 'in euros'`);
    await using source = open();
    const found = await source.describe({ name: ["keyed"] }, signal);
    expect(found).toEqual({
      ref: { name: ["keyed"] },
      primaryKey: ["A", "B"],
      description: "prices",
      columns: [
        { name: "B", type: "string", nullable: false },
        { name: "A", type: "number", nullable: false },
        { name: "PRICE", type: "number", nullable: true, description: "in euros" },
      ],
    });
  });

  it("reads the tables of a run as at one moment, changed or not since", async () => {
    const one = await table("ONE", "SELECT 1 AS N");
    const two = await table("TWO", "SELECT 1 AS N");
    await using source = open();
    const described = [await source.describe(one, signal), await source.describe(two, signal)];
    await stub.warehouse.run(`UPDATE "ACME"."PUBLIC"."ONE" SET N = 2`);
    await stub.warehouse.run(`DELETE FROM "ACME"."PUBLIC"."TWO"`);
    const rows = [];
    for (const shape of described) {
      for await (const batch of source.read(shape, { key: ["N"], batchSize: 10, signal }))
        rows.push(...batch);
    }
    expect(rows).toEqual([{ N: 1 }, { N: 1 }]);
  });

  it("takes the highest value of a cursor, and rows since it, as at the run's moment, in key order", async () => {
    const ref = await table("MOVING", "SELECT range AS ID, 5 - range AS N, 'x' AS WORD FROM range(3)");
    await using source = open();
    const shape = await source.describe(ref, signal);
    await stub.warehouse.run(`UPDATE "ACME"."PUBLIC"."MOVING" SET N = 9, WORD = 'later' WHERE ID = 2`);
    expect(await source.highest?.(shape, "N", signal)).toBe("5");
    const rows = [];
    const reading = { key: ["ID"], since: { column: "N", value: "5" } };
    for await (const batch of source.read(shape, { ...reading, batchSize: 10, signal })) rows.push(...batch);
    expect(rows).toEqual([{ ID: 0, N: 5, WORD: "x" }, { ID: 1 }, { ID: 2 }]);
  });

  it("takes the highest value of a table that was replaced meanwhile as it is now", async () => {
    await using source = open();
    await source.describe(await table("OLD", "SELECT 1 AS N"), signal);
    const late = await source.describe(await table("REPLACED", "SELECT 7 AS N"), signal);
    expect(await source.highest?.(late, "N", signal)).toBe("7");
  });

  it("reads a table that was replaced meanwhile as it is now, and says so", async () => {
    const early = await table("EARLY", "SELECT 1 AS N");
    const host = hostWith();
    await using source = open({}, host);
    await source.describe(early, signal);
    const late = await table("LATE", "SELECT 7 AS N");
    expect(await readRows(source, late, ["N"])).toEqual([{ N: 7 }]);
    expect(host.logged.map((event) => event.event)).toContain("source-snapshot-skipped");
  });

  it.each([
    ["snapshot is off", { snapshot: false }, "past"],
    ["the table keeps no past", {}, "no past"],
  ])("reads no earlier moment where %s", async (_, settings, comment) => {
    const ref = await table("PLAIN", "SELECT 1 AS N");
    await stub.warehouse.run(`COMMENT ON TABLE "ACME"."PUBLIC"."PLAIN" IS '${comment}'`);
    await using source = open(settings);
    await readRows(source, ref, ["N"]);
    expect(stub.statements.at(-1)?.statement).toBe(
      'SELECT "N" FROM "ACME"."PUBLIC"."PLAIN" AS t ORDER BY "N"',
    );
  });

  it("sends role, warehouse, time zone, tag and time limit with every statement", async () => {
    await using source = open({ timeoutSeconds: 60, queryTag: "nightly" });
    await readRows(source, refs.people, ["id"]);
    expect(
      stub.statements.every(
        (s) =>
          s.role === "READER" &&
          s.warehouse === "SMALL" &&
          s.timeout === 60 &&
          s.parameters.query_tag === "nightly" &&
          s.parameters.timezone === "UTC",
      ),
    ).toBe(true);
  });

  it("sends only SELECT and SHOW", async () => {
    await using source = open();
    await readRows(source, refs.people, ["id"]);
    const verbs = stub.statements.map((s) => s.statement.split(" ")[0]);
    expect(verbs).toEqual(["SELECT", "SELECT", "SELECT", "SHOW", "SELECT"]);
  });

  describe("with the grants that its page tells", () => {
    const all = documentedSql("snowflake", "CREATE ROLE").map((statement) =>
      statement.replace(/\bSALES\b/, "ACME"),
    );
    const granted = all.filter((statement) => statement.startsWith("GRANT"));
    const byDefault = { SNOWFLAKE_ROLE: undefined, SNOWFLAKE_WAREHOUSE: undefined };
    const takeOrders = async (): Promise<readonly Row[]> => {
      await using source = open({ role: "QUAYSIDE_READER", warehouse: "QUAYSIDE_WH" }, hostWith(byDefault));
      return takeIn(source, await table("ORDERS", "SELECT 1 AS id"), ["id"]);
    };

    it("describes, estimates and reads a table", async () => {
      stub.grant(all);
      expect(await takeOrders()).toEqual([{ id: 1 }]);
    });

    it.each(granted)("can't do without %s", async (left) => {
      stub.grant(all.filter((statement) => statement !== left));
      expect((await failureOf(takeOrders())).code).toBe("source_rejected");
    });
  });

  it("estimates rows and bytes of a table from the catalogue, and nothing of a query", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    expect(await source.estimate(shape, signal)).toEqual({ rows: 5000, bytes: 40_000 });
    const query = await source.describe({ query: "SELECT n FROM acme.public.many" }, signal);
    expect(await source.estimate(query, signal)).toEqual({});
  });

  it.each([
    ["role", { role: "NOBODY" }, { SNOWFLAKE_ROLE: undefined }],
    ["SNOWFLAKE_WAREHOUSE", {}, { SNOWFLAKE_WAREHOUSE: undefined }],
  ])("names %s when that is what is wrong", async (name, settings, change) => {
    await using source = open(settings, hostWith(change));
    const error = await failureOf(source.describe(refs.people, signal));
    expect(error.code).toBe("source_rejected");
    expect(error.message).toContain(name);
  });

  it.each([
    "DROP TABLE people",
    "SELECT 1; SELECT 2",
    "SELECT 1) AS t; DELETE FROM people; SELECT * FROM (SELECT 1",
    "INSERT INTO people VALUES (1, 'a', 'b')",
    "SELECT 'it''s",
    "SELECT 1 /* no end",
    "CALL stored_procedure()",
    "SELECT $$ ) $$ )",
    "",
  ])("sends nothing for the query %j", async (query) => {
    await using source = open();
    expect((await failureOf(source.describe({ query }, signal))).code).toBe("source_rejected");
    expect(paths("statements")).toBe(0);
  });

  it.each([
    "SELECT ';)' AS A",
    "SELECT 1 AS A -- ;)",
    "(SELECT 1 AS A)",
    "WITH w AS (SELECT 1 AS A) SELECT A FROM w /* ( */",
  ])("reads the query %j", async (query) => {
    await using source = open();
    expect(await readRows(source, { query }, [])).toHaveLength(1);
  });

  it("prefers a name as written to the name in upper case", async () => {
    const upper = await table("BOTH", "SELECT 1 AS N");
    await stub.warehouse.run(`CREATE SCHEMA IF NOT EXISTS "ACME"."OTHER"`);
    await stub.warehouse.run(`CREATE OR REPLACE TABLE "ACME"."OTHER"."BOTH" AS SELECT 2 AS N`);
    await using source = open();
    expect(await readRows(source, upper, ["N"])).toEqual([{ N: 1 }]);
    await using anywhere = open({ schema: undefined });
    expect((await failureOf(anywhere.describe(upper, signal))).code).toBe("source_rejected");
    expect(await readRows(anywhere, { name: ["other", "both"] }, ["N"])).toEqual([{ N: 2 }]);
  });

  it("says which column is not there", async () => {
    await using source = open();
    const shape = await source.describe(refs.people, signal);
    const reading = async (): Promise<void> => {
      for await (const _ of source.read(shape, { key: ["nope"], batchSize: 10, signal }));
    };
    expect((await failureOf(reading())).message).toContain('no column "nope"');
  });

  it("says so when the key is encrypted", async () => {
    const pem = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAA==\n-----END ENCRYPTED PRIVATE KEY-----";
    await using source = open({}, hostWith({ SNOWFLAKE_PRIVATE_KEY: pem }));
    expect((await failureOf(source.describe(refs.people, signal))).code).toBe("config_invalid");
  });

  it.each([
    ["no account", {}, { SNOWFLAKE_ACCOUNT: undefined, SNOWFLAKE_BASE_URL: undefined }],
    ["no user for the key", {}, { SNOWFLAKE_USER: undefined }],
    ["no credential", {}, { SNOWFLAKE_PRIVATE_KEY: undefined }],
    ["http to another machine", {}, { SNOWFLAKE_BASE_URL: "http://example.com" }],
    ["an unknown setting", { tables: [] }, {}],
  ])("refuses %s", (_, settings, change) => {
    expect(() => open(settings, hostWith(change))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });
});

async function revisionOf(name: string, settings = { revisions: true }): Promise<string | undefined> {
  await using source = open(settings);
  return source.revision?.({ name: [name] }, signal);
}

describe("a table's revision, where it is believed", () => {
  it("is the same until a row or the definition changes", async () => {
    await stub.warehouse.run(`CREATE OR REPLACE TABLE "ACME"."PUBLIC"."it's \\ a" AS SELECT 1 AS n`);
    const seen = [await revisionOf("it's \\ a")];
    expect(await revisionOf("it's \\ a")).toBe(seen[0]);
    for (const change of [
      `UPDATE "ACME"."PUBLIC"."it's \\ a" SET n = 2`,
      `UPDATE "ACME"."PUBLIC"."it's \\ a" SET n = 1`,
      `ALTER TABLE "ACME"."PUBLIC"."it's \\ a" RENAME n TO m`,
    ]) {
      await stub.warehouse.run(change);
      seen.push(await revisionOf("it's \\ a"));
    }
    expect(seen).not.toContain(undefined);
    expect(new Set(seen).size).toBe(4);
  });

  it("is told only where the setting says so, and of base tables", async () => {
    expect(await revisionOf("people")).toContain("PUBLIC");
    expect(await revisionOf("people", { revisions: false })).toBeUndefined();
    await stub.warehouse.run(`CREATE OR REPLACE VIEW "ACME"."PUBLIC"."SEEN" AS SELECT 1 AS n`);
    expect(await revisionOf("seen")).toBeUndefined();
    await using source = open({ revisions: true });
    expect(await source.revision?.({ query: "SELECT 1 AS n" }, signal)).toBeUndefined();
  });

  it("is never later than what is read after it", async () => {
    await stub.warehouse.run(`CREATE OR REPLACE TABLE "ACME"."PUBLIC"."MOVES" AS SELECT 1 AS n`);
    const ref = { name: ["moves"] };
    await using source = open({ revisions: true });
    await source.describe(ref, signal);
    await stub.warehouse.run(`UPDATE "ACME"."PUBLIC"."MOVES" SET n = 2`);
    await source.revision?.(ref, signal);
    expect(await readRows(source, ref, ["n"])).toEqual([{ n: 2 }]);
  });
});
