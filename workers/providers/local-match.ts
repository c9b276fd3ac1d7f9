import type { DateRange } from "../answer/understand-dates.ts";
import { foldText } from "../answer/understand-text.ts";
import { datesOf, monthOf } from "../answer/understand-values.ts";
import type { Term, Understanding } from "../answer/understand.ts";
import type { Bag, Fact, Field } from "./local-facts.ts";

/** How well rows hold what a question says. Strengths are 0 to 1; 1 is the same word. */

/** Weight of a term in coverage: names, numbers and codes pin a row down, other words describe it. */
export function weightOf(term: Term): number {
  if (term.light) return 0;
  if (term.labels) return 0.4;
  return term.kind === "word" ? 1 : 2;
}

/** Whether a row must hold the term for any answer to stand. */
export function isHard(term: Term): boolean {
  return term.kind !== "word";
}

/** A name with less of a stem shares it with other words by chance: "Mars" and "marée" have "mar". */
const SHORTEST_STEM = 4;

/** Strength of a term in a bag of words. */
export function inBag(term: Term, bag: Bag, concepts: number): number {
  if (bag.words.has(term.folded)) return 1;
  if (term.kind === "number" || term.kind === "code") return 0;
  const telling = (stem: string): boolean =>
    term.kind !== "name" || stem.replace(/^~/, "").length >= SHORTEST_STEM;
  if (term.stems.some((stem) => bag.stems.has(stem) && telling(stem))) return 0.9;
  if (concepts > 0 && term.concepts.some((c) => bag.concepts.has(c))) return concepts;
  return 0;
}

const CONCEPT_IN_VALUE = 0.6;
/** Strength of a word that only the lexicon links to a column or a table. */
export const CONCEPT_IN_NAME = 0.8;

/** Strength of a term in a field's value. */
export function inValue(term: Term, field: Field): number {
  // The lexicon translates countries even where the question writes them like names.
  const concepts =
    term.kind === "name" && !term.concepts.some((c) => c.startsWith("country-")) ? 0 : CONCEPT_IN_VALUE;
  if (term.years.length > 0) {
    return Math.max(0, ...term.years.map((year) => yearIn(year, field)));
  }
  if (term.either.length > 0) return Math.max(...term.either.map((one) => inValue(only(term, one), field)));
  const found = inBag(term, field.content, field.shape === "number" || field.shape === "date" ? 0 : concepts);
  if (found > 0 || term.kind !== "number") return found;
  const value = Number(term.folded);
  if (field.number !== undefined) return field.number === value ? 1 : 0;
  if (field.time !== undefined) return new Date(field.time).getUTCFullYear() === value ? 1 : 0;
  return term.folded.length === 4 && inYears(field.value, value) ? 0.9 : 0;
}

/** The term as if the question had only one of the codes that it joins. */
function only(term: Term, folded: string): Term {
  return { ...term, folded, either: [] };
}

function yearIn(year: number, field: Field): number {
  if (field.content.words.has(String(year))) return 1;
  if (field.time !== undefined) return new Date(field.time).getUTCFullYear() === year ? 1 : 0;
  return inYears(field.value, year) ? 0.9 : 0;
}

/** Whether a year lies in a span of years that the value writes, as in `2008–2012` or `2011-12`. */
function inYears(value: string, year: number): boolean {
  for (const match of value.matchAll(/\b(\d{4})\s?[-\u2013\u2014/]\s?(\d{4}|\d{2})\b/g)) {
    const from = Number(match[1]);
    const to = match[2]?.length === 2 ? Math.floor(from / 100) * 100 + Number(match[2]) : Number(match[2]);
    if (year >= from && year <= to) return true;
  }
  return false;
}

/** Strength of a term in a field's name. */
export function inName(term: Term, field: Field): number {
  return inBag(term, field.name, CONCEPT_IN_NAME);
}

/** Strength of a term in what kind of thing the row is. */
export function inKind(term: Term, fact: Fact): number {
  return term.kind === "word" ? inBag(term, fact.kind, CONCEPT_IN_NAME) : 0;
}

/** No words to leave out of the account. */
export const NONE: ReadonlySet<string> = new Set();

/** A row's answer to every term of the question, computed once. */
export interface Cover {
  readonly fact: Fact;
  /** Per term, strength in the best value and that field; -1 for the title alone. */
  readonly values: readonly { readonly strength: number; readonly field: number }[];
  readonly kinds: readonly number[];
  /** The row has a date within every span that the question speaks of. */
  readonly inDates: boolean;
  /** The row has dates, none of them within the spans. */
  readonly outOfDates: boolean;
}

