import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { makeBigQuerySource } from "../../ingest/sources/bigquery.ts";
import { makeServiceNowSource } from "../../ingest/sources/servicenow.ts";
import { makeSnowflakeSource } from "../../ingest/sources/snowflake.ts";
import type { Row, Source, TableRef } from "../../shared/ports/source.ts";
import { failureOf, misread, readRows } from "../contract/source-sql.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { startBigQuery, type BigQueryStub } from "../stubs/bigquery.ts";
import { SERVICENOW_STUB, startServiceNow, type ServiceNowStub } from "../stubs/servicenow.ts";
import {
  SNOWFLAKE_STUB,
  SNOWFLAKE_STUB_KEY,
  startSnowflake,
  type SnowflakeStub,
} from "../stubs/snowflake.ts";
import { hostile } from "./hostile.ts";

/** Hostile names and values in warehouses that are read by fetch: they come through as they are, or are refused in time. */

const identifiers = hostile(
  "identifiers.jsonl",
  z.object({ id: z.string(), identifier: z.string(), expect: z.string() }),
);
const literals = hostile("sqli-literals.jsonl", z.object({ id: z.string(), text: z.string() }));
const poison = hostile(
  "poison-rows.jsonl",
  z.object({ id: z.string(), type: z.string(), value: z.optional(z.unknown()), expect: z.string() }),
);
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string =>
  `'${text.replaceAll("'", "''").replaceAll("\u0000", "' || chr(0) || '")}'`;
const { signal } = new AbortController();

let snowflake: SnowflakeStub;
let bigquery: BigQueryStub;
let servicenow: ServiceNowStub;

beforeAll(async () => {
  [snowflake, bigquery, servicenow] = await Promise.all([
    startSnowflake(),
    startBigQuery(),
    startServiceNow(),
  ]);
});
afterAll(async () => {
  for (const stub of [snowflake, bigquery, servicenow]) await stub[Symbol.asyncDispose]();
});

const openSnowflake = (): Source =>
  makeSnowflakeSource(
    { kind: "snowflake", database: "ACME", schema: "PUBLIC" },
    secretHost({
      SNOWFLAKE_ACCOUNT: SNOWFLAKE_STUB.account,
      SNOWFLAKE_USER: SNOWFLAKE_STUB.user,
      SNOWFLAKE_WAREHOUSE: SNOWFLAKE_STUB.warehouse,
      SNOWFLAKE_PRIVATE_KEY: SNOWFLAKE_STUB_KEY,
      SNOWFLAKE_BASE_URL: snowflake.url,
    }),
  );
const openBigQuery = (): Source =>
  makeBigQuerySource(
    { kind: "bigquery", dataset: "shop" },
    secretHost({
      GOOGLE_APPLICATION_CREDENTIALS_JSON: bigquery.credentials,
      BIGQUERY_BASE_URL: bigquery.url,
    }),
  );
const openServiceNow = (): Source =>
  makeServiceNowSource(
    { kind: "servicenow" },
    secretHost({ SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: servicenow.url }),
  );

/** A table of the warehouse behind each SQL source. */
const SQL = [
  ["snowflake", openSnowflake, (sql: string) => snowflake.warehouse.run(sql), `"ACME"."PUBLIC"`],
  ["bigquery", openBigQuery, (sql: string) => bigquery.warehouse.run(sql), `"acme-prod".shop`],
] as const;

