import { describe, expect, it } from "vitest";
import { makeBigQuerySource } from "../../ingest/sources/bigquery.ts";
import { makeServiceNowSource } from "../../ingest/sources/servicenow.ts";
import { makeSnowflakeSource } from "../../ingest/sources/snowflake.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Row, Source } from "../../shared/ports/source.ts";

/** The sources that are read by fetch, inside the real runtime, on scripted answers. */

type Answer = (url: URL, body: string) => unknown;

function host(secrets: Readonly<Record<string, string>>, answer: Answer): Host {
  return {
    async fetch(input, init) {
      const request = new Request(input, init);
      return Response.json(answer(new URL(request.url), await request.text()));
    },
    secret: (name) => secrets[name],
    now: () => Date.now(),
    log: () => undefined,
  };
}

async function pem(): Promise<string> {
  const algorithm = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const pair = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new Error("no key pair");
  const der = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  if (!(der instanceof ArrayBuffer)) throw new Error("no bytes");
  const body = btoa(String.fromCharCode(...new Uint8Array(der)));
  return `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
}

async function read(source: Source, name: string): Promise<readonly Row[]> {
  const { signal } = new AbortController();
  const table = await source.describe({ name: [name] }, signal);
  const rows: Row[] = [];
  for await (const batch of source.read(table, { key: ["ID"], batchSize: 10, signal })) rows.push(...batch);
  return rows;
}

function result(columns: readonly string[], types: readonly string[], data: readonly unknown[]): unknown {
  return {
    statementHandle: "01-handle",
    resultSetMetaData: {
      numRows: data.length,
      rowType: columns.map((name, i) => ({ name, type: types[i] ?? "text", scale: 0, nullable: true })),
      partitionInfo: [{ rowCount: data.length, uncompressedSize: 10 }],
    },
    data,
  };
}

function serviceNow(url: URL): unknown {
  const table = url.pathname.split("/").at(-1);
  const more = url.searchParams.get("sysparm_query")?.includes("sys_id>") === true;
  if (more) return { result: [] };
  if (table === "sys_db_object") return { result: [{ sys_id: "1", name: "t" }] };
  if (table === "sys_dictionary") {
    return { result: [{ sys_id: "1", name: "t", element: "ID", internal_type: "html" }] };
  }
  return { result: [{ sys_id: { value: "1" }, ID: { value: "<p>a</p>", display_value: "a" } }] };
}

function snowflake(_: URL, body: string): unknown {
  if (body.includes("INFORMATION_SCHEMA.TABLES")) {
    const names = ["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME", "TABLE_TYPE"];
    return result(names, [], [["ACME", "PUBLIC", "T", "VIEW"]]);
  }
  if (body.includes("INFORMATION_SCHEMA.COLUMNS")) {
    const rows = [
      ["ID", "NUMBER"],
      ["AT", "TIMESTAMP_TZ"],
    ];
    return result(["COLUMN_NAME", "DATA_TYPE"], [], rows);
  }
  const rows = [["9007199254740993", "1616173619.500000000 960"]];
  return result(["ID", "AT"], ["fixed", "timestamp_tz"], rows);
}

describe("sources in workerd", () => {
  it("reads Snowflake by key pair", async () => {
    const secrets = {
      SNOWFLAKE_ACCOUNT: "acme",
      SNOWFLAKE_USER: "quayside",
      SNOWFLAKE_PRIVATE_KEY: await pem(),
    };
    await using source = makeSnowflakeSource({ kind: "snowflake" }, host(secrets, snowflake));
    expect(await read(source, "t")).toEqual([{ ID: "9007199254740993", AT: "2021-03-19T17:06:59.5Z" }]);
  });

  it("reads BigQuery by service account", async () => {
    const fields = [
      { name: "ID", type: "INTEGER" },
      { name: "TAGS", type: "STRING", mode: "REPEATED" },
    ];
    const answer: Answer = (url) => {
      if (url.pathname === "/token") return { access_token: "t", expires_in: 3600 };
      if (url.pathname.includes("/tables/")) {
        const tableReference = { projectId: "p", datasetId: "d", tableId: "t" };
        return { tableReference, type: "VIEW", schema: { fields } };
      }
      if (url.pathname.endsWith("/jobs")) return { jobReference: { jobId: "j", location: "EU" } };
      const rows = [{ f: [{ v: "1" }, { v: [{ v: "a" }] }] }];
      return { jobComplete: true, schema: { fields }, totalRows: "1", rows };
    };
    const credentials = {
      client_email: "quayside@p.iam.example.com",
      private_key: await pem(),
      project_id: "p",
      token_uri: "https://oauth2.example.com/token",
    };
    const secrets = { GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(credentials) };
    await using source = makeBigQuerySource({ kind: "bigquery", dataset: "d" }, host(secrets, answer));
    expect(await read(source, "t")).toEqual([{ ID: 1, TAGS: ["a"] }]);
  });

  it("reads ServiceNow by token", async () => {
    const secrets = { SERVICENOW_INSTANCE: "acme", SERVICENOW_TOKEN: "t" };
    const settings = { kind: "servicenow", tables: { t: { fields: ["ID"] } } };
    await using source = makeServiceNowSource(settings, host(secrets, serviceNow));
    expect(await read(source, "t")).toEqual([{ ID: "a" }]);
  });
});
