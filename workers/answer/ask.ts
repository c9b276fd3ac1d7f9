import { detectLanguage } from "../../shared/analysis.ts";
import { limitsOf, type Config, type Limits } from "../../shared/config.ts";
import { base64url } from "../../shared/ids.ts";
import type { AnswerCache, CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { Answer, AnswerEvent, Ask, Citation, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { Admission } from "../tenant/api.ts";
import { jittered, type AnswerKeys, type KeyParts } from "./cache.ts";
import { generate, type GenerateDeps, type GenerateInput } from "./generate.ts";
import { fitEvidence, makePrompt, PROMPT_VERSION } from "./prompt.ts";
import { standalone, within, type Retrieve } from "./retrieve.ts";
import {
  BUILT_IN_DEFAULT,
  chooseModels,
  costOf,
  policyOf,
  routeFor,
  whyOf,
  type Attempt,
  type ModelChoice,
  type Route,
} from "./route.ts";
import { makeWriter, writeNothing, type Written } from "./write.ts";

/** Finished answers live this long unless the configuration says otherwise. */
const DEFAULT_TTL_SECONDS = 3600;
/** "Today" is the day here; questions carry no zone of their own. */
const TIME_ZONE = "UTC";

export interface AskDeps extends GenerateDeps {
  /** What the caller may see, as the ledger decides; memoised up to 5 s unless `fresh`. */
  readonly admit: (principal: Principal, signal: AbortSignal, fresh?: boolean) => Promise<Admission>;
  readonly retrieve: Retrieve;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
  readonly cache: AnswerCache;
  readonly keys: AnswerKeys;
  /** Lets work go on after the answer's last byte. */
  readonly defer: (work: Promise<unknown>) => void;
}

/** One question under way: what every step needs to know of it. */
interface Asked {
  readonly question: Question;
  readonly admission: Admission;
  readonly config: Config;
  readonly limits: Limits;
  readonly choice: ModelChoice;
  readonly language: "en" | "fr";
  readonly today: string;
  readonly startedAt: number;
}

/** The whole read path. See `docs/` for its picture; it reads top to bottom here. */
export function makeAsk(deps: AskDeps): Ask {
  return async function* ask(question, principal, signal) {
    const startedAt = deps.host.now();
    if (!principal.scopes.includes("ask")) {
      throw new QuaysideError("forbidden", "The credential does not carry the scope ask.");
    }
    let admission = await deps.admit(principal, signal);
    let asked = understand(deps, question, admission, startedAt);

    let key: string | undefined;
    if (question.cache !== "bypass") {
      key = await deps.keys.keyOf(keyParts(asked));
      const entry = await deps.cache.get(key);
      if (entry) {
        if (await stillHolds(deps, entry, admission, signal)) {
          yield* replay(deps, asked, entry.answer);
          return;
        }
        // Something was revoked, erased or published: what is memoised of this caller is old as well.
        admission = await deps.admit(principal, signal, true);
        asked = understand(deps, question, admission, startedAt);
        key = await deps.keys.keyOf(keyParts(asked));
      }
      if (question.cache === "only") throw new QuaysideError("cache_miss", "No cached answer holds.");
    }

    const text = standalone(question.text, question.history);
    const found = await deps.retrieve(
      { text, topK: question.topK, tables: question.tables, cells: question.cells, rowsOnly: false },
      admission,
      signal,
    );
    const evidence = fitEvidence(found, asked.limits.contextTokens);
    const retrieveMs = deps.host.now() - startedAt;
    const done = (written: Written, more: Partial<Made> = {}): AnswerEvent => {
      const answer = answerOf(deps, asked, written, { ...NOT_MADE, retrieveMs, ...more });
      if (written.whole && key !== undefined && asPreferred(answer)) keep(deps, asked, key, answer, evidence);
      return { type: "done", answer };
    };
    if (evidence.length === 0) {
      yield { type: "evidence", citations: [] };
      const { events, written } = writeNothing(asked.language);
      yield* events;
      yield done(written);
      return;
    }

    const route = routeFor(asked.choice, asked.config, deps.providers, evidence);
    const writer = makeWriter(evidence, text, asked.language);
    yield { type: "evidence", citations: writer.candidates() };
    let made: Partial<Made> = {};
    for await (const event of generate(generateInput(asked, route, text, evidence), signal, deps)) {
      if (event.type === "start") {
        const why = whyOf(asked.choice, event.attempts, event.model);
        const firstTokenMs = deps.host.now() - startedAt;
        made = { model: event.model, attempts: event.attempts, why, firstTokenMs };
      } else if (event.type === "text") yield* writer.push(event.text);
      else {
        const { events, written } = writer.finish(event.reason, event.usage);
        yield* events;
        yield done(written, made);
      }
    }
  };
}

function understand(deps: AskDeps, question: Question, admission: Admission, startedAt: number): Asked {
  const { config } = admission;
  return {
    question,
    admission,
    config,
    limits: limitsOf(config),
    choice: chooseModels(config, deps.providers.builtIn, question.model, question.fallbacks),
    language: detectLanguage(question.text),
    today: new Date(startedAt).toISOString().slice(0, 10),
    startedAt,
  };
}

function keyParts({ question, admission, config, choice, language, today }: Asked): KeyParts {
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
    model: choice.requested,
    fallbacks: question.fallbacks,
    tables: question.tables,
    cells: question.cells,
    topK: question.topK,
    maxOutputTokens: question.maxOutputTokens,
    promptVersion: PROMPT_VERSION,
    locale: language,
  };
}

function maskedColumns(config: Config): string[] {
  return Object.entries(config.tables).flatMap(([table, { columns }]) =>
    Object.entries(columns ?? {})
      .filter(([, column]) => column.mask !== undefined || column.exclude === true)
      .map(([column]) => `${table}.${column}`),
  );
}

async function stillHolds(
  deps: AskDeps,
  entry: CachedAnswer,
  admission: Admission,
  signal: AbortSignal,
): Promise<boolean> {
  const registry = await deps.recheck(admission);
  const confirmed = registry.confirm(admission.epoch, entry.rows, admission.permitted, signal);
  return (await within(confirmed, signal, "registry_unavailable")).holds;
}

/** A kept answer, told like one that is being written; what can age is made anew. */
function* replay(deps: AskDeps, asked: Asked, kept: Answer): Generator<AnswerEvent> {
  const asOf = new Map(asked.admission.tables.map((table) => [table.table, table.asOf]));
  const citations = kept.citations.map((c) => ({ ...c, asOf: asOf.get(c.table) ?? c.asOf }));
  yield { type: "evidence", citations };
  yield { type: "delta", text: kept.text };
  const totalMs = deps.host.now() - asked.startedAt;
  const answer: Answer = {
    ...kept,
    id: newId(),
    citations,
    attempts: [],
    cache: "exact",
    asOf: asOfOf(citations, asked.admission),
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0 },
    timings: { totalMs, retrieveMs: 0, firstTokenMs: totalMs },
  };
  log(deps, answer);
  yield { type: "done", answer };
}

