import type { PersonalKind } from "../../shared/config.ts";
import type { Cell, Column } from "../../shared/ports/source.ts";

export interface Tally {
  /** How many characters could not be stored as they came: NUL and lone surrogates, each replaced by U+FFFD. */
  replaced: number;
  /** How many pieces of personal data were taken out of the rows read, by kind. */
  readonly redacted?: Map<PersonalKind, number>;
}

/** Nesting beyond which a cell is refused: deeper ones are bombs, and every later step walks cells recursively. */
export const MAX_DEPTH = 64;

/**
 * The cell as it may be stored: same value, text well-formed and without NUL; undefined when it is nested too deep, or is
 * nothing that JSON can carry (a source that breaks its promise). Unicode normalisation is never applied.
 */
export function cleanCell(cell: Cell, tally: Tally, depth = 0): Cell | undefined {
  if (typeof cell === "string") return cleanText(cell, tally);
  if (typeof cell === "number") {
    // JSON has none of these; a source that lets one through still must not become null, or lose its sign.
    if (!Number.isFinite(cell)) return String(cell);
    return Object.is(cell, -0) ? "-0" : cell;
  }
  if (cell === null || typeof cell === "boolean") return cell;
  if (typeof cell !== "object" || depth >= MAX_DEPTH) return undefined;
  if (isList(cell)) {
    const items = cell.map((item) => cleanCell(item, tally, depth + 1));
    return items.every((item) => item !== undefined) ? items : undefined;
  }
  const entries: [string, Cell][] = [];
  for (const [key, value] of Object.entries(cell)) {
    const clean = cleanCell(value, tally, depth + 1);
    if (clean === undefined) return undefined;
    entries.push([cleanText(key, tally), clean]);
  }
  return Object.fromEntries(entries);
}

/** The text, NUL and lone surrogates replaced by U+FFFD one for one, and counted. */
export function cleanText(text: string, tally: Tally): string {
  if (text.isWellFormed() && !text.includes("\u0000")) return text;
  const clean = text.toWellFormed().replaceAll("\u0000", "\uFFFD");
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== clean.charCodeAt(i)) tally.replaced += 1;
  return clean;
}

/** A cell as part of a key, a grant, a mask or a link: its plain text; lists and objects as JSON; null is "". */
export function cellText(cell: Cell): string {
  if (typeof cell === "string") return cell;
  if (cell === null) return "";
  return typeof cell === "object" ? JSON.stringify(cell) : String(cell);
}

/**
 * A cell as people read it; "" for what has nothing to say (null, empty text, list or object). Text is verbatim, numbers
 * keep every digit, times lose a zero time of day and say UTC, booleans are words, nested values become `path: value`.
 */
export function readable(cell: Cell, type: Column["type"]): string {
  if (typeof cell === "string") return type === "timestamp" ? readableTime(cell) : cell;
  if (cell === null) return "";
  if (typeof cell === "boolean") return cell ? "yes" : "no";
  if (typeof cell === "number") return String(cell);
  if (isList(cell) && cell.every((item) => item === null || typeof item !== "object")) {
    return cell
      .map((item) => readable(item, "string"))
      .filter((text) => text !== "")
      .join(", ");
  }
  const lines: string[] = [];
  flatten(cell, "", lines);
  return lines.join("; ");
}

function flatten(cell: Cell, path: string, lines: string[]): void {
  if (cell === null || typeof cell !== "object") {
    const text = readable(cell, "string");
    if (text !== "") lines.push(path === "" ? text : `${path}: ${text}`);
  } else if (isList(cell)) {
    if (cell.every((item) => item === null || typeof item !== "object")) {
      const text = readable(cell, "string");
      if (text !== "") lines.push(path === "" ? text : `${path}: ${text}`);
    } else {
      for (const item of cell) flatten(item, path, lines);
    }
  } else {
    for (const [key, value] of Object.entries(cell))
      flatten(value, path === "" ? key : `${path}.${key}`, lines);
  }
}

const TIME = /^([+-]?\d{4,}-\d{2}-\d{2})T(\d{2}:\d{2})(:\d{2}(?:\.\d+)?)?Z$/;

function readableTime(text: string): string {
  const match = TIME.exec(text);
  if (!match) return text;
  const [, date = "", minutes = "", seconds = ""] = match;
  if (minutes === "00:00" && /^(:00(\.0+)?)?$/.test(seconds)) return date;
  return `${date} ${minutes}${/^:00(\.0+)?$/.test(seconds) ? "" : seconds} UTC`;
}

/** `Array.isArray` that narrows readonly lists. */
export function isList(cell: Cell): cell is readonly Cell[] {
  return Array.isArray(cell);
}
