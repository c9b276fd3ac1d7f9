import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { columnOf } from "../../ingest/sources/bigquery-values.ts";
import { makeBigQuerySource } from "../../ingest/sources/bigquery.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { BIGQUERY_STUB, startBigQuery, type BigQueryStub } from "../stubs/bigquery.ts";
import { connectorPage, documentedSql, takeIn } from "./grants.ts";
import { failureOf, PEOPLE_SQL, readRows } from "./source-sql.ts";
import { sourceContract, STAMPED_CURSORS, STAMPED_SQL } from "./source.ts";

const signal = new AbortController().signal;
let stub: BigQueryStub;

const hostWith = (change: Readonly<Record<string, string | undefined>> = {}): ReturnType<typeof secretHost> =>
  secretHost({
    GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials,
    BIGQUERY_BASE_URL: stub.url,
    ...change,
  });
const open = (settings: Readonly<Record<string, unknown>> = {}, host: Host = hostWith()): Source =>
  makeBigQuerySource({ kind: "bigquery", dataset: "shop", pageSize: 1000, ...settings }, host);

const refs = {
  people: { name: ["people"] },
  many: { name: ["shop", "many"] },
  empty: { name: ["acme-prod", "shop", "empty"] },
  missing: { name: ["missing"] },
  stamped: { ref: { name: ["stamped"] }, cursors: [...STAMPED_CURSORS, "zoned"] },
};
const numbers = (rows: readonly Row[]): unknown[] =>
  rows.map((row) => row["n"]).sort((a, b) => Number(a) - Number(b));
const ALL = Array.from({ length: 5000 }, (_, n) => n);

/** A table of one test's own. */
async function table(name: string, as: string): Promise<TableRef> {
  await stub.warehouse.run(`CREATE OR REPLACE TABLE "acme-prod".shop."${name}" AS ${as}`);
  return { name: [name] };
}

beforeAll(async () => {
  stub = await startBigQuery();
  await table("people", PEOPLE_SQL);
  await table("stamped", `SELECT *, "changed at"::TIMESTAMPTZ AS zoned FROM (${STAMPED_SQL})`);
  await table("many", "SELECT range AS n FROM range(5000)");
  await table("empty", "SELECT 1 AS id WHERE false");
});
afterEach(() => stub.reset());
afterAll(() => stub[Symbol.asyncDispose]());

sourceContract("bigquery, tables", async () => ({ source: open(), ...refs }));
sourceContract("bigquery, queries", async () => ({
  source: open(),
  people: { query: "SELECT id, name, note FROM people;" },
  many: { query: "SELECT n FROM `acme-prod`.`shop`.`many` # all of them" },
  empty: { query: "SELECT 1 AS id WHERE false" },
  missing: { query: "SELECT * FROM missing" },
  stamped: { ref: { query: "SELECT * FROM stamped" }, cursors: ["changed at"] },
}));

