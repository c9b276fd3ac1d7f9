// Brings the bindings of `env` along.
import type {} from "../../workers/env.ts";

declare global {
  namespace Cloudflare {
    /** Types the `exports` of `cloudflare:workers`. */
    interface GlobalProps {
      mainModule: typeof import("../../workers/main.ts");
    }
  }
}
