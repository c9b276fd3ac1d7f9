import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { makeSnowflakeSource } from "../../ingest/sources/snowflake.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Source } from "../../shared/ports/source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { SNOWFLAKE_STUB, startSnowflake, type SnowflakeStub } from "../stubs/snowflake.ts";
import { fillTables, keyPair } from "./snowflake-tables.ts";
import { failureOf, readRows } from "./source-sql.ts";

const signal = new AbortController().signal;
/** The stub's clock and the host's, in milliseconds; both real unless a test moves them. */
let ahead = 0;
let stub: SnowflakeStub;

const hostWith = (): ReturnType<typeof secretHost> => ({
  ...secretHost(keyPair(stub)),
  now: () => Date.now() + ahead,
});
const open = (settings: Readonly<Record<string, unknown>> = {}, host: Host = hostWith()): Source =>
  makeSnowflakeSource({ kind: "snowflake", database: "acme", schema: "public", ...settings }, host);

const refs = { people: { name: ["people"] }, many: { name: ["PUBLIC", "many"] } };

beforeAll(async () => {
  stub = await startSnowflake(0, { now: () => Date.now() + ahead });
  await fillTables(stub);
});
afterEach(() => {
  stub.reset();
  ahead = 0;
});
afterAll(() => stub[Symbol.asyncDispose]());

/** Statements that take long, partitions, and what breaks off between them. */
describe("snowflake source", () => {
  it("waits for a statement that is queued or still runs", async () => {
    stub.pending(2);
    await using source = open();
    expect(await readRows(source, refs.people, ["id"])).toHaveLength(3);
  });

  it("cancels its statement in the warehouse when it is told to stop", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    stub.fault({ mode: "never_ends" });
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of source.read(shape, { key: ["n"], batchSize: 10, signal: controller.signal }));
    })();
    while (!stub.exchanges.some((e) => e.method === "GET")) await new Promise((done) => setImmediate(done));
    controller.abort();
    expect((await failureOf(reading)).code).toBe("cancelled");
    expect(stub.cancelled).toHaveLength(1);
  });

  it("fetches at most one partition ahead of its reader", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    const seen: number[] = [];
    for await (const batch of source.read(shape, { key: ["n"], batchSize: 1000, signal })) {
      const partition = Number(batch[0]?.["n"]) / 1000;
      seen.push(stub.exchanges.filter((e) => e.method === "GET").length - 1 - partition);
    }
    expect(seen).toHaveLength(5);
    // One GET is the poll that brings the first partition.
    expect(Math.max(...seen)).toBeLessThanOrEqual(1);
  });

  it("fetches the first partition by itself when the answer has no room for it", async () => {
    stub.fault({ mode: "first_too_large" });
    await using source = open();
    expect(await readRows(source, refs.many, ["n"])).toHaveLength(5000);
  });

  it.each([
    ["a sign-in refused once", { mode: "token_expired", fromCall: 6, calls: 1 }],
    ["a throttled call", { mode: "status_429_retry_after_ms", fromCall: 3, calls: 2 }],
    ["a server failure", { mode: "status_503", fromCall: 4, calls: 1 }],
    ["a connection lost", { mode: "reset", fromCall: 5, calls: 1 }],
    ["a body cut short", { mode: "json_truncated", fromCall: 7, calls: 1 }],
  ])("goes on after %s, without loss or repetition", async (_, fault) => {
    stub.fault(fault);
    await using source = open();
    const rows = await readRows(source, refs.many, ["n"]);
    expect(rows.map((row) => row["n"])).toEqual(Array.from({ length: 5000 }, (_, n) => n));
  });

  it("runs a statement once when the answer to its submission is lost", async () => {
    stub.fault({ mode: "lost_after_submit", fromCall: 1, calls: 1 });
    await using source = open();
    await source.describe(refs.people, signal);
    expect(
      stub.statements.filter((s) => s.statement.includes("FROM INFORMATION_SCHEMA.TABLES")),
    ).toHaveLength(1);
  });

  it("renews its token before the hour is over", async () => {
    await using source = open();
    const shape = await source.describe(refs.many, signal);
    const read = [];
    for await (const batch of source.read(shape, { key: ["n"], batchSize: 1000, signal })) {
      read.push(...batch);
      ahead += 50 * 60_000;
    }
    expect(read).toHaveLength(5000);
    expect(new Set(stub.exchanges.map((e) => e.headers.authorization)).size).toBeGreaterThan(1);
  });

  it("makes a result anew that is no longer kept, and goes on where it was", async () => {
    stub.fault({ mode: "result_gone", path: "", fromCall: 8, calls: 1 });
    const host = hostWith();
    await using source = open({}, host);
    const rows = await readRows(source, refs.many, ["n"]);
    expect(rows.map((row) => row["n"])).toEqual(Array.from({ length: 5000 }, (_, n) => n));
    expect(host.logged.map((event) => event.event)).toContain("source-result-restarted");
  });

  it.each([
    ["fewer rows than announced", { mode: "total_count_wrong" }, "source_unavailable"],
    ["a partition cut short", { mode: "rows_missing", fromCall: 5 }, "source_unavailable"],
    ["a proxy's login page", { mode: "login_page", fromCall: 5 }, "source_unavailable"],
    ["a redirect", { mode: "redirect_302", fromCall: 5 }, "source_rejected"],
    ["a sign-in refused for good", { mode: "token_expired" }, "source_rejected"],
    ["a missing right", { mode: "status_403", fromCall: 5 }, "source_rejected"],
  ])("fails on %s", async (_, fault, code) => {
    await using source = open();
    stub.fault(fault);
    const error = await failureOf(readRows(source, refs.many, ["n"]));
    expect(error.code).toBe(code);
    expect(error.message).not.toContain(SNOWFLAKE_STUB.token);
  });
});
