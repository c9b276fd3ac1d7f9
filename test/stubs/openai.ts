import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { embeddings as embed } from "./embedding.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * OpenAI's API as far as Quayside calls it, strict: chat completions and responses (streamed or not) and embeddings, under
 * any base path. Unknown fields, wrong types and broken limits are refused with the vendor's own error shape, which quotes
 * what was sent: nothing of it may reach a user.
 */

const KEY = "sk-test-openai";

/** The key that the stub accepts. */
export const OPENAI_STUB_KEY = KEY;

export function startOpenai(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse: ({ headers }) =>
        headers.authorization === `Bearer ${KEY}`
          ? undefined
          : {
              status: 401,
              body: error(`Incorrect API key provided: ${headers.authorization}`, "invalid_api_key"),
            },
      errorBody: (status, kind) =>
        kind === "quota"
          ? error("You exceeded your current quota", "insufficient_quota", "insufficient_quota")
          : error(
              `Stubbed failure ${status}, key ${KEY}`,
              kind === "context_length" ? "context_length_exceeded" : null,
              status === 429 ? "rate_limit_error" : status >= 500 ? "server_error" : "invalid_request_error",
            ),
      handle(call) {
        if (call.method !== "POST") return sendJson(call, 405, error("Method not allowed", null));
        if (call.path.endsWith("/chat/completions")) return chat(call);
        if (call.path.endsWith("/responses")) return responses(call);
        if (call.path.endsWith("/embeddings")) return embeddings(call);
        return sendJson(call, 404, error(`Invalid URL (POST ${call.path})`, null));
      },
    },
    port,
  );
}

type Fields = Readonly<Record<string, unknown>>;

function error(message: string, code: string | null, type = "invalid_request_error"): unknown {
  return { error: { message, type, param: null, code } };
}

const text = z.string().check(z.minLength(1));
const count = z.number().check(z.int(), z.minimum(1));
const effort = z.optional(z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"]));
const messages = z
  .array(z.strictObject({ role: z.enum(["system", "developer", "user", "assistant"]), content: text }))
  .check(z.minLength(1));
type Messages = readonly { readonly role: string; readonly content: string }[];

const chatSchema = z.strictObject({
  model: text,
  messages,
  max_completion_tokens: z.optional(count),
  max_tokens: z.optional(count),
  stream: z.optional(z.boolean()),
  stream_options: z.optional(z.strictObject({ include_usage: z.boolean() })),
  reasoning_effort: effort,
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  prompt_cache_key: z.optional(text),
});

function chat(call: Call): void | Promise<void> {
  const parsed = parseBody(chatSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(parsed.problem, null));
  const { input } = parsed;
  if (input.stream_options && input.stream !== true) {
    return sendJson(call, 400, error("'stream_options' is only allowed when 'stream' is enabled.", null));
  }
  if (input.model.startsWith("missing")) return unknownModel(call, input.model);
  const { messages } = input;
  const answer = answerOf(messages, call);
  const id = "chatcmpl-stub";
  const base = { id, created: 1_795_000_000, model: servedModel(input.model, call.fault) };
  const usage = usageOf(call, promptText(messages), answer.text, "prompt_tokens", "completion_tokens");
  if (input.stream !== true) {
    const message = { role: "assistant", content: answer.text, refusal: null };
    const choices = call.is("empty_choices")
      ? []
      : [{ index: 0, message, finish_reason: answer.reason, logprobs: null }];
    return sendJson(call, 200, { ...base, object: "chat.completion", choices, usage });
  }
  const chunk = (choices: readonly unknown[], more: Fields = {}): string =>
    `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices, ...more })}\n\n`;
  const delta = (fields: Fields, finish: string | null = null): string =>
    chunk([{ index: 0, delta: fields, finish_reason: finish, logprobs: null }]);
  return sendStream(call, {
    head: call.is("empty_choices") ? [] : [delta({ role: "assistant", content: "", refusal: null })],
    text: tokensOf(answer.text).map((content) => delta({ content })),
    tail: [
      ...(call.is("empty_choices") ? [] : [delta({}, answer.reason)]),
      ...(input.stream_options === undefined || usage === undefined ? [] : [chunk([], { usage })]),
    ],
    end: ["data: [DONE]\n\n"],
    error: `data: ${JSON.stringify(error(`The server had an error, key ${KEY}`, "server_error", "server_error"))}\n\n`,
  });
}

const responsesSchema = z.strictObject({
  model: text,
  instructions: z.optional(text),
  input: messages,
  max_output_tokens: z.optional(count),
  store: z.optional(z.boolean()),
  reasoning: z.optional(z.strictObject({ effort })),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  prompt_cache_key: z.optional(text),
  stream: z.optional(z.boolean()),
});

function responses(call: Call): void | Promise<void> {
  const parsed = parseBody(responsesSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(parsed.problem, null));
  const { input } = parsed;
  if (input.model.startsWith("missing")) return unknownModel(call, input.model);
  const messages = input.input;
  const answer = answerOf(messages, call);
  const incomplete =
    answer.reason === "stop" || answer.reason === "tool_calls"
      ? null
      : { reason: answer.reason === "length" ? "max_output_tokens" : "content_filter" };
  const usage = usageOf(call, promptText(messages), answer.text, "input_tokens", "output_tokens");
  const response = (status: string): Fields => ({
    id: "resp_stub",
    object: "response",
    created_at: 1_795_000_000,
    model: servedModel(input.model, call.fault),
    status,
    error: null,
    incomplete_details: status === "in_progress" ? null : incomplete,
    output: [
      {
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: answer.text, annotations: [] }],
      },
    ],
    usage: status === "in_progress" ? null : (usage ?? null),
  });
  const status = incomplete ? "incomplete" : "completed";
  if (input.stream !== true) return sendJson(call, 200, response(status));
  let sequence = 0;
  const event = (type: string, fields: Fields): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  return sendStream(call, {
    head: [event("response.created", { response: response("in_progress") })],
    text: tokensOf(answer.text).map((delta) =>
      event("response.output_text.delta", { delta, content_index: 0, output_index: 0, item_id: "msg_stub" }),
    ),
    tail: [event("response.output_text.done", { text: answer.text, item_id: "msg_stub" })],
    end: [event(`response.${status}`, { response: response(status) })],
    error: event("error", {
      code: "server_error",
      message: `The server had an error, key ${KEY}`,
      param: null,
    }),
  });
}

