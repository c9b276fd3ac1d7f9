import { detectLanguage } from "../../shared/analysis.ts";
import { type Comparison, comparisonOf, isSuperlative } from "./understand-compare.ts";
import { type DateRange, rangesOf } from "./understand-dates.ts";
import { type AnswerType, conceptsOf, isGenericHead, isLight, isStopWord } from "./understand-lexicon.ts";
import { withEither, withYears } from "./understand-joined.ts";
import { foldText, stemsOf, type Word, wordsOf } from "./understand-text.ts";

/**
 * Understanding a question without a model: what is asked for, of what, and whether rows can answer it at all. Shared by the
 * built-in answerers and by retrieval.
 */

export type Intent = "lookup" | "list" | "comparison" | "aggregate" | "cause" | "yes-no" | "summary";

/** A content word of the question. */
export interface Term {
  readonly raw: string;
  readonly folded: string;
  /** In both languages; see `stemsOf`. */
  readonly stems: readonly string[];
  /** What the lexicon says that the word may mean. */
  readonly concepts: readonly string[];
  /** `code` has digits and letters; `name` is written like a proper name. */
  readonly kind: "name" | "number" | "code" | "word";
  /** Helps to ask; the rows need not hold it. */
  readonly light: boolean;
  /** Position among the terms. */
  readonly index: number;
  /** Names the number or code right after it: "order" in "order 10248". */
  readonly labels: boolean;
  /** For one of several years ("2004 and 2005", "2012 to 2014"): all of them; a row holds the term with any. */
  readonly years: readonly number[];
  /** For one of several numbers or codes ("incidents F-101 and F-102"): all of them, folded; a row holds the term with any. */
  readonly either: readonly string[];
  /** Part of a date that `dates` holds. */
  readonly inDate: boolean;
  readonly start: number;
  readonly end: number;
}

/** One thing asked for. */
export interface Wanted {
  /** The noun phrase that names it ("phone number"); empty for "who", "when", …. */
  readonly terms: readonly Term[];
  readonly type: AnswerType;
  /** Asked with "which" or "quel": the phrase may name a kind of row rather than a column. */
  readonly which: boolean;
  /** The phrase may run on into the verb: one of its words is enough. */
  readonly loose?: boolean;
  /** A duration that something takes, and no length. */
  readonly takes?: boolean;
}

export interface Understanding {
  readonly language: "en" | "fr";
  readonly intent: Intent;
  readonly terms: readonly Term[];
  /** In the order asked; at least one. */
  readonly wanted: readonly Wanted[];
  /** Days that the question speaks of, relative ones resolved. */
  readonly dates: readonly DateRange[];
  /** Text between quotation marks. */
  readonly quoted: readonly string[];
  readonly comparison: Comparison | undefined;
  readonly aggregate: "count" | "sum" | "average" | "superlative" | undefined;
  /** More than one row is expected. */
  readonly plural: boolean;
  /** Only a total over rows can answer; a count may still be found in one cell ("how many units in stock"). */
  readonly needsTotal: boolean;
}

