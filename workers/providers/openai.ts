import * as z from "zod/mini";
import { requestStream, sdkInput, type StreamOptions } from "../../shared/http.ts";
import type { OpenAI } from "../../shared/openai-sdk.ts";
import type { ChatProvider, ChatRequest } from "../../shared/ports/chat-provider.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { chatBody, chatFailure, chatReader, reportedError } from "./openai-chat.ts";
import { modelFields, parseSettings, PROVIDER_CODES, reasoningEffort, secretOf } from "./settings.ts";
import {
  chatEvents,
  fields,
  modelName,
  parseData,
  tokenCount,
  type ReadEvent,
  type Reading,
} from "./stream.ts";

/** OpenAI. Chat completions by default; the Responses API where the settings say so or the model is served there only. */

const settingsSchema = z.object({
  /** With its version path, e.g. `https://api.example.com/v1`. */
  baseUrl: z.optional(z.url({ protocol: /^https?$/ })),
  /** Name of the secret that holds the key; default `OPENAI_API_KEY`. */
  secret: z.optional(z.string()),
  /** Which API; default: by model. */
  api: z.optional(z.enum(["chat", "responses"])),
  reasoningEffort,
  /** Sends requests with the same key to where their common beginning is cached already. */
  promptCacheKey: z.optional(z.string().check(z.maxLength(64))),
  modelFields,
});

const PEER = "The OpenAI API";

const OPTIONS: StreamOptions = {
  peer: PEER,
  codes: PROVIDER_CODES,
  failure: chatFailure(PEER),
};

/** Served by the Responses API only (OpenAI's model pages, 2026-11): the "pro" models, Codex and deep research. */
const RESPONSES_ONLY = /(^|-)(pro|codex|deep-research)(-|$)/;

/**
 * Environment: `OPENAI_API_KEY`; `OPENAI_BASE_URL` (with `/v1`) overrides the settings.
 * @throws QuaysideError `config_invalid` when the key is missing or a setting is malformed.
 */
export const openai: Factory<ChatProvider> = (settings, host) => {
  const parsed = parseSettings(settingsSchema, settings);
  const apiKey = secretOf(host, parsed.secret ?? "OPENAI_API_KEY");
  const baseURL = host.secret("OPENAI_BASE_URL") ?? parsed.baseUrl ?? "https://api.openai.com/v1";
  const effort = parsed.reasoningEffort;
  const cached = parsed.promptCacheKey === undefined ? {} : { prompt_cache_key: parsed.promptCacheKey };
  const { modelFields: more } = parsed;
  const chatOptions = { ...cached, ...(effort === undefined ? {} : { reasoning_effort: effort }) };
  const responsesOptions = { ...cached, ...(effort === undefined ? {} : { reasoning: { effort } }) };
  let client: OpenAI | undefined;

  async function connect(): Promise<OpenAI> {
    if (client) return client;
    // On first use: a worker that never calls this vendor never runs its SDK.
    const { OpenAI: Client } = await import("../../shared/openai-sdk.ts");
    client = new Client({
      apiKey,
      baseURL,
      organization: null,
      project: null,
      maxRetries: 0,
      logLevel: "off",
      fetch: (url, init) => requestStream(host, url, sdkInput(init), OPTIONS),
    });
    return client;
  }

  return {
    stream(request, signal) {
      const api = parsed.api ?? (RESPONSES_ONLY.test(request.model) ? "responses" : "chat");
      const open = async (): Promise<Response> => {
        const sdk = await connect();
        // The raw response, because the SDK's own stream does not tell a complete answer from one that was cut.
        return api === "responses"
          ? sdk.responses
              .create({ ...more, ...responsesBody(request), ...responsesOptions }, { signal })
              .asResponse()
          : sdk.chat.completions
              .create({ ...more, ...chatBody(request, "max_completion_tokens", chatOptions) }, { signal })
              .asResponse();
      };
      return chatEvents(PEER, open, api === "responses" ? readResponses : chatReader(PEER), request, signal);
    },
  };
};

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

/** Events of the Responses API; `response.completed`, `.incomplete` and `.failed` each end the stream. */
const readResponses: ReadEvent = (event, reading) => {
  if (event.data === "[DONE]") return;
  const data = parseData(event.data);
  switch (data["type"]) {
    case "response.output_text.delta":
      if (typeof data["delta"] === "string") reading.text += data["delta"];
      return;
    case "response.refusal.delta":
      reading.reason = "content-filter";
      return;
    case "response.failed": {
      const response = fields(data["response"]);
      readUsage(fields(response["usage"]), reading);
      throw reportedError(PEER, fields(response["error"]));
    }
    case "error":
      throw reportedError(PEER, { ...data, ...fields(data["error"]) });
    case "response.completed":
    case "response.incomplete": {
      const response = fields(data["response"]);
      reading.served = modelName(response["model"]);
      const why = fields(response["incomplete_details"])["reason"];
      reading.reason ??=
        why === "max_output_tokens" ? "length" : why === "content_filter" ? "content-filter" : "stop";
      readUsage(fields(response["usage"]), reading);
      reading.ended = true;
      return;
    }
    default:
      return;
  }
};

function readUsage(usage: Readonly<Record<string, unknown>>, reading: Reading): void {
  reading.inputTokens = tokenCount(usage["input_tokens"]);
  reading.outputTokens = tokenCount(usage["output_tokens"]);
}
