import * as z from "zod/mini";
import type { Limits } from "../../shared/config-limits.ts";
import type { Question } from "../../shared/ports/answer.ts";
import type { ChatMessage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { coded } from "../problem.ts";
import { describeModels } from "./about.ts";
import { invalid, parseBody, readJson, text, visibleText } from "./body.ts";
import { enter, requireAsk, requireLength, type Entered } from "./enter.ts";
import { linkHosts } from "./inert.ts";
import { chunkWire, completion, errorResponse, failureResponse, SOURCES, type Form } from "./openai-wire.ts";
import type { OpenaiDeps } from "./openai.ts";
import { streamAnswer, wholeAnswer, type Asking } from "./sse.ts";
import type { Call } from "./surface.ts";

/**
 * Chat completions in the forms of the OpenAI API (OpenAI, "API reference: Chat"). A request's last message is the question;
 * earlier ones are its history; instructions of the client are not followed, because rows answer here, not the model. The
 * protocol can't take words back, so text goes out once it is settled.
 */

/** The model of `auto`. */
const DEFAULT_MODEL = "quayside";
const TOP_K = 8;
/** Clients send a chat whole; the newest `limits.historyMessages` are read. */
const MAX_MESSAGES = 128;

const part = z.looseObject({ type: z.literal("text"), text: text() });
const message = z.looseObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.optional(z.nullable(z.union([text(), z.array(part)]))),
});
const amount = (least: number, most: number) =>
  z.optional(z.nullable(z.number().check(z.minimum(least), z.maximum(most))));
const count = z.optional(z.nullable(z.number().check(z.int(), z.minimum(1))));
const name = text().check(z.minLength(1), z.maxLength(200));

const chatBody = z.looseObject({
  model: name,
  messages: z.array(message).check(z.minLength(1), z.maxLength(MAX_MESSAGES)),
  n: z.optional(z.nullable(z.literal(1))),
  stream: z.optional(z.nullable(z.boolean())),
  stream_options: z.optional(z.nullable(z.looseObject({ include_usage: z.optional(z.boolean()) }))),
  max_tokens: count,
  max_completion_tokens: count,
  temperature: amount(0, 2),
  top_p: amount(0, 1),
  /** Ours: what no client of this API sends by itself. */
  quayside: z.optional(
    z.strictObject({
      /** Whether the text ends with a list of sources; default true. */
      sources: z.optional(z.boolean()),
      tables: z.optional(z.array(name).check(z.minLength(1), z.maxLength(100))),
      cache: z.optional(z.enum(["default", "bypass", "only"])),
    }),
  ),
});

type ChatBody = z.infer<typeof chatBody>;

export function completeChat(deps: OpenaiDeps, call: Call): Promise<Response> {
  return entered(deps, call, async (caller) => {
    const sent = await readJson(call.request, caller.limits.bodyBytes);
    const body = parseBody(chatBody, sent);
    const unsupported = unsupportedIn(body);
    if (unsupported !== undefined) {
      caller.leave();
      const about = `${unsupported} is not supported here: answers come from rows, as plain text.`;
      return errorResponse(400, about, "unsupported_parameter", unsupported);
    }
    const question = { ...questionOf(body, caller.limits), requestId: call.requestId };
    const streaming = body.stream === true;
    const asking: Asking = {
      ask: (signal) => deps.ask(question, caller.principal, signal),
      call,
      signal: caller.signal,
      timeoutMs: streaming ? caller.limits.streamTimeoutMs : caller.limits.totalTimeoutMs,
      closed: caller.leave,
    };
    const form: Form = {
      id: `chatcmpl-${call.requestId.replaceAll("-", "")}`,
      created: Math.floor(deps.host.now() / 1000),
      model: body.model,
      hosts: linkHosts(caller.admission.config),
      sources: body.quayside?.sources ?? true,
      usage: body.stream_options?.include_usage ?? false,
    };
    return streaming
      ? streamAnswer(asking, chunkWire(form), deps.host)
      : Response.json(completion(form, await wholeAnswer(asking)));
  });
}

