import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import type { Limits } from "../../shared/config-limits.ts";
import type { Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Retrieve } from "../answer/retrieve.ts";
import type { Admission } from "../tenant/api.ts";
import { describeModels, describeStatus, describeTables } from "./about.ts";
import { modelsSchema, readySchema, statusSchema, tablesSchema } from "./about.ts";
import { invalid, parseBody, readJson, text, visibleText } from "./body.ts";
import { enter, requireAsk, requireLength, type EnterDeps } from "./enter.ts";
import { health, HEALTH_PATH } from "./health.ts";
import { answerJson, answerSchema, apiWire, matchJson, searchSchema } from "./render.ts";
import { streamAnswer, wholeAnswer, type Asking } from "./sse.ts";
import type { Call, Route, Schema, Surface } from "./surface.ts";

export interface HttpDeps extends EnterDeps {
  readonly ask: Ask;
  readonly retrieve: Retrieve;
  /** Ids of the built-in answerers. */
  readonly builtIn: readonly string[];
  /** Why a model can't be called here; undefined when it can. */
  readonly whyNot: (model: string, admission: Admission) => Promise<string | undefined>;
  /** @throws QuaysideError for the first thing that is not usable. */
  readonly ready: (signal: AbortSignal) => Promise<void>;
  readonly host: Pick<Host, "log" | "now">;
}

const DEFAULT_TOP_K = 8;
const DEFAULT_SEARCH_TOP_K = 10;
const MAX_FALLBACKS = 3;

const topK = (most: number): z.ZodMiniNumber => z.number().check(z.int(), z.minimum(1), z.maximum(most));

/** What the routes parse with, made by the first request. */
const schemas = lazily(() => {
  const name = text().check(z.minLength(1), z.maxLength(200));
  const tables = z.array(name).check(z.minLength(1), z.maxLength(100));

  /** Only rows whose cells equal these, by column. */
  const scope = z.record(name, z.union([text(), z.number(), z.boolean()]));

  const ask = z.strictObject({
    question: visibleText(),
    model: z.optional(name),
    fallbacks: z.optional(z.array(name).check(z.maxLength(MAX_FALLBACKS))),
    tables: z.optional(tables),
    scope: z.optional(scope),
    top_k: z.optional(topK(50)),
    history: z.optional(z.array(z.strictObject({ role: z.enum(["user", "assistant"]), content: text() }))),
    stream: z.optional(z.boolean()),
    cache: z.optional(z.enum(["default", "bypass", "only"])),
    max_output_tokens: z.optional(z.number().check(z.int(), z.minimum(1))),
  });

  const search = z.strictObject({
    query: visibleText(),
    top_k: z.optional(topK(200)),
    tables: z.optional(tables),
    scope: z.optional(scope),
  });

  return { scope, ask, search };
});

type Schemas = ReturnType<typeof schemas>;

/** The native HTTP API. */
export function httpSurface(deps: HttpDeps): Surface {
  const about = (
    path: string,
    summary: string,
    answer: Schema,
    describe: (admission: Admission, principal: Principal, now: number) => unknown,
  ): Route => ({
    method: "GET",
    path,
    doc: { summary, scope: "ask", answer },
    async handle({ request }) {
      const principal = await deps.principal(request);
      requireAsk(principal);
      return Response.json(
        await describe(await deps.admit(principal, request.signal), principal, deps.host.now()),
      );
    },
  });
  return {
    name: "http",
    routes: [
      {
        method: "POST",
        path: "/v1/ask",
        doc: {
          summary: "Ask a question; answered as JSON or as a stream of events",
          scope: "ask",
          body: () => schemas().ask,
          answer: answerSchema,
        },
        handle: (call) => handleAsk(deps, call),
      },
      {
        method: "POST",
        path: "/v1/search",
        doc: {
          summary: "Find rows, without an answer",
          scope: "ask",
          body: () => schemas().search,
          answer: searchSchema,
        },
        handle: (call) => handleSearch(deps, call),
      },
      about(
        "/v1/models",
        "List the models, and why one is not available",
        modelsSchema,
        (admission, principal) =>
          describeModels(admission, principal, deps.builtIn, (id) => deps.whyNot(id, admission)),
      ),
      about("/v1/tables", "List the tables that you see", tablesSchema, describeTables),
      about("/v1/status", "Tell what is served, and how fresh it is", statusSchema, describeStatus),
      {
        method: "GET",
        path: HEALTH_PATH,
        doc: {
          summary: "Tell that the Worker is alive",
          answer: () => z.object({ status: z.literal("ok") }),
        },
        handle: health,
      },
      {
        method: "GET",
        path: "/readyz",
        doc: { summary: "Tell whether index, registry and default model are usable", answer: readySchema },
        async handle({ request }) {
          await deps.ready(request.signal);
          return Response.json({ ready: true });
        },
      },
    ],
  };
}

