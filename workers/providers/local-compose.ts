import { understand, type Understanding, type Wanted } from "../answer/understand.ts";
import type { ChatRequest } from "../../shared/ports/chat-provider.ts";
import { type Candidate, candidatesOf } from "./local-choose.ts";
import { compare } from "./local-compare.ts";
import { type Fact, factsOf, type Field, nameOf } from "./local-facts.ts";
import { accountOf, type Cover, coverOf, inKind, inName, isHard, isTrue } from "./local-match.ts";
import {
  capital,
  cellSentence,
  conflictLead,
  dated,
  type Language,
  listSentence,
  mark,
  no,
  quoteSentence,
  shown,
  yes,
} from "./local-phrases.ts";
import { type Passage, passagesOf, saysWhy } from "./local-sentences.ts";
import { summarise } from "./local-summary.ts";

/** What a built-in answerer has to say; `text` is empty unless `reason` is "stop". */
export interface Composed {
  readonly text: string;
  readonly reason: "stop" | "no-evidence" | "needs-total";
}

const NOTHING: Composed = { text: "", reason: "no-evidence" };
const TOTAL: Composed = { text: "", reason: "needs-total" };
const NONE: ReadonlySet<string> = new Set();

/** Most rows that a list names. */
const LONGEST_LIST = 12;

/**
 * Composes an answer from cells and sentences of the rows, or says that they don't answer. It adds nothing: every value in
 * the text stands in a row that it cites, and what would have to be counted or summed is left to rows that hold totals.
 */
export function compose(
  request: Pick<ChatRequest, "question" | "evidence" | "language" | "today">,
): Composed {
  const question = understand(request.question, request.today, request.language);
  if (question.terms.every((t) => t.light) && question.dates.length === 0) return NOTHING;
  const covers = factsOf(request.evidence).map((fact) => coverOf(fact, question));
  const text = answer(covers, question);
  if (text !== undefined && text !== "") return { text, reason: "stop" };
  return question.needsTotal || (question.aggregate === "count" && isCountOfRows(covers, question))
    ? TOTAL
    : NOTHING;
}

function answer(covers: readonly Cover[], question: Understanding): string | undefined {
  if (question.comparison) return compare(covers, question, question.comparison);
  if (question.intent === "summary") return summarise(covers, question);
  if (question.needsTotal) {
    // Rows that the warehouse has totalled; anything else would be a total over the few rows that were found.
    const totals = covers.filter((cover) => cover.fact.evidence.rollup);
    return cells(totals, question) ?? literalTotal(covers, question);
  }
  if (question.intent === "yes-no") return yesNo(covers, question) ?? sentences(covers, question);
  return cells(covers, question) ?? sentences(covers, question) ?? about(covers, question);
}

/** Cells and titles that answer: the first thing asked for, then the others of the same row or of the row that it names. */
function cells(covers: readonly Cover[], question: Understanding): string | undefined {
  const [first, ...more] = question.wanted;
  if (!first) return undefined;
  const found = chosen(covers, question, first);
  const best = found[0];
  if (!best) return undefined;
  const language = question.language;
  const parts = [say(found, question)];
  for (const wanted of more) {
    const linked = covers.filter(
      (c) => c.fact === best.fact || (best.field && c.fact.title === best.field.value),
    );
    const next = linked
      .flatMap((cover) => fieldsFor(cover, question, wanted))
      .sort((a, b) => b.fit - a.fit)[0];
    if (next?.field)
      parts.push(cellSentence(next.fact, next.field.label, place(next.fact, next.field, language), language));
  }
  return parts.join(" ");
}

/** The best candidates that belong together: one, or several rows that answer equally well. */
function chosen(covers: readonly Cover[], question: Understanding, wanted: Wanted): readonly Candidate[] {
  // What else is asked of the same thing need not be found to answer this.
  const others = new Set(question.wanted.flatMap((w) => (w === wanted ? [] : w.terms.map((t) => t.folded))));
  const all = candidatesOf(covers, question, wanted, others);
  const best = all[0];
  if (!best) return [];
  const alike = all.filter(
    (c) =>
      c.fact.evidence.table === best.fact.evidence.table &&
      c.field?.column === best.field?.column &&
      c.account.coverage >= best.account.coverage - 0.08 &&
      c.account.missing.length <= best.account.missing.length,
  );
  const rows = new Map(alike.map((c) => [c.fact.marker, c] as const));
  for (const c of alike)
    if (rows.get(c.fact.marker)?.score !== undefined && c.score > (rows.get(c.fact.marker)?.score ?? 0))
      rows.set(c.fact.marker, c);
  return [...rows.values()].slice(0, LONGEST_LIST);
}

/** Fields of one row for a further thing asked for, whatever the rest of the question says. */
function fieldsFor(cover: Cover, question: Understanding, wanted: Wanted): readonly Candidate[] {
  const only: Understanding = { ...question, terms: question.terms.filter((t) => wanted.terms.includes(t)) };
  const terms = only.terms.map((term, index) => ({ ...term, index }));
  const narrowed: Understanding = { ...only, terms, wanted: [wanted] };
  const again = coverOf(cover.fact, narrowed);
  return candidatesOf([again], narrowed, { ...wanted, terms }, NONE).filter((c) => c.field !== undefined);
}

