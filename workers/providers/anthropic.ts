import type Anthropic from "@anthropic-ai/sdk";
import * as z from "zod/mini";
import { requestStream, sdkInput, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { contextTooLong, PROVIDER_CODES } from "./settings.ts";
import {
  chatEvents,
  fields,
  modelName,
  parseData,
  streamError,
  tokenCount,
  type ReadEvent,
} from "./stream.ts";

/** Anthropic's Messages API. */

const settingsSchema = z.object({
  /** Without a version path, e.g. `https://api.anthropic.com`. */
  baseUrl: z.optional(z.url({ protocol: /^https?$/ })),
  /** Name of the secret that holds the key; default `ANTHROPIC_API_KEY`. */
  secret: z.optional(z.string()),
});

const PEER = "The Anthropic API";

/**
 * Environment: `ANTHROPIC_API_KEY`; `ANTHROPIC_BASE_URL` (no `/v1`) overrides the settings.
 * @throws QuaysideError `config_invalid` when the key is missing or a setting is malformed.
 */
export const anthropic: Factory<ChatProvider> = (settings, host) => {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw invalid(issue?.path.join(".") ?? "", issue?.message ?? "malformed");
  }
  const secret = parsed.data.secret ?? "ANTHROPIC_API_KEY";
  const apiKey = host.secret(secret);
  if (apiKey === undefined) throw invalid("secret", `${secret} is not set`);
  const baseURL = host.secret("ANTHROPIC_BASE_URL") ?? parsed.data.baseUrl ?? "https://api.anthropic.com";
  const options: StreamOptions = {
    peer: PEER,
    codes: PROVIDER_CODES,
    // "prompt is too long: 208310 tokens > 200000 maximum", of type invalid_request_error (Anthropic, "Context windows").
    failure: (status, body) =>
      status === 400 && body.includes("prompt is too long") ? contextTooLong(PEER) : undefined,
  };
  let messages: Anthropic.Messages | undefined;

  async function connect(): Promise<Anthropic.Messages> {
    // On first use: a worker that never calls this vendor never runs its SDK.
    const { BaseAnthropic, Messages } = await import("./anthropic-sdk.ts");
    messages ??= new Messages(
      new BaseAnthropic({
        apiKey,
        authToken: null,
        baseURL,
        maxRetries: 0,
        logLevel: "off",
        openTelemetry: false,
        fetch: (url, init) => requestStream(host, url, sdkInput(init), options),
      }),
    );
    return messages;
  }

  return {
    stream(request, signal) {
      const open = async (): Promise<Response> => {
        const api = await connect();
        // The raw response, because the SDK's own stream does not tell a complete answer from one that was cut.
        return api.create(body(request), { signal }).asResponse();
      };
      return chatEvents(PEER, open, read, signal);
    },
  };
};

function invalid(pointer: string, rule: string): QuaysideError {
  return new QuaysideError("config_invalid", `Provider setting ${pointer}: ${rule}.`, {
    violations: [{ pointer, rule }],
  });
}

function body(request: ChatRequest): Anthropic.MessageCreateParamsStreaming {
  return {
    model: request.model,
    // The instructions are the same for every question: cached, they cost a tenth after the first.
    system: [{ type: "text", text: request.system, cache_control: { type: "ephemeral" } }],
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    max_tokens: request.maxOutputTokens,
    stream: true,
  };
}

const REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  refusal: "content-filter",
};

/** Events of a message: start (input tokens), text deltas, one `message_delta` (why it stopped, output tokens), stop. */
const read: ReadEvent = (event, reading) => {
  const data = parseData(event.data);
  switch (data["type"]) {
    case "content_block_delta": {
      const delta = fields(data["delta"]);
      if (delta["type"] === "text_delta" && typeof delta["text"] === "string") reading.text += delta["text"];
      return;
    }
    case "message_start":
      reading.served = modelName(fields(data["message"])["model"]);
      reading.inputTokens = inputTokens(fields(fields(data["message"])["usage"]));
      return;
    case "message_delta": {
      const reason = fields(data["delta"])["stop_reason"];
      if (typeof reason === "string") reading.reason = REASONS[reason] ?? "other";
      const usage = fields(data["usage"]);
      reading.outputTokens = tokenCount(usage["output_tokens"]) ?? reading.outputTokens;
      return;
    }
    case "message_stop":
      reading.ended = true;
      return;
    case "error":
      throw reported(fields(data["error"]));
    default:
      return;
  }
};

/** What was read from or written to the prompt cache is not part of `input_tokens`, and is billed. */
function inputTokens(usage: Readonly<Record<string, unknown>>): number | undefined {
  const fresh = tokenCount(usage["input_tokens"]);
  if (fresh === undefined) return undefined;
  const written = tokenCount(usage["cache_creation_input_tokens"]) ?? 0;
  return fresh + written + (tokenCount(usage["cache_read_input_tokens"]) ?? 0);
}

/** Error types: Anthropic's API reference, "Errors". */
const ERRORS: Readonly<Record<string, ErrorCode>> = {
  rate_limit_error: "rate_limited",
  invalid_request_error: "provider_rejected",
  authentication_error: "provider_misconfigured",
  billing_error: "provider_misconfigured",
  permission_error: "provider_misconfigured",
  not_found_error: "provider_misconfigured",
  request_too_large: "prompt_too_large",
};

function reported(error: Readonly<Record<string, unknown>>): QuaysideError {
  const type = error["type"];
  return streamError(
    PEER,
    (typeof type === "string" ? ERRORS[type] : undefined) ?? "provider_reported_error",
    error,
  );
}
