import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Answerer } from "../thread/api.ts";
import type { Surface } from "./surface.ts";

export interface TeamsRouteDeps {
  readonly host: Host;
  /** One activity; made by the first. @throws QuaysideError. */
  readonly take: (request: Request) => Promise<Response>;
  readonly answer: Answerer;
}

/**
 * Microsoft Teams: activities of the Bot Connector. Each is verified, taken into its conversation's thread and acknowledged;
 * Teams waits fifteen seconds and then sends again. The thread answers.
 */
export function teamsSurface({ host, take, answer }: TeamsRouteDeps): Surface {
  return {
    name: "teams",
    answer,
    routes: [
      {
        method: "POST",
        path: "/teams/messages",
        doc: { summary: "Take an activity of the Teams app", bodyType: "application/json", status: 202 },
        async handle({ request }) {
          if (host.secret("TEAMS_APP_ID") === undefined) {
            throw new QuaysideError("not_found", "Teams is not set up here.");
          }
          return take(request);
        },
      },
    ],
  };
}
