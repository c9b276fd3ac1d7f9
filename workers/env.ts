import type { Ledger } from "./tenant/ledger.ts";
import type { Shard } from "./index/shard.ts";
import type { Runner } from "./runner/runner.ts";
import type { Thread } from "./thread/thread.ts";

/** Replaced at build time: "true" only under `npm start` and in tests; a deploy drops what it guards. */
declare global {
  const QUAYSIDE_DEMO: boolean;
  /** What the build was made of; see `IngestDeps.code`. */
  const QUAYSIDE_CODE: string;
  namespace Cloudflare {
    /** Types the `env` of `cloudflare:workers`. */
    interface Env extends WorkerEnv {}
  }
}

type WorkerEnv = Env;

/** What wrangler.toml binds, and the secrets by name (`contract` names; any may be unset). Only `main.ts`, `front.ts`, `worker.ts` and the objects see it. */
export interface Env {
  readonly ASSETS: Fetcher;
  readonly CACHE: KVNamespace;
  readonly LEDGER: DurableObjectNamespace<Ledger>;
  readonly SHARD: DurableObjectNamespace<Shard>;
  readonly RUNNER: DurableObjectNamespace<Runner>;
  readonly THREAD: DurableObjectNamespace<Thread>;
  readonly [secret: string]: unknown;
}
