import { endsInAbbreviation, wordsOf } from "../answer/understand-text.ts";
import { readableDate, readableNumber } from "../answer/understand-values.ts";
import { type Fact, type Field, nameOf } from "./local-facts.ts";

/** The built-in answerers' own words, English and French. Values and titles stay as the rows have them. */

export type Language = "en" | "fr";

/** A cell as a sentence shows it: dates in words, amounts as the language writes them, everything else as stored. */
export function shown(field: Field, language: Language): string {
  if (field.shape === "date") return readableDate(field.value, language);
  return isAmount(field) ? readableNumber(field.value, language) : unmarked(field.value);
}

/** Whether a number measures something: keys, codes, coordinates and years stay as they are. */
function isAmount(field: Field): boolean {
  if (field.shape !== "number" || field.key || field.reference) return false;
  return !UNMEASURED.some((c) => field.name.concepts.has(c)) && !field.name.words.has("version");
}

const UNMEASURED = ["code", "number", "phone", "fax", "postal", "year", "address"];

/** Source text whose own `[7]` would read as one of our citations. */
export function unmarked(text: string): string {
  return text.replace(/\[(\d[\d,;\s]*)\]/g, "($1)");
}

export function mark(fact: Fact): string {
  return `[${fact.marker}]`;
}

/** `The unit price of Chang is 19 [1].` */
export function cellSentence(fact: Fact, label: string, value: string, language: Language): string {
  const name = nameOf(fact);
  // A value that is a sentence gives its full stop up to ours.
  const text = value.endsWith(".") && !endsInAbbreviation(value) ? value.slice(0, -1) : value;
  return language === "fr"
    ? `${capital(name)} — ${label} : ${text} ${mark(fact)}.`
    : `${capital(name)} — ${label}: ${text} ${mark(fact)}.`;
}

/** `A [1], B [2] and C [3].` */
export function listSentence(
  items: readonly { readonly text: string; readonly fact: Fact }[],
  language: Language,
): string {
  const parts = items.map(({ text, fact }) => `${text} ${mark(fact)}`);
  const last = parts.pop() ?? "";
  const and = language === "fr" ? " et " : " and ";
  const joined = parts.length > 0 ? `${parts.join(", ")}${and}${last}` : last;
  return `${capital(joined)}.`;
}

/** `Name: "sentence" [1]` */
export function quoteSentence(fact: Fact, text: string, language: Language, named: boolean): string {
  const words = unmarked(text);
  const quote = language === "fr" ? `« ${words} »` : `"${words}"`;
  const lead = named ? `${capital(nameOf(fact))}${language === "fr" ? " : " : ": "}` : "";
  return `${lead}${quote} ${mark(fact)}`;
}

/** Whether a sentence says its row's name itself, so that the name need not come before it. */
export function repeats(text: string, fact: Fact): boolean {
  const words = [...fact.titleBag.words].filter((w) => w.length > 2);
  const said = new Set(wordsOf(text).map((w) => w.folded));
  return words.length > 0 && words.filter((w) => said.has(w)).length >= words.length * MOSTLY;
}

/** Share of a name's words that a sentence has to repeat. */
const MOSTLY = 0.6;

/** The day that a row speaks for, as `(16 July 1996)`. */
export function dated(day: string, language: Language): string {
  return `(${readableDate(day, language)})`;
}

export function conflictLead(language: Language): string {
  return language === "fr"
    ? "Les lignes ne disent pas la même chose ; la plus récente d'abord :"
    : "The rows disagree; the newest comes first:";
}

/** Said before the winner of a comparison. */
export function comparisonEnd(
  name: string,
  label: string,
  most: boolean,
  time: boolean,
  language: Language,
): string {
  if (language === "fr") {
    if (time) return `${capital(name)} : ${most ? "le plus récent" : "le plus ancien"} (${label}).`;
    return `${capital(name)} : ${most ? "la valeur la plus haute" : "la valeur la plus basse"} (${label}).`;
  }
  if (time) return `${capital(name)} comes ${most ? "later" : "earlier"} (${label}).`;
  return `${capital(name)} has the ${most ? "higher" : "lower"} ${label}.`;
}

export function comparisonTie(label: string, language: Language): string {
  return language === "fr" ? `Les deux ont la même valeur (${label}).` : `Both have the same ${label}.`;
}

export function yes(language: Language): string {
  return language === "fr" ? "Oui" : "Yes";
}

export function no(language: Language): string {
  return language === "fr" ? "Non" : "No";
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
