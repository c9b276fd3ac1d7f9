import type { InferredTable } from "../inference/infer.ts";

/** What the file says besides the tables. */
export interface Heading {
  /** The configuration's name. */
  readonly name: string;
  /** How the file imports `defineConfig`. */
  readonly importFrom: string;
  readonly settings: Readonly<Record<string, string>> & { readonly kind: string };
  /** Lines said beside the source, e.g. which secret it needs. */
  readonly notes: readonly string[];
}

const WIDTH = 110;
const SOURCE = "warehouse";

/** The text of a configuration that lets nobody see anything yet, each line with its reason. The same findings give the same text. */
export function writeConfig(heading: Heading, tables: readonly InferredTable[]): string {
  const settings = Object.entries(heading.settings).map(
    ([key, value]) => `${property(key)}: ${quoted(value)}`,
  );
  const known = tables.filter((table) => table.key !== undefined);
  const left = tables.filter((table) => table.key === undefined);
  return [
    `import { defineConfig } from ${quoted(heading.importFrom)};`,
    "",
    "/*",
    " * Written by `quayside init` from the catalogue and a sample of rows. The reason of each line stands above it: read them,",
    " * correct what is wrong, and write who may see each table. Until then nobody sees any row: `allowAny: []` is nobody.",
    " *",
    " * A grant is `public`, `group:<name>`, `user:<subject>` or `<attribute>:<value>`; join several that are all needed by `&`.",
    " * `{column}` stands for the row's value. Rows whose column is empty are then seen by nobody.",
    " */",
    "export default defineConfig({",
    `  name: ${quoted(heading.name)},`,
    "  sources: {",
    ...heading.notes.map((note) => comment(4, note)),
    ...wrap(4, `${SOURCE}: `, "{ ", settings, " }", ","),
    "  },",
    ...(known.length === 0 ? ["  tables: {},"] : ["  tables: {", ...known.flatMap(writeTable), "  },"]),
    "  // What people write where they should not can be taken out of all text before it is stored or embedded:",
    '  // redact: ["email", "phone", "card", "iban", "ssn", "secret"],',
    "  // The built-in embedder knows words and letters, needs no account and sends nothing anywhere. For meaning, one of",
    "  // docs/embedders.md:",
    '  // embedder: { kind: "openai" },',
    "});",
    ...left.map((table) =>
      comment(
        0,
        `Left out: ${table.name.join(".")}. Nothing tells its rows apart${table.rows === 0 ? " (it is empty)" : ""}: add it with a key, or a query that makes one.`,
      ),
    ),
    "",
  ].join("\n");
}

function writeTable(table: InferredTable): readonly string[] {
  const lines: string[] = [];
  const say = (text: string): void => void lines.push(comment(6, text));
  const add = (text: string): void => void lines.push(`      ${text}`);
  const list = (name: string, values: readonly string[]): void =>
    void lines.push(...wrap(6, `${name}: `, "[", values.map(quoted), "]", ","));

  const size = table.rows === undefined ? "" : `${table.rows} rows, `;
  lines.push(comment(4, `${size}${table.columns} columns.`));
  lines.push(`    ${property(table.id)}: {`);
  add(`source: ${quoted(SOURCE)},`);
  if (table.name.length !== 1 || table.name[0] !== table.id || table.id.includes("."))
    list("from", table.name);
  if (table.key) {
    say(`Key (${table.key.confidence}): ${table.key.reason}.`);
    list("key", table.key.value);
  }
  if (table.title) {
    say(`Title (${table.title.confidence}): ${table.title.reason}.`);
    add(`title: ${quoted(table.title.value.title)},`);
  }
  if (table.text.length > 0) {
    for (const found of table.text) say(`Prose (${found.confidence}): ${found.value}: ${found.reason}.`);
    list(
      "text",
      table.text.map((found) => found.value),
    );
  }
  writeJoins(table, lines, say);
  if (table.sensitive.length > 0) {
    add("columns: {");
    for (const found of table.sensitive) {
      lines.push(comment(8, `${found.reason}.`));
      const options = found.exclude ? "exclude: true" : `classification: ${quoted(found.classification)}`;
      lines.push(`        ${property(found.column)}: { ${options} },`);
    }
    add("},");
  }
  if (table.filters.length > 0) {
    say("Few values: people may narrow a search to one.");
    list("filters", table.filters);
  }
  if (table.changedAt) {
    say(`Changes (${table.changedAt.confidence}): ${table.changedAt.reason}.`);
    add(`changedAt: ${quoted(table.changedAt.value)},`);
    say("If every change of a row moves it, a large table need not be read whole each time:");
    say(`incremental: { cursor: ${quoted(table.changedAt.value)} },`);
  }
  if (table.rollup) {
    say("A period in the key and a sum beside it. If the warehouse computed these totals, say so:");
    say("rollup: true,");
  }
  say(`Classification (${table.classification.confidence}): ${table.classification.reason}.`);
  add(`classification: ${quoted(table.classification.value)},`);
  say("Nobody, until you say who. What the columns suggest:");
  for (const hint of table.access) {
    say(
      `access: { allowAny: [${quoted(`group:staff & ${hint.value.grant}`)}] }, // ${hint.value.column}: ${hint.reason}`,
    );
  }
  if (table.access.length === 0) {
    say('access: { allowAny: ["group:staff"] }, // no column says whose rows these are');
  }
  add("access: { allowAny: [] },");
  lines.push("    },");
  return lines;
}

function writeJoins(table: InferredTable, lines: string[], say: (text: string) => void): void {
  const shown = table.joins.filter((join) => join.value.shows !== undefined);
  for (const { value, reason } of table.joins.filter((join) => join.value.shows === undefined)) {
    say(`${value.column} points at ${value.to} (${reason}), which has no one column to show.`);
  }
  if (shown.length === 0) return;
  lines.push("      lookups: {");
  for (const { value, reason, confidence } of shown) {
    lines.push(comment(8, `Join (${confidence}): ${reason}.`));
    lines.push(`        ${property(value.column)}: ${quoted(`${value.to}.${value.shows ?? ""}`)},`);
  }
  lines.push("      },");
}

/** Text as a comment on one line: what ends a line, for people or for a parser, becomes a space. */
function comment(indent: number, text: string): string {
  // oxlint-disable-next-line no-control-regex -- names come from a warehouse and may hold any character
  return `${" ".repeat(indent)}// ${text.replace(/[\u0000-\u001F\u007F-\u009F\u2028-\u202E\u2066-\u2069]+/g, " ").trimEnd()}`;
}

function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007F-\u009F\u200E\u200F\u2028-\u202E\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}

/** Items on one line where they fit, else one a line. */
function wrap(
  indent: number,
  before: string,
  open: string,
  items: readonly string[],
  close: string,
  after: string,
): readonly string[] {
  const pad = " ".repeat(indent);
  const line = `${pad}${before}${open}${items.join(", ")}${close}${after}`;
  if (line.length <= WIDTH) return [line];
  return [
    `${pad}${before}${open.trim()}`,
    ...items.map((item) => `${pad}  ${item},`),
    `${pad}${close.trim()}${after}`,
  ];
}
