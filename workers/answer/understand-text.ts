import { lazily } from "../../shared/lazily.ts";
import { fold, stem } from "../../shared/analysis.ts";
import { ofText } from "./of-text.ts";

/** Words, stems and sentences for questions and rows alike, in English and French. */

/** A word of a text. Offsets are UTF-16 units in the text given. */
export interface Word {
  /** As written. */
  readonly raw: string;
  /** Lower case, accents and ligatures folded. */
  readonly folded: string;
  /** As an English word. */
  readonly stem: string;
  readonly start: number;
  readonly end: number;
}

/** Lower case without accents, dashes and apostrophes plain: `Forêts d’érables` → `forets d'erables`. Length may change. */
export function foldText(text: string): string {
  return fold(text).replace(/[\u2010-\u2015\u2212]/g, "-");
}

const word = lazily(() => /[\p{L}\p{N}\p{M}]+/gu);

/** Characters of the words that are known. */
const MOST_KNOWN = 40_000;

/** Rows and questions are made of the same words: each is folded and stemmed once. */
const formsOf = ofText(MOST_KNOWN, (raw): Pick<Word, "folded" | "stem"> => {
  const folded = foldText(raw);
  return { folded, stem: stem(folded, "en") };
});

/** Every run of letters and digits, in order. */
export function wordsOf(text: string): Word[] {
  const out: Word[] = [];
  for (const match of text.matchAll(word())) {
    const { folded, stem } = formsOf(match[0]);
    if (folded === "") continue;
    out.push({
      raw: match[0],
      folded,
      stem,
      start: match.index,
      end: match.index + match[0].length,
    });
  }
  return out;
}

/**
 * A folded word's stems in both languages, the French one marked: a question in one language is often put against rows in
 * the other, and two words are alike when they share either.
 */
export function stemsOf(folded: string): readonly string[] {
  return [stem(folded, "en"), `~${stem(folded, "fr")}`];
}

const abbreviation = lazily(
  () =>
    /(?:^|[\s(])(?:\p{L}|mr|mrs|ms|dr|st|ste|jr|sr|no|nos|co|inc|ltd|corp|vs|etc|e\.g|i\.e|cf|env|approx|av|ave|bd|mm|mme|mlle|art|fig|vol|p|pp|ph|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|janv|fevr|juil)\.$/iu,
);

/** Whether the full stop that ends `before` is an abbreviation's, so that the sentence goes on. */
export function endsInAbbreviation(before: string): boolean {
  return abbreviation().test(before.slice(-12));
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
