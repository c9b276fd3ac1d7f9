import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import worker from "../../workers/main.ts";
import {
  ask,
  CONFIG,
  eachAnew,
  edit,
  type Incident,
  indexed,
  ledger,
  records,
  runner,
  search,
  SPACE,
  sql,
  untilEnded,
  warehouse,
} from "./runner-fixture.ts";
import { call } from "./seed.ts";

/** Runs inside the Worker: a warehouse that is reached by fetch, read slice by slice, alarm by alarm. */

eachAnew();

describe("a run inside the Worker", () => {
  it("reads the warehouse slice by slice, and what it publishes is found", async () => {
    warehouse.incidents = records(60);
    const run = await untilEnded(await ask());
    expect(run).toMatchObject({
      state: "published",
      host: "edge",
      tables: [{ table: "incident", read: 60, added: 60, changed: 0, deleted: 0, unchanged: 0, failed: 0 }],
    });
    // A slice of 20 rows, thrice, and the catalogue each time.
    expect(warehouse.calls).toBeGreaterThan(9);
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
    warehouse.incidents.push({ sys_id: "idzzzz", short: "never to be seen" });
    const id = await ask();
    await runDurableObjectAlarm(runner());
    await ledger.cancel(id);
    await runDurableObjectAlarm(runner());
    expect(await ledger.run(id)).toMatchObject({ state: "cancelled" });
    expect(await search("never to be seen")).not.toEqual(["incident:idzzzz"]);
    warehouse.incidents.pop();
  });

  it("fails with the code of what stopped it, and serves what was served", async () => {
    warehouse.incidents = [];
    expect(await untilEnded(await ask())).toMatchObject({ state: "failed", reason: "guard_stopped" });
    expect(await search("hose burst on the quay")).toEqual(["incident:id0000"]);
  });

  it("logs how many rows of a table it held back, and why, without their keys", async () => {
    warehouse.incidents = records(25);
    for (const i of [3, 7]) warehouse.incidents[i] = { sys_id: `id000${i}`, short: "x".repeat(600_000) };
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
    warehouse.incidents = records(30);
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
    const states: { readonly incidents: Incident[]; readonly index: readonly unknown[] }[] = [];
    for (const change of [() => (warehouse.incidents = records(55)), edit]) {
      change();
      await untilEnded(await ask());
      states.push({ incidents: structuredClone(warehouse.incidents), index: await indexed() });
    }
    for (let point = 1; point <= 20; point++) {
      const wanted = states[point % 2 === 0 ? 1 : 0];
      warehouse.incidents = structuredClone(wanted?.incidents ?? []);
      const id = await ask();
      let killed = false;
      const from = warehouse.calls;
      warehouse.onCall = async (n) => {
        if (killed || n - from < point) return;
        killed = true;
        await runInDurableObject(runner(), (_, state) => state.abort("killed"));
      };
      expect(await untilEnded(id)).toMatchObject({ state: "published" });
      expect(killed).toBe(true);
      expect(await indexed()).toEqual(wanted?.index);
    }
  });
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
    warehouse.incidents = records(55).map((record, i) => ({ ...record, sys_updated_on: clock(i % 50) }));
    await untilEnded(await ask());
    for (let point = 2; point <= 12; point += 2) {
      warehouse.incidents.splice(point, 1);
      const burst = {
        sys_id: "id0000",
        short: `hose burst ${point} times`,
        sys_updated_on: clock(50 + point / 2),
      };
      warehouse.incidents = warehouse.incidents.map((record) =>
        record.sys_id === "id0000" ? burst : record,
      );
      // Committed late: new, and far below the mark.
      warehouse.incidents.unshift({ sys_id: `ia${point}`, short: `late ${point}`, sys_updated_on: clock(0) });
      warehouse.incidents.sort((a, b) => (a.sys_id < b.sys_id ? -1 : 1));
      const id = await ask();
      let killed = false;
      const from = warehouse.calls;
      warehouse.onCall = async (n) => {
        if (killed || n - from < point) return;
        killed = true;
        await runInDurableObject(runner(), (_, state) => state.abort("killed"));
      };
      const run = await untilEnded(id);
      warehouse.onCall = () => undefined;
      expect(run).toMatchObject({ state: "published", tables: [{ read: 55 }] });
      const rows = new Set((await indexed()).map((row) => Object(row).row));
      expect(rows).toEqual(new Set(warehouse.incidents.map(({ sys_id }) => `incident:${sys_id}`)));
      expect(await search(`hose burst ${point} times`)).toEqual(["incident:id0000"]);
    }
    // Undisturbed: the one that has changed, and the one that stands at the mark.
    warehouse.incidents[20] = {
      ...warehouse.incidents[20],
      sys_id: warehouse.incidents[20]?.sys_id ?? "",
      short: "again",
      sys_updated_on: clock(59),
    };
    warehouse.whole = 0;
    expect(await untilEnded(await ask())).toMatchObject({
      tables: [{ read: 55, keys: 53, changed: 1, added: 0, deleted: 0 }],
    });
    expect(warehouse.whole).toBe(2);
  });
});