function generateInput(
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

/** How an answer was made. */
interface Made {
  readonly model: string;
  readonly why: string;
  readonly attempts: readonly Attempt[];
  readonly retrieveMs: number;
  readonly firstTokenMs: number;
}

/** No row was found, so no model was asked: the fixed sentence is ours. */
const NOT_MADE: Made = {
  model: BUILT_IN_DEFAULT,
  why: "no rows were found, so no model was asked",
  attempts: [],
  retrieveMs: 0,
  firstTokenMs: 0,
};

function answerOf(deps: AskDeps, asked: Asked, written: Written, made: Made): Answer {
  const { outcome, reason, text, citations, verification, usage } = written;
  const answer: Answer = {
    id: newId(),
    outcome,
    reason,
    text,
    citations,
    verification,
    model: made.model,
    route: { requested: asked.choice.requested, why: made.why },
    attempts: made.attempts,
    cache: asked.question.cache === "bypass" ? "bypass" : "miss",
    generation: asked.admission.generation,
    asOf: asOfOf(citations, asked.admission),
    usage: { ...usage, costUsd: costOf(asked.config, made.model, usage) },
    timings: {
      totalMs: deps.host.now() - asked.startedAt,
      retrieveMs: made.retrieveMs,
      firstTokenMs: made.firstTokenMs,
    },
  };
  log(deps, answer);
  return answer;
}

/** The oldest of the cited tables; of all visible ones when nothing is cited; empty when there are none. */
function asOfOf(citations: readonly Citation[], admission: Admission): string {
  const times = citations.length > 0 ? citations : admission.tables;
  return times.map((entry) => entry.asOf).reduce((a, b) => (a < b ? a : b), times[0]?.asOf ?? "");
}

/** Whether no one failed on the way: an answer of a stand-in must not outlive the failure. */
function asPreferred(answer: Answer): boolean {
  return answer.attempts.every(({ outcome }) => outcome === "ok" || outcome === "not_permitted");
}

/** Keeps a whole answer with every row that the model read, so that a change to any of them is noticed. */
function keep(deps: AskDeps, asked: Asked, key: string, answer: Answer, evidence: readonly Evidence[]): void {
  const rows = [...new Map(evidence.map((item) => [`${item.row} ${item.version}`, item])).values()];
  const ttl = asked.config.cache?.ttlSeconds ?? DEFAULT_TTL_SECONDS;
  const entry = { key, answer, rows: rows.map((item) => [item.row, item.version] as const) };
  deps.defer(deps.cache.put(entry, jittered(ttl, deps.random())));
}

function log(deps: AskDeps, answer: Answer): void {
  deps.host.log({
    level: "info",
    event: "question-answered",
    id: answer.id,
    outcome: answer.outcome,
    reason: answer.reason ?? undefined,
    model: answer.model,
    cache: answer.cache,
    generation: answer.generation,
    citations: answer.citations.length,
    removed: answer.verification.removed.length,
    inputTokens: answer.usage.inputTokens,
    outputTokens: answer.usage.outputTokens,
    totalMs: answer.timings.totalMs,
  });
}

function newId(): string {
  return `ans_${base64url(crypto.getRandomValues(new Uint8Array(12)))}`;
}
