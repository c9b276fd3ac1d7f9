import type { AccessConfig, Config, PersonalKind, TableConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Classification } from "../../shared/ports/evidence.ts";
import type { TableShape } from "../../shared/ports/registry.ts";
import type { Column, Source, Table, TableRef } from "../../shared/ports/source.ts";
import { renamedTo } from "./drift.ts";
import { REDACTION } from "./redact.ts";

/** A configured table, described by its warehouse and checked against its configuration. */
export interface OpenTable {
  readonly name: string;
  readonly config: TableConfig;
  readonly source: Source;
  /** As `describe` gave it, reduced to the columns that this run needs: nothing else is ever read. */
  readonly shape: Table;
  /** As `describe` gave it, without the columns that are left out. */
  readonly described: Table;
  /** Columns that came after the table was first published and that the configuration does not name: left out until it does. */
  readonly unmapped: readonly Column[];
  /** The same of the fields of declared records, by column. */
  readonly unmappedFields: ReadonlyMap<string, readonly string[]>;
  readonly views: readonly ViewPlan[];
  /** Foreign keys shown by name. */
  readonly lookups: readonly LookupPlan[];
  /** How people call the table. */
  readonly label: string;
}

/** One view of a table: what of a row is rendered, for whom. */
export interface ViewPlan {
  readonly name: string;
  /** In the table's column order. */
  readonly columns: readonly ColumnPlan[];
  readonly access: AccessConfig;
  readonly classification: Classification;
  /** Heads every chunk: the table's name and description. */
  readonly context: string;
  /** Table and column names and descriptions, for the lexical index. */
  readonly meta: string;
  /** Everything in the configuration that every record of this view derives from, columns left out, as one string. */
  readonly fingerprint: string;
}

export interface ColumnPlan {
  readonly name: string;
  readonly label: string;
  readonly type: Column["type"];
  /** Prose: rendered last, one passage of its own. */
  readonly prose: boolean;
  readonly mask: "redact" | "hash" | "tokenise" | undefined;
  /** What a pseudonym begins with. */
  readonly token: string | undefined;
  /** What is taken out of the column's text. */
  readonly redact: readonly PersonalKind[];
  /** One of the table's `lookups`. */
  readonly lookup: LookupPlan | undefined;
  /** Everything in the configuration that a cell of this column is rendered by, as one string. */
  readonly fingerprint: string;
}

export interface LookupPlan {
  readonly column: string;
  /** How the looked-up name is called among the cells: `supplier` for `supplier_id`. */
  readonly as: string;
  readonly table: string;
  readonly target: string;
  /** What is taken out of the names; undefined for nothing. */
  readonly redact: readonly PersonalKind[] | undefined;
}

/**
 * Describes and checks every table of a run before anything is read or embedded.
 * @param only the tables to ingest; undefined for all that are indexed.
 * @param shapes what the tables were like: a column that is gone may have another name now.
 * @throws QuaysideError `config_invalid` (no such table), `source_rejected`, `schema_drift` listing every column that a
 * configuration names and its table lacks.
 */
export async function openTables(
  config: Config,
  only: readonly string[] | undefined,
  sourceOf: (name: string) => Source,
  shapes: ReadonlyMap<string, TableShape>,
  signal: AbortSignal,
): Promise<readonly OpenTable[]> {
  for (const name of only ?? []) {
    if (config.tables[name]?.index === false || !config.tables[name]) {
      const names = indexedTables(config);
      throw new QuaysideError(
        "config_invalid",
        `There is no indexed table "${name}". Indexed are: ${names.join(", ")}.`,
      );
    }
  }
  const missing: string[] = [];
  const tables: OpenTable[] = [];
  for (const [name, table] of Object.entries(config.tables)) {
    if (table.index === false || (only && !only.includes(name))) continue;
    const source = sourceOf(table.source);
    const described = await source.describe(refOf(name, table), signal);
    const known = new Set(described.columns.map((column) => column.name));
    const named = columnsNamed(table);
    for (const [column, uses] of named) {
      if (known.has(column)) continue;
      const renamed = renamedTo(column, shapes.get(name), described.columns);
      const hint = renamed.length === 0 ? "" : `; renamed to ${renamed.join(" or ")}?`;
      missing.push(`  ${name}.${column}: named by ${uses.join(", ")}${hint}`);
    }
    const before = shapes.get(name);
    const unmapped = described.columns.filter(
      (column) => before && before.columns[column.name] === undefined && !named.has(column.name),
    );
    const unmappedFields = new Map<string, readonly string[]>();
    const columns = described.columns.flatMap((column) => {
      if (unmapped.includes(column)) return [];
      const were = named.has(column.name) ? undefined : before?.fields?.[column.name];
      const added = were ? (column.fields ?? []).filter((field) => !were.includes(field)) : [];
      if (added.length === 0) return [column];
      unmappedFields.set(column.name, added);
      return [{ ...column, fields: column.fields?.filter((field) => !added.includes(field)) ?? [] }];
    });
    if (missing.length > 0) continue;
    tables.push({
      ...plan(config, name, table, source, { ...described, columns }),
      unmapped,
      unmappedFields,
    });
  }
  if (missing.length > 0) {
    throw new QuaysideError(
      "schema_drift",
      `The warehouse lacks columns that the configuration names; correct the names, or take them out:\n${missing.join("\n")}`,
    );
  }
  return tables;
}

