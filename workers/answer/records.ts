import type { Answer, Principal } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { AnswerRecord } from "../tenant/api-answers.ts";
import type { Asked } from "./asked.ts";
import type { AnswerKeys } from "./cache-key.ts";
import { PROMPT_VERSION } from "./prompt.ts";
import { questionKind } from "./route-rules.ts";

/** One answer that was given. */
export interface Given {
  readonly principal: Principal;
  readonly asked: Asked;
  readonly answer: Answer;
  /** What the model read; empty for an answer from the first cache level. */
  readonly evidence: readonly Evidence[];
  readonly rows: readonly (readonly [string, string])[];
  /** The kept answer that was given again. */
  readonly kept: Answer | undefined;
}

/** What is remembered of it. */
export async function recordOf(
  { principal, asked, answer, evidence, rows, kept }: Given,
  keys: Pick<AnswerKeys, "questionDigest">,
  now: number,
): Promise<AnswerRecord> {
  const { question, admission } = asked;
  return {
    id: answer.id,
    at: now,
    subject: principal.subject,
    from: kept?.id,
    question: await keys.questionDigest(question.text, question.history),
    today: asked.today,
    language: asked.language,
    kind: questionKind(question.text),
    model: answer.model,
    route: answer.route,
    attempts: answer.attempts,
    cache: answer.cache,
    outcome: answer.outcome,
    reason: answer.reason,
    generation: answer.generation,
    configVersion: admission.configVersion,
    epoch: admission.epoch,
    promptVersion: PROMPT_VERSION,
    maxOutputTokens: question.maxOutputTokens,
    evidence: evidence.map(({ id, version }) => [id, version] as const),
    rows,
    usage: spent(answer),
    saved: spent(kept),
  };
}

function spent(of: Answer | undefined): AnswerRecord["usage"] {
  return {
    tokens: (of?.usage.inputTokens ?? 0) + (of?.usage.outputTokens ?? 0),
    usd: of?.usage.costUsd ?? 0,
  };
}

/** Every row of the evidence once, with its version. */
export function rowsOf(evidence: readonly Evidence[]): readonly (readonly [string, string])[] {
  const versions = new Map(evidence.map((item) => [`${item.row} ${item.version}`, item]));
  return [...versions.values()].map((item) => [item.row, item.version] as const);
}
