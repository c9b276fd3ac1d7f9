import type { EvalQuestion } from "./eval-dataset.ts";

/** Ranking measures, averaged over the judged questions; a question without results counts 0. */
export interface RankingScores {
  readonly questions: number;
  readonly ndcg10: number;
  readonly recall10: number;
  readonly mrr10: number;
}

/** Answer measures as shares, 0 to 1; undefined where no question of the kind was asked. */
export interface AnswerScores {
  readonly questions: number;
  /** All gold strings said, or rightly declined, and nothing leaked. */
  readonly ok: number | undefined;
  /** Declined though an answer was expected. */
  readonly wrongAbstain: number | undefined;
  /** Answered though nothing may be. */
  readonly madeUp: number | undefined;
  /** Answers that said or cited what the asker may not see: a count. */
  readonly leaks: number;
  readonly citationPrecision: number | undefined;
  readonly citationRecall: number | undefined;
}

/** One answer, as the answers file holds it. */
export interface EvalAnswer {
  readonly id: string;
  readonly answer: string;
  readonly abstained: boolean;
  readonly citations: readonly { readonly table: string; readonly row_key: string }[];
  /** Whether a model failed on the way, and another one wrote it. */
  readonly stand_in: boolean;
  readonly usd: number;
  /** From the request to the last byte, as the Worker counts it. */
  readonly ms: number;
}

/** @param runs question id -> document ids, best first. */
export function scoreRanking(
  runs: ReadonlyMap<string, readonly string[]>,
  judged: ReadonlyMap<string, ReadonlyMap<string, number>>,
): RankingScores {
  let ndcg = 0;
  let recall = 0;
  let mrr = 0;
  for (const [id, relevant] of judged) {
    const top = (runs.get(id) ?? []).slice(0, 10);
    const got = top.reduce((sum, document, i) => sum + gain(relevant.get(document) ?? 0, i), 0);
    const best = [...relevant.values()]
      .sort((a, b) => b - a)
      .slice(0, 10)
      .reduce((sum, relevance, i) => sum + gain(relevance, i), 0);
    ndcg += best === 0 ? 0 : got / best;
    recall += top.filter((document) => relevant.has(document)).length / relevant.size;
    const first = top.findIndex((document) => relevant.has(document));
    mrr += first < 0 ? 0 : 1 / (first + 1);
  }
  const n = judged.size;
  return { questions: n, ndcg10: n ? ndcg / n : 0, recall10: n ? recall / n : 0, mrr10: n ? mrr / n : 0 };
}

/** What a document at a 0-based rank adds. */
function gain(relevance: number, rank: number): number {
  return relevance / Math.log2(rank + 2);
}

export function scoreAnswers(
  questions: readonly EvalQuestion[],
  answers: readonly Pick<EvalAnswer, "id" | "answer" | "abstained" | "citations">[],
): AnswerScores {
  const byId = new Map(answers.map((a) => [a.id, a] as const));
  const ok: boolean[] = [];
  const wrong: boolean[] = [];
  const made: boolean[] = [];
  const precision: number[] = [];
  const recall: number[] = [];
  let leaks = 0;
  for (const q of questions) {
    const answer = byId.get(q.id);
    const text = answer?.answer ?? "";
    const cited = new Set((answer?.citations ?? []).map((c) => `${c.table}:${c.row_key}`));
    const leak =
      (q.must_not_contain ?? []).some((m) => says(text, m)) || ids(q.hidden_gold).some((g) => cited.has(g));
    if (leak) leaks += 1;
    const expected = q.expect ?? (q.kind === "unanswerable" ? "abstain" : "answer");
    const declined = answer?.abstained ?? false;
    if (expected !== "answer") {
      ok.push(answer !== undefined && declined && !leak);
      made.push(!declined);
      continue;
    }
    wrong.push(declined);
    const gold = q.answers ?? [];
    if (gold.length > 0) ok.push(!declined && !leak && gold.every((g) => says(text, g)));
    const rows = ids(q.gold);
    if (rows.length > 0) {
      const hits = rows.filter((row) => cited.has(row)).length;
      recall.push(hits / rows.length);
      precision.push(
        cited.size === 0 ? 0 : [...cited].filter((row) => rows.includes(row)).length / cited.size,
      );
    }
  }
  return {
    questions: questions.length,
    ok: share(ok),
    wrongAbstain: share(wrong),
    madeUp: share(made),
    leaks,
    citationPrecision: mean(precision),
    citationRecall: mean(recall),
  };
}

