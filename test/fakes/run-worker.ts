import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { buildWorker } from "../../workers/build.ts";

export interface RunningWorker extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string;
}

export interface RunOptions {
  /** Whether demo mode is compiled in. */
  readonly demo: boolean;
  /** Secrets and settings, `QUAYSIDE_TOKEN` among them. */
  readonly env: Readonly<Record<string, string>>;
}

/** The built Worker in workerd on a free loopback port, with empty storage of its own and no console. */
export async function runWorker({ demo, env }: RunOptions): Promise<RunningWorker> {
  const directory = await mkdtemp(join(tmpdir(), "quayside-worker-"));
  await buildWorker({ demo, outdir: directory });
  const names = await readdir(directory);
  const others = names.filter((name) => name !== "main.mjs");
  const modules = await Promise.all(
    ["main.mjs", ...others].map(async (name) => ({
      type: name.endsWith(".wasm") ? ("CompiledWasm" as const) : ("ESModule" as const),
      path: join(directory, name),
      contents: new Uint8Array(await readFile(join(directory, name))),
    })),
  );
  const runtime = new Miniflare(
    convertV4MiniflareOptions({
      modules,
      modulesRoot: directory,
      compatibilityDate: "2026-10-01",
      compatibilityFlags: ["enable_request_signal"],
      bindings: env,
      kvNamespaces: ["CACHE"],
      durableObjects: {
        LEDGER: { className: "Ledger", useSQLite: true },
        SHARD: { className: "Shard", useSQLite: true },
        RUNNER: { className: "Runner", useSQLite: true },
        THREAD: { className: "Thread", useSQLite: true },
      },
      serviceBindings: { ASSETS: () => new Response(null, { status: 404 }) },
      cf: false,
      host: "127.0.0.1",
      port: 0,
    }),
  );
  const url = (await runtime.ready).origin;
  return {
    url,
    async [Symbol.asyncDispose]() {
      await runtime.dispose();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
