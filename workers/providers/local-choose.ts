import { isGenericHead, isStopWord, TYPE_CONCEPTS } from "../answer/understand-lexicon.ts";
import type { Term, Understanding, Wanted } from "../answer/understand.ts";
import type { Fact, Field } from "./local-facts.ts";
import { stemsOf } from "../answer/understand-text.ts";
import {
  type Account,
  accountOf,
  CONCEPT_IN_NAME,
  type Cover,
  coverOf,
  inBag,
  inKind,
  inName,
  isHard,
} from "./local-match.ts";

/** A possible answer: a field of a row, or the row itself (its title). */
export interface Candidate {
  readonly cover: Cover;
  readonly fact: Fact;
  /** undefined: the row's title answers. */
  readonly field: Field | undefined;
  /** How well the field is what was asked for. */
  readonly fit: number;
  readonly account: Account;
  readonly score: number;
}

/** Share of the question that a row must hold before one of its cells is given as the answer. */
const ENOUGH = 0.7;

/** Every acceptable answer from cells and titles, best first. */
export function candidatesOf(covers: readonly Cover[], question: Understanding, wanted: Wanted): Candidate[] {
  // What else is asked of the same thing need not be found to answer this.
  const ignored = new Set(question.wanted.flatMap((w) => (w === wanted ? [] : w.terms.map((t) => t.folded))));
  const out: Candidate[] = [];
  for (const cover of covers) {
    for (const field of cover.fact.fields) {
      const candidate = candidateOf(cover, question, wanted, field, ignored);
      if (candidate) out.push(candidate);
    }
    // A title that several rows share names none of them.
    if (covers.some((c) => c !== cover && c.fact.title === cover.fact.title)) continue;
    const candidate = candidateOf(cover, question, wanted, undefined, ignored);
    if (candidate) out.push(candidate);
  }
  return out.sort((a, b) => b.score - a.score || a.fact.marker - b.fact.marker);
}

function candidateOf(
  cover: Cover,
  question: Understanding,
  wanted: Wanted,
  field: Field | undefined,
  ignored: ReadonlySet<string>,
): Candidate | undefined {
  const { fact } = cover;
  if (field && (field.reference || (field.shape === "prose" && !isNamed(wanted, field)))) return undefined;
  const account = accountOf(cover, question, field, ignored);
  if (!account.pinned || account.coverage < ENOUGH) return undefined;
  const fit = field ? fieldFit(cover, question, wanted, field) : titleFit(cover, question, wanted);
  if (fit === undefined) return undefined;
  // A day that only the lexicon links to the question's verb is the day of something else if any of the question is left over.
  if (wanted.type === "date" && field && !saysName(question, field, wanted)) {
    if (question.terms.some((t) => !isTold(t, cover, field))) return undefined;
  }
  if (account.missing.length > 0 && !field && wanted.type === "person" && !isPerson(fact)) return undefined;
  // A part of the title answers only when it is asked for by its own name.
  if (field?.title === true && !wanted.terms.some((t) => inName(t, field) > 0)) return undefined;
  // What only repeats the question answers nothing.
  if (field && isGiven(field, cover, question)) return undefined;
  if (!field && question.terms.length > 0 && isTitleGiven(fact, question)) return undefined;
  return { cover, fact, field, fit, account, score: account.coverage * 3 + fit + fact.evidence.score * 0.2 };
}

/** The best field for a further thing asked for: of the row that was chosen, or of the row that its value names. */
export function linkedTo(
  best: Candidate,
  covers: readonly Cover[],
  question: Understanding,
  wanted: Wanted,
): Candidate | undefined {
  // Only the further phrase counts now: the row is already known.
  const terms = question.terms
    .filter((t) => wanted.terms.includes(t))
    .map((term, index) => ({ ...term, index }));
  const again = { ...wanted, terms };
  const narrowed: Understanding = { ...question, terms, dates: [], wanted: [again] };
  return covers
    .filter((c) => c.fact === best.fact || (best.field && c.fact.title === best.field.value))
    .flatMap(({ fact }) => candidatesOf([coverOf(fact, narrowed)], narrowed, again))
    .filter((c) => c.field !== undefined)
    .sort((a, b) => b.fit - a.fit)[0];
}