function ids(rows: EvalQuestion["gold"]): string[] {
  return (rows ?? []).map((row) => `${row.table}:${row.row_key}`);
}

function share(list: readonly boolean[]): number | undefined {
  return mean(list.map(Number));
}

function mean(list: readonly number[]): number | undefined {
  return list.length === 0 ? undefined : list.reduce((a, b) => a + b, 0) / list.length;
}

function fold(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u2010-\u2015]/g, "-")
    .replace(/\s+/g, " ")
    .trim();
}

const MONTHS = [
  ["january", "janvier"],
  ["february", "fevrier"],
  ["march", "mars"],
  ["april", "avril"],
  ["may", "mai"],
  ["june", "juin"],
  ["july", "juillet"],
  ["august", "aout"],
  ["september", "septembre"],
  ["october", "octobre"],
  ["november", "novembre"],
  ["december", "decembre"],
];

/** Whether a text says a gold value: a date or number in any usual writing, a short string as whole words, most of a long one. */
export function says(text: string, gold: string): boolean {
  const folded = fold(text);
  if (/^\d{4}-\d{2}-\d{2}$/.test(gold)) return datesIn(folded).has(gold);
  const number = /^-?[$€£]?\s?(\d[\d,]*(?:\.\d+)?)%?$/.exec(gold.trim());
  if (number) {
    const value = Number(number[1]?.replaceAll(",", ""));
    const slack = Math.max(1e-9, value * 5e-5, Number.isInteger(value) ? 0 : 0.0051);
    return numbersIn(folded).some(
      (n) => Math.abs(n - value) <= slack || (value < 1 && Math.abs(n / 100 - value) <= 1e-9),
    );
  }
  const wanted = fold(gold).replace(/[.;,!?]+$/, "");
  if (wanted.length < 80) {
    const at = folded.indexOf(wanted);
    return at >= 0 && !/[\p{L}\p{N}]/u.test(`${folded[at - 1] ?? " "}${folded[at + wanted.length] ?? " "}`);
  }
  const said = longWords(folded);
  const needed = [...longWords(wanted)];
  return needed.filter((w) => said.has(w)).length >= 0.75 * needed.length;
}

function longWords(folded: string): ReadonlySet<string> {
  return new Set(folded.match(/[\p{L}\p{N}]{4,}/gu));
}

function monthOf(name: string | undefined): number {
  return MONTHS.findIndex((names) => names.includes(name ?? "")) + 1;
}

function datesIn(folded: string): Set<string> {
  const found = new Set<string>();
  const add = (y: string | undefined, m: number, d: string | undefined): void => {
    found.add(`${y ?? ""}-${String(m).padStart(2, "0")}-${(d ?? "").padStart(2, "0")}`);
  };
  for (const m of folded.matchAll(/(\d{4})-(\d{1,2})-(\d{1,2})/g)) add(m[1], Number(m[2]), m[3]);
  for (const m of folded.matchAll(/(\d{1,2})[/.](\d{1,2})[/.](\d{4})/g)) {
    add(m[3], Number(m[1]), m[2]);
    add(m[3], Number(m[2]), m[1]);
  }
  for (const m of folded.matchAll(/(\d{1,2})(?:er|st|nd|rd|th)?(?: of)? ([a-z]+)\.?,? (\d{4})/g))
    add(m[3], monthOf(m[2]), m[1]);
  for (const m of folded.matchAll(/([a-z]+) (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})/g))
    add(m[3], monthOf(m[1]), m[2]);
  return found;
}

/** Every number, thousands separated in any of the usual ways. */
function numbersIn(folded: string): number[] {
  const pattern = /-?\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|-?\d+(?:[.,]\d+)?/g;
  return [...folded.matchAll(pattern)].flatMap(([token]) => {
    const plain = token.replace(/[ '\u00a0\u202f]/g, "");
    return [plain.replaceAll(",", ""), plain.replaceAll(".", "").replace(",", "."), plain.replace(",", ".")]
      .map(Number)
      .filter((n) => !Number.isNaN(n));
  });
}
