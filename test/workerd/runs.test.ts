import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../shared/config.ts";
import type { Run } from "../../shared/ports/registry.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import worker from "../../workers/main.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { airbyteWebhook } from "../../workers/webhooks/airbyte.ts";
import { call } from "./seed.ts";

/** Runs from whoever asks for them to whoever leases them, over HTTP and in the ledger. */

const CONFIG: Config = {
  name: "runs",
  sources: { files: { kind: "duckdb", path: "none" } },
  tables: {
    notes: table({ schedule: "15m" }),
    people: table({ targetLag: "1h" }),
    names: { source: "files", key: ["id"], classification: "public", index: false },
  },
  demo: { users: { guest: { label: "Guest", groups: [] } }, examples: [] },
};

function table(more: Partial<Config["tables"][string]>): Config["tables"][string] {
  return {
    source: "files",
    key: ["id"],
    classification: "public",
    access: { allowAny: ["public"] },
    ...more,
  };
}

const stub = () => env.LEDGER.getByName("default");
const ledger = overRpc<LedgerApi>(stub, "registry_unavailable");
const sql = (statement: string): Promise<void> =>
  runInDurableObject(stub(), (_, state) => void state.storage.sql.exec(statement));

interface Reply {
  readonly status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body is looked into by the assertions
  readonly body: any;
}

