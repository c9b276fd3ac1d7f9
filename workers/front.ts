import { makeApp } from "./app.ts";
import { requireLoopback } from "./auth/loopback.ts";
import type { Env } from "./env.ts";
import { makeHost } from "./host.ts";
import { healthRoute } from "./surfaces/health.ts";
import { urlOf } from "./url.ts";
import type { Worker } from "./worker.ts";

/**
 * What an isolate has from its start. Each starts with the whole script, and most need a part: those of Durable Objects nothing
 * of the edge, those of the edge no object. So the rest is loaded by the first request that is for it.
 */
export function makeFront(
  env: Env,
  defer: (work: Promise<unknown>) => void,
): { fetch(request: Request): Promise<Response>; scheduled(): Promise<void> } {
  let worker: Worker | undefined;
  const whole = async (): Promise<Worker> => {
    const { makeWorker } = await import("./worker.ts");
    return (worker ??= makeWorker(env, defer));
  };
  const app = makeApp({
    surfaces: [{ name: "health", routes: [healthRoute] }],
    host: makeHost(env),
    ...(QUAYSIDE_DEMO ? { guard: requireLoopback } : {}),
    allowedOrigins: async () => (await whole()).allowedOrigins(),
  });
  return {
    fetch: async (request) =>
      urlOf(request).pathname === healthRoute.path ? app.fetch(request) : (await whole()).fetch(request),
    scheduled: async () => (await whole()).scheduled(),
  };
}
