import { QuaysideError } from "../../shared/ports/errors.ts";

/** How a warehouse's SQL is written, as far as finding the end of a string, a name or a comment needs it. */
export interface Dialect {
  /** Characters that open and close a quoted run; `'` among them. */
  readonly quotes: string;
  /** The quotes within which a backslash takes the next character along. */
  readonly escapes: string;
  /** The quotes that are also written three at a time, around anything but three of them. */
  readonly tripled: string;
  /** Whether `$$` opens and closes a string. */
  readonly dollars: boolean;
  /** What opens a comment that ends with the line. */
  readonly lineComments: readonly string[];
}

/**
 * A configured query, fit to stand in parentheses as a sub-select, where the grammar allows nothing that writes. Without
 * what ends it: semicolons and white space.
 * @throws QuaysideError `source_rejected` unless the text is one SELECT (or WITH) that can't end the parentheses around it.
 */
export function oneSelect(query: string, dialect: Dialect): string {
  const text = query.replace(/[;\s]+$/, "");
  const bare = withoutQuoted(text, dialect);
  if (bare === undefined) throw refused("it has a string, name or comment without an end");
  if (!/^\s*[(\s]*(select|with)\b/i.test(bare)) throw refused("it does not begin with SELECT or WITH");
  if (bare.includes(";")) throw refused("it has a semicolon in the middle");
  let depth = 0;
  for (const c of bare) {
    if (c === "(") depth += 1;
    if (c === ")") depth -= 1;
    if (depth < 0) break;
  }
  if (depth !== 0) throw refused("its parentheses don't match");
  return text;
}

function refused(why: string): QuaysideError {
  return new QuaysideError(
    "source_rejected",
    `A table's query must be one SELECT statement and nothing else: ${why}.`,
  );
}

/** The text with each string, quoted name and comment replaced by a space; undefined when one has no end. */
function withoutQuoted(text: string, dialect: Dialect): string | undefined {
  let bare = "";
  let at = 0;
  while (at < text.length) {
    const end = endOfQuoted(text, at, dialect);
    if (end === undefined) return undefined;
    bare += end === at ? (text[at] ?? "") : " ";
    at = Math.max(end, at + 1);
  }
  return bare;
}

/** Where the quoted run or comment that begins at `at` ends: `at` itself when none begins, undefined when it never ends. */
function endOfQuoted(text: string, at: number, dialect: Dialect): number | undefined {
  const c = text[at] ?? "";
  if (dialect.lineComments.some((opening) => text.startsWith(opening, at))) {
    const end = text.indexOf("\n", at);
    return end < 0 ? text.length : end;
  }
  if (text.startsWith("/*", at)) return after(text.indexOf("*/", at + 2), 2);
  if (dialect.dollars && text.startsWith("$$", at)) return after(text.indexOf("$$", at + 2), 2);
  if (!dialect.quotes.includes(c)) return at;
  const fence = dialect.tripled.includes(c) && text.startsWith(c.repeat(3), at) ? c.repeat(3) : c;
  for (let i = at + fence.length; i < text.length; i++) {
    if (text[i] === "\\" && dialect.escapes.includes(c)) i += 1;
    // A doubled quote is the end of one run and the beginning of the next, which comes to the same.
    else if (text.startsWith(fence, i)) return i + fence.length;
  }
  return undefined;
}

function after(found: number, length: number): number | undefined {
  return found < 0 ? undefined : found + length;
}

/** An identifier in quotes that are doubled inside: Snowflake, DuckDB. Any characters. */
export function quoted(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