function say(found: readonly Candidate[], question: Understanding): string {
  const language = question.language;
  const best = found[0];
  if (!best) return "";
  if (!best.field) {
    const items = found.map((c) => ({ text: capital(nameOf(c.fact)), fact: c.fact }));
    const list = listSentence(items, language);
    const quote = items.length === 1 ? support(best, question) : undefined;
    return quote === undefined ? list : `${list} ${quote}`;
  }
  const field = best.field;
  const distinct = new Map(found.map((c) => [c.field?.value ?? "", c] as const));
  if (found.length === 1)
    return cellSentence(best.fact, field.label, place(best.fact, field, language), language);
  if (question.intent === "list" || question.wanted[0]?.which === true) {
    const items = [...distinct.values()].map((c) => ({
      text: c.field ? shown(c.field, language) : "",
      fact: c.fact,
    }));
    return listSentence(items, language);
  }
  const lines = byDate(found).map((c) => {
    const value = c.field ? place(c.fact, c.field, language) : "";
    return cellSentence(c.fact, c.field?.label ?? "", value, language);
  });
  const sameName = new Set(found.map((c) => nameOf(c.fact))).size === 1;
  if (!sameName || distinct.size === 1)
    return lines.slice(0, distinct.size === 1 && sameName ? 1 : 4).join(" ");
  const stamped = byDate(found).map((c) => {
    const value = c.field ? place(c.fact, c.field, language) : "";
    return `${value} ${dated(dayOf(c.fact), language)} ${mark(c.fact)}`;
  });
  return `${conflictLead(language)} ${capital(nameOf(best.fact))} — ${field.label}: ${stamped.join("; ")}.`;
}

/** The sentence of prose that the row was chosen for, when most of the question is in prose. */
function support(best: Candidate, question: Understanding): string | undefined {
  const prose = question.terms.some((t) => {
    const at = best.cover.values[t.index];
    return at !== undefined && at.strength > 0 && best.fact.fields[at.field]?.shape === "prose";
  });
  if (!prose) return undefined;
  const passage = passagesOf([best.cover], question)[0];
  return passage && quoteSentence(best.fact, passage.text, question.language, false);
}

function dayOf(fact: Fact): string {
  return fact.evidence.changedAt.slice(0, 10);
}

function byDate(found: readonly Candidate[]): readonly Candidate[] {
  return found.toSorted((a, b) => (a.fact.evidence.changedAt < b.fact.evidence.changedAt ? 1 : -1));
}

/** A cell's value; a street brings its town along, a town its country, where the row has them beside. */
function place(fact: Fact, field: Field, language: Language): string {
  const value = shown(field, language);
  const wide = field.name.concepts.has("address")
    ? ["city", "postal", "country"]
    : field.name.concepts.has("city")
      ? ["country"]
      : [];
  if (wide.length === 0 || field.name.concepts.has("email") || field.shape !== "text") return value;
  const prefix = field.column.replace(/[^_\s]+$/, "");
  const more = fact.fields.filter(
    (f) =>
      f !== field &&
      f.shape !== "prose" &&
      f.column.startsWith(prefix) &&
      f.column.slice(prefix.length).split(/[_\s]/).length <= 2 &&
      wide.some((w) => f.name.concepts.has(w)) &&
      !f.name.concepts.has("address") &&
      !f.name.concepts.has("phone"),
  );
  return [value, ...more.map((f) => f.value)].join(", ");
}

/** Sentences that answer: the best one, its neighbour where that adds to it, and another row's where the two disagree. */
function sentences(covers: readonly Cover[], question: Understanding): string | undefined {
  const found = passagesOf(covers, question);
  const best = found[0];
  if (!best || !answersEnough(best, question)) return undefined;
  const language = question.language;
  const other = rival(best, found, question);
  if (other) {
    const pair = [best, other].sort((a, b) =>
      a.fact.evidence.changedAt < b.fact.evidence.changedAt ? 1 : -1,
    );
    const lines = pair.map(
      (p) => `${quoteSentence(p.fact, p.text, language, true)} ${dated(dayOf(p.fact), language)}.`,
    );
    return `${conflictLead(language)} ${lines.join(" ")}`;
  }
  const second = found.find(
    (p) =>
      p !== best &&
      p.fact === best.fact &&
      p.field === best.field &&
      Math.abs(p.n - best.n) <= 2 &&
      p.score >= best.score * 0.6,
  );
  const texts = [best, ...(second ? [second] : [])].sort((a, b) => a.n - b.n);
  return texts.map((p, i) => quoteSentence(p.fact, p.text, language, i === 0)).join(" ");
}

