import type { Config, Limits } from "../../shared/config.ts";
import { aborted } from "../../shared/http.ts";
import type { ChatEvent, ChatRequest, FinishReason, Usage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import { modelConfig, type Attempt, type Providers, type Route } from "./route.ts";

/** Most calls to providers that one question may cause. */
const MAX_CALLS = 3;
/** Full jitter of a second try goes up to this. */
const RETRY_BASE_MS = 200;
/** A provider that asks for a longer wait is left for the next. */
const LONGEST_WAIT_MS = 2000;

/** Failures before the first token after which the same provider gets one more try. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set([
  "rate_limited",
  "no_provider_available",
  "provider_bad_response",
]);

export interface GenerateDeps {
  readonly providers: Providers;
  /** Waits. @throws QuaysideError once the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** 0 to 1. */
  readonly random: () => number;
}

export interface GenerateInput {
  readonly route: Route;
  readonly config: Config;
  readonly limits: Limits;
  /** `model` and `maxOutputTokens` are set for each candidate. */
  readonly request: Omit<ChatRequest, "model" | "maxOutputTokens">;
  readonly maxOutputTokens: number;
}

export type GenerateEvent =
  /** The model that answers, before its first text. Nothing is tried elsewhere after this. */
  | { readonly type: "start"; readonly model: string; readonly attempts: readonly Attempt[] }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "finish"; readonly reason: FinishReason; readonly usage: Usage };

/**
 * Streams an answer from the first candidate that begins one. Before the first token a failure moves on (one more try where
 * that may help, then the next candidate); after it a failure ends the answer, because two models' words never mix.
 * @throws QuaysideError `provider_stream_interrupted` after the first token; before it the last candidate's failure;
 * `deadline_exceeded`, `cancelled`.
 */
export async function* generate(
  input: GenerateInput,
  signal: AbortSignal,
  deps: GenerateDeps,
): AsyncGenerator<GenerateEvent, void, undefined> {
  const attempts: Attempt[] = [];
  let failure = new QuaysideError("no_provider_available", "No model could be called.");
  let calls = 0;
  for (const { model, barred } of input.route) {
    if (barred !== undefined) {
      attempts.push({ model, outcome: barred });
      continue;
    }
    for (let retried = false; calls < MAX_CALLS; retried = true) {
      calls += 1;
      const stream = openGuarded(input, model, signal, deps);
      let event: ChatEvent;
      try {
        event = await stream.next(input.limits.firstTokenTimeoutMs);
      } catch (error) {
        stream.close();
        if (signal.aborted) throw aborted(signal);
        failure = providerFailure(error);
        attempts.push({ model, outcome: failure.code });
        const waitMs = failure.retryAfterMs ?? Math.round(deps.random() * RETRY_BASE_MS);
        if (retried || !RETRYABLE.has(failure.code) || waitMs > LONGEST_WAIT_MS || calls === MAX_CALLS) break;
        await deps.sleep(waitMs, signal);
        continue;
      }
      attempts.push({ model, outcome: "ok" });
      yield { type: "start", model, attempts };
      yield* rest(stream, event, input.limits.idleTimeoutMs, signal);
      return;
    }
  }
  throw finalFailure(failure);
}

async function* rest(
  stream: Guarded,
  first: ChatEvent,
  idleTimeoutMs: number,
  signal: AbortSignal,
): AsyncGenerator<GenerateEvent, void, undefined> {
  try {
    for (let event = first; ; event = await stream.next(idleTimeoutMs)) {
      if (event.type === "finish") {
        yield event;
        return;
      }
      yield { type: "text", text: event.text };
    }
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
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
  /** Cancels the call upstream; does not wait for it. */
  close(): void;
}

/**
 * One call, with a clock of our own on every read: a stream that hangs may ignore its signal as well. The clock is one timer
 * that looks back, not one a token.
 */
function openGuarded(input: GenerateInput, model: string, outer: AbortSignal, deps: GenerateDeps): Guarded {
  const controller = new AbortController();
  let iterator: AsyncIterator<ChatEvent> | undefined;
  let reject: ((error: unknown) => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let due = 0;
  let waiting: { readonly timeoutMs: number; readonly since: number } | undefined;

  const stop = (error: QuaysideError): void => {
    controller.abort(error);
    reject?.(error);
  };
  const onAbort = (): void => stop(aborted(outer));
  outer.addEventListener("abort", onAbort, { once: true });

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
    const most = modelConfig(input.config, model).maxOutputTokens ?? Number.POSITIVE_INFINITY;
    const request: ChatRequest = {
      ...input.request,
      model: model.slice(model.indexOf("/") + 1),
      maxOutputTokens: Math.min(input.maxOutputTokens, input.limits.outputTokens, most),
    };
    return provider.stream(request, controller.signal)[Symbol.asyncIterator]();
  };

  return {
    async next(timeoutMs) {
      if (outer.aborted) throw aborted(outer);
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
        return result.value;
      } finally {
        waiting = undefined;
      }
    },
    close() {
      clearTimeout(timer);
      outer.removeEventListener("abort", onAbort);
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

function providerFailure(error: unknown): QuaysideError {
  return error instanceof QuaysideError
    ? error
    : new QuaysideError("provider_bad_response", "The model's provider failed unexpectedly.", {
        cause: error,
      });
}

/** What the caller is told when no candidate began: a provider's limit is not the caller's. */
function finalFailure(failure: QuaysideError): QuaysideError {
  if (failure.code !== "rate_limited" && failure.code !== "config_invalid") return failure;
  return new QuaysideError("no_provider_available", "No model that may answer this can be called now.", {
    cause: failure,
    retryAfterMs: failure.retryAfterMs,
  });
}
