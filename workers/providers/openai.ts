import type OpenAI from "openai";
import * as z from "zod/mini";
import { requestStream, sdkInput, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import { chatEvents, fields, parseData, streamError, tokenCount, type ReadEvent } from "./stream.ts";

/**
 * OpenAI, and everyone who speaks its protocol. Chat completions are the default because that is what other hosts speak;
 * the Responses API where the settings say so or the model is served there only.
 */

const settingsSchema = z.object({
  /** With its version path, e.g. `https://api.example.com/v1`. */
  baseUrl: z.optional(z.url({ protocol: /^https?$/ })),
  /** Name of the secret that holds the key. */
  secret: z.optional(z.string()),
  /** Which API; default: by model. */
  api: z.optional(z.enum(["chat", "responses"])),
  /** What this host calls the limit of output tokens in chat completions. */
  maxTokensField: z.optional(z.enum(["max_completion_tokens", "max_tokens"])),
});

interface Connection {
  /** As messages may name it. */
  readonly peer: string;
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly api: "chat" | "responses" | undefined;
  readonly maxTokensField: "max_completion_tokens" | "max_tokens";
}

/** Served by the Responses API only (OpenAI's model pages, 2026-11): the "pro" models, Codex and deep research. */
const RESPONSES_ONLY = /(^|-)(pro|codex|deep-research)(-|$)/;

/**
 * OpenAI itself. Environment: `OPENAI_API_KEY`; `OPENAI_BASE_URL` (with `/v1`) overrides the settings.
 * @throws QuaysideError `config_invalid` when the key is missing or a setting is malformed.
 */
export const openai: Factory<ChatProvider> = (settings, host) => {
  const parsed = parse(settings);
  const secret = parsed.secret ?? "OPENAI_API_KEY";
  const apiKey = host.secret(secret);
  if (apiKey === undefined) throw invalid("secret", `${secret} is not set`);
  return provider(host, {
    peer: "The OpenAI API",
    baseUrl: host.secret("OPENAI_BASE_URL") ?? parsed.baseUrl ?? "https://api.openai.com/v1",
    apiKey,
    api: parsed.api,
    maxTokensField: parsed.maxTokensField ?? "max_completion_tokens",
  });
};

/**
 * Any other host of the same protocol, by its settings alone: `{ baseUrl, secret? }`; without `secret` no key is needed.
 * @throws QuaysideError `config_invalid` when the base URL or the named secret is missing, or a setting is malformed.
 */
export const openaiCompatible: Factory<ChatProvider> = (settings, host) => {
  const parsed = parse(settings);
  if (parsed.baseUrl === undefined) throw invalid("baseUrl", "set the base URL, version path included");
  const apiKey = parsed.secret === undefined ? "none" : host.secret(parsed.secret);
  if (apiKey === undefined) throw invalid("secret", `${parsed.secret} is not set`);
  return provider(host, {
    peer: "The model's host",
    baseUrl: parsed.baseUrl,
    apiKey,
    api: parsed.api ?? "chat",
    maxTokensField: parsed.maxTokensField ?? "max_tokens",
  });
};

function parse(settings: Readonly<Record<string, unknown>>): z.infer<typeof settingsSchema> {
  const result = settingsSchema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
}

function invalid(pointer: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `Provider setting ${pointer}: ${rule}.`, {
    violations: [{ pointer, rule }],
  });
}

function provider(host: Host, connection: Connection): ChatProvider {
  const { peer } = connection;
  const options: StreamOptions = {
    peer,
    codes: { unavailable: "no_provider_available", rejected: "provider_rejected" },
    // 429 means two things here: wait a little, or pay first.
    failure: (status, body) =>
      status === 429 && body.includes("insufficient_quota")
        ? new QuaysideError("provider_rejected", `${peer} says that our quota is used up.`)
        : undefined,
  };
  let client: OpenAI | undefined;

  async function connect(): Promise<OpenAI> {
    // On first use: a worker that never calls this vendor never runs its SDK.
    const { default: Client } = await import("openai");
    client ??= new Client({
      apiKey: connection.apiKey,
      baseURL: connection.baseUrl,
      organization: null,
      project: null,
      maxRetries: 0,
      logLevel: "off",
      fetch: (url, init) => requestStream(host, url, sdkInput(init), options),
    });
    return client;
  }

  return {
    stream(request, signal) {
      const api = connection.api ?? (RESPONSES_ONLY.test(request.model) ? "responses" : "chat");
      const open = async (): Promise<Response> => {
        const sdk = await connect();
        // The raw response, because the SDK's own stream does not tell a complete answer from one that was cut.
        return api === "responses"
          ? sdk.responses.create(responsesBody(request), { signal }).asResponse()
          : sdk.chat.completions.create(chatBody(request, connection), { signal }).asResponse();
      };
      return chatEvents(peer, open, api === "responses" ? responsesReader(peer) : chatReader(peer), signal);
    },
  };
}

