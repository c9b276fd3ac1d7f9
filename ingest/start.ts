#!/usr/bin/env node
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseConfig, type Config } from "../shared/config.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Host } from "../shared/ports/host.ts";
import { runCanary } from "./canary.ts";
import { ingestOnce } from "./commands/ingest.ts";
import { describeRun, leaseRuns } from "./commands/run.ts";
import { offerKeyedModels } from "./keyed-models.ts";
import { findLocalServers, offerLocalServers } from "./local-models.ts";
import { money, whole } from "./commands/text.ts";
import { nodeHost, readDevVars } from "./node-host.ts";
import { compareRegister, refuseDiffering } from "./register-check.ts";
import { generateSample } from "./sample/generate.ts";
import { makeWorkerClient } from "./worker-client.ts";
import { secretNames, startWorker, type WorkerProcess } from "./worker-process.ts";

/**
 * `npm start`: warehouse, worker, ingest, canary, ready; one aligned line a phase. Serves `quayside.config.ts` when there is
 * one at the root, else the sample. Everything that it writes is under `.quayside/`.
 */

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const home = join(root, ".quayside");
const interrupt = new AbortController();
const started = Date.now();

function line(phase: string, text: string, since: number, extra = ""): void {
  const seconds = `${((Date.now() - since) / 1000).toFixed(1)} s`;
  console.log(`${phase.padEnd(11)}${text.padEnd(58)}${seconds.padStart(8)}${extra ? `   ${extra}` : ""}`);
}

/** The operator's token for this machine: made once, readable by its owner only. */
async function localToken(): Promise<string> {
  const path = join(home, "token");
  if (existsSync(path)) return (await readFile(path, "utf8")).trim();
  const token = randomBytes(32).toString("base64url");
  await mkdir(home, { recursive: true });
  await writeFile(path, `${token}\n`, { mode: 0o600 });
  return token;
}

async function loadConfig(): Promise<{ config: Config; state: string; which: string }> {
  const own = join(root, "quayside.config.ts");
  if (existsSync(own)) {
    const module: { readonly default?: unknown } = await import(pathToFileURL(own).href);
    return { config: parseConfig(module.default), state: join(home, "state"), which: "quayside.config.ts" };
  }
  const since = Date.now();
  const sample = await generateSample({ directory: join(home, "sample") });
  const rows = sample.tables.reduce((sum, table) => sum + table.rows, 0);
  const { default: config } = await import("./sample/config.ts");
  const parsed = parseConfig(config);
  line("warehouse", `${parsed.name}: ${sample.tables.length} tables, ${whole(rows)} rows`, since);
  return {
    config: parsed,
    state: join(home, "sample", "state"),
    which: "the sample (no quayside.config.ts here)",
  };
}

