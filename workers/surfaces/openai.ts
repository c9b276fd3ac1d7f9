import type { Ask } from "../../shared/ports/answer.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Admission } from "../tenant/api.ts";
import type { EnterDeps } from "./enter.ts";
import type { Route, Surface } from "./surface.ts";

export interface OpenaiDeps extends EnterDeps {
  readonly ask: Ask;
  /** Ids of the built-in answerers. */
  readonly builtIn: readonly string[];
  /** Why a model can't be called here; undefined when it can. */
  readonly whyNot: (model: string, admission: Admission) => Promise<string | undefined>;
  readonly host: Pick<Host, "log" | "now">;
}

/**
 * `/openai/v1`, for clients that speak the OpenAI API: chat completions and the list of models, with its forms and statuses.
 * What it does stands in `openai-api.ts`, which the first request loads.
 */
export function openaiSurface(deps: OpenaiDeps): Surface {
  const lazily =
    (name: "completeChat" | "listModels" | "oneModel"): Route["handle"] =>
    async (call) =>
      (await import("./openai-api.ts"))[name](deps, call);
  return {
    name: "openai",
    routes: [
      {
        method: "POST",
        path: "/openai/v1/chat/completions",
        doc: { summary: "Ask as a chat completion of the OpenAI API", scope: "ask" },
        handle: lazily("completeChat"),
      },
      {
        method: "GET",
        path: "/openai/v1/models",
        doc: { summary: "List the models that can be asked, as the OpenAI API does", scope: "ask" },
        handle: lazily("listModels"),
      },
      {
        method: "GET",
        // Our models' names have slashes.
        path: "/openai/v1/models/:id{.+}",
        handle: lazily("oneModel"),
      },
    ],
  };
}
