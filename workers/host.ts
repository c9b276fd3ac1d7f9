import type { Host, LogEvent } from "../shared/ports/host.ts";
import type { Env } from "./env.ts";

/** What adapters may take of what is bound; storage is not among it. */
const BINDINGS: readonly string[] = ["AI", "VECTORIZE"];

/** What the Worker lends its adapters. */
export function makeHost(env: Env): Host {
  return {
    fetch: (input, init) => fetch(input, init),
    secret(name) {
      const value = env[name];
      return typeof value === "string" && value !== "" ? value : undefined;
    },
    binding: (name) => (BINDINGS.includes(name) ? env[name] : undefined),
    now: () => Date.now(),
    log,
  };
}

/** One JSON event a line, which is what Workers' log collection takes. */
function log(event: LogEvent): void {
  // oxlint-disable-next-line no-console -- the Worker's only way to log
  console.log(JSON.stringify(event));
}
