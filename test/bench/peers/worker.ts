import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildWorker } from "../../../workers/build.ts";
import { modulesOf, serveWorkerd, type Served } from "../workerd.ts";

/** The Worker that a deploy uploads, in one workerd process that also holds its Durable Objects and a map for KV. */

/** Named like the harness's stand-in: the cost of the binding, not of KV's network. */
const KV = `const m = new Map();
export default { async fetch(request) {
  const key = new URL(request.url).pathname;
  if (request.method === "PUT") { m.set(key, await request.text()); return new Response(); }
  const value = m.get(key);
  return value === undefined ? new Response("not found", { status: 404 }) : new Response(value);
} };`;

/** A Worker `main`, given as the inside of its struct, beside the map. Its objects are kept in `state`. */
export function capnp(directory: string, worker: string, port: number): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "kv", worker = .kv), (name = "none", worker = .none),
    (name = "internet", network = (allow = ["public", "private", "local"])),
    (name = "disk", disk = (path = "${join(directory, "state")}", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const kv :Workerd.Worker = (modules = [(name = "kv.mjs", esModule = embed "kv.mjs")], compatibilityDate = "2026-10-01");
const none :Workerd.Worker = (
  modules = [(name = "n.mjs", esModule = "export default { fetch: () => new Response(null, { status: 404 }) };")],
  compatibilityDate = "2026-10-01");
const main :Workerd.Worker = (compatibilityDate = "2026-10-01", compatibilityFlags = ["enable_request_signal"],
  durableObjectStorage = (localDisk = "disk"), ${worker});
`;
}

/** @param directory takes the build, the configuration and the state. @param text the Worker's variables and secrets. */
export async function serveOurs(
  directory: string,
  text: Readonly<Record<string, string>>,
  demo = false,
): Promise<Served> {
  for (const name of ["state", "ours"]) mkdirSync(join(directory, name), { recursive: true });
  await buildWorker({ demo, outdir: join(directory, "ours") });
  writeFileSync(join(directory, "kv.mjs"), KV);
  const bound = Object.entries(text).map(([name, value]) => `(name = "${name}", text = "${value}")`);
  const modules = modulesOf(readdirSync(join(directory, "ours")), "main.mjs", "ours/");
  return serveWorkerd(
    directory,
    (port) =>
      capnp(
        directory,
        `modules = [${modules}],
  durableObjectNamespaces = [(className = "Ledger", uniqueKey = "l", enableSql = true), (className = "Shard", uniqueKey = "s", enableSql = true)],
  bindings = [(name = "LEDGER", durableObjectNamespace = "Ledger"), (name = "SHARD", durableObjectNamespace = "Shard"),
    (name = "CACHE", kvNamespace = "kv"), (name = "ASSETS", service = "none"), ${bound.join(", ")}]`,
        port,
      ),
    "/healthz",
  );
}
