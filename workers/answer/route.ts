import type { Config, ModelConfig } from "../../shared/config.ts";
import type { ChatProvider, Usage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Classification, Evidence } from "../../shared/ports/evidence.ts";

/** The answerer that is always there: needs no key, sends nothing anywhere. */
export const BUILT_IN_DEFAULT = "local/compose";

/** What the built-in answerers may receive: they run here, so everything. */
const BUILT_IN: ModelConfig = {
  classes: ["public", "internal", "confidential", "restricted"],
  contextTokens: 32_000,
  price: { input: 0, output: 0 },
  region: "here",
  retention: "none",
  trainsOnData: false,
};

/** The providers that this Worker has, by model id (`provider/model`). `workers/registry.ts` makes it. */
export interface Providers {
  /** Ids of the built-in answerers. */
  readonly builtIn: readonly string[];
  /** Why a registered model can't be called here (no adapter, no key), as a sentence; undefined when it can. */
  whyNot(id: string, config: Config): string | undefined;
  /** @throws QuaysideError `config_invalid` when `whyNot` has a reason. */
  open(id: string, config: Config): Promise<ChatProvider>;
}

/** What was asked for, resolved to model ids, before anything is known of the rows. */
export interface ModelChoice {
  /** As requested: `auto` when nothing was. */
  readonly requested: string;
  /** In order of preference, each once. */
  readonly candidates: readonly string[];
  /** Whether the last candidate was added here, so that `auto` always has someone to ask. */
  readonly auto: boolean;
}

/** @throws QuaysideError `unknown_model` for a model or fallback that is neither registered, an alias nor built in. */
export function chooseModels(
  config: Config,
  builtIn: readonly string[],
  requested: string | undefined,
  fallbacks: readonly string[],
): ModelChoice {
  const wanted = requested ?? "auto";
  const first = resolve(config, builtIn, wanted);
  const auto = wanted === "auto" || first === undefined;
  const chain = [first ?? presetOf(config, builtIn), ...fallbacks.map((id) => resolve(config, builtIn, id))];
  if (auto) chain.push(BUILT_IN_DEFAULT);
  const candidates = [...new Set(chain.map((id) => id ?? BUILT_IN_DEFAULT))];
  return { requested: wanted, candidates, auto };
}

/** The model that answers when none is asked for. */
export function presetOf(config: Config, builtIn: readonly string[]): string {
  const preset = config.models?.default;
  return (preset === undefined ? undefined : resolve(config, builtIn, preset)) ?? BUILT_IN_DEFAULT;
}

/** A model id; undefined for `auto`. */
function resolve(config: Config, builtIn: readonly string[], name: string): string | undefined {
  const target = ownEntry(config.models?.aliases, name) ?? name;
  if (target === "auto") return undefined;
  if (builtIn.includes(target) || ownEntry(config.models?.register, target)) return target;
  throw new QuaysideError("unknown_model", "The model is neither registered nor built in.");
}

export function modelConfig(config: Config, id: string): ModelConfig {
  return ownEntry(config.models?.register, id) ?? BUILT_IN;
}

/** Names come from requests: `constructor` is not a model. */
function ownEntry<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

export interface Attempt {
  readonly model: string;
  /** `ok`, `not_permitted`, `not_available`, or the code of the failure. */
  readonly outcome: string;
}

interface Candidate {
  readonly model: string;
  /** Why it is passed over: `not_permitted` to receive the rows, or `not_available` here; undefined when it may be asked. */
  readonly barred: "not_permitted" | "not_available" | undefined;
}

/** Who may write the answer, in order of preference; at least one is not barred. */
export type Route = readonly Candidate[];

/**
 * Decides who may write the answer: the rows' classifications decide what leaves, whoever asks and whatever fails.
 * @throws QuaysideError `provider_not_permitted`, or `no_provider_available` when those that may receive the rows can't be called.
 */
export function routeFor(
  choice: ModelChoice,
  config: Config,
  providers: Providers,
  evidence: readonly Evidence[],
): Route {
  const classes = new Set(evidence.map((item) => item.classification));
  const route = choice.candidates.map((model): Candidate => {
    if (!mayReceive(modelConfig(config, model), classes)) return { model, barred: "not_permitted" };
    const why = providers.whyNot(model, config);
    return { model, barred: why === undefined ? undefined : "not_available" };
  });
  if (route.some(({ barred }) => barred === undefined)) return route;
  throw route.every(({ barred }) => barred === "not_permitted")
    ? new QuaysideError("provider_not_permitted", "No model asked for may receive rows of this class.")
    : new QuaysideError("no_provider_available", "No model asked for can be called: see GET /v1/models.");
}

/** The candidate that is asked first. */
export function preferred(route: Route): string {
  return route.find(({ barred }) => barred === undefined)?.model ?? BUILT_IN_DEFAULT;
}

function mayReceive(model: ModelConfig, classes: ReadonlySet<Classification>): boolean {
  return [...classes].every((classification) => model.classes.includes(classification));
}

/** One line for people: why this model wrote the answer. */
export function whyOf(choice: ModelChoice, attempts: readonly Attempt[], model: string): string {
  const failed = attempts.filter((attempt) => attempt.model !== model && attempt.outcome !== "ok");
  if (failed.length > 0) {
    return `fallback: ${failed.map((attempt) => `${attempt.model} ${attempt.outcome}`).join(", ")}`;
  }
  return choice.requested === "auto" ? "the default" : "as requested";
}

/** US dollars; unknown token counts cost nothing here, and are told as unknown. */
export function costOf(config: Config, model: string, usage: Usage): number {
  const { price } = modelConfig(config, model);
  return ((usage.inputTokens ?? 0) * price.input + (usage.outputTokens ?? 0) * price.output) / 1e6;
}

/** Which model may receive what, as text: part of every cache key. */
export function policyOf(config: Config): string {
  const register = Object.entries(config.models?.register ?? {})
    .map(([id, model]) => [id, [...model.classes].sort(), model.region, model.retention, model.trainsOnData])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  return JSON.stringify([config.models?.default ?? "", config.models?.aliases ?? {}, register]);
}

/** How models are configured, as text: part of every key of the second cache level. Any change to it starts that level anew. */
export function modelsOf(config: Config): string {
  return JSON.stringify(config.models ?? {});
}
