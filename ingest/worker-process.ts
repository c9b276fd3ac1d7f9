import { spawn } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../shared/config.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import { root } from "./root.ts";

/**
 * Runs the Worker locally in workerd, through wrangler, as a child process: for `npm start`, `eval` and the tests.
 * Offline: wrangler's account look-ups, telemetry and update check are switched off.
 */

export interface WorkerOptions {
  /** TCP port on 127.0.0.1; 0 picks a free one. */
  readonly port: number;
  /** Folder for KV and Durable Object storage. */
  readonly persistTo: string;
  /** Bearer token of the operator (`/v1/admin`). */
  readonly token: string;
  /** Serve the config's demo users without a credential. */
  readonly demo: boolean;
  /** The caller's environment: `PATH` and the contract's names (`OPENAI_API_KEY`, …) are handed on, nothing else. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Names of further secrets to hand on: those that the configuration names; see `secretNames`. */
  readonly secrets?: readonly string[];
  /** A file for what the Worker logs, one JSON event a line, written anew at each start; default none. */
  readonly logFile?: string;
  /** How long to wait for the first answer, in milliseconds. */
  readonly readyTimeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface WorkerProcess {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** Process id of the wrangler process, whose group holds workerd. */
  readonly pid: number;
  /** Resolves when the process has ended, whatever ended it. */
  readonly ended: Promise<void>;
  /** Ends the whole process group and waits for it; safe to call twice. */
  stop(): Promise<void>;
  /** Ends the whole process group at once, as a crash would. */
  kill(): Promise<void>;
}

const directory = fileURLToPath(root);

/** Names that wrangler and the Worker may see; `docs/configuration.md` lists what each is for. */
const HANDED_ON =
  /^(PATH|HOME|TMPDIR|LANG|NODE_OPTIONS|(OPENAI|ANTHROPIC|GEMINI|LLAMA|SNOWFLAKE|AZURE_OPENAI|AWS|BEDROCK|VERTEX|COHERE|PINECONE|VECTORIZE|BIGQUERY|SERVICENOW|OIDC|ACCESS|SLACK|TEAMS|DBT|FIVETRAN|AIRBYTE|QUAYSIDE)_[A-Z_0-9]+|CLOUDFLARE_(ACCOUNT_ID|API_TOKEN|BASE_URL)|GOOGLE_APPLICATION_CREDENTIALS_JSON)$/;

/**
 * Starts the Worker and waits until `/healthz` answers.
 * @throws QuaysideError `internal` when it ends or does not answer in time, with the last lines that wrangler printed.
 */
export async function startWorker(options: WorkerOptions): Promise<WorkerProcess> {
  for (let left = options.port === 0 ? 2 : 0; ; left--) {
    try {
      return await startOn(options.port === 0 ? await freePort() : options.port, options);
    } catch (error) {
      // Between its choice and its use a free port may go to somebody else.
      const taken = error instanceof QuaysideError && error.message.includes("Address already in use");
      if (!taken || left === 0) throw error;
    }
  }
}

async function startOn(port: number, options: WorkerOptions): Promise<WorkerProcess> {
  await mkdir(options.persistTo, { recursive: true });
  // wrangler looks for it before it runs the build that fills it.
  await mkdir(join(directory, "workers/surfaces/console/dist"), { recursive: true });
  const log = options.logFile === undefined ? undefined : createWriteStream(options.logFile, { mode: 0o600 });
  // Named, so that wrangler reads both this file and the environment below. It must exist: Node reads the flag as its own.
  const devVars = join(directory, ".dev.vars");
  const envFile = existsSync(devVars) ? devVars : join(options.persistTo, "empty.env");
  if (envFile !== devVars) await writeFile(envFile, "");
  const child = spawn(
    process.execPath,
    [
      join(directory, "node_modules/wrangler/bin/wrangler.js"),
      "dev",
      "--local",
      "--ip=127.0.0.1",
      `--port=${port}`,
      `--inspector-port=${await freePort()}`,
      `--persist-to=${options.persistTo}`,
      `--env-file=${envFile}`,
      "--show-interactive-dev-session=false",
      `--log-level=${log ? "log" : "warn"}`,
    ],
    {
      cwd: directory,
      // A group of its own, so that stopping takes workerd and esbuild along.
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...Object.fromEntries(
          Object.entries(options.env).filter(
            ([name]) => HANDED_ON.test(name) || options.secrets?.includes(name),
          ),
        ),
        QUAYSIDE_TOKEN: options.token,
        // Read by workers/build.ts, which wrangler runs first.
        QUAYSIDE_DEMO: String(options.demo),
        CLOUDFLARE_INCLUDE_PROCESS_ENV: "true",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        // wrangler's own recorder of every statement and call, and its browser of all that is stored, without a credential.
        X_LOCAL_OBSERVABILITY: "false",
        X_LOCAL_EXPLORER: "false",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_HIDE_BANNER: "true",
        NO_COLOR: "1",
      },
    },
  );
  const pid = child.pid;
  let tail = "";
  const keep = (chunk: Buffer): void => {
    tail = (tail + chunk.toString("utf8")).slice(-4000);
    log?.write(chunk);
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  let running = true;
  const ended = new Promise<void>((resolve) => {
    child.once("error", () => resolve());
    child.once("exit", () => {
      running = false;
      resolve();
    });
  });
  const signalGroup = (signal: NodeJS.Signals): void => {
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // The group has ended already.
    }
  };
  const stop = async (): Promise<void> => {
    if (running) {
      signalGroup("SIGTERM");
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 4000).unref())]);
    }
    signalGroup("SIGKILL");
    await ended;
  };
  const kill = async (): Promise<void> => {
    signalGroup("SIGKILL");
    await ended;
  };
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + (options.readyTimeoutMs ?? 60_000);
  for (;;) {
    if (options.signal?.aborted) {
      await stop();
      throw new QuaysideError("cancelled", "Stopped before the worker was ready.");
    }
    if (!running || pid === undefined) {
      throw new QuaysideError("internal", `The worker ended before it was ready. Its last lines:\n${tail}`);
    }
    // A failed build leaves a server that accepts and never answers: every try has its own deadline.
    if (await answers(url)) return { url, pid, ended, stop, kill };
    if (Date.now() > deadline) {
      await stop();
      throw new QuaysideError("internal", `The worker did not answer on ${url}. Its last lines:\n${tail}`);
    }
  }
}

/** The secrets that a configuration names besides the contract's. */
export function secretNames(config: Config): string[] {
  const named = [
    config.embedder?.["secret"],
    ...Object.values(config.models?.compatible ?? {}).map((host) => host.secret),
    ...Object.values(config.webhooks ?? {}).map((webhook) => webhook.secret),
  ];
  return named.filter((name) => typeof name === "string");
}

async function answers(url: string): Promise<boolean> {
  const started = Date.now();
  try {
    const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1500) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    const left = 100 - (Date.now() - started);
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