/** Terms of the phrase asked for that must be met: heads such as "number" say nothing beside a modifier. */
function needed(wanted: Wanted): readonly Term[] {
  const telling = wanted.terms.filter((t) => !isGenericHead(t.stems));
  return telling.length > 0 ? telling : wanted.terms;
}

/** Whether prose is the very thing asked for: the cause, to a "why"; a column by its own name. */
function isNamed(wanted: Wanted, field: Field): boolean {
  if (wanted.type === "cause") return field.name.concepts.has("cause");
  const need = needed(wanted);
  return !wanted.which && need.length > 0 && need.every((t) => inName(t, field) > CONCEPT_IN_NAME);
}

/** Whether a field answers by a word of its name. */
function saysName(question: Understanding, field: Field, wanted: Wanted): boolean {
  return (
    wanted.terms.length > 0 || question.terms.some((t) => !t.light && inName(t, field) > CONCEPT_IN_NAME)
  );
}

function isPerson(fact: Fact): boolean {
  return ["employee", "person", "customer", "contact", "manager", "supplier"].some((c) =>
    fact.kind.concepts.has(c),
  );
}

/** How well a field is what was asked for; undefined when it is something else. */
function fieldFit(cover: Cover, question: Understanding, wanted: Wanted, field: Field): number | undefined {
  const kind = typeFit(wanted, field, question);
  if (kind === undefined || (field.key && !asksKey(wanted, field))) return undefined;
  const need = needed(wanted);
  if (need.length === 0 && wanted.type === "thing" && !isAbout(cover, question, field)) return undefined;
  const counted = wanted.type === "count" && need.every((t) => isOfRow(t, cover));
  // How many rows there are stands in none of them.
  if (
    counted &&
    need.some((t) => inKind(t, cover.fact) > 0 && inName(t, field) < 1) &&
    !question.terms.some(isPin)
  )
    return undefined;
  const heads = wanted.terms.filter((t) => isGenericHead(t.stems));
  const generic = heads.length > 0;
  let fit = kind;
  let met = 0;
  for (const term of need) {
    const name = inName(term, field);
    if (name > 0) {
      met += 1;
      fit += name > 0.85 ? 2 : 1.4;
    } else if (inBag(term, field.content, 0.6) > 0 && field.shape === "text" && !wanted.which) {
      met += 0.5;
      fit += 0.4;
    } else if (generic && !wanted.loose && !heads.some((t) => inName(t, field) === 1)) {
      // A modifier of "number" or "address" decides which one is meant.
      return undefined;
    }
  }
  let verbs = 0;
  for (const term of question.terms) {
    if (term.labels || wanted.terms.includes(term)) continue;
    if (isHard(term)) {
      // "In stock at Rennes" is a column of its own where the warehouse has one for each town.
      if (term.kind === "name" && inName(term, field) > CONCEPT_IN_NAME) verbs += 1.2;
      continue;
    }
    if ((cover.values[term.index]?.strength ?? 0) === 1) continue;
    const name = inName(term, field);
    if (name > CONCEPT_IN_NAME) verbs += 1.2;
    // "Where does the ferry leave from": a ferry is no place.
    else if (name > 0) verbs += kind === 0 && wanted.type === "place" ? 0 : 0.9;
    // "How is it packaged?" finds its answer in "12 bottles".
    else if (wanted.type === "manner" && field.shape === "text") verbs += inBag(term, field.content, 0.6);
  }
  const pointed = heads.some((t) => inName(t, field) === 1) || (counted && field.shape === "number");
  if (need.length > 0 && met === 0 && (verbs < 1 || !pointed)) return undefined;
  for (const term of heads) if (!need.includes(term)) fit += inName(term, field);
  fit += verbs;
  // Without a phrase, a verb or the kind of value must point at the field.
  if (need.length === 0 && verbs === 0 && kind < 0.5) return undefined;
  const asked = [...question.terms, ...wanted.terms];
  for (const word of field.name.words) {
    const stems = stemsOf(word);
    const isAsked = asked.some(
      (t) => t.stems.some((stem) => stems.includes(stem)) || inName(t, field) === CONCEPT_IN_NAME,
    );
    if (!isAsked && !isGenericHead(stems) && !isStopWord(word)) fit -= 0.15;
  }
  return fit;
}

