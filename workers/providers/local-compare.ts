import { TYPE_CONCEPTS } from "../answer/understand-lexicon.ts";
import type { Comparison } from "../answer/understand-compare.ts";
import type { Understanding } from "../answer/understand.ts";
import { type Fact, type Field, nameOf } from "./local-facts.ts";
import { type Cover, inBag, inName, inValue } from "./local-match.ts";
import { capital, comparisonEnd, comparisonTie, mark, shown } from "./local-phrases.ts";

/** "Which is dearer, A or B": both rows' cells, and the conclusion. undefined when either row or the cell is not there. */
export function compare(
  covers: readonly Cover[],
  question: Understanding,
  comparison: Comparison,
): string | undefined {
  const [left, right] = comparison.sides.map((side) => covers.filter((cover) => holds(cover, side)));
  for (const a of left ?? []) {
    for (const b of right ?? []) {
      if (a.fact === b.fact || a.fact.evidence.table !== b.fact.evidence.table) continue;
      const pair = fieldsOf(a.fact, b.fact, question, comparison);
      if (pair) return conclude(a.fact, b.fact, pair, question, comparison);
    }
  }
  return undefined;
}

/** Whether a row is one of the things compared: every word of the name is in its title, its key or one of its short cells. */
function holds(cover: Cover, side: Comparison["sides"][number]): boolean {
  return side.every(
    (term) =>
      inBag(term, cover.fact.titleBag, 0) > 0 ||
      cover.fact.fields.some((f) => (f.key || f.shape === "text") && inValue(term, f) >= 0.9),
  );
}

interface Pair {
  readonly a: Field;
  readonly b: Field;
  readonly fit: number;
}

/** The same column of both rows, the one that the comparison speaks of. */
function fieldsOf(
  left: Fact,
  right: Fact,
  question: Understanding,
  comparison: Comparison,
): Pair | undefined {
  const sides = new Set(comparison.sides.flat());
  const terms = question.terms.filter(
    (t) => !sides.has(t) && !t.labels && !comparison.words.includes(t.folded),
  );
  let best: Pair | undefined;
  for (const a of left.fields) {
    const b = right.fields.find((f) => f.column === a.column);
    if (!b || a.key || a.reference || a.shape !== b.shape) continue;
    if (a.shape !== "number" && a.shape !== "date") continue;
    if (comparison.byTime && a.shape !== "date") continue;
    if (!comparison.byTime && a.shape === "date") continue;
    const concept = comparison.concepts.findIndex((c) => a.name.concepts.has(c));
    const asked = terms.reduce((sum, t) => sum + inName(t, a), 0);
    const plain = comparison.byTime && a.name.concepts.has("date") ? 0.2 : 0;
    const fit = asked + (concept < 0 ? 0 : 1 - concept * 0.1) + plain;
    if (fit > (best?.fit ?? 0)) best = { a, b, fit };
  }
  // "Older" without a word for what: any date of a person's or a thing's beginning would be a guess.
  return best && (best.fit > 0.3 || isOnly(left, best.a, comparison)) ? best : undefined;
}

function isOnly(fact: Fact, field: Field, comparison: Comparison): boolean {
  const rivals = fact.fields.filter((f) => f.shape === field.shape && !f.key && !f.reference);
  return (
    rivals.length === 1 && (comparison.byTime || TYPE_CONCEPTS.money.some((c) => field.name.concepts.has(c)))
  );
}

function conclude(a: Fact, b: Fact, pair: Pair, question: Understanding, comparison: Comparison): string {
  const language = question.language;
  const first = pair.a.number ?? pair.a.time ?? 0;
  const second = pair.b.number ?? pair.b.time ?? 0;
  const colon = language === "fr" ? " :" : ":";
  const both = [
    `${capital(nameOf(a))} — ${pair.a.label}${colon} ${shown(pair.a, language)} ${mark(a)};`,
    `${nameOf(b)} — ${pair.b.label}${colon} ${shown(pair.b, language)} ${mark(b)}.`,
  ].join(" ");
  if (first === second) return `${comparisonTie(pair.a.label, language)} ${both}`;
  const most = comparison.direction === "most";
  const winner = first > second === most ? a : b;
  return `${comparisonEnd(nameOf(winner), pair.a.label, most, pair.a.shape === "date", language)} ${both}`;
}
