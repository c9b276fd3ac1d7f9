import * as z from "zod/mini";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Call, Surface } from "./surface.ts";

export interface DemoDeps {
  /** The published configuration; undefined before the first publish. */
  config(signal: AbortSignal): Promise<Config | undefined>;
}

const answer = z.object({
  /** The configuration's name. */
  name: z.string(),
  /** The demo users, the default one first. */
  users: z.array(z.object({ name: z.string(), label: z.string(), language: z.enum(["en", "fr"]) })),
  examples: z.array(
    z.object({
      question: z.string(),
      /** Name of the demo user who asks it first. */
      as: z.string(),
      shows: z.object({ en: z.string(), fr: z.string() }),
    }),
  ),
});

/**
 * Who the page may act as, and what to try: for demo mode only. Mount it only under `QUAYSIDE_DEMO`; elsewhere the path is
 * unknown. @throws QuaysideError `not_found` when the configuration has no demo part.
 */
export function demoSurface(deps: DemoDeps): Surface {
  return {
    name: "demo",
    routes: [
      {
        method: "GET",
        path: "/v1/demo",
        doc: { summary: "List the demo users and example questions (demo mode only)", answer },
        handle: (call) => handle(deps, call),
      },
    ],
  };
}

async function handle(deps: DemoDeps, call: Call): Promise<Response> {
  const config = await deps.config(call.request.signal);
  const demo = config?.demo;
  if (!config || !demo) throw new QuaysideError("not_found", "There are no demo users here.");
  const body: z.infer<typeof answer> = {
    name: config.name,
    users: Object.entries(demo.users).map(([name, user]) => ({
      name,
      label: user.label,
      language: user.language ?? "en",
    })),
    examples: demo.examples.map(({ question, as, shows }) => ({ question, as, shows })),
  };
  return Response.json(body);
}
