import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { makeBigQuerySource } from "../../ingest/sources/bigquery.ts";
import type { Source, TableRef } from "../../shared/ports/source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { startBigQuery, type BigQueryStub } from "../stubs/bigquery.ts";
import { readRows } from "./source-sql.ts";

const signal = new AbortController().signal;
let stub: BigQueryStub;

const open = (settings: Readonly<Record<string, unknown>> = {}): Source => {
  const secrets = { GOOGLE_APPLICATION_CREDENTIALS_JSON: stub.credentials, BIGQUERY_BASE_URL: stub.url };
  return makeBigQuerySource({ kind: "bigquery", dataset: "shop", ...settings }, secretHost(secrets));
};

/** A table of one test's own. */
async function table(name: string, as: string): Promise<TableRef> {
  await stub.warehouse.run(`CREATE OR REPLACE TABLE "acme-prod".shop."${name}" AS ${as}`);
  return { name: [name] };
}

beforeAll(async () => {
  stub = await startBigQuery();
});
afterEach(() => stub.reset());
afterAll(() => stub[Symbol.asyncDispose]());

async function revisionOf(ref: TableRef): Promise<string | undefined> {
  await using source = open({ revisions: true });
  return source.revision?.(ref, signal);
}

describe("a table's revision, where it is believed", () => {
  it("is the same until the table changes, and then another once that has settled", async () => {
    const ref = await table("settled", "SELECT 1 AS n");
    expect(await revisionOf(ref)).toBeUndefined();
    stub.settle();
    const first = await revisionOf(ref);
    expect(first).toContain("settled");
    expect(await revisionOf(ref)).toBe(first);
    await stub.warehouse.run(`UPDATE "acme-prod".shop.settled SET n = 2`);
    expect(await revisionOf(ref)).toBeUndefined();
    stub.settle();
    const second = await revisionOf(ref);
    expect([second === undefined, second === first]).toEqual([false, false]);
  });

  it("is told only where the setting says so", async () => {
    const ref = await table("settled", "SELECT 1 AS n");
    await revisionOf(ref);
    stub.settle();
    await using source = open();
    expect(await source.revision?.(ref, signal)).toBeUndefined();
    expect(await revisionOf(ref)).toBeDefined();
  });

  it.each<[string, Record<string, unknown>]>([
    ["of which rows are in the streaming buffer", { streamingBuffer: { estimatedRows: "1" } }],
    ["whose changes are still to be merged", { maxStaleness: "0-0 0 0:15:0" }],
    ["whose partitions expire", { timePartitioning: { type: "DAY", expirationMs: "86400000" } }],
    [
      "of which a column is masked",
      { schema: { fields: [{ name: "n", type: "INT64", policyTags: { names: ["p"] } }] } },
    ],
    [
      "of which a field is masked",
      {
        schema: {
          fields: [
            {
              name: "r",
              type: "RECORD",
              fields: [{ name: "n", type: "INT64", dataPolicies: [{ name: "p" }] }],
            },
          ],
        },
      },
    ],
    ["that lies elsewhere", { type: "EXTERNAL" }],
    ["that does not say when it was modified", { lastModifiedTime: undefined }],
  ])("is not told of a table %s", async (_, metadata) => {
    const ref = await table("settled", "SELECT 1 AS n");
    await revisionOf(ref);
    stub.settle();
    expect(await revisionOf(ref)).toBeDefined();
    stub.describe("settled", metadata);
    expect(await revisionOf(ref)).toBeUndefined();
  });

  it("is not told of views and queries", async () => {
    await stub.warehouse.run(`CREATE OR REPLACE VIEW "acme-prod".shop.seen AS SELECT 1 AS n`);
    await revisionOf({ name: ["seen"] });
    stub.settle();
    expect(await revisionOf({ name: ["seen"] })).toBeUndefined();
    expect(await revisionOf({ query: "SELECT 1 AS n" })).toBeUndefined();
  });

  it("is never later than what is read after it", async () => {
    const ref = await table("settled", "SELECT 1 AS n");
    await using source = open({ revisions: true });
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      await source.describe(ref, signal);
      await stub.warehouse.run(`UPDATE "acme-prod".shop.settled SET n = 2`);
      vi.setSystemTime(Date.now() + 5000);
      await revisionOf(ref);
      stub.settle();
      expect(await source.revision?.(ref, signal)).toBeDefined();
      expect(await readRows(source, ref, ["n"])).toEqual([{ n: 2 }]);
    } finally {
      vi.useRealTimers();
    }
  });
});
