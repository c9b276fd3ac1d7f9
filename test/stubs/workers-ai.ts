import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { embeddings } from "./embedding.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/** Cloudflare's Workers AI as far as Quayside calls it, strict: text embeddings and text generation, with the published limits and Cloudflare's envelope. */

const TOKEN = "cf-test-token";
const ACCOUNT = "0123456789abcdef0123456789abcdef";

/** The account and the token that the stub accepts. */
export const WORKERS_AI_STUB = { account: ACCOUNT, token: TOKEN };

export function startWorkersAi(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse: ({ headers }) =>
        headers.authorization === `Bearer ${TOKEN}`
          ? undefined
          : { status: 401, body: failure(10_000, `Authentication error: ${headers.authorization}`) },
      errorBody: (status, kind) =>
        kind === "too_long"
          ? failure(3006, "Input text too long: the maximum is 8192 tokens")
          : kind === "context_length"
            ? failure(
                5021,
                "AiError: The estimated number of input and maximum output tokens (35000) exceeded this model context window limit (24000)",
              )
            : failure(status, `Stubbed failure ${status}, token ${TOKEN}`),
      handle(call) {
        const [, account, model] = /^\/accounts\/([^/]+)\/ai\/run\/(.+)$/.exec(call.path) ?? [];
        if (call.method !== "POST" || account !== ACCOUNT || model === undefined) {
          return sendJson(call, 404, failure(7000, `No route for ${call.path}`));
        }
        return model.includes("/baai/") ? embed(call, model) : complete(call, model);
      },
    },
    port,
  );
}

function failure(code: number, message: string): unknown {
  return { success: false, errors: [{ code, message }], messages: [], result: null };
}

const DIMENSIONS: Readonly<Record<string, number>> = {
  "@cf/baai/bge-m3": 1024,
  "@cf/baai/bge-small-en-v1.5": 384,
  "@cf/baai/bge-base-en-v1.5": 768,
};

const text = z.string().check(z.minLength(1));
const many = z.array(text).check(z.minLength(1), z.maxLength(100));
const m3 = z.strictObject({ text: many, truncate_inputs: z.optional(z.boolean()) });
const older = z.strictObject({ text: many, pooling: z.optional(z.enum(["mean", "cls"])) });

function embed(call: Call, model: string): void {
  const dimensions = DIMENSIONS[model];
  if (dimensions === undefined) return sendJson(call, 400, failure(5007, `No such model ${model}`));
  const parsed = parseBody<{ text: string[]; pooling?: string | undefined }>(
    model === "@cf/baai/bge-m3" ? m3 : older,
    call.body,
  );
  if ("problem" in parsed) return sendJson(call, 400, failure(5006, parsed.problem));
  const data = embeddings(call, parsed.input.text, dimensions).map((vector) => [...vector]);
  const pooling = parsed.input.pooling ?? "mean";
  sendJson(call, 200, {
    success: true,
    errors: [],
    messages: [],
    result: { shape: [data.length, dimensions], data, pooling },
  });
}

const chat = z.strictObject({
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: text }))
    .check(z.minLength(1)),
  max_tokens: z.number().check(z.int(), z.minimum(1)),
  stream: z.literal(true),
  reasoning_effort: z.optional(z.enum(["low", "medium", "high"])),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
});

function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Models of Meta's in the form with `response`, all others in OpenAI's chunks. */
function complete(call: Call, model: string): void | Promise<void> {
  if (!/^@cf\/[\w-]+\/[\w.-]+$/.test(model) || model.includes("missing")) {
    return sendJson(call, 400, failure(5007, `No such model ${model} or task`));
  }
  const parsed = parseBody(chat, call.body);
  if ("problem" in parsed) return sendJson(call, 400, failure(5006, parsed.problem));
  const prompt = parsed.input.messages.map(({ content }) => content).join("\n");
  const silent = ["empty_choices", "empty_content", "finish_content_filter", "tool_call_unexpected"];
  const answer = silent.some((mode) => call.is(mode)) ? "" : modelAnswer(prompt, call.fault);
  const tokens = tokensOf(answer);
  const [input, output] = call.is("usage_absurd")
    ? [1e12, 1e12]
    : [Math.ceil(prompt.length / 4), call.is("finish_length") ? parsed.input.max_tokens : tokens.length];
  const usage = call.is("usage_missing")
    ? {}
    : { usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } };
  const reason = call.is("finish_content_filter")
    ? "content_filter"
    : call.is("finish_length")
      ? "length"
      : "stop";
  const older = model.includes("/meta/") && !call.is("finish_content_filter");
  const said = (piece: string, finish: string | null): unknown =>
    older
      ? { response: /^[1-9]\d*$/.test(piece) ? Number(piece) : piece, p: "abcdefgh" }
      : {
          id: "stub",
          object: "chat.completion.chunk",
          model: servedModel(model, call.fault),
          choices: [{ index: 0, delta: { content: piece }, finish_reason: finish }],
        };
  return sendStream(call, {
    head: [],
    text: tokens.map((token) => event(said(token, null))),
    tail: [event({ ...(said("", reason) as object), ...usage })],
    end: ["data: [DONE]\n\n"],
    error: event(failure(3043, `Internal server error, the model is Overloaded, token ${TOKEN}`)),
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startWorkersAi);
