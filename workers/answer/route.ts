import type { Config, ModelConfig } from "../../shared/config.ts";
import type { ChatProvider, Usage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Classification } from "../../shared/ports/evidence.ts";
import { ofObject } from "../../shared/lazily.ts";
import { applyRoute, type Chosen, type Facts, type RouteConfig } from "./route-rules.ts";

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
  /** As `whyNot`, and its settings are read as well. Loads its adapter, calls nobody. */
  check(id: string, config: Config): Promise<string | undefined>;
  /** @throws QuaysideError `config_invalid` when `whyNot` has a reason, or a setting is malformed. */
  open(id: string, config: Config): Promise<ChatProvider>;
}

/** What was asked for, before anything is known of the rows. */
export interface ModelChoice {
  /** As requested: `auto` when nothing was. */
  readonly requested: string;
  /** What it stands for: a model's id or a route's name. Part of the cache's key: groups may have defaults of their own. */
  readonly target: string;
  /** Tried after the target, in order. */
  readonly fallbacks: readonly string[];
  /** Whether the choice is ours: then the built-in answerer comes last, so that there is always someone to ask. */
  readonly auto: boolean;
}

/**
 * @param groups of the caller.
 * @throws QuaysideError `unknown_model` for a model or fallback that is neither registered, an alias, a route nor built in.
 */
export function chooseModels(
  config: Config,
  builtIn: readonly string[],
  requested: string | undefined,
  fallbacks: readonly string[],
  groups: readonly string[],
): ModelChoice {
  const wanted = requested ?? "auto";
  const found = resolve(config, builtIn, wanted);
  const target = found ?? presetOf(config, builtIn, groups);
  return {
    requested: wanted,
    target,
    fallbacks: fallbacks.map((id) => resolve(config, builtIn, id) ?? presetOf(config, builtIn, groups)),
    auto: found === undefined,
  };
}

/** The model or route of a caller who names none: of the first of the groups that has one, the default, the route `auto`. */
export function presetOf(config: Config, builtIn: readonly string[], groups: readonly string[]): string {
  const { models } = config;
  const ofGroup = Object.entries(models?.groups ?? {}).find(([group]) => groups.includes(group))?.[1];
  const preset = ofGroup ?? models?.default ?? "auto";
  return resolve(config, builtIn, preset) ?? (routeOf(config, "auto") ? "auto" : BUILT_IN_DEFAULT);
}

/** A model's id or a route's name; undefined for `auto`. */
function resolve(config: Config, builtIn: readonly string[], name: string): string | undefined {
  const target = ownEntry(config.models?.aliases, name) ?? name;
  if (target === "auto") return undefined;
  if (builtIn.includes(target) || ownEntry(config.models?.register, target) || routeOf(config, target)) {
    return target;
  }
  throw new QuaysideError("unknown_model", "The model is neither registered nor built in.");
}

function routeOf(config: Config, name: string): RouteConfig | undefined {
  return ownEntry(config.models?.routes, name);
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
  /** `ok`, why the model was passed over (`not_permitted`, `not_available`, `too_expensive`, `too_slow`, `budget_exhausted`, `circuit_open`), or the code of the failure. */
  readonly outcome: string;
}

interface Candidate {
  readonly model: string;
  /** Why it is passed over: may not receive the rows, is not available here, is more than the route's rule allows, or has no budget left. */
  readonly barred:
    | "not_permitted"
    | "not_available"
    | "too_expensive"
    | "too_slow"
    | "budget_exhausted"
    | undefined;
}

/** Who may write the answer. */
export interface Route {
  /** In order of preference; at least one is not barred. */
  readonly candidates: readonly Candidate[];
  /** One line for people: how the first of them was chosen. */
  readonly why: string;
}

/**
 * Decides who may write the answer: the rows' classifications decide what leaves, whoever asks and whatever fails.
 * @throws QuaysideError `provider_not_permitted`, or `no_provider_available` when those that may receive the rows can't be called.
 */
