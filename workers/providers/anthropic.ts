import type Anthropic from "@anthropic-ai/sdk";
import * as z from "zod/mini";
import { requestStream, sdkInput, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import type { QuaysideError, ErrorCode } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { contextTooLong, modelFields, parseSettings, PROVIDER_CODES, secretOf } from "./settings.ts";
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
  /** How much the model puts into its answer. */
  effort: z.optional(z.enum(["low", "medium", "high", "xhigh", "max"])),
  /** `adaptive` leaves it to the model; a budget, in tokens, is for models without that. Thoughts count as output. */
  thinking: z.optional(
    z.union([
      z.literal("adaptive"),
      z.literal("off"),
      z.strictObject({ budget: z.number().check(z.int(), z.minimum(1024)) }),
    ]),
  ),
  /** Marks the instructions for the prompt cache; default true. */
  promptCache: z.optional(z.boolean()),
  modelFields,
});

const PEER = "The Anthropic API";

/**
 * Environment: `ANTHROPIC_API_KEY`; `ANTHROPIC_BASE_URL` (no `/v1`) overrides the settings.
 * @throws QuaysideError `config_invalid` when the key is missing or a setting is malformed.
 */
export const anthropic: Factory<ChatProvider> = (settings, host) => {
  const parsed = parseSettings(settingsSchema, settings);
  const apiKey = secretOf(host, parsed.secret ?? "ANTHROPIC_API_KEY");
  const baseURL = host.secret("ANTHROPIC_BASE_URL") ?? parsed.baseUrl ?? "https://api.anthropic.com";
  const options: StreamOptions = {
    peer: PEER,
    codes: PROVIDER_CODES,
    // "prompt is too long: 208310 tokens > 200000 maximum", of type invalid_request_error (Anthropic, "Context windows").
    failure: (status, body) =>
      status === 400 && body.includes("prompt is too long") ? contextTooLong(PEER) : undefined,
  };
  let messages: Anthropic.Messages | undefined;

  async function connect(): Promise<Anthropic.Messages> {
    if (messages) return messages;
    // On first use: a worker that never calls this vendor never runs its SDK.
    const { BaseAnthropic, Messages } = await import("./anthropic-sdk.ts");
    messages = new Messages(
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
        return api.create(body(request, parsed), { signal }).asResponse();
      };
      return chatEvents(PEER, open, read, request, signal);
    },
  };
};

function body(
  request: ChatRequest,
  { effort, thinking, promptCache = true, modelFields: more }: z.infer<typeof settingsSchema>,
): Anthropic.MessageCreateParamsStreaming {
  return {
    ...more,
    model: request.model,
    system: [
      {
        type: "text",
        text: request.system,
        ...(promptCache ? { cache_control: { type: "ephemeral" } } : {}),
      },
    ],
    messages: request.messages.map(({ role, content }) => ({ role, content })),
    max_tokens: request.maxOutputTokens,
    stream: true,
    ...(effort === undefined ? {} : { output_config: { effort } }),
    ...(thinking === undefined ? {} : { thinking: thinkingOf(thinking) }),
  };
}

function thinkingOf(
  thinking: NonNullable<z.infer<typeof settingsSchema>["thinking"]>,
): Anthropic.ThinkingConfigParam {
  if (thinking === "adaptive") return { type: "adaptive" };
  return thinking === "off" ? { type: "disabled" } : { type: "enabled", budget_tokens: thinking.budget };
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
