import { lazily } from "../../shared/lazily.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Cell } from "../../shared/ports/source.ts";
import { ofText } from "./of-text.ts";
import { conceptsOf, isLight, isStopWord } from "./understand-lexicon.ts";
import { foldText, stemsOf, wordsOf } from "./understand-text.ts";
import { type DateMention, datesOf, isoOf, monthOf, numbersOf } from "./understand-values.ts";

/** What a claim is. */
export type ClaimKind = "number" | "date" | "identifier" | "name";

/** A number, date, identifier or proper name that an answer states. */
export interface Claim {
  readonly kind: ClaimKind;
  /** Whether these rows hold it between them. @param rows indices into the evidence: any passage of the row. */
  heldBy(rows: Iterable<number>): boolean;
}

export interface ClaimChecker {
  /** The claims of a span (a few words, no markers), up to the first that no row holds: that one is `missing`. */
  check(span: string): { readonly claims: readonly Claim[]; readonly missing: ClaimKind | undefined };
}

/** Everything that one row says, made ready for look-up when it is first needed. */
interface RowText {
  /** Folded. */
  readonly text: string;
  /** Its words without what is neither letter nor digit: "TK4711" is "TK-4711". */
  readonly codes: ReadonlySet<string>;
  /** Ascending. */
  readonly numbers: readonly number[];
  /** As ISO text. */
  readonly dates: ReadonlySet<string>;
}

/** Words that are written with a capital without naming anything. */
const CAPITALISED = new Set(
  "i ok mr mrs ms dr mme mlle monsieur madame english french anglais francais note sources source yes no oui non however according based unfortunately".split(
    " ",
  ),
);

/** Integers below this are exact or wrong: rounding 2.6 to "3" would let any small count pass. */
const SMALLEST_ROUNDED = 10;

/**
 * Numbers, dates and identifiers must be in a row; a name may be in the question as well. Rows are folded when a look-up reaches
 * them: an answer without claims costs nothing.
 */