describe("bigquery source", () => {
  it("tells the fields of a record, and of no list", () => {
    const fields = [{ name: "a", type: "STRING" }];
    expect(columnOf({ name: "r", type: "RECORD", fields })).toEqual({
      name: "r",
      type: "json",
      nullable: true,
      fields: ["a"],
    });
    expect(columnOf({ name: "l", type: "RECORD", mode: "REPEATED", fields })).not.toHaveProperty("fields");
  });

  it("keeps every cell without loss", async () => {
    const ref = await table(
      "types",
      `SELECT 1 AS id, 9007199254740991::BIGINT AS safe, (-9223372036854775808)::BIGINT AS big,
        99999999999999999999999999999999999999::DECIMAL(38,0) AS d38, 1.10::DECIMAL(20,10) AS scaled,
        1.7976931348623157e308::DOUBLE AS max, -0.0::DOUBLE AS zero, 0.1::DOUBLE AS tenth,
        'nan'::DOUBLE AS nan, 'infinity'::DOUBLE AS inf, '-infinity'::DOUBLE AS ninf,
        DATE '0001-01-01' AS first, DATE '9999-12-31' AS last, DATE '2024-02-29' AS leap, TIME '10:00:00.5' AS clock,
        TIMESTAMP '2024-01-01 10:00:00.123456' AS plain, TIMESTAMP '9999-12-31 23:59:59.999999' AS dusk,
        TIMESTAMPTZ '2024-01-01 10:00:00.000001+05:30' AS tz, TIMESTAMPTZ '0001-01-01 00:00:00+00' AS dawn,
        TIMESTAMPTZ '9999-12-31 23:59:59.999999+00' AS late,
        unhex('AABB') AS bytes, true AS yes, false AS no, NULL::VARCHAR AS nothing, 'null' AS word, '' AS blank,
        concat('a', chr(0), 'b') AS nul, '{"n": 9007199254740993, "x": 1.0, "ok": [2, null]}'::JSON AS json,
        [1, 9007199254740993, NULL]::BIGINT[] AS list, []::VARCHAR[] AS none,
        {'a': 1.10::DECIMAL(5,2), 'b': {'c': [DATE '2024-01-01']}, 'z': NULL::VARCHAR} AS struct,
        [{'t': TIMESTAMPTZ '2024-01-01 10:00:00+05:30'}] AS structs`,
    );
    await using source = open();
    expect(await readRows(source, ref, ["id"])).toEqual([
      {
        id: 1,
        safe: 9007199254740991,
        big: "-9223372036854775808",
        d38: "99999999999999999999999999999999999999",
        scaled: "1.1000000000",
        max: 1.7976931348623157e308,
        zero: "-0",
        tenth: 0.1,
        nan: "NaN",
        inf: "Infinity",
        ninf: "-Infinity",
        first: "0001-01-01",
        last: "9999-12-31",
        leap: "2024-02-29",
        clock: "10:00:00.5",
        plain: "2024-01-01T10:00:00.123456Z",
        dusk: "9999-12-31T23:59:59.999999Z",
        tz: "2024-01-01T04:30:00.000001Z",
        dawn: "0001-01-01T00:00:00Z",
        late: "9999-12-31T23:59:59.999999Z",
        bytes: "qrs=",
        yes: true,
        no: false,
        nothing: null,
        word: "null",
        blank: "",
        nul: "a\u0000b",
        json: { n: "9007199254740993", x: "1.0", ok: [2, null] },
        list: [1, "9007199254740993", null],
        none: [],
        struct: { a: "1.10", b: { c: ["2024-01-01"] }, z: null },
        structs: [{ t: "2024-01-01T04:30:00Z" }],
      },
    ]);
  });

  it("describes types, descriptions and the primary key", async () => {
    await stub.warehouse.run(
      `CREATE OR REPLACE TABLE "acme-prod".shop.keyed (b VARCHAR, a INTEGER, price DECIMAL(10,2), tags VARCHAR[], PRIMARY KEY (a, b))`,
    );
    await stub.warehouse.run(`COMMENT ON TABLE "acme-prod".shop.keyed IS 'prices'`);
    await stub.warehouse.run(`COMMENT ON COLUMN "acme-prod".shop.keyed.price IS 'in euros'`);
    await using source = open();
    expect(await source.describe({ name: ["keyed"] }, signal)).toEqual({
      ref: { name: ["keyed"] },
      primaryKey: ["a", "b"],
      description: "prices",
      columns: [
        { name: "b", type: "string", nullable: false },
        { name: "a", type: "number", nullable: false },
        { name: "price", type: "number", nullable: true, description: "in euros" },
        { name: "tags", type: "json", nullable: true },
      ],
    });
  });

  it("reads the tables of a run as at one moment, changed or not since", async () => {
    const refs = [await table("one", "SELECT 1 AS n"), await table("two", "SELECT 1 AS n")];
    await using source = open();
    const described = [];
    for (const ref of refs) described.push(await source.describe(ref, signal));
    await stub.warehouse.run(`UPDATE "acme-prod".shop.one SET n = 2`);
    await stub.warehouse.run(`DELETE FROM "acme-prod".shop.two`);
    const rows = [];
    for (const shape of described) {
      for await (const batch of source.read(shape, { key: ["n"], batchSize: 10, signal }))
        rows.push(...batch);
    }
    expect(rows).toEqual([{ n: 1 }, { n: 1 }]);
  });

  it("takes the highest value of a cursor, and rows since it, as at the run's moment, in one job each", async () => {
    const ref = await table("moving", "SELECT range AS id, range AS n, 'x' AS word FROM range(3)");
    await using source = open();
    const shape = await source.describe(ref, signal);
    await stub.warehouse.run(`UPDATE "acme-prod".shop.moving SET n = 9, word = 'later' WHERE id = 0`);
    expect(await source.highest?.(shape, "n", signal)).toBe("2");
    const rows: Row[] = [];
    const reading = { key: ["id"], since: { column: "n", value: "2" } };
    for await (const batch of source.read(shape, { ...reading, batchSize: 10, signal })) rows.push(...batch);
    expect(rows).toEqual([{ id: 2, n: 2, word: "x" }, { id: 0 }, { id: 1 }]);
    expect(stub.jobs).toHaveLength(2);
    await source.estimate(shape, signal, reading);
    expect(stub.exchanges.at(-1)?.body).toContain(
      "SELECT `id`, NULL, NULL, 0 FROM `acme-prod`.`shop`.`moving` FOR SYSTEM_TIME",
    );
  });

  it.each([
    ["snapshot is off", { snapshot: false }, "plain"],
    ["the table was made after that moment", {}, "made later"],
  ])("reads no earlier moment where %s", async (_, settings, comment) => {
    const ref = await table("plain", "SELECT 1 AS n");
    await stub.warehouse.run(`COMMENT ON TABLE "acme-prod".shop.plain IS '${comment}'`);
    await using source = open(settings);
    await readRows(source, ref, ["n"]);
    expect(stub.jobs.map((job) => job.query.query)).toEqual(["SELECT `n` FROM `acme-prod`.`shop`.`plain`"]);
  });

  it("bounds what a query may bill and how long it may take", async () => {
    await using source = open({ maximumBytesBilled: 1_000_000, timeoutSeconds: 60 });
    await readRows(source, refs.people, ["id"]);
    expect(
      stub.jobs.map((job) => [job.query.maximumBytesBilled, job.jobTimeoutMs, job.query.useLegacySql]),
    ).toEqual([["1000000", "60000", false]]);
  });

  it("names the setting when a query would bill more", async () => {
    await using source = open({ maximumBytesBilled: 100 });
    const error = await failureOf(readRows(source, refs.many, ["n"]));
    expect(error.code).toBe("source_rejected");
    expect(error.message).toContain("maximumBytesBilled");
  });

  it("estimates bytes by a dry run, without running anything", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    expect(await source.estimate(shape, signal)).toEqual({ rows: 5000, bytes: 40_000 });
    expect(stub.jobs).toEqual([]);
  });

  describe("with the roles that its page tells", () => {
    const project = [...connectorPage("bigquery").matchAll(/--role (\S+)/g)].map((match) => match[1] ?? "");
    const [grant = ""] = documentedSql("bigquery", "GRANT");
    const [, viewer = "", orders = ""] =
      /^GRANT `(.+)` ON TABLE `acme-prod\.shop\.(.+)` TO /.exec(grant) ?? [];
    const takeOrders = async (): Promise<readonly Row[]> => {
      await using source = open();
      return takeIn(source, await table(orders, "SELECT 1 AS id"), ["id"]);
    };

    it("describes, estimates and reads a table, and no other", async () => {
      stub.grant({ project, tables: { [orders]: [viewer] } });
      expect(await takeOrders()).toEqual([{ id: 1 }]);
      expect((await failureOf(takeIn(open(), refs.people, ["id"]))).code).toBe("source_rejected");
    });

    it.each([
      ["the project's", { project: [], tables: { [orders]: [viewer] } }],
      ["the table's", { project, tables: {} }],
    ])("can't do without %s", async (_, roles) => {
      stub.grant(roles);
      const error = await failureOf(takeOrders());
      expect(error.code).toBe("source_rejected");
      expect(error.message).toContain("BigQuery Data Viewer on the dataset and BigQuery Job User");
    });
  });

  it("asks for half as many rows where a page is too large to be held", async () => {
    stub.fault({ mode: "json_huge", fromCall: 5, calls: 1 });
    const host = hostWith();
    await using source = open({}, host);
    expect(numbers(await readRows(source, refs.many, ["n"]))).toEqual(ALL);
    expect(host.logged).toEqual([{ level: "warn", event: "source-page-halved", rows: 500 }]);
  });

  it("asks for half as many rows where a page takes too long", async () => {
    // Two minutes pass within a second.
    const { setTimeout: real } = globalThis;
    vi.stubGlobal("setTimeout", (work: () => void, ms: number) => real(work, ms < 120_000 ? ms : 500));
    onTestFinished(() => void vi.unstubAllGlobals());
    stub.fault({ mode: "headers_never", fromCall: 4, calls: 1 });
    const host = hostWith();
    await using source = open({}, host);
    expect(numbers(await readRows(source, refs.many, ["n"]))).toEqual(ALL);
    expect(host.logged[0]).toEqual({ level: "warn", event: "source-page-halved", rows: 500 });
  });

  it("waits for a job that still runs", async () => {
    stub.pending(3);
    await using source = open();
    expect(await readRows(source, refs.people, ["id"])).toHaveLength(3);
  });

  it("cancels its job when it is told to stop", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    stub.fault({ mode: "never_ends" });
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of source.read(shape, { key: ["n"], batchSize: 10, signal: controller.signal }));
    })();
    while (!stub.exchanges.some((e) => e.path.includes("/queries/")))
      await new Promise((done) => setImmediate(done));
    controller.abort();
    expect((await failureOf(reading)).code).toBe("cancelled");
    expect(stub.cancelled).toHaveLength(1);
  });

  it("fetches at most one page ahead of its reader", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    const ahead: number[] = [];
    for await (const _ of source.read(shape, { key: ["n"], batchSize: 1000, signal })) {
      ahead.push(stub.exchanges.filter((e) => e.path.includes("/queries/")).length - ahead.length - 1);
    }
    expect(ahead).toHaveLength(5);
    expect(Math.max(...ahead)).toBeLessThanOrEqual(1);
  });

  it.each([
    ["a throttled call", { mode: "status_429_retry_after_ms", fromCall: 3, calls: 2 }],
    ["throttling that says 403", { mode: "status_403_rateLimitExceeded", fromCall: 4, calls: 2 }],
    ["a server failure", { mode: "status_503_backendError", fromCall: 4, calls: 1 }],
    ["a token endpoint that fails", { mode: "status_503", path: "/token", calls: 1 }],
    ["a connection lost", { mode: "reset", fromCall: 5, calls: 1 }],
    ["a body cut short", { mode: "json_truncated", fromCall: 6, calls: 1 }],
    ["a page token that has ended", { mode: "page_token_expired", fromCall: 6, calls: 1 }],
    ["a job that BigQuery lost", { mode: "job_fails", fromCall: 3, calls: 1 }],
    ["an answer to the submission lost", { mode: "lost_after_submit", fromCall: 3, calls: 1 }],
  ])("goes on after %s, without loss or repetition", async (_, fault) => {
    stub.fault(fault);
    await using source = open({ location: "EU" });
    expect(numbers(await readRows(source, refs.many, ["n"]))).toEqual(ALL);
  });

  it("runs a job once when the answer to its submission is lost", async () => {
    await using source = open({ location: "EU" });
    const shape = await source.describe(refs.people, signal);
    stub.fault({ mode: "lost_after_submit", fromCall: 1, calls: 1 });
    for await (const _ of source.read(shape, { key: ["id"], batchSize: 10, signal }));
    expect(stub.jobs).toHaveLength(1);
  });

  it("signs in again when its token ends in the middle", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    const rows: Row[] = [];
    for await (const batch of source.read(shape, { key: ["n"], batchSize: 1000, signal })) {
      rows.push(...batch);
      if (rows.length === 2000) stub.revoke();
    }
    expect(numbers(rows)).toEqual(ALL);
    expect(stub.exchanges.filter((e) => e.path === "/token")).toHaveLength(2);
  });

  it.each([
    ["fewer rows than announced", { mode: "total_count_wrong" }, "source_unavailable"],
    ["a page without some of its rows", { mode: "rows_missing", fromCall: 5 }, "source_unavailable"],
    ["the same page again and again", { mode: "page_repeats" }, "source_unavailable"],
    ["a proxy's login page", { mode: "login_page", fromCall: 4 }, "source_unavailable"],
    ["a redirect", { mode: "redirect_302", fromCall: 4 }, "source_rejected"],
    ["a missing right", { mode: "status_403_accessDenied", fromCall: 3 }, "source_rejected"],
    ["a quota used up", { mode: "status_403_quotaExceeded", fromCall: 3 }, "source_unavailable"],
    ["a sign-in refused for good", { mode: "status_401" }, "source_rejected"],
  ])("fails on %s", async (_, fault, code) => {
    await using source = open();
    stub.fault(fault);
    const error = await failureOf(readRows(source, refs.many, ["n"]));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain("ya29.");
  });

  it.each([
    "DROP TABLE people",
    "SELECT 1; SELECT 2",
    "SELECT 1) ; DELETE FROM people WHERE true; SELECT * FROM (SELECT 1",
    "DECLARE x INT64",
    "SELECT 'it\\'s",
    'SELECT """ a " """ )',
    "SELECT `a\\` )` )",
    "",
  ])("sends nothing for the query %j", async (query) => {
    await using source = open();
    expect((await failureOf(source.describe({ query }, signal))).code).toBe("source_rejected");
    expect(stub.exchanges).toEqual([]);
  });

  it("asks for a dataset where none is named", async () => {
    await using source = open({ dataset: undefined });
    expect((await failureOf(source.describe(refs.people, signal))).message).toContain("dataset");
  });

  it("reads names that are no plain words", async () => {
    const ref = await table("order lines/1", `SELECT 1 AS "a b", 2 AS "select", 3 AS "__proto__"`);
    await using source = open();
    const rows = await readRows(source, ref, ["a b"]);
    expect(rows.map((row) => Object.entries(row))).toEqual([
      [
        ["a b", 1],
        ["select", 2],
        ["__proto__", 3],
      ],
    ]);
  });

  it.each([
    ["no credentials", {}, { GOOGLE_APPLICATION_CREDENTIALS_JSON: undefined }],
    ["credentials of another kind", {}, { GOOGLE_APPLICATION_CREDENTIALS_JSON: "{}" }],
    ["http to another machine", {}, { BIGQUERY_BASE_URL: "http://example.com" }],
    ["an unknown setting", { tables: [] }, {}],
  ])("refuses %s", (_, settings, change) => {
    expect(() => open(settings, hostWith(change))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });

  it("runs jobs in the project that the environment names", async () => {
    await using source = open({ project: "acme-dev" }, hostWith({ BIGQUERY_PROJECT: BIGQUERY_STUB.project }));
    expect(await readRows(source, refs.people, ["id"])).toHaveLength(3);
    expect(stub.exchanges.some((e) => e.path.includes("acme-dev"))).toBe(false);
  });
});
