import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { htmlText } from "../../ingest/sources/servicenow-html.ts";
import { makeServiceNowSource } from "../../ingest/sources/servicenow.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Row, Source } from "../../shared/ports/source.ts";
import { costOf } from "../fakes/cost.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { SERVICENOW_STUB, startServiceNow, type ServiceNowStub } from "../stubs/servicenow.ts";
import { connectorPage, takeIn } from "./grants.ts";
import { defineTables, TABLES } from "./servicenow-tables.ts";
import { failureOf, readRows } from "./source-sql.ts";
import { sourceContract } from "./source.ts";

const signal = new AbortController().signal;
let stub: ServiceNowStub;

const hostWith = (change: Readonly<Record<string, string | undefined>> = {}): ReturnType<typeof secretHost> =>
  secretHost({ SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: stub.url, ...change });
const open = (settings: Readonly<Record<string, unknown>> = {}, host: Host = hostWith()): Source =>
  makeServiceNowSource({ kind: "servicenow", tables: TABLES, ...settings }, host);

const refs = {
  people: { name: ["people"] },
  many: { name: ["many"] },
  empty: { name: ["empty"] },
  missing: { name: ["missing"] },
  stamped: {
    ref: { name: ["stamped"] },
    none: { name: ["blank"] },
    cursors: ["at", "day"],
    word: ["word"],
  },
};
const numbers = (rows: readonly Row[]): unknown[] =>
  rows.map((row) => row["n"]).sort((a, b) => Number(a) - Number(b));
const ALL = Array.from({ length: 5000 }, (_, n) => n);
/** Calls for pages of a table, each with its parameters. */
const asked = (table: string): number =>
  stub.exchanges.filter((e) => e.path === `/api/now/table/${table}`).length;

beforeAll(async () => {
  stub = await startServiceNow();
  await defineTables(stub);
});
afterEach(() => stub.reset());
afterAll(() => stub[Symbol.asyncDispose]());

sourceContract("servicenow, by token", async () => ({ source: open(), ...refs }));
sourceContract("servicenow, by user and password, small pages", async () => ({
  source: open(
    { auth: "basic", pageSize: 250 },
    hostWith({ SERVICENOW_TOKEN: `${SERVICENOW_STUB.user}:${SERVICENOW_STUB.password}` }),
  ),
  ...refs,
}));

async function takeIncidents(): Promise<readonly Row[]> {
  await using source = open({ tables: { incident: { fields: ["number", "state"] } } });
  return takeIn(source, { name: ["incident"] }, ["number"]);
}

