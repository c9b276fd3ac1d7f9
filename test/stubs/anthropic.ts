import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * Anthropic's Messages API as far as Quayside calls it, strict: headers, fields, alternating roles, the stream's own event
 * types. Error texts quote what was sent: nothing of it may reach a user.
 */

const KEY = "sk-ant-test";

/** The key that the stub accepts. */
export const ANTHROPIC_STUB_KEY = KEY;

export function startAnthropic(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse({ headers }) {
        // The SDK sends its key as a bearer token since API version 2026-10-21, as `x-api-key` before.
        const given = headers["x-api-key"] ?? headers.authorization?.replace("Bearer ", "");
        if (given !== KEY) {
          return { status: 401, body: error("authentication_error", `invalid key: ${String(given)}`) };
        }
        return VERSIONS.includes(String(headers["anthropic-version"]))
          ? undefined
          : { status: 400, body: error("invalid_request_error", "anthropic-version: header is required") };
      },
      errorBody: (status, kind) =>
        kind === "context_length"
          ? error("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum")
          : error(TYPES[status] ?? "api_error", `Stubbed failure ${status}, key ${KEY}`),
      handle(call) {
        if (call.method !== "POST" || call.path !== "/v1/messages") {
          return sendJson(call, 404, error("not_found_error", `Not found: ${call.path}`));
        }
        return messages(call);
      },
    },
    port,
  );
}

const VERSIONS = ["2023-06-01", "2026-10-21"];

type Fields = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<number, string>> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

function error(type: string, message: string): unknown {
  return { type: "error", error: { type, message }, request_id: "req_stub" };
}

const text = z.string().check(z.minLength(1));

const schema = z.strictObject({
  model: text,
  max_tokens: z.number().check(z.int(), z.minimum(1)),
  messages: z
    .array(z.strictObject({ role: z.enum(["user", "assistant"]), content: text }))
    .check(z.minLength(1)),
  system: z.optional(
    z.union([
      text,
      z.array(
        z.strictObject({
          type: z.literal("text"),
          text,
          cache_control: z.optional(z.strictObject({ type: z.literal("ephemeral") })),
        }),
      ),
    ]),
  ),
  stream: z.optional(z.boolean()),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  output_config: z.optional(z.strictObject({ effort: z.enum(["low", "medium", "high", "xhigh", "max"]) })),
  thinking: z.optional(
    z.union([
      z.strictObject({ type: z.enum(["adaptive", "disabled"]) }),
      z.strictObject({ type: z.literal("enabled"), budget_tokens: z.number().check(z.minimum(1024)) }),
    ]),
  ),
});

function messages(call: Call): void | Promise<void> {
  const parsed = parseBody(schema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error("invalid_request_error", parsed.problem));
  const { model, messages: turns, stream, system = [] } = parsed.input;
  if (turns.some(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"))) {
    return sendJson(call, 400, error("invalid_request_error", "messages: roles must alternate, user first"));
  }
  if (model.startsWith("missing")) return sendJson(call, 404, error("not_found_error", `model: ${model}`));
  const told = typeof system === "string" ? [system] : system.map((block) => block.text);
  const prompt = [...told, ...turns.map(({ content }) => content)].join("\n");
  const answer = answerOf(prompt, call);
  const used = { input_tokens: Math.ceil(prompt.length / 4), output_tokens: tokensOf(answer.text).length };
  const usage = call.is("usage_absurd") ? { input_tokens: 1e12, output_tokens: 1e12 } : used;
  const served = servedModel(model, call.fault);
  const message = { id: "msg_stub", type: "message", role: "assistant", model: served, stop_sequence: null };
  if (stream !== true) {
    const content = [{ type: "text", text: answer.text }];
    return sendJson(call, 200, { ...message, content, stop_reason: answer.reason, usage });
  }
  const counted = !call.is("usage_missing");
  return sendStream(call, {
    head: [
      event("message_start", {
        message: {
          ...message,
          content: [],
          stop_reason: null,
          ...(counted
            ? {
                usage: {
                  ...usage,
                  output_tokens: 1,
                  cache_creation_input_tokens: 0,
                  cache_read_input_tokens: 0,
                },
              }
            : {}),
        },
      }),
      event("content_block_start", { index: 0, content_block: { type: "text", text: "" } }),
      event("ping"),
    ],
    text: tokensOf(answer.text).map((text) =>
      event("content_block_delta", { index: 0, delta: { type: "text_delta", text } }),
    ),
    tail: [
      event("content_block_stop", { index: 0 }),
      event("message_delta", {
        delta: { stop_reason: answer.reason, stop_sequence: null },
        ...(counted ? { usage: { output_tokens: usage.output_tokens } } : {}),
      }),
    ],
    end: [event("message_stop")],
    error: event("error", { error: { type: "overloaded_error", message: `Overloaded, key ${KEY}` } }),
  });
}

function event(type: string, fields: Fields = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
}

function answerOf(prompt: string, call: Call): { readonly text: string; readonly reason: string } {
  if (call.is("empty_choices") || call.is("empty_content")) return { text: "", reason: "end_turn" };
  if (call.is("finish_content_filter")) return { text: "", reason: "refusal" };
  if (call.is("tool_call_unexpected")) return { text: "", reason: "tool_use" };
  return {
    text: modelAnswer(prompt, call.fault),
    reason: call.is("finish_length") ? "max_tokens" : "end_turn",
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startAnthropic);
