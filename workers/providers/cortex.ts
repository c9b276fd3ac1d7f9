import * as z from "zod/mini";
import { requestStream, type StreamOptions } from "../../shared/http.ts";
import type { ChatProvider, ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import { snowflakeAccess } from "../../shared/snowflake-auth.ts";
import { baseUrl, contextTooLong, modelFields, parseSettings, PROVIDER_CODES } from "./settings.ts";
import {
  chatEvents,
  fields,
  modelName,
  parseData,
  streamError,
  tokenCount,
  type ReadEvent,
} from "./stream.ts";

/**
 * Snowflake Cortex: models of several vendors inside the account's own perimeter, by its REST inference. Facts: Snowflake's
 * OpenAPI description of Cortex inference (github.com/snowflakedb/snowflake-rest-api-specs) and "Cortex REST API", read
 * 2026-11-23. Calls run with the user's default role; no warehouse takes part.
 */

const settingsSchema = z.object({ modelFields });

const PEER = "Snowflake Cortex";

const OPTIONS: StreamOptions = {
  peer: PEER,
  codes: PROVIDER_CODES,
  // 400 "max tokens of N exceeded" (Snowflake, "Cortex REST API", error codes).
  failure(status, body) {
    if (status !== 400) return undefined;
    if (/max tokens of \d+ exceeded|maximum context length|too many tokens/i.test(body)) {
      return contextTooLong(PEER);
    }
    if (!/unknown model/i.test(body)) return undefined;
    return new QuaysideError("provider_misconfigured", `${PEER} does not know the model.`);
  },
};

/**
 * Environment: `SNOWFLAKE_ACCOUNT` or `SNOWFLAKE_BASE_URL`; `SNOWFLAKE_TOKEN`, or `SNOWFLAKE_USER` with
 * `SNOWFLAKE_PRIVATE_KEY`.
 * @throws QuaysideError `config_invalid` when one is missing or malformed.
 */
export const cortex: Factory<ChatProvider> = (settings, host) => {
  const { modelFields: more } = parseSettings(settingsSchema, settings);
  const access = snowflakeAccess(host);
  const url = `${baseUrl(access.baseUrl, "SNOWFLAKE_BASE_URL")}/api/v2/cortex/inference:complete`;
  return {
    stream(request, signal) {
      const open = async (): Promise<Response> => {
        const headers = {
          accept: "text/event-stream",
          "content-type": "application/json",
          ...(await access.headers()),
        };
        return requestStream(
          host,
          url,
          { method: "POST", headers, body: body(request, more), signal },
          OPTIONS,
        );
      };
      return chatEvents(PEER, open, reader(request.maxOutputTokens), request, signal);
    },
  };
};

/** The system message is first, and a user message last. */
function body(request: ChatRequest, more: z.infer<typeof modelFields>): string {
  return JSON.stringify({
    ...more,
    model: request.model,
    messages: [
      { role: "system", content: request.system },
      ...request.messages.map(({ role, content }) => ({ role, content })),
    ],
    max_tokens: request.maxOutputTokens,
    stream: true,
  });
}

const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
};

/**
 * Chunks with one delta each. The protocol has no terminator of its own: every chunk but the last says `"usage": {}`, the
 * last one counts the tokens; some models say a finish reason too. Without either the stream was cut.
 */
function reader(maxOutputTokens: number): ReadEvent {
  return (event, reading) => {
    if (event.data === "[DONE]") {
      reading.ended = true;
      return;
    }
    const chunk = parseData(event.data);
    // An error has the form of the REST API's own: a message and a code, no choices.
    if (chunk["error"] !== undefined || (chunk["code"] !== undefined && chunk["choices"] === undefined)) {
      throw streamError(PEER, "provider_reported_error", chunk);
    }
    reading.served ??= modelName(chunk["model"]);
    if (!reading.complete) {
      const [choice] = Array.isArray(chunk["choices"]) ? chunk["choices"] : [];
      const { delta, finish_reason: ofChoice } = fields(choice);
      // Thoughts and tool calls have no content.
      const { content } = fields(delta);
      if (typeof content === "string") reading.text += content;
      const reason = ofChoice ?? chunk["finish_reason"];
      if (typeof reason === "string") reading.reason = REASONS[reason] ?? "other";
      reading.complete = typeof reason === "string";
    }
    const usage = fields(chunk["usage"]);
    if (typeof usage["total_tokens"] !== "number") return;
    reading.inputTokens = tokenCount(usage["prompt_tokens"]);
    reading.outputTokens = tokenCount(usage["completion_tokens"]);
    // A model that gives no reason has ended by itself, unless it used up what it was allowed.
    reading.reason ??= (reading.outputTokens ?? 0) >= maxOutputTokens ? "length" : "stop";
    reading.ended = true;
  };
}
