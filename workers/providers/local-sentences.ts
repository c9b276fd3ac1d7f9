import { foldText, type Word, wordsOf } from "../answer/understand-text.ts";
import type { Fact, Field, Sentence } from "./local-facts.ts";
import { accountOf, type Cover, inBag, isHard, weightOf } from "./local-match.ts";
import type { AnswerType } from "../answer/understand-lexicon.ts";
import type { Term, Understanding } from "../answer/understand.ts";

/** A sentence of a row's prose that may answer. */
export interface Passage {
  readonly fact: Fact;
  readonly field: Field;
  readonly text: string;
  /** Position among the field's sentences. */
  readonly n: number;
  /** Weighted share of the question that the sentence itself holds, 0 to 1. */
  readonly own: number;
  /** The same for the whole row. */
  readonly row: number;
  readonly score: number;
}

/** Below this share of the question, a row of prose is about something else. */
const ENOUGH_ROW = 0.5;
/** Below this, a sentence merely shares a word with the question. */
const ENOUGH_OWN = 0.2;

/** Sentences that may answer, best first. */
export function passagesOf(covers: readonly Cover[], question: Understanding): Passage[] {
  const type = question.wanted[0]?.type ?? "thing";
  const rarity = rarityOf(covers, question);
  const none = new Set<string>();
  const out: Passage[] = [];
  for (const cover of covers) {
    const account = accountOf(cover, question, undefined, none);
    if (!account.pinned || account.coverage < ENOUGH_ROW) continue;
    for (const field of cover.fact.fields) {
      for (const [n, sentence] of field.sentences.entries()) {
        const own = shareOf(sentence, cover.fact, question, rarity);
        if (own < ENOUGH_OWN || !holdsAWord(sentence, question)) continue;
        const bonus = typeBonus(type, sentence.text, question);
        out.push({
          fact: cover.fact,
          field,
          text: sentence.text,
          n,
          own,
          row: account.coverage,
          score: own + account.coverage * 0.35 + bonus + cover.fact.evidence.score * 0.15,
        });
      }
    }
  }
  return out.sort((a, b) => b.score - a.score || a.fact.marker - b.fact.marker || a.n - b.n);
}

/** Weight of each term by how few of the sentences hold it: what every sentence says tells them apart no more. */
function rarityOf(covers: readonly Cover[], question: Understanding): readonly number[] {
  const counts = question.terms.map(() => 1);
  let total = 1;
  for (const cover of covers) {
    for (const field of cover.fact.fields) {
      for (const sentence of field.sentences) {
        total += 1;
        for (const term of question.terms) {
          if (inBag(term, sentence.content, 0) > 0) counts[term.index] = (counts[term.index] ?? 1) + 1;
        }
      }
    }
  }
  return counts.map((count) => Math.log(1 + total / count));
}

/** A sentence that only repeats the names of a question says nothing of what is asked about them. */
function holdsAWord(sentence: Sentence, question: Understanding): boolean {
  const words = question.terms.filter((t) => t.kind === "word" && !t.light && !t.inDate);
  if (words.length === 0) return true;
  return words.some((t) => inBag(t, sentence.content, 0.5) > 0);
}

/** @param fact whose title stands for the names in it: a sentence of a contract need not name the customer. */
function shareOf(sentence: Sentence, fact: Fact, question: Understanding, rarity: readonly number[]): number {
  let have = 0;
  let all = 0;
  for (const term of question.terms) {
    const weight = (term.light ? 0.2 : Math.min(1.5, weightOf(term))) * (rarity[term.index] ?? 1);
    all += weight;
    have += weight * Math.max(inBag(term, sentence.content, isHard(term) ? 0 : 0.5), isTitled(term, fact));
  }
  return all === 0 ? 0 : have / all;
}

/** What a name in the row's title is worth to each of its sentences. */
const TITLED = 0.3;

function isTitled(term: Term, fact: Fact): number {
  return !term.light && inBag(term, fact.titleBag, 0) > 0 ? TITLED : 0;
}

const CAUSES =
  /\b(?:because|due to|caused by|owing to|as a result|result(?:ed|s|ing)? from|following|after|since|so that|in order to|to avoid|car|parce qu|en raison|a cause|du fait|suite a|afin|grace a|puisqu|faute de|pour|provoqu|entrain|cause)/;

/** What an answer of the kind asked for looks like in a sentence, 0 to 0.25. */
export function typeBonus(type: AnswerType, text: string, question: Understanding): number {
  const folded = foldText(text);
  switch (type) {
    case "date":
      return /\b(?:1[0-9]|20)\d{2}\b|\b\d{1,2}(?:er)? (?:jan|fe|mar|a[pv]r|ma[iy]|ju[in]|a[uo]u|sep|oct|nov|dec)/.test(
        folded,
      )
        ? 0.2
        : 0;
    case "count":
    case "money":
    case "duration":
      return /\d/.test(folded) || NUMBER_WORD.test(folded) ? 0.2 : -0.05;
    case "cause":
      return CAUSES.test(folded) ? 0.2 : 0;
    case "person":
      return newNames(text, question) ? 0.12 : 0;
    case "place":
      return newNames(text, question) && /\b(?:in|at|near|a|au|aux|en|dans|pres|sur|rue|ville)\b/.test(folded)
        ? 0.12
        : 0;
    case "manner":
    case "thing":
      return 0;
    default:
      return type satisfies never;
  }
}

/** Whether a sentence says why. */
export function saysWhy(text: string): boolean {
  return CAUSES.test(foldText(text));
}

const NUMBER_WORD =
  /\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|thousand|million|deux|trois|quatre|cinq|sept|huit|neuf|dix|onze|douze|treize|quatorze|quinze|seize|vingt|trente|quarante|cinquante|soixante|cent|cents|mille|dizaine|centaine|millier)s?\b/;

/** Whether a sentence has a capitalised word, past its first, that the question has not. */
function newNames(text: string, question: Understanding): boolean {
  const said = new Set(question.terms.map((t) => t.folded));
  return wordsOf(text).some(
    (w: Word) => w.start > 0 && /^\p{Lu}/u.test(w.raw) && w.folded.length > 2 && !said.has(w.folded),
  );
}
