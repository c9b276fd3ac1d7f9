import { env, exports } from "cloudflare:workers";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { classOf } from "../../shared/policy.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import { makeTenantRegistry, shardName, type TenantRegistry } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { CONTRACT_CONFIG, registryContract, type RegistryHarness } from "../contract/registry.ts";
import { storedId } from "../../shared/ids.ts";
import { reset } from "cloudflare:test";

const everyone = await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public");

function ledgerOf(tenant: string): LedgerApi {
  return overRpc<LedgerApi>(() => env.LEDGER.getByName(tenant), "registry_unavailable");
}

function shardOf(name: string): ShardApi {
  return overRpc<ShardApi>(() => env.SHARD.getByName(name), "index_unavailable");
}

function registryOf(tenant: string): TenantRegistry {
  return makeTenantRegistry({ tenant, ledger: ledgerOf(tenant), shard: shardOf });
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
  await client.publishConfig(CONTRACT_CONFIG, AbortSignal.timeout(5000));
  return { tenant: "default", registry: client, served: servedBy("default") };
});
