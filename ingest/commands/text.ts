import type { ColumnDrift } from "../pipeline/drift.ts";
import type { HeldBack } from "../../shared/ports/registry.ts";

/** Text for people: numbers, money, times and columns that line up. */

/** A whole number with its thousands apart: as `toLocaleString` has it, which loads ICU for it. */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** @param usd null or undefined where the price is not known. */
export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return "price not known";
  return usd > 0 && usd < 0.01 ? "under $0.01" : `$${usd.toFixed(2)}`;
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** How long ago a moment was; "never" for none. */
export function ago(iso: string | null | undefined, now: number): string {
  const then = Date.parse(iso ?? "");
  return Number.isNaN(then) ? "never" : `${duration((now - then) / 1000)} ago`;
}

/** Columns under a heading: the first to the left, the others to the right where they hold numbers. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, c) => Math.max(...all.map((row) => (row[c] ?? "").length)));
  const right = heading.map(
    (_, c) => c > 0 && rows.length > 0 && rows.every((row) => /^[\d.,$ %-]*$/.test(row[c] ?? "")),
  );
  return all
    .map((row) =>
      row
        .map((cell, c) => (right[c] ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The text on one line, at most `units` UTF-16 units, with an ellipsis where it is cut. */
export function oneLine(text: string, units: number): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= units ? line : `${line.slice(0, units - 1).toWellFormed()}…`;
}

/** Control characters shown, not obeyed: text from rows must not move a terminal's cursor or change its title. */
export function harmless(text: string): string {
  return text.replace(
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/g,
    (c) => (c === "\r" ? "" : `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`),
  );
}

/** Which tables were not read, and why; nothing where all were. */
export function skippedLines(
  tables: readonly { readonly table: string; readonly skipped?: unknown }[],
): string[] {
  const names = tables.flatMap(({ table, skipped }) => (skipped === true ? [table] : []));
  if (names.length === 0) return [];
  return [
    `Not read, since their sources say that nothing has changed: ${names.join(", ")}. --read-all reads them.`,
  ];
}

/** What was read of tables that were read by their cursor. */
export function cursorLines(
  tables: readonly {
    readonly table: string;
    readonly read: number;
    readonly keys?: number | undefined;
    readonly whole_at?: string | undefined;
  }[],
): string[] {
  return tables.flatMap(({ table, read, keys, whole_at }) => {
    if (keys === undefined) return [];
    const last = whole_at === undefined ? "" : `; read whole at ${whole_at}`;
    return [`${table}: ${whole(read - keys)} of ${whole(read)} rows read, of the others the key${last}.`];
  });
}

/** What has changed in the warehouse's tables, a line a column. */
export function driftLines(drift: readonly ColumnDrift[]): string[] {
  return drift.map(({ table, column, change, from, to, ignored }) => {
    const types = [from, to].filter((type) => type !== undefined).join(" to ");
    return `Schema: ${table}.${column} ${change}${change === "retyped" ? ` from ${types}` : ` (${types})`}${ignored ? "; left out until the configuration names it" : ""}.`;
  });
}

const HELD_BACK_SHOWN = 20;

/** Rows that were held back, a line each; the first of them. */
export function heldBackLines(failures: readonly HeldBack[], shown = HELD_BACK_SHOWN): string[] {
  return failures
    .slice(0, shown)
    .map(({ table, key, reason }) => `Held back: ${table} ${harmless(key)}: ${reason.replaceAll("_", " ")}`);
}