export function makeClaimChecker(evidence: readonly Evidence[], question: string): ClaimChecker {
  const rows = rowTextsOf(evidence);
  const asked = makeRowText(() => question);

  const anyOf = (indices: Iterable<number>, found: (row: RowText) => boolean): boolean => {
    for (const i of indices) {
      const row = rows[i];
      if (row && found(row)) return true;
    }
    return false;
  };
  const claim = (kind: ClaimKind, found: (row: RowText) => boolean): Claim => ({
    kind,
    heldBy: (indices) => anyOf(indices, found),
  });

  /** The claim of a word with a capital; undefined for vocabulary that is in no row. What is looked up first costs least. */
  const nameOf = (raw: string, word: string, stem: string): Claim | undefined => {
    const whole = ({ text }: RowText): boolean => holdsWhole(text, word);
    const begun = ({ text }: RowText): boolean => holdsPrefix(text, stem);
    let name: boolean | undefined;
    const isName = (): boolean => (name ??= isNameLike(raw, word));
    if (!whole(asked) && !anyOf(rows.keys(), whole) && !isName()) return undefined;
    return {
      kind: "name",
      heldBy: (indices) =>
        whole(asked) || anyOf(indices, whole) || !isName() || begun(asked) || anyOf(indices, begun),
    };
  };

  /** The claims of a word with digits: one, or one for each part of a range. */
  const withDigits = (original: string): readonly Claim[] => {
    const token = foldText(original);
    const literal = /^\d{1,4}$/.test(token) ? undefined : token;
    const isLiteral = (row: RowText): boolean => literal !== undefined && holdsWhole(row.text, literal);
    // Capitals beside digits are a code; anything else is numbers, with a unit or a range between them.
    const code =
      /\p{Lu}[\p{L}]*[-_/#.]?\p{N}|\p{N}[-_/#]?\p{Lu}/u.test(original) &&
      !/^[^\p{L}]*\d[\d.,\s]*[KMB]n?$/u.test(original);
    if (code) {
      const bare = token.replace(/[^\p{L}\p{N}]/gu, "");
      return [claim("identifier", (row) => isLiteral(row) || row.codes.has(bare))];
    }
    const parts = token
      .replace(/^[-+]/, "")
      .split(/(?<=\d)\s?[-–/×x:]\s?(?=\d)/)
      .map((part) => part.replace(/(?<=\d)(?!k$|m$|b$|bn$|md$|e$|er$|st$|nd$|rd$|th$|eme$)\p{L}+$/u, ""));
    const separators = token.replace(/[\d.,\s%€£$+]/g, "").length;
    const kind = separators > 0 && !/\d\p{L}*$/u.test(token) ? "identifier" : "number";
    return parts.map((part) => {
      let mentions: ReturnType<typeof numbersOf> | undefined;
      const isNumber = ({ numbers }: RowText): boolean => {
        mentions ??= numbersOf(part);
        return mentions.length > 0 && mentions.every((mention) => hasNumber(numbers, mention, part));
      };
      return claim(kind, (row) => isLiteral(row) || isNumber(row));
    });
  };

  function* claimsIn(span: string): Generator<Claim> {
    const folded = foldText(span);
    // Offsets in the folded text serve the original only while folding kept every length.
    let rest = folded.length === span.length ? span : folded;
    for (const date of datesOf(folded)) {
      const literal = folded.slice(date.start, date.end);
      const iso = isoOf(date);
      yield claim("date", (row) => row.dates.has(iso) || holdsWhole(row.text, literal));
      rest = rest.slice(0, date.start) + " ".repeat(date.end - date.start) + rest.slice(date.end);
    }
    for (const token of tokensWithDigits(rest)) yield* withDigits(token);
    for (const { raw, folded: word, stem } of wordsOf(rest)) {
      if (!/^\p{Lu}/u.test(raw) || word.length < 3 || /\d/.test(word)) continue;
      const name = nameOf(raw, word, stem);
      if (name) yield name;
    }
  }

  return {
    check(span) {
      const claims: Claim[] = [];
      for (const one of claimsIn(span)) {
        if (!one.heldBy(rows.keys())) return { claims, missing: one.kind };
        claims.push(one);
      }
      return { claims, missing: undefined };
    },
  };
}

/** What each passage's row says, in all of its passages. */
function rowTextsOf(evidence: readonly Evidence[]): readonly RowText[] {
  const known = new Map<string, RowText>();
  return evidence.map(({ row }) => {
    const text =
      known.get(row) ??
      makeRowText(() =>
        evidence
          .filter((item) => item.row === row)
          .map(saidBy)
          .join("\n"),
      );
    known.set(row, text);
    return text;
  });
}

function makeRowText(said: () => string): RowText {
  const read = lazily(() => rowTextOf(said()));
  return {
    get text() {
      return read().text;
    },
    get codes() {
      return read().codes;
    },
    get numbers() {
      return read().numbers;
    },
    get dates() {
      return read().dates;
    },
  };
}

/** Characters of rows that are taken apart once. */
const MOST_KNOWN = 500_000;

const rowTextOf = ofText(MOST_KNOWN, (said): RowText => {
  const text = foldText(said);
  const codes = lazily(() => new Set(text.split(/\s+/).map((word) => word.replace(/[^\p{L}\p{N}]/gu, ""))));
  const values = lazily(() => valuesOf(text));
  return {
    text,
    get codes() {
      return codes();
    },
    get numbers() {
      return values().numbers;
    },
    get dates() {
      return values().dates;
    },
  };
});

function saidBy(item: Evidence): string {
  const parts = [
    item.title,
    item.table,
    ...Object.values(item.key),
    item.text,
    item.changedAt.slice(0, 10),
    item.asOf.slice(0, 10),
  ];
  for (const cell of item.cells) parts.push(cell.column, cellText(cell.value));
  return parts.join("\n");
}

/** A cell as text; structured values as JSON. */
export function cellText(value: Cell): string {
  if (value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function valuesOf(text: string): Pick<RowText, "numbers" | "dates"> {
  const numbers: number[] = [];
  const dates = new Set<string>();
  // The day and month of a date are no numbers of their own: "3 engines" has no support in 1987-06-03.
  let plain = "";
  let at = 0;
  for (const date of datesOf(text)) {
    if (date.year !== undefined) numbers.push(date.year);
    for (const iso of variantsOf(date)) dates.add(iso);
    plain += `${text.slice(at, date.start)}\n`;
    at = date.end;
  }
  plain += text.slice(at);
  for (const mention of numbersOf(plain)) {
    for (const value of mention.values) {
      numbers.push(Math.abs(value));
      // "20 million" holds a 20 besides.
      if (mention.scale !== 1) numbers.push(Math.abs(value / mention.scale));
    }
  }
  return { numbers: numbers.sort((a, b) => a - b), dates };
}

/** A stored date supports itself and everything less exact: its month, and its day without the year. */
function variantsOf(date: DateMention): string[] {
  const { year, month, day } = date;
  const out = [isoOf(date)];
  if (day !== undefined)
    out.push(isoOf({ year, month, day: undefined }), isoOf({ year: undefined, month, day }));
  // 03/04/1996 may be either day; both readings are in the evidence's own words.
  if (day !== undefined && day <= 12) out.push(isoOf({ year, month: day, day: month }));
  return out;
}

function hasNumber(
  sorted: readonly number[],
  mention: { readonly values: readonly number[]; readonly tolerance: number },
  token: string,
): boolean {
  const percent = token.includes("%");
  return mention.values.some((signed) => {
    const value = Math.abs(signed);
    const year = Number.isInteger(value) && value >= 1900 && value <= 2100;
    const exact = year || (mention.tolerance === 0.5 && value < SMALLEST_ROUNDED);
    const tolerance = exact ? 1e-9 : mention.tolerance * 1.000001;
    return within(sorted, value, tolerance) || (percent && within(sorted, value / 100, tolerance / 100));
  });
}

/** Whether a sorted list holds a value within a distance: binary search. */
function within(sorted: readonly number[], value: number, distance: number): boolean {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value - distance) low = middle + 1;
    else high = middle;
  }
  const found = sorted[low];
  return found !== undefined && found <= value + distance;
}

/** Whether `text` holds `part` as whole words. */
function holdsWhole(text: string, part: string): boolean {
  if (part === "") return true;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    if (!isWordChar(text, at - 1) && !isWordChar(text, at + part.length)) return true;
  }
  return false;
}

