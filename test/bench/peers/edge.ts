import { build } from "esbuild";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Harness } from "./harness.ts";
import { capnp, serveOurs } from "./worker.ts";
import { cpuMs, modulesOf, serveWorkerd, type Served } from "../workerd.ts";

/**
 * What an answer costs at the edge, beside other ways to write such a Worker, in one run: the peers' harness starts its stubs
 * and peers, and asks this Worker through its public API. The Worker is the one that a deploy uploads, with demo mode compiled
 * in (the harness sends no credential), in one workerd process that also holds its Durable Objects and a map for KV, as the
 * peers' do; 200 rows come in through the product's own ingest. Afterwards a cached answer is measured against a Worker that
 * reads KV and calls an empty object.
 *   npm run bench:peers -- edge --only=latency,saturation --secs=3
 * Environment: RUNS (rounds; default 3), PEERS (default: all of the harness's). Needs wrk.
 */
const root = fileURLToPath(new URL("../../..", import.meta.url));

const flag = (name: string, preset: string): string =>
  process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? preset;
const rounds = Number(process.env["RUNS"] ?? 3);
const seconds = flag("secs", "3");
const PEERS = "hello,hello-hono,floor,bare,sdk,aisdk,langchain";
const AI_PORT = 23101;
const PINECONE_PORT = 23102;

const directory = mkdtempSync(join(tmpdir(), "quayside-edge-"));
const results = join(directory, "results.jsonl");
const TOKEN = "bench-operator";
const VARIABLES = {
  QUAYSIDE_TOKEN: TOKEN,
  OPENAI_BASE_URL: `http://127.0.0.1:${AI_PORT}/v1`,
  OPENAI_API_KEY: "sk-stub",
  PINECONE_CONTROLLER_HOST: `http://127.0.0.1:${PINECONE_PORT}`,
  PINECONE_API_KEY: "stub",
};
const HIT_QUESTION = "Why did the Crane Scanner 0 stop responding?";

async function serveHit(): Promise<Served> {
  return serveWorkerd(
    directory,
    (port) =>
      capnp(
        directory,
        `modules = [${modulesOf(["bench-hit-worker.js"], "bench-hit-worker.js", "hit/")}],
  durableObjectNamespaces = [(className = "Empty", uniqueKey = "e", enableSql = true)],
  bindings = [(name = "OBJECT", durableObjectNamespace = "Empty"), (name = "CACHE", kvNamespace = "kv")]`,
        port,
      ),
    "/healthz",
  );
}

function config(): string {
  return `export default ${JSON.stringify({
    name: "bench",
    sources: { files: { kind: "duckdb", path: join(directory, "tables") } },
    tables: {
      tickets: {
        source: "files",
        key: ["ticket_id"],
        title: "subject",
        text: ["body"],
        classification: "internal",
        access: { allowAny: ["public"] },
      },
    },
    embedder: { kind: "openai", model: "text-embedding-3-small" },
    index: { kind: "pinecone", index: "bench" },
    models: {
      default: "openai/gpt-stub",
      register: {
        "openai/gpt-stub": {
          classes: ["public", "internal"],
          contextTokens: 128_000,
          price: { input: 1, output: 1 },
          region: "here",
          retention: "none",
          trainsOnData: false,
        },
      },
    },
    limits: { requestsPerMinute: 1e7, tenantRequestsPerMinute: 1e7, concurrentRequests: 1000 },
    demo: { users: { bench: { label: "Benchmark", groups: [] } }, examples: [] },
  })};\n`;
}

