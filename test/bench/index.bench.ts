import { build } from "esbuild";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cpuMs, modulesOf, serveWorkerd } from "./workerd.ts";

/**
 * The embedded index, asked through a Worker over HTTP in the real runtime: latency, memory, load after an eviction, the cost of
 * a small re-ingest; with a hello-world route in the same run. One JSON line a size.
 *   --sizes=20000,100000   chunks
 */
const sizesFlag = process.argv.find((arg) => arg.startsWith("--sizes="))?.slice("--sizes=".length);
const SIZES = (sizesFlag ?? "20000,100000").split(",").map(Number);
const QUESTIONS = 400;
const PART = 2500;
const CHANGED = 100;

interface Bench {
  readonly pid: number;
  /** Body and milliseconds of one request. */
  get(path: string): Promise<{ readonly body: string; readonly ms: number }>;
  stop(): Promise<void>;
}

async function serve(directory: string): Promise<Bench> {
  const modules = modulesOf(readdirSync(join(directory, "js")), "bench-index-worker.js", "js/");
  const served = await serveWorkerd(
    directory,
    (port) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "disk", disk = (path = "${join(directory, "state")}", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const main :Workerd.Worker = (
  modules = [${modules}], compatibilityDate = "2026-10-01",
  durableObjectNamespaces = [(className = "BenchShard", uniqueKey = "bench", enableSql = true)],
  durableObjectStorage = (localDisk = "disk"),
  bindings = [(name = "SHARD", durableObjectNamespace = "BenchShard")]);
`,
    "/hello",
  );
  return {
    pid: served.pid,
    stop: () => served.stop(),
    async get(path) {
      const start = performance.now();
      const response = await fetch(`${served.url}${path}`, { signal: AbortSignal.timeout(300_000) });
      const body = await response.text();
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${body}`);
      return { body, ms: performance.now() - start };
    },
  };
}

function rssMb(pid: number): number {
  const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(match?.[1] ?? 0) / 1024);
}

const round = (value: number): number => Math.round(value * 100) / 100;

function percentiles(times: readonly number[]): { p50_ms: number; p99_ms: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => round(sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN);
  return { p50_ms: at(0.5), p99_ms: at(0.99) };
}

async function timed(
  served: Bench,
  paths: readonly string[],
): Promise<{ p50_ms: number; p99_ms: number; cpu_ms: number }> {
  const times: number[] = [];
  const before = cpuMs(served.pid);
  for (const path of paths) times.push((await served.get(path)).ms);
  return { ...percentiles(times), cpu_ms: round((cpuMs(served.pid) - before) / paths.length) };
}

async function measure(size: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "quayside-index-"));
  mkdirSync(join(directory, "state"));
  await build({
    entryPoints: [fileURLToPath(new URL("../workerd/bench-index-worker.ts", import.meta.url))],
    bundle: true,
    format: "esm",
    outdir: join(directory, "js"),
    loader: { ".wasm": "copy" },
    external: ["cloudflare:workers"],
    conditions: ["workerd", "worker", "browser"],
    logLevel: "error",
  });
  let served = await serve(directory);
  try {
    const questions = Array.from({ length: QUESTIONS }, (_, n) => `/ask?n=${n}`);
    const rssEmpty = rssMb(served.pid);
    const start = performance.now();
    for (let from = 0; from < size; from += PART) {
      await served.get(`/stage?from=${from}&count=${Math.min(PART, size - from)}&generation=1`);
    }
    const staged = performance.now();
    const publish = await served.get(`/publish?total=${size}&changed=${size}&generation=1`);
    // A process that has only ever read: what a question costs in memory, ingest apart.
    await served.stop();
    served = await serve(directory);
    const rssStarted = rssMb(served.pid);
    const cold = await served.get("/ask?n=0");
    await timed(served, questions.slice(0, 50));
    const hello = await timed(
      served,
      questions.map(() => "/hello"),
    );
    const query = await timed(served, questions);
    const rssLoaded = rssMb(served.pid);
    await served.get("/evict");
    const evicted = await served.get("/ask?n=0");
    const restage = await served.get(`/stage?from=0&count=${CHANGED}&generation=2`);
    const republish = await served.get(`/publish?total=${size}&changed=${CHANGED}&generation=2`);
    const afterPublish = await served.get("/ask?n=1");
    const stats: { readonly sizeBytes: number } = JSON.parse((await served.get("/stats")).body);
    console.log(
      JSON.stringify({
        bench: "index",
        chunks: size,
        dimensions: 384,
        query,
        hello,
        first_query_new_process_ms: round(cold.ms),
        first_query_after_eviction_ms: round(evicted.ms),
        rss_mb: { empty: rssEmpty, started: rssStarted, loaded: rssLoaded },
        file_mb: round(stats.sizeBytes / 1024 / 1024),
        stage_chunks_per_s: Math.round(size / ((staged - start) / 1000)),
        publish_ms: round(publish.ms),
        small_run: {
          rows: CHANGED,
          stage_ms: round(restage.ms),
          publish_ms: round(republish.ms),
          next_query_ms: round(afterPublish.ms),
        },
        load_average: round(Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0])),
      }),
    );
  } finally {
    await served.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

for (const size of SIZES) await measure(size);