/** @param today ISO day that "today" means. */
export function understand(asked: string, today: string, language?: "en" | "fr"): Understanding {
  const spoken = language ?? detectLanguage(asked);
  const question = asked.replace(/\be-mail/gi, "email");
  const words = wordsOf(question);
  const dates = rangesOf(question, today);
  const terms = termsOf(question, words, dates);
  const wanted = wantedOf(question, words, terms);
  const comparison = comparisonOf(question, words, terms);
  const aggregate = comparison ? undefined : aggregateOf(words, wanted);
  const plural = isPlural(words, wanted);
  const intent = intentOf(words, wanted, comparison, aggregate, plural);
  return {
    language: spoken,
    intent,
    terms,
    wanted,
    dates,
    quoted: [...question.matchAll(/["“«]\s*([^"”»]{2,200}?)\s*["”»]/g)].map((m) => m[1] ?? ""),
    comparison,
    aggregate,
    plural,
    needsTotal: aggregate !== undefined && aggregate !== "count",
  };
}

function termsOf(question: string, words: readonly Word[], dates: readonly DateRange[]): Term[] {
  const letters = words.filter((w) => /^\p{L}/u.test(w.raw) && !isStopWord(w.folded));
  // Written All In Capitals, Or Like A Heading: capitals tell nothing.
  const shouting = letters.length > 3 && letters.every((w) => /^\p{Lu}/u.test(w.raw));
  const terms: Term[] = [];
  for (const [i, word] of words.entries()) {
    const digits = /\d/.test(word.folded);
    if (word.folded.length === 1 && !digits && !/^\p{Lu}/u.test(word.raw)) continue;
    const capital = /^\p{Lu}/u.test(word.raw) && !shouting && !startsSentence(question, word.start);
    if (isStopWord(word.folded) && !(capital && /\p{Lu}{2,}/u.test(word.raw))) continue;
    const kind = digits
      ? /^\d+$/.test(word.folded)
        ? "number"
        : "code"
      : capital && word.folded !== "i"
        ? "name"
        : "word";
    const next = words[i + 1];
    const between = next ? question.slice(word.end, next.start) : "";
    const skip = next && /^(?:no|nr|n|number|numero)$/.test(next.folded) ? words[i + 2] : next;
    const stems = stemsOf(word.folded);
    terms.push({
      raw: word.raw,
      folded: word.folded,
      stems,
      concepts: conceptsOf(stems),
      kind,
      light: kind === "word" && isLight(stems),
      index: terms.length,
      years: [],
      either: [],
      labels: kind === "word" && skip !== undefined && /\d/.test(skip.folded) && !/[,;:?]/.test(between),
      inDate: dates.some((d) => word.start >= d.start && word.end <= d.end),
      start: word.start,
      end: word.end,
    });
  }
  return withEither(question, withYears(question, terms));
}

function startsSentence(question: string, at: number): boolean {
  return /(?:^|[.?!:])["'“«\s([]*$/.test(question.slice(Math.max(0, at - 6), at)) || at === 0;
}

const AUXILIARIES = new Set(
  "is are was were be been do does did has have had can could should will would must may est sont etait etaient sera fut a ont avait avons avez as".split(
    " ",
  ),
);
const COPULAS = new Set("is are was were s est sont etait etaient sera seront fut".split(" "));
const DETERMINERS = new Set(
  "the a an our your my their his her its this that these those le la les l un une des du de d notre nos votre vos mon ma mes son sa ses leur leurs ce cet cette ces".split(
    " ",
  ),
);
const ASKING = new Set(
  "who whom whose what which when where why how qui que qu quoi quel quelle quels quelles quand ou comment pourquoi combien lequel laquelle lesquels lesquelles".split(
    " ",
  ),
);

/** What the question asks for: one entry a question word, "and" joined ones included. */
function wantedOf(question: string, words: readonly Word[], terms: readonly Term[]): Wanted[] {
  const found: Wanted[] = [];
  for (const [i, word] of words.entries()) {
    if (!ASKING.has(word.folded) || !mayAsk(question, words, i, found.length === 0)) continue;
    const wanted = askedBy(question, words, i, terms);
    if (wanted) found.push(wanted);
    if (found.length === 3) break;
  }
  if (found.length > 0) return found;
  const first = words[0];
  const command =
    first &&
    /^(?:name|list|show|give|find|tell|cite|citez|liste|listez|donne|donnez|nomme|nommez|montre|montrez)$/;
  if (command && command.test(first.folded)) {
    let i = 1;
    while (words[i] && /^(?:me|us|moi|nous|all|tous|toutes)$/.test(words[i]?.folded ?? "")) i++;
    return [{ terms: nounPhrase(question, words, i, terms, true), type: "thing", which: true }];
  }
  return [{ terms: [], type: "thing", which: false }];
}

/** A question word asks when it comes first, after a preposition that does, or after "and" or a comma; else it is a relative. */
function mayAsk(question: string, words: readonly Word[], i: number, none: boolean): boolean {
  const word = words[i];
  if (!word) return false;
  if (word.folded === "ou" && word.raw.toLowerCase() === "ou" && i > 0) return false;
  if (word.folded === "que" || word.folded === "qu") return i === 0;
  const before = words[i - 1];
  if (!before) return true;
  const gap = question.slice(before.end, word.start);
  if (/[.,;:?!]/.test(gap)) return true;
  if (/^(?:and|et)$/.test(before.folded)) return true;
  if (
    /^(?:in|at|to|from|on|by|for|with|of|a|au|dans|de|d|sur|par|pour|chez|avec|depuis|until|since|jusqu|vers)$/.test(
      before.folded,
    )
  ) {
    return none || /^(?:and|et)$/.test(words[i - 2]?.folded ?? "") || i === 1;
  }
  return none && word.folded !== "that" && word.folded !== "qui";
}

function simple(type: AnswerType): Wanted {
  return { terms: [], type, which: false };
}

function askedBy(
  question: string,
  words: readonly Word[],
  i: number,
  terms: readonly Term[],
): Wanted | undefined {
  const at = (n: number): string => words[i + n]?.folded ?? "";
  const phrase = (n: number): readonly Term[] => nounPhrase(question, words, i + n, terms, false);
  switch (at(0)) {
    case "who":
    case "whom":
    case "whose":
    case "qui":
      return simple("person");
    case "when":
    case "quand":
      return simple("date");
    case "where":
    case "ou":
      return simple("place");
    case "why":
    case "pourquoi":
      return simple("cause");
    case "comment":
      return simple("manner");
    case "combien": {
      if (at(1) === "de" && at(2) === "temps") return { ...simple("duration"), takes: true };
      if (at(1) === "de" || at(1) === "d") {
        const counted = nounPhrase(question, words, i + 2, terms, true);
        return { terms: counted, type: "count", which: false, loose: true };
      }
      return simple(/^(?:cout|vaut|val|factur|pay|gagn)/.test(at(1)) ? "money" : "count");
    }
    case "how": {
      if (at(1) === "many") return { terms: phrase(2), type: "count", which: false };
      if (at(1) === "much") {
        const noun = AUXILIARIES.has(at(2)) ? [] : phrase(2);
        return { terms: noun, type: noun.length > 0 ? "count" : "money", which: false };
      }
      if (at(1) === "long") return { ...simple("duration"), takes: !COPULAS.has(at(2)) };
      return simple(
        /^(?:far|big|tall|heavy|fast|old|large|high|wide|deep)$/.test(at(1)) ? "count" : "manner",
      );
    }
    case "que":
    case "qu":
    case "quoi":
      return simple("thing");
    default: {
      // what, which, quel…: the thing asked for is named right after it, or after the copula.
      if (at(1) === "heure" || (at(1) === "time" && AUXILIARIES.has(at(2)))) return simple("date");
      if (/^(?:caused|causes|triggered)$/.test(at(1))) return simple("cause");
      const copula = COPULAS.has(at(1));
      if (copula) return { terms: phrase(2), type: "thing", which: false };
      if (AUXILIARIES.has(at(1)) || /^(?:of|de|des|d)$/.test(at(1))) {
        const group = /^(?:of|de|des|d)$/.test(at(1));
        return { terms: group ? phrase(2) : [], type: "thing", which: group };
      }
      const named = nounPhrase(question, words, i + 1, terms, true);
      return { terms: named, type: "thing", which: true, loose: true };
    }
  }
}

/**
 * The noun phrase that begins at a word: its content words up to the next function word or sign. `bare` says that a verb may
 * follow without a function word between ("which customer placed order 7"): then only the head is taken.
 */
function nounPhrase(
  question: string,
  words: readonly Word[],
  from: number,
  terms: readonly Term[],
  bare: boolean,
): Term[] {
  let i = from;
  while (words[i] && DETERMINERS.has(words[i]?.folded ?? "")) i++;
  let found: Term[] = [];
  let stop = "";
  for (; i < words.length; i++) {
    const word = words[i];
    if (!word) break;
    const gap = i > from ? question.slice(words[i - 1]?.end ?? 0, word.start) : "";
    if (word.folded === "s" && /['’]$/.test(gap)) {
      // What comes before a possessive is the owner, not the thing.
      found = [];
      continue;
    }
    if (found.length > 0 && /[.,;:?!()]/.test(gap)) break;
    const term = terms.find((t) => t.start === word.start);
    if (!term) {
      stop = word.folded;
      const head = found.at(-1);
      // "number of units", "date de naissance": a generic head takes its complement along.
      if (/^(?:of|de|d|des|du)$/.test(stop) && head && found.length === 1 && isGenericHead(head.stems)) {
        const next = words[i + 1];
        const complement = next && terms.find((t) => t.start === next.start);
        if (complement && complement.kind === "word") found.push(complement);
      }
      break;
    }
    if (term.kind === "number" || term.kind === "code") break;
    found.push(term);
  }
  if (bare && !AUXILIARIES.has(stop)) found = found.slice(0, 2);
  return found.filter((t) => t.kind === "word" && !t.labels);
}

function aggregateOf(words: readonly Word[], wanted: readonly Wanted[]): Understanding["aggregate"] {
  const text = ` ${words.map((w) => w.folded).join(" ")} `;
  if (/ (?:average|mean|median|moyen|moyenne|moyens|moyennes|mediane) /.test(text)) return "average";
  if (isSuperlative(words)) return "superlative";
  if (
    / (?:total|totals|totale|totaux|sum|overall|altogether|cumulative|cumul|cumule|somme) | (?:in|au) (?:all|total) /.test(
      text,
    )
  )
    return "sum";
  if (wanted.some((w) => w.type === "count")) return "count";
  return isNumberOf(words) || text.includes(" chiffre d affaires ") ? "count" : undefined;
}

/** "The number of boats", and not "the telephone number of the boathouse". */
function isNumberOf(words: readonly Word[]): boolean {
  return words.some(
    ({ folded }, i) =>
      /^(?:number|count|nombre)$/.test(folded) &&
      /^(?:of|de|d|des)$/.test(words[i + 1]?.folded ?? "") &&
      // What has a number of its own is known to the lexicon; "exact" and "current" are not.
      conceptsOf(stemsOf(words[i - 1]?.folded ?? "")).length === 0,
  );
}

function isPlural(words: readonly Word[], wanted: readonly Wanted[]): boolean {
  const first = wanted[0];
  if (words.some((w) => /^(?:quels|quelles|lesquels|lesquelles)$/.test(w.folded))) return true;
  if (!first || (!first.which && first.type !== "thing")) return false;
  const head = first.terms.at(-1);
  return (
    head !== undefined &&
    /(?:[^su]s|eux|aux|people|staff)$/.test(head.folded) &&
    !/(?:ss|us|is)$/.test(head.folded)
  );
}

const SUMMARY =
  /^(?:please )?(?:(?:give|write|show|make|tell|donne[rz]?|fai(?:s|tes|re)|presente[rz]?|parle[rz]?)(?: (?:me|us|moi|nous))? .*(?:profile|summary|overview|about|portrait|resume|apercu|synthese|fiche)|summari[sz]e|describe|resume[rz]?|decri[st]|decrire|tell me about|parle[rz]? moi de|what do (?:we|you|i) know (?:about|of)|what about|que (?:sait|savons|savez))/;

function intentOf(
  words: readonly Word[],
  wanted: readonly Wanted[],
  comparison: Comparison | undefined,
  aggregate: Understanding["aggregate"],
  plural: boolean,
): Intent {
  const text = foldText(words.map((w) => w.folded).join(" "));
  if (SUMMARY.test(text)) return "summary";
  if (comparison) return "comparison";
  if (wanted.some((w) => w.type === "cause")) return "cause";
  if (aggregate !== undefined) return "aggregate";
  if (plural) return "list";
  const first = words[0]?.folded ?? "";
  const inverted =
    /^(?:est|sont|a|ont|peut|peuvent|doit|avons|avez)-? ?(?:ce|il|elle|ils|elles|on|t|nous|vous)\b/.test(
      text,
    );
  if (wanted[0]?.terms.length === 0 && wanted[0].type === "thing" && !ASKING.has(first)) {
    if (AUXILIARIES.has(first) || inverted || text.startsWith("est ce qu")) return "yes-no";
  }
  return "lookup";
}