/** Runs the harness to its end, this Worker in its slot. */
function runPeers({ folder, home }: Harness, ours: Served): number {
  const node = join(home, "node24/node_modules/.bin/node");
  const ingest = `${process.execPath} ${join(root, "ingest/cli.ts")} ingest --yes --json --config ${join(directory, "config.ts")}`;
  const { status } = spawnSync(
    existsSync(node) ? node : process.execPath,
    [
      join(folder, "edge/run.mjs"),
      "--rounds",
      String(rounds),
      "--secs",
      seconds,
      "--out",
      results,
      "--ai-port",
      String(AI_PORT),
      "--pc-port",
      String(PINECONE_PORT),
      "--peers",
      process.env["PEERS"] ?? PEERS,
      "--only",
      flag("only", "size,startup,latency,saturation"),
    ],
    {
      cwd: directory,
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PERF_HOME: home,
        OURS_BASE_URL: ours.url,
        OURS_PID: String(ours.pid),
        OURS_SETUP_CMD: ingest,
        // For the ingest; the harness adds the stubs' addresses.
        QUAYSIDE_URL: ours.url,
        QUAYSIDE_TOKEN: TOKEN,
        OPENAI_API_KEY: "sk-stub",
        PINECONE_API_KEY: "stub",
        PINECONE_INDEX: "bench",
      },
    },
  );
  return status ?? 1;
}

interface Load {
  readonly rps: number;
  readonly p50: number;
  readonly cpuMsPerRequest: number;
}

/** The same body again and again. */
function load(served: Served, path: string, body: string, concurrency: number): Load {
  const script = join(directory, "post.lua");
  writeFileSync(
    script,
    `wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = '${body}'
done = function(s, l) io.write(string.format('@@{"requests":%d,"us":%d,"p50":%.3f,"errors":%d}', s.requests, s.duration, l:percentile(50) / 1000, s.errors.status + s.errors.timeout + s.errors.connect + s.errors.read)) end`,
  );
  const before = cpuMs(served.pid);
  const args = ["-t1", `-c${concurrency}`, `-d${seconds}s`, "-s", script, `${served.url}${path}`];
  const { stdout } = spawnSync("wrk", args, { encoding: "utf8" });
  const told: { requests: number; us: number; p50: number; errors: number } = JSON.parse(
    stdout.split("@@")[1] ?? "null",
  );
  if (told.errors > 0) throw new Error(`${told.errors} requests failed`);
  return {
    rps: Math.round(told.requests / (told.us / 1e6)),
    p50: told.p50,
    cpuMsPerRequest: (cpuMs(served.pid) - before) / told.requests,
  };
}

async function ask(url: string, body: string): Promise<string> {
  const headers = { "content-type": "application/json" };
  return (await fetch(`${url}/v1/ask`, { method: "POST", headers, body })).text();
}