/** Whether a term tells which row is meant. */
function isPin(term: Term): boolean {
  return isHard(term) && !term.inDate;
}

/** Whether a term names the row or its kind, and so no cell of it. */
function isOfRow(term: Term, cover: Cover): boolean {
  return inBag(term, cover.fact.titleBag, 0) > 0 || inKind(term, cover.fact) > 0;
}

/**
 * "What did we promise X about cancelled crossings?" names no column. A number or a date then answers only of a thing that is
 * named, and any cell only when nothing that the question says is left to the row's prose.
 */
function isAbout(cover: Cover, question: Understanding, field: Field): boolean {
  if (field.shape !== "text" && !question.terms.some(isPin)) return false;
  return question.terms.every((t) => isTold(t, cover, field));
}

/** Whether a word of the question is accounted for by a field's name or by a row without its prose. */
function isTold(term: Term, cover: Cover, field: Field): boolean {
  if (term.light || isHard(term) || inName(term, field) > 0 || (cover.kinds[term.index] ?? 0) > 0)
    return true;
  const at = cover.values[term.index];
  return at !== undefined && at.strength > 0 && cover.fact.fields[at.field]?.shape !== "prose";
}

/** How well a field's kind of value suits the question word; undefined when it can't be the answer. */
function typeFit(wanted: Wanted, field: Field, question: Understanding): number | undefined {
  const concepts = TYPE_CONCEPTS[wanted.type];
  const meant = concepts.some((c) => field.name.concepts.has(c));
  switch (wanted.type) {
    case "date":
      if (field.shape === "date") return meant ? 1 : 0.6;
      return meant && /\d/.test(field.value) ? 0.8 : undefined;
    case "money":
      if (!/\d/.test(field.value)) return undefined;
      return meant ? 1 : 0;
    case "count":
      if (!/\d/.test(field.value) || field.shape === "date") return undefined;
      if (["phone", "fax", "email", "address", "postal"].some((c) => field.name.concepts.has(c)))
        return undefined;
      if (TYPE_CONCEPTS.money.some((c) => field.name.concepts.has(c)) && !asksMoney(question))
        return undefined;
      return meant ? 0.3 : 0;
    case "person":
      if (field.shape === "date" || field.shape === "number") return undefined;
      // The lexicon knows two roles: an employee's, and an actor's.
      if (field.name.concepts.has("role") && !question.terms.some((t) => t.concepts.includes("play")))
        return undefined;
      if (!meant && /[@:]|\w\/\w/.test(field.value)) return undefined;
      return meant ? 0.8 + (looksLikeName(field.value) ? 0.2 : -0.3) : 0;
    case "place":
      if (field.shape === "date" || field.shape === "number") return undefined;
      return meant ? placeRank(field) : 0;
    case "duration":
      if (!/\d/.test(field.value) || field.shape === "date") return undefined;
      if (!isOfDuration(field, wanted, question)) return undefined;
      return meant || isInUnitOfTime(field) ? 0.8 : 0;
    case "cause":
      return meant ? 1 : undefined;
    case "manner":
      return field.shape === "number" || field.shape === "date" ? undefined : meant ? 0.3 : 0;
    case "thing":
      return 0;
    default:
      return wanted.type satisfies never;
  }
}

/**
 * Of what a time is, or how late, the question has to say: terms of payment are days as well. Nothing but a name asks for the only
 * one that its row has. What takes long has no length in metres.
 */
