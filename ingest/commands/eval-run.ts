import * as z from "zod/mini";
import { parseId } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { EvalQuestion } from "./eval-dataset.ts";
import type { EvalAnswer } from "./eval-score.ts";

/** Where questions are put, and as whom. */
export interface Target {
  readonly url: string;
  readonly host: Pick<Host, "fetch">;
  readonly signal: AbortSignal;
  /** The demo user for a question that names nobody; undefined sends no user. */
  readonly anyone: string | undefined;
}

const found = z.object({ matches: z.array(z.object({ id: z.string(), score: z.number() })) });
const answered = z.object({
  outcome: z.string(),
  text: z.string(),
  citations: z.array(z.object({ id: z.string() })),
  attempts: z.array(z.object({ outcome: z.string() })),
  usage: z.object({ cost_usd: z.number() }),
  timings: z.object({ total_ms: z.number() }),
});
const problemShape = z.object({ code: z.string(), detail: z.string() });

/** Outcomes of an attempt that are no failure: the model wrote, or the rules passed it over. */
const BY_CHOICE: readonly string[] = ["ok", "not_permitted", "too_expensive", "too_slow"];

/** A ranked document. */
export interface Ranked {
  readonly document: string;
  readonly score: number;
}

/** Questions under way at once: enough to keep two cores busy, few enough for none to wait long. */
const CONCURRENCY = 4;
/** One question's deadline. */
const TIMEOUT_MS = 60_000;

/** Runs `work` over the questions, a few at a time; the first failure stops all. */
export async function overQuestions<T>(
  questions: readonly EvalQuestion[],
  work: (question: EvalQuestion) => Promise<T>,
  progress: (done: number) => void,
): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  let done = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < questions.length; i = next++) {
      const question = questions[i];
      if (!question) return;
      results[i] = await work(question);
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return results;
}

/** Rows by the product's own retrieval, best first, each once. */
export async function search(
  target: Target,
  question: EvalQuestion,
  topK: number,
): Promise<readonly Ranked[]> {
  const body = {
    query: question.question,
    top_k: topK,
    ...(question.scope === undefined ? {} : { scope: question.scope }),
  };
  const { matches } = found.parse(await post(target, "/v1/search", body, question.as));
  const seen = new Set<string>();
  const ranked: Ranked[] = [];
  for (const match of matches) {
    const document = match.id.replace(/#\d+$/, "");
    if (seen.has(document)) continue;
    seen.add(document);
    ranked.push({ document, score: match.score });
  }
  return ranked;
}

/** An answer, in the form that scorers read. */
export async function ask(
  target: Target,
  question: EvalQuestion,
  model: string | undefined,
): Promise<EvalAnswer> {
  const body = {
    question: question.question,
    cache: "bypass",
    ...(question.scope === undefined ? {} : { scope: question.scope }),
    ...(model === undefined ? {} : { model }),
  };
  const answer = answered.parse(await post(target, "/v1/ask", body, question.as));
  return {
    id: question.id,
    answer: answer.text,
    abstained: answer.outcome !== "answered",
    citations: answer.citations.flatMap(({ id }) => {
      const parts = parseId(id);
      return parts ? [{ table: parts.table, row_key: parts.keyValues.join("|") }] : [];
    }),
    stand_in: answer.attempts.some(({ outcome }) => !BY_CHOICE.includes(outcome)),
    usd: answer.usage.cost_usd,
    ms: answer.timings.total_ms,
  };
}

async function post(target: Target, path: string, body: unknown, as: string | undefined): Promise<unknown> {
  const user = as ?? target.anyone;
  const response = await target.host.fetch(`${target.url}${path}`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json",
      ...(user === undefined ? {} : { "x-quayside-demo-user": user }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.any([target.signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const text = await response.text();
  if (response.ok) return JSON.parse(text);
  const problem = problemOf(text);
  throw new QuaysideError(
    "internal",
    `${path} answered ${response.status} ${problem.code}: ${problem.detail}`,
  );
}

function problemOf(text: string): { readonly code: string; readonly detail: string } {
  try {
    return problemShape.parse(JSON.parse(text));
  } catch {
    return { code: "", detail: "" };
  }
}

/** Lines of a TREC run: `qid Q0 docid rank score tag`; scores fall strictly, as scorers sort by them. */
export function trecLines(id: string, ranked: readonly Ranked[], tag: string): string {
  return ranked
    .map(
      ({ document }, i) =>
        `${id} Q0 ${document.replace(/\s/g, encodeURIComponent)} ${i + 1} ${(1000 - i).toFixed(1)} ${tag}\n`,
    )
    .join("");
}
