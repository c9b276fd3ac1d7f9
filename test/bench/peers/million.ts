import { DuckDBInstance } from "@duckdb/node-api";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import type { Harness } from "./harness.ts";
import { cpuMs } from "../workerd.ts";
import { FLAGS, PROGRAM } from "./cli.ts";
import { forgetPeak, peakMB } from "./processes.ts";
import { serveOurs } from "./worker.ts";

/**
 * Large tables through the product's own CLI and Worker, against the harness's stubs without their delays: a full run, the plan
 * of an unchanged table, an unchanged run. One JSON line each, and one that compares the memory of the first size with the last.
 * Environment: ROWS (default 100000,1000000), DIMENSIONS (default 64: what is measured is the path, not the vectors' bytes).
 */

const TOKEN = "bench-operator-token-of-no-value-elsewhere";

interface Measured {
  readonly rows: number;
  readonly step: string;
  readonly peakMB: number;
}

/** Returns the exit status. */
export async function measureMillion(harness: Harness): Promise<number> {
  const sizes = (process.env["ROWS"] ?? "100000,1000000").split(",").map(Number);
  const measured: Measured[] = [];
  for (const rows of sizes) measured.push(...(await measureSize(harness, rows)));
  const full = measured.filter(({ step }) => step === "full");
  const growth = (full.at(-1)?.peakMB ?? 0) / (full[0]?.peakMB ?? 1);
  console.log(JSON.stringify({ bench: "million", sizes, peakGrowth: round(growth) }));
  return 0;
}

async function measureSize(harness: Harness, rows: number): Promise<Measured[]> {
  const dimensions = Number(process.env["DIMENSIONS"] ?? 64);
  const folder = mkdtempSync(join(tmpdir(), "quayside-million-"));
  mkdirSync(join(folder, "tables"));
  const stubs: ChildProcess[] = [];
  const worker = await serveOurs(folder, { QUAYSIDE_TOKEN: TOKEN });
  try {
    await writeTable(join(folder, "tables/tickets.parquet"), rows);
    const ai = await startHarnessStub(harness, "ai.mjs", [], { embedBaseMs: 0, embedItemMs: 0 }, stubs);
    const index = await startHarnessStub(
      harness,
      "pinecone.mjs",
      ["--dim", String(dimensions)],
      { upsertBaseMs: 0, upsertItemMs: 0, fetchMs: 0, controlMs: 0, deleteMs: 0 },
      stubs,
    );
    writeFileSync(join(folder, "quayside.json"), JSON.stringify(configOf(folder, dimensions)));
    const env = {
      ...process.env,
      QUAYSIDE_URL: worker.url,
      QUAYSIDE_TOKEN: TOKEN,
      OPENAI_API_KEY: "stub",
      OPENAI_BASE_URL: `${ai}/v1`,
      PINECONE_API_KEY: "stub",
      PINECONE_INDEX: "bench",
      PINECONE_CONTROLLER_HOST: index,
    };
    const steps = [
      ["full", "ingest"],
      ["plan of an unchanged table", "plan"],
      ["unchanged", "ingest"],
    ] as const;
    const measured: Measured[] = [];
    for (const [step, command] of steps) {
      forgetPeak(worker.pid);
      const before = cpuMs(worker.pid);
      const used = await run(
        [...FLAGS, PROGRAM, command, "--json", "--quiet", "--config", "quayside.json"],
        folder,
        env,
      );
      const workerCpuS = round((cpuMs(worker.pid) - before) / 1000);
      const workerPeakMB = peakMB(worker.pid);
      const rowsPerS = Math.round(rows / used.wallS);
      console.log(
        JSON.stringify({
          bench: "million",
          rows,
          dimensions,
          step,
          rowsPerS,
          ...used,
          workerCpuS,
          workerPeakMB,
        }),
      );
      measured.push({ rows, step, peakMB: used.peakMB });
    }
    return measured;
  } finally {
    for (const stub of stubs) stub.kill();
    await worker.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function configOf(folder: string, dimensions: number): unknown {
  return {
    name: "million",
    sources: { files: { kind: "duckdb", path: join(folder, "tables") } },
    tables: {
      tickets: {
        source: "files",
        key: ["id"],
        title: "subject",
        text: ["body"],
        classification: "internal",
        access: { allowAny: ["group:{team}"] },
      },
    },
    embedder: { kind: "openai", model: "text-embedding-3-small", dimensions },
    index: { kind: "pinecone", lexical: process.env["LEXICAL"] === "1" },
    limits: { maxCostUsd: 1000 },
  };
}

/** Bodies of about 60 to 400 characters, seeded by the row's number; no two rows alike. */
async function writeTable(path: string, rows: number): Promise<void> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run(
    `COPY (SELECT i AS id, 'Ticket ' || i AS subject,
       repeat('Pump ' || (hash(i) % 900) || ' of vessel ' || (hash(i * 31) % 40) || ' was inspected in port ' || (hash(i * 7) % 9) || '. ',
         1 + (hash(i * 3) % 6)::INT) || 'Case ' || i || '.' AS body,
       ['open','closed','waiting'][1 + (hash(i) % 3)::INT] AS status, 'team-' || (hash(i * 3) % 20) AS team,
       DATE '2024-01-01' + (hash(i * 5) % 900)::INT AS opened
     FROM range(${rows}) AS t(i)) TO '${path}'`,
  );
  connection.closeSync();
  instance.closeSync();
}

/** Starts one of the harness's stubs and returns its address once it answers. */
async function startHarnessStub(
  { folder }: Harness,
  file: string,
  args: readonly string[],
  config: unknown,
  running: ChildProcess[],
): Promise<string> {
  const port = await freePort();
  const json = JSON.stringify(config);
  const child = spawn(
    process.execPath,
    ["--max-old-space-size=12000", join(folder, "stubs", file), "--port", String(port), ...args],
    { stdio: "ignore", env: { ...process.env, STUB_AI_CONFIG: json, STUB_PINECONE_CONFIG: json } },
  );
  running.push(child);
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 200; tries++) {
    if (await fetch(`${url}/__stats`).catch(() => undefined)) return url;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${file} did not start`);
}

/** Runs the CLI to its end and looks at it until then. */
async function run(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ readonly wallS: number; readonly cpuS: number; readonly peakMB: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [...args], {
    cwd,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  const pid = child.pid ?? 0;
  let cpuS = 0;
  let peak = 0;
  const look = (): void => {
    try {
      cpuS = Math.max(cpuS, cpuMs(pid) / 1000);
    } catch {
      // It ended while it was looked at.
    }
    peak = Math.max(peak, peakMB(pid));
  };
  const watching = setInterval(look, 100);
  const status = await new Promise((resolve) => child.once("close", resolve));
  clearInterval(watching);
  if (status !== 0) throw new Error(`${args.join(" ")} ended with status ${String(status)}`);
  return { wallS: round((performance.now() - started) / 1000), cpuS: round(cpuS), peakMB: peak };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