async function handleAsk(deps: HttpDeps, call: Call): Promise<Response> {
  const { request } = call;
  const { principal, limits, signal: left, leave } = await enter(deps, request);
  try {
    const format = formatOf(request.headers.get("accept"));
    const body = parseBody(schemas().ask, await readJson(request, limits.bodyBytes));
    const question = { ...questionOf(body, limits), requestId: call.requestId };
    const streaming = format === "stream" || (format !== "json" && body.stream === true);
    const asking: Asking = {
      ask: (signal) => deps.ask(question, principal, signal),
      call,
      signal: left,
      timeoutMs: streaming ? limits.streamTimeoutMs : limits.totalTimeoutMs,
      closed: leave,
    };
    return streaming
      ? await streamAnswer(asking, apiWire(call.requestId), deps.host)
      : Response.json(answerJson(await wholeAnswer(asking)));
  } catch (error) {
    leave();
    throw error;
  }
}

async function handleSearch(deps: HttpDeps, call: Call): Promise<Response> {
  const { request } = call;
  const { principal, admission, limits, signal, leave } = await enter(deps, request);
  try {
    if (formatOf(request.headers.get("accept")) === "stream") throw notAcceptable();
    requireAsk(principal);
    const body = parseBody(schemas().search, await readJson(request, limits.bodyBytes));
    requireLength(body.query, limits.questionChars);
    const found = await deps.retrieve(
      {
        text: body.query,
        topK: body.top_k ?? DEFAULT_SEARCH_TOP_K,
        tables: body.tables,
        cells: cellsOf(body.scope),
        rowsOnly: true,
      },
      admission,
      AbortSignal.any([signal, AbortSignal.timeout(limits.totalTimeoutMs)]),
    );
    return Response.json({ matches: found.map(matchJson), generation: admission.generation });
  } finally {
    leave();
  }
}

function questionOf(body: z.infer<Schemas["ask"]>, limits: Limits): Question {
  requireLength(body.question, limits.questionChars);
  const history = body.history ?? [];
  if (history.length > limits.historyMessages) {
    throw invalid([{ pointer: "/history", rule: `at most ${limits.historyMessages}` }]);
  }
  const maxOutputTokens = body.max_output_tokens ?? limits.outputTokens;
  if (maxOutputTokens > limits.outputTokens) {
    throw invalid([{ pointer: "/max_output_tokens", rule: `at most ${limits.outputTokens}` }]);
  }
  return {
    text: body.question,
    history,
    model: body.model,
    fallbacks: body.fallbacks ?? [],
    tables: body.tables,
    cells: cellsOf(body.scope),
    topK: body.top_k ?? DEFAULT_TOP_K,
    cache: body.cache ?? "default",
    maxOutputTokens,
  };
}

/** Values as text, as the index compares them; undefined when nothing is narrowed. */
function cellsOf(body: z.infer<Schemas["scope"]> | undefined): Readonly<Record<string, string>> | undefined {
  const cells = Object.entries(body ?? {}).map(([column, value]) => [column, String(value)] as const);
  return cells.length === 0 ? undefined : Object.fromEntries(cells);
}

/** What the caller takes: one of the two, or either. @throws QuaysideError `not_acceptable`. */
function formatOf(accept: string | null): "json" | "stream" | "either" {
  const types = (accept ?? "*/*")
    .toLowerCase()
    .split(",")
    .map((part) => part.split(";").map((piece) => piece.trim()))
    .filter(([, ...parameters]) => !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)))
    .map(([type = ""]) => type);
  const json = types.some((type) => ["*/*", "application/*", "application/json"].includes(type));
  const stream = types.some((type) => ["*/*", "text/*", "text/event-stream"].includes(type));
  if (json && stream) return "either";
  if (json) return "json";
  if (stream) return "stream";
  throw notAcceptable();
}

function notAcceptable(): QuaysideError {
  return new QuaysideError("not_acceptable", "The Accept header allows neither JSON nor an event stream.");
}
