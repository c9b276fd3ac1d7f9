import { foldText } from "./understand-text.ts";
import type { Term } from "./understand.ts";

/** Years that a question joins: each then stands for all of them, as a row seldom holds two. */
export function withYears(question: string, terms: readonly Term[]): Term[] {
  const out = [...terms];
  for (const [i, term] of terms.entries()) {
    const next = terms[i + 1];
    if (!next || !isYear(term) || !isYear(next)) continue;
    const between = foldText(question.slice(term.end, next.start));
    const span = /^(?:\s*-\s*|\s+(?:to|until|through|a|au|jusqu'en)\s+(?:(?:the|in|l'annee)\s+)?)$/.test(
      between,
    );
    const ranged =
      span ||
      (/^\s+(?:and|et)\s+$/.test(between) &&
        /(?:between|entre)\s+$/.test(foldText(question.slice(0, term.start))));
    if (!ranged && !/^\s*(?:,|and|or|et|ou|&)\s*(?:in|en|by)?\s*$/.test(between)) continue;
    const [from, to] = [Number(term.folded), Number(next.folded)].sort((a, b) => a - b);
    if (from === undefined || to === undefined || to - from > LONGEST_SPAN) continue;
    const years = ranged
      ? Array.from({ length: to - from + 1 }, (_, n) => from + n)
      : [...(out[i]?.years ?? []), from, to];
    out[i] = { ...term, ...out[i], years };
    out[i + 1] = { ...next, years };
  }
  return out;
}

/** Numbers and codes that a question joins, each under the same letters or none: "F-101, F-102 and F-103". */
export function withEither(question: string, terms: readonly Term[]): Term[] {
  const out = [...terms];
  let group: Term[] = [];
  const close = (): void => {
    if (group.length > 1) {
      const either = group.map((t) => t.folded);
      for (const term of group) out[term.index] = { ...term, either };
    }
    group = [];
  };
  for (const term of terms) {
    if ((term.kind !== "number" && term.kind !== "code") || term.years.length > 0 || term.inDate) continue;
    const before = group.at(-1);
    const between = before ? foldText(question.slice(before.end, term.start)) : "";
    const joined = /^\s*(?:,|&|(?:,\s*)?\b(?:and|or|et|ou)\b)\s*(?:([a-z]{1,6})[-\s]?)?$/.exec(between);
    const prefix = terms[(before?.index ?? 0) - 1];
    const same = joined && (joined[1] === undefined || joined[1] === prefix?.folded);
    if (!same) close();
    group.push(term);
  }
  close();
  return out;
}

/** Most years that a span is taken to mean. */
const LONGEST_SPAN = 60;

function isYear(term: Term): boolean {
  return term.kind === "number" && /^(?:1[5-9]|20|21)\d{2}$/.test(term.folded);
}

const ASKS =
  "who|whom|whose|what|which|when|where|why|how|qui|quoi|quel|quels|quelle|quelles|quand|où|comment|combien|pourquoi";
const JOINED = new RegExp(`(?:\\?|[,;]?\\s+(?:and|et))\\s+(?=(?:${ASKS})(?![\\p{L}\\p{N}]))`, "giu");

/** Each is looked for in all rows by itself. */
const MOST_QUESTIONS = 3;

/** A question that asks several things, taken apart: "when was it, and which vessel?" is two. One of many more is left whole. */
export function questionsIn(question: string): readonly string[] {
  const parts = question.split(JOINED);
  return parts.length > MOST_QUESTIONS ? [question] : parts;
}
