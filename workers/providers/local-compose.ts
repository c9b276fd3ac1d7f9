import type { ChatRequest } from "../../shared/ports/chat-provider.ts";
import { questionsIn } from "../answer/understand-joined.ts";
import { understand, type Understanding } from "../answer/understand.ts";
import { type Candidate, candidatesOf, linkedTo } from "./local-choose.ts";
import { compare } from "./local-compare.ts";
import { factsOf } from "./local-facts.ts";
import { type Cover, coverOf, inBag, inKind, isHard } from "./local-match.ts";
import { sentences } from "./local-prose.ts";
import { about, aboutNamed, rowStatement, yesNo } from "./local-rows.ts";
import { say } from "./local-say.ts";
import { summarise } from "./local-summary.ts";

/** What a built-in answerer has to say; `text` is empty unless `reason` is "stop". */
export interface Composed {
  readonly text: string;
  readonly reason: "stop" | "no-evidence" | "needs-total";
}

type Request = Pick<ChatRequest, "question" | "evidence" | "language" | "today">;

const NOTHING = { text: "", reason: "no-evidence", partial: true } as const;
const TOTAL = { text: "", reason: "needs-total", partial: true } as const;

/**
 * Composes an answer from cells and sentences of the rows, or says that they don't answer. It adds nothing: every value in
 * the text stands in a row that it cites, and what would have to be counted or summed is left to rows that hold totals.
 */
export function compose(request: Request): Composed {
  const { partial, ...whole } = composeOne(request, answer);
  if (!partial) return whole;
  // Beside what the whole question found, only cells are better: rows told at length hold that already.
  const how = whole.reason === "stop" ? cellsAlone : answer;
  const said = separate(request).map((question) => composeOne({ ...request, question }, how));
  // All that was asked, each by itself, or what the whole question found.
  if (said.length < 2 || said.some(({ reason }) => reason !== "stop")) return whole;
  return { text: [...new Set(said.map(({ text }) => text))].join(" "), reason: "stop" };
}

/** Several questions in one, each by itself: one that names nothing is about what the first names. */
function separate({ question, today, language }: Request): string[] {
  const [first = "", ...others] = questionsIn(question);
  const named = understand(first, today, language).terms.filter((term) => isHard(term) || term.labels);
  return [first, ...others].map((part) =>
    understand(part, today, language).terms.some(isHard)
      ? part
      : [part, ...named.map(({ raw }) => raw)].join(" "),
  );
}

/** @returns with `partial` where something that was asked is not in the text. */
function composeOne(request: Request, how: typeof answer): Composed & { readonly partial: boolean } {
  const question = understand(request.question, request.today, request.language);
  if (question.terms.every((t) => t.light) && question.dates.length === 0) return NOTHING;
  const covers = factsOf(request.evidence).map((fact) => coverOf(fact, question));
  const text = how(covers, question);
  if (text === undefined || text === "") return wantsTotal(covers, question) ? TOTAL : NOTHING;
  return { text, reason: "stop", partial: leavesOut(covers, question) };
}

function answer(covers: readonly Cover[], question: Understanding): string | undefined {
  if (question.comparison) return compare(covers, question, question.comparison);
  if (question.intent === "summary") return summarise(covers, question);
  if (question.needsTotal) {
    // Rows that the warehouse has totalled; anything else would be a total over the few rows that were found.
    const totals = covers.filter((cover) => cover.fact.evidence.rollup);
    return cells(totals, question) ?? literalTotal(covers, question);
  }
  if (question.intent === "yes-no") {
    return yesNo(covers, question) ?? sentences(covers, question) ?? rowStatement(covers, question);
  }
  if (isCensus(covers, question)) {
    return cells(
      covers.filter((cover) => cover.fact.evidence.rollup),
      question,
    );
  }
  const cell = aboutNamed(covers, question) ?? cells(covers, question);
  if (cell !== undefined) return cell;
  for (const tell of [sentences, about, rowStatement]) {
    const told = tell(covers, question);
    if (told !== undefined && hasForm(told, question)) return told;
  }
  return undefined;
}

/** What an address or a number to call looks like: a sentence without one does not tell it. */
const FORMS: readonly (readonly [concept: string, form: RegExp])[] = [
  ["email", /@/],
  ["website", /\w\.\w/],
  ["phone", /\d(?:[\s().-]?\d){5}/],
  ["fax", /\d(?:[\s().-]?\d){5}/],
];

function hasForm(text: string, question: Understanding): boolean {
  // A word that may mean something else asks for no form: "numéro" of anything, "site" of an office.
  const telling = question.wanted[0]?.terms.filter((t) => t.concepts.length === 1) ?? [];
  const asked = new Set(telling.flatMap((t) => t.concepts));
  return FORMS.every(([concept, form]) => !asked.has(concept) || form.test(text));
}