/** A quoted sentence must hold a fair part of the question itself, or its row nearly all of it. */
function answersEnough(passage: Passage, question: Understanding): boolean {
  if (question.aggregate === "average" || question.aggregate === "sum") return passage.own >= 0.6;
  if (question.intent === "cause" && !saysWhy(passage.text)) return passage.own >= 0.5;
  return passage.own + passage.row >= 0.9;
}

/** A sentence of another row that says as much of the question, with other numbers, on another day. */
function rival(best: Passage, found: readonly Passage[], question: Understanding): Passage | undefined {
  const numbers = numbersIn(best.text);
  if (numbers.size === 0) return undefined;
  const said = new Set(question.terms.map((t) => t.folded));
  return found.find((p) => {
    if (p.fact === best.fact || p.own < best.own * 0.85 || dayOf(p.fact) === dayOf(best.fact)) return false;
    const others = numbersIn(p.text);
    return others.size > 0 && [...others].some((n) => !numbers.has(n) && !said.has(n));
  });
}

function numbersIn(text: string): ReadonlySet<string> {
  return new Set(text.match(/\d+(?:[.,]\d+)?/g) ?? []);
}

/** "Is Alice Mutton still sold?": the cell that the question speaks of, or the words of the question found in one. */
function yesNo(covers: readonly Cover[], question: Understanding): string | undefined {
  const language = question.language;
  for (const cover of covers) {
    const account = accountOf(cover, question, undefined, NONE);
    if (!account.pinned) continue;
    const rest = question.terms.filter(
      (t) =>
        !t.light && !isHard(t) && (cover.values[t.index]?.strength ?? 0) < 0.9 && cover.kinds[t.index] === 0,
    );
    const about = cover.fact.fields.find(
      (f) => f.shape !== "prose" && !f.reference && rest.length > 0 && rest.every((t) => inName(t, f) > 0),
    );
    if (about) {
      const flag = flagOf(about);
      const value =
        flag === undefined
          ? shown(about, language)
          : flag
            ? yes(language).toLowerCase()
            : no(language).toLowerCase();
      return cellSentence(cover.fact, about.label, value, language);
    }
    const told = cover.values.some((v) => cover.fact.fields[v.field]?.shape === "prose");
    if (rest.length === 0 && account.missing.length === 0 && !told) {
      const holding = new Set(
        cover.values
          .flatMap((v) => cover.fact.fields[v.field] ?? [])
          .filter((f) => !f.title && f.shape !== "prose"),
      );
      const parts = [...holding].map((f) => `${f.label}: ${shown(f, language)}`);
      if (parts.length > 0)
        return `${yes(language)}. ${cellSentence(cover.fact, parts[0]?.split(": ")[0] ?? "", parts.map((p, i) => (i === 0 ? p.slice(p.indexOf(": ") + 2) : p)).join("; "), language)}`;
    }
  }
  return undefined;
}

/** true or false for a cell that says yes or no, 1 or 0; undefined for any other. */
function flagOf(field: Field): boolean | undefined {
  if (field.shape === "boolean" || field.value === "0" || field.value === "1") return isTrue(field);
  return undefined;
}

/** "What is X?", "who is X?": the row named X, described. */
function about(covers: readonly Cover[], question: Understanding): string | undefined {
  const wanted = question.wanted[0];
  if (!wanted || !["thing", "person"].includes(wanted.type) || question.aggregate !== undefined)
    return undefined;
  const found = covers.find((cover) => {
    const account = accountOf(cover, question, undefined, NONE);
    return (
      account.pinned &&
      account.missing.length === 0 &&
      question.terms.some((t) => cover.fact.titleBag.words.has(t.folded))
    );
  });
  if (!found) return undefined;
  const description = found.fact.fields.find((f) => f.name.concepts.has("description") && !f.title);
  if (description) return cellSentence(found.fact, description.label, description.value, question.language);
  return summarise([found], question);
}

/** A cell that literally holds the total asked for, named so: a column `total_cost` of the row that is named. */
function literalTotal(covers: readonly Cover[], question: Understanding): string | undefined {
  if (question.aggregate !== "sum" && question.aggregate !== "average") return undefined;
  if (!question.terms.some((t) => isHard(t) && !t.inDate)) return undefined;
  const said = /^(?:total|sum|overall|average|mean|avg|moyen|moyenne|totale|cumul)/;
  const found = candidatesOf(
    covers,
    question,
    question.wanted[0] ?? { terms: [], type: "thing", which: false },
    NONE,
  ).filter(
    (c) => c.field && [...c.field.name.words].some((w) => said.test(w)) && c.account.missing.length === 0,
  );
  return found[0] ? say([found[0]], question) : undefined;
}

/** "How many orders …" where the rows are orders: nothing but a count over all of them answers. */
function isCountOfRows(covers: readonly Cover[], question: Understanding): boolean {
  const asked = question.wanted.find((w) => w.type === "count")?.terms ?? question.terms;
  return covers.some(({ fact }) =>
    asked.some((t) => inKind(t, fact) > 0 || t.concepts.some((c) => fact.kind.concepts.has(c))),
  );
}