/** @throws QuaysideError `config_invalid` when something listens on the port already. */
async function portFree(port: number): Promise<void> {
  const taken = await new Promise<boolean>((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
  if (taken) {
    throw new QuaysideError(
      "config_invalid",
      `Port ${port} is in use. Stop what listens there, or choose another: PORT=${port + 1} npm start`,
    );
  }
}

/** The configuration with the models of servers that run on this machine and of keys that are set, and a line that says so. */
async function withFoundModels(config: Config, host: Host): Promise<Config> {
  const since = Date.now();
  const servers = await findLocalServers({ fetch, signal: interrupt.signal });
  const offered = offerKeyedModels(offerLocalServers(config, servers), host);
  const before = config.models?.register ?? {};
  const news = Object.keys(offered.models?.register ?? {}).filter((id) => !(id in before));
  if (news.length > 0) {
    const owners = [...new Set(news.map((id) => id.slice(0, id.indexOf("/"))))];
    const counted = owners.map(
      (name) => `${name} (${news.filter((id) => id.startsWith(`${name}/`)).length})`,
    );
    line("models", `found without configuration: ${counted.join(", ")}`, since);
  }
  return offered;
}

async function main(): Promise<void> {
  const port = Number(process.env["PORT"] ?? 8787);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new QuaysideError("config_invalid", "PORT must be a whole number from 1 to 65535.");
  }
  await portFree(port);
  const token = await localToken();
  const { config: written, state, which } = await loadConfig();
  // As the Worker reads them: names set in the environment win over the file.
  const env = { ...(await readDevVars(join(root, ".dev.vars"))), ...process.env };
  const host = nodeHost(env);
  // Without an identity provider there is nobody to ask who the caller is: the demo users stand in, on loopback only.
  const demo =
    written.demo !== undefined && !host.secret("OIDC_ISSUER") && !host.secret("ACCESS_TEAM_DOMAIN");
  const config = demo ? await withFoundModels(written, host) : written;
  const workerSince = Date.now();
  const worker = await startWorker({
    port,
    persistTo: state,
    token,
    demo,
    env: process.env,
    secrets: secretNames(config),
    logFile: join(home, "worker.log"),
    signal: interrupt.signal,
  });
  stopOnExit(worker);
  line("worker", `workerd serves ${which}`, workerSince);

  const ingestSince = Date.now();
  const result = await ingestOnce({ config, url: worker.url, token, host, signal: interrupt.signal });
  const sum = (pick: (table: (typeof result.tables)[number]) => number): number =>
    result.tables.reduce((total, table) => total + pick(table), 0);
  const skipped = sum((t) => (t.skipped ? t.unchanged : 0));
  const unread = skipped === 0 ? "" : `, ${whole(skipped)} skipped`;
  const counts = `${whole(sum((t) => t.read))} rows read${unread}: ${sum((t) => t.added)} added, ${sum((t) => t.changed)} changed, ${sum((t) => t.deleted)} deleted`;
  line("ingest", counts, ingestSince, `${result.embedded_texts} texts embedded, ${money(result.cost_usd)}`);
  const client = makeWorkerClient({ url: worker.url, token, as: undefined, host });
  const { differing, more } = await compareRegister(config, client, interrupt.signal);
  refuseDiffering([...differing, ...more]);

  if (demo) {
    const canarySince = Date.now();
    const canary = await runCanary({ config, url: worker.url, host, signal: interrupt.signal });
    line(
      "canary",
      `${canary.denied} forbidden rows asked for, ${canary.leaked} seen; ${canary.found} of ${canary.permitted} permitted found`,
      canarySince,
    );
    if (canary.leaked > 0) {
      await worker.stop();
      throw new QuaysideError(
        "internal",
        "The access policy leaks: a demo user saw a row that its policy forbids.",
      );
    }
  }
  line("ready", worker.url, started);
  const example = config.demo?.examples[0];
  if (demo && example) {
    console.log(`\nOpen ${worker.url} or ask from here:\n`);
    console.log(`  # ${example.shows.en}`);
    console.log(`  curl -s ${worker.url}/v1/ask -H 'content-type: application/json' \\`);
    console.log(`    -H 'x-quayside-demo-user: ${example.as}' \\`);
    console.log(`    -d '${JSON.stringify({ question: example.question }).replaceAll("'", "\\u0027")}'\n`);
    const elsewhere = port === 8787 ? "" : ` --url ${worker.url}`;
    console.log(
      `  npm run -s quayside -- ask ${JSON.stringify(example.question)} --as ${example.as}${elsewhere}\n`,
    );
  }
  console.log("Ctrl-C ends everything.");
  await leaseRuns({
    url: worker.url,
    token,
    host,
    watch: true,
    onRun: (run) => console.log(describeRun(run)),
    onTrouble: (message) => console.error(message),
    signal: interrupt.signal,
  });
}

let running: WorkerProcess | undefined;
let leaving = false;

function stopOnExit(worker: WorkerProcess): void {
  running = worker;
  interrupt.signal.addEventListener("abort", () => void leave(0));
  void worker.ended.then(() => {
    if (interrupt.signal.aborted || leaving) return;
    console.error("The worker ended by itself; run npm start again.");
    process.exit(1);
  });
}

async function leave(code: number): Promise<void> {
  leaving = true;
  await running?.stop();
  process.exit(code);
}

process.once("SIGINT", () => interrupt.abort());
process.once("SIGTERM", () => interrupt.abort());
process.once("SIGHUP", () => interrupt.abort());
main().catch((error: unknown) => {
  if (interrupt.signal.aborted) return;
  console.error(error instanceof QuaysideError ? error.message : "Something unexpected stopped npm start.");
  if (!(error instanceof QuaysideError)) console.error(error);
  void leave(1);
});
