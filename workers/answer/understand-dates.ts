import { foldText } from "./understand-text.ts";
import { datesOf } from "./understand-values.ts";

/** A span of days that a question speaks of: ISO days, both ends included. Offsets are into the question. */
export interface DateRange {
  readonly from: string;
  readonly to: string;
  readonly start: number;
  readonly end: number;
}

const DAY_MS = 86_400_000;

/** Every date of a question, "last month" and "hier" resolved against `today` (ISO day), in order of appearance. */
export function rangesOf(question: string, today: string): DateRange[] {
  const folded = foldText(question);
  const out: DateRange[] = [];
  for (const date of datesOf(folded)) {
    const year = date.year ?? lastYearWith(date.month, date.day ?? 1, today);
    const span =
      date.day === undefined
        ? monthSpan(year, date.month - 1)
        : daySpan(Date.UTC(year, date.month - 1, date.day));
    out.push({ ...span, start: date.start, end: date.end });
  }
  const now = Date.parse(`${today.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(now)) return out;
  for (const [pattern, span] of RELATIVE) {
    for (const match of folded.matchAll(pattern)) {
      out.push({ ...span(new Date(now), match), start: match.index, end: match.index + match[0].length });
    }
  }
  return out.sort((a, b) => a.start - b.start);
}

/** A day without a year is the last one that has been. */
function lastYearWith(month: number, day: number, today: string): number {
  const year = Number(today.slice(0, 4));
  const passed = [month, day].map((n) => String(n).padStart(2, "0")).join("-") <= today.slice(5, 10);
  return passed ? year : year - 1;
}

type Span = Pick<DateRange, "from" | "to">;

function iso(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function daySpan(ms: number): Span {
  return { from: iso(ms), to: iso(ms) };
}

function monthSpan(year: number, month: number): Span {
  return { from: iso(Date.UTC(year, month, 1)), to: iso(Date.UTC(year, month + 1, 0)) };
}

function yearSpan(year: number): Span {
  return { from: `${year}-01-01`, to: `${year}-12-31` };
}

function quarterSpan(year: number, quarter: number): Span {
  return { from: iso(Date.UTC(year, quarter * 3, 1)), to: iso(Date.UTC(year, quarter * 3 + 3, 0)) };
}

/** Monday to Sunday. */
function weekSpan(ms: number): Span {
  const monday = ms - ((new Date(ms).getUTCDay() + 6) % 7) * DAY_MS;
  return { from: iso(monday), to: iso(monday + 6 * DAY_MS) };
}

const RELATIVE: readonly (readonly [RegExp, (now: Date, match: RegExpMatchArray) => Span])[] = [
  [/\b(?:today|aujourd'hui)\b/g, (now) => daySpan(now.getTime())],
  [/\b(?:yesterday|hier)\b/g, (now) => daySpan(now.getTime() - DAY_MS)],
  [/\b(?:tomorrow|demain)\b/g, (now) => daySpan(now.getTime() + DAY_MS)],
  [/\b(?:this week|cette semaine)\b/g, (now) => weekSpan(now.getTime())],
  [/\b(?:last week|la semaine (?:derniere|passee))\b/g, (now) => weekSpan(now.getTime() - 7 * DAY_MS)],
  [/\b(?:next week|la semaine prochaine)\b/g, (now) => weekSpan(now.getTime() + 7 * DAY_MS)],
  [/\b(?:this month|ce mois(?:-ci)?)\b/g, (now) => monthSpan(now.getUTCFullYear(), now.getUTCMonth())],
  [
    /\b(?:last month|le mois (?:dernier|passe))\b/g,
    (now) => monthSpan(now.getUTCFullYear(), now.getUTCMonth() - 1),
  ],
  [/\b(?:next month|le mois prochain)\b/g, (now) => monthSpan(now.getUTCFullYear(), now.getUTCMonth() + 1)],
  [
    /\b(?:this quarter|ce trimestre)\b/g,
    (now) => quarterSpan(now.getUTCFullYear(), Math.floor(now.getUTCMonth() / 3)),
  ],
  [
    /\b(?:last quarter|le trimestre dernier)\b/g,
    (now) => quarterSpan(now.getUTCFullYear(), Math.floor(now.getUTCMonth() / 3) - 1),
  ],
  [/\b(?:this year|cette annee)\b/g, (now) => yearSpan(now.getUTCFullYear())],
  [
    /\b(?:last year|l'an dernier|l'annee (?:derniere|passee))\b/g,
    (now) => yearSpan(now.getUTCFullYear() - 1),
  ],
  [/\b(?:next year|l'an prochain|l'annee prochaine)\b/g, (now) => yearSpan(now.getUTCFullYear() + 1)],
];