/** The stubs once more, for the one answer that is then kept: the harness has ended its own. */
async function keepAnswer({ folder }: Harness, url: string): Promise<void> {
  const stubs = [
    ["ai.mjs", AI_PORT],
    ["pinecone.mjs", PINECONE_PORT],
  ] as const;
  const running = stubs.map(([file, port]) =>
    spawn(process.execPath, [join(folder, "stubs", file), "--port", String(port)], { stdio: "ignore" }),
  );
  try {
    for (const [, port] of stubs) {
      for (let tries = 0; tries < 200; tries++) {
        if (await fetch(`http://127.0.0.1:${port}/__stats`).catch(() => undefined)) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await ask(url, JSON.stringify({ question: HIT_QUESTION, stream: true }));
  } finally {
    for (const stub of running) stub.kill("SIGKILL");
  }
}

/** A cached answer of ours and the bare Worker's, turn about. */
async function measureHits(ours: Served, bare: Served): Promise<void> {
  const body = JSON.stringify({ question: HIT_QUESTION, stream: true, cache: "only" });
  const answer = await ask(ours.url, body);
  if (!answer.includes('"cache":"exact"')) throw new Error(`no cached answer: ${answer.slice(0, 200)}`);
  // The same bytes are kept, so that both carry as much from KV to the reader.
  await fetch(`${bare.url}/kept`, { method: "PUT", body: answer });
  for (const concurrency of [1, 32]) {
    const turns: { ours: Load; bare: Load }[] = [];
    for (let round = -1; round < rounds; round++) {
      const turn = {
        bare: load(bare, "/ask", body, concurrency),
        ours: load(ours, "/v1/ask", body, concurrency),
      };
      // The first warms up.
      if (round >= 0) turns.push(turn);
    }
    const cpu = (of: "ours" | "bare"): number => median(turns.map((turn) => turn[of].cpuMsPerRequest));
    const p50 = (of: "ours" | "bare"): number => median(turns.map((turn) => turn[of].p50));
    print({
      figure: "cached answer",
      concurrency,
      cpu_ms: { ours: round(cpu("ours"), 3), bare: round(cpu("bare"), 3) },
      cpu_ratio: round(cpu("ours") / cpu("bare")),
      p50_ms: { ours: round(p50("ours")), bare: round(p50("bare")) },
      most: 1.5,
    });
  }
}

interface Line {
  readonly kind: string;
  readonly peer: string;
  readonly c: number;
  readonly errors?: number;
  readonly err?: number;
  readonly ttft50?: number;
  readonly total50?: number;
  readonly cpuMsPerReq: number;
}

/** Ratios of this Worker to the peers, from the harness's lines. */
function report(): void {
  const lines = readFileSync(results, "utf8")
    .trim()
    .split("\n")
    .map((line): Line => JSON.parse(line));
  const of = (kind: string, peer: string, c: number, value: (line: Line) => number | undefined): number =>
    median(
      lines
        .filter((line) => line.kind === kind && line.peer === peer && line.c === c)
        .map((line) => value(line) ?? Number.NaN),
    );
  const peers = [...new Set(lines.map((line) => line.peer))].filter(
    (peer) => !peer.startsWith("hello") && peer !== "direct",
  );
  const table = (value: (peer: string) => number): Record<string, number> =>
    Object.fromEntries(peers.map((peer) => [peer, round(value(peer))]));
  for (const c of [1, 32]) {
    const added = (peer: string): number =>
      of("latency", peer, c, (line) => line.ttft50) - of("latency", "direct", c, (line) => line.ttft50);
    print({
      figure: "added time to first token",
      concurrency: c,
      p50_ms: table(added),
      ratio: round(added("ours") / added("bare")),
      most: 1.3,
    });
    for (const kind of ["latency", "rag"]) {
      const cpu = (peer: string): number => of(kind, peer, c, (line) => line.cpuMsPerReq);
      print({
        figure: kind === "rag" ? "CPU an answer, saturated" : "CPU an answer, tokens 2 ms apart",
        concurrency: c,
        cpu_ms: table(cpu),
        ratio: round(cpu("ours") / cpu("bare")),
        most: 1,
      });
    }
  }
  const failed = lines.filter(
    (line) => line.peer === "ours" && ((line.errors ?? 0) > 0 || (line.err ?? 0) > 0),
  );
  if (failed.length > 0) throw new Error(`requests of ours failed: ${JSON.stringify(failed[0])}`);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number, digits = 2): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

function print(line: object): void {
  console.log(JSON.stringify({ bench: "peers-edge", ...line }));
}

/** Prints the harness's lines, then a line for each figure and its bar. Returns the exit status. */
export async function measureEdge(harness: Harness): Promise<number> {
  const started: Served[] = [];
  try {
    await prepare(harness);
    const ours = await serveOurs(directory, VARIABLES, true);
    started.push(ours);
    const status = runPeers(harness, ours);
    if (status !== 0) return status;
    report();
    const bare = await serveHit();
    started.push(bare);
    await keepAnswer(harness, ours.url);
    await measureHits(ours, bare);
    return 0;
  } finally {
    for (const served of started) await served.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Builds the bare Worker and writes the table and its configuration. */
async function prepare({ folder }: Harness): Promise<void> {
  for (const name of ["state", "tables"]) mkdirSync(join(directory, name));
  await build({
    entryPoints: [fileURLToPath(new URL("../../workerd/bench-hit-worker.ts", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    outdir: join(directory, "hit"),
    external: ["cloudflare:workers"],
    logLevel: "error",
  });
  writeFileSync(join(directory, "config.ts"), config());
  const table = join(directory, "tables/tickets.csv");
  spawnSync(process.execPath, [join(folder, "ingest/gen.mjs"), "200", table], { stdio: "inherit" });
}
