import type { AnswerScores, EvalAnswer } from "./eval-score.ts";

/** What one model's answers cost, how long they took, and whether they were its own. */
export interface AnswerCosts {
  readonly usd: number;
  /** Median of the whole answer, in milliseconds; undefined where nothing was asked. */
  readonly medianMs: number | undefined;
  /** Answers that another model wrote, because one failed. */
  readonly standIns: number;
}

/** Measures in which a candidate was worse than the model that it would replace. */
export type Worse =
  | "leaks"
  | "made_up"
  | "ok"
  | "wrong_abstain"
  | "citation_precision"
  | "stand_ins"
  | "ungraded";

export function costsOf(answers: readonly EvalAnswer[]): AnswerCosts {
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const middle = times.length / 2;
  const upper = times[Math.floor(middle)];
  const lower = times[Math.ceil(middle) - 1];
  return {
    usd: answers.reduce((sum, { usd }) => sum + usd, 0),
    standIns: answers.filter((answer) => answer.stand_in).length,
    medianMs: upper === undefined || lower === undefined ? undefined : (lower + upper) / 2,
  };
}

/**
 * Whether a candidate may take a model's place: empty when it may. One leak or one made-up answer more is never within the
 * margin. What could not be measured for either is told as
 * `ungraded`, and answers of stand-ins say nothing of the candidate: a gate that measured something else must not open.
 * @param margin by how much a share may be worse, 0 to 1.
 */
export function worseThan(
  candidate: AnswerScores & Pick<AnswerCosts, "standIns">,
  present: AnswerScores,
  margin: number,
): readonly Worse[] {
  const worse: Worse[] = [];
  if (candidate.ok === undefined || present.ok === undefined) worse.push("ungraded");
  if (candidate.standIns > 0) worse.push("stand_ins");
  if (candidate.leaks > present.leaks) worse.push("leaks");
  if (above(candidate.madeUp, present.madeUp, 0)) worse.push("made_up");
  if (above(present.ok, candidate.ok, margin)) worse.push("ok");
  if (above(candidate.wrongAbstain, present.wrongAbstain, margin)) worse.push("wrong_abstain");
  if (above(present.citationPrecision, candidate.citationPrecision, margin)) worse.push("citation_precision");
  return worse;
}

/** Whether one share lies over another by more than the margin; a hair of rounding is not more. */
function above(one: number | undefined, other: number | undefined, margin: number): boolean {
  return one !== undefined && other !== undefined && one - other > margin + 1e-9;
}
