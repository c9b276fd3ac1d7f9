import type { Understanding } from "../answer/understand.ts";
import { type Fact, type Field, nameOf } from "./local-facts.ts";
import { accountOf, type Cover, NONE } from "./local-match.ts";
import { capital, listSentence, mark, quoteSentence, shown } from "./local-phrases.ts";

/** A summary says the main things, not everything. */
const MOST_CELLS = 12;
const MOST_SENTENCES = 4;
const MOST_RELATED = 12;

/** A row in a few lines, and what other tables' rows say that carry its key. undefined when no row is the one asked for. */
export function summarise(covers: readonly Cover[], question: Understanding): string | undefined {
  const main = covers
    .filter((cover) => {
      const account = accountOf(cover, question, undefined, NONE);
      return account.pinned && account.coverage >= 0.5;
    })
    .map((cover) => ({ cover, named: namedness(cover, question) }))
    .sort((a, b) => b.named - a.named || a.cover.fact.marker - b.cover.fact.marker)[0];
  if (!main) return undefined;
  const { fact } = main.cover;
  const language = question.language;
  const colon = language === "fr" ? " :" : ":";
  const short = fact.fields
    .filter((f) => f.shape !== "prose" && !f.reference && !f.key && !f.title)
    .slice(0, MOST_CELLS);
  const cells = short.map((f) => `${f.label}${colon} ${shown(f, language)}`).join("; ");
  const lines = [`${capital(nameOf(fact))}${cells === "" ? "" : ` — ${cells}`} ${mark(fact)}.`];
  let left = MOST_SENTENCES;
  for (const field of fact.fields) {
    for (const sentence of field.sentences.slice(0, left)) {
      lines.push(quoteSentence(fact, sentence.text, language, false));
      left -= 1;
    }
  }
  const related = relatedTo(fact, covers);
  if (related.length > 0) lines.push(listSentence(related, language));
  return lines.join(" ");
}

/** How much of a row's name the question says, and whether the row is of the kind that it names. */
function namedness(cover: Cover, question: Understanding): number {
  const words = [...cover.fact.titleBag.words].filter((w) => w.length > 1);
  const said = words.filter((w) => question.terms.some((t) => t.folded === w)).length;
  const kind = Math.max(0, ...cover.kinds);
  const keyed = question.terms.some(
    (t) => Object.values(cover.fact.evidence.key).join("|").toLowerCase() === t.folded,
  );
  return (words.length === 0 ? 0 : said / words.length) + kind * 0.5 + (keyed ? 1 : 0);
}

/** Rows of other tables whose key holds this row's key: the lines of an order. Named by what else their key points at. */
function relatedTo(fact: Fact, covers: readonly Cover[]): { text: string; fact: Fact }[] {
  const [keyColumn, ...rest] = Object.keys(fact.evidence.key);
  const key = keyColumn === undefined ? undefined : fact.evidence.key[keyColumn];
  if (key === undefined || rest.length > 0) return [];
  const out: { text: string; fact: Fact }[] = [];
  for (const { fact: other } of covers) {
    if (other.evidence.table === fact.evidence.table || out.length >= MOST_RELATED) continue;
    const link = other.fields.find((f) => f.value === key && (f.column === keyColumn || f.reference));
    if (!link) continue;
    out.push({ text: nameByLabels(other, link, fact) ?? nameOf(other), fact: other });
  }
  return out;
}

/** The looked-up names of a row that has no name of its own, the one that leads back left out. */
function nameByLabels(fact: Fact, link: Field, from: Fact): string | undefined {
  const labels = fact.fields.filter((f, i) => {
    const before = fact.fields[i - 1];
    return before?.reference === true && before !== link && f.value !== from.title;
  });
  return labels.length > 0 ? labels.map((f) => f.value).join(", ") : undefined;
}
