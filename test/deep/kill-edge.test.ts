import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseConfig } from "../../shared/config.ts";
import { SERVICENOW_STUB, startServiceNow, type ServiceNowStub } from "../stubs/servicenow.ts";
import { digest, openWorld, type World } from "./killable.ts";

/**
 * Runs that the Worker carries out by itself, alarm by alarm, and that are killed with its process: what they leave is what a run
 * leaves that was never killed, and nobody has to start them again.
 */

const CONFIG = {
  name: "kill",
  limits: { sliceRows: 20, deleteShare: 1 },
  sources: {
    desk: { kind: "servicenow", pageSize: 10, tables: { incident: { fields: ["sys_id", "short", "team"] } } },
  },
  tables: {
    incident: {
      source: "desk",
      key: ["sys_id"],
      title: "short",
      classification: "internal",
      access: { allowAny: ["group:{team}"] },
    },
  },
  embedder: { kind: "openai", dimensions: 64, maxBatch: 8 },
} as const;

/** Where it is killed: before or after the n-th call of a kind from the trigger on. */
const POINTS = [
  ["before/ledger.begin", 1],
  ["after/ledger.begin", 1],
  ["before/ledger.probe", 1],
  ["after/ledger.probe", 1],
  ["before/shard.known", 1],
  ["after/shard.known", 2],
  ["before/shard.stage", 1],
  ["after/shard.stage", 1],
  ["before/shard.stage", 3],
  ["after/shard.stage", 4],
  ["before/shard.stage", 2],
  ["after/shard.stage", 2],
  ["before/ledger.renew", 1],
  ["after/ledger.renew", 1],
  ["before/ledger.prepare", 1],
  ["after/ledger.prepare", 1],
  ["before/shard.publish", 1],
  ["after/shard.publish", 1],
  ["before/ledger.publish", 1],
  ["after/ledger.publish", 1],
] as const;

async function ended(world: World, run: string): Promise<string> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const state = await world.stateOf(run);
    if (state !== "queued" && state !== "running") return state;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the run does not end");
}

describe.each(["embedded", "pinecone"] as const)("a run inside the Worker, into the %s index", (kind) => {
  let desk: ServiceNowStub;
  let killed: World;
  let whole: World;
  let age = 0;

  beforeAll(async () => {
    desk = await startServiceNow();
    await desk.define({
      name: "incident",
      fields: { short: { type: "string" }, team: { type: "string" } },
      records: `SELECT printf('id%04d', range) AS sys_id, 'Pump ' || range || ' leaks.' AS short,
        'team-' || range % 3 AS team FROM range(80)`,
    });
    const config = parseConfig({ ...CONFIG, index: { kind } });
    const secrets = { SERVICENOW_TOKEN: SERVICENOW_STUB.token, SERVICENOW_BASE_URL: desk.url };
    [killed, whole] = await Promise.all([openWorld(config, secrets), openWorld(config, secrets)]);
    for (const world of [killed, whole]) {
      const ended = await world.ingest().ended;
      expect(ended.status, ended.stderr).toBe(0);
    }
  });
  afterAll(async () => {
    await killed?.[Symbol.asyncDispose]();
    await whole?.[Symbol.asyncDispose]();
    await desk?.[Symbol.asyncDispose]();
  });

  /** A fifth of the records changes, some go and as many come. */
  async function change(): Promise<void> {
    age += 1;
    await desk.warehouse.run(
      `UPDATE incident SET short = short || ' Seen in week ${age}.' WHERE hash(sys_id || '${age}') % 5 = 0`,
    );
    await desk.warehouse.run(`DELETE FROM incident WHERE hash(sys_id || '${age}') % 17 = 0`);
    await desk.warehouse.run(
      `INSERT INTO incident SELECT printf('new%04d-%d', ${age}, range), 'Hose ' || range || ' burst.', 'team-1' FROM range(4)`,
    );
  }

  async function recovered(run: string): Promise<void> {
    expect(await ended(killed, run)).toBe("published");
    expect(await ended(whole, await whole.trigger())).toBe("published");
    const [found, wanted] = [await killed.dump(), await whole.dump()];
    if (digest(found) !== digest(wanted)) expect(found).toEqual(wanted);
  }

  it.each(POINTS)(
    "that is killed %s for the %i. time ends with the index of one that was not",
    async (point, nth) => {
      await change();
      killed.killWorkerAt(point, nth);
      const run = await killed.trigger();
      const deadline = Date.now() + 30_000;
      while (!killed.struck && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      expect(killed.struck).toBe(true);
      await killed.revive();
      await recovered(run);
    },
    120_000,
  );

  it("that is killed again and again gets on each time", async () => {
    await change();
    const run = await killed.trigger();
    let kills = 0;
    for (const wait of [1150, 1250, 1350, 1500, 1700]) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if (!["queued", "running"].includes(await killed.stateOf(run))) break;
      await killed.killWorker();
      await killed.revive();
      kills += 1;
    }
    expect(kills).toBeGreaterThan(0);
    await recovered(run);
  }, 120_000);
});