/** What `cells` says, of a question that it alone may answer. */
function cellsAlone(covers: readonly Cover[], question: Understanding): string | undefined {
  const { comparison, intent, needsTotal } = question;
  if (comparison || needsTotal || intent === "summary" || intent === "yes-no") return undefined;
  return isCensus(covers, question) ? undefined : cells(covers, question);
}

/** Whether the question is how many rows of a kind there are, and nothing else: no cell and no sentence of such a row says that. */
function isCensus(covers: readonly Cover[], question: Understanding): boolean {
  if (question.aggregate !== "count" || question.dates.length > 0) return false;
  const asked = question.wanted.find((w) => w.type === "count")?.terms ?? [];
  if (!question.terms.every((t) => t.light || asked.includes(t))) return false;
  return covers.some(({ fact }) => asked.length > 0 && asked.every((t) => inKind(t, fact) > 0));
}

/** Cells and titles that answer: the first thing asked for, then the others, of the same row or of the one that it names. */
function cells(covers: readonly Cover[], question: Understanding): string | undefined {
  const [first, ...more] = question.wanted;
  const found = first ? candidatesOf(covers, question, first) : [];
  const best = found[0];
  if (!best) return undefined;
  const parts = [say(alike(found, best, question), question, covers)];
  for (const wanted of more) {
    const next = linkedTo(best, covers, question, wanted);
    if (next) parts.push(say([next], question, covers));
  }
  return parts.join(" ");
}

/** Whether `cells` says less than was asked, where one thing of each is expected. */
function leavesOut(covers: readonly Cover[], question: Understanding): boolean {
  if (question.needsTotal || !["lookup", "aggregate"].includes(question.intent)) return false;
  const [first, ...more] = question.wanted;
  const best = first && more.length > 0 ? candidatesOf(covers, question, first)[0] : undefined;
  return best !== undefined && more.some((wanted) => !linkedTo(best, covers, question, wanted));
}

/** Most rows that a list names. */
const LONGEST_LIST = 12;
/** Rows that hold this much less of the question than the best one are not alike. */
const CLOSE = 0.08;

/** The best candidates that belong together: one, or several rows that answer equally well. */
function alike(found: readonly Candidate[], best: Candidate, question: Understanding): readonly Candidate[] {
  const rows = new Map<number, Candidate>();
  const named = best.field ? titled(found, best, question) : [];
  for (const candidate of named.length > 0 ? named : found) {
    if (rows.has(candidate.fact.marker)) continue;
    if (candidate.fact.evidence.table !== best.fact.evidence.table) continue;
    if (candidate.field?.column !== best.field?.column) continue;
    if (candidate.account.coverage < best.account.coverage - CLOSE) continue;
    if (candidate.account.missing.length > best.account.missing.length) continue;
    rows.set(candidate.fact.marker, candidate);
  }
  return [...rows.values()].slice(0, LONGEST_LIST);
}

/** Of the candidates for one column, those whose rows are called what the question names: a row that only mentions the name is about another. */
function titled(found: readonly Candidate[], best: Candidate, question: Understanding): readonly Candidate[] {
  const names = question.terms.filter((t) => t.kind === "name" && !t.inDate);
  if (names.length === 0) return [];
  return found.filter(
    (c) =>
      c.fact.evidence.table === best.fact.evidence.table &&
      c.field?.column === best.field?.column &&
      names.every((t) => inBag(t, c.fact.titleBag, 0) > 0),
  );
}

/** A cell that literally holds the total asked for, named so: a column `total_cost` of the row that is named. */
function literalTotal(covers: readonly Cover[], question: Understanding): string | undefined {
  const wanted = question.wanted[0];
  if (!wanted || (question.aggregate !== "sum" && question.aggregate !== "average")) return undefined;
  if (!question.terms.some((t) => isHard(t) && !t.inDate)) return undefined;
  const said = /^(?:total|sum|overall|average|mean|avg|moyen|moyenne|totale|cumul)/;
  const found = candidatesOf(covers, question, wanted).find(
    (c) => c.field && [...c.field.name.words].some((w) => said.test(w)) && c.account.missing.length === 0,
  );
  return found && say([found], question, covers);
}

/** Whether only a total over rows would answer: asked for as such, or a count of the very rows that were found. */
function wantsTotal(covers: readonly Cover[], question: Understanding): boolean {
  if (question.aggregate !== "count") return question.needsTotal;
  const asked = question.wanted.find((w) => w.type === "count")?.terms ?? question.terms;
  return covers.some(({ fact }) => asked.some((t) => inKind(t, fact) > 0));
}
