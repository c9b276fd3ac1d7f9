import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { makeLeaseNotes } from "../../ingest/lease-notes.ts";
import { makeServiceNowSource } from "../../ingest/sources/servicenow.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Source } from "../../shared/ports/source.ts";
import { counts, failure, type Bench } from "../fakes/ingest-bench.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { SERVICENOW_STUB, startServiceNow } from "../stubs/servicenow.ts";
import { embeddings, faultModes, inputs, notes, onCommandLine, shownBy, type Checks } from "./fault-modes.ts";

const signal = new AbortController().signal;

/** The world's source, whose connection is lost behind the first thousand rows, so many times. */
function dropping(world: Bench, times: number) {
  const source = world.deps.sourceOf("w");
  const drops = {
    left: times,
    sourceOf: (): Source => ({
      ...source,
      async *read(table, options) {
        for await (const batch of source.read(table, options)) {
          yield batch;
          if (drops.left === 0) continue;
          drops.left -= 1;
          throw new QuaysideError("source_unavailable", "The connection to the database was lost.");
        }
      },
      [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
    }),
  };
  return drops;
}

const WAREHOUSE: Checks = {
  async conn_drop_mid_page() {
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    for (let id = 60; id < 2500; id++) rows.push({ id, body: `note ${id} says this` });
    const drops = dropping(world, 1);
    const report = await world.run({}, { sourceOf: drops.sourceOf });
    expect(drops.left).toBe(0);
    expect(counts(report, "notes")).toMatchObject({ read: 2500, failed: 0, deleted: 0 });
    expect(new Set(world.registry.served("notes").map(({ row }) => row)).size).toBe(2500);
    const twice = [...inputs()].filter(([text, times]) => text.startsWith("notes\n") && times > 1);
    expect(twice).toEqual([]);
    // A source that breaks off again is down: nothing is published.
    rows.push({ id: 9999, body: "late" });
    const down = dropping(world, 2);
    expect((await failure(world.run({}, { sourceOf: down.sourceOf }))).code).toBe("source_unavailable");
    expect([down.left, world.registry.generation]).toEqual([0, 1]);
  },
  cursor_expired: shownBy("test/contract/source-bigquery.test.ts", "a page token that has ended"),
  row_changed_during_scan: shownBy(
    "test/contract/source-snowflake.test.ts",
    "reads the tables of a run as at one moment, changed or not since",
  ),
  async slow_query_timeout() {
    await using instance = await startServiceNow();
    await instance.define({
      name: "notes",
      fields: { id: { type: "integer" }, body: { type: "string" } },
      records: "SELECT range AS id, 'note' AS body, md5(CAST(range AS VARCHAR)) AS sys_id FROM range(900)",
    });
    // The instance breaks off every page of more than 250 rows.
    instance.fault({ mode: "too_slow", path: "/notes" });
    const secrets = { SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: instance.url };
    const tables = { notes: { fields: ["id", "body"] } };
    await using source = makeServiceNowSource({ kind: "servicenow", tables }, secretHost(secrets));
    const report = await notes().run({}, { sourceOf: () => source });
    expect(counts(report, "notes")).toMatchObject({ read: 900, added: 900, failed: 0 });
  },
  auth_expired_mid_run: shownBy(
    "test/contract/source-bigquery.test.ts",
    "signs in again when its token ends in the middle",
  ),
  warehouse_suspended: shownBy(
    "test/contract/source-snowflake-faults.test.ts",
    "waits for a statement that is queued or still runs",
  ),
  throttle_429: shownBy(
    "test/contract/source-servicenow.test.ts",
    "says how long to wait where the limit is for the hour",
  ),
  page_repeats: shownBy("test/contract/source-bigquery.test.ts", "the same page again and again"),
  total_count_wrong: shownBy("test/contract/source-snowflake-faults.test.ts", "fewer rows than announced"),
  async empty_result() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.splice(0);
    expect((await failure(world.run())).violations).toEqual([{ pointer: "notes", rule: "empty_table" }]);
    expect(world.registry.served("notes")).toHaveLength(60);
  },
  async permission_partial() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.splice(0, 25);
    expect((await failure(world.run())).violations).toEqual([{ pointer: "notes", rule: "mass_delete" }]);
    expect(world.registry.served("notes")).toHaveLength(60);
  },
  async duplicate_rows() {
    const world = notes();
    world.tables["notes"]?.rows.push({ id: 5, body: "another of the same key" });
    expect(counts(await world.run(), "notes")).toMatchObject({ read: 61, added: 59, failed: 2 });
  },
  type_lies: shownBy(
    "test/contract/source-servicenow.test.ts",
    "holds back a value that is not of its field's type, instead of guessing",
  ),
  nul_and_surrogates: shownBy(
    "test/data/ingest-strings.test.ts",
    "come back byte for byte from any source, replacements counted",
  ),
  async clock_backwards() {
    const world = notes();
    await world.run();
    world.tables["notes"]?.rows.push({ id: 99, body: "late, and older than all" });
    expect(counts(await world.run(), "notes")).toMatchObject({ added: 1 });
  },
  tls_bad_cert: shownBy("test/deep/postgres.test.ts", "trusts certificates as sslmode says"),
  html_instead_of_json: shownBy("test/contract/source-snowflake-faults.test.ts", "a proxy's login page"),
  xss_in_values: shownBy("test/data/xss-console.test.ts", "hostile strings in the console"),
};

