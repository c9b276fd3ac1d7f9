import { timedId } from "../../shared/ids.ts";
import type { Answer, Citation, Freshness } from "../../shared/ports/answer.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Admission } from "../tenant/api.ts";
import type { Asked } from "./asked.ts";
import { BUILT_IN_DEFAULT, costOf, type Attempt } from "./route.ts";
import type { Written } from "./write.ts";

/** How an answer was made. */
export interface Made {
  readonly model: string;
  /** Its name as the provider reports it. */
  readonly served?: string | undefined;
  readonly why: string;
  readonly attempts: readonly Attempt[];
  readonly retrieveMs: number;
  readonly firstTokenMs: number;
}

/** No row was found, so no model was asked: the fixed sentence is ours. */
export const NOT_MADE: Made = {
  model: BUILT_IN_DEFAULT,
  why: "no rows were found, so no model was asked",
  attempts: [],
  retrieveMs: 0,
  firstTokenMs: 0,
};

/** The answer that was written for this question. @param now milliseconds since the epoch. */
export function finished(asked: Asked, written: Written, made: Made, now: number): Answer {
  const { outcome, reason, text, truncated, citations, verification, usage } = written;
  return {
    id: `ans_${timedId(now)}`,
    outcome,
    reason,
    text,
    truncated,
    citations,
    verification,
    model: made.model,
    servedModel: made.served,
    route: { requested: asked.choice.requested, why: made.why },
    attempts: made.attempts,
    cache: asked.question.cache === "bypass" ? "bypass" : "miss",
    generation: asked.admission.generation,
    asOf: asOfOf(citations, asked.admission),
    tables: freshnessOf(citations, asked.admission, now),
    usage: { ...usage, costUsd: costOf(asked.config, made.model, usage) },
    timings: {
      totalMs: now - asked.startedAt,
      retrieveMs: made.retrieveMs,
      firstTokenMs: made.firstTokenMs,
    },
  };
}

/** A kept answer, told now to this caller: what can age is made anew, and nothing was spent. */
export function anew(
  asked: Asked,
  kept: Answer,
  cache: "exact" | "evidence",
  why: string,
  retrieveMs: number,
  now: number,
): Answer {
  const citations = datedNow(kept.citations, asked.admission.tables);
  const totalMs = now - asked.startedAt;
  return {
    ...kept,
    id: `ans_${timedId(now)}`,
    citations,
    route: { requested: asked.choice.requested, why },
    attempts: [],
    cache,
    generation: asked.admission.generation,
    asOf: asOfOf(citations, asked.admission),
    tables: freshnessOf(citations, asked.admission, now),
    usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, estimated: false },
    timings: { totalMs, retrieveMs, firstTokenMs: totalMs },
  };
}

/** By the kept ones: what they were last made to for which tables. */
const dated = new WeakMap<
  readonly Citation[],
  { readonly tables: Admission["tables"]; readonly citations: readonly Citation[] }
>();

/** Citations as of what is known now of their tables; the same ones for as long as that is the same. */
function datedNow(kept: readonly Citation[], tables: Admission["tables"]): readonly Citation[] {
  const before = dated.get(kept);
  if (before?.tables === tables) return before.citations;
  const asOf = new Map(tables.map((table) => [table.table, table.asOf]));
  const citations = kept.map((c) => ({ ...c, asOf: asOf.get(c.table) ?? c.asOf }));
  dated.set(kept, { tables, citations });
  return citations;
}

/** The oldest of the cited tables; of all visible ones when nothing is cited; empty when there are none. */
function asOfOf(citations: readonly Citation[], admission: Admission): string {
  const times = citations.length > 0 ? citations : admission.tables;
  return times.map((entry) => entry.asOf).reduce((a, b) => (a < b ? a : b), times[0]?.asOf ?? "");
}

/** Of the same tables, in the order of the admission's. */
function freshnessOf(
  citations: readonly Citation[],
  { tables }: Admission,
  now: number,
): readonly Freshness[] {
  const cited = new Set(citations.map(({ table }) => table));
  return tables
    .filter(({ table }) => cited.size === 0 || cited.has(table))
    .map(({ table, asOf, targetLagMs }) => {
      return { table, asOf, lagMs: Math.max(0, now - Date.parse(asOf)), targetLagMs };
    });
}

export function logAnswer(host: Pick<Host, "log">, answer: Answer): void {
  host.log({
    level: "info",
    event: "question-answered",
    id: answer.id,
    outcome: answer.outcome,
    reason: answer.reason ?? undefined,
    model: answer.model,
    cache: answer.cache,
    generation: answer.generation,
    citations: answer.citations.length,
    removed: answer.verification.removed.length,
    inputTokens: answer.usage.inputTokens,
    outputTokens: answer.usage.outputTokens,
    totalMs: answer.timings.totalMs,
  });
}
