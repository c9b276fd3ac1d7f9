import type { Cell, Column, Row } from "../../shared/ports/source.ts";

/** What a column holds, told by its type or, where all is text (CSV), by its values. */
export type Shape =
  | "binary"
  | "boolean"
  | "date"
  | "decimal"
  | "empty"
  | "integer"
  | "json"
  | "text"
  | "time"
  | "timestamp"
  | "url"
  | "uuid";

/** Kinds of personal data that a value shows by its form. */
export type Form = "card" | "email" | "iban" | "ip" | "phone";

/** A column as the sample shows it. */
export interface Profile {
  readonly column: Column;
  /** From 0, in the table. */
  readonly position: number;
  readonly shape: Shape;
  /** Rows of the sample. */
  readonly rows: number;
  readonly nulls: number;
  /** Different values that are not null. */
  readonly distinct: number;
  /** Of text, in UTF-16 units and in words, over values that are not null. */
  readonly meanLength: number;
  readonly meanWords: number;
  /** Share of the values that have the form, 0 to 1. */
  readonly forms: Readonly<Record<Form, number>>;
  /** Share of the values within which an e-mail address stands among other text. */
  readonly mentionsEmail: number;
  /** The value of each row, shortened by `fingerprint`; null where it is null. */
  readonly values: readonly (string | null)[];
}

/** Rows of a table that are looked at. */
export const SAMPLE_ROWS = 5000;
const KEPT = 64;

/** A value as text that is equal for equal values and stays short: of a long one the beginning, its length and a sum. */
export function fingerprint(cell: Cell): string | null {
  if (cell === null) return null;
  const text = typeof cell === "object" ? JSON.stringify(cell) : String(cell);
  if (text.length <= KEPT) return text;
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) | 0;
  return `${text.slice(0, KEPT - 24)}…${text.length}…${sum}`;
}

/** Profiles of the columns over rows that were read. Pure: the same rows give the same profiles. */
export function profile(columns: readonly Column[], rows: readonly Row[]): readonly Profile[] {
  return columns.map((column, position) => {
    const cells = rows.map((row) => (Object.hasOwn(row, column.name) ? (row[column.name] ?? null) : null));
    const texts = cells.flatMap((cell) => {
      if (cell === null || cell === "") return [];
      return [typeof cell === "object" ? JSON.stringify(cell) : String(cell)];
    });
    const share = (holds: (text: string) => boolean): number =>
      texts.length === 0 ? 0 : texts.filter(holds).length / texts.length;
    const mean = (measure: (text: string) => number): number =>
      texts.length === 0 ? 0 : texts.reduce((sum, text) => sum + measure(text), 0) / texts.length;
    const values = cells.map((cell) => (cell === "" ? null : fingerprint(cell)));
    return {
      column,
      position,
      shape: shapeOf(column, texts, share),
      rows: rows.length,
      nulls: values.filter((value) => value === null).length,
      distinct: new Set(values.filter((value) => value !== null)).size,
      meanLength: mean((text) => text.length),
      meanWords: mean((text) => text.trim().split(/\s+/).length),
      forms: {
        email: share((text) => EMAIL.test(text)),
        phone: share(isPhone),
        iban: share(isIban),
        card: share(isCard),
        ip: share((text) => IP.test(text)),
      },
      mentionsEmail: share((text) => text.length > 40 && MENTIONED_EMAIL.test(text)),
      values,
    };
  });
}

const EMAIL = /^[^\s@,;]{1,64}@[^\s@,;]{1,255}\.[a-z]{2,24}$/i;
const MENTIONED_EMAIL = /[\w.+-]{1,64}@[\w-]{1,63}\.[a-z]{2,24}/i;
const IP = /^(?:\d{1,3}\.){3}\d{1,3}$/;

const SHAPES: readonly (readonly [Shape, RegExp])[] = [
  ["integer", /^[+-]?\d{1,38}$/],
  ["decimal", /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i],
  ["boolean", /^(?:true|false|yes|no|oui|non|t|f|y|n)$/i],
  ["date", /^\d{4}-\d{2}-\d{2}$|^\d{1,2}[/.]\d{1,2}[/.]\d{2,4}$/],
  ["timestamp", /^\d{4}-?\d{2}-?\d{2}[T ]\d{2}:\d{2}/],
  ["time", /^\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?$/],
  ["uuid", /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i],
  ["url", /^(?:https?:\/\/|www\.)\S+$/i],
];
/** A few cells that are not what the rest is do not change what a column holds. */
const MOST = 0.98;

function shapeOf(
  column: Column,
  texts: readonly string[],
  share: (holds: (text: string) => boolean) => number,
): Shape {
  switch (column.type) {
    case "binary":
    case "boolean":
    case "date":
    case "json":
    case "timestamp":
      return column.type;
    case "number":
      return share((text) => /^-?\d+$/.test(text)) === 1 || texts.length === 0 ? "integer" : "decimal";
    case "string":
      if (texts.length === 0) return "empty";
      return SHAPES.find(([, form]) => share((text) => form.test(text)) >= MOST)?.[0] ?? "text";
  }
}

function isPhone(text: string): boolean {
  const digits = text.replace(/\D/g, "").length;
  if (digits < 7 || digits > 15 || !/^\+?[\d\s().x-]{7,24}$/.test(text)) return false;
  return (
    !/^\d{4}-\d{2}-\d{2}/.test(text) &&
    (text.startsWith("+") || /\d[\s().-]+\d/.test(text) || text.startsWith("("))
  );
}

/** ISO 13616: letters count from 10, the first four characters moved to the end, modulo 97 is 1. */
function isIban(text: string): boolean {
  const compact = text.replaceAll(" ", "").toUpperCase();
  if (!/^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(compact)) return false;
  let rest = 0;
  for (const c of compact.slice(4) + compact.slice(0, 4)) {
    const value = Number.parseInt(c, 36);
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97;
  }
  return rest === 1;
}

/** Thirteen to nineteen digits whose Luhn sum (ISO/IEC 7812) holds. */
function isCard(text: string): boolean {
  const digits = text.replace(/[ -]/g, "");
  if (!/^[2-6]\d{12,18}$/.test(digits)) return false;
  const sum = Array.from(digits)
    .reverse()
    .reduce((total, digit, i) => {
      const value = Number(digit) * (i % 2 === 1 ? 2 : 1);
      return total + (value > 9 ? value - 9 : value);
    }, 0);
  return sum % 10 === 0;
}
