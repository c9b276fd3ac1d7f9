import type { Evidence } from "./evidence.ts";

export interface ChatMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
}

/**
 * One question to a model, in both forms a provider may want: the rendered prompt (`system`, `messages`) for
 * language models, and the parts it was made from (`question`, `evidence`) for the built-in answerers.
 */
export interface ChatRequest {
  /** The provider's own model id. */
  readonly model: string;
  readonly system: string;
  /** Oldest first; starts and ends with role "user". The last one holds question and evidence. */
  readonly messages: readonly ChatMessage[];
  readonly maxOutputTokens: number;
  readonly question: string;
  /** What the answer may rest on; `evidence[i]` is cited as `[i + 1]`. */
  readonly evidence: readonly Evidence[];
  readonly language: "en" | "fr";
  /** The day that "today" means in the question, ISO 8601. */
  readonly today: string;
  /** Called once, when the other side has answered: its headers are there, its first word perhaps not. */
  readonly answering?: () => void;
  /** Called with what the other side has told of its usage before the answer is whole: with its first words, and when it fails. */
  readonly used?: (usage: Usage) => void;
}

/** `no-evidence`: the model says that the rows do not answer; `needs-total`: they would have to be counted or summed. */
export type FinishReason = "stop" | "length" | "content-filter" | "no-evidence" | "needs-total" | "other";

/** Token counts as billed; undefined when the provider does not report one. */
export interface Usage {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

export type ChatEvent =
  | { readonly type: "text-delta"; readonly text: string }
  | {
      readonly type: "finish";
      readonly reason: FinishReason;
      readonly usage: Usage;
      /** The model that the provider says has answered, where it says; often a dated version of the one asked. */
      readonly served?: string | undefined;
      /** How many pieces of text came twice in a row, byte for byte; they are passed on as they came. */
      readonly repeated?: number;
    };

/** A writer of answers. Streaming is the only mode; a caller that wants the whole text collects it. */
export interface ChatProvider {
  /**
   * Yields zero or more "text-delta", then exactly one "finish", which is last.
   * Failures are thrown, before or between events, never yielded: QuaysideError `provider_unreachable` (no response at all),
   * `provider_misconfigured` (our key, account, model name or base URL), `provider_rejected` (this request),
   * `context_too_long`, `prompt_too_large`, `rate_limited`, `no_provider_available` (5xx, or cut before the first token),
   * `provider_reported_error` (an error, or no event stream, under a good status), `provider_bad_response` (malformed or empty
   * before the first token), `provider_stream_interrupted` (cut after it), `deadline_exceeded`, `cancelled`.
   * Ending the iteration early, or aborting `signal`, cancels the upstream request. Never retries once an event was yielded.
   */
  stream(request: ChatRequest, signal: AbortSignal): AsyncIterable<ChatEvent>;
}
