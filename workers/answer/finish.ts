import { base64url } from "../../shared/ids.ts";
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
    id: newId(),
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
  const asOf = new Map(asked.admission.tables.map((table) => [table.table, table.asOf]));
  const citations = kept.citations.map((c) => ({ ...c, asOf: asOf.get(c.table) ?? c.asOf }));
  const totalMs = now - asked.startedAt;
  return {
    ...kept,
    id: newId(),
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

function newId(): string {
  return `ans_${base64url(crypto.getRandomValues(new Uint8Array(12)))}`;
}
