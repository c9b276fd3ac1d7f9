#!/usr/bin/env node
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseConfig } from "../shared/config.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import { runCommandLine, type Globals } from "./command-line.ts";
import type { Context, LoadedConfig, Terminal } from "./commands/command.ts";
import { nodeHost, readDevVars } from "./node-host.ts";
import { root } from "./root.ts";
import { text } from "./worker-client.ts";

/** The `quayside` program. With `start.ts` the only file that reads `process`. */

const DEFAULT_CONFIG = "quayside.config.ts";
const DEFAULT_URL = "http://127.0.0.1:8787";

const interrupt = new AbortController();
let signals = 0;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    signals += 1;
    // Asked twice, it stops without tidying up: what was staged is kept all the same.
    if (signals > 1) process.exit(75);
    interrupt.abort(new QuaysideError("cancelled", "Interrupted. Run the command again to go on."));
  });
}

function terminal({ json, quiet }: { readonly json: boolean; readonly quiet: boolean }): Terminal {
  const live = process.stderr.isTTY && !quiet;
  let open = false;
  const line = (output: string): void => {
    process.stderr.write(`${open ? "\r\u001B[K" : ""}${output}\n`);
    open = false;
  };
  return {
    interactive: process.stdout.isTTY && !json,
    live,
    print: (output) => {
      if (!json) process.stdout.write(output);
    },
    note: (output) => {
      if (!quiet) line(output);
    },
    progress: (output) => {
      if (quiet) return;
      if (!live) {
        line(output);
        return;
      }
      process.stderr.write(`\r\u001B[K${output.slice(0, (process.stderr.columns || 80) - 1)}`);
      open = true;
    },
    warn: line,
  };
}

function contextOf(
  globals: Globals,
): Pick<Context, "config" | "environment" | "token" | "tokenGiven" | "url" | "host" | "signal"> {
  const url = (globals.url ?? env["QUAYSIDE_URL"] ?? DEFAULT_URL).replace(/\/+$/, "");
  if (!URL.canParse(url)) throw new QuaysideError("config_invalid", `--url is not a URL: ${url}`);
  const given = globals.token ?? (env["QUAYSIDE_TOKEN"] || undefined);
  let loading: Promise<LoadedConfig> | undefined;
  return {
    url,
    host: nodeHost(env),
    environment: env,
    signal: interrupt.signal,
    tokenGiven: given !== undefined,
    token: async () => given ?? (isLoopback(url) ? await localToken() : undefined),
    config: () => (loading ??= globals.sample ? loadSample() : loadConfig(globals.config)),
  };
}

function isLoopback(url: string): boolean {
  return ["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
}

/** The token that `npm start` made for this machine. */
async function localToken(): Promise<string | undefined> {
  const token = await readFile(join(".quayside", "token"), "utf8").catch(() => "");
  return token.trim() || undefined;
}

async function loadConfig(given: string | undefined): Promise<LoadedConfig> {
  const path = resolve(given ?? DEFAULT_CONFIG);
  if (!existsSync(path)) {
    throw new QuaysideError(
      "config_invalid",
      given === undefined
        ? `There is no ${DEFAULT_CONFIG} here. Write one with \`quayside init\`, name one with --config FILE, or try the sample with --sample.`
        : `There is no configuration at ${given}.`,
    );
  }
  let module: unknown;
  try {
    module = path.endsWith(".json")
      ? { default: JSON.parse(await readFile(path, "utf8")) as unknown }
      : await import(pathToFileURL(path).href);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "it can't be loaded";
    throw new QuaysideError("config_invalid", `${path} does not load: ${why}`, { cause });
  }
  const found: unknown =
    typeof module === "object" && module !== null ? Reflect.get(module, "default") : undefined;
  if (found === undefined) {
    throw new QuaysideError(
      "config_invalid",
      `${path} has no default export: export default defineConfig({ … }).`,
    );
  }
  return { config: parseConfig(found), path };
}

async function loadSample(): Promise<LoadedConfig> {
  const { generateSample } = await import("./sample/generate.ts");
  await generateSample({ directory: join(".quayside", "sample") });
  const { default: config } = await import("./sample/config.ts");
  return { config: parseConfig(config), path: "the sample" };
}

const manifest: unknown = JSON.parse(await readFile(new URL("package.json", root), "utf8"));
// Names set in the environment win over the file.
const env: Readonly<Record<string, string | undefined>> = {
  ...(await readDevVars(".dev.vars")),
  ...process.env,
};
// A reader such as `head` has seen enough: that is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

const status = await runCommandLine(process.argv.slice(2), {
  version: text(manifest, "version"),
  terminal,
  line: (output) => void process.stdout.write(`${output}\n`),
  context: contextOf,
});
// Not process.exit: stdout may still be on its way down a pipe.
process.exitCode = status;
