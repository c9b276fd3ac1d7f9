import type { Term } from "./understand.ts";
import type { Word } from "./understand-text.ts";

/** "Which is dearer, A or B": what is compared, and which end wins. */
export interface Comparison {
  /** `most`: the larger number wins; `least`: the smaller. For dates, `least` is the earlier. */
  readonly direction: "most" | "least";
  /** Concepts that the comparing word itself names ("cheaper": price); empty for "more" and "higher". */
  readonly concepts: readonly string[];
  /** The comparing word speaks of time: only dates are compared. */
  readonly byTime: boolean;
  /** Content words of the two things. */
  readonly sides: readonly [readonly Term[], readonly Term[]];
  /** The comparing words, to be left out of what the rows must hold. */
  readonly words: readonly string[];
}

interface Comparative {
  readonly direction: "most" | "least";
  readonly concepts: readonly string[];
  readonly byTime?: boolean;
}

const PRICE = ["price", "amount"];
const AGE = ["age", "birth", "create", "hire"];
const LENGTH = ["length", "duration"];
const SIZE = ["size", "population", "capacity"];

/** Comparing words of both languages; French ones follow "plus" or "moins". */
const COMPARATIVES: Readonly<Record<string, Comparative>> = {
  more: { direction: "most", concepts: [] },
  higher: { direction: "most", concepts: [] },
  greater: { direction: "most", concepts: [] },
  less: { direction: "least", concepts: [] },
  fewer: { direction: "least", concepts: [] },
  lower: { direction: "least", concepts: [] },
  dearer: { direction: "most", concepts: PRICE },
  pricier: { direction: "most", concepts: PRICE },
  expensive: { direction: "most", concepts: PRICE },
  cheaper: { direction: "least", concepts: PRICE },
  older: { direction: "least", concepts: AGE, byTime: true },
  younger: { direction: "most", concepts: AGE, byTime: true },
  newer: { direction: "most", concepts: AGE, byTime: true },
  longer: { direction: "most", concepts: LENGTH },
  shorter: { direction: "least", concepts: LENGTH },
  larger: { direction: "most", concepts: SIZE },
  bigger: { direction: "most", concepts: SIZE },
  smaller: { direction: "least", concepts: SIZE },
  heavier: { direction: "most", concepts: ["weight"] },
  lighter: { direction: "least", concepts: ["weight"] },
  taller: { direction: "most", concepts: ["height"] },
  faster: { direction: "most", concepts: ["speed"] },
  slower: { direction: "least", concepts: ["speed"] },
  first: { direction: "least", concepts: [], byTime: true },
  earlier: { direction: "least", concepts: [], byTime: true },
  sooner: { direction: "least", concepts: [], byTime: true },
  later: { direction: "most", concepts: [], byTime: true },
  last: { direction: "most", concepts: [], byTime: true },
  recent: { direction: "most", concepts: [], byTime: true },
  premier: { direction: "least", concepts: [], byTime: true },
  premiere: { direction: "least", concepts: [], byTime: true },
  dernier: { direction: "most", concepts: [], byTime: true },
  derniere: { direction: "most", concepts: [], byTime: true },
  cher: { direction: "most", concepts: PRICE },
  chere: { direction: "most", concepts: PRICE },
  couteux: { direction: "most", concepts: PRICE },
  ancien: { direction: "least", concepts: AGE, byTime: true },
  ancienne: { direction: "least", concepts: AGE, byTime: true },
  vieux: { direction: "least", concepts: AGE, byTime: true },
  vieille: { direction: "least", concepts: AGE, byTime: true },
  age: { direction: "least", concepts: AGE, byTime: true },
  agee: { direction: "least", concepts: AGE, byTime: true },
  jeune: { direction: "most", concepts: AGE, byTime: true },
  recente: { direction: "most", concepts: AGE, byTime: true },
  tot: { direction: "least", concepts: [], byTime: true },
  tard: { direction: "most", concepts: [], byTime: true },
  long: { direction: "most", concepts: LENGTH },
  longue: { direction: "most", concepts: LENGTH },
  court: { direction: "least", concepts: LENGTH },
  courte: { direction: "least", concepts: LENGTH },
  grand: { direction: "most", concepts: SIZE },
  grande: { direction: "most", concepts: SIZE },
  petit: { direction: "least", concepts: SIZE },
  petite: { direction: "least", concepts: SIZE },
  lourd: { direction: "most", concepts: ["weight"] },
  lourde: { direction: "most", concepts: ["weight"] },
  rapide: { direction: "most", concepts: ["speed"] },
  eleve: { direction: "most", concepts: [] },
  elevee: { direction: "most", concepts: [] },
};

/** French adjectives compare only after one of these. */
const FRENCH_DEGREE = new Set(["plus", "moins"]);
const ENGLISH_ALONE =
  /^(?:more|higher|greater|less|fewer|lower|dearer|pricier|cheaper|older|younger|newer|longer|shorter|larger|bigger|smaller|heavier|lighter|taller|faster|slower|first|earlier|sooner|later|last)$/;

