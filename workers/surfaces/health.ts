import type { Route } from "./surface.ts";

/** Whether the Worker is there; of nothing that it needs. In a file of its own: the front has it, and nothing else. */
export const healthRoute: Route = {
  method: "GET",
  path: "/healthz",
  handle: () => Response.json({ status: "ok" }),
};
