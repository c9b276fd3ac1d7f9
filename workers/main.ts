import { env } from "cloudflare:workers";
import { makeWorker } from "./registry.ts";

export { Ledger } from "./tenant/ledger.ts";
export { Shard } from "./index/shard.ts";

const worker = makeWorker(env);

export default {
  fetch: (request) => worker.fetch(request),
} satisfies ExportedHandler;
