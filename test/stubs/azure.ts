import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * Azure OpenAI as far as Quayside calls it, strict: the v1 path, or a deployment's path with a dated API version; the key in
 * its own header; annotations of the content filter in every chunk. Error texts quote what was sent.
 */

const KEY = "azure-test-key";

/** The key that the stub accepts. */
export const AZURE_STUB_KEY = KEY;

type Fields = Readonly<Record<string, unknown>>;

export function startAzure(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse: ({ headers }) =>
        headers["api-key"] === KEY
          ? undefined
          : { status: 401, body: error("401", `Access denied: ${String(headers["api-key"])}`) },
      errorBody: (status, kind) =>
        error(
          kind === "context_length" ? "context_length_exceeded" : String(status),
          `Stubbed failure ${status}, key ${KEY}`,
        ),
      handle(call) {
        const [, deployment] = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(call.path) ?? [];
        const v1 = call.path === "/openai/v1/chat/completions" && call.query.size === 0;
        const dated =
          deployment !== undefined && /^\d{4}-\d{2}-\d{2}/.test(call.query.get("api-version") ?? "");
        if (call.method !== "POST" || (!v1 && !dated)) {
          return sendJson(call, 404, error("404", `Resource not found: ${call.path}`));
        }
        return chat(call, deployment);
      },
    },
    port,
  );
}

function error(code: string, message: string, more: Fields = {}): unknown {
  return { error: { code, message, ...more } };
}

const text = z.string().check(z.minLength(1));

const schema = z.strictObject({
  model: text,
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: text }))
    .check(z.minLength(1)),
  max_completion_tokens: z.optional(z.number().check(z.int(), z.minimum(1))),
  stream: z.literal(true),
  reasoning_effort: z.optional(z.enum(["minimal", "low", "medium", "high"])),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
  stream_options: z.optional(z.strictObject({ include_usage: z.boolean() })),
});

const SAFE = { hate: { filtered: false, severity: "safe" } };

function chat(call: Call, deployment: string | undefined): void | Promise<void> {
  const parsed = parseBody(schema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error("invalid_request_error", parsed.problem));
  const { input } = parsed;
  const name = deployment ?? input.model;
  if (name.startsWith("missing")) {
    return sendJson(call, 404, error("DeploymentNotFound", `The deployment ${name} does not exist.`));
  }
  if (call.is("finish_content_filter")) {
    const inner = {
      code: "ResponsibleAIPolicyViolation",
      content_filter_result: { jailbreak: { filtered: true } },
    };
    const message = "The response was filtered due to the prompt: Stubbed.";
    return sendJson(call, 400, error("content_filter", message, { status: 400, innererror: inner }));
  }
  const prompt = input.messages.map(({ content }) => content).join("\n");
  const silent = call.is("empty_choices") || call.is("empty_content") || call.is("tool_call_unexpected");
  const answer = silent ? "" : modelAnswer(prompt, call.fault);
  const tokens = tokensOf(answer);
  const reason = call.is("finish_length")
    ? "length"
    : call.is("finish_answer_filter")
      ? "content_filter"
      : call.is("tool_call_unexpected")
        ? "tool_calls"
        : "stop";
  const used = call.is("usage_absurd") ? [1e12, 1e12] : [Math.ceil(prompt.length / 4), tokens.length];
  const usage = { prompt_tokens: used[0], completion_tokens: used[1], total_tokens: 1e12 };
  const base = {
    id: "chatcmpl-stub",
    object: "chat.completion.chunk",
    created: 1_795_000_000,
    model: servedModel(name, call.fault),
  };
  const chunk = (choices: readonly unknown[], more: Fields = {}): string =>
    `data: ${JSON.stringify({ ...base, choices, ...more })}\n\n`;
  const delta = (fields: Fields, finish: string | null = null): string =>
    chunk([{ index: 0, delta: fields, finish_reason: finish, content_filter_results: finish ? {} : SAFE }]);
  const annotated = { prompt_filter_results: [{ prompt_index: 0, content_filter_results: SAFE }] };
  return sendStream(call, {
    head: [
      chunk([], annotated),
      ...(call.is("empty_choices") ? [] : [delta({ role: "assistant", content: "" })]),
    ],
    text: tokens.map((content) => delta({ content })),
    tail: [
      ...(call.is("empty_choices") ? [] : [delta({}, reason)]),
      ...(call.is("usage_missing") ? [] : [chunk([], { usage })]),
    ],
    end: ["data: [DONE]\n\n"],
    error: `data: ${JSON.stringify(error("server_error", `The server had an error, key ${KEY}`))}\n\n`,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startAzure);