describe("servicenow source", () => {
  it.each(["number", "word"])(
    "asks for no key that ServiceNow would run as a script (%s)",
    async (column) => {
      await stub.define({
        name: "scripts",
        fields: { number: { type: "string" }, word: { type: "string" } },
        records: "SELECT 'javascript:gs.sleep(1)' AS number, 'JavaScript:' AS word",
      });
      await using source = open({ tables: { scripts: { fields: ["number", "word"] } } });
      const table = await source.describe({ name: ["scripts"] }, signal);
      const only = [[column === "number" ? "javascript:gs.sleep(1)" : "JavaScript:"]];
      const before = asked("scripts");
      for await (const _ of source.read(table, { key: [column], batchSize: 10, only, signal }));
      expect(asked("scripts")).toBe(before);
    },
  );

  it("reads each row at most once by a cursor, though rows change and go between its calls", async () => {
    const { fetch, ...host } = hostWith();
    const meddling: Host = {
      ...host,
      async fetch(input, init) {
        if (new Request(input).url.includes("sys_idIN")) {
          await stub.warehouse.run("DELETE FROM fleeting WHERE id = '6'");
          await stub.warehouse.run(`UPDATE fleeting SET "at" = '2026-03-02 00:00:00' WHERE id = '1'`);
        }
        return fetch(input, init);
      },
    };
    await stub.define({
      name: "fleeting",
      fields: { id: { type: "integer" }, at: { type: "glide_date_time" } },
      records: `SELECT CAST(range AS VARCHAR) AS id, '2026-03-01 10:00:0' || range AS "at" FROM range(1, 7)`,
    });
    await using source = open({ tables: { fleeting: { fields: ["id", "at"] } } }, meddling);
    const table = await source.describe({ name: ["fleeting"] }, signal);
    const rows: Row[] = [];
    const since = { column: "at", value: "2026-03-01T10:00:05Z" };
    for await (const batch of source.read(table, { key: ["id"], batchSize: 100, since, signal })) {
      rows.push(...batch);
    }
    expect(rows.toSorted((a, b) => Number(a["id"]) - Number(b["id"]))).toEqual([
      { id: 1 },
      { id: 2 },
      { id: 3 },
      { id: 4 },
      { id: 5, at: "2026-03-01T10:00:05Z" },
    ]);
  });

  it("describes a table with the fields it inherits, labels and display columns", async () => {
    await using source = open();
    expect(await source.describe({ name: ["incident"] }, signal)).toEqual({
      ref: { name: ["incident"] },
      primaryKey: ["sys_id"],
      description: "Incident",
      columns: [
        { name: "active", type: "boolean", nullable: true, description: "Active" },
        { name: "assigned_to", type: "string", nullable: true, description: "Assigned to" },
        { name: "dv_assigned_to", type: "string", nullable: true, description: "Assigned to" },
        { name: "comments", type: "string", nullable: true, description: "Additional comments" },
        { name: "description", type: "string", nullable: true, description: "Description" },
        { name: "number", type: "string", nullable: true, description: "Incident number" },
        { name: "resolved_on", type: "date", nullable: true, description: "Resolved" },
        { name: "state", type: "number", nullable: true, description: "State" },
        { name: "dv_state", type: "string", nullable: true, description: "State" },
        { name: "sys_id", type: "string", nullable: true },
        { name: "sys_updated_on", type: "timestamp", nullable: true, description: "Updated" },
      ],
    });
  });

  it("reads values and what people are shown, times in UTC, journals by their entries", async () => {
    await using source = open();
    expect(await readRows(source, { name: ["incident"] }, ["number"])).toEqual([
      {
        active: true,
        assigned_to: "0a1",
        dv_assigned_to: "Odile Marchepont",
        comments: "2026-11-20 10:00:00 - Odile: called",
        description: "line 1\na\u0000b",
        number: "INC0001",
        resolved_on: "2024-02-29",
        state: 2,
        dv_state: "In Progress",
        sys_id: "b1",
        sys_updated_on: "2026-11-20T10:00:05Z",
      },
      {
        active: false,
        assigned_to: null,
        dv_assigned_to: null,
        comments: null,
        description: null,
        number: "INC0002",
        resolved_on: null,
        state: 7,
        dv_state: "Closed",
        sys_id: "b2",
        sys_updated_on: "2026-11-20T11:00:00Z",
      },
    ]);
  });

  it("reads what its filter lets through", async () => {
    await using source = open({
      tables: { incident: { fields: ["number"], filter: "active=true^ORnumber=INC0009" } },
    });
    expect(await readRows(source, { name: ["incident"] }, ["number"])).toEqual([{ number: "INC0001" }]);
  });

  it.each([
    "activ=true",
    "active=true^NQnumber=INC0002",
    "active=true^ORDERBYnumber",
    "active=javascript:gs.getUserID()",
    "=true",
  ])("refuses the filter %s, which would read something else", async (filter) => {
    await using source = open({ tables: { incident: { filter } } });
    expect((await failureOf(source.describe({ name: ["incident"] }, signal))).code).toBe("source_rejected");
    expect(asked("incident")).toBe(0);
  });

  it("turns knowledge articles into text, or keeps their HTML", async () => {
    await stub.define({
      name: "kb_knowledge",
      fields: { text: { type: "translated_html" } },
      records: "SELECT '<h1>Check-in</h1><p>Closes&nbsp;45 min before.</p>' AS text",
    });
    const ref = { name: ["kb_knowledge"] };
    await using source = open({ tables: { kb_knowledge: { fields: ["text"] } } });
    expect(await readRows(source, ref, ["text"])).toEqual([{ text: "Check-in\n\nCloses 45 min before." }]);
    await using keeping = open({ tables: { kb_knowledge: { fields: ["text"] } }, html: "keep" });
    expect(await readRows(keeping, ref, ["text"])).toEqual([
      { text: "<h1>Check-in</h1><p>Closes&nbsp;45 min before.</p>" },
    ]);
  });

  it("loses and repeats nothing when records come and go between pages", async () => {
    await stub.define({
      name: "busy",
      fields: { n: { type: "integer" } },
      records: "SELECT range AS n, printf('%05d', range) AS sys_id FROM range(1, 3000)",
    });
    await using source = open({ pageSize: 500 });
    const shape = await source.describe({ name: ["busy"] }, signal);
    const rows: Row[] = [];
    for await (const batch of source.read(shape, { key: ["n"], batchSize: 500, signal })) {
      rows.push(...batch);
      // One goes and one comes, both among the records that were read already: offsets would shift twice.
      await stub.warehouse.run(`DELETE FROM busy WHERE n = (SELECT min(n) FROM busy)`);
      await stub.warehouse.run(`INSERT INTO busy (sys_id, n) VALUES ('00000', 0)`);
    }
    expect(numbers(rows)).toEqual(Array.from({ length: 2999 }, (_, i) => i + 1));
  });

  it.each([
    ["a throttled call", { mode: "status_429_retry_after_ms", fromCall: 3, calls: 2 }],
    ["a server failure", { mode: "status_503", fromCall: 4, calls: 1 }],
    ["a connection lost", { mode: "reset", fromCall: 5, calls: 1 }],
    ["a body cut short", { mode: "json_truncated", fromCall: 5, calls: 1 }],
    ["a page that is too slow at its size", { mode: "too_slow", path: "/many" }],
    ["an instance that counts nothing", { mode: "no_count" }],
    ["a record gone between counting and reading", { mode: "rows_missing", fromCall: 4, calls: 1 }],
  ])("goes on after %s, without loss or repetition", async (_, fault) => {
    stub.fault(fault);
    await using source = open();
    expect(numbers(await readRows(source, refs.many, ["n"]))).toEqual(ALL);
  });

  it("asks for half as many records where a page is too large to be held", async () => {
    stub.fault({ mode: "json_huge", path: "/many", calls: 1 });
    const host = hostWith();
    await using source = open({}, host);
    expect(numbers(await readRows(source, refs.many, ["n"]))).toEqual(ALL);
    expect(host.logged).toEqual([{ level: "warn", event: "source-page-halved", table: "many", rows: 500 }]);
  });

  it("says how long to wait where the limit is for the hour", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    stub.fault({ mode: "status_429_far" });
    const error = await failureOf(readAll(source, shape));
    expect([error.code, error.retryAfterMs]).toEqual(["source_unavailable", 3_600_000]);
  });

  it.each([
    ["the same page again and again", { mode: "page_repeats", path: "/many" }, "source_unavailable"],
    ["a proxy's login page", { mode: "login_page", path: "/many" }, "source_unavailable"],
    ["records without an id", { mode: "no_ids", path: "/many" }, "source_unavailable"],
    ["fewer records than announced", { mode: "total_count_wrong", path: "/many" }, "source_rejected"],
    ["a redirect", { mode: "redirect_302", path: "/many" }, "source_rejected"],
    ["a missing right", { mode: "status_403", path: "/many" }, "source_rejected"],
    ["a sign-in refused", { mode: "status_401", path: "/many" }, "source_rejected"],
  ])("fails on %s", async (_, fault, code) => {
    await using source = open();
    stub.fault(fault);
    const error = await failureOf(readRows(source, refs.many, ["n"]));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain(SERVICENOW_STUB.token);
  });

  describe("with records that an access rule hides", () => {
    beforeAll(() =>
      stub.define({
        name: "partly",
        fields: { n: { type: "integer" } },
        records:
          "SELECT range AS n, printf('%05d', range) AS sys_id, range BETWEEN 100 AND 399 AS hidden FROM range(1000)",
      }),
    );

    it("stops, and says what to grant", async () => {
      await using source = open();
      const error = await failureOf(readRows(source, { name: ["partly"] }, ["n"]));
      expect(error.code).toBe("source_rejected");
      expect(error.message).toContain("hiddenRows");
    });

    it("reads all others where it is told to skip them, whole pages of them too", async () => {
      const host = hostWith();
      await using source = open({ hiddenRows: "skip", pageSize: 100 }, host);
      expect(await readRows(source, { name: ["partly"] }, ["n"])).toHaveLength(700);
      expect(host.logged.find((event) => event.event === "source-rows-hidden")?.["rows"]).toBe(300);
    });
  });

  it("reads a field that an access rule hides as nothing, and says so", async () => {
    stub.fault({ mode: "field_hidden" });
    const host = hostWith();
    await using source = open({}, host);
    const rows = await readRows(source, refs.people, ["id"]);
    expect(rows.map((row) => row["note"])).toEqual([null, null, null]);
    expect(host.logged.map((event) => [event.event, event["column"]])).toContainEqual([
      "source-field-hidden",
      "note",
    ]);
  });

  it("holds back a value that is not of its field's type, instead of guessing", async () => {
    await stub.define({ name: "lies", fields: { n: { type: "integer" } }, records: "SELECT 'twelve' AS n" });
    await using source = open({ tables: { lies: { fields: ["n"] } } });
    const [row] = await readRows(source, { name: ["lies"] }, ["n"]);
    expect(JSON.stringify(row?.["n"])).toHaveLength(132);
  });

  describe("with the rights that its page tells", () => {
    const [, ...dictionary] = /The same on `(\w+)` and `(\w+)`/.exec(connectorPage("servicenow")) ?? [];

    it("describes, counts and reads a table, and asks for nothing else", async () => {
      stub.grant(["incident", ...dictionary]);
      expect(await takeIncidents()).toHaveLength(2);
      const asked = new Set(stub.exchanges.map(({ path }) => path.replace("/api/now/table/", "")));
      expect([...asked].sort()).toEqual(["incident", "sys_db_object", "sys_dictionary"]);
    });

    it.each(["incident", ...dictionary])("can't do without reading %s", async (left) => {
      stub.grant(["incident", ...dictionary].filter((name) => name !== left));
      expect((await failureOf(takeIncidents())).code).toBe("source_rejected");
    });
  });

  it("sends GET only", async () => {
    await using source = open();
    await readRows(source, refs.many, ["n"]);
    expect(new Set(stub.exchanges.map((e) => e.method))).toEqual(new Set(["GET"]));
  });

  it.each([{ query: "SELECT 1" }, { name: ["a^b"] }, { name: ["../../sys_user"] }, { name: [""] }])(
    "sends nothing for %j",
    async (ref) => {
      await using source = open();
      expect((await failureOf(source.describe(ref, signal))).code).toBe("source_rejected");
      expect(stub.exchanges).toEqual([]);
    },
  );

  it.each([
    ["no instance", {}, { SERVICENOW_BASE_URL: undefined }],
    ["no token", {}, { SERVICENOW_TOKEN: undefined }],
    ["basic without a password", { auth: "basic" }, {}],
    ["http to another machine", {}, { SERVICENOW_BASE_URL: "http://example.com" }],
    ["a field that is no name", { tables: { people: { fields: ["a^b"] } } }, {}],
  ])("refuses %s", (_, settings, change) => {
    expect(() => open(settings, hostWith(change))).toThrow(
      expect.objectContaining({ code: "config_invalid" }),
    );
  });
});

