import * as z from "zod/mini";
import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { readMessages } from "./aws-event-stream.ts";
import { encodeSegment, signedHeaders } from "./aws-sign.ts";
import {
  baseUrl,
  contextTooLong,
  invalidSetting,
  modelFields,
  parseSettings,
  PROVIDER_CODES,
  secretOf,
} from "./settings.ts";
import { chatEvents, fields, parseData, streamError, tokenCount, type ReadEvent } from "./stream.ts";

/**
 * AWS Bedrock's Converse API, the same for Anthropic's, Meta's and other models. Facts: AWS, "ConverseStream" and
 * "ConverseStreamOutput" (Amazon Bedrock API Reference), read 2026-11-23.
 */

const settingsSchema = z.object({
  /** Marks the instructions for the prompt cache; only some models take the mark, and others refuse the request. */
  promptCache: z.optional(z.boolean()),
  /** Sent as `additionalModelRequestFields`. */
  modelFields,
});

const PEER = "AWS Bedrock";
const FRAMING = { contentType: "application/vnd.amazon.eventstream", events: readMessages };

const OPTIONS: StreamOptions = {
  peer: PEER,
  codes: PROVIDER_CODES,
  // ModelErrorException: the model failed, not we.
  failure: (status, body) => {
    if (status === 424) {
      return new QuaysideError("no_provider_available", `${PEER} says that the model failed.`);
    }
    // ValidationException: the models of each vendor have their own words for it.
    const tooLong = /input is too long|prompt is too long|maximum context length/i;
    return status === 400 && tooLong.test(body) ? contextTooLong(PEER) : undefined;
  },
};

/**
 * Environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN` (of temporary credentials), `AWS_REGION`;
 * `BEDROCK_BASE_URL` overrides the region's address. The model is a model id or that of an inference profile.
 * @throws QuaysideError `config_invalid` when one is missing or malformed.
 */
export const bedrock: Factory<ChatProvider> = (settings, host) => {
  const parsed = parseSettings(settingsSchema, settings);
  const credentials = {
    accessKeyId: secretOf(host, "AWS_ACCESS_KEY_ID"),
    secretAccessKey: secretOf(host, "AWS_SECRET_ACCESS_KEY"),
    sessionToken: host.secret("AWS_SESSION_TOKEN"),
  };
  const region = secretOf(host, "AWS_REGION");
  if (!/^[a-z0-9-]+$/.test(region)) throw invalidSetting("AWS_REGION", "a region such as eu-central-1");
  const base = baseUrl(
    host.secret("BEDROCK_BASE_URL") ?? `https://bedrock-runtime.${region}.amazonaws.com`,
    "BEDROCK_BASE_URL",
  );
  return {
    stream(request, signal) {
      const open = async (): Promise<Response> => {
        const url = new URL(`${base}/model/${encodeSegment(request.model)}/converse-stream`);
        const body = converseBody(request, parsed);
        const unsigned = { method: "POST", url, headers: { "content-type": "application/json" }, body };
        const scope = { region, service: "bedrock" };
        const headers = await signedHeaders(unsigned, credentials, scope, host.now());
        return requestStream(host, url, { method: "POST", headers, body, signal }, OPTIONS);
      };
      return chatEvents(PEER, open, read, request, signal, FRAMING);
    },
  };
};

function converseBody(
  request: ChatRequest,
  { promptCache = false, modelFields: more }: z.infer<typeof settingsSchema>,
): string {
  return JSON.stringify({
    system: [{ text: request.system }, ...(promptCache ? [{ cachePoint: { type: "default" } }] : [])],
    messages: request.messages.map(({ role, content }) => ({ role, content: [{ text: content }] })),
    inferenceConfig: { maxTokens: request.maxOutputTokens },
    ...(more === undefined ? {} : { additionalModelRequestFields: more }),
  });
}

const REASONS: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop",
  max_tokens: "length",
  model_context_window_exceeded: "length",
  content_filtered: "content-filter",
  guardrail_intervened: "content-filter",
};

/** Start, deltas of each block, `messageStop` with the reason, and `metadata` with the tokens, which is last. */
const read: ReadEvent = (event, reading) => {
  const data = parseData(event.data);
  switch (event.name ?? "") {
    case "contentBlockDelta": {
      const { text } = fields(data["delta"]);
      if (typeof text === "string" && !reading.complete) reading.text += text;
      return;
    }
    case "messageStop": {
      const reason = data["stopReason"];
      reading.reason = (typeof reason === "string" ? REASONS[reason] : undefined) ?? "other";
      reading.complete = true;
      return;
    }
    case "metadata": {
      const usage = fields(data["usage"]);
      reading.inputTokens = inputTokens(usage);
      reading.outputTokens = tokenCount(usage["outputTokens"]);
      reading.ended = reading.complete;
      return;
    }
    case "exception":
      throw reported(data);
    default:
      return;
  }
};

/** What was read from or written to the prompt cache is counted apart, and is billed. */
function inputTokens(usage: Readonly<Record<string, unknown>>): number | undefined {
  const fresh = tokenCount(usage["inputTokens"]);
  if (fresh === undefined) return undefined;
  const written = tokenCount(usage["cacheWriteInputTokens"]) ?? 0;
  return fresh + written + (tokenCount(usage["cacheReadInputTokens"]) ?? 0);
}

const EXCEPTIONS: Readonly<Record<string, ErrorCode>> = {
  throttlingException: "rate_limited",
  validationException: "provider_rejected",
};

function reported(exception: Readonly<Record<string, unknown>>): QuaysideError {
  const { type } = exception;
  const code = typeof type === "string" ? EXCEPTIONS[type] : undefined;
  return streamError(PEER, code ?? "provider_reported_error", exception);
}
