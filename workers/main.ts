import { env, waitUntil } from "cloudflare:workers";
import { makeWorker } from "./worker.ts";

export { Ledger } from "./tenant/ledger.ts";
export { Shard } from "./index/shard.ts";
export { Runner } from "./runner/runner.ts";
export { Thread } from "./thread/thread.ts";

const worker = makeWorker(env, waitUntil);

export default {
  fetch: (request) => worker.fetch(request),
  scheduled: () => worker.scheduled(),
} satisfies ExportedHandler;
