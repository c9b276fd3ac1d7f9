import { join, resolve } from "node:path";
import { type AccessConfig, type Config, parseConfig, type TableConfig } from "../../shared/config.ts";
import type { Acl, DataSet, DataTable, EvalQuestion } from "./eval-dataset.ts";

/** A data set as a configuration, and what of its access rules was not understood (those groups see nothing there). */
export interface Converted {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/** The demo user who asks where a question names nobody. */
export const ANYONE = "anyone";

/** Columns longer than this, on average or at most, hold prose. */
const PROSE_AVERAGE = 120;
const PROSE_LONGEST = 400;

type Views = NonNullable<TableConfig["views"]>;

/**
 * One configuration for every data set of the format: nothing in it is tuned to one. Whatever the access rules say that is
 * not understood hides the rows from the group concerned, and is told in `warnings`.
 * @param extra settings taken from the operator's own configuration: models, embedder.
 */
export function configOf(
  data: DataSet,
  questions: readonly EvalQuestion[],
  extra: Pick<Config, "models" | "embedder">,
): Converted {
  const warnings: string[] = [];
  const tables: Record<string, TableConfig> = {};
  const scopes = new Set(questions.flatMap((q) => Object.keys(q.scope ?? {})));
  for (const [name, table] of Object.entries(data.schema.tables)) {
    const rules = accessOf(name, table, data, warnings);
    tables[name] = {
      source: "data",
      ...(rules.query === undefined ? { from: name } : { query: rules.query }),
      key: table.primary_key,
      classification: "internal",
      ...titleOf(name, table, data),
      ...(rules.hidden.length === 0
        ? {}
        : { columns: Object.fromEntries(rules.hidden.map((c) => [c, { exclude: true }])) }),
      ...lookupsOf(name, table, data, tables, warnings),
      ...filtersOf(name, scopes, data),
      ...(table.index === false ? { index: false } : {}),
      ...(rules.views ? { views: rules.views } : { access: rules.access }),
    };
  }
  const config = parseConfig({
    name: "Evaluation",
    sources: { data: { kind: "duckdb", path: resolve(join(data.directory, "tables")) } },
    tables,
    ...extra,
    limits: {
      requestsPerMinute: 10_000_000,
      tenantRequestsPerMinute: 10_000_000,
      concurrentRequests: 1000,
      questionChars: 20_000,
      failedShare: 1,
    },
    demo: { users: usersOf(data.acl), examples: [] },
  });
  return { config, warnings };
}

function usersOf(acl: Acl | undefined): NonNullable<Config["demo"]>["users"] {
  const users: NonNullable<Config["demo"]>["users"] = { [ANYONE]: { label: ANYONE, groups: [] } };
  for (const [name, { groups = [], ...attributes }] of Object.entries(acl?.principals ?? {})) {
    users[name] = { label: name, groups, attributes };
  }
  return users;
}

function isProse(name: string, column: string, data: DataSet): boolean {
  const width = data.widths[name]?.[column];
  return width !== undefined && (width.average > PROSE_AVERAGE || width.longest > PROSE_LONGEST);
}

/** The display columns, else the first short one of several text columns; long text columns are prose. */
function titleOf(name: string, table: DataTable, data: DataSet): Pick<TableConfig, "title" | "text"> {
  const texts = table.text_columns ?? [];
  const prose = texts.filter((column) => isProse(name, column, data));
  const display =
    table.display_columns ?? (texts.length > 1 ? texts.filter((c) => !prose.includes(c)).slice(0, 1) : []);
  const title = display.length === 1 ? display[0] : display.map((column) => `{${column}}`).join(" ");
  return {
    ...(title === undefined || title === "" ? {} : { title }),
    ...(prose.length === 0 ? {} : { text: prose }),
  };
}

function filtersOf(name: string, scopes: ReadonlySet<string>, data: DataSet): Pick<TableConfig, "filters"> {
  const filters = [...scopes].filter((column) => data.widths[name]?.[column] !== undefined);
  return filters.length === 0 ? {} : { filters };
}

/** Labels of foreign keys. One that is made of several columns, or reached through another table, gets a table to look it up in. */
function lookupsOf(
  name: string,
  table: DataTable,
  data: DataSet,
  tables: Record<string, TableConfig>,
  warnings: string[],
): Pick<TableConfig, "lookups"> {
  const lookups: Record<string, string> = {};
  const wanted: Record<string, string> = { ...table.labels };
  for (const [column, target] of Object.entries(table.foreign_keys ?? {})) {
    const other = target.split(".")[0] ?? "";
    const display = data.schema.tables[other]?.display_columns;
    if (wanted[column] === undefined && display && display.length > 0)
      wanted[column] = `${other}.${display.join("+")}`;
  }
  for (const [column, target] of Object.entries(wanted)) {
    const found = labelTable(target, data);
    if (!found) {
      warnings.push(`${name}.${column}: label "${target}" not understood; shown as its key`);
      continue;
    }
    if (found.table) tables[found.name] = found.table;
    lookups[column] = `${found.name}.${found.column}`;
  }
  return Object.keys(lookups).length === 0 ? {} : { lookups };
}

interface LabelTable {
  readonly name: string;
  readonly column: string;
  /** Set when the label needs a table of its own. */
  readonly table: TableConfig | undefined;
}

/** `products.product_name`, `employees.first_name+last_name`, `orders.customer_id->customers.company_name` */
function labelTable(target: string, data: DataSet): LabelTable | undefined {
  const steps = target.split("->").map((step) => /^([^.]+)\.(.+)$/.exec(step.trim()));
  const [first, second] = steps.map((step) =>
    step ? { table: step[1] ?? "", columns: (step[2] ?? "").split("+") } : undefined,
  );
  if (!first || steps.length > 2 || (steps.length === 2 && !second)) return undefined;
  const key = keyOf(first.table, data);
  if (key === undefined || !hasColumns(first, data)) return undefined;
  if (!second && first.columns.length === 1)
    return { name: first.table, column: first.columns[0] ?? "", table: undefined };
  const name = `${first.table}__${first.columns.join("_")}__label`.slice(0, 63);
  const own = { source: "data", key: [key], classification: "internal" as const, index: false };
  if (!second) {
    const query = `SELECT ${quoted(key)}, ${joined("t", first.columns)} AS label FROM ${quoted(first.table)} AS t`;
    return { name, column: "label", table: { ...own, query } };
  }
  const otherKey = keyOf(second.table, data);
  if (otherKey === undefined || first.columns.length !== 1 || !hasColumns(second, data)) return undefined;
  const query = `SELECT t.${quoted(key)}, ${joined("o", second.columns)} AS label FROM ${quoted(first.table)} AS t JOIN ${quoted(second.table)} AS o ON CAST(o.${quoted(otherKey)} AS VARCHAR) = CAST(t.${quoted(first.columns[0] ?? "")} AS VARCHAR)`;
  return { name, column: "label", table: { ...own, query } };
}

function hasColumns(
  step: { readonly table: string; readonly columns: readonly string[] },
  data: DataSet,
): boolean {
  return step.columns.every((column) => data.widths[step.table]?.[column] !== undefined);
}

/** The key column of a table with a key of one. */
function keyOf(table: string, data: DataSet): string | undefined {
  const key = data.schema.tables[table]?.primary_key;
  return key?.length === 1 ? key[0] : undefined;
}

function joined(alias: string, columns: readonly string[]): string {
  return `concat_ws(' ', ${columns.map((column) => `${alias}.${quoted(column)}`).join(", ")})`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

interface Access {
  readonly access: AccessConfig;
  readonly views: Views | undefined;
  /** A query that joins what a row filter needs, in columns that nobody sees. */
  readonly query: string | undefined;
  readonly hidden: readonly string[];
}

const NOBODY: AccessConfig = { allowAny: [] };
const EVERYBODY: AccessConfig = { allowAny: ["public"] };

function accessOf(name: string, table: DataTable, data: DataSet, warnings: string[]): Access {
  const open = { views: undefined, query: undefined, hidden: [] };
  if (!data.acl) return { ...open, access: EVERYBODY };
  const rules = data.acl.tables[name];
  if (!rules) {
    warnings.push(`${name}: no access rule; nobody sees it`);
    return { ...open, access: NOBODY };
  }
  const joins: Join[] = [];
  const alternatives = (groups: readonly string[]): string[] =>
    groups.flatMap((group) => {
      const filter = rules.row_filter?.[group] ?? rules.row_filter?.["*"];
      const grant = group === "*" ? "public" : `group:${group}`;
      if (filter === undefined) return [grant];
      const extra = filterGrant(name, table, filter, data, joins);
      if (extra !== undefined) return [`${grant} & ${extra}`];
      warnings.push(`${name}: row filter "${filter}" not understood; group ${group} sees no row of it`);
      return [];
    });
  const access = { allowAny: alternatives(rules.groups ?? []) };
  const columnsFor = Object.entries(rules.columns_for ?? {});
  const views = columnsFor.length === 0 ? undefined : viewsOf(access, columnsFor, alternatives);
  return {
    access,
    views,
    query: joins.length === 0 ? undefined : joinQuery(name, joins),
    hidden: joins.map((j) => j.as),
  };
}

/** The whole row for those who see it, then a view for each list of columns, longest first. */
function viewsOf(
  access: AccessConfig,
  columnsFor: readonly (readonly [string, readonly string[]])[],
  alternatives: (groups: readonly string[]) => string[],
): Views {
  const lists = new Map<string, { columns: readonly string[]; groups: string[] }>();
  for (const [group, columns] of columnsFor) {
    const id = JSON.stringify(columns.toSorted());
    const same = lists.get(id);
    if (same) same.groups.push(group);
    else lists.set(id, { columns, groups: [group] });
  }
  const narrow = [...lists.values()].sort((a, b) => b.columns.length - a.columns.length);
  return [
    { name: "all", columns: "*", access },
    ...narrow.map(({ columns, groups }, i) => ({
      name: `part${i + 1}`,
      columns: [...columns],
      access: { allowAny: alternatives(groups) },
    })),
  ];
}

/** A column of another table that a row filter needs, joined through a foreign key. */
interface Join {
  readonly column: string;
  readonly other: string;
  readonly otherKey: string;
  readonly target: string;
  readonly as: string;
}

/** `region in principal.regions`, `the ship_region of the order in principal.regions` → `regions:{region}` */
function filterGrant(
  name: string,
  table: DataTable,
  filter: string,
  data: DataSet,
  joins: Join[],
): string | undefined {
  const own = /^\s*(?:the\s+)?([\w-]+)\s+in\s+principal\.([\w-]+)\s*$/i.exec(filter);
  if (own) {
    const [, column = "", attribute = ""] = own;
    return data.widths[name]?.[column] === undefined ? undefined : `${attribute}:{${column}}`;
  }
  const far = /^\s*the\s+([\w-]+)\s+of\s+(?:the|its)\s+([\w-]+)\s+in\s+principal\.([\w-]+)\s*$/i.exec(filter);
  if (!far) return undefined;
  const [, target = "", kind = "", attribute = ""] = far;
  const links = Object.entries(table.foreign_keys ?? {}).flatMap(([column, to]) => {
    const [other = "", key] = to.split(".");
    const otherKey = key ?? keyOf(other, data);
    return otherKey !== undefined && isNamed(other, kind) ? [{ column, other, otherKey }] : [];
  });
  const [link] = links;
  // Two ways to the other table would be a guess.
  if (!link || links.length > 1 || data.widths[link.other]?.[target] === undefined) return undefined;
  const as = `${kind}__${target}`;
  if (!joins.some((join) => join.as === as)) joins.push({ ...link, target, as });
  return `${attribute}:{${as}}`;
}

/** Whether a table's name is a word, or its plural: order → orders, company → companies. */
function isNamed(table: string, word: string): boolean {
  const name = table.toLowerCase();
  const one = word.toLowerCase();
  return [one, `${one}s`, `${one}es`, one.replace(/y$/, "ies"), one.replace(/s$/, "")].includes(name);
}

function joinQuery(name: string, joins: readonly Join[]): string {
  const columns = joins.map((j, i) => `j${i}.${quoted(j.target)} AS ${quoted(j.as)}`).join(", ");
  const from = joins.map(
    (j, i) =>
      `LEFT JOIN ${quoted(j.other)} AS j${i} ON CAST(j${i}.${quoted(j.otherKey)} AS VARCHAR) = CAST(t.${quoted(j.column)} AS VARCHAR)`,
  );
  return `SELECT t.*, ${columns} FROM ${quoted(name)} AS t ${from.join(" ")}`;
}
