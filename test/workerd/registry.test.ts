import { env, exports } from "cloudflare:workers";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { sleep } from "../../shared/http.ts";
import { classOf } from "../../shared/policy.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import { makeTenantRegistry, shardName, type TenantRegistry } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { CONTRACT_CONFIG, type RegistryHarness } from "../contract/registry-harness.ts";
import { registryContract } from "../contract/registry.ts";
import { storedId } from "../../shared/ids.ts";
import { reset } from "cloudflare:test";
import { describe, expect, it } from "vitest";

const everyone = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");

function ledgerOf(tenant: string): LedgerApi {
  return overRpc<LedgerApi>(() => env.LEDGER.getByName(tenant), "registry_unavailable");
}

function shardOf(name: string): ShardApi {
  return overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
}

const waits: number[] = [];

async function noteWait(ms: number): Promise<void> {
  waits.push(ms);
}

function registryOf(tenant: string): TenantRegistry {
  return makeTenantRegistry({ tenant, ledger: ledgerOf(tenant), shard: shardOf, sleep: noteWait });
}

/** What the shard of the served space confirms for `public`. */
function servedBy(tenant: string): RegistryHarness["served"] {
  return async (row) => {
    const { space } = await ledgerOf(tenant).status();
    if (space === "") return undefined;
    const shard = shardOf(await shardName(tenant, space, 0));
    const hits = [{ id: await storedId(row, "all", 0), score: 1 }];
    const { evidence } = await shard.recheck(hits, { classes: [everyone.id], tables: undefined });
    return evidence[0]?.text;
  };
}

registryContract("inside the Worker", async () => {
  const tenant = `t-${crypto.randomUUID()}`;
  await ledgerOf(tenant).publishConfig(CONTRACT_CONFIG);
  return { tenant, registry: registryOf(tenant), served: servedBy(tenant) };
});

registryContract("over HTTP", async () => {
  await reset();
  const client = makeRegistryClient({
    url: "http://127.0.0.1",
    token: "test-token",
    fetch: (input, init) => exports.default.fetch(new Request(input, init)),
  });
  await client.publishConfig(CONTRACT_CONFIG, AbortSignal.timeout(30_000));
  return { tenant: "default", registry: client, served: servedBy("default") };
});

describe("publishing a configuration", () => {
  it("with the first budgets ends once every isolate has forgotten that there were none", async () => {
    const registry = registryOf(`t-${crypto.randomUUID()}`);
    const none = CONTRACT_CONFIG;
    const some = { ...none, budgets: { tenant: { usdPerDay: 1 } } };
    const more = { ...none, budgets: { tenant: { usdPerDay: 2 } } };
    const waited: number[][] = [];
    for (const config of [none, some, some, more, none, more]) {
      waits.length = 0;
      await registry.publishConfig(config, AbortSignal.timeout(30_000));
      waited.push([...waits]);
    }
    expect(waited).toEqual([[], [6000], [], [], [], [6000]]);
  });

  it("with the first budgets is waited for no longer than whoever publishes wants", async () => {
    const tenant = `t-${crypto.randomUUID()}`;
    const registry = makeTenantRegistry({ tenant, ledger: ledgerOf(tenant), shard: shardOf, sleep });
    await registry.publishConfig(CONTRACT_CONFIG, AbortSignal.timeout(30_000));
    const left = registry.publishConfig({ ...CONTRACT_CONFIG, budgets: {} }, AbortSignal.timeout(50));
    await expect(left).rejects.toMatchObject({ code: "deadline_exceeded" });
  });
});
