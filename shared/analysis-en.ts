/** English stop words, folded: function words and the words that only make a question. */
export const ENGLISH_STOP_WORDS: ReadonlySet<string> = new Set(
  `a about above after again against all also am an and any are aren as at be because been before being below between both but by
  can could couldn d did didn do does doesn doing don down during each few for from further had hadn has hasn have haven having he
  her here hers herself him himself his how i if in into is isn it its itself just ll m me more most my myself no nor not now of
  off on once only or other our ours ourselves out over own please re s same she should shouldn so some such t than that the
  their theirs them themselves then there these they this those through to too under until up ve very was wasn we were weren what
  when where which while who whom whose why will with won would wouldn you your yours yourself yourselves many much tell give
  show`.split(/\s+/),
);

/** A consonant at `i`, in Porter's sense: `y` is one at the start and after a vowel. */
function consonant(word: string, i: number): boolean {
  const c = word[i];
  if (c === "a" || c === "e" || c === "i" || c === "o" || c === "u") return false;
  return c !== "y" || i === 0 || !consonant(word, i - 1);
}

/** How many times vowels are followed by consonants. */
function measure(part: string): number {
  let count = 0;
  let vowelBefore = false;
  for (let i = 0; i < part.length; i++) {
    const isConsonant = consonant(part, i);
    if (isConsonant && vowelBefore) count++;
    vowelBefore = !isConsonant;
  }
  return count;
}

function hasVowel(part: string): boolean {
  for (let i = 0; i < part.length; i++) if (!consonant(part, i)) return true;
  return false;
}

function endsDouble(word: string): boolean {
  const n = word.length;
  return n > 1 && word[n - 1] === word[n - 2] && consonant(word, n - 1);
}

/** Ends consonant, vowel, consonant, the last not w, x or y: `hop`, not `snow`. */
function endsShort(word: string): boolean {
  const n = word.length;
  return (
    n > 2 &&
    consonant(word, n - 1) &&
    !consonant(word, n - 2) &&
    consonant(word, n - 3) &&
    !"wxy".includes(word[n - 1] ?? "")
  );
}

type Rule = readonly [suffix: string, replacement: string];

/** Longest suffix first within one ending; the first that fits decides, whether or not the stem is long enough. */
const STEP_2: readonly Rule[] = [
  ["ational", "ate"],
  ["tional", "tion"],
  ["enci", "ence"],
  ["anci", "ance"],
  ["izer", "ize"],
  ["abli", "able"],
  ["alli", "al"],
  ["entli", "ent"],
  ["eli", "e"],
  ["ousli", "ous"],
  ["ization", "ize"],
  ["ation", "ate"],
  ["ator", "ate"],
  ["alism", "al"],
  ["iveness", "ive"],
  ["fulness", "ful"],
  ["ousness", "ous"],
  ["aliti", "al"],
  ["iviti", "ive"],
  ["biliti", "ble"],
];
const STEP_3: readonly Rule[] = [
  ["icate", "ic"],
  ["ative", ""],
  ["alize", "al"],
  ["iciti", "ic"],
  ["ical", "ic"],
  ["ful", ""],
  ["ness", ""],
];
const STEP_4: readonly string[] =
  "ement ance ence able ible ment ant ent ism ate iti ous ive ize ion al er ic ou".split(" ");

function replace(word: string, rules: readonly Rule[]): string {
  for (const [suffix, replacement] of rules) {
    if (!word.endsWith(suffix)) continue;
    const rest = word.slice(0, -suffix.length);
    return measure(rest) > 0 ? rest + replacement : word;
  }
  return word;
}

/** M. F. Porter, "An algorithm for suffix stripping", 1980. Lower-case a-z, three letters or more. */
export function stemEnglish(word: string): string {
  let w = plural(word);
  w = pastAndGerund(w);
  if (w.endsWith("y") && hasVowel(w.slice(0, -1))) w = `${w.slice(0, -1)}i`;
  w = replace(replace(w, STEP_2), STEP_3);
  w = dropLong(w);
  if (w.endsWith("e")) {
    const rest = w.slice(0, -1);
    const m = measure(rest);
    if (m > 1 || (m === 1 && !endsShort(rest))) w = rest;
  }
  if (w.endsWith("ll") && measure(w) > 1) w = w.slice(0, -1);
  return w;
}

function plural(w: string): string {
  if (w.endsWith("sses") || w.endsWith("ies")) return w.slice(0, -2);
  return w.endsWith("s") && !w.endsWith("ss") ? w.slice(0, -1) : w;
}

function pastAndGerund(w: string): string {
  if (w.endsWith("eed")) return measure(w.slice(0, -3)) > 0 ? w.slice(0, -1) : w;
  const suffix = w.endsWith("ed") ? 2 : w.endsWith("ing") ? 3 : 0;
  const rest = w.slice(0, w.length - suffix);
  if (suffix === 0 || !hasVowel(rest)) return w;
  if (rest.endsWith("at") || rest.endsWith("bl") || rest.endsWith("iz")) return `${rest}e`;
  if (endsDouble(rest) && !/[lsz]$/.test(rest)) return rest.slice(0, -1);
  return measure(rest) === 1 && endsShort(rest) ? `${rest}e` : rest;
}

function dropLong(w: string): string {
  for (const suffix of STEP_4) {
    if (!w.endsWith(suffix)) continue;
    const rest = w.slice(0, -suffix.length);
    if (suffix === "ion" && !/[st]$/.test(rest)) return w;
    return measure(rest) > 1 ? rest : w;
  }
  return w;
}
