import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { runHarness, type Harness } from "./harness.ts";
import { cpuMs, type Served } from "../workerd.ts";
import { FLAGS, PROGRAM } from "./cli.ts";
import { forgetPeak, peakMB } from "./processes.ts";
import { serveOurs } from "./worker.ts";

/**
 * Fills the harness's ingest slot with the product's own CLI and a Worker of its own for each of the harness's state folders.
 * The harness sees the CLI's process, as it sees each peer's; what the Worker costs is measured here and added to its lines.
 */

export const INGEST_SCENARIOS: readonly string[] = [
  "ingest20k",
  "ingest100k",
  "slow",
  "crash",
  "crashmut",
  "limits",
];
const RUNS: Readonly<Record<string, number>> = { ingest20k: 3 };
const DEFAULT_PEERS = "floor-inc,naive-inc,langchain-full,llamaindex-tuned,mastra";
const TOKEN = "bench-operator-token-of-no-value-elsewhere";

/** What the Worker's process used during one step. */
interface Used {
  readonly cpuS: number;
  readonly rssMB: number;
}

/** Prints one JSON line for each step of ours, then medians beside the peers. Returns the exit status. */
export async function measureIngest(harness: Harness, scenario: string): Promise<number> {
  const runs = Number(process.env["RUNS"] ?? RUNS[scenario] ?? 1);
  const scratch = mkdtempSync(join(tmpdir(), "quayside-peers-"));
  const idle: Served[] = [];
  // All started before anything is measured: where Quayside is deployed its Worker is up already.
  for (let i = 0; i < runs; i++) {
    const folder = join(scratch, String(i));
    mkdirSync(folder);
    idle.push(await serveOurs(folder, { QUAYSIDE_TOKEN: TOKEN }));
  }
  const all = [...idle];
  const byState = new Map<string, Served>();
  const used: Used[] = [];
  let open: { readonly worker: Served; readonly cpu: number } | undefined;
  const close = (): void => {
    if (!open) return;
    const { worker, cpu } = open;
    used.push({ cpuS: round((cpuMs(worker.pid) - cpu) / 1000), rssMB: peakMB(worker.pid) });
    open = undefined;
  };
  const desk = createServer((request, response) => {
    void (async () => {
      // A step that was killed ends when the next begins.
      close();
      if (request.url === "/begin") {
        const form = new URLSearchParams(await text(request));
        const state = form.get("state") ?? "";
        const worker = byState.get(state) ?? idle.pop();
        if (!worker) {
          response.writeHead(503).end("no worker is left; set RUNS");
          return;
        }
        byState.set(state, worker);
        writeFileSync(join(state, "cwd/quayside.json"), JSON.stringify(configOf(state, form)));
        forgetPeak(worker.pid);
        open = { worker, cpu: cpuMs(worker.pid) };
        response.end(worker.url);
      } else response.end();
    })();
  });
  await new Promise<void>((resolve) => desk.listen(0, "127.0.0.1", resolve));
  const address = desk.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const before = sizesOf(harness);
  try {
    const status = await runHarness(harness, scenario, {
      PEERS: `${process.env["PEERS"] ?? DEFAULT_PEERS},ours`,
      RUNS: String(runs),
      OURS_INGEST_CMD: `sh ${fileURLToPath(new URL("step.sh", import.meta.url))}`,
      QUAYSIDE_PEERS_DESK: `http://127.0.0.1:${port}`,
      QUAYSIDE_PEERS_NODE: process.execPath,
      QUAYSIDE_PEERS_NODE_FLAGS: process.env["QUAYSIDE_PEERS_NODE_FLAGS"] ?? FLAGS.join(" "),
      QUAYSIDE_PEERS_CLI: PROGRAM,
      QUAYSIDE_TOKEN: TOKEN,
    });
    close();
    report(linesSince(harness, before), used);
    return status;
  } finally {
    desk.close();
    for (const worker of all) await worker.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The harness's table as a user would configure it. */
function configOf(state: string, form: URLSearchParams): unknown {
  return {
    name: "bench",
    sources: { files: { kind: "duckdb", path: state } },
    tables: {
      tickets: {
        source: "files",
        from: "table",
        key: ["ticket_id"],
        classification: "internal",
        access: { allowAny: ["group:support"] },
      },
    },
    embedder: {
      kind: "openai",
      model: form.get("model"),
      dimensions: Number(form.get("dimensions")),
      price: 0,
    },
    // The peers store vectors and build no index of words.
    index: { kind: "pinecone", lexical: process.env["LEXICAL"] === "1" },
  };
}

interface Line {
  readonly peer: string;
  readonly step: string;
  readonly cpuS?: number;
  readonly wallS?: number;
  readonly rssMB?: number;
  readonly [figure: string]: unknown;
}

const resultFiles = ({ home }: Harness): string[] => {
  const folder = join(home, "results");
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
};

function sizesOf(harness: Harness): ReadonlyMap<string, number> {
  return new Map(resultFiles(harness).map((file) => [file, statSync(file).size]));
}

function linesSince(harness: Harness, before: ReadonlyMap<string, number>): Line[] {
  return resultFiles(harness).flatMap((file) =>
    readFileSync(file)
      .subarray(before.get(file) ?? 0)
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line): Line => JSON.parse(line)),
  );
}

/** Ours with the Worker's share, then every peer's step beside the naive script's. */
function report(lines: readonly Line[], used: readonly Used[]): void {
  const ours = lines.filter((line) => line.peer === "ours");
  const added = new Map<Line, number>();
  for (const [i, line] of ours.entries()) {
    const worker = used[i];
    const workerCpuS = worker?.cpuS ?? 0;
    if (line.cpuS !== undefined) added.set(line, line.cpuS + workerCpuS);
    console.log(JSON.stringify({ ...line, worker, cpuWithWorkerS: round((line.cpuS ?? 0) + workerCpuS) }));
  }
  for (const step of new Set(lines.map((line) => line.step))) {
    const of = (peer: string): Line[] => lines.filter((line) => line.step === step && line.peer === peer);
    const naive = of("naive-inc");
    const ratio = (value: number, figure: "cpuS" | "wallS"): number | undefined =>
      naive.length === 0 ? undefined : round(value / median(naive.map((line) => line[figure] ?? 0)));
    for (const peer of new Set(lines.map((line) => line.peer))) {
      const own = of(peer);
      if (own.length === 0) continue;
      const cpu = median(own.map((line) => line.cpuS ?? 0));
      const whole = median(own.map((line) => added.get(line) ?? line.cpuS ?? 0));
      const wall = median(own.map((line) => line.wallS ?? 0));
      console.log(
        JSON.stringify({
          bench: "peers",
          step,
          peer,
          n: own.length,
          wallS: wall,
          cpuS: cpu,
          ...(peer === "ours" ? { cpuWithWorkerS: round(whole) } : {}),
          wallToNaive: ratio(wall, "wallS"),
          cpuToNaive: ratio(cpu, "cpuS"),
          ...(peer === "ours" ? { cpuWithWorkerToNaive: ratio(whole, "cpuS") } : {}),
          peakMB: Math.max(...own.map((line) => line.rssMB ?? 0)),
          ...Object.fromEntries(
            ["embedReq", "embedInputs", "upsertReq", "upsertVec", "pcInMB", "delReq", "audit"].map((name) => [
              name,
              own[0]?.[name],
            ]),
          ),
        }),
      );
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
