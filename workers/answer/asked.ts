import { detectLanguage } from "../../shared/analysis.ts";
import type { Limits } from "../../shared/config-limits.ts";
import { limitsOf, type Config } from "../../shared/config.ts";
import { base64url } from "../../shared/ids.ts";
import type { Question } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { parseDuration } from "../../shared/schedule.ts";
import type { Admission } from "../tenant/api.ts";
import { ofObject } from "../../shared/lazily.ts";
import type { EvidenceKeyParts, KeyParts } from "./cache-key.ts";
import type { GenerateInput } from "./generate.ts";
import { makePrompt, PROMPT_VERSION } from "./prompt.ts";
import {
  chooseModels,
  modelsOf,
  policyOf,
  routeFor,
  type ModelChoice,
  type Providers,
  type Route,
} from "./route.ts";

/** "Today" is the day here; questions carry no zone of their own. */
const TIME_ZONE = "UTC";

/** One question under way: what every step needs to know of it. */
export interface Asked {
  readonly question: Question;
  readonly admission: Admission;
  readonly config: Config;
  readonly limits: Limits;
  readonly choice: ModelChoice;
  readonly language: "en" | "fr";
  readonly today: string;
  /** Tables whose rows are left out, because they lie further behind the warehouse than they may. */
  readonly late: ReadonlySet<string>;
  readonly startedAt: number;
}

/** @param groups of the caller. @throws QuaysideError `unknown_model`. */
export function askedOf(
  question: Question,
  admission: Admission,
  groups: readonly string[],
  builtIn: readonly string[],
  startedAt: number,
): Asked {
  const { config } = admission;
  return {
    question,
    admission,
    config,
    limits: limitsOf(config),
    choice: chooseModels(config, builtIn, question.model, question.fallbacks, groups),
    language: detectLanguage(question.text),
    today: question.today ?? new Date(startedAt).toISOString().slice(0, 10),
    late: lateTables(admission, startedAt),
    startedAt,
  };
}

function lateTables({ config, tables }: Admission, now: number): ReadonlySet<string> {
  const late = tables.filter(({ table, asOf }) => {
    const { whenLate, targetLag } = config.tables[table] ?? {};
    const lagMs = whenLate === "withhold" && targetLag !== undefined ? parseDuration(targetLag) : undefined;
    return lagMs !== undefined && now - Date.parse(asOf) > lagMs;
  });
  return new Set(late.map(({ table }) => table));
}

/** Whether one of these rows is of a late table. */
export function restsOnLate({ late }: Asked, rows: readonly (readonly [string, string])[]): boolean {
  return late.size > 0 && rows.some(([row]) => late.has(row.slice(0, row.indexOf(":"))));
}

/** Who may write the answer, now that the rows are known. @throws as `routeFor`. */
export function routeOf(
  { question, admission, config, choice, language }: Asked,
  evidence: readonly Evidence[],
  providers: Providers,
): Route {
  const { text, maxOutputTokens } = question;
  const facts = { question: text, tenant: admission.tenant, language, evidence, maxOutputTokens };
  return routeFor(choice, config, providers, facts);
}

/** What a model is sent. @param text the question as it was searched. */
export function generateInput(
  asked: Asked,
  route: Route,
  text: string,
  evidence: readonly Evidence[],
): GenerateInput {
  const { question, config, limits, language, today } = asked;
  const fence = base64url(crypto.getRandomValues(new Uint8Array(12)));
  const { history } = question;
  const prompt = makePrompt({ question: question.text, history, evidence, language, today, fence });
  return {
    route,
    config,
    limits,
    request: { ...prompt, question: text, evidence, language, today },
    maxOutputTokens: question.maxOutputTokens,
  };
}

/** What the first cache level depends on. */
export function keyParts({ question, admission, config, choice, language, today }: Asked): KeyParts {
  return {
    tenant: admission.tenant,
    configVersion: admission.configVersion,
    epoch: admission.epoch,
    permitted: admission.permitted,
    masked: maskedColumns(config),
    providerPolicy: policyOf(config),
    space: admission.space,
    generation: admission.generation,
    question: question.text,
    history: question.history,
    today,
    timeZone: TIME_ZONE,
    model: JSON.stringify([choice.requested, choice.target]),
    fallbacks: question.fallbacks,
    tables: question.tables,
    cells: question.cells,
    topK: question.topK,
    maxOutputTokens: question.maxOutputTokens,
    promptVersion: PROMPT_VERSION,
    locale: language,
  };
}

/** What the second cache level depends on, once rows are found and the model that serves is known. */
export function evidenceKeyParts(
  { question, admission, config, language, today }: Asked,
  model: string,
  evidence: readonly Evidence[],
): EvidenceKeyParts {
  return {
    tenant: admission.tenant,
    masked: maskedColumns(config),
    models: modelsOf(config),
    question: question.text,
    history: question.history,
    today,
    timeZone: TIME_ZONE,
    model,
    maxOutputTokens: question.maxOutputTokens,
    promptVersion: PROMPT_VERSION,
    locale: language,
    evidence,
  };
}

const maskedColumns = ofObject((config: Config): readonly string[] =>
  Object.entries(config.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns ?? {})
      .filter(([, column]) => column.mask !== undefined || column.exclude === true)
      .map(([column]) => `${table}.${column}`),
  ),
);
