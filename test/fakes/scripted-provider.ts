import type { ChatEvent, ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";

/** What a scripted model does next. `hang` ignores every signal, as a broken client would. */
export type Step =
  | { readonly say: string }
  | { readonly finish: FinishReason; readonly inputTokens?: number | undefined; readonly served?: string }
  | { readonly fail: ErrorCode; readonly retryAfterMs?: number }
  /** The other side has answered, without a word so far. */
  | { readonly answering: true }
  /** What the other side says it has used, before the answer is whole. */
  | { readonly used: number }
  | { readonly waitMs: number }
  | { readonly hang: true };

export interface ScriptedProvider extends ChatProvider {
  readonly requests: readonly ChatRequest[];
  /** How many calls' signals were aborted. */
  readonly aborted: () => number;
}

/** A model that follows a script: the n-th call the n-th list of steps, the last list again after that. */
export function scriptedProvider(...scripts: readonly (readonly Step[])[]): ScriptedProvider {
  const requests: ChatRequest[] = [];
  let aborted = 0;
  return {
    requests,
    aborted: () => aborted,
    async *stream(request, signal): AsyncGenerator<ChatEvent> {
      const script = scripts[Math.min(requests.length, scripts.length - 1)] ?? [];
      requests.push(request);
      signal.addEventListener("abort", () => (aborted += 1), { once: true });
      for (const step of script) {
        if ("say" in step) yield { type: "text-delta", text: step.say };
        else if ("finish" in step) {
          const inputTokens = "inputTokens" in step ? step.inputTokens : 100;
          const usage = { inputTokens, outputTokens: 20 };
          yield { type: "finish", reason: step.finish, usage, served: step.served };
        } else if ("answering" in step) request.answering?.();
        else if ("used" in step) request.used?.({ inputTokens: step.used, outputTokens: undefined });
        else if ("waitMs" in step) await new Promise((resolve) => setTimeout(resolve, step.waitMs));
        else if ("fail" in step) {
          throw new QuaysideError(step.fail, "scripted", { retryAfterMs: step.retryAfterMs });
        } else await new Promise(() => undefined);
      }
    },
  };
}

/** A model that says one text and stops. */
export function saying(text: string): ScriptedProvider {
  return scriptedProvider([{ say: text }, { finish: "stop" }]);
}