function chatBody(
  request: ChatRequest,
  connection: Connection,
): OpenAI.Chat.Completions.ChatCompletionCreateParamsStreaming {
  return {
    model: request.model,
    messages: [
      { role: "system", content: request.system },
      ...request.messages.map(({ role, content }) => ({ role, content })),
    ],
    [connection.maxTokensField]: request.maxOutputTokens,
    stream: true,
    stream_options: { include_usage: true },
  };
}

function responsesBody(request: ChatRequest): OpenAI.Responses.ResponseCreateParamsStreaming {
  return {
    model: request.model,
    instructions: request.system,
    input: request.messages.map(({ role, content }) => ({ role, content })),
    max_output_tokens: request.maxOutputTokens,
    // The Responses API keeps answers for later retrieval unless told not to.
    store: false,
    stream: true,
  };
}

const CHAT_REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
};

/** Chunks of a chat completion: deltas, then the finish reason, then usage with no choice, then `[DONE]`. */
function chatReader(peer: string): ReadEvent {
  return (event, reading) => {
    if (event.data === "[DONE]") {
      reading.ended = true;
      return;
    }
    const chunk = parseData(event.data);
    if (chunk["error"] !== undefined && chunk["error"] !== null) throw reported(peer, fields(chunk["error"]));
    const [choice] = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
    const { delta, finish_reason: reason } = fields(choice);
    const { content, refusal } = fields(delta);
    if (typeof content === "string") reading.text += content;
    if (typeof reason === "string") reading.reason ??= CHAT_REASONS[reason] ?? "other";
    if (typeof refusal === "string" && refusal !== "") reading.reason = "content-filter";
    const usage = fields(chunk["usage"]);
    reading.inputTokens = tokenCount(usage["prompt_tokens"]) ?? reading.inputTokens;
    reading.outputTokens = tokenCount(usage["completion_tokens"]) ?? reading.outputTokens;
  };
}

/** Events of the Responses API; `response.completed`, `.incomplete` and `.failed` each end the stream. */
function responsesReader(peer: string): ReadEvent {
  return (event, reading) => {
    if (event.data === "[DONE]") return;
    const data = parseData(event.data);
    switch (data["type"]) {
      case "response.output_text.delta":
        if (typeof data["delta"] === "string") reading.text += data["delta"];
        return;
      case "response.refusal.delta":
        reading.reason = "content-filter";
        return;
      case "response.failed":
        throw reported(peer, fields(fields(data["response"])["error"]));
      case "error":
        throw reported(peer, { ...data, ...fields(data["error"]) });
      case "response.completed":
      case "response.incomplete": {
        const response = fields(data["response"]);
        const why = fields(response["incomplete_details"])["reason"];
        reading.reason ??=
          why === "max_output_tokens" ? "length" : why === "content_filter" ? "content-filter" : "stop";
        const usage = fields(response["usage"]);
        reading.inputTokens = tokenCount(usage["input_tokens"]);
        reading.outputTokens = tokenCount(usage["output_tokens"]);
        reading.ended = true;
        return;
      }
      default:
        return;
    }
  };
}

/** The code of an error inside a stream, by the vendor's own code or type of it. */
function reported(peer: string, error: Readonly<Record<string, unknown>>): QuaysideError {
  const kinds = [error["code"], error["type"]];
  const is = (...names: string[]): boolean => names.some((name) => kinds.includes(name));
  const code: ErrorCode = is("rate_limit_exceeded", "rate_limit_error")
    ? "rate_limited"
    : is(
          "insufficient_quota",
          "invalid_request_error",
          "invalid_api_key",
          "authentication_error",
          "invalid_prompt",
        )
      ? "provider_rejected"
      : "no_provider_available";
  return streamError(peer, code, error);
}
