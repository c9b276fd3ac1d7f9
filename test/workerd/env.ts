import type * as main from "../../workers/main.ts";

declare global {
  namespace Cloudflare {
    /** Types the `exports` of `cloudflare:workers`. */
    interface GlobalProps {
      mainModule: typeof main;
    }
  }
}
