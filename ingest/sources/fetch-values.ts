import type { Cell } from "../../shared/ports/source.ts";

/** Turning a warehouse's text into cells, losing nothing: what the sources that are read by fetch have in common. */

/**
 * What stands in a row for a value that is not of its column's declared type. It is nested deeper than any cell may be, so
 * that the row is held back and reported as unreadable, rather than published with a guess.
 */
export const UNREADABLE: Cell = nest(65);

function nest(depth: number): Cell {
  return depth === 0 ? [] : [nest(depth - 1)];
}

/** A whole number: a number as far as a double is exact, its digits beyond. */
export function integerCell(text: string): Cell {
  if (!/^[+-]?\d+$/.test(text)) return UNREADABLE;
  const value = Number(text);
  return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : BigInt(text).toString();
}

/** A decimal as the warehouse writes it: every digit, trailing zeros too. */
export function decimalCell(text: string): Cell {
  return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text) ? text : UNREADABLE;
}

/** A double; those that JSON has not are `"NaN"`, `"Infinity"`, `"-Infinity"` and `"-0"`, however the warehouse writes them. */
export function doubleCell(text: string): Cell {
  const word = /^([+-]?)(nan|inf(?:inity)?)$/i.exec(text.trim());
  if (word) return word[2]?.toLowerCase() === "nan" ? "NaN" : `${word[1] === "-" ? "-" : ""}Infinity`;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return UNREADABLE;
  return Object.is(value, -0) ? "-0" : value;
}

export function booleanCell(text: string): Cell {
  if (/^(true|1)$/i.test(text)) return true;
  return /^(false|0)$/i.test(text) ? false : UNREADABLE;
}

/** JSON text as a cell; numbers that a double can't hold digit for digit stay text. The text itself when it is no JSON. */
export function jsonCell(text: string): Cell {
  try {
    const parsed: Cell = JSON.parse(text, exact);
    return parsed;
  } catch {
    return text;
  }
}

/** `context.source` (ECMAScript 2026) is a number's own text. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return JSON.stringify(value) === context.source ? value : context.source;
}

/** Hexadecimal digits as base64. */
export function hexCell(text: string): Cell {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return UNREADABLE;
  const bytes = Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  );
  return base64(bytes);
}

/** Bytes as base64, padded. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}

const DAY_MS = 86_400_000;
/** How far from 1970 a `Date` can be. */
const MAX_MS = 8.64e15;

/** A date from whole days since 1970-01-01, proleptic Gregorian: `2024-02-29`, `+010000-01-01`, `-000043-03-15`. */
export function dateCell(days: string): Cell {
  const ms = Number(days) * DAY_MS;
  if (!/^-?\d+$/.test(days) || Math.abs(ms) > MAX_MS) return UNREADABLE;
  return new Date(ms).toISOString().replace(/T.*$/, "");
}

/** A time from decimal seconds since 1970-01-01T00:00Z, up to nanoseconds: `2024-01-01T10:00:00.123456789Z`. */
export function secondsCell(text: string): Cell {
  const match = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) return UNREADABLE;
  const nanos = BigInt(match[2] ?? "0") * 1_000_000_000n + BigInt((match[3] ?? "").padEnd(9, "0"));
  return nanosCell(match[1] === "-" ? -nanos : nanos);
}

/** A time from whole microseconds since 1970-01-01T00:00Z. */
export function microsCell(text: string): Cell {
  return /^-?\d+$/.test(text) ? nanosCell(BigInt(text) * 1000n) : UNREADABLE;
}

function nanosCell(nanos: bigint): Cell {
  const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const ms = Number((nanos - fraction) / 1_000_000n);
  if (Math.abs(ms) > MAX_MS) return UNREADABLE;
  const digits = fraction === 0n ? "" : `.${fraction.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, `${digits}Z`);
}

/** A time of day from decimal seconds since midnight: `10:00:00.5`. */
export function clockCell(text: string): Cell {
  const match = /^(\d+)(?:\.(\d+))?$/.exec(text);
  const seconds = Number(match?.[1] ?? "x");
  if (!match || seconds > 86_400) return UNREADABLE;
  const digits = (match[2] ?? "").replace(/0+$/, "");
  const clock = `${twoDigits(seconds / 3600)}:${twoDigits((seconds / 60) % 60)}:${twoDigits(seconds % 60)}`;
  return digits === "" ? clock : `${clock}.${digits}`;
}

function twoDigits(value: number): string {
  return Math.floor(value).toString().padStart(2, "0");
}

/**
 * A date and time without a zone, which every source of ours reads as UTC: `2024-01-01 10:00:00.500` and
 * `2024-01-01T10:00:00` -> ISO 8601 with `Z`, trailing zeros of the fraction left out.
 */
export function zonelessCell(text: string): Cell {
  const match = /^(\d{4,}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})(?:\.(\d+))?$/.exec(text);
  if (!match) return UNREADABLE;
  const digits = (match[3] ?? "").replace(/0+$/, "");
  return `${match[1] ?? ""}T${match[2] ?? ""}${digits === "" ? "" : `.${digits}`}Z`;
}