/** The comparison of two named things; undefined when the question is none. */
export function comparisonOf(
  question: string,
  words: readonly Word[],
  terms: readonly Term[],
): Comparison | undefined {
  const comparative = comparativeOf(words);
  const found = comparative ?? superlativeOf(words);
  if (!found) return undefined;
  const split = words.findLastIndex(
    (w) => w.folded === "or" || w.raw.toLowerCase() === "ou" || w.folded === "than",
  );
  const at = words[split];
  if (!at) return undefined;
  const thing = (t: Term): boolean => !t.light && !found.words.includes(t.folded);
  const strong = (t: Term): boolean => t.kind !== "word" && thing(t);
  const before = terms.filter((t) => t.end <= at.start);
  const after = terms.filter((t) => t.start >= at.end && thing(t));
  // "Which is the longest, the Curlew or the Plover": an extreme of many rows, unless two are named.
  if (!comparative && !(before.some(strong) && after.some(strong))) return undefined;
  const right = after.some(strong) ? after.filter(strong) : after;
  const left = before.some(strong) ? before.filter(strong) : lastPhrase(question, before.filter(thing));
  if (left.length === 0 || right.length === 0) return undefined;
  return {
    ...found.comparative,
    byTime: found.comparative.byTime === true,
    sides: [left, right],
    words: found.words,
  };
}

function comparativeOf(
  words: readonly Word[],
): { readonly comparative: Comparative; readonly words: readonly string[] } | undefined {
  for (const [i, word] of words.entries()) {
    const entry = Object.hasOwn(COMPARATIVES, word.folded) ? COMPARATIVES[word.folded] : undefined;
    const before = words[i - 1]?.folded ?? "";
    if (FRENCH_DEGREE.has(word.folded)) {
      const next = words[i + 1]?.folded ?? "";
      const adjective = Object.hasOwn(COMPARATIVES, next) ? COMPARATIVES[next] : undefined;
      const base = adjective ?? { direction: "most" as const, concepts: [] };
      if (!adjective && !/^(?:de|d)$/.test(next)) continue;
      const direction = word.folded === "plus" ? base.direction : opposite(base.direction);
      return { comparative: { ...base, direction }, words: [word.folded, next] };
    }
    if (!entry) continue;
    if (word.folded === "expensive" || word.folded === "recent") {
      if (before !== "more" && before !== "less") continue;
      const direction = before === "more" ? entry.direction : opposite(entry.direction);
      return { comparative: { ...entry, direction }, words: [word.folded, before] };
    }
    if (word.folded === "more" || word.folded === "less") {
      const next = words[i + 1]?.folded ?? "";
      if (next === "expensive" || next === "recent") continue;
    }
    if (ENGLISH_ALONE.test(word.folded) || /^(?:premi|derni)er/.test(word.folded)) {
      return { comparative: entry, words: [word.folded] };
    }
  }
  return undefined;
}

/** "Longest" as "longer", for a comparison of two. */
function superlativeOf(words: readonly Word[]): ReturnType<typeof comparativeOf> {
  for (const { folded } of words) {
    const positive = /^(\p{Ll}{3,})est$/u.exec(folded)?.[1];
    const comparative = COMPARATIVES[`${positive ?? ""}er`];
    if (positive !== undefined && comparative) return { comparative, words: [folded] };
  }
  return undefined;
}

function opposite(direction: "most" | "least"): "most" | "least" {
  return direction === "most" ? "least" : "most";
}

/** The words of the last phrase before "or": those after the last comma or gap of function words. */
function lastPhrase(question: string, terms: readonly Term[]): Term[] {
  const out: Term[] = [];
  for (const term of terms.toReversed()) {
    const next = out[0];
    if (next && !/^[\s'’-]*$/.test(question.slice(term.end, next.start))) break;
    out.unshift(term);
  }
  return out;
}

const NOT_SUPERLATIVE = new Set(
  "west east rest test request interest guest latest forest contest harvest earnest honest invest suggest digest protest cost post list last first august est highest".split(
    " ",
  ),
);

/** Whether the question asks for the extreme of many rows: "the most expensive", "le moins cher", "the top three". */
export function isSuperlative(words: readonly Word[]): boolean {
  return words.some((word, i) => {
    const before = words[i - 1]?.folded ?? "";
    const next = words[i + 1]?.folded ?? "";
    if (word.folded === "highest") return true;
    if (
      /^\p{Ll}{3,}(?:est)$/u.test(word.raw) &&
      !NOT_SUPERLATIVE.has(word.folded) &&
      word.folded.length > 4
    ) {
      return /^(?:the|our|whose|and|s|which|what|had|has|have)$/.test(before) || word.folded.endsWith("iest");
    }
    if (/^(?:best|worst|top|meilleur|meilleure|meilleurs|meilleures|pire|pires)$/.test(word.folded))
      return i > 0 && /^(?:the|our|le|la|les|s|notre)$/.test(before);
    if (word.folded === "most" || word.folded === "least")
      return !/^(?:at|recent|recently)$/.test(before) && next !== "recent";
    if (word.folded === "plus" || word.folded === "moins")
      return /^(?:le|la|les|au)$/.test(before) && !/^(?:recent|tard|tot)/.test(next);
    return false;
  });
}