export function listModels(deps: OpenaiDeps, call: Call): Promise<Response> {
  return entered(deps, call, async (caller) => {
    caller.leave();
    return Response.json({ object: "list", data: (await modelsOf(deps, caller)).map(modelJson) });
  });
}

export function oneModel(deps: OpenaiDeps, call: Call): Promise<Response> {
  return entered(deps, call, async (caller) => {
    caller.leave();
    const id = (await modelsOf(deps, caller)).find((known) => known === call.params["id"]);
    if (id === undefined) throw new QuaysideError("unknown_model", "There is no such model.");
    return Response.json(modelJson(id));
  });
}

/** Models that can be called now, aliases, and the default under a name of its own. */
async function modelsOf(deps: OpenaiDeps, { principal, admission }: Entered): Promise<readonly string[]> {
  requireAsk(principal);
  const { models, aliases, routes } = await describeModels(admission, principal, deps.builtIn, (id) =>
    deps.whyNot(id, admission),
  );
  const available = models.filter((model) => model.available).map(({ id }) => id);
  return [DEFAULT_MODEL, ...routes.map(({ name }) => name), ...Object.keys(aliases), ...available];
}

function modelJson(id: string): object {
  return { id, object: "model", created: 0, owned_by: id.includes("/") ? id.split("/")[0] : "quayside" };
}

/** Failures in the form that clients of this API read. */
async function entered(
  deps: OpenaiDeps,
  call: Call,
  handle: (caller: Entered) => Promise<Response>,
): Promise<Response> {
  let leave: (() => void) | undefined;
  try {
    const caller = await enter(deps, call.request);
    ({ leave } = caller);
    return await handle(caller);
  } catch (thrown) {
    leave?.();
    const error = coded(thrown);
    if (error.code === "internal") throw error;
    return failureResponse(error);
  }
}

/** The first parameter whose being ignored would be noticed too late. */
function unsupportedIn(body: ChatBody): string | undefined {
  const format = body["response_format"];
  const asked: Readonly<Record<string, boolean>> = {
    tools: isFilled(body["tools"]),
    functions: isFilled(body["functions"]),
    logprobs: body["logprobs"] === true,
    audio: typeof body["audio"] === "object" && body["audio"] !== null,
    store: body["store"] === true,
    response_format: typeof format === "object" && format !== null && Reflect.get(format, "type") !== "text",
  };
  return Object.keys(asked).find((parameter) => asked[parameter]);
}

function isFilled(list: unknown): boolean {
  return Array.isArray(list) && list.length > 0;
}

function questionOf(body: ChatBody, limits: Limits): Question {
  const last = body.messages.at(-1);
  const at = `/messages/${body.messages.length - 1}`;
  if (last?.role !== "user")
    throw invalid([{ pointer: `${at}/role`, rule: "the last message is the user's" }]);
  const asked = visibleText().safeParse(textOf(last));
  if (!asked.success) throw invalid([{ pointer: `${at}/content`, rule: "not blank" }]);
  requireLength(asked.data, limits.questionChars);
  const history = body.messages.slice(0, -1).flatMap((turn): ChatMessage[] => {
    if (turn.role !== "user" && turn.role !== "assistant") return [];
    const [content = ""] = textOf(turn).split(SOURCES);
    return [{ role: turn.role, content }];
  });
  const wanted = body.max_completion_tokens ?? body.max_tokens ?? limits.outputTokens;
  return {
    text: asked.data,
    history: history.slice(-limits.historyMessages),
    model: body.model === DEFAULT_MODEL ? undefined : body.model,
    fallbacks: [],
    tables: body.quayside?.tables,
    topK: TOP_K,
    cache: body.quayside?.cache ?? "default",
    maxOutputTokens: Math.min(wanted, limits.outputTokens),
  };
}

function textOf({ content }: z.infer<typeof message>): string {
  return typeof content === "string" ? content : (content ?? []).map((piece) => piece.text).join("\n");
}
