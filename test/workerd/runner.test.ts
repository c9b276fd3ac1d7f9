import { env } from "cloudflare:workers";
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Config } from "../../shared/config.ts";
import { spaceOf } from "../../shared/space.ts";
import worker from "../../workers/main.ts";
import type { LedgerApi, RunRecord } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { call, post, ownRegistry } from "./seed.ts";

/** Runs inside the Worker: a warehouse that is reached by fetch, read slice by slice, alarm by alarm. */

const CONFIG: Config = {
  name: "runner",
  limits: { sliceRows: 20, deleteShare: 1 },
  sources: {
    desk: { kind: "servicenow", pageSize: 10, tables: { incident: { fields: ["sys_id", "short"] } } },
  },
  tables: {
    incident: {
      source: "desk",
      key: ["sys_id"],
      title: "short",
      classification: "public",
      access: { allowAny: ["public"] },
      schedule: "1h",
    },
  },
  demo: { users: { guest: { label: "Guest", groups: [] } }, examples: [] },
};
const SPACE = spaceOf("local/lexical-v1/384", "embedded");

const registry = ownRegistry();
const stub = () => env.LEDGER.getByName("default");
const ledger = overRpc<LedgerApi>(stub, "registry_unavailable");
const runner = () => env.RUNNER.getByName("default");
const sql = (statement: string): Promise<void> =>
  runInDurableObject(stub(), (_, state) => void state.storage.sql.exec(statement));

/** Records of the table `incident`, in the order of their ids. */
let incidents: { sys_id: string; short: string; sys_updated_on?: string }[] = [];
let calls = 0;
/** Incidents sent whole. */
let whole = 0;
/** Called before each answer, with the number of the call. */
let onCall: (n: number) => Promise<void> | void = () => undefined;

const field = (element: string, internal_type = "string") => ({
  sys_id: element,
  name: "incident",
  element,
  internal_type,
});

/** ServiceNow's Table API, as far as the source uses it: signed in, paged behind an id. */
async function serviceNow(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const url = new URL(request.url);
  if (url.origin !== "https://servicenow.example.com")
    throw new Error(`no call was expected to ${url.origin}`);
  calls += 1;
  await onCall(calls);
  if (request.headers.get("authorization") !== "Bearer servicenow-token") {
    return Response.json({ error: { message: "User Not Authenticated" } }, { status: 401 });
  }
  const query = url.searchParams.get("sysparm_query") ?? "";
  const after = /sys_id>([^^]*)/.exec(query)?.[1] ?? "";
  const table = url.pathname.split("/").at(-1);
  const all: { sys_id: string }[] =
    table === "sys_db_object"
      ? [{ sys_id: "1", name: "incident", label: "Incident" } as { sys_id: string }]
      : table === "sys_dictionary"
        ? [field("short"), field("sys_id"), field("sys_updated_on", "glide_date_time")]
        : incidents;
  const ids = /sys_idIN([^^]*)/.exec(query)?.[1]?.split(",");
  const found = all.filter(({ sys_id }) => sys_id > after && (ids?.includes(sys_id) ?? true));
  if (query.includes("ORDERBYDESCsys_updated_on")) {
    found.sort((a, b) => updatedOf(b).localeCompare(updatedOf(a)));
  }
  const fields = url.searchParams.get("sysparm_fields")?.split(",") ?? [];
  const from = Number(url.searchParams.get("sysparm_offset"));
  const page = found
    .slice(from, from + Number(url.searchParams.get("sysparm_limit")))
    .map((record) => Object.fromEntries(Object.entries(record).filter(([name]) => fields.includes(name))));
  if (table === "incident" && fields.includes("short")) whole += page.length;
  const shown =
    url.searchParams.get("sysparm_display_value") === "all"
      ? page.map((record) =>
          Object.fromEntries(
            Object.entries(record).map(([name, value]) => [name, { value, display_value: value }]),
          ),
        )
      : page;
  return Response.json({ result: shown }, { headers: { "x-total-count": String(found.length) } });
}

function updatedOf(record: object): string {
  return "sys_updated_on" in record ? String(record.sys_updated_on) : "";
}

