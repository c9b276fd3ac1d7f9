import { lazily } from "../../shared/lazily.ts";
import { foldText } from "./understand-text.ts";

/** Numbers and dates as people write them in English and French. */

const MONTHS: Readonly<Record<string, number>> = {
  january: 1, jan: 1, janvier: 1, janv: 1,
  february: 2, feb: 2, fevrier: 2, fevr: 2,
  march: 3, mar: 3, mars: 3,
  april: 4, apr: 4, avril: 4, avr: 4,
  may: 5, mai: 5,
  june: 6, jun: 6, juin: 6,
  july: 7, jul: 7, juillet: 7, juil: 7,
  august: 8, aug: 8, aout: 8,
  september: 9, sept: 9, sep: 9, septembre: 9,
  october: 10, oct: 10, octobre: 10,
  november: 11, nov: 11, novembre: 11,
  december: 12, dec: 12, decembre: 12,
}; // prettier-ignore

const MONTH_NAMES = {
  en: [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
  ],
  fr: [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
  ],
} as const;

/** 1 to 12 for a folded month name or its abbreviation in either language. */
export function monthOf(folded: string): number | undefined {
  return Object.hasOwn(MONTHS, folded) ? MONTHS[folded] : undefined;
}

/** A date, perhaps without its day or its year. `text` is the span as written in the folded text. */
export interface DateMention {
  readonly year: number | undefined;
  readonly month: number;
  readonly day: number | undefined;
  readonly start: number;
  readonly end: number;
}

const dates = lazily(() => {
  const month = Object.keys(MONTHS)
    .sort((a, b) => b.length - a.length)
    .join("|");
  return new RegExp(
    [
      String.raw`(?<![\d-])(?<y1>\d{4})-(?<m1>\d{1,2})(?:-(?<d1>\d{1,2}))?(?![\d-])`,
      String.raw`(?<![\d./])(?<d2>\d{1,2})[/.](?<m2>\d{1,2})[/.](?<y2>\d{4})(?![\d/])`,
      String.raw`\b(?<d3>\d{1,2})(?:er|st|nd|rd|th)?(?:\s+of|\s+de)?[\s-]+(?<m3>${month})\b\.?(?:,?[\s-]+(?<y3>\d{4})\b)?`,
      String.raw`\b(?<m4>${month})\.?\s+(?<d4>\d{1,2})(?:st|nd|rd|th)?\b(?!\d|:)(?:,?\s+(?<y4>\d{4})\b)?`,
      String.raw`\b(?<m5>${month})\.?,?\s+(?:of\s+|de\s+)?(?<y5>\d{4})\b`,
    ].join("|"),
    "g",
  );
});

/** Every date of a folded text, in order. Day and month of `03/04/2026` are read day first, as in both languages in Europe. */
export function datesOf(folded: string): DateMention[] {
  const out: DateMention[] = [];
  for (const match of folded.matchAll(dates())) {
    const g = match.groups ?? {};
    const monthText = g["m1"] ?? g["m2"] ?? g["m3"] ?? g["m4"] ?? g["m5"] ?? "";
    const month = monthOf(monthText) ?? Number(monthText);
    const dayText = g["d1"] ?? g["d2"] ?? g["d3"] ?? g["d4"];
    const yearText = g["y1"] ?? g["y2"] ?? g["y3"] ?? g["y4"] ?? g["y5"];
    const day = dayText === undefined ? undefined : Number(dayText);
    if (month < 1 || month > 12 || (day !== undefined && (day < 1 || day > 31))) continue;
    out.push({
      year: yearText === undefined ? undefined : Number(yearText),
      month,
      day,
      start: match.index,
      end: match.index + match[0].length,
    });
  }
  return out;
}

function two(n: number): string {
  return String(n).padStart(2, "0");
}

/** ISO text of as much of a date as is known: `1996-07-16`, `1996-07`, `--07-16`. */
export function isoOf(date: Pick<DateMention, "year" | "month" | "day">): string {
  const year = date.year === undefined ? "-" : String(date.year);
  return `${year}-${two(date.month)}${date.day === undefined ? "" : `-${two(date.day)}`}`;
}

/** `1996-07-16` → `16 July 1996` or `16 juillet 1996`; a time of day follows when it says something; other text is unchanged. */
export function readableDate(value: string, language: "en" | "fr"): string {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}:\d{2})(?::\d{2}(?:\.\d+)?)?Z?)?$/.exec(value);
  const month = MONTH_NAMES[language][Number(match?.[2]) - 1];
  if (!match || month === undefined) return value;
  const day = Number(match[3]);
  const time =
    match[4] === undefined || match[4] === "00:00" ? "" : `${language === "fr" ? " à " : " at "}${match[4]}`;
  return `${language === "fr" && day === 1 ? "1er" : day} ${month} ${match[1]}${time}`;
}

