import { isGenericHead, isStopWord } from "../answer/understand-lexicon.ts";
import type { Understanding } from "../answer/understand.ts";
import { type Fact, type Field, nameOf } from "./local-facts.ts";
import {
  accountOf,
  type Cover,
  inBag,
  inKind,
  inName,
  isHard,
  isTrue,
  NONE,
  weightOf,
} from "./local-match.ts";
import { capital, cellSentence, type Language, mark, no, shown, yes } from "./local-phrases.ts";
import { tellingFields } from "./local-say.ts";
import { summarise } from "./local-summary.ts";

/** Answers that are a whole row rather than one cell of it. */

/** "Is Alice Mutton still sold?": the cell that the question speaks of, or the cells that hold the words of the question. */
export function yesNo(covers: readonly Cover[], question: Understanding): string | undefined {
  const language = question.language;
  for (const cover of covers) {
    const account = accountOf(cover, question, undefined, NONE);
    if (!account.pinned) continue;
    const rest = question.terms.filter(
      (t) =>
        !t.light && !isHard(t) && (cover.values[t.index]?.strength ?? 0) < 0.9 && cover.kinds[t.index] === 0,
    );
    const spoken =
      rest.length > 0 &&
      cover.fact.fields.find(
        (f) => f.shape !== "prose" && !f.reference && rest.every((t) => inName(t, f) > 0),
      );
    if (spoken) return cellSentence(cover.fact, spoken.label, flagText(spoken, language), language);
    const holding = cover.values.flatMap((v) => cover.fact.fields[v.field] ?? []).filter((f) => !f.title);
    if (rest.length > 0 || account.missing.length > 0 || holding.some((f) => f.shape === "prose")) continue;
    const cells = cellsText([...new Set(holding)], language);
    if (cells !== "")
      return `${yes(language)}. ${capital(nameOf(cover.fact))} — ${cells} ${mark(cover.fact)}.`;
  }
  return undefined;
}

/** "yes" or "no" for a cell that says true or false, 1 or 0; its value for any other. */
function flagText(field: Field, language: Language): string {
  if (field.shape !== "boolean" && field.value !== "0" && field.value !== "1") return shown(field, language);
  return (isTrue(field) ? yes(language) : no(language)).toLowerCase();
}

/** "What is X?", "who is X?": the row named X, described. */
export function about(covers: readonly Cover[], question: Understanding): string | undefined {
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
  return found && described(found, question);
}

/** The same of a question that is nothing but a name, of the row that is called so: others only mention it. */
export function aboutNamed(covers: readonly Cover[], question: Understanding): string | undefined {
  const terms = question.terms.filter((t) => !t.light);
  if (question.intent !== "lookup" || question.wanted.length > 1 || !terms.every(isHard)) return undefined;
  const said = new Set(terms.map((t) => t.folded));
  const found = covers.find(({ fact: { titleBag } }) => {
    const words = [...titleBag.words].filter((word) => !isStopWord(word));
    return words.length > 0 && words.every((word) => said.has(word));
  });
  return found && about([found], question);
}

function described(cover: Cover, question: Understanding): string | undefined {
  const { fact } = cover;
  const description = fact.fields.find((f) => f.name.concepts.has("description") && !f.title);
  if (!description) return summarise([cover], question);
  const { language } = question;
  return cellSentence(fact, description.label, shown(description, language), language);
}

/** Most rows told whole. */
const MOST_ROWS = 3;
/** Share of the question that a row told whole must hold. */
const ENOUGH = 0.62;

/**
 * The rows that hold what the question says, told whole: "how did X do in 2013" is answered by the row of X and 2013. Not for
 * a phrase that the row knows nothing of, nor for a count or a cause.
 */
export function rowStatement(covers: readonly Cover[], question: Understanding): string | undefined {
  const wanted = question.wanted[0];
  if (!wanted || question.aggregate !== undefined || wanted.type === "cause" || wanted.type === "duration")
    return undefined;
  const found = covers
    .filter((cover) => knowsOf(cover, question) && !isLeftToProse(cover, question))
    .map((cover) => ({ cover, share: shareOf(cover, question) }))
    .filter(({ cover, share }) => {
      const { pinned, missing } = accountOf(cover, question, undefined, NONE);
      // "Who is the captain of X": a row of X that knows no captain names nobody.
      const one =
        wanted.type === "person" ||
        (wanted.type === "place" && question.wanted.length === 1 && !isNarrowed(cover, question));
      return share >= ENOUGH && pinned && (!one || missing.length === 0);
    })
    .sort((a, b) => b.share - a.share || a.cover.fact.marker - b.cover.fact.marker);
  const best = found[0];
  if (!best) return undefined;
  const rows = found
    .filter(
      ({ cover, share }) =>
        share >= best.share - 0.03 && cover.fact.evidence.table === best.cover.fact.evidence.table,
    )
    .slice(0, MOST_ROWS);
  return rows.map(({ cover }) => tell(cover.fact, question.language)).join(" ");
}

/** "Where did X play in 2015" is of one row of X; "where was X built" is of all that there is of X, or of none. */
function isNarrowed({ fact }: Cover, question: Understanding): boolean {
  const named = question.terms.filter(isHard).map((t) => inBag(t, fact.titleBag, 0) > 0);
  return named.includes(true) && named.includes(false);
}

function tell(fact: Fact, language: Language): string {
  const cells = cellsText(tellingFields(fact).slice(0, 8), language);
  return cells === "" ? "" : `${capital(nameOf(fact))} — ${cells} ${mark(fact)}.`;
}

function cellsText(fields: readonly Field[], language: Language): string {
  const colon = language === "fr" ? " :" : ":";
  return fields.map((f) => `${f.label}${colon} ${shown(f, language)}`).join("; ");
}

/** Whether the row's prose alone has a word of an open question: its cells then say nothing of that. */
function isLeftToProse(cover: Cover, question: Understanding): boolean {
  if ((question.wanted[0]?.terms.length ?? 0) > 0) return false;
  return question.terms.some((t) => {
    const at = cover.values[t.index];
    return !t.light && !isHard(t) && cover.fact.fields[at?.field ?? -1]?.shape === "prose";
  });
}

/** Whether the row has what is asked for at all: in a column's name, its kind, or a cell. */
function knowsOf(cover: Cover, question: Understanding): boolean {
  const wanted = question.wanted[0];
  if (!wanted || wanted.terms.length === 0) return true;
  const telling = wanted.terms.filter((t) => !isGenericHead(t.stems));
  const need = telling.length > 0 ? telling : wanted.terms;
  const known = need.filter(
    (t) =>
      (cover.values[t.index]?.strength ?? 0) > 0 ||
      inKind(t, cover.fact) > 0 ||
      cover.fact.fields.some((f) => inName(t, f) > 0),
  );
  // "E-mail address", "profit margin": every modifier of a general head is meant.
  return telling.length < wanted.terms.length && !wanted.loose
    ? known.length === need.length
    : known.length > 0;
}

/** Weighted share of the question in the row's values and in the names of its columns. */
function shareOf(cover: Cover, question: Understanding): number {
  let have = 0;
  let all = 0;
  for (const term of question.terms) {
    const weight = weightOf(term);
    const value = term.inDate ? Number(cover.inDates) : (cover.values[term.index]?.strength ?? 0);
    const name = value >= 0.8 ? 0 : Math.max(0, ...cover.fact.fields.map((f) => inName(term, f)));
    all += weight;
    have += weight * Math.max(value, name * 0.8, cover.kinds[term.index] ?? 0);
  }
  return all === 0 ? 0 : have / all;
}
