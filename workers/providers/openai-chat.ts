import type OpenAI from "openai";
import type { ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import { contextTooLong } from "./settings.ts";
import {
  fields,
  modelName,
  parseData,
  streamError,
  tokenCount,
  type ReadEvent,
  type Reading,
} from "./stream.ts";

/** OpenAI's chat completions on the wire, which many hosts speak: what is sent, and what is read of the stream. */

/** What a host calls the limit of output tokens. */
export type MaxTokensField = "max_completion_tokens" | "max_tokens";

/** What a configuration may add to a request. */
export type ChatOptions = Pick<
  OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming,
  "reasoning_effort" | "prompt_cache_key"
>;

export function chatBody(
  request: ChatRequest,
  maxTokensField: MaxTokensField,
  options: ChatOptions = {},
): OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: [
      { role: "system", content: request.system },
      ...request.messages.map(({ role, content }) => ({ role, content })),
    ],
    [maxTokensField]: request.maxOutputTokens,
    stream: true,
    stream_options: { include_usage: true },
    ...options,
  };
}

const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
};

/** Chunks of a chat completion: deltas, then the finish reason, then usage with no choice, then `[DONE]`. */
export function chatReader(peer: string): ReadEvent {
  return (event, reading) => {
    if (event.data === "[DONE]") {
      reading.ended = true;
      return;
    }
    readChunk(peer, parseData(event.data), reading);
  };
}

/** One chunk that is not the last word. @throws QuaysideError for an error in its place. */
export function readChunk(peer: string, chunk: Readonly<Record<string, unknown>>, reading: Reading): void {
  if (chunk["error"] !== undefined && chunk["error"] !== null) {
    throw reportedError(peer, fields(chunk["error"]));
  }
  reading.served ??= modelName(chunk["model"]);
  const [choice] = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
  const { delta, finish_reason: reason } = fields(choice);
  const { content, refusal } = fields(delta);
  if (typeof content === "string") reading.text += content;
  if (typeof reason === "string") reading.reason ??= REASONS[reason] ?? "other";
  if (typeof refusal === "string" && refusal !== "") reading.reason = "content-filter";
  const usage = fields(chunk["usage"]);
  reading.inputTokens = tokenCount(usage["prompt_tokens"]) ?? reading.inputTokens;
  reading.outputTokens = tokenCount(usage["completion_tokens"]) ?? reading.outputTokens;
}

/**
 * What an error status of this protocol means beyond its number. 429 means two things: wait a little, or pay first. Hosts that
 * give a prompt's length no code of its own (vLLM, Ollama) say it in words.
 */
export function chatFailure(peer: string): (status: number, body: string) => QuaysideError | undefined {
  return (status, body) => {
    if (status === 429 && body.includes("insufficient_quota")) {
      return new QuaysideError("provider_misconfigured", `${peer} says that our quota is used up.`);
    }
    const tooLong = /context_length_exceeded|maximum context length|exceeds? the (available )?context/i;
    return status === 400 && tooLong.test(body) ? contextTooLong(peer) : undefined;
  };
}

/** The code of an error inside a stream, by the vendor's own code or type of it. */
export function reportedError(peer: string, error: Readonly<Record<string, unknown>>): QuaysideError {
  const kinds = [error["code"], error["type"]];
  const is = (...names: string[]): boolean => names.some((name) => kinds.includes(name));
  return streamError(peer, codeOf(is), error);
}

function codeOf(is: (...names: string[]) => boolean): ErrorCode {
  if (is("context_length_exceeded")) return "context_too_long";
  if (is("rate_limit_exceeded", "rate_limit_error")) return "rate_limited";
  if (is("insufficient_quota", "invalid_api_key", "authentication_error")) return "provider_misconfigured";
  return is("invalid_request_error", "invalid_prompt") ? "provider_rejected" : "provider_reported_error";
}
