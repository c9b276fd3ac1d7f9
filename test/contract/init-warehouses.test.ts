import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { commandLine } from "../fakes/command-line.ts";
import { configOf } from "../fakes/ingest-bench.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { startBigQuery } from "../stubs/bigquery.ts";
import { SERVICENOW_STUB, startServiceNow } from "../stubs/servicenow.ts";
import { SNOWFLAKE_STUB, startSnowflake } from "../stubs/snowflake.ts";

/** `init` over the warehouses whose connection is all in the environment. */

const PARTS = `SELECT range AS id, 'part ' || range AS name, 'a' || range || '@example.com' AS email FROM range(40)`;

/** What `init` writes of a table. */
async function written(
  kind: string,
  table: string,
  secrets: Readonly<Record<string, string>>,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "quayside-init-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const out = join(folder, "quayside.config.ts");
  const argv = ["init", "--source", kind, "--table", table, "--out", out];
  const world = { config: configOf({ t: {} }), registry: memoryRegistry(), secrets };
  expect(await commandLine(argv, world)).toMatchObject({ status: 0 });
  const text = await readFile(out, "utf8");
  for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
  expect(text).toContain(`warehouse: { kind: "${kind}" },`);
  expect(text).toContain("access: { allowAny: [] },");
  return text;
}

it("looks at a table of BigQuery", async () => {
  await using stub = await startBigQuery();
  await stub.warehouse.run(`CREATE TABLE "acme-prod".shop.parts AS ${PARTS}`);
  const secrets = { GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials, BIGQUERY_BASE_URL: stub.url };
  const text = await written("bigquery", "shop.parts", secrets);
  expect(text).toContain('from: ["shop", "parts"],');
  expect(text).toContain('key: ["id"],');
  expect(text).toContain('email: { classification: "confidential" },');
});

it("looks at a table of Snowflake", async () => {
  await using stub = await startSnowflake();
  await stub.warehouse.run(`CREATE TABLE "ACME"."PUBLIC"."PARTS" AS ${PARTS}`);
  const text = await written("snowflake", "ACME.PUBLIC.PARTS", {
    SNOWFLAKE_ACCOUNT: SNOWFLAKE_STUB.account,
    SNOWFLAKE_WAREHOUSE: SNOWFLAKE_STUB.warehouse,
    SNOWFLAKE_TOKEN: SNOWFLAKE_STUB.token,
    SNOWFLAKE_BASE_URL: stub.url,
  });
  expect(text).toContain('from: ["ACME", "PUBLIC", "PARTS"],');
  expect(text).toContain('key: ["id"],');
  expect(text).toContain('email: { classification: "confidential" },');
});

it("looks at a table of ServiceNow", async () => {
  await using stub = await startServiceNow();
  await stub.define({
    name: "incident",
    fields: { number: { type: "string" }, short_description: { type: "string" } },
    records: `SELECT md5(CAST(range AS VARCHAR)) AS sys_id, 'INC' || range AS number,
      'printer ' || range || ' on fire' AS short_description FROM range(40)`,
  });
  const secrets = { SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: stub.url };
  const text = await written("servicenow", "incident", secrets);
  expect(text).toContain('key: ["sys_id"],');
  expect(text).toContain('title: "short_description",');
});
