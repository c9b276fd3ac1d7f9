import { fold } from "../../shared/analysis.ts";

/**
 * Words, light stems and sentences for question and rows alike. One stemmer serves English and French at once, because a
 * question in one language is often put against rows in the other; it only has to send both sides to the same string.
 */

/** A word of a text. Offsets are UTF-16 units in the text given. */
export interface Word {
  /** As written. */
  readonly raw: string;
  /** Lower case, accents and ligatures folded. */
  readonly folded: string;
  readonly stem: string;
  readonly start: number;
  readonly end: number;
}

/** Lower case without accents, dashes and apostrophes plain: `Forêts d’érables` → `forets d'erables`. Length may change. */
export function foldText(text: string): string {
  return fold(text).replace(/[\u2010-\u2015\u2212]/g, "-");
}

const WORD = /[\p{L}\p{N}\p{M}]+/gu;

/** Every run of letters and digits, in order. */
export function wordsOf(text: string): Word[] {
  const out: Word[] = [];
  for (const match of text.matchAll(WORD)) {
    const folded = foldText(match[0]);
    if (folded === "") continue;
    out.push({
      raw: match[0],
      folded,
      stem: stemOf(folded),
      start: match.index,
      end: match.index + match[0].length,
    });
  }
  return out;
}

/** Endings that carry grammar rather than meaning, longest first; English and French together. */
const SUFFIXES = [
  "issements",
  "issement",
  "atrices",
  "ations",
  "atrice",
  "ements",
  "ateurs",
  "ation",
  "ement",
  "ateur",
  "ments",
  "euses",
  "ances",
  "ences",
  "iques",
  "antes",
  "ement",
  "ment",
  "euse",
  "eurs",
  "ance",
  "ence",
  "ique",
  "ante",
  "ants",
  "ings",
  "iers",
  "iere",
  "ions",
  "ives",
  "eaux",
  "ical",
  "eur",
  "ing",
  "ier",
  "ies",
  "ied",
  "ees",
  "ers",
  "ion",
  "ive",
  "ant",
  "ent",
  "aux",
  "ial",
  "ait",
  "ed",
  "er",
  "ee",
  "es",
  "ez",
  "ly",
  "al",
  "if",
  "ic",
  "e",
  "s",
  "y",
  "x",
  "i",
] as const;

const SHORTEST_STEM = 3;

/** A folded word without its endings; numbers and words of up to three letters stay. */
export function stemOf(folded: string): string {
  if (folded.length <= SHORTEST_STEM || /\d/.test(folded)) return folded;
  let stem = folded;
  for (let pass = 0; pass < 2; pass++) {
    const suffix = SUFFIXES.find((s) => stem.endsWith(s) && stem.length - s.length >= SHORTEST_STEM);
    if (suffix === undefined) break;
    stem = stem.slice(0, -suffix.length);
  }
  // "shipped" and "ship" meet once the doubled consonant is single.
  return /([bcdfghjklmnpqrstvwxz])\1$/.test(stem) && stem.length > SHORTEST_STEM ? stem.slice(0, -1) : stem;
}

const ABBREVIATION =
  /(?:^|[\s(])(?:\p{L}|mr|mrs|ms|dr|st|ste|jr|sr|no|nos|co|inc|ltd|corp|vs|etc|e\.g|i\.e|cf|env|approx|av|ave|bd|mm|mme|mlle|art|fig|vol|p|pp|ph|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|janv|fevr|juil)\.$/iu;

/** Whether the full stop that ends `before` is an abbreviation's, so that the sentence goes on. */
export function endsInAbbreviation(before: string): boolean {
  return ABBREVIATION.test(before.slice(-12));
}

/** A sentence and where it starts in its text. */
export interface Sentence {
  readonly text: string;
  readonly start: number;
}

/** Sentences and lines of a text, trimmed, none empty. */
export function sentencesOf(text: string): Sentence[] {
  const out: Sentence[] = [];
  let from = 0;
  const push = (to: number): void => {
    const raw = text.slice(from, to);
    const trimmed = raw.trim();
    if (trimmed !== "") out.push({ text: trimmed, start: from + raw.indexOf(trimmed) });
    from = to;
  };
  for (const match of text.matchAll(/[.!?…]+["'»”’)\]]*(?=\s+\S)|\n+/gu)) {
    const end = match.index + match[0].length;
    if (match[0].startsWith("\n")) {
      push(end);
      continue;
    }
    const next = /\S/u.exec(text.slice(end))?.[0] ?? "";
    const before = text.slice(from, match.index + 1);
    if (/\p{Ll}/u.test(next) || (match[0] === "." && endsInAbbreviation(before))) continue;
    push(end);
  }
  push(text.length);
  return out;
}
