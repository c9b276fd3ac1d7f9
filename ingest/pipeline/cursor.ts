import type { Column } from "../../shared/ports/source.ts";

/**
 * Values of a cursor as texts of cells. They are compared by the source alone; here they are only made lower, which is always
 * safe: a row that is read again is found unchanged.
 */

/** For rows that were written late, in seconds: a transaction is as a rule shorter. */
const OVERLAP_SECONDS = 600;
/** The same of a number, which is as a rule a version or a sequence. */
const OVERLAP_UNITS = 1000;

/** A date, or a time with as many digits as it likes; without a zone it is in UTC, as every source gives it. */
const TIME = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?Z?)?$/;
const NUMBER = /^(-?)(\d+)(\.\d+)?$/;

/**
 * What the next run may go on from, given the highest value there is: never later than the moment before which nothing was
 * read, or one row that is dated in the future would hide every other. Undefined for a value that nothing can be said of.
 * @param asOf ISO 8601 UTC.
 */
export function markOf(highest: string | undefined, type: Column["type"], asOf: string): string | undefined {
  if (highest === undefined) return undefined;
  const time = timeOf(highest);
  if (time !== undefined) return time >= Date.parse(asOf) ? written(highest, Date.parse(asOf)) : highest;
  if (type === "string") return highest;
  if (type === "number") return Number.isFinite(Number(highest)) ? highest : undefined;
  // A year beyond four digits, or infinity.
  if (highest.startsWith("-")) return undefined;
  return written(type === "date" ? "0000-00-00" : "0000-00-00T00:00:00.000Z", Date.parse(asOf));
}

/** The value from which on rows are read. @param overlap see `tables.<table>.incremental.overlap`. */
export function lowered(mark: string, type: Column["type"], overlap: number | undefined): string {
  const time = timeOf(mark);
  if (time !== undefined) {
    const seconds = overlap ?? OVERLAP_SECONDS;
    return seconds === 0 ? mark : written(mark, time - seconds * 1000);
  }
  const units = overlap ?? OVERLAP_UNITS;
  if (type !== "number" || units === 0) return mark;
  const [, sign, digits, fraction] = NUMBER.exec(mark) ?? [];
  if (digits === undefined) return String(Math.floor(Number(mark)) - units);
  const whole = BigInt(`${sign ?? ""}${digits}`) - (sign === "-" && fraction !== undefined ? 1n : 0n);
  return String(whole - BigInt(units));
}

/** Milliseconds since the Unix epoch, what is less of a millisecond left off; undefined for what is no date or time. */
function timeOf(text: string): number | undefined {
  if (!TIME.test(text)) return undefined;
  const iso = text.replace(" ", "T");
  const ms = Date.parse(iso.length === 10 || iso.endsWith("Z") ? iso : `${iso}Z`);
  return Number.isNaN(ms) ? undefined : ms;
}

/** A time in the form of another, as exact: texts of one form are in the order of their times. */
function written(like: string, ms: number): string {
  const zone = like.endsWith("Z") ? "Z" : "";
  const length = like.length - zone.length;
  const iso = new Date(ms).toISOString().slice(0, -1).padEnd(length, "0").slice(0, length);
  return `${iso.slice(0, 10)}${like.slice(10, 11)}${iso.slice(11)}${zone}`;
}
