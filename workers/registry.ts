import { makeApp } from "./app.ts";
import type { Env } from "./env.ts";
import type { Host, LogEvent } from "../shared/ports/host.ts";

/** The Worker of an environment: every adapter and surface is chosen here, one line each. */
export function makeWorker(env: Env): { fetch(request: Request): Promise<Response> } {
  const host = makeHost(env);
  return makeApp({ surfaces: [], host, allowedOrigins: async () => [] });
}

function makeHost(env: Env): Host {
  return {
    fetch: (input, init) => fetch(input, init),
    secret(name) {
      const value = env[name];
      return typeof value === "string" && value !== "" ? value : undefined;
    },
    now: () => Date.now(),
    log,
  };
}

function log(event: LogEvent): void {
  // eslint-disable-next-line no-console -- one JSON event a line is how a Worker logs
  console.log(JSON.stringify(event));
}
