import type { Config, ModelConfig } from "../shared/config.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import { field, list, text, type WorkerClient } from "./worker-client.ts";

/** What a model of the register is by the names of `GET /v1/models`. */
function shownAs(model: ModelConfig): Readonly<Record<string, unknown>> {
  return {
    classes: model.classes,
    region: model.region,
    retention: model.retention,
    trains_on_data: model.trainsOnData,
    context_tokens: model.contextTokens,
    max_output_tokens: model.maxOutputTokens ?? null,
    price: { input: model.price.input, output: model.price.output },
  };
}

export interface ComparedRegister {
  /** Models of the configuration that the Worker runs without, or with other classes, place, limits or price. */
  readonly differing: readonly string[];
  /** Models that it runs with besides; built-in answerers are none. */
  readonly more: readonly string[];
  /** How many can be called, of how many. */
  readonly callable: number;
  readonly all: number;
}

/** Holds the register that the Worker runs with against the one that is written here. */
export async function compareRegister(
  config: Config,
  client: Pick<WorkerClient, "get">,
  signal: AbortSignal,
): Promise<ComparedRegister> {
  const served = list(await client.get("/v1/models", signal), "models");
  const shown = new Map(served.map((model) => [text(model, "id"), model]));
  const register = Object.entries(config.models?.register ?? {});
  const differing = register.filter(([id, written]) =>
    Object.entries(shownAs(written)).some(([name, value]) => !sameJson(field(shown.get(id), name), value)),
  );
  const known = new Set(register.map(([id]) => id));
  return {
    differing: differing.map(([id]) => id),
    more: [...shown].flatMap(([id, model]) =>
      known.has(id) || field(model, "built_in") === true ? [] : [id],
    ),
    callable: served.filter((model) => field(model, "available") === true).length,
    all: served.length,
  };
}

/** @throws QuaysideError `not_configured` naming models. */
export function refuseDiffering(models: readonly string[]): void {
  if (models.length === 0) return;
  throw new QuaysideError(
    "not_configured",
    `The worker runs with another register than the configuration's: ${models.join(", ")}. Run \`quayside ingest\` to publish it.`,
  );
}

function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