export function routeFor(choice: ModelChoice, config: Config, providers: Providers, facts: Facts): Route {
  const classes = new Set(facts.evidence.map((item) => item.classification));
  const first = openTarget(choice.target, config, facts);
  const rest = choice.fallbacks.flatMap((target) => openTarget(target, config, facts).models);
  const ids = [...new Set([...first.models, ...rest, ...(choice.auto ? [BUILT_IN_DEFAULT] : [])])];
  const candidates = ids.map((id): Candidate => {
    const model = modelConfig(config, id);
    if (!mayReceive(model, classes)) return { model: id, barred: "not_permitted" };
    if (providers.whyNot(id, config) !== undefined) return { model: id, barred: "not_available" };
    const named = rest.includes(id) || (choice.auto && id === BUILT_IN_DEFAULT);
    return { model: id, barred: named ? undefined : first.passedOver?.(id, model) };
  });
  const why = first.rule === undefined ? presetWhy(choice) : `route ${choice.target}: ${first.rule}`;
  if (candidates.some(({ barred }) => barred === undefined)) return { candidates, why };
  throw candidates.every(({ barred }) => barred === "not_permitted")
    ? new QuaysideError("provider_not_permitted", "No model asked for may receive rows of this class.")
    : new QuaysideError("no_provider_available", "No model asked for can be called: see GET /v1/models.");
}

type Opened = { readonly models: readonly string[] } & Partial<Pick<Chosen, "rule" | "passedOver">>;

function openTarget(target: string, config: Config, facts: Facts): Opened {
  const route = routeOf(config, target);
  return route ? applyRoute(target, route, facts) : { models: [target] };
}

/** The models that a target may come to: its own, or those of all the rules of a route. */
export function modelsBehind(target: string, config: Config): readonly string[] {
  const route = routeOf(config, target);
  if (!route) return [target];
  return [...new Set(route.rules.flatMap(modelsOfRule))];
}

/** In order of preference, weights aside. */
export function modelsOfRule({ models }: RouteConfig["rules"][number]): string[] {
  return models.map((entry) => (typeof entry === "string" ? entry : entry.model));
}

function presetWhy({ auto }: ModelChoice): string {
  return auto ? "the default" : "as requested";
}

/** The same, with those barred whose budget is used up. */
export function affordable(route: Route, models: readonly string[]): Route {
  const candidates = route.candidates.map((candidate): Candidate =>
    candidate.barred === undefined && !models.includes(candidate.model)
      ? { model: candidate.model, barred: "budget_exhausted" }
      : candidate,
  );
  return { ...route, candidates };
}

/** The candidate that is asked first. */
export function preferred({ candidates }: Route): string {
  return candidates.find(({ barred }) => barred === undefined)?.model ?? BUILT_IN_DEFAULT;
}

function mayReceive(model: ModelConfig, classes: ReadonlySet<Classification>): boolean {
  return [...classes].every((classification) => model.classes.includes(classification));
}

/** One line for people: why this model wrote the answer. */
export function whyOf(route: Route, attempts: readonly Attempt[], model: string): string {
  const failed = attempts.filter((attempt) => attempt.model !== model && attempt.outcome !== "ok");
  if (failed.length === 0) return route.why;
  const fallback = `fallback: ${failed.map((attempt) => `${attempt.model} ${attempt.outcome}`).join(", ")}`;
  return route.why.startsWith("route ") ? `${route.why}; ${fallback}` : fallback;
}

/** US dollars; unknown token counts cost nothing here, and are told as unknown. */
export function costOf(config: Config, model: string, usage: Usage): number {
  const { price } = modelConfig(config, model);
  return ((usage.inputTokens ?? 0) * price.input + (usage.outputTokens ?? 0) * price.output) / 1e6;
}

/** Which model may receive what, as text: part of every cache key. */
export const policyOf = ofObject((config: Config): string => {
  const register = Object.entries(config.models?.register ?? {})
    .map(([id, model]) => [id, [...model.classes].sort(), model.region, model.retention, model.trainsOnData])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
  const { default: preset = "", aliases = {}, routes = {}, groups = {} } = config.models ?? {};
  return JSON.stringify([preset, aliases, routes, groups, register]);
});

/** How models are configured, as text: part of every key of the second cache level. Any change to it starts that level anew. */
export const modelsOf = ofObject((config: Config) => JSON.stringify(config.models ?? {}));
