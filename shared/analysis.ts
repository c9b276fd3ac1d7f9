import { lazily } from "./lazily.ts";
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
  // oxlint-disable-next-line no-control-regex -- the range is all of ASCII, its controls included
  if (/^[\x00-\x7f]*$/.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/\p{Mn}+/gu, "")
    .normalize("NFC")
    .replace(/[œæßøłđðþı]/g, (c) => LIGATURES[c] ?? c)
    .replace(/[’‘ʼ＇`´]/g, "'");
}

/**
 * Words; words joined by one of the signs that identifiers, dates, decimals and addresses are joined by, or followed by the
 * signs of `C++` and `C#`; pictographs; and words that are signs alone (`--version` is a word, `==` is one of these).
 */
const wordRun = lazily(
  () =>
    /[\p{L}\p{N}\p{M}]+(?:(?:[-_./:@+][\p{L}\p{N}\p{M}]+|,\d{3}(?!\d))+|(?:\+\+|#)(?![\p{L}\p{N}]))?|\p{Extended_Pictographic}|(?<!\S)[^\s\p{L}\p{N}\p{M}]{2,}(?!\S)/gu,
);
const wordPart = lazily(() => /[\p{L}\p{N}\p{M}]+/gu);
const unspaced = lazily(() => /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u);
const DECIMAL = /^(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?$/;
/** Longer tokens are cut: they are base64 or noise, and would only bloat an index. */
const MAX_TOKEN_CHARS = 64;

/**
 * Folded surface tokens in order, stop words kept, nothing stemmed. A joined run with a digit in it gives the whole, then its
 * parts (`2024-05-12`, `2024`, `05`, `12`); one without a digit gives its parts. A decimal is one token, without group
 * separators and trailing zeros (`1,234.50` is `1234.5`). Scripts that write without spaces give pairs of letters.
 */
export function tokenise(text: string): string[] {
  const tokens: string[] = [];
  for (const [run] of fold(text).matchAll(wordRun())) {
    if (DECIMAL.test(run)) {
      tokens.push(plainNumber(run).slice(0, MAX_TOKEN_CHARS));
      continue;
    }
    const parts = run.match(wordPart()) ?? [];
    if (parts.length === 0 || parts[0] !== run) {
      if (parts.length === 0 || /\d|[+#]$/.test(run)) tokens.push(run.slice(0, MAX_TOKEN_CHARS));
    }
    for (const part of parts) {
      if (unspaced().test(part)) tokens.push(...pairs(part));
      else tokens.push(part.slice(0, MAX_TOKEN_CHARS));
    }
  }
  return tokens;
}

function plainNumber(run: string): string {
  const digits = run.replaceAll(",", "");
  return digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
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
