import { h } from "./dom.ts";
import { en, type Strings } from "./strings-en.ts";
import { fr } from "./strings-fr.ts";
import type { Cell, Citation, DemoUser } from "./wire.ts";

export type Language = "en" | "fr";

/** What every view needs to speak: the language, its sentences, and the people of the demo. */
export interface Context {
  readonly language: Language;
  readonly s: Strings;
  readonly users: readonly DemoUser[];
}

export function stringsOf(language: Language): Strings {
  return language === "fr" ? fr : en;
}

/** A demo user's label; the name itself when it is not among them. */
export function labelOf(context: Context, user: string | undefined): string {
  return context.users.find((u) => u.name === user)?.label ?? user ?? "";
}

/** Position among the demo users: which flag. */
export function positionOf(context: Context, user: string | undefined): number {
  return context.users.findIndex((u) => u.name === user);
}

const locale = (language: Language): string => (language === "fr" ? "fr-FR" : "en-GB");

const UNITS = [
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
  ["second", 1],
] as const;

/** "3 minutes ago" for the last two days, a date before; empty when it is no time. */
function relative(iso: string, language: Language): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return "";
  const seconds = Math.round((time - Date.now()) / 1000);
  // A moment that is a little ahead of us is a clock that is a little ahead of ours.
  if (seconds > -10 && seconds < 86_400) return language === "fr" ? "à l’instant" : "just now";
  if (Math.abs(seconds) >= 2 * 86_400) {
    const date = new Intl.DateTimeFormat(locale(language), { dateStyle: "medium" }).format(time);
    return language === "fr" ? `le ${date}` : date;
  }
  const [unit, size] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return new Intl.RelativeTimeFormat(locale(language), { numeric: "always" }).format(
    Math.trunc(seconds / size),
    unit,
  );
}

function absolute(iso: string, language: Language): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return iso;
  // Midnight to the millisecond is how a column of dates reads as a moment.
  if (/T00:00:00(?:\.0+)?Z$/.test(iso)) {
    return new Intl.DateTimeFormat(locale(language), { dateStyle: "long", timeZone: "UTC" }).format(time);
  }
  return new Intl.DateTimeFormat(locale(language), { dateStyle: "long", timeStyle: "short" }).format(time);
}

/** A moment as people say it, with the exact one behind it; undefined when the input is no time. */
export function ago(iso: string, language: Language): HTMLTimeElement | undefined {
  const text = relative(iso, language);
  return text ? h("time", { datetime: iso, title: absolute(iso, language) }, text) : undefined;
}

/** A moment in short: day and time. */
export function stamp(iso: string, language: Language): HTMLTimeElement | undefined {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return undefined;
  const format = { dateStyle: "medium", timeStyle: "short" } as const;
  return h("time", { datetime: iso }, new Intl.DateTimeFormat(locale(language), format).format(time));
}

/** A moment in full, and how long ago that is. */
export function moment(iso: string, language: Language): HTMLTimeElement {
  const near = Math.abs(Date.parse(iso) - Date.now()) < 2 * 86_400_000;
  return h(
    "time",
    { datetime: iso },
    absolute(iso, language),
    near && h("span", { class: "soft" }, ` (${relative(iso, language)})`),
  );
}

/** A moment to come, and how long it is until then. */
export function ahead(iso: string, language: Language): HTMLTimeElement {
  const time = Date.parse(iso);
  const seconds = Math.max(0, Math.round((time - Date.now()) / 1000)) || 0;
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  const until = new Intl.RelativeTimeFormat(locale(language)).format(Math.floor(seconds / size), unit);
  const format = { dateStyle: "long", timeStyle: "short" } as const;
  const at = Number.isNaN(time) ? iso : new Intl.DateTimeFormat(locale(language), format).format(time);
  return h("time", { datetime: iso }, at, h("span", { class: "soft" }, ` (${until})`));
}

/** A sentence with a `time` element where its argument stands. */
export function around(sentence: (when: string) => string, when: Node | undefined): (Node | string)[] {
  if (!when) return [];
  const [before = "", after = ""] = sentence("\u0000").split("\u0000");
  return [before, when, after];
}

export function dollars(amount: number, context: Context): string {
  if (amount === 0) return context.s.modelFree;
  return new Intl.NumberFormat(locale(context.language), {
    style: "currency",
    currency: "USD",
    maximumSignificantDigits: 2,
  }).format(amount);
}

/** "3 hr", "12 min": the largest unit that fits, rounded down. */
export function duration(seconds: number, language: Language): string {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  const format = { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 } as const;
  return new Intl.NumberFormat(locale(language), format).format(Math.floor(seconds / size));
}