/** The tables that are indexed, in the configuration's order. */
export function indexedTables(config: Config): readonly string[] {
  return Object.keys(config.tables).filter((name) => config.tables[name]?.index !== false);
}

/** Whether anything of a table is left out until the configuration names it. */
export function hasUnmapped({ unmapped, unmappedFields }: OpenTable): boolean {
  return unmapped.length > 0 || unmappedFields.size > 0;
}

/** Where the warehouse keeps a configured table. */
export function refOf(name: string, table: TableConfig): TableRef {
  if (table.query !== undefined) return { query: table.query };
  const from = table.from ?? name;
  return { name: typeof from === "string" ? from.split(".") : from };
}

/** The columns in `{braces}`. */
export function placeholders(template: string): string[] {
  return [...template.matchAll(/\{([^{}]+)\}/g)].map((match) => match[1] ?? "");
}

/** Columns of a title: those in braces, or the whole of it when it has none. */
export function titleColumns(title: string): string[] {
  return title.includes("{") ? placeholders(title) : [title];
}

/** Every column that a table's configuration names, with the settings that name it. */
function columnsNamed(table: TableConfig): Map<string, string[]> {
  const named = new Map<string, string[]>();
  const add = (columns: readonly string[], use: string): void => {
    for (const column of columns) named.set(column, [...(named.get(column) ?? []), use]);
  };
  add(table.key, "key");
  if (table.title !== undefined) add(titleColumns(table.title), "title");
  add(table.text ?? [], "text");
  add(Object.keys(table.columns ?? {}), "columns");
  add(Object.keys(table.lookups ?? {}), "lookups");
  add(table.filters ?? [], "filters");
  if (table.changedAt !== undefined) add([table.changedAt], "changedAt");
  if (table.incremental) add([table.incremental.cursor], "incremental.cursor");
  add(placeholders(table.url ?? ""), "url");
  add(accessColumns(table), "access");
  for (const view of table.views ?? []) if (view.columns !== "*") add(view.columns, `views.${view.name}`);
  return named;
}

function accessColumns(table: TableConfig): string[] {
  const rules = [...(table.access ? [table.access] : []), ...(table.views ?? []).map((view) => view.access)];
  return rules.flatMap(columnsOfRule);
}

/** The columns whose values a rule's label is made of, each once. */
export function columnsOfRule(rule: AccessConfig): string[] {
  const grants = [...rule.allowAny, ...(rule.allowAll ?? []), ...(rule.deny ?? [])];
  return [...new Set(grants.flatMap(placeholders))];
}

