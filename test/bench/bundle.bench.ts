import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { buildWorker } from "../../workers/build.ts";
import { cpuMs, modulesOf, serveWorkerd } from "./workerd.ts";

/**
 * What a deploy uploads: gzip size of the Worker, and the CPU that workerd needs to start it and answer once, over the same
 * for a hello-world Worker in the same run (scheduler time over all threads, the least of 60 runs each, interleaved: what other
 * programs add to a run only ever makes it longer).
 *   --gate   fail when a figure is over the gate below
 */
const GATE = { gzipKb: 250, startCpuMsOverHello: 38 };
const ROUNDS = 60;

const out = mkdtempSync(join(tmpdir(), "quayside-bundle-"));

async function built(): Promise<{ name: string; bytes: number; gzip: number }[]> {
  await buildWorker({ demo: false, outdir: out });
  return readdirSync(out).map((name) => {
    const body = readFileSync(join(out, name));
    return { name, bytes: body.length, gzip: gzipSync(body).length };
  });
}

/** A workerd configuration of one Worker; what it is bound to answers nothing. */
function workerdConfig(files: readonly string[], main: string, port: number): string {
  const bound = main === "main.mjs";
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "nothing", worker = .nothing)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const nothing :Workerd.Worker = (
  modules = [(name = "n.mjs", esModule = "export default { fetch() { return new Response(null, { status: 404 }); } };")],
  compatibilityDate = "2026-10-01");
const main :Workerd.Worker = (
  modules = [${modulesOf(files, main)}],
  compatibilityDate = "2026-10-01",
  compatibilityFlags = ["enable_request_signal"]${
    bound
      ? `,
  durableObjectNamespaces = [
    (className = "Ledger", uniqueKey = "l", enableSql = true), (className = "Shard", uniqueKey = "s", enableSql = true)],
  durableObjectStorage = (inMemory = void),
  bindings = [
    (name = "LEDGER", durableObjectNamespace = "Ledger"), (name = "SHARD", durableObjectNamespace = "Shard"),
    (name = "CACHE", kvNamespace = "nothing"), (name = "ASSETS", service = "nothing")]`
      : ""
  });
`;
}

/** CPU of a workerd process from its start until it has answered `/healthz` once, in milliseconds. */
async function startCpuMs(files: readonly string[], main: string): Promise<number> {
  const served = await serveWorkerd(out, (port) => workerdConfig(files, main, port), "/healthz");
  try {
    return cpuMs(served.pid);
  } finally {
    await served.stop();
  }
}

try {
  const files = await built();
  const names = files.map((file) => file.name);
  writeFileSync(join(out, "hello.mjs"), `export default { fetch() { return new Response("ok"); } };`);
  const gzipKb = files.reduce((sum, file) => sum + file.gzip, 0) / 1024;
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bare.push(await startCpuMs([], "hello.mjs"));
    ours.push(await startCpuMs(names, "main.mjs"));
  }
  const overHello = Math.min(...ours) - Math.min(...bare);
  console.log(
    JSON.stringify({
      bench: "bundle",
      minified_kb: Math.round(files.reduce((sum, file) => sum + file.bytes, 0) / 1024),
      gzip_kb: Math.round(gzipKb * 10) / 10,
      start_cpu_ms: Math.round(Math.min(...ours)),
      start_cpu_ms_hello: Math.round(Math.min(...bare)),
      start_cpu_ms_over_hello: Math.round(overHello),
      gate: GATE,
      files: files.map((file) => ({ name: file.name, gzip_kb: Math.round(file.gzip / 102.4) / 10 })),
    }),
  );
  if (process.argv.includes("--gate")) {
    const over = [
      gzipKb > GATE.gzipKb ? `gzip ${gzipKb.toFixed(1)} KB > ${GATE.gzipKb}` : "",
      overHello > GATE.startCpuMsOverHello
        ? `start-up ${overHello.toFixed(0)} ms > ${GATE.startCpuMsOverHello}`
        : "",
    ].filter(Boolean);
    if (over.length > 0) {
      console.error(`Over the gate: ${over.join("; ")}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