export function percent(share: number, language: Language): string {
  const format = { style: "percent", maximumFractionDigits: 0 } as const;
  return new Intl.NumberFormat(locale(language), format).format(share);
}

/** An amount of money, zero included: for sums, where "free" would be beside the point. */
export function money(amount: number, language: Language): string {
  return new Intl.NumberFormat(locale(language), {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: amount !== 0 && Math.abs(amount) < 0.1 ? 6 : 2,
  }).format(amount);
}

export function count(n: number | undefined, language: Language): string {
  return n === undefined ? "?" : new Intl.NumberFormat(locale(language)).format(n);
}

/** A cell as text: the characters that the warehouse holds, JSON for what is nested. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** A citation's name: its title, or table and key. */
export function nameOf(citation: Citation): string {
  return citation.title || `${citation.table} ${citation.key.map(([, value]) => value).join(" | ")}`;
}

const fold = (text: string): string =>
  text
    .toLowerCase()
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/(\d)[\s,.’'](?=\d{3}(?!\d))/gu, "$1");

/** Ends of sentences: not before a marker, a bracket or a closing quote, which belong to what stands before them. */
const SENTENCE_END = /(?<=[.!?…](?:\s?["»”)])?(?:\s*\[[\d,\s]+\])*)\s+(?=[^\s[()»”])|\n+/u;

/** The sentences of an answer that carry a marker. */
function sentencesCiting(answer: string, marker: number): string {
  const cites = (sentence: string): boolean =>
    [...sentence.matchAll(/\[([\d,\s]+)\]/g)].some((m) => m[1]?.split(",").some((n) => Number(n) === marker));
  return answer.split(SENTENCE_END).filter(cites).join("\n");
}

/** Shortest quotation that tells which cell it was taken from. */
const MIN_QUOTE = 12;

/** What the sentences that cite a row quote, word for word. */
export function quotesOf(citation: Citation, answer: string): readonly string[] {
  const said = sentencesCiting(answer, citation.marker);
  return [...said.matchAll(/["“«]\s*(.+?)\s*["”»]/gs)]
    .map((match) => match[1] ?? "")
    .filter((quote) => quote.length >= MIN_QUOTE);
}

/** Which cells an answer used: those whose value, or a quotation from it, stands in the sentences that cite the row. */
export function usedCells(citation: Citation, answer: string): ReadonlySet<Cell> {
  const said = fold(sentencesCiting(answer, citation.marker));
  const says = (value: string): boolean => {
    if (value.length === 0) return false;
    for (let at = said.indexOf(value); at >= 0; at = said.indexOf(value, at + 1)) {
      const before = said[at - 1] ?? " ";
      const after = said[at + value.length] ?? " ";
      if (!/[\p{L}\p{N}]/u.test(before) && !/[\p{L}\p{N}]/u.test(after)) return true;
    }
    return false;
  };
  const numbers = new Set([...said.matchAll(/\d+(?:[.,]\d+)?/g)].map(([n]) => Number(n.replace(",", "."))));
  const quotes = quotesOf(citation, answer).map(fold);
  const uses = ({ value }: Cell): boolean => {
    const text = cellText(value).trim();
    if (/^-?\d+(?:\.\d+)?$/.test(text)) return numbers.has(Math.abs(Number(text)));
    const folded = fold(text);
    return quotes.some((quote) => folded.includes(quote)) || spellings(text).some((form) => says(fold(form)));
  };
  return new Set(citation.cells.filter(uses));
}

const MONTHS = Array.from({ length: 12 }, (_, month) =>
  (["en-GB", "fr-FR"] as const).map((l) =>
    new Intl.DateTimeFormat(l, { month: "long", timeZone: "UTC" }).format(Date.UTC(2026, month, 1)),
  ),
);

/** How a cell's text may be written in an answer: as it is, a date also with its month's name, a timestamp by its day. */
function spellings(text: string): readonly string[] {
  const date = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]|$)/.exec(text);
  if (!date) {
    // A looked-up name in brackets, "17 (Dover)", may be said without its key.
    const label = /^\S+ \((.+)\)$/.exec(text)?.[1];
    return label ? [text, label] : [text];
  }
  const [, year = "", month = "", day = ""] = date;
  const d = String(Number(day));
  const names = MONTHS[Number(month) - 1] ?? [];
  return [
    text,
    `${year}-${month}-${day}`,
    `${day}/${month}/${year}`,
    ...names.flatMap((m) => [`${d} ${m} ${year}`, `${m} ${d} ${year}`, `${m} ${d}, ${year}`]),
  ];
}
