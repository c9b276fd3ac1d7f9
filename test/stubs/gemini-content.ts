import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, sendJson, type Call } from "./stub.ts";

/** Google's `streamGenerateContent`, as the Gemini API and Vertex AI serve it. Error texts quote what was sent. */

const text = z.string().check(z.minLength(1));
const parts = z.array(z.strictObject({ text })).check(z.minLength(1));

const schema = z.strictObject({
  systemInstruction: z.optional(z.strictObject({ parts })),
  contents: z
    .array(z.strictObject({ role: z.enum(["user", "model"]), parts }))
    .check(z.minLength(1), z.maxLength(100)),
  generationConfig: z.optional(
    z.strictObject({
      maxOutputTokens: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(65_536))),
      temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
      thinkingConfig: z.optional(
        z.union([
          z.strictObject({ thinkingLevel: z.enum(["minimal", "low", "medium", "high"]) }),
          z.strictObject({ thinkingBudget: z.number().check(z.int(), z.minimum(0)) }),
        ]),
      ),
    }),
  ),
});

const STATUSES: Readonly<Record<number, string>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "NOT_FOUND",
  429: "RESOURCE_EXHAUSTED",
  500: "INTERNAL",
  503: "UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export function googleError(status: number, message: string, details?: readonly unknown[]): unknown {
  const name = STATUSES[status] ?? "UNKNOWN";
  return { error: { code: status, message, status: name, ...(details ? { details } : {}) } };
}

/** What a prompt that is too long is answered with. */
export const TOO_LONG =
  "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";

/** How long to wait is in the details of a 429. */
export function retryInfo(seconds: string): readonly unknown[] {
  return [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: `${seconds}s` }];
}

/** Answers a call whose path and credentials are right. */
export function sendContent(call: Call, model: string, key: string): void | Promise<void> {
  const { query } = call;
  if ([...query.keys()].join() !== "alt" || query.get("alt") !== "sse") {
    return sendJson(call, 400, googleError(400, `Unknown name in query: ${query.toString()}`));
  }
  const parsed = parseBody(schema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, googleError(400, parsed.problem));
  if (model.startsWith("missing")) {
    return sendJson(call, 404, googleError(404, `models/${model} is not found`));
  }
  const { contents } = parsed.input;
  if (contents.at(-1)?.role !== "user") {
    return sendJson(call, 400, googleError(400, "Please ensure that the last turn is of the user."));
  }
  const turns = [parsed.input.systemInstruction ?? { parts: [] }, ...contents];
  const prompt = turns.flatMap((turn) => turn.parts.map((part) => part.text)).join("\n");
  const blocked = call.is("finish_content_filter");
  const silent =
    blocked || call.is("empty_content") || call.is("empty_choices") || call.is("tool_call_unexpected");
  const answer = silent ? "" : modelAnswer(prompt, call.fault);
  const tokens = tokensOf(answer);
  const promptTokenCount = call.is("usage_absurd") ? 1e12 : Math.ceil(prompt.length / 4);
  const candidatesTokenCount = call.is("usage_absurd") ? 1e12 : tokens.length;
  const base = { modelVersion: servedModel(model, call.fault), responseId: "stub" };
  const chunk = (
    fields: Readonly<Record<string, unknown>>,
    usage: Readonly<Record<string, number>>,
  ): string => {
    const usageMetadata = call.is("usage_missing") ? {} : { usageMetadata: usage };
    return `data: ${JSON.stringify({ ...fields, ...usageMetadata, ...base })}\r\n\r\n`;
  };
  const early = { promptTokenCount, totalTokenCount: promptTokenCount };
  const last = { ...early, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount };
  const finishReason = call.is("finish_length")
    ? "MAX_TOKENS"
    : call.is("tool_call_unexpected")
      ? "UNEXPECTED_TOOL_CALL"
      : "STOP";
  const finished = { content: { parts: [{ text: "" }], role: "model" }, finishReason, index: 0 };
  return sendStream(call, {
    head: [],
    text: tokens.map((token) =>
      chunk({ candidates: [{ content: { parts: [{ text: token }], role: "model" }, index: 0 }] }, early),
    ),
    tail: [],
    end: blocked
      ? [chunk({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" } }, early)]
      : call.is("empty_choices")
        ? [chunk({ candidates: [] }, early)]
        : [chunk({ candidates: [finished] }, last)],
    error: `data: ${JSON.stringify(googleError(503, `The model is Overloaded, key ${key}`))}\r\n\r\n`,
  });
}
