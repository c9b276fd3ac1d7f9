import { lazily } from "../../shared/lazily.ts";
import * as z from "zod/mini";
import type { Ask, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { standalone, type Retrieve } from "../answer/retrieve.ts";
import { coded, problemBody, type ProblemBody } from "../problem.ts";
import { parseBody, readJson, text, visibleText } from "./body.ts";
import { enter, requireAsk, requireLength, type EnterDeps } from "./enter.ts";
import { answerJson, answerSchema } from "./render.ts";
import { eventStream, type Wire } from "./sse.ts";
import type { Call, Surface } from "./surface.ts";

export interface CompareDeps extends EnterDeps {
  readonly retrieve: Retrieve;
  /** Answers from these passages and no others. */
  readonly askFrom: (evidence: readonly Evidence[]) => Ask;
}

const MAX_MODELS = 4;
const DEFAULT_TOP_K = 8;

const name = text().check(z.minLength(1), z.maxLength(200));

const compareBody = z.strictObject({
  question: visibleText(),
  models: z.array(name).check(
    z.minLength(2),
    z.maxLength(MAX_MODELS),
    z.refine((models) => new Set(models).size === models.length, "each model once"),
  ),
  tables: z.optional(z.array(name).check(z.minLength(1), z.maxLength(100))),
  top_k: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(50))),
  stream: z.optional(z.boolean()),
});

const comparedSchema = lazily(() =>
  z.object({
    generation: z.number(),
    /** One retrieval for all of them. */
    retrieve_ms: z.number(),
    /** In the order asked for; `problem` is a problem document where a model gave no answer. */
    answers: z.array(
      z.object({ model: z.string(), answer: z.nullable(answerSchema()), problem: z.nullable(z.unknown()) }),
    ),
  }),
);

interface Compared {
  readonly model: string;
  readonly answer: ReturnType<typeof answerJson> | null;
  readonly problem: ProblemBody | null;
}

/** One question to several models at once, from the same rows. */
export function compareSurface(deps: CompareDeps): Surface {
  return {
    name: "compare",
    routes: [
      {
        method: "POST",
        path: "/v1/compare",
        doc: {
          summary: "Put a question to several models at once, from one retrieval",
          scope: "ask",
          body: compareBody,
          answer: comparedSchema,
        },
        handle: (call) => handleCompare(deps, call),
      },
    ],
  };
}

async function handleCompare(deps: CompareDeps, call: Call): Promise<Response> {
  const { request } = call;
  const { principal, admission, limits, signal: left, leave } = await enter(deps, request);
  try {
    requireAsk(principal);
    const body = parseBody(compareBody, await readJson(request, limits.bodyBytes));
    requireLength(body.question, limits.questionChars);
    const topK = body.top_k ?? DEFAULT_TOP_K;
    const timeoutMs = body.stream === true ? limits.streamTimeoutMs : limits.totalTimeoutMs;
    const gone = new AbortController();
    const signal = AbortSignal.any([left, gone.signal, AbortSignal.timeout(timeoutMs)]);
    const since = performance.now();
    const evidence = await deps.retrieve(
      { text: standalone(body.question, []), topK, tables: body.tables, rowsOnly: false },
      admission,
      signal,
    );
    const retrieveMs = Math.round(performance.now() - since);
    const ask = deps.askFrom(evidence);
    const one = async (model: string, tell: Tell): Promise<Compared> => {
      const question: Question = {
        text: body.question,
        history: [],
        model,
        fallbacks: [],
        tables: body.tables,
        topK,
        // Cost and speed are what is compared: a kept answer has neither.
        cache: "bypass",
        maxOutputTokens: limits.outputTokens,
      };
      try {
        for await (const event of ask(question, principal, signal)) {
          if (event.type === "done") return { model, answer: answerJson(event.answer), problem: null };
          if (event.type === "delta") tell("delta", { model, text: event.text });
          if (event.type === "retract") tell("retract", { model, from: event.from });
        }
        throw new QuaysideError("internal", "An answer without an end.");
      } catch (error) {
        return { model, answer: null, problem: problemBody(coded(error), call.requestId) };
      }
    };
    const about = { generation: admission.generation, retrieve_ms: retrieveMs };
    if (body.stream === true) {
      const events = told(async (tell) => {
        await Promise.all(
          body.models.map(async (model) => {
            const compared = await one(model, tell);
            tell(compared.answer ? "done" : "error", compared);
          }),
        );
        tell("end", about);
      });
      return await eventStream(undefined, events, {
        wire: wireOf(call.requestId),
        cancel: () => gone.abort(),
        failed: () => undefined,
        closed: leave,
      });
    }
    const answers = await Promise.all(body.models.map((model) => one(model, () => undefined)));
    leave();
    return Response.json({ ...about, answers });
  } catch (error) {
    leave();
    throw error;
  }
}

type Tell = (event: string, data: unknown) => void;

interface Told {
  readonly event: string;
  readonly data: unknown;
}

/** What is told while the work goes on, from several sides, in the order in which it is told. Ends with the work. */
async function* told(work: (tell: Tell) => Promise<void>): AsyncGenerator<Told, void> {
  let waiting: Told[] = [];
  let over = false;
  let wake: (() => void) | undefined;
  const done = work((event, data) => {
    waiting.push({ event, data });
    wake?.();
  }).finally(() => {
    over = true;
    wake?.();
  });
  // Whoever reads hears of a failure at the end.
  done.catch(() => undefined);
  for (;;) {
    const next = waiting;
    waiting = [];
    yield* next;
    if (waiting.length > 0) continue;
    if (over) return done;
    await new Promise<void>((resolve) => (wake = resolve));
  }
}

/** Every model's events as they come, each with its model; `end` last. */
function wireOf(requestId: string): Wire<Told> {
  const frame = ({ event, data }: Told): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  return {
    frame,
    failure: (error) =>
      frame({ event: "error", data: { model: null, answer: null, problem: problemBody(error, requestId) } }),
  };
}