function isOfDuration(field: Field, wanted: Wanted, question: Understanding): boolean {
  const words = question.terms.filter((t) => !t.light && !isHard(t));
  if (wanted.takes === true && field.name.concepts.has("length") && !isInUnitOfTime(field)) return false;
  return (
    field.name.concepts.has("duration") ||
    words.some((t) => inName(t, field) > 0) ||
    (words.length === 0 && isInUnitOfTime(field) && !field.name.concepts.has("delay"))
  );
}

/** `crossing_minutes`, `lead_time_days`; a year or a month alone names one. */
function isInUnitOfTime({ shape, name }: Field): boolean {
  return shape === "number" && [...name.words].some((word) => UNIT_OF_TIME.test(word));
}

const UNIT_OF_TIME =
  /^(?:seconds?|minutes?|hours?|days?|weeks?|months|years|secondes?|heures?|jours?|semaines?|annees|ans)$/;

/** Keys answer only when a number, code or reference is asked for, or the key's own name. */
function asksKey(wanted: Wanted, field: Field): boolean {
  if (wanted.type !== "thing") return false;
  return wanted.terms.some(
    (t) =>
      t.concepts.some((c) => c === "code" || c === "number") ||
      (!wanted.which && inName(t, field) === 1 && !/(?:id|key)$/i.test(field.column)),
  );
}

function asksMoney(question: Understanding): boolean {
  return question.terms.some((t) => t.concepts.some((c) => TYPE_CONCEPTS.money.includes(c)));
}

/** "Where" means the town first. */
function placeRank(field: Field): number {
  if (field.name.concepts.has("city")) return 1;
  if (field.name.words.has("location") || field.name.concepts.has("site") || field.name.concepts.has("port"))
    return 0.95;
  return field.name.concepts.has("country") ? 0.8 : 0.7;
}

/** Two or more words with capitals, no digits. */
export function looksLikeName(value: string): boolean {
  return /^\p{Lu}[\p{L}.'’-]*(?:\s+(?:d[eiu]|v[ao]n|der|la|le)?\s*\p{Lu}[\p{L}.'’-]*){0,4}$/u.test(
    value.trim(),
  );
}

/** How well the row itself is what was asked for: "which customers …" wants the titles of customers. */
function titleFit(cover: Cover, question: Understanding, wanted: Wanted): number | undefined {
  const { fact } = cover;
  if (fact.title === "") return undefined;
  const need = needed(wanted);
  if (need.length > 0) {
    if (!wanted.which && question.intent !== "list") return undefined;
    const kind = Math.max(...need.map((t) => inKind(t, fact)));
    if (kind > 0) return 1.2 * kind + 0.6;
    const title = Math.max(...need.map((t) => inBag(t, fact.titleBag, 0)));
    if (title > 0) return 1;
    const told = (t: Term): boolean => {
      const at = cover.values[t.index];
      return at !== undefined && at.strength >= 0.6 && fact.fields[at.field]?.shape !== "prose";
    };
    if (need.some(told)) return 0.9;
    // A phrase that nothing in the row explains may still be a kind of thing that only people would recognise.
    const prose = cover.values.some((v) => v.strength > 0 && fact.fields[v.field]?.shape === "prose");
    return !prose && question.terms.length - need.length >= 2 ? 0.3 : undefined;
  }
  if (wanted.type === "person") {
    return isPerson(fact) || looksLikeName(fact.title) ? 0.5 : undefined;
  }
  return undefined;
}

/** A cell whose every word the question already says. */
function isGiven(field: Field, cover: Cover, question: Understanding): boolean {
  if (question.intent === "yes-no") return false;
  const said = new Set(question.terms.map((t) => t.folded));
  const words = [...field.content.words];
  return words.length > 0 && words.every((w) => said.has(w)) && cover.values.some((v) => v.strength >= 1);
}

function isTitleGiven(fact: Fact, question: Understanding): boolean {
  const words = [...fact.titleBag.words].filter((w) => w.length > 1);
  // "What tofu products …" may be answered by a row named Tofu.
  const said = new Set(question.terms.filter((t) => isHard(t) || words.length > 1).map((t) => t.folded));
  return words.length > 0 && words.every((w) => said.has(w));
}
