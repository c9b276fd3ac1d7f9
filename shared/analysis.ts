import { ENGLISH_STOP_WORDS, stemEnglish } from "./analysis-en.ts";
import { FRENCH_STOP_WORDS, stemFrench } from "./analysis-fr.ts";

/**
 * Text to terms, the same in Node and in the Worker, for documents and for questions. Terms are lower case, without accents,
 * stemmed; identifiers, dates and decimals are kept whole and given in their parts besides, so that `INV-2024-0012` is found
 * by the whole of it and by `2024`.
 */

export type Language = "en" | "fr";

/** Letters that decomposition leaves whole. */
const LIGATURES: Readonly<Record<string, string>> = {
  œ: "oe",
  æ: "ae",
  ß: "ss",
  ø: "o",
  ł: "l",
  đ: "d",
  ð: "d",
  þ: "th",
  ı: "i",
};

/** Compatibility-normalised, lower case, accents removed, apostrophes straight. `fold("Côté Œuvre’s") === "cote oeuvre's"`. */
export function fold(text: string): string {
  // Plain ASCII, by far the most text, needs no more than lower case.
  // oxlint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{Mn}+/gu, "")
    .normalize("NFC")
    .replace(/[œæßøłđðþı]/g, (c) => LIGATURES[c] ?? c)
    .replace(/[’‘ʼ＇`´]/g, "'");
}

/** Words, and words joined by one of the signs that identifiers, dates, decimals and addresses are joined by. */
const RUN = /[\p{L}\p{N}\p{M}]+(?:[-_./:@+][\p{L}\p{N}\p{M}]+|,\d{3}(?!\d))*|\p{Extended_Pictographic}/gu;
const PART = /[\p{L}\p{N}\p{M}]+/gu;
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;
const GROUPED = /^\d{1,3}(?:,\d{3})+(?:\.\d+)?$/;

/**
 * Folded surface tokens in order, stop words kept, nothing stemmed. A joined run with a digit in it gives the whole, then its
 * parts; one without a digit gives its parts. Scripts that write without spaces give pairs of letters.
 */
export function tokenise(text: string): string[] {
  const tokens: string[] = [];
  for (const [run] of fold(text).matchAll(RUN)) {
    if (GROUPED.test(run)) {
      tokens.push(run.replaceAll(",", ""));
      continue;
    }
    const parts = run.match(PART) ?? [run];
    if (parts.length > 1 && /\d/.test(run)) tokens.push(run);
    for (const part of parts) {
      if (UNSPACED.test(part)) tokens.push(...pairs(part));
      else tokens.push(part);
    }
  }
  return tokens;
}

function pairs(text: string): string[] {
  const letters = Array.from(text);
  if (letters.length < 2) return letters;
  return letters.slice(1).map((letter, i) => `${letters[i] ?? ""}${letter}`);
}

export function isStopWord(token: string, language: Language): boolean {
  return (language === "fr" ? FRENCH_STOP_WORDS : ENGLISH_STOP_WORDS).has(token);
}

/** The stem of one folded token. Tokens with anything but a-z in them are their own stems. */
export function stem(token: string, language: Language): string {
  if (token.length < 3 || !/^[a-z]+$/.test(token)) return token;
  return language === "fr" ? stemFrench(token) : stemEnglish(token);
}

/**
 * Index terms of a text, in order, repeats kept, stop words out.
 * @param language decides stop words and stemmer; detected from the text when not given.
 */
export function analyse(text: string, language: Language = detectLanguage(text)): string[] {
  const terms: string[] = [];
  for (const token of tokenise(text)) {
    if (!isStopWord(token, language)) terms.push(stem(token, language));
  }
  return terms;
}

/** Function words that only one of the two languages uses, and often. Folded. */
const ENGLISH_SIGNS = new Set(
  "the of and to is was are were with which who what when where how does did do has have by from this that these those than it its been their our your for in at".split(
    " ",
  ),
);
const FRENCH_SIGNS = new Set(
  "le la les des du une et est sont etait dans pour qui que quel quelle quels quelles quand combien comment avec sur par au aux ce cette ces sa ses leur nous vous il elle ils elles pas plus ou un en se".split(
    " ",
  ),
);

/**
 * The likelier of the two languages, from function words, elisions and accents; English when nothing tells. Names don't tell:
 * one French sign in an otherwise silent text is not enough when the text is more than a few words.
 */
export function detectLanguage(text: string): Language {
  const sample = fold(text.length > 2000 ? text.slice(0, 2000) : text);
  const words = sample.match(/[a-z]+/g) ?? [];
  let french = (sample.match(/\b(?:[cdjlmnst]|qu)'[a-z]/g) ?? []).length;
  let english = 0;
  for (const word of words) {
    if (FRENCH_SIGNS.has(word)) french += 1;
    if (ENGLISH_SIGNS.has(word)) english += 1;
  }
  return french > english && french >= Math.min(3, words.length * 0.12) ? "fr" : "en";
}