function plan(
  config: Config,
  name: string,
  table: TableConfig,
  source: Source,
  described: Table,
): Omit<OpenTable, "unmapped" | "unmappedFields"> {
  const excluded = (column: string): boolean => table.columns?.[column]?.exclude === true;
  const visible = described.columns.filter((column) => !excluded(column.name));
  // An excluded column may still decide who sees the row; it goes no further than the label.
  const needed = new Set([...visible.map((c) => c.name), ...table.key, ...accessColumns(table)]);
  const lookups = Object.entries(table.lookups ?? {})
    .filter(([column]) => !excluded(column) && table.columns?.[column]?.mask === undefined)
    .map(([column, target]) => lookupPlan(config, column, target, described));
  const label = humanize(name);
  const views = table.views ?? [{ name: "all", columns: "*" as const, access: table.access ?? NOBODY }];
  return {
    name,
    config: table,
    source,
    described,
    shape: { ...described, columns: described.columns.filter((column) => needed.has(column.name)) },
    lookups,
    label,
    views: views.map((view) => {
      const shown = visible.filter((c) => view.columns === "*" || view.columns.includes(c.name));
      const columns = shown.map((column): ColumnPlan => {
        const options = table.columns?.[column.name];
        const own = {
          name: column.name,
          label: options?.label ?? humanize(column.name),
          type: column.type,
          prose: table.text?.includes(column.name) ?? false,
          mask: options?.mask,
          token: options?.token,
          lookup: lookups.find((l) => l.column === column.name),
        };
        // A comment of the warehouse's own is searched with rows that are made anew, and makes none anew when it changes.
        const description = options?.description ?? "";
        const redact = redactedIn(config, table, column);
        const rules = [...redact, ...(own.lookup?.redact ?? [])].length > 0 ? [REDACTION, redact] : [];
        return { ...own, redact, fingerprint: JSON.stringify([own, description, ...rules]) };
      });
      const own = "classification" in view ? view.classification : undefined;
      const description = table.description ?? described.description ?? "";
      const context = contextOf(label, description);
      const meta = [
        label,
        description,
        ...shown.map((c) => {
          const options = table.columns?.[c.name];
          return [options?.label ?? humanize(c.name), options?.description ?? c.description ?? ""]
            .join(" ")
            .trim();
        }),
      ];
      return {
        name: view.name,
        columns,
        access: view.access,
        classification: highest([
          own ?? table.classification,
          ...columns.map((column) => table.columns?.[column.name]?.classification),
          ...lookups
            .filter((lookup) => columns.some((column) => column.name === lookup.column))
            .map((lookup) => classificationOf(config, lookup)),
        ]),
        context,
        meta: meta.filter((text) => text !== "").join("\n"),
        fingerprint: JSON.stringify([
          RENDERER,
          name,
          view.name,
          contextOf(label, table.description ?? ""),
          table.title ?? "",
          table.url ?? "",
          table.changedAt ?? "",
        ]),
      };
    }),
  };
}

function contextOf(label: string, description: string): string {
  return description === "" ? label : `${label}: ${description}`;
}

/** Raised when rendering changes: every record is then made anew. */
const RENDERER = 1;
const NOBODY: AccessConfig = { allowAny: [] };

const LEVELS: readonly Classification[] = ["public", "internal", "confidential", "restricted"];

function highest(found: readonly (Classification | undefined)[]): Classification {
  return LEVELS[Math.max(...found.map((level) => (level ? LEVELS.indexOf(level) : 0)))] ?? "restricted";
}

/** A looked-up name is as sensitive as the least sensitive view of its table that shows it. */
function classificationOf(config: Config, lookup: LookupPlan): Classification {
  const other = config.tables[lookup.table];
  const options = other?.columns?.[lookup.target];
  if (!other || options?.exclude === true || options?.mask !== undefined) {
    throw new QuaysideError(
      "config_invalid",
      `The lookup of ${lookup.column} names ${lookup.table}.${lookup.target}, which is excluded or masked.`,
    );
  }
  if (options?.classification) return options.classification;
  const shown = (other.views ?? []).filter((v) => v.columns === "*" || v.columns.includes(lookup.target));
  const levels = shown.map((view) => LEVELS.indexOf(view.classification ?? other.classification));
  return levels.length > 0 ? (LEVELS[Math.min(...levels)] ?? other.classification) : other.classification;
}

/** Text and JSON follow the table's list or the one for all; a column's own list holds whatever its type. */
function redactedIn(config: Config, table: TableConfig, column: Column): readonly PersonalKind[] {
  const options = table.columns?.[column.name];
  if (options?.mask !== undefined || table.key.includes(column.name)) return [];
  if (options?.redact) return options.redact;
  return column.type === "string" || column.type === "json" ? (table.redact ?? config.redact ?? []) : [];
}

function lookupPlan(config: Config, column: string, target: string, described: Table): LookupPlan {
  const [table = "", name = ""] = target.split(".");
  const stem = column.replace(/[_ ]?(?:id|ID|Id|key|code)$/, "");
  const free = (as: string): boolean => as !== "" && !described.columns.some((c) => c.name === as);
  const as = [stem, `${column}_name`, `${column} (${name})`].find(free) ?? `${column} (${table}.${name})`;
  const other = config.tables[table];
  const redact = other?.columns?.[name]?.redact ?? other?.redact ?? config.redact ?? [];
  return { column, as, table, target: name, redact: redact.length > 0 ? redact : undefined };
}

/** `unitPrice`, `UNIT_PRICE` and `unit-price` -> `unit price`. */
export function humanize(name: string): string {
  const spaced = name
    .replace(/[_-]+/g, " ")
    .replace(/([\p{Ll}\d])(\p{Lu})/gu, "$1 $2")
    .trim();
  return spaced === "" ? name : spaced.toLowerCase();
}
