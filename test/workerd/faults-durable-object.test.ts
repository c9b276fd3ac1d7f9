import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Config } from "../../shared/config.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { classOf } from "../../shared/policy.ts";
import type { RunRequest } from "../../shared/ports/registry.ts";
import { problemResponse } from "../../workers/problem.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import { makeTenantRegistry } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { CONFIG as SEEDED, seedRows } from "../fakes/seed-rows.ts";

/** Faults of the Durable Objects, by the names of the hostile set; alarms are in `runner.test.ts`. */

const CONFIG: Config = {
  name: "test",
  sources: { local: { kind: "none" } },
  tables: {
    news: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
  },
};
const REQUEST: RunRequest = { tenant: "t", tables: ["news"], space: "space-1", trigger: "cli" };
const GUEST = { tenant: "t", subject: "g", groups: [], attributes: {}, scopes: ["ask"] };

function open() {
  const stub = env.LEDGER.getByName(crypto.randomUUID());
  return { stub, ledger: overRpc<LedgerApi>(() => stub, "registry_unavailable") };
}

function shardOf(name: string): ShardApi {
  return overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    return error instanceof QuaysideError ? error.code : error;
  }
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a Durable Object", () => {
  it("evict_between_requests: reads its state again", async () => {
    const { stub, ledger } = open();
    const published = await ledger.publishConfig(CONFIG);
    const before = await ledger.admit(GUEST);
    await evictDurableObject(stub);
    expect(await ledger.admit(GUEST)).toEqual(before);
    await evictDurableObject(stub);
    expect((await ledger.config())?.version).toBe(published.version);
  });

  it("crash_mid_request: what a failed call wrote first is rolled back", async () => {
    const { stub, ledger } = open();
    await ledger.publishConfig(CONFIG);
    const run = await ledger.begin(REQUEST, "k");
    const known = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");
    // The class is stored before the unknown one is found.
    expect(await codeOf(ledger.renew(run, [known], ["AAAAAAAAAAAAAAAAAAAAAA"]))).toBe("invalid_request");
    const stored = await runInDurableObject(stub, (_, state) =>
      state.storage.sql.exec("SELECT id FROM classes").toArray(),
    );
    expect(stored).toEqual([]);
  });

  it("overloaded: 503 with a time to wait, and no second call that would add to the load", async () => {
    let calls = 0;
    const overloaded = {
      admit() {
        calls += 1;
        throw Object.assign(new Error("Durable Object is overloaded."), {
          overloaded: true,
          retryable: true,
        });
      },
    };
    const ledger = overRpc<Pick<LedgerApi, "admit">>(() => overloaded, "registry_unavailable");
    const failed = await ledger.admit(GUEST).catch((error: unknown) => error);
    if (!(failed instanceof QuaysideError)) throw new Error("not refused");
    const response = problemResponse(failed, "r");
    expect([response.status, response.headers.get("retry-after"), calls]).toEqual([503, "2", 1]);
  });

  it("reset_on_deploy: a call that was cut is made once more, with one effect", async () => {
    const { stub, ledger } = open();
    await ledger.publishConfig(CONFIG);
    let cuts = 0;
    // The first call arrives; its answer does not.
    const cutting = {
      async begin(...args: Parameters<LedgerApi["begin"]>) {
        const made = await stub.begin(...args);
        if (cuts++ === 0)
          throw Object.assign(new Error("connection lost: code updated"), { retryable: true });
        return made;
      },
    };
    const over = overRpc<Pick<LedgerApi, "begin">>(() => cutting, "registry_unavailable");
    await over.begin(REQUEST, "k");
    expect(cuts).toBe(2);
    expect((await ledger.status()).runs).toHaveLength(1);
  });

  it("storage_full: the run fails, and the old generation goes on serving", async () => {
    const tenant = crypto.randomUUID();
    const ledger = overRpc<LedgerApi>(() => env.LEDGER.getByName(tenant), "registry_unavailable");
    await seedRows(makeTenantRegistry({ tenant, ledger, shard: shardOf, sleep }), SEEDED);
    const before = await ledger.status();
    const full = (name: string): ShardApi =>
      new Proxy(shardOf(name), {
        get: (target, method) =>
          method === "stage"
            ? () => Promise.reject(new QuaysideError("index_unavailable", "database or disk is full"))
            : (Reflect.get(target, method) as unknown),
      });
    const failing = seedRows(makeTenantRegistry({ tenant, ledger, shard: full, sleep }), SEEDED);
    expect(await codeOf(failing)).toBe("index_unavailable");
    const after = await ledger.status();
    expect([after.generation, after.tables]).toEqual([before.generation, before.tables]);
  });

  it("clock_skew_5min: a lease that a clock ahead gives away can't be written with", async () => {
    const { ledger } = open();
    await ledger.publishConfig(CONFIG);
    const held = await ledger.begin(REQUEST, "first");
    expect(await codeOf(ledger.begin(REQUEST, "second"))).toBe("run_conflict");
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 300_000 });
    await ledger.begin(REQUEST, "third");
    expect(await codeOf(ledger.renew(held, [], []))).toBe("run_fenced");
    vi.setSystemTime(Date.now() - 600_000);
    expect(await codeOf(ledger.renew(held, [], []))).toBe("run_fenced");
    expect((await ledger.admit(GUEST)).configVersion).toBe(1);
  });
});