/** `154408.80` → `154,408.80` or `154 408,80`; whole numbers below 10,000 and text in any other form are unchanged. */
export function readableNumber(value: string, language: "en" | "fr"): string {
  const match = /^(-?)(0|[1-9]\d*)(?:\.(\d+))?$/.exec(value);
  const whole = match?.[2];
  if (!match || whole === undefined || (match[3] === undefined && whole.length < 5)) return value;
  const grouped = whole.replace(/\B(?=(?:\d{3})+$)/g, language === "fr" ? "\u202f" : ",");
  return `${match[1]}${grouped}${match[3] === undefined ? "" : `${language === "fr" ? "," : "."}${match[3]}`}`;
}

/** A number as written, and every value that the writing can mean (`1,234` is 1234, or 1.234 in French). */
export interface NumberMention {
  readonly values: readonly number[];
  /** What `k`, `M` or "million" multiplies; 1 without. */
  readonly scale: number;
  /** Half of the last digit shown, in the number's own scale: what rounding may have taken away. */
  readonly tolerance: number;
  readonly start: number;
  readonly end: number;
}

const numbers = lazily(
  () =>
    /(?<![\p{L}\p{N}])[-+]?(?<n>\d{1,3}(?:[\s,.'\u00a0\u202f]\d{3})+(?!\d)(?:[.,]\d+)?|\d+(?:[.,]\d+)?)(?:\s?(?<scale>k|m|bn|b|md|mds|million|millions|thousand|billion|billions|mille|milliers|milliard|milliards)(?![\p{L}\p{N}]))?(?:st|nd|rd|th|er|e|eme|%|€|£)?(?![\p{L}\p{N}])/gu,
);

const SCALES: Readonly<Record<string, number>> = {
  k: 1e3, thousand: 1e3, mille: 1e3, milliers: 1e3,
  m: 1e6, million: 1e6, millions: 1e6,
  b: 1e9, bn: 1e9, md: 1e9, mds: 1e9, billion: 1e9, billions: 1e9, milliard: 1e9, milliards: 1e9,
}; // prettier-ignore

/** Every number of a folded text, in order. */
export function numbersOf(folded: string): NumberMention[] {
  const out: NumberMention[] = [];
  for (const match of folded.matchAll(numbers())) {
    const text = match.groups?.["n"] ?? "";
    const scaleText = match.groups?.["scale"];
    const scale = scaleText === undefined ? 1 : (SCALES[scaleText] ?? 1);
    const negative = match[0].startsWith("-") ? -1 : 1;
    const values = new Set<number>();
    // Grouped as in English, as in German, and as in French; a text without separators reads the same in all three.
    for (const plain of [
      text.replace(/[\s']/g, "").replaceAll(",", ""),
      text.replace(/[\s'.]/g, "").replace(",", "."),
      text.replace(/[\s']/g, "").replace(",", "."),
    ]) {
      const value = Number(plain);
      if (Number.isFinite(value)) values.add(value * scale * negative);
    }
    const decimals = /[.,](\d+)$/.exec(text)?.[1]?.length ?? 0;
    const grouped = /^\d{1,3}(?:[\s,.']\d{3})+$/.test(text);
    const unit = grouped || decimals === 0 ? 1 : 10 ** -decimals;
    out.push({
      values: [...values],
      scale,
      tolerance: 0.5 * unit * scale,
      start: match.index,
      end: match.index + match[0].length,
    });
  }
  return out;
}

/** The number that a cell holds, when it holds nothing else than a number, a currency sign or a per cent sign. */
export function cellNumber(value: string): number | undefined {
  const text = value.trim().replace(/^[$€£]\s?|\s?[$€£%]$/g, "");
  if (!/^-?\d{1,3}(?:[ ,\u00a0\u202f]\d{3})+(?:\.\d+)?$|^-?\d+(?:[.,]\d+)?$/.test(text)) return undefined;
  const plain = /[ ,\u00a0\u202f]\d{3}(?!\d)/.test(text)
    ? text.replace(/[ ,\u00a0\u202f]/g, "")
    : text.replace(",", ".");
  const number = Number(plain);
  return Number.isFinite(number) ? number : undefined;
}

/** Milliseconds of a cell that holds a date or a moment (in any writing above with its year), else undefined. */
export function cellTime(value: string): number | undefined {
  const text = value.trim();
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) {
    const time = Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text.replace(" ", "T"));
    return Number.isNaN(time) ? undefined : time;
  }
  const [date, more] = datesOf(foldText(text));
  if (!date || more || date.year === undefined || text.length > 40) return undefined;
  return Date.UTC(date.year, date.month - 1, date.day ?? 1);
}
