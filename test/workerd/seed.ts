import { env, exports } from "cloudflare:workers";
import { sleep } from "../../shared/http.ts";
import type { LedgerApi, ShardApi } from "../../workers/tenant/api.ts";
import { makeTenantRegistry, type TenantRegistry } from "../../workers/tenant/registry.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import { seedRows } from "../fakes/seed-rows.ts";

/** The tenant's registry in this Worker's own objects. */
export function ownRegistry(): TenantRegistry {
  const tenant = "default";
  return makeTenantRegistry({
    tenant,
    ledger: overRpc<LedgerApi>(() => env.LEDGER.get(env.LEDGER.idFromName(tenant)), "registry_unavailable"),
    shard: (name) => overRpc<ShardApi>(() => env.SHARD.get(env.SHARD.idFromName(name)), "index_unavailable"),
    sleep,
  });
}

/** The same, with the small warehouse in it. */
export async function seed(): Promise<TenantRegistry> {
  const registry = ownRegistry();
  await seedRows(registry);
  return registry;
}

/** One request to the Worker under test, as demo user `as`. */
export function call(path: string, init: RequestInit & { readonly as?: string } = {}): Promise<Response> {
  const { as, ...rest } = init;
  const headers = new Headers(rest.headers);
  if (as !== undefined) headers.set("x-quayside-demo-user", as);
  return exports.default.fetch(new Request(`http://127.0.0.1${path}`, { ...rest, headers }));
}

export function post(path: string, body: unknown, as?: string, headers: HeadersInit = {}): Promise<Response> {
  return call(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...Object.fromEntries(new Headers(headers)) },
    body: JSON.stringify(body),
    ...(as === undefined ? {} : { as }),
  });
}
