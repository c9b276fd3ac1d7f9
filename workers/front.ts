import type { Env } from "./env.ts";
import { withHeaders } from "./headers.ts";
import { health, HEALTH_PATH } from "./surfaces/health.ts";
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
    // To import what is there already still waits for a turn of the runtime's own loop.
    if (worker) return worker;
    const { makeWorker } = await import("./worker.ts");
    return (worker ??= makeWorker(env, defer));
  };
  return {
    fetch: async (request) =>
      isProbe(request) ? withHeaders(health(), crypto.randomUUID()) : (await whole()).fetch(request),
    scheduled: async () => (await whole()).scheduled(),
  };
}

/** What asks whether the Worker is there, as a probe does: from no page, which the app has to look at, as at all of demo mode. */
function isProbe(request: Request): boolean {
  const plain = !QUAYSIDE_DEMO && request.method === "GET" && !request.headers.has("origin");
  return plain && urlOf(request).pathname === HEALTH_PATH;
}