const PROCESS: Checks = {
  kill_9: shownBy(
    "test/deep/kill.test.ts",
    "whose CLI is killed %s %s leaves what one that was not killed leaves",
    "kills at random moments",
  ),
  sigterm: shownBy("test/deep/kill.test.ts", "ends with 75 within 10 s"),
  async enospc() {
    // The only files that the CLI writes in an ingest are notes of who holds a lease: without them it waits, no more.
    const folder = await mkdtemp(join(tmpdir(), "quayside-notes-"));
    writeFileSync(join(folder, "full"), "");
    const unwritable = makeLeaseNotes(join(folder, "full"));
    await unwritable.write("run_1");
    expect(await unwritable.isOrphan("Run run_1 is writing.")).toBe(false);
    await unwritable.forget("run_1");
    await rm(folder, { recursive: true });
  },
  journal_torn_write: () => tornNote(""),
  journal_corrupt_middle: () => tornNote("12\u0000x9"),
  async two_processes() {
    // The clock passes what the second one waits for at most.
    let clock = 1_700_000_000_000;
    const { registry, ingest } = await onCommandLine(() => (clock += 60_000));
    const holder = await registry.begin(
      { tenant: "t", tables: ["notes"], space: "x", trigger: "cli" },
      signal,
    );
    expect(await ingest()).toMatchObject({ status: 75, result: { error: { code: "run_conflict" } } });
    expect([registry.commits.length, embeddings.exchanges.length]).toEqual([0, 0]);
    await registry.abandon(holder, "done", signal);
    expect((await ingest()).status).toBe(0);
  },
  lease_lost: shownBy(
    "test/workerd/ledger-runs.test.ts",
    "gives a stale lease to the next, and fences the holder",
  ),
  async clock_jump() {
    let now = 1_700_000_000_000;
    const reports: number[] = [];
    const world = notes();
    const rows = world.tables["notes"]?.rows ?? [];
    for (let id = 60; id < 5000; id++) rows.push({ id, body: "more" });
    await world.run(
      { onProgress: () => void (now -= 3_600_000) },
      {
        now: () => now,
        registry: {
          ...world.registry,
          async report(...args) {
            reports.push(now);
            return world.registry.report(...args);
          },
        },
      },
    );
    // The lease is renewed although the clock went back an hour between any two batches.
    expect(reports.length).toBeGreaterThan(2);
  },
  oom_limit_256mb: shownBy("test/deep/kill.test.ts", "within 256 MB of heap"),
};

/** A note that was cut short, or has rotted, is no proof that its run is dead: the lease is waited for. */
async function tornNote(content: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "quayside-notes-"));
  writeFileSync(join(folder, "run_1"), content);
  expect(await makeLeaseNotes(folder).isOrphan("Run run_1 is writing.")).toBe(false);
  await rm(folder, { recursive: true });
}

const OBJECT: Checks = {
  evict_between_requests: shownBy("test/workerd/ledger.test.ts", "is the same after the object was evicted"),
  crash_mid_request: shownBy(
    "test/workerd/tenant.test.ts",
    "can be killed at each of its steps and ends the same",
  ),
  overloaded: shownBy("test/workerd/rpc.test.ts", "is left alone when it is overloaded"),
  reset_on_deploy: shownBy(
    "test/workerd/rpc.test.ts",
    "is called once more on a new stub after a failure that the platform calls retryable",
  ),
  alarm_twice: shownBy(
    "test/workerd/runs.test.ts",
    "asks for one run of every table that is due, once however often it fires",
  ),
  alarm_late_1h: shownBy("test/workerd/runs.test.ts", "catches up once after an hour without a clock"),
  async storage_full() {
    const world = notes();
    await world.run();
    const served = world.registry.served("notes");
    const rows = world.tables["notes"]?.rows ?? [];
    rows[0] = { id: 0, body: "changed" };
    const full = {
      ...world.registry,
      commit: () => Promise.reject(new QuaysideError("registry_unavailable", "The object has no room.")),
    };
    expect((await failure(world.run({}, { registry: full }))).code).toBe("registry_unavailable");
    expect(world.registry.served("notes")).toEqual(served);
    expect(counts(await world.run(), "notes")).toMatchObject({ changed: 1 });
  },
  clock_skew_5min: shownBy(
    "test/workerd/ledger-runs.test.ts",
    "takes a lease from the future for the past's: the clock was set back since",
  ),
};

faultModes({ warehouse: WAREHOUSE, ingest_process: PROCESS, durable_object: OBJECT });