function records(count: number): typeof incidents {
  return Array.from({ length: count }, (_, i) => ({
    sys_id: `id${String(i).padStart(4, "0")}`,
    short: `pump ${i} leaks`,
  }));
}

/** Rows go, change and come. */
function edit(): void {
  incidents.splice(10, 15);
  incidents[0] = { sys_id: "id0000", short: "hose burst on the quay" };
  incidents.push({ sys_id: "id9999", short: "gangway light out" });
}

/** Fires alarms until the run has ended; one that dies fires again, as the platform has it. */
async function untilEnded(id: string): Promise<RunRecord> {
  for (let i = 0; i < 200; i++) {
    await runDurableObjectAlarm(runner()).catch(() => false);
    const run = await ledger.run(id);
    if (run && !["queued", "running"].includes(run.state)) return run;
    await overRpc<{ wake(tenant: string): Promise<void> }>(runner, "registry_unavailable")
      .wake("default")
      .catch(() => undefined);
  }
  throw new Error("the run does not end");
}

async function ask(): Promise<string> {
  const response = await call("/v1/ingest/runs", {
    method: "POST",
    headers: { authorization: "Bearer test-token", "content-type": "application/json" },
    body: "{}",
  });
  const { run_id: id }: { run_id: string } = await response.json();
  return id;
}

async function indexed(): Promise<readonly unknown[]> {
  const rows: unknown[] = [];
  const { signal } = new AbortController();
  for await (const page of registry.known({ space: SPACE }, "incident", signal)) rows.push(...page);
  return rows;
}

async function search(query: string): Promise<string[]> {
  const response = await post("/v1/search", { query, top_k: 1 }, "guest");
  const { matches }: { matches: { id: string }[] } = await response.json();
  return matches.map(({ id }) => id);
}

