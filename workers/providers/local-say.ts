import type { Understanding } from "../answer/understand.ts";
import type { Candidate } from "./local-choose.ts";
import { type Fact, type Field, nameOf } from "./local-facts.ts";
import type { Cover } from "./local-match.ts";
import {
  capital,
  cellSentence,
  conflictLead,
  dated,
  type Language,
  listSentence,
  mark,
  quoteSentence,
  repeats,
  shown,
} from "./local-phrases.ts";
import { passagesOf } from "./local-sentences.ts";

/** Most rows that are told one by one. */
const MOST_LINES = 4;
/** Most sentences of prose for each. */
const MOST_SENTENCES = 2;
/** Most cells, and most characters of them, that tell one row from others of the same name. */
const MOST_CONTEXT = 5;
const LONGEST_CONTEXT = 160;

/** Candidates that answer alike, as text with markers. */
export function say(found: readonly Candidate[], question: Understanding, covers: readonly Cover[]): string {
  const language = question.language;
  const best = found[0];
  if (!best) return "";
  const label = best.field?.label ?? "";
  const text = ({ fact, field }: Candidate): string =>
    field ? valueOf(fact, field, covers, language) : capital(nameOf(fact));
  if (!best.field) {
    const list = listSentence(
      found.map((c) => ({ text: text(c), fact: c.fact })),
      language,
    );
    const quote = found.length === 1 ? support(best, question) : undefined;
    return quote === undefined ? list : `${list} ${quote}`;
  }
  if (best.field.shape === "prose") return told(found, language);
  const distinct = [...new Map(found.map((c) => [text(c), c] as const)).values()];
  if (distinct.length === 1) return cellSentence(best.fact, label, text(best), language);
  const shared = new Set(found.map((c) => nameOf(c.fact))).size === 1;
  if (question.intent === "list" || question.wanted[0]?.which === true || (shared && !disagree(distinct))) {
    return listSentence(
      distinct.map((c) => ({ text: text(c), fact: c.fact })),
      language,
    );
  }
  const newest = distinct.toSorted((a, b) => (changed(a.fact) < changed(b.fact) ? 1 : -1));
  if (!shared) {
    return newest
      .slice(0, MOST_LINES)
      .map((c) => cellSentence(c.fact, label, text(c), language))
      .join(" ");
  }
  const stamped = newest.map((c) => `${text(c)} ${dated(changed(c.fact), language)} ${mark(c.fact)}`);
  const colon = language === "fr" ? " :" : ":";
  return `${conflictLead(language)} ${capital(nameOf(best.fact))} — ${label}${colon} ${stamped.join("; ")}.`;
}

/** Prose that was asked for by its column's name: the first sentences of each row. */
function told(found: readonly Candidate[], language: Language): string {
  return found
    .slice(0, MOST_LINES)
    .flatMap(({ fact, field }) =>
      (field?.shape === "prose" ? field.sentences.map((s) => s.text) : [field?.value ?? ""])
        .slice(0, MOST_SENTENCES)
        .map((one, i) => quoteSentence(fact, one, language, i === 0 && !repeats(one, fact))),
    )
    .join(" ");
}

/** Rows of one name and another day each: the later one may have replaced the earlier. */
function disagree(found: readonly Candidate[]): boolean {
  return new Set(found.map((c) => changed(c.fact))).size > 1;
}

/** The day on which a row last changed. */
export function changed(fact: Fact): string {
  return fact.evidence.changedAt.slice(0, 10);
}

/** The sentence of prose that a row was chosen for, where the question was found in prose. */
function support(best: Candidate, question: Understanding): string | undefined {
  const prose = question.terms.some((t) => {
    const at = best.cover.values[t.index];
    return at !== undefined && at.strength > 0 && best.fact.fields[at.field]?.shape === "prose";
  });
  if (!prose) return undefined;
  const passage = passagesOf([best.cover], question)[0];
  return passage && quoteSentence(best.fact, passage.text, question.language, false);
}

/** A cell's value, with what belongs to it: a street its town, a row among others of its name what tells it apart. */
function valueOf(fact: Fact, field: Field, covers: readonly Cover[], language: Language): string {
  const value = [shown(field, language), ...wider(fact, field)].join(", ");
  const namesakes = covers.filter(
    (c) => c.fact.title === fact.title && c.fact.evidence.table === fact.evidence.table,
  );
  if (namesakes.length < 2) return value;
  const context: string[] = [];
  let length = 0;
  for (const other of tellingFields(fact)) {
    if (other === field || context.length === MOST_CONTEXT) continue;
    const text = shown(other, language);
    if (length + text.length > LONGEST_CONTEXT) break;
    length += text.length;
    context.push(text);
  }
  return context.length === 0 ? value : `${value} (${context.join(", ")})`;
}

/** Fields worth telling: no keys, no running numbers, no prose, nothing that the title says. */
export function tellingFields(fact: Fact): readonly Field[] {
  return fact.fields.filter(
    (f) =>
      !f.key &&
      !f.reference &&
      !f.title &&
      f.shape !== "prose" &&
      !/(?:^|[_\s])(?:id|key|no|nr|fk|uuid|hash)$/i.test(f.column),
  );
}

/** The town and country of a street, the country of a town, where the row has them beside. */
function wider(fact: Fact, field: Field): readonly string[] {
  const { concepts } = field.name;
  if (field.shape !== "text" || concepts.has("email")) return [];
  const wide = concepts.has("address")
    ? ["city", "postal", "country"]
    : concepts.has("city")
      ? ["country"]
      : [];
  if (wide.length === 0) return [];
  // `ship_address` goes with `ship_city`, not with `city`.
  const prefix = field.column.replace(/[^_\s]+$/, "");
  return fact.fields
    .filter(
      (f) =>
        f !== field &&
        f.shape !== "prose" &&
        f.column.startsWith(prefix) &&
        f.column.slice(prefix.length).split(/[_\s]/).length <= 2 &&
        wide.some((w) => f.name.concepts.has(w)) &&
        !f.name.concepts.has("address") &&
        !f.name.concepts.has("phone"),
    )
    .map((f) => f.value);
}
