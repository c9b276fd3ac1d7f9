import { spawn, type ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../shared/config.ts";
import { buildWorker } from "../../workers/build.ts";
import { modulesOf, serveWorkerd, type Served } from "../bench/workerd.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";
import type { Stub } from "../stubs/stub.ts";

/** A Worker on disk and the CLI beside it, both of which can be killed at a named point or at any moment. */

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const TOKEN = "a-token-for-this-test";

/** How a command of the CLI ended. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command of the CLI that runs. */
export interface Running {
  readonly ended: Promise<Ended>;
  readonly isOver: () => boolean;
  signal(name: NodeJS.Signals): void;
}

export interface World extends AsyncDisposable {
  readonly embedder: Stub;
  /** The outside index; undefined where the registry is the index. */
  readonly pinecone: PineconeStub | undefined;
  /** Inputs that the embedder was sent since the last call, probe texts left out. */
  embedded(): readonly string[];
  /** Runs an ingest of the CLI. `killAt`: see `kill-hook.ts`. */
  ingest(options?: { readonly killAt?: string; readonly nodeOptions?: string }): Running;
  /** Asks the Worker for a run over all tables; returns its id. */
  trigger(): Promise<string>;
  /** What has become of a run. */
  stateOf(run: string): Promise<string>;
  /** Kills the Worker when it comes to this point for the n-th time from now on: `before/shard.stage`. */
  killWorkerAt(point: string, nth: number): void;
  /** Whether the armed point was come to. */
  readonly struck: boolean;
  /** Kills the Worker now. */
  killWorker(): Promise<void>;
  /** Starts it again after a kill, on the same storage and port. */
  revive(): Promise<void>;
  /** Everything that the registry and the index hold, as lines. */
  dump(): Promise<readonly string[]>;
}

/** SHA-256 of a dump. */
export function digest(lines: readonly string[]): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

let built: Promise<string> | undefined;

/** Builds the killable Worker once for the file. */
function build(): Promise<string> {
  built ??= (async () => {
    const directory = mkdtempSync(join(tmpdir(), "quayside-killable-"));
    const entry = join(root, "test/workerd/killable-worker.ts");
    await buildWorker({ demo: false, outdir: join(directory, "worker"), entry });
    return directory;
  })();
  return built;
}

/** @param secrets of the sources, for CLI and Worker. */
export async function openWorld(
  config: Config,
  secrets: Readonly<Record<string, string>> = {},
): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "quayside-kill-"));
  const worker = await build();
  mkdirSync(join(directory, "state"));
  symlinkSync(join(worker, "worker"), join(directory, "worker"));
  const embedder = await startOpenai();
  const pinecone = config.index?.kind === "pinecone" ? await startPinecone(0, { dimension: 64 }) : undefined;
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  const env: Readonly<Record<string, string>> = {
    QUAYSIDE_TOKEN: TOKEN,
    OPENAI_API_KEY: OPENAI_STUB_KEY,
    OPENAI_BASE_URL: `${embedder.url}/v1`,
    ...secrets,
    ...(pinecone
      ? {
          PINECONE_API_KEY: PINECONE_STUB_KEY,
          PINECONE_CONTROLLER_HOST: pinecone.url,
          PINECONE_INDEX: "quayside",
        }
      : {}),
  };

  let served: Served | undefined;
  let armed: { readonly point: string; left: number } | undefined;
  let struck = false;
  let read = 0;
  const killWorker = async (): Promise<void> => {
    await served?.stop();
  };
  const control = createServer((request, response) => {
    const here = armed !== undefined && request.url === `/${armed.point}` && --armed.left === 0;
    if (!here) {
      response.end();
      return;
    }
    struck = true;
    void killWorker();
  });
  await new Promise<void>((resolve) => control.listen(0, "127.0.0.1", resolve));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  const controlPort = (control.address() as AddressInfo).port;

  const start = (port?: number): Promise<Served> =>
    serveWorkerd(
      directory,
      (free) =>
        capnp(directory, worker, port ?? free, { ...env, CONTROL_URL: `http://127.0.0.1:${controlPort}` }),
      "/healthz",
      port,
    );
  served = await start();
  const { url } = served;
  const call = async <T>(method: string, path: string, body?: string): Promise<T> => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const response = await fetch(`${url}/v1/ingest/runs${path}`, { method, headers, ...(body && { body }) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as docs/http-api.md has it
    return (await response.json()) as T;
  };

  return {
    embedder,
    pinecone,
    get struck() {
      return struck;
    },
    embedded() {
      const bodies = embedder.exchanges.slice(read).filter(({ path }) => path.endsWith("/embeddings"));
      read = embedder.exchanges.length;
      return bodies
        .flatMap(({ body }) => inputsOf(body))
        .filter((text) => /^(letters|parts|notes)\n/.test(text));
    },
    ingest({ killAt, nodeOptions } = {}) {
      const hook = killAt === undefined ? [] : ["--import", join(root, "test/deep/kill-hook.ts")];
      const args = [
        ...hook,
        join(root, "ingest/cli.ts"),
        "ingest",
        "--config",
        "config.json",
        "--json",
        "--yes",
      ];
      const child = spawn(process.execPath, args, {
        cwd: directory,
        env: {
          PATH: process.env["PATH"],
          ...env,
          QUAYSIDE_URL: url,
          KILL_AT: killAt ?? "",
          NODE_OPTIONS: nodeOptions ?? "",
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      return running(child);
    },
    async trigger() {
      const answer: { readonly run_id: string } = await call("POST", "", "{}");
      return answer.run_id;
    },
    async stateOf(run) {
      const answer: { readonly state: string } = await call("GET", `/${run}`);
      return answer.state;
    },
    killWorkerAt(point, nth) {
      struck = false;
      armed = { point, left: nth };
    },
    killWorker,
    async revive() {
      armed = undefined;
      await killWorker();
      served = await start(Number(new URL(url).port));
    },
    async dump() {
      const response = await fetch(`${url}/__dump`);
      const lines = (await response.text()).split("\n");
      for (const namespace of pinecone?.namespaces() ?? []) {
        lines.push(...(pinecone?.records(namespace) ?? []));
      }
      return lines;
    },
    async [Symbol.asyncDispose]() {
      await killWorker();
      control.close();
      control.closeAllConnections();
      await embedder[Symbol.asyncDispose]();
      await pinecone?.[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function inputsOf(body: string): readonly string[] {
  const parsed: { readonly input: string | readonly string[] } = JSON.parse(body);
  return [parsed.input].flat();
}

function running(child: ChildProcess): Running {
  let stdout = "";
  let stderr = "";
  let over = false;
  child.stdout?.on("data", (chunk: Buffer) => (stdout += chunk.toString("utf8")));
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString("utf8")));
  return {
    ended: new Promise((resolve) => {
      child.once("close", (status, signal) => {
        over = true;
        resolve({ status, signal, stdout, stderr });
      });
    }),
    isOver: () => over,
    signal: (name) => void child.kill(name),
  };
}

function capnp(
  directory: string,
  worker: string,
  port: number,
  env: Readonly<Record<string, string>>,
): string {
  const bound = Object.entries(env).map(([name, value]) => `(name = "${name}", text = "${value}")`);
  const names = readdirSync(join(worker, "worker"));
  const classes = ["Ledger", "Shard", "Runner", "Thread"];
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main), (name = "none", worker = .none),
    (name = "internet", network = (allow = ["public", "private", "local"])),
    (name = "disk", disk = (path = "${join(directory, "state")}", writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
const none :Workerd.Worker = (
  modules = [(name = "n.mjs", esModule = "export default { fetch: () => new Response(null, { status: 404 }) };")],
  compatibilityDate = "2026-10-01");
const main :Workerd.Worker = (compatibilityDate = "2026-10-01", compatibilityFlags = ["enable_request_signal"],
  durableObjectStorage = (localDisk = "disk"),
  modules = [${modulesOf(names, "main.mjs", "worker/")}],
  durableObjectNamespaces = [${classes.map((name) => `(className = "${name}", uniqueKey = "${name}", enableSql = true)`).join(", ")}],
  bindings = [${classes.map((name) => `(name = "${name.toUpperCase()}", durableObjectNamespace = "${name}")`).join(", ")},
    (name = "CACHE", kvNamespace = "none"), (name = "ASSETS", service = "none"), ${bound.join(", ")}]);
`;
}