beforeEach(async () => {
  vi.spyOn(globalThis, "fetch").mockImplementation(serviceNow);
  vi.spyOn(console, "log").mockImplementation(() => undefined);
  await ledger.publishConfig(CONFIG);
  await sql("DELETE FROM requests; DELETE FROM runs; DELETE FROM seen");
  await sql(`INSERT OR REPLACE INTO asked VALUES ('incident', ${Date.now()})`);
  calls = 0;
  onCall = () => undefined;
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("a run inside the Worker", () => {
  it("reads the warehouse slice by slice, and what it publishes is found", async () => {
    incidents = records(60);
    const run = await untilEnded(await ask());
    expect(run).toMatchObject({
      state: "published",
      host: "edge",
      tables: [{ table: "incident", read: 60, added: 60, changed: 0, deleted: 0, unchanged: 0, failed: 0 }],
    });
    // A slice of 20 rows, thrice, and the catalogue each time.
    expect(calls).toBeGreaterThan(9);
    expect(await search("pump 17 leaks")).toEqual(["incident:id0017"]);
  });

  it("is begun by the clock, and finds what changed since", async () => {
    edit();
    await sql(`UPDATE asked SET at = ${Date.now() - 3_600_000}`);
    await sql(`UPDATE served SET as_of = '2026-01-01T00:00:00Z'`);
    await worker.scheduled();
    const [waiting] = await ledger.runs(1);
    const run = await untilEnded(waiting?.id ?? "");
    expect(run).toMatchObject({
      state: "published",
      trigger: "cron",
      tables: [{ read: 46, added: 1, changed: 1, deleted: 15, unchanged: 44 }],
    });
    expect(await search("hose burst on the quay")).toEqual(["incident:id0000"]);
    expect(await search("pump 12 leaks")).not.toEqual(["incident:id0012"]);
  });

  it("is one run when its alarm fires twice at once, or an hour late", async () => {
    const id = await ask();
    await Promise.all([runDurableObjectAlarm(runner()), runDurableObjectAlarm(runner())]);
    await sql(`UPDATE runs SET lease_until = ${Date.now() - 3_600_000}`);
    expect(await untilEnded(id)).toMatchObject({ state: "unchanged" });
    expect((await ledger.runs(50)).length).toBe(1);
    expect(await ledger.next("edge")).toEqual({ run: undefined, readyAt: undefined });
  });

  it("gives way to whoever takes its lease over, and then runs again", async () => {
    const id = await ask();
    await runDurableObjectAlarm(runner());
    expect(await ledger.run(id)).toMatchObject({ state: "running" });
    await sql("UPDATE runs SET lease_until = 0");
    const other = await ledger.begin(
      { tenant: "default", tables: ["incident"], space: SPACE, trigger: "cli" },
      crypto.randomUUID(),
    );
    await runDurableObjectAlarm(runner());
    expect(await ledger.run(other.id)).toMatchObject({ state: "running" });
    expect(await ledger.run(id)).toMatchObject({ state: "queued" });
    await ledger.abandon(other, "done");
    await sql("UPDATE requests SET not_before = 0");
    expect(await untilEnded(id)).toMatchObject({ state: "unchanged" });
  });

  it("ends when it is cancelled, and publishes nothing of it", async () => {
    incidents.push({ sys_id: "idzzzz", short: "never to be seen" });
    const id = await ask();
    await runDurableObjectAlarm(runner());
    await ledger.cancel(id);
    await runDurableObjectAlarm(runner());
    expect(await ledger.run(id)).toMatchObject({ state: "cancelled" });
    expect(await search("never to be seen")).not.toEqual(["incident:idzzzz"]);
    incidents.pop();
  });

  it("fails with the code of what stopped it, and serves what was served", async () => {
    incidents = [];
    expect(await untilEnded(await ask())).toMatchObject({ state: "failed", reason: "guard_stopped" });
    expect(await search("hose burst on the quay")).toEqual(["incident:id0000"]);
  });

  it("logs how many rows of a table it held back, and why, without their keys", async () => {
    incidents = records(25);
    for (const i of [3, 7]) incidents[i] = { sys_id: `id000${i}`, short: "x".repeat(600_000) };
    const logged = vi.spyOn(console, "log").mockImplementation(() => undefined);
    const id = await ask();
    expect(await untilEnded(id)).toMatchObject({ state: "published", tables: [{ read: 25, failed: 2 }] });
    const lines = logged.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.includes("held-back"));
    const headers = { authorization: "Bearer test-token" };
    const told = await call(`/v1/ingest/runs/${id}`, { headers });
    expect(await told.json()).toMatchObject({
      held_back: {
        total: 2,
        rows: [
          { table: "incident", key: "id0003", reason: "too_large" },
          { table: "incident", key: "id0007", reason: "too_large" },
        ],
      },
    });
    const listed = await call("/v1/ingest/runs", { headers });
    expect(await listed.text()).not.toContain("id0003");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: "warn", event: "rows-held-back", run: id, table: "incident", reason: "too_large", rows: 2 },
    ]);
  });
});

/** Everything that the runner has written down, as text. */
const written = (): Promise<string> =>
  runInDurableObject(runner(), (_, state) =>
    state.storage.sql
      .exec<{ data: ArrayBuffer }>("SELECT data FROM part ORDER BY kind, no")
      .toArray()
      .map(({ data }) => new TextDecoder().decode(data))
      .join(""),
  );

async function erase(key: string): Promise<Record<string, unknown>> {
  const response = await call("/v1/erase", {
    method: "POST",
    headers: { authorization: "Bearer test-token", "content-type": "application/json" },
    body: JSON.stringify({ table: "incident", key }),
  });
  expect(response.status).toBe(202);
  return response.json();
}

const back = async (generation: unknown): Promise<{ status: number; code?: string; generation?: number }> => {
  const response = await call("/v1/admin/rollback", {
    method: "POST",
    headers: { authorization: "Bearer test-token", "content-type": "application/json" },
    body: JSON.stringify({ generation }),
  });
  return { status: response.status, ...(await response.json<{ code?: string; generation?: number }>()) };
};