export function coverOf(fact: Fact, question: Understanding): Cover {
  const inDates = question.dates.length > 0 && question.dates.every((range) => isWithin(fact, range));
  return {
    fact,
    inDates,
    outOfDates: question.dates.length > 0 && !inDates && fact.fields.some((f) => f.time !== undefined),
    kinds: question.terms.map((term) => inKind(term, fact)),
    values: question.terms.map((term) => {
      let best = {
        strength: inBag(term, fact.titleBag, term.kind === "word" ? CONCEPT_IN_VALUE : 0),
        field: -1,
      };
      for (const [i, field] of fact.fields.entries()) {
        const strength = inValue(term, field);
        if (strength > best.strength) best = { strength, field: i };
      }
      return best;
    }),
  };
}

/** Whether a row has a date, or a month and a year, within a span. */
function isWithin(fact: Fact, range: DateRange): boolean {
  const from = Date.parse(`${range.from}T00:00:00Z`);
  const to = Date.parse(`${range.to}T23:59:59Z`);
  let year = false;
  let month = false;
  for (const field of [...fact.fields, undefined]) {
    const value = field?.value ?? fact.title;
    const words = field?.content.words ?? fact.titleBag.words;
    if (field?.time !== undefined && field.time >= from && field.time <= to) return true;
    if (words.has(range.from.slice(0, 4))) year = true;
    for (const word of words) if (monthOf(word) === Number(range.from.slice(5, 7))) month = true;
    if (!/\d/.test(value)) continue;
    for (const date of datesOf(foldText(value))) {
      const time = date.year === undefined ? Number.NaN : Date.UTC(date.year, date.month - 1, date.day ?? 1);
      if (time >= from && time <= to) return true;
    }
  }
  // A month and a year in two cells, for a question about a month.
  return year && month && range.from.slice(0, 7) === range.to.slice(0, 7) && range.from !== range.to;
}

/** Whether a number or yes-no cell says that the thing its column names is so. */
export function isTrue(field: Field): boolean {
  if (field.number !== undefined) return field.number > 0;
  return /^(?:true|yes|oui|y|o)$/i.test(field.value);
}

/** How a row, with one field taken as the answer, accounts for the question. */
export interface Account {
  /** Weighted share of the terms accounted for, 0 to 1. */
  readonly coverage: number;
  /** Every number and code, and enough of the names, are in the row. */
  readonly pinned: boolean;
  /** Terms that the answer field's name accounts for. */
  readonly named: readonly Term[];
  /** Terms that nothing accounts for. */
  readonly missing: readonly Term[];
}

/** @param answer the field taken as the answer; undefined when the row's title, or all of the row, is. */
export function accountOf(
  cover: Cover,
  question: Understanding,
  answer: Field | undefined,
  ignored: ReadonlySet<string>,
): Account {
  let have = 0;
  let all = 0;
  let names = 0;
  let namesFound = 0;
  let pinned = !cover.outOfDates;
  const named: Term[] = [];
  const missing: Term[] = [];
  for (const term of question.terms) {
    const weight = ignored.has(term.folded) ? 0 : weightOf(term);
    const value = cover.values[term.index];
    const inAnswer = answer ? inName(term, answer) : 0;
    const inRow = term.inDate ? Number(cover.inDates) : (value?.strength ?? 0);
    const open = term.kind === "word" && inAnswer === 0;
    const condition = open ? Math.max(conditionOf(term, cover, question), headOf(term, cover)) : 0;
    const strength = Math.max(inRow, inAnswer, cover.kinds[term.index] ?? 0, condition);
    if (inAnswer > 0 && inRow < 1) named.push(term);
    all += weight;
    have += weight * strength;
    if (weight === 0) continue;
    if (strength === 0) missing.push(term);
    if (!isHard(term)) continue;
    if (term.kind === "name") {
      names += 1;
      if (strength > 0) namesFound += 1;
    } else if (strength === 0) pinned = false;
  }
  return {
    coverage: all === 0 ? 0 : have / all,
    pinned: pinned && namesFound >= names * ENOUGH_NAMES,
    named,
    missing,
  };
}

/** A name of several words may be shortened or misspelt in one of them. */
const ENOUGH_NAMES = 0.66;

/** A word that names the column in which another word stands: "department", of the Management department. */
function headOf(term: Term, { fact, values }: Cover): number {
  const columns = values.filter(
    ({ strength, field }, at) => field >= 0 && strength === 1 && at !== term.index,
  );
  return Math.max(
    0,
    ...columns
      .flatMap(({ field }) => fact.fields[field] ?? [])
      .map((f) => (f.shape === "text" ? inName(term, f) * 0.9 : 0)),
  );
}

/** A word that names a number or yes-no column asks for rows where it is so: "discontinued products", "units in stock". */
function conditionOf(term: Term, cover: Cover, question: Understanding): number {
  if (question.intent !== "list") return 0;
  let best = 0;
  for (const field of cover.fact.fields) {
    if ((field.shape === "number" || field.shape === "boolean") && !field.key && isTrue(field)) {
      best = Math.max(best, inName(term, field) * 0.9);
    }
  }
  return best;
}
