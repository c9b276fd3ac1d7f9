import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Host, LogEvent } from "../shared/ports/host.ts";
import { kernelVectorText } from "../shared/vector-kernel.ts";
import { nodeFetch } from "./node-fetch.ts";
import { root } from "./root.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/**
 * The host that Node programs lend to adapters: fetch, secrets from an environment, warnings and errors as JSON lines.
 * @param env e.g. `process.env`, with what `readDevVars` found under it.
 * @param options `level`: the least level that is logged, default `warn`; `write`: where a line goes, default stderr.
 */
export function nodeHost(
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly level?: LogEvent["level"]; readonly write?: (line: string) => void } = {},
): Host {
  const least = LEVELS.indexOf(options.level ?? "warn");
  // oxlint-disable-next-line no-console -- the default log of a program is its stderr
  const write = options.write ?? ((line: string) => console.error(line));
  return {
    fetch: nodeFetch,
    secret: (name) => {
      const value = env[name];
      return value === undefined || value === "" ? undefined : value;
    },
    vectorText: kernelVectorText(() => readFileSync(new URL("shared/vector-kernel.wasm", root))),
    now: () => Date.now(),
    log: (event) => {
      if (LEVELS.indexOf(event.level) >= least) write(JSON.stringify(event));
    },
  };
}

/** Secrets of local development, as wrangler reads them too: `NAME=value` lines, values perhaps quoted. Empty when there is no file. */
export async function readDevVars(path: string): Promise<Readonly<Record<string, string>>> {
  const text = await readFile(path, "utf8").catch(() => "");
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/.exec(line);
    if (!match) continue;
    const [, name = "", value = ""] = match;
    const quoted = /^(["'])(.*)\1$/.exec(value);
    found[name] = quoted?.[2] ?? value.replace(/\s+#.*$/, "");
  }
  return found;
}