describe("a rollback", () => {
  it("serves the generation before once more, and the next run what the warehouse has", async () => {
    incidents = records(30);
    await untilEnded(await ask());
    const { generation: first, tables: begun } = await ledger.status();
    const index = await indexed();
    edit();
    await untilEnded(await ask());
    expect((await ledger.status()).generation).toBe(first + 1);
    expect(await search("hose burst on the quay")).toEqual(["incident:id0000"]);

    expect(await back(first - 1)).toMatchObject({ status: 422, code: "invalid_request" });
    expect(await back("1")).toMatchObject({ status: 422 });
    const rolled = await back(first);
    expect(rolled).toEqual({ status: 200, generation: (await ledger.status()).generation });
    expect(await indexed()).toEqual(index);
    expect(await search("pump 12 leaks")).toEqual(["incident:id0012"]);
    expect(await search("hose burst on the quay")).not.toEqual(["incident:id0000"]);
    expect((await ledger.status()).tables).toEqual(begun);
    expect((await ledger.runs(1))[0]).toMatchObject({ trigger: "rollback", state: "published" });
    // What was served before it is gone: there is nothing to go back to.
    expect(await back(first + 1)).toMatchObject({ status: 422 });

    expect(await untilEnded(await ask())).toMatchObject({
      tables: [{ added: 1, changed: 1, deleted: 15, unchanged: 14 }],
    });
    expect(await search("hose burst on the quay")).toEqual(["incident:id0000"]);
  });

  it("waits for nobody: while a run writes it is refused", async () => {
    const run = await ledger.begin(
      { tenant: "default", tables: ["incident"], space: SPACE, trigger: "cli" },
      crypto.randomUUID(),
    );
    expect(await back((await ledger.status()).generation - 1)).toMatchObject({ code: "run_conflict" });
    await ledger.abandon(run, "done");
  });
});

describe("a Worker that is killed", () => {
  it("at any of 20 points of a run ends with the index of one that was not", async () => {
    await ledger.publishConfig({ ...CONFIG, limits: { ...CONFIG.limits, sliceRows: 10 } });
    // Two states of the warehouse, and the index that a run that nobody disturbs makes of each.
    const states: { readonly incidents: typeof incidents; readonly index: readonly unknown[] }[] = [];
    for (const change of [() => (incidents = records(55)), edit]) {
      change();
      await untilEnded(await ask());
      states.push({ incidents: structuredClone(incidents), index: await indexed() });
    }
    for (let point = 1; point <= 20; point++) {
      const wanted = states[point % 2 === 0 ? 1 : 0];
      incidents = structuredClone(wanted?.incidents ?? []);
      const id = await ask();
      let killed = false;
      const from = calls;
      onCall = async (n) => {
        if (killed || n - from < point) return;
        killed = true;
        await runInDurableObject(runner(), (_, state) => state.abort("killed"));
      };
      expect(await untilEnded(id)).toMatchObject({ state: "published" });
      expect(killed).toBe(true);
      expect(await indexed()).toEqual(wanted?.index);
    }
  }, 60_000);
});

function clock(minute: number): string {
  return `2026-03-01 10:${String(minute).padStart(2, "0")}:00`;
}

describe("a table with a cursor", () => {
  const table = CONFIG.tables["incident"];

  it("is read by it inside the Worker, slice by slice, killed at six points", async () => {
    const fields = ["sys_id", "short", "sys_updated_on"];
    const desk = { kind: "servicenow", pageSize: 10, tables: { incident: { fields } } };
    const cursor = { cursor: "sys_updated_on", overlap: 0 };
    const columns = { sys_updated_on: { exclude: true } };
    await ledger.publishConfig({
      ...CONFIG,
      limits: { ...CONFIG.limits, sliceRows: 10 },
      sources: { desk },
      tables: table ? { incident: { ...table, columns, incremental: cursor } } : {},
    });
    incidents = records(55).map((record, i) => ({ ...record, sys_updated_on: clock(i % 50) }));
    await untilEnded(await ask());
    for (let point = 2; point <= 12; point += 2) {
      incidents.splice(point, 1);
      const burst = {
        sys_id: "id0000",
        short: `hose burst ${point} times`,
        sys_updated_on: clock(50 + point / 2),
      };
      incidents = incidents.map((record) => (record.sys_id === "id0000" ? burst : record));
      // Committed late: new, and far below the mark.
      incidents.unshift({ sys_id: `ia${point}`, short: `late ${point}`, sys_updated_on: clock(0) });
      incidents.sort((a, b) => (a.sys_id < b.sys_id ? -1 : 1));
      const id = await ask();
      let killed = false;
      const from = calls;
      onCall = async (n) => {
        if (killed || n - from < point) return;
        killed = true;
        await runInDurableObject(runner(), (_, state) => state.abort("killed"));
      };
      const run = await untilEnded(id);
      onCall = () => undefined;
      expect(run).toMatchObject({ state: "published", tables: [{ read: 55 }] });
      const rows = new Set((await indexed()).map((row) => Object(row).row));
      expect(rows).toEqual(new Set(incidents.map(({ sys_id }) => `incident:${sys_id}`)));
      expect(await search(`hose burst ${point} times`)).toEqual(["incident:id0000"]);
    }
    // Undisturbed: the one that has changed, and the one that stands at the mark.
    incidents[20] = {
      ...incidents[20],
      sys_id: incidents[20]?.sys_id ?? "",
      short: "again",
      sys_updated_on: clock(59),
    };
    whole = 0;
    expect(await untilEnded(await ask())).toMatchObject({
      tables: [{ read: 55, keys: 53, changed: 1, added: 0, deleted: 0 }],
    });
    expect(whole).toBe(2);
  }, 60_000);
});

