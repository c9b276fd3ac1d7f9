import type { Limits } from "../../shared/config-limits.ts";
import type { Config } from "../../shared/config.ts";
import { onAbort } from "../../shared/deadline.ts";
import { aborted } from "../../shared/http.ts";
import type { ChatEvent, ChatRequest, FinishReason, Usage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { OpenCircuit } from "../tenant/api-answers.ts";
import type { ModelHealth } from "./health.ts";
import { isAbsurd, settleUsage, UNTOLD, type Settled, type Spoken } from "./usage.ts";
import { modelConfig, type Attempt, type Providers, type Route } from "./route.ts";

/** Most calls to providers that one question may cause. */
const MAX_CALLS = 3;
/** Full jitter of a second try goes up to this. */
const RETRY_BASE_MS = 200;
/** A provider that asks for a longer wait is left for the next. */
const LONGEST_WAIT_MS = 2000;

/** What is done about a failure before the first token: `next` where nothing is said. */
type Reaction =
  /** One more try at the same model, then the next. */
  | "again"
  /** The next model; one more try where there is none. */
  | "next-or-again"
  | "next"
  /** The next model that reads more; else it is the caller's to hear. */
  | "larger"
  /** No model would take it. */
  | "stop";

const REACTIONS: { readonly [Code in ErrorCode]?: Reaction } = {
  rate_limited: "again",
  no_provider_available: "again",
  provider_bad_response: "again",
  provider_unreachable: "next-or-again",
  context_too_long: "larger",
  prompt_too_large: "stop",
  provider_rejected: "stop",
};

/** Failures that say something of how the model fares, not of our request or key. */
const UNWELL: ReadonlySet<ErrorCode> = new Set([
  "rate_limited",
  "no_provider_available",
  "provider_unreachable",
  "provider_reported_error",
  "provider_bad_response",
  "provider_stream_interrupted",
  "deadline_exceeded",
]);

export interface GenerateDeps {
  readonly providers: Providers;
  readonly health: ModelHealth;
  /** Waits. @throws QuaysideError once the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1. */
  readonly random: () => number;
  readonly host: Pick<Host, "now" | "log">;
  /** Told of a model that keeps failing, once, when its circuit opens. */
  readonly opened?: (model: string) => void;
  /** Told of a call that came to nothing before its first word, and may be billed all the same. */
  readonly billed?: (model: string, usage: Settled) => void;
  /** Asked before each call but the first. @throws QuaysideError when there is no money for another. */
  readonly again?: (model: string) => Promise<void>;
}

export interface GenerateInput {
  readonly route: Route;
  readonly config: Config;
  readonly limits: Limits;
  /** `model` and `maxOutputTokens` are set for each candidate. */
  readonly request: Omit<ChatRequest, "model" | "maxOutputTokens">;
  readonly maxOutputTokens: number;
  /** Models that another isolate found failing, and for how many milliseconds they are left alone. */
  readonly open?: readonly OpenCircuit[] | undefined;
}

export type GenerateEvent =
  /** The model that answers, before its first text. Nothing is tried elsewhere after this. */
  | {
      readonly type: "start";
      readonly model: string;
      readonly attempts: readonly Attempt[];
      /** What the provider has told of its usage so far. */
      readonly told: Usage;
    }
  | { readonly type: "text"; readonly text: string }
  | {
      readonly type: "finish";
      readonly reason: FinishReason;
      readonly usage: Settled;
      /** The model's name as the provider reports it. */
      readonly served: string | undefined;
    };

/**
 * Streams an answer from the first candidate that begins one. Before the first token a failure moves on, as `REACTIONS` say;
 * after it a failure ends the answer, because two models' words never mix.
 * @throws QuaysideError `provider_stream_interrupted` after the first token; before it what `finalFailure` makes of the failures;
 * `deadline_exceeded`, `cancelled`.
 */
export async function* generate(
  input: GenerateInput,
  signal: AbortSignal,
  deps: GenerateDeps,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const { health } = deps;
  const attempts: Attempt[] = [];
  const failures: QuaysideError[] = [];
  let calls = 0;
  /** After a prompt that was too long: models that read no more than this are passed over. */
  let tooSmall = 0;
  const { candidates } = input.route;
  const callable = candidates.filter(({ barred }) => barred === undefined);
  for (const { model, barred } of candidates) {
    if (barred !== undefined) {
      attempts.push({ model, outcome: barred });
      continue;
    }
    const { contextTokens } = modelConfig(input.config, model);
    if (calls === MAX_CALLS || contextTokens <= tooSmall) continue;
    const [, elsewhereMs] = input.open?.find(([open]) => open === model) ?? [];
    const gate = elsewhereMs === undefined ? health.gate(model) : "open";
    if (gate === "open") {
      attempts.push({ model, outcome: "circuit_open" });
      failures.push(circuitOpen(elsewhereMs ?? health.waitMs(model)));
      continue;
    }
    let failure: QuaysideError;
    for (let retried = false; ; retried = true) {
      try {
        if (calls > 0) await deps.again?.(model);
      } catch (error) {
        if (signal.aborted) throw aborted(signal);
        failure = providerFailure(error);
        attempts.push({ model, outcome: failure.code });
        break;
      }
      calls += 1;
      const stream = openGuarded(input, model, signal, deps);
      let event: ChatEvent;
      try {
        event = await stream.next(input.limits.firstTokenTimeoutMs);
      } catch (error) {
        stream.close();
        failure = providerFailure(error);
        tellBilled(deps, input, model, stream, failure.code);
        if (signal.aborted) throw aborted(signal);
        attempts.push({ model, outcome: failure.code });
        logFailure(deps, model, failure.code);
        if (UNWELL.has(failure.code)) health.called(model, false);
        const last = model === callable.at(-1)?.model;
        const reaction = REACTIONS[failure.code];
        const again = reaction === "again" || (reaction === "next-or-again" && last);
        const waitMs = failure.retryAfterMs ?? Math.round(deps.random() * RETRY_BASE_MS);
        const allowed = !retried && calls < MAX_CALLS && health.mayRetry(model);
        if (!again || !allowed || waitMs > LONGEST_WAIT_MS) break;
        await deps.sleep(waitMs, signal);
        continue;
      }
      attempts.push({ model, outcome: "ok" });
      yield { type: "start", model, attempts, told: stream.told() };
      yield* rest(stream, event, model, input, signal, deps);
      return;
    }
    failures.push(failure);
    if (UNWELL.has(failure.code)) endedBadly(deps, model);
    if (REACTIONS[failure.code] === "stop") throw failure;
    if (REACTIONS[failure.code] === "larger") tooSmall = Math.max(tooSmall, contextTokens);
  }
  throw finalFailure(failures);
}

/** A provider that says why it gives no answer bills nothing, unless it says otherwise. */
const REFUSED: ReadonlySet<ErrorCode> = new Set([
  "rate_limited",
  "provider_reported_error",
  "provider_misconfigured",
  "provider_rejected",
  "context_too_long",
  "prompt_too_large",
]);

/** A call that was taken and broke off has been read: what is not told of it is estimated. One that was not taken costs nothing. */
function tellBilled(
  { billed }: GenerateDeps,
  input: GenerateInput,
  model: string,
  stream: Guarded,
  code: ErrorCode,
): void {
  const told = stream.told();
  const counted = told.inputTokens !== undefined || told.outputTokens !== undefined;
  if (counted || (stream.answering() && !REFUSED.has(code))) {
    billed?.(model, settleUsage(told, spokenBy(input, model, "")));
  }
}

function endedBadly({ health, host, opened }: GenerateDeps, model: string): void {
  if (!health.ended(model, false)) return;
  host.log({ level: "error", event: "model-circuit-opened", model });
  opened?.(model);
}

/** A key, an account or a name that is not right is for an operator to repair: an error; the rest passes. */
function logFailure({ host }: GenerateDeps, model: string, code: ErrorCode): void {
  const level = code === "provider_misconfigured" || code === "config_invalid" ? "error" : "warn";
  host.log({ level, event: "model-failed", model, code });
}

function circuitOpen(waitMs: number): QuaysideError {
  return new QuaysideError(
    "no_provider_available",
    "The model has failed repeatedly and is left alone for now.",
    {
      retryAfterMs: waitMs,
    },
  );
}

async function* rest(
  stream: Guarded,
  first: ChatEvent,
  model: string,
  input: GenerateInput,
  signal: AbortSignal,
  deps: GenerateDeps,
): AsyncGenerator<GenerateEvent, void, undefined> {
  let text = "";
  try {
    for (let event = first; ; event = await stream.next(input.limits.idleTimeoutMs)) {
      if (event.type === "finish") {
        deps.health.called(model, true);
        deps.health.ended(model, true);
        const { reason, served, usage } = event;
        const spoken = spokenBy(input, model, text);
        const flag = (name: string): void => deps.host.log({ level: "warn", event: name, model });
        if (isAbsurd(usage, spoken)) flag("model-usage-absurd");
        if ((event.repeated ?? 0) > 0) flag("model-repeated-itself");
        yield { type: "finish", reason, served, usage: settleUsage(usage, spoken) };
        return;
      }
      text += event.text;
      yield { type: "text", text: event.text };
    }
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
    logFailure(deps, model, "provider_stream_interrupted");
    deps.health.called(model, false);
    endedBadly(deps, model);
    throw new QuaysideError("provider_stream_interrupted", "The model stopped in the middle of its answer.", {
      cause: error,
    });
  } finally {
    stream.close();
  }
}

interface Guarded {
  /** @throws QuaysideError, and whatever the provider throws. */
  next(timeoutMs: number): Promise<ChatEvent>;
  /** Whether the other side has answered, its first word or only that it will. */
  answering(): boolean;
  told(): Usage;
  /** Cancels the call upstream; does not wait for it. */
  close(): void;
}

/**
 * One call, with a clock of our own on every read: a stream that hangs may ignore its signal as well. The clock is one timer
 * that looks back, not one a token. Until the other side answers at all, `headersTimeoutMs` holds where it is shorter.
 */
function openGuarded(input: GenerateInput, model: string, outer: AbortSignal, deps: GenerateDeps): Guarded {
  const controller = new AbortController();
  let iterator: AsyncIterator<ChatEvent> | undefined;
  let reject: ((error: unknown) => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = 0;
  let waiting: { timeoutMs: number; readonly since: number } | undefined;
  let answering = false;
  let told: Usage = UNTOLD;

  const stop = (error: QuaysideError): void => {
    controller.abort(error);
    reject?.(error);
  };
  const release = onAbort(outer, () => stop(aborted(outer)));

  const arm = (inMs: number): void => {
    clearTimeout(timer);
    due = performance.now() + inMs;
    timer = setTimeout(watch, inMs);
  };
  const watch = (): void => {
    timer = undefined;
    if (!waiting) return;
    const leftMs = waiting.since + waiting.timeoutMs - performance.now();
    if (leftMs > 0) arm(leftMs);
    else stop(new QuaysideError("deadline_exceeded", "The model did not answer in time."));
  };

  const start = async (): Promise<AsyncIterator<ChatEvent>> => {
    const provider = await deps.providers.open(model, input.config);
    const request: ChatRequest = {
      ...input.request,
      model: model.slice(model.indexOf("/") + 1),
      maxOutputTokens: outputLimit(input, model),
      answering() {
        answering = true;
        if (waiting) waiting.timeoutMs = input.limits.firstTokenTimeoutMs;
      },
      used: (usage) => void (told = usage),
    };
    return provider.stream(request, controller.signal)[Symbol.asyncIterator]();
  };

  return {
    answering: () => answering,
    told: () => told,
    async next(wordMs) {
      if (outer.aborted) throw aborted(outer);
      const timeoutMs = answering ? wordMs : Math.min(wordMs, input.limits.headersTimeoutMs);
      waiting = { timeoutMs, since: performance.now() };
      if (timer === undefined || due > waiting.since + timeoutMs) arm(timeoutMs);
      try {
        const result = await new Promise<IteratorResult<ChatEvent>>((resolve, fail) => {
          reject = fail;
          void step().then(resolve, fail);
        });
        if (result.done === true) {
          throw new QuaysideError("provider_bad_response", "The model's stream ended without finishing.");
        }
        answering = true;
        return result.value;
      } finally {
        waiting = undefined;
      }
    },
    close() {
      clearTimeout(timer);
      release();
      controller.abort(new QuaysideError("cancelled", "The call is no longer needed."));
      // A generator that hangs would keep us waiting; its failure is of no more interest.
      iterator?.return?.().catch(() => undefined);
    },
  };

  async function step(): Promise<IteratorResult<ChatEvent>> {
    iterator ??= await start();
    return iterator.next();
  }
}

/** What a model has read, and said so far. */
export function spokenBy(input: GenerateInput, model: string, text: string): Spoken {
  const { contextTokens } = modelConfig(input.config, model);
  return { request: input.request, text, contextTokens, maxOutputTokens: outputLimit(input, model) };
}

/** Most tokens that a model may say. */
export function outputLimit(input: GenerateInput, model: string): number {
  const most = modelConfig(input.config, model).maxOutputTokens ?? Number.POSITIVE_INFINITY;
  return Math.min(input.maxOutputTokens, input.limits.outputTokens, most);
}

function providerFailure(error: unknown): QuaysideError {
  return error instanceof QuaysideError
    ? error
    : new QuaysideError("provider_bad_response", "The model's provider failed unexpectedly.", {
        cause: error,
      });
}

/**
 * What the caller is told when no candidate began. One model's failure is told as it is, except that a provider's limit, our
 * configuration or a closed door is not the caller's business; of several models only that none answered.
 */
function finalFailure(failures: readonly QuaysideError[]): QuaysideError {
  const [only, ...others] = failures;
  const tooLong = failures.find(({ code }) => code === "context_too_long");
  if (tooLong) return tooLong;
  const untold: readonly ErrorCode[] = ["rate_limited", "config_invalid", "provider_unreachable"];
  if (only && others.length === 0 && !untold.includes(only.code)) return only;
  const waits = failures.flatMap(({ retryAfterMs }) => retryAfterMs ?? []);
  return new QuaysideError("no_provider_available", "No model that may answer this can be called now.", {
    cause: failures.at(-1),
    retryAfterMs: waits.length > 0 ? Math.min(...waits) : undefined,
  });
}