/** Whether a word of `text` begins with `stem`. */
function holdsPrefix(text: string, stem: string): boolean {
  if (stem.length < 4) return false;
  for (let at = text.indexOf(stem); at >= 0; at = text.indexOf(stem, at + 1)) {
    if (!isWordChar(text, at - 1)) return true;
  }
  return false;
}

function isWordChar(text: string, at: number): boolean {
  return at >= 0 && at < text.length && /[\p{L}\p{N}]/u.test(text.charAt(at));
}

function isNameLike(raw: string, folded: string): boolean {
  const stems = stemsOf(folded);
  if (isStopWord(folded) || isLight(stems) || CAPITALISED.has(folded) || monthOf(folded) !== undefined)
    return false;
  // Abbreviations such as EUR, CEO or TVA are vocabulary, not names.
  if (raw.length <= 4 && raw === raw.toUpperCase()) return false;
  return conceptsOf(stems).length === 0;
}

/** Words with digits, without the punctuation around them; thousands separated by spaces stay together. */
function tokensWithDigits(text: string): string[] {
  const out: string[] = [];
  const pattern =
    /[\p{L}\p{N}][^\s]*(?:(?<=(?<![\p{L}\p{N}])\d{1,3})[ \u00a0\u202f]\d{3}(?![\d\p{L}])(?:[.,]\d+)?(?:[ \u00a0\u202f]\d{3}(?!\d)(?:[.,]\d+)?)*)?(?:\s?%|\s(?:thousand|millions?|billions?|mille|milliers|milliards?)(?!\p{L}))?/giu;
  for (const match of text.matchAll(pattern)) {
    const token = match[0].replace(/[^\p{L}\p{N}%]+$/u, "");
    if (/\p{N}/u.test(token)) out.push(token);
  }
  return out;
}
