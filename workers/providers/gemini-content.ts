import * as z from "zod/mini";
import type { ChatRequest, FinishReason } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import { contextTooLong, modelFields } from "./settings.ts";
import { fields, modelName, parseData, streamError, tokenCount, type ReadEvent } from "./stream.ts";

/**
 * Google's `streamGenerateContent` on the wire, spoken by the Gemini API and by Vertex AI alike. Facts: Google, "Generating
 * content" (ai.google.dev/api/generate-content) and "Troubleshooting guide", read 2026-11-23.
 */

/** How much a model thinks before it answers; thoughts count as output and against its limit. Each model takes one of the two. */
const thinkingSchema = z.optional(
  z.union([
    z.strictObject({ level: z.enum(["minimal", "low", "medium", "high"]) }),
    /** Tokens; 0 is none, where the model allows it. */
    z.strictObject({ budget: z.number().check(z.int(), z.minimum(0)) }),
  ]),
);

/** Settings of both; `modelFields` go into `generationConfig`. */
export const contentSettings = z.object({ thinking: thinkingSchema, modelFields });

export function contentBody(
  request: ChatRequest,
  { thinking, modelFields: more }: z.infer<typeof contentSettings>,
): string {
  const thinkingConfig =
    thinking &&
    ("level" in thinking ? { thinkingLevel: thinking.level } : { thinkingBudget: thinking.budget });
  return JSON.stringify({
    systemInstruction: { parts: [{ text: request.system }] },
    contents: request.messages.map(({ role, content }) => ({
      role: role === "assistant" ? "model" : "user",
      parts: [{ text: content }],
    })),
    generationConfig: {
      ...more,
      maxOutputTokens: request.maxOutputTokens,
      ...(thinkingConfig ? { thinkingConfig } : {}),
    },
  });
}

const REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content-filter",
  RECITATION: "content-filter",
  BLOCKLIST: "content-filter",
  PROHIBITED_CONTENT: "content-filter",
  SPII: "content-filter",
  MODEL_ARMOR: "content-filter",
};

/**
 * Chunks of a response. There is no terminator: the answer is whole once a chunk carries a finish reason, or says that the
 * prompt was blocked. Usage is in every chunk or the last; the last one counts.
 */
export function contentReader(peer: string): ReadEvent {
  return (event, reading) => {
    const chunk = parseData(event.data);
    if (chunk["error"] !== undefined) throw reported(peer, fields(chunk["error"]));
    const usage = fields(chunk["usageMetadata"]);
    const answered = tokenCount(usage["candidatesTokenCount"]);
    reading.inputTokens = tokenCount(usage["promptTokenCount"]) ?? reading.inputTokens;
    // Thoughts are billed as output and counted apart.
    if (answered !== undefined) {
      reading.outputTokens = answered + (tokenCount(usage["thoughtsTokenCount"]) ?? 0);
    }
    reading.served ??= modelName(chunk["modelVersion"]);
    if (reading.complete) return;
    const [candidate] = Array.isArray(chunk["candidates"]) ? chunk["candidates"] : [];
    const { content, finishReason } = fields(candidate);
    const { parts } = fields(content);
    for (const part of Array.isArray(parts) ? parts : []) {
      const { text, thought } = fields(part);
      if (typeof text === "string" && thought !== true) reading.text += text;
    }
    if (typeof finishReason === "string") {
      reading.reason = REASONS[finishReason] ?? "other";
      reading.complete = true;
      reading.ended = answered !== undefined;
    }
    if (typeof fields(chunk["promptFeedback"])["blockReason"] === "string") {
      reading.reason = "content-filter";
      reading.complete = true;
    }
  };
}

/** Canonical names of errors (google.rpc.Code). */
const ERRORS: Readonly<Record<string, ErrorCode>> = {
  RESOURCE_EXHAUSTED: "rate_limited",
  INVALID_ARGUMENT: "provider_rejected",
  FAILED_PRECONDITION: "provider_rejected",
  UNAUTHENTICATED: "provider_misconfigured",
  PERMISSION_DENIED: "provider_misconfigured",
  NOT_FOUND: "provider_misconfigured",
};

function reported(peer: string, error: Readonly<Record<string, unknown>>): QuaysideError {
  const status = error["status"];
  const code = typeof status === "string" ? ERRORS[status] : undefined;
  return streamError(peer, code ?? "provider_reported_error", error);
}

/**
 * What an error status means beyond its number: a 400 may be about the key or about the prompt's length, and a 429 says in its
 * details (google.rpc.RetryInfo), not in a header, how long to wait.
 */
export function contentFailure(
  peer: string,
): (status: number, body: string, headers: Headers) => QuaysideError | undefined {
  return (status, body, headers) => {
    if (status === 400 && /API_KEY_INVALID|API key not valid/.test(body)) {
      return new QuaysideError("provider_misconfigured", `${peer} refused our key (status 400).`);
    }
    if (status === 400 && /input token count.*exceeds the maximum/is.test(body)) return contextTooLong(peer);
    const [, seconds] = /"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"/.exec(body) ?? [];
    if (status !== 429 || seconds === undefined || headers.has("retry-after")) return undefined;
    return new QuaysideError("rate_limited", `${peer} is limiting our calls.`, {
      retryAfterMs: Math.ceil(Number(seconds) * 1000),
    });
  };
}
