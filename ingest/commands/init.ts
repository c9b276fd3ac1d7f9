import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Source, TableRef } from "../../shared/ports/source.ts";
import type { InferredTable } from "../inference/infer.ts";
import { withSources } from "../registry.ts";
import { root } from "../root.ts";
import { string, strings, type Command, type Context } from "./command.ts";
import { lookAt } from "./init-look.ts";
import { candidatesIn, sourceNamed } from "./init-source.ts";
import { writeConfig } from "./init-write.ts";
import { usage } from "./inputs.ts";
import { harmless, table as layout, whole } from "./text.ts";

const DEFAULT_OUT = "quayside.config.ts";
const CONFIG_MODULE = fileURLToPath(new URL("shared/config.ts", root));

export const command: Command = {
  name: "init",
  summary: "look at a source and write a commented configuration",
  usage: "[--source URL] [--table T]… [--out FILE] [--force] [--yes]",
  options: {
    source: {
      type: "string",
      value: "URL",
      help: "a .duckdb file, a folder of CSV or Parquet, postgres://…",
    },
    table: {
      type: "string",
      multiple: true,
      value: "T",
      help: "only this table (schema.table); may be repeated",
    },
    out: { type: "string", value: "FILE", help: `where to write; default ${DEFAULT_OUT}` },
    force: { type: "boolean", help: "overwrite the file" },
    yes: { type: "boolean", help: "without --source: take the one source found here" },
  },
  async run(context) {
    const { values, terminal, signal } = context;
    const out = string(values["out"]) ?? DEFAULT_OUT;
    const force = values["force"] === true;
    // Before the look, which may take a while.
    if (existsSync(out) && !force) throw taken(out);
    const named = sourceNamed(string(values["source"]) ?? (await found(context)), context.host);
    const only = strings(values["table"]);
    const tables = await opened(named.settings, named.host, async (source) =>
      lookAt(source, await refsOf(source, only, signal), signal, ({ table, at, of }) =>
        terminal.progress(`Looking at ${harmless(table)} (${at} of ${of})`),
      ),
    );
    const path = resolve(out);
    const importFrom = relative(dirname(path), CONFIG_MODULE).split(sep).join("/");
    const text = writeConfig(
      {
        name: named.name.slice(0, 100),
        importFrom: importFrom.startsWith(".") ? importFrom : `./${importFrom}`,
        settings: named.settings,
        notes: named.notes,
      },
      tables,
    );
    await write(path, out, text, force);
    terminal.print(describe(out, tables));
    return { status: 0, result: resultOf(out, tables) };
  },
};

/** The source that lies here. @throws QuaysideError `config_invalid` that names what was found, or what to give. */
async function found(context: Context): Promise<string> {
  const here = await candidatesIn(".");
  const [first] = here;
  if (first === undefined) {
    throw usage(
      "Name a source with --source: a .duckdb file, a folder of CSV, Parquet or JSON files, or a URL such as postgres://user@host/database. There is none in this folder.",
    );
  }
  if (here.length === 1 && context.values["yes"] === true) return first;
  throw usage(
    `Name a source with --source. Found here:\n${here.map((path) => `  quayside init --source ${harmless(path)}`).join("\n")}`,
  );
}

async function opened<T>(
  settings: Readonly<Record<string, unknown>> & { readonly kind: string },
  host: Context["host"],
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const config = parseConfig({
    name: "init",
    sources: { source: settings },
    // Sources are lent to tables; this one is never read.
    tables: { none: { source: "source", key: ["none"], classification: "restricted", index: false } },
  });
  return withSources(config, host, (sourceOf) => work(sourceOf("source")));
}

async function refsOf(
  source: Source,
  only: readonly string[],
  signal: AbortSignal,
): Promise<readonly TableRef[]> {
  const listed = await source.tables?.(signal);
  if (only.length > 0) {
    return only.map((name) => {
      const found = listed?.find((ref) => ref.name?.join(".") === name);
      return found ?? { name: name.split(".") };
    });
  }
  if (!listed)
    throw usage("This source can't list its tables: name them, --table schema.table, once for each.");
  if (listed.length === 0) throw usage("The source has no tables that can be read.");
  return listed;
}

async function write(path: string, shown: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? "w" : "wx" });
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
    if (code === "EEXIST") throw taken(shown);
    throw new QuaysideError("config_invalid", `${shown} can't be written: is there such a folder?`, {
      cause,
    });
  }
}

function taken(path: string): QuaysideError {
  return usage(`${path} is there already: choose another file with --out, or overwrite it with --force.`);
}

function describe(out: string, tables: readonly InferredTable[]): string {
  const rows = tables.map((table) => [
    harmless(table.id),
    table.rows === undefined ? "?" : whole(table.rows),
    harmless(table.key?.value.join(", ") ?? "none: left out"),
    harmless(table.title?.value.title ?? ""),
    String(table.text.length),
    String(table.joins.length),
    String(table.sensitive.length),
    table.key ? table.classification.value : "",
  ]);
  return [
    layout(["table", "rows", "key", "title", "prose", "joins", "personal", "classification"], rows),
    "",
    `Wrote ${harmless(out)}. Nobody may see anything yet:`,
    "  1. read it: each line has its reason above it",
    "  2. write who may see each table: access: { allowAny: [] } is nobody",
    "  3. quayside plan     what would be read, and what it would cost",
    "  4. quayside ingest",
    "",
  ].join("\n");
}

function resultOf(out: string, tables: readonly InferredTable[]): unknown {
  return {
    path: out,
    tables: tables
      .filter((table) => table.key)
      .map((table) => ({
        table: table.id,
        rows: table.rows ?? null,
        key: table.key?.value ?? [],
        title: table.title?.value.title ?? null,
        text: table.text.map((found) => found.value),
        joins: table.joins.map(({ value }) => ({
          column: value.column,
          to: value.to,
          shows: value.shows ?? null,
        })),
        sensitive: table.sensitive.map(({ column, kind, exclude }) => ({ column, kind, excluded: exclude })),
        classification: table.classification.value,
        access_columns: table.access.map((hint) => hint.value.column),
        changed_at: table.changedAt?.value ?? null,
      })),
    left_out: tables.filter((table) => !table.key).map((table) => table.id),
  };
}