async function send(method: string, path: string, body?: unknown, token = "test-token"): Promise<Reply> {
  const response = await call(path, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

const ask = (body: unknown = {}): Promise<Reply> => send("POST", "/v1/ingest/runs", body);
const next = async (): Promise<{ id: string; tables: string[] } | null> =>
  (await send("POST", "/v1/admin/runs/next", {})).body.run;
const lease = (id: string, tables = ["notes", "people"]): Promise<Run> =>
  ledger.begin({ tenant: "default", tables, space: "s", trigger: "api", requested: id }, crypto.randomUUID());
const states = async (): Promise<unknown[]> =>
  (await ledger.runs(50)).map((run) => [run.trigger, run.state, run.asked]);

beforeEach(async () => {
  await ledger.publishConfig(CONFIG);
  await sql("DELETE FROM requests; DELETE FROM runs; DELETE FROM seen; DELETE FROM asked");
  // Nothing is due but where a test says so.
  await sql(`INSERT INTO asked VALUES ('notes', ${Date.now()}), ('people', ${Date.now()})`);
});

describe("a run that is asked for", () => {
  it("waits, is leased, reports and ends", async () => {
    const asked = await ask({ tables: ["notes"] });
    expect(asked).toMatchObject({ status: 202, body: { outcome: "queued" } });
    const id: string = asked.body.run_id;
    expect(await next()).toMatchObject({ id, tables: ["notes"], full: false, trigger: "api" });
    expect((await send("GET", `/v1/ingest/runs/${id}`)).body).toMatchObject({
      state: "queued",
      started_at: null,
      asked: ["notes"],
    });
    const run = await lease(id, ["notes"]);
    expect(run.id).toBe(id);
    expect(await next()).toBeNull();
    const counts = { table: "notes", read: 7, added: 2, changed: 0, deleted: 0, unchanged: 5, failed: 0 };
    const told = await send("PUT", `/v1/admin/runs/${id}/progress`, { run, tables: [counts] });
    expect(told.status).toBe(204);
    expect((await send("GET", `/v1/ingest/runs/${id}`)).body).toMatchObject({
      state: "running",
      tables: [counts],
    });
    await ledger.prepare(run, []);
    await ledger.publish(run, [], { generation: run.generation, changed: true, rows: [] });
    expect((await send("GET", "/v1/ingest/runs")).body.runs).toMatchObject([
      { id, state: "published", generation: run.generation },
    ]);
  });

  it("needs the scope, real tables and known fields", async () => {
    expect((await send("POST", "/v1/ingest/runs", {}, "wrong")).status).toBe(401);
    expect((await call("/v1/ingest/runs", { as: "guest" })).status).toBe(403);
    expect((await ask({ tables: ["names"] })).body).toMatchObject({ code: "invalid_request" });
    expect((await ask({ tables: ["nothing"] })).status).toBe(422);
    expect((await ask({ tables: [] })).status).toBe(422);
    expect((await ask({ space: "s" })).status).toBe(422);
    expect((await send("GET", "/v1/ingest/runs/run_none")).status).toBe(404);
    expect((await send("DELETE", "/v1/ingest/runs/run_none")).status).toBe(404);
  });

  it("that reads every table is another than one that does not, and says so", async () => {
    const [some, all] = [await ask({ tables: ["notes"] }), await ask({ tables: ["notes"], read_all: true })];
    expect([some.body.outcome, all.body.outcome]).toEqual(["queued", "queued"]);
    expect((await ask({ tables: ["notes"], read_all: true })).body).toEqual({
      run_id: all.body.run_id,
      outcome: "coalesced",
    });
    await ledger.cancel(some.body.run_id);
    expect(await next()).toMatchObject({ id: all.body.run_id, full: false, read_all: true });
    expect((await ask({ read_all: "yes" })).status).toBe(422);
  });

  it("is the same run under the same key, and a conflict with another body", async () => {
    const first = await ask({ tables: ["notes", "people"], idempotency_key: "k" });
    const again = await ask({ tables: ["people", "notes"], idempotency_key: "k" });
    expect(again).toEqual({ status: 202, body: { run_id: first.body.run_id, outcome: "duplicate" } });
    expect((await ask({ idempotency_key: "k", tables: ["notes", "people"], read_all: true })).status).toBe(
      409,
    );
    expect(await ask({ idempotency_key: "k", full: true })).toMatchObject({
      status: 409,
      body: { code: "idempotency_conflict" },
    });
    await send("DELETE", `/v1/ingest/runs/${first.body.run_id}`);
    const later = await ask({ tables: ["notes", "people"], idempotency_key: "k" });
    expect(later.body.run_id).toBe(first.body.run_id);
  });

  it.each([1, 2, 5, 20])("is one run when %i ask at once", async (triggers) => {
    const replies = await Promise.all(Array.from({ length: triggers }, () => ask()));
    expect(new Set(replies.map((reply) => reply.body.run_id)).size).toBe(1);
    expect(replies.filter((reply) => reply.body.outcome === "queued").length).toBe(1);
    const id: string = replies[0]?.body.run_id;
    const leases = await Promise.allSettled(Array.from({ length: triggers }, () => lease(id)));
    expect(leases.filter((one) => one.status === "fulfilled").length).toBe(1);
  });

  it("is another when it asks for something else", async () => {
    const ids = [await ask(), await ask({ full: true }), await ask({ tables: ["notes"] })];
    expect(new Set(ids.map((reply) => reply.body.run_id)).size).toBe(3);
  });

  it("is followed by one more when it ran already as others asked", async () => {
    const { body } = await ask();
    const run = await lease(body.run_id);
    for (let i = 0; i < 3; i++) expect((await ask()).body).toEqual({ run_id: run.id, outcome: "coalesced" });
    expect(await next()).toBeNull();
    await ledger.prepare(run, []);
    await ledger.publish(run, [], { generation: run.generation, changed: true, rows: [] });
    expect(await states()).toEqual([
      ["api", "queued", ["notes", "people"]],
      ["api", "published", ["notes", "people"]],
    ]);
  });
});

describe("cancelling", () => {
  it("ends a run that waits", async () => {
    const { body } = await ask();
    expect((await send("DELETE", `/v1/ingest/runs/${body.run_id}`)).body.state).toBe("cancelled");
    expect(await next()).toBeNull();
    await expect(lease(body.run_id)).rejects.toMatchObject({ code: "run_conflict" });
  });

  it("ends a run that writes: its late batch is refused, and the lease is free", async () => {
    const run = await ledger.begin({ tenant: "default", tables: ["notes"], space: "s", trigger: "cli" }, "k");
    expect((await send("DELETE", `/v1/ingest/runs/${run.id}`)).body.state).toBe("cancelled");
    await expect(ledger.renew(run, [], [])).rejects.toMatchObject({ code: "run_fenced" });
    await expect(ledger.prepare(run, [])).rejects.toMatchObject({ code: "run_fenced" });
    const { body } = await ask();
    expect((await lease(body.run_id)).fence).toBe(run.fence + 1);
  });

  it("leaves one that has ended as it is", async () => {
    const run = await ledger.begin({ tenant: "default", tables: ["notes"], space: "s", trigger: "cli" }, "k");
    await ledger.abandon(run, "guard_stopped");
    expect((await send("DELETE", `/v1/ingest/runs/${run.id}`)).body.state).toBe("failed");
  });
});

const HELD = { table: "notes", key: "ana", reason: "too_large" };
const tell = async (run: Run, held_back: readonly object[]): Promise<number> => {
  const counts = { table: "notes", read: 300, added: 0, changed: 0, deleted: 0, unchanged: 0, failed: 300 };
  const body = { run, tables: [counts], held_back };
  return (await send("PUT", `/v1/admin/runs/${run.id}/progress`, body)).status;
};

describe("rows that a run holds back", () => {
  it("are told of the run, at most 200 of them, with the number of all", async () => {
    const { body } = await ask();
    const run = await lease(body.run_id);
    expect(
      await tell(
        run,
        Array.from({ length: 201 }, () => HELD),
      ),
    ).toBe(422);
    expect(await tell(run, [{ ...HELD, key: "k".repeat(201) }])).toBe(422);
    expect(await tell(run, [HELD])).toBe(204);
    const path = `/v1/ingest/runs/${body.run_id}`;
    expect((await send("GET", path)).body).toMatchObject({ held_back: { total: 300, rows: [HELD] } });
    expect((await call(path, { as: "guest" })).status).toBe(403);
  });

  it("are forgotten with the run", async () => {
    const { body } = await ask();
    await tell(await lease(body.run_id), [HELD]);
    await ledger.cancel(body.run_id);
    await sql("UPDATE requests SET no = no - 1000");
    await ask();
    expect(await ledger.run(body.run_id)).toBeUndefined();
    await runInDurableObject(env.LEDGER.getByName("default"), (_, state) => {
      expect(state.storage.sql.exec("SELECT * FROM held_back").toArray()).toEqual([]);
    });
  });
});

describe("a holder that fails", () => {
  it("is replaced when its lease has ended, and what it writes late is refused", async () => {
    const { body } = await ask();
    const paused = await lease(body.run_id);
    expect(await next()).toBeNull();
    await sql("UPDATE runs SET lease_until = 0");
    expect((await next())?.id).toBe(body.run_id);
    const second = await lease(body.run_id);
    // Batches are told apart by run and number, so an attempt has an id of its own.
    expect(second.id).toBe(`${body.run_id}-2`);
    await expect(ledger.renew(paused, [], [])).rejects.toMatchObject({ code: "run_fenced" });
    await expect(ledger.report(paused, { tables: [], heldBack: [] })).rejects.toMatchObject({
      code: "run_fenced",
    });
    await expect(
      ledger.publish(paused, [], { generation: 9, changed: true, rows: [] }),
    ).rejects.toMatchObject({
      code: "run_fenced",
    });
    expect(await states()).toEqual([["api", "running", ["notes", "people"]]]);
  });

  it("waits longer each time that its failure may pass, and gives up after the third", async () => {
    const { body } = await ask();
    for (let attempt = 1; attempt <= 3; attempt++) {
      await sql("UPDATE requests SET not_before = 0");
      await ledger.abandon(await lease(body.run_id), "source_unavailable");
      expect(await next()).toBeNull();
    }
    expect(await ledger.run(body.run_id)).toMatchObject({ state: "failed", reason: "source_unavailable" });
  });

  it.each(["guard_stopped", "schema_drift", "config_invalid"])("fails for good by %s", async (reason) => {
    const { body } = await ask();
    await ledger.abandon(await lease(body.run_id), reason);
    expect(await ledger.run(body.run_id)).toMatchObject({ state: "failed", reason });
  });

  it("fails before it could be leased", async () => {
    const { body } = await ask();
    const refused = await send("POST", `/v1/admin/runs/${body.run_id}/refuse`, { reason: "config_invalid" });
    expect(refused.status).toBe(204);
    expect(await ledger.run(body.run_id)).toMatchObject({ state: "failed", reason: "config_invalid" });
  });
});

describe("the clock", () => {
  const MINUTE = 60_000;

  it("asks for nothing before its time, and nothing without a configuration", async () => {
    await worker.scheduled();
    expect(await states()).toEqual([]);
    await sql("DELETE FROM configs");
    await evictDurableObject(stub());
    await worker.scheduled();
    expect(await states()).toEqual([]);
  });

  it("asks for one run of every table that is due, once however often it fires", async () => {
    await sql(`UPDATE asked SET at = ${Date.now() - 40 * MINUTE}`);
    await worker.scheduled();
    await Promise.all([worker.scheduled(), worker.scheduled()]);
    expect(await states()).toEqual([["cron", "queued", ["notes", "people"]]]);
  });

  it("catches up once after an hour without a clock", async () => {
    await sql(`UPDATE asked SET at = ${Date.now() - 60 * MINUTE} WHERE name = 'notes'`);
    await worker.scheduled();
    expect(await states()).toEqual([["cron", "queued", ["notes"]]]);
  });

  it("reads a table with a target lag again at half of it", async () => {
    await sql(`UPDATE asked SET at = ${Date.now() - 29 * MINUTE} WHERE name = 'people'`);
    await worker.scheduled();
    expect(await states()).toEqual([]);
    await sql(`UPDATE asked SET at = ${Date.now() - 30 * MINUTE} WHERE name = 'people'`);
    await worker.scheduled();
    expect(await states()).toEqual([["cron", "queued", ["people"]]]);
  });

  it("does not ask again for what failed until it is due again", async () => {
    await sql(`UPDATE asked SET at = ${Date.now() - 16 * MINUTE} WHERE name = 'notes'`);
    const waiting = await next();
    await ledger.abandon(await lease(waiting?.id ?? "", ["notes"]), "guard_stopped");
    await worker.scheduled();
    expect(await states()).toEqual([["cron", "failed", ["notes"]]]);
  });
});

const bearer = (secret: string): Headers => new Headers({ authorization: `Bearer ${secret}` });
const verify = (sent: Headers, secret = "s1"): Promise<unknown> =>
  airbyteWebhook.verify(sent, new Uint8Array(), secret, 0);
const unsigned = (path: string): Promise<Response> =>
  call(path, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });

describe("a webhook", () => {
  it("that names its nonce again is the same run, once, whatever has become of it", async () => {
    const asked = { tables: ["notes"], full: false, trigger: "webhook", host: "node" } as const;
    const once = { key: "webhook:crm:n1" };
    const pairs = Array.from({ length: 20 }, () => ledger.trigger({ ...asked, once }));
    const outcomes = (await Promise.all(pairs)).map((one) => one.outcome);
    expect(outcomes.filter((outcome) => outcome !== "duplicate")).toEqual(["queued"]);
    const waiting = await next();
    await ledger.abandon(await lease(waiting?.id ?? "", ["notes"]), "guard_stopped");
    expect(await ledger.trigger({ ...asked, once })).toEqual({ id: waiting?.id, outcome: "duplicate" });
    expect(await next()).toBeNull();
  });

  it("from Airbyte carries a bearer secret, which a proxy adds", async () => {
    expect(await verify(bearer("s1"))).toBeUndefined();
    expect(await verify(bearer("s1"), "s0, s1")).toBeUndefined();
    for (const wrong of [bearer("s2"), bearer("s1x"), new Headers(), new Headers({ authorization: "s1" })]) {
      await expect(verify(wrong)).rejects.toMatchObject({ code: "unauthenticated" });
    }
    const data = { connection: { id: "c" }, jobId: 9988, success: true };
    expect(airbyteWebhook.read({ text: "…", data })).toEqual({ id: "9988", subject: "c" });
    expect(airbyteWebhook.read({ data: { ...data, success: false } })).toBeUndefined();
    // What its "Test" button sends.
    expect(airbyteWebhook.read({ text: "Hello World!" })).toBeUndefined();
  });

  it("is refused where its secret is not set, or its source unknown", async () => {
    expect((await unsigned("/v1/ingest/webhooks")).status).toBe(401);
    expect((await unsigned("/v1/ingest/webhooks/crm")).status).toBe(404);
  });
});

describe("a ledger of an earlier version", () => {
  it("lists the runs that it knew", async () => {
    const run = await ledger.begin({ tenant: "default", tables: ["notes"], space: "s", trigger: "cli" }, "k");
    await ledger.abandon(run, "guard_stopped");
    await sql("DELETE FROM requests");
    await runInDurableObject(stub(), async (object, state) => {
      Reflect.construct(object.constructor, [state, env]);
    });
    expect(await ledger.run(run.id)).toMatchObject({
      state: "failed",
      trigger: "cli",
      reason: "guard_stopped",
    });
  });
});