describe.each(SQL)("%s", (_, open, run, schema) => {
  it.skipIf(!identifiers)("reads columns with every name that a warehouse can have", async () => {
    const names = (identifiers ?? []).filter((i) => i.expect === "quoted_roundtrip").map((i) => i.identifier);
    // DuckDB's own names differ by more than case.
    const distinct = names.filter(
      (name, i) => names.findIndex((n) => n.toLowerCase() === name.toLowerCase()) === i,
    );
    const columns = distinct.map((name, i) => `${i} AS ${quoted(name)}`).join(", ");
    await run(`CREATE OR REPLACE TABLE ${schema}.names AS SELECT ${columns}`);
    await using source = open();
    const [row] = await readRows(source, { name: ["names"] }, [distinct[0] ?? ""]);
    expect(Object.entries(row ?? {})).toEqual(distinct.map((name, i) => [name, i]));
  });

  it.skipIf(!identifiers)(
    "reads tables with every name that a warehouse can have, and no other",
    async () => {
      for (const { identifier, expect: expected } of identifiers ?? []) {
        const ref: TableRef = { name: [identifier] };
        await using source = open();
        if (expected !== "quoted_roundtrip") {
          expect((await failureOf(source.describe(ref, signal))).code).toBe("source_rejected");
          continue;
        }
        await run(`CREATE OR REPLACE TABLE ${schema}.${quoted(identifier)} AS SELECT 1 AS one`);
        expect(await readRows(source, ref, ["one"])).toEqual([{ one: 1 }]);
        await run(`DROP TABLE ${schema}.${quoted(identifier)}`);
      }
    },
  );

  it.skipIf(!literals)("looks hostile table names up as plain text", async () => {
    await using source = open();
    for (const { text } of literals ?? []) {
      const error = await failureOf(source.describe({ name: [text] }, signal));
      expect([text, error.code]).toEqual([text, "source_rejected"]);
    }
  });

  it.skipIf(!literals)("carries hostile values unchanged", async () => {
    const values = (literals ?? []).map(({ text }, i) => `(${i}, ${literal(text)})`);
    await run(
      `CREATE OR REPLACE TABLE ${schema}.hostile AS SELECT * FROM (VALUES ${values.join(", ")}) AS t(id, note)`,
    );
    await using source = open();
    const rows = await readRows(source, { name: ["hostile"] }, ["id"]);
    expect(new Map(rows.map((row) => [row["id"], row["note"]]))).toEqual(
      new Map((literals ?? []).map(({ text }, i) => [i, text])),
    );
  });

  it.skipIf(!literals)("asks for hostile keys, and since hostile cursors, as for any other", async () => {
    const texts = [...new Set((literals ?? []).map(({ text }) => text))];
    const values = texts.map((text, i) => `(${i}, ${literal(text)})`);
    await run(
      `CREATE OR REPLACE TABLE ${schema}.keyed AS SELECT * FROM (VALUES ${values.join(", ")}) AS t(id, note)`,
    );
    await using source = open();
    expect(await misread(source, { name: ["keyed"] }, "note", texts)).toEqual([]);
  });

  it.skipIf(!poison)("carries poison rows as text, numbers and JSON, none of which stops it", async () => {
    const casts: Readonly<Record<string, string>> = {
      bigint: "BIGINT",
      double: "DOUBLE",
      json: "JSON",
      variant: "JSON",
      text: "VARCHAR",
    };
    const cases = (poison ?? []).filter(
      (p) => p.value !== undefined && p.type in casts && wellFormed(p.value),
    );
    expect(cases.length).toBeGreaterThan(10);
    for (const { id, type, value } of cases) {
      const text = typeof value === "string" ? value : JSON.stringify(value);
      const sql = value === null ? "NULL" : literal(Object.is(value, -0) ? "-0" : text);
      await run(
        `CREATE OR REPLACE TABLE ${schema}.poison AS SELECT 1 AS id, CAST(${sql} AS ${casts[type] ?? ""}) AS v`,
      );
      await using source = open();
      const [row] = await readRows(source, { name: ["poison"] }, ["id"]);
      expect([id, row?.["v"]]).toEqual([id, Object.is(value, -0) ? "-0" : value]);
    }
  });
});

/** DuckDB stores no lone surrogate; the pipeline replaces those that a warehouse does send. */
function wellFormed(value: unknown): boolean {
  return typeof value !== "string" || value.isWellFormed();
}

describe("servicenow", () => {
  it.skipIf(!literals)("carries hostile values unchanged", async () => {
    const values = (literals ?? []).map(({ text }, i) => `('${i}', ${literal(text)})`);
    await servicenow.define({
      name: "hostile",
      fields: { n: { type: "integer" }, note: { type: "string" } },
      records: `SELECT * FROM (VALUES ${values.join(", ")}) AS t(n, note)`,
    });
    await using source = openServiceNow();
    const rows: readonly Row[] = await readRows(source, { name: ["hostile"] }, ["n"]);
    expect(new Map(rows.map((row) => [row["n"], row["note"]]))).toEqual(
      new Map((literals ?? []).map(({ text }, i) => [i, text])),
    );
  });

  it.skipIf(!literals)("asks for hostile keys as for any other", async () => {
    // A blank at the end of a value is none there.
    const texts = [...new Set((literals ?? []).map(({ text }) => text))].filter((text) => text.trim() !== "");
    const values = texts.map((text) => `('1', ${literal(text)})`);
    await servicenow.define({
      name: "keyed",
      fields: { n: { type: "integer" }, note: { type: "string" } },
      records: `SELECT * FROM (VALUES ${values.join(", ")}) AS t(n, note)`,
    });
    await using source = openServiceNow();
    const only = texts.map((text) => [text]);
    const rows = await readRows(source, { name: ["keyed"] }, ["note"], { only });
    expect(new Set(rows.map((row) => row["note"]))).toEqual(new Set(texts));
  });

  it.skipIf(!literals || !identifiers)("asks for no table whose name is more than a name", async () => {
    await using source = openServiceNow();
    const names = [...(literals ?? []).map((l) => l.text), ...(identifiers ?? []).map((i) => i.identifier)];
    servicenow.reset();
    for (const name of names) {
      expect((await failureOf(source.describe({ name: [name] }, signal))).code).toBe("source_rejected");
    }
    expect(servicenow.exchanges.every((e) => e.path === "/api/now/table/sys_db_object")).toBe(true);
  });
});