const held = (id: string): (typeof incidents)[number] => ({ sys_id: id, short: "x".repeat(600_000) });

/** Runs that tell a row among those that they hold back. */
async function runsNaming(key: string): Promise<string[]> {
  const runs = await Promise.all((await ledger.runs(50)).map(({ id }) => ledger.run(id)));
  return runs.flatMap((run) => (run?.heldBack.some((held) => held.key === key) ? [run.id] : []));
}

describe("an erasure while a run is on its way", () => {
  it("takes the row's key out of what the run has written down, and counts it", async () => {
    incidents = records(50);
    incidents[3] = held("id0003");
    incidents[5] = held("id0005");
    const id = await ask();
    await runDurableObjectAlarm(runner());
    expect(await written()).toContain("id0003");
    const earlier = await runsNaming("id0003");
    expect(earlier).toContain(id);
    // The checkpoint, and what each run has told.
    expect(await erase("id0003")).toMatchObject({
      residue: 0,
      removed: { runs: 1 + earlier.length },
      proof: { runs: 0 },
    });
    const left = await written();
    expect([left.includes("id0003"), left.includes("id0005")]).toEqual([false, true]);
    expect(await runsNaming("id0003")).toEqual([]);
    expect(await untilEnded(id)).toMatchObject({ state: "published", tables: [{ failed: 2 }] });
    expect(await runsNaming("id0003")).toEqual([]);
    expect(await runsNaming("id0005")).toContain(id);
  });

  it("keeps it out of what a slice that is under way writes down when it pauses", async () => {
    incidents = records(50);
    incidents[7] = held("id0007");
    incidents[8] = held("id0008");
    const id = await ask();
    let receipt: Record<string, unknown> | undefined;
    onCall = async () => {
      // The first page was read: the row is known to be held back, and nothing is written down yet.
      if (whole >= 10 && receipt === undefined) receipt = await erase("id0007");
    };
    whole = 0;
    await runDurableObjectAlarm(runner());
    onCall = () => undefined;
    expect(receipt).toMatchObject({ residue: 0 });
    const left = await written();
    expect([left.includes("id0007"), left.includes("id0008")]).toEqual([false, true]);
    expect([await runsNaming("id0007"), await runsNaming("id0008")]).toEqual([[], [id]]);
    expect(await untilEnded(id)).toMatchObject({ state: "published" });
  });

  it("reads the table anew where the run would have gone on behind the row", async () => {
    incidents = records(50);
    const id = await ask();
    await runDurableObjectAlarm(runner());
    const after = /"after":"(\w+)"/.exec(await written())?.[1] ?? "none";
    expect(await erase(after)).toMatchObject({ residue: 0, removed: { runs: 1 } });
    expect(await written()).not.toContain(after);
    expect(await untilEnded(id)).toMatchObject({ state: "published" });
    const rows = new Set((await indexed()).map((row) => Object(row).row));
    expect(rows).toContain("incident:id0049");
    expect(rows).not.toContain(`incident:${after}`);
  });
});