async function readAll(source: Source, shape: Awaited<ReturnType<Source["describe"]>>): Promise<void> {
  for await (const _ of source.read(shape, { key: [], batchSize: 100, signal }));
}

describe("htmlText", () => {
  it.each([
    ["plain text", "plain text"],
    ["<p>one</p><p>two</p>", "one\n\ntwo"],
    ["<ul><li>a</li><li>b</li></ul>", "a\nb"],
    ["<div>a</div><div>b</div>", "a\nb"],
    ["a<br><br>b", "a\n\nb"],
    ["a<br>b<br/>c", "a\nb\nc"],
    ["<table><tr><td>a</td><td>b</td></tr></table>", "a b"],
    ["<b>bold</b> and <i>it</i>", "bold and it"],
    ["<script>alert('<p>')</script>after", "after"],
    ["<STYLE>p{}</STYLE >x", "x"],
    ["<!-- <p>hidden</p> -->x", "x"],
    ['<a href="https://x/?a>b">link</a>', "link"],
    ["1 < 2 && 3 > 2", "1 < 2 && 3 > 2"],
    ["&lt;p&gt; &amp;amp; &eacute;&#233;&#xe9; &unknown; &#0;", "<p> &amp; ééé &unknown; \uFFFD"],
    ["a\n   b\t c", "a b c"],
    ["<p>no end", "no end"],
    ["<script>no end", ""],
    ["<!-- no end", ""],
    ["text <", "text <"],
    ["", ""],
  ])("%j -> %j", (html, text) => {
    expect(htmlText(html)).toBe(text);
  });

  it("takes time in proportion to its input", () => {
    const cost = costOf(() => {
      htmlText("<".repeat(200_000));
      htmlText("<script>".repeat(50_000));
      htmlText("<!--".repeat(50_000));
      htmlText("<div> ".repeat(50_000));
      htmlText("<td>".repeat(50_000));
      htmlText('<a b="'.repeat(50_000));
    });
    expect(cost).toBeLessThan(2000);
  });
});
