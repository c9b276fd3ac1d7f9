import type { Env as WorkerEnv } from "../../workers/env.ts";
import type * as main from "../../workers/main.ts";

declare global {
  namespace Cloudflare {
    /** Types the `env` of `cloudflare:workers`. */
    interface Env extends WorkerEnv {}
    /** Types its `exports`. */
    interface GlobalProps {
      mainModule: typeof main;
    }
  }
}