function unknownModel(call: Call, model: string): void {
  const message = `The model '${model}' does not exist or you do not have access to it.`;
  sendJson(call, 404, error(message, "model_not_found"));
}

function promptText(messages: Messages): string {
  return messages.map(({ content }) => content).join("\n");
}

function answerOf(messages: Messages, call: Call): { readonly text: string; readonly reason: string } {
  if (call.is("empty_choices") || call.is("empty_content")) return { text: "", reason: "stop" };
  if (call.is("finish_content_filter")) return { text: "", reason: "content_filter" };
  if (call.is("tool_call_unexpected")) return { text: "", reason: "tool_calls" };
  const text = modelAnswer(promptText(messages), call.fault);
  return { text, reason: call.is("finish_length") ? "length" : "stop" };
}

function usageOf(
  call: Call,
  prompt: string,
  answer: string,
  input: string,
  output: string,
): Fields | undefined {
  if (call.is("usage_missing")) return undefined;
  if (call.is("usage_absurd")) return { [input]: 1e12, [output]: 1e12, total_tokens: 2e12 };
  const used = [Math.ceil(prompt.length / 4), tokensOf(answer).length] as const;
  return { [input]: used[0], [output]: used[1], total_tokens: used[0] + used[1] };
}

const embeddingsSchema = z.strictObject({
  model: text,
  input: z.union([text, z.array(text).check(z.minLength(1))]),
  dimensions: z.optional(count),
  encoding_format: z.optional(z.enum(["float", "base64"])),
});

const NATIVE: Readonly<Record<string, number>> = {
  "text-embedding-3-small": 1536,
  "text-embedding-3-large": 3072,
  "text-embedding-ada-002": 1536,
  "bge-m3": 1024,
};

function embeddings(call: Call): void {
  const parsed = parseBody(embeddingsSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error(parsed.problem, null));
  const { input } = parsed;
  const native = NATIVE[input.model];
  if (native === undefined) return unknownModel(call, input.model);
  const asked = input.dimensions ?? native;
  if (asked > native || (asked !== native && input.model === "text-embedding-ada-002")) {
    return sendJson(call, 400, error("This model does not support specifying dimensions.", null));
  }
  const texts = [input.input].flat();
  if (texts.length > 2048)
    return sendJson(call, 400, error("'input' array too long: at most 2048 items.", null));
  const tokens = texts.map((text) => Math.ceil(text.length / 4));
  if (tokens.some((n) => n > 8192)) {
    return sendJson(call, 400, error("This model's maximum context length is 8192 tokens.", null));
  }
  if (call.is("input_too_long") && texts.some((text) => text.length > 600)) {
    return sendJson(call, 400, error("This model's maximum context length is 150 tokens.", null));
  }
  if (call.is("one_bad_input") && texts.some((text) => text.includes(call.fault?.only ?? ""))) {
    return sendJson(call, 400, error("'$.input' is invalid.", null));
  }
  const total = tokens.reduce((a, b) => a + b, 0);
  if (total > 300_000) {
    return sendJson(
      call,
      400,
      error("Requested too many tokens: at most 300000 per request.", null, "max_tokens_per_request"),
    );
  }
  const encode = (vector: Float32Array): unknown =>
    input.encoding_format === "base64" ? Buffer.from(vector.buffer).toString("base64") : [...vector];
  const data = embed(call, texts, asked).map((vector, index) => ({
    object: "embedding",
    index,
    embedding: encode(vector),
  }));
  if (call.is("reordered_batch")) data.reverse();
  // The work is done, and nobody hears of it.
  if (call.is("timeout_after_success")) return void call.response.socket?.destroy();
  sendJson(call, 200, {
    object: "list",
    data,
    model: input.model,
    usage: { prompt_tokens: total, total_tokens: total },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startOpenai);
