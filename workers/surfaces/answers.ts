import * as z from "zod/mini";
import type { Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { AnswerKeys } from "../answer/cache-key.ts";
import type { Admission, LedgerApi } from "../tenant/api.ts";
import type { AnswerRecord } from "../tenant/api-answers.ts";
import { onceWritten } from "../write-behind.ts";
import { invalid, parseBody, readJson, text, visibleText } from "./body.ts";
import { enter, requireAsk, requireLength, type EnterDeps } from "./enter.ts";
import { answerJson, answerSchema } from "./render.ts";
import { wholeAnswer } from "./sse.ts";
import type { Call, Surface } from "./surface.ts";

export interface AnswersDeps extends EnterDeps {
  /** Answers from these passages and no others. */
  readonly askFrom: (evidence: readonly Evidence[]) => Ask;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
  readonly keys: Pick<AnswerKeys, "questionDigest">;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "answer" | "rate" | "answerTotals" | "ratings">;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const pair = z.tuple([z.string(), z.string()]);
const spent = z.object({ tokens: z.number(), usd: z.number() });

const manifestSchema = z.object({
  id: z.string(),
  at: z.string(),
  /** The answer that this one repeats, when it came from the cache. */
  from: z.nullable(z.string()),
  model: z.string(),
  route: z.object({ requested: z.string(), why: z.string() }),
  attempts: z.array(z.object({ model: z.string(), outcome: z.string() })),
  cache: z.string(),
  outcome: z.string(),
  reason: z.nullable(z.string()),
  question_kind: z.string(),
  language: z.string(),
  /** What "today" meant. */
  today: z.string(),
  generation: z.number(),
  policy: z.object({ config_version: z.number(), epoch: z.number() }),
  prompt_version: z.string(),
  max_output_tokens: z.number(),
  /** `[row id, version]` of every row that the model read. */
  rows: z.array(pair),
  /** `[passage id, version]`, in the order in which the model read them. */
  evidence: z.array(pair),
  usage: spent,
  saved: spent,
});

const replayBody = z.strictObject({
  question: visibleText(),
  history: z.optional(z.array(z.strictObject({ role: z.enum(["user", "assistant"]), content: text() }))),
});

const feedbackBody = z.strictObject({
  answer_id: text().check(z.minLength(1), z.maxLength(100)),
  rating: z.union([z.literal(1), z.literal(-1)]),
  comment: z.optional(text().check(z.minLength(1), z.maxLength(2000))),
});

const reportSchema = z.object({
  answers: z.array(
    z.object({
      model: z.string(),
      cache: z.string(),
      outcome: z.string(),
      answers: z.number(),
      spent,
      saved: spent,
    }),
  ),
  /** Share of answers that came from the cache, 0 to 1; null before the first. */
  hit_rate: z.nullable(z.number()),
  saved: spent,
  feedback: z.array(
    z.object({ model: z.string(), question_kind: z.string(), up: z.number(), down: z.number() }),
  ),
  /** The newest 100. */
  comments: z.array(
    z.object({ answer_id: z.string(), rating: z.number(), comment: z.string(), at: z.string() }),
  ),
});

/** Answers after they were given: how they were made, once more, and what people think of them. */
export function answersSurface(deps: AnswersDeps): Surface {
  return {
    name: "answers",
    routes: [
      {
        method: "GET",
        path: "/v1/answers/:id",
        doc: { summary: "Read how one of your answers was made", scope: "ask", answer: manifestSchema },
        async handle({ request, params }) {
          const principal = await deps.principal(request);
          requireAsk(principal);
          return Response.json(manifestOf(await ownRecord(deps, principal, params["id"], request.signal)));
        },
      },
      {
        method: "POST",
        path: "/v1/answers/:id/replay",
        doc: {
          summary: "Answer again from the same rows, while all of them may still be seen unchanged",
          scope: "ask",
          body: replayBody,
          answer: answerSchema,
        },
        handle: (call) => handleReplay(deps, call),
      },
      {
        method: "POST",
        path: "/v1/feedback",
        doc: { summary: "Rate one of your answers", scope: "ask", body: feedbackBody, status: 204 },
        async handle({ request }) {
          const { principal, limits, leave } = await enter(deps, request);
          try {
            requireAsk(principal);
            const body = parseBody(feedbackBody, await readJson(request, limits.bodyBytes));
            const { answer_id: answer, rating, comment } = body;
            const { subject, tenant } = principal;
            const rate = () => deps.ledger(tenant).rate({ answer, subject, rating, comment });
            if (!(await onceWritten(rate, deps.sleep, request.signal))) throw notFound();
            return new Response(null, { status: 204 });
          } finally {
            leave();
          }
        },
      },
      {
        method: "GET",
        path: "/v1/admin/answers",
        doc: {
          summary: "Read what answers cost, what the cache spared, and how people rated them",
          scope: "admin",
          answer: reportSchema,
        },
        async handle({ request }) {
          const principal = await deps.principal(request);
          if (!principal.scopes.includes("admin")) {
            throw new QuaysideError("forbidden", "This needs the scope admin.");
          }
          return Response.json(await reportOf(deps.ledger(principal.tenant)));
        },
      },
    ],
  };
}

/** Another's answer reads as one that does not exist. */
async function ownRecord(
  deps: AnswersDeps,
  principal: Principal,
  id: string | undefined,
  signal: AbortSignal,
): Promise<AnswerRecord> {
  const own = async (): Promise<AnswerRecord | undefined> => {
    const record = await deps.ledger(principal.tenant).answer(id ?? "");
    return record?.subject === principal.subject ? record : undefined;
  };
  const record = await onceWritten(own, deps.sleep, signal);
  if (!record) throw notFound();
  return record;
}

async function handleReplay(deps: AnswersDeps, call: Call): Promise<Response> {
  const { request, params } = call;
  const { principal, admission, limits, signal: left, leave } = await enter(deps, request);
  try {
    requireAsk(principal);
    const body = parseBody(replayBody, await readJson(request, limits.bodyBytes));
    requireLength(body.question, limits.questionChars);
    const history = body.history ?? [];
    const record = await ownRecord(deps, principal, params["id"], request.signal);
    if ((await deps.keys.questionDigest(body.question, history)) !== record.question) {
      throw invalid([{ pointer: "/question", rule: "the question, with its history, that was answered" }]);
    }
    const evidence = await sameEvidence(deps, principal, admission, record, request.signal);
    const question: Question = {
      text: body.question,
      history,
      model: record.model,
      fallbacks: [],
      tables: undefined,
      topK: evidence.length,
      cache: "bypass",
      maxOutputTokens: Math.min(record.maxOutputTokens, limits.outputTokens),
      today: record.today,
    };
    const answer = await wholeAnswer({
      ask: (signal) => deps.askFrom(evidence)(question, principal, signal),
      call,
      signal: left,
      timeoutMs: limits.totalTimeoutMs,
      closed: () => undefined,
    });
    return Response.json(answerJson(answer));
  } finally {
    leave();
  }
}

/** @throws QuaysideError `not_found` when any passage has changed, gone or been barred: which of these is not told. */
async function sameEvidence(
  deps: AnswersDeps,
  principal: Principal,
  admission: Admission,
  record: AnswerRecord,
  signal: AbortSignal,
): Promise<readonly Evidence[]> {
  const original =
    record.evidence.length > 0 || record.from === undefined
      ? record
      : await deps.ledger(principal.tenant).answer(record.from);
  const wanted = original?.evidence ?? [];
  if (wanted.length === 0) throw notFound();
  const hits = wanted.map(([id], i) => ({ id, score: 1 - i / wanted.length }));
  const registry = await deps.recheck(admission);
  const found = new Map(
    (await registry.recheck(hits, admission.permitted, signal)).map((item) => [item.id, item]),
  );
  return wanted.map(([id, version]) => {
    const item = found.get(id);
    if (item?.version !== version) throw notFound();
    return item;
  });
}

function manifestOf(record: AnswerRecord): z.infer<typeof manifestSchema> {
  return {
    id: record.id,
    at: new Date(record.at).toISOString(),
    from: record.from ?? null,
    model: record.model,
    route: record.route,
    attempts: record.attempts.map(({ model, outcome }) => ({ model, outcome })),
    cache: record.cache,
    outcome: record.outcome,
    reason: record.reason,
    question_kind: record.kind,
    language: record.language,
    today: record.today,
    generation: record.generation,
    policy: { config_version: record.configVersion, epoch: record.epoch },
    prompt_version: record.promptVersion,
    max_output_tokens: record.maxOutputTokens,
    rows: record.rows.map(([id, version]) => [id, version]),
    evidence: record.evidence.map(([id, version]) => [id, version]),
    usage: record.usage,
    saved: record.saved,
  };
}

async function reportOf(
  ledger: Pick<LedgerApi, "answerTotals" | "ratings">,
): Promise<z.infer<typeof reportSchema>> {
  const [totals, rated] = await Promise.all([ledger.answerTotals(), ledger.ratings()]);
  const sum = (of: (total: (typeof totals)[number]) => number): number =>
    totals.reduce((all, total) => all + of(total), 0);
  const all = sum(({ answers }) => answers);
  const hits = sum(({ cache, answers }) => (cache === "exact" || cache === "evidence" ? answers : 0));
  return {
    answers: totals.map((total) => ({
      model: total.model,
      cache: total.cache,
      outcome: total.outcome,
      answers: total.answers,
      spent: { tokens: total.tokens, usd: total.usd },
      saved: { tokens: total.savedTokens, usd: total.savedUsd },
    })),
    hit_rate: all === 0 ? null : hits / all,
    saved: { tokens: sum((total) => total.savedTokens), usd: sum((total) => total.savedUsd) },
    feedback: rated.totals.map(({ model, kind, up, down }) => ({ model, question_kind: kind, up, down })),
    comments: rated.comments.map(({ answer, rating, comment, at }) => ({
      answer_id: answer,
      rating,
      comment,
      at: new Date(at).toISOString(),
    })),
  };
}

function notFound(): QuaysideError {
  return new QuaysideError(
    "not_found",
    "There is no such answer of yours, or not all of its rows are as they were.",
  );
}
