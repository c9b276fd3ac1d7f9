import type { TableConfig } from "../../shared/config.ts";
import type { Table } from "../../shared/ports/source.ts";
import { accessOf, filtersOf, looksLikeRollup, type AccessHint } from "./access.ts";
import { joinsOf, type Join, type Joinable } from "./joins.ts";
import type { Finding } from "./keys.ts";
import { sensitiveOf, type Sensitive } from "./personal.ts";
import type { Profile } from "./profile.ts";
import { changedAtOf, proseOf, titleOf, type Title } from "./text.ts";

/** What was found about one table, its joins aside. */
export interface TableFindings {
  /** What the configuration calls it. */
  readonly id: string;
  readonly name: readonly string[];
  readonly rows: number | undefined;
  readonly columns: number;
  readonly description: string | undefined;
  /** Undefined: nothing tells its rows apart. */
  readonly key: Finding<readonly string[]> | undefined;
  readonly title: Finding<Title> | undefined;
  readonly text: readonly Finding<string>[];
  readonly changedAt: Finding<string> | undefined;
  readonly sensitive: readonly Sensitive[];
  readonly classification: Finding<TableConfig["classification"]>;
  readonly access: readonly Finding<AccessHint>[];
  readonly filters: readonly string[];
  readonly rollup: boolean;
  readonly joinable: Joinable;
}

/** A table with its joins; those to a table that has a name to show carry it. */
export interface InferredTable extends TableFindings {
  readonly joins: readonly Finding<Join & { readonly shows: string | undefined }>[];
}

/** Columns that a configuration can name. */
export function nameable(column: string): boolean {
  return column !== "" && column.length <= 255 && column !== "__proto__";
}

/**
 * What can be said of a table by itself.
 * @param keyValues all values of its one-column key; undefined for other keys and for too many.
 */
export function inferTable(
  id: string,
  table: Table,
  rows: number | undefined,
  profiles: readonly Profile[],
  key: Finding<readonly string[]> | undefined,
  keyValues: ReadonlySet<string> | undefined,
): TableFindings {
  const inKey = new Set(key?.value);
  // Without its key a row can't be named: one of it is classed, never left out.
  const sensitive = sensitiveOf(id, profiles)
    .filter((found) => nameable(found.column))
    .map((found) => (inKey.has(found.column) ? { ...found, exclude: false } : found));
  const excluded = new Set(sensitive.filter((found) => found.exclude).map((found) => found.column));
  const usable = (column: string): boolean => nameable(column) && !excluded.has(column);
  const shown = profiles.filter((p) => usable(p.column.name));
  const label = labelOf(id);
  const title = key ? titleOf(id, label, shown, key.value, usable) : undefined;
  const access = accessOf(shown);
  return {
    id,
    name: table.ref.name ?? [id],
    rows,
    columns: profiles.length,
    description: table.description,
    key,
    title,
    text: proseOf(shown, title?.value.column ?? title?.value.title),
    changedAt: changedAtOf(shown),
    sensitive,
    classification: classificationOf(sensitive),
    access,
    filters: filtersOf(
      shown,
      access.map((hint) => hint.value.column),
    ),
    rollup: looksLikeRollup(profiles, key?.value ?? []),
    joinable: { table: id, profiles: shown.map(slim), key: key?.value ?? [], keyValues },
  };
}

/** Adds the joins, once every table is known. */
export function inferJoins(tables: readonly TableFindings[]): readonly InferredTable[] {
  const all = tables.filter((table) => table.key).map((table) => table.joinable);
  const titles = new Map(tables.map((table) => [table.id, table.title?.value.column]));
  return tables.map((table) => ({
    ...table,
    joins: table.key
      ? joinsOf(table.joinable, all).map((join) => {
          const column = titles.get(join.value.to);
          const shows = column === undefined || column.includes(".") ? undefined : column;
          return { ...join, value: { ...join.value, shows } };
        })
      : [],
  }));
}

/** Most values of a column that are held to look for joins. */
const JOIN_VALUES = 1000;

/** What a profile is still needed for: its different values where they may be keys of another table. */
function slim(profile: Profile): Profile {
  const keys = ["integer", "text", "uuid"].includes(profile.shape) && profile.meanLength <= 64;
  const values = keys ? [...new Set(profile.values)].filter((v) => v !== null).slice(0, JOIN_VALUES) : [];
  return { ...profile, values };
}

function classificationOf(sensitive: readonly Sensitive[]): TableFindings["classification"] {
  const shown = sensitive.filter((found) => !found.exclude);
  const columns = (level: Sensitive["classification"]): string =>
    shown
      .filter((found) => found.classification === level)
      .map((found) => found.column)
      .join(", ");
  if (shown.some((found) => found.classification === "restricted")) {
    return { value: "restricted", reason: `has ${columns("restricted")}`, confidence: "medium" };
  }
  if (shown.length > 0) {
    return { value: "confidential", reason: `has ${columns("confidential")}`, confidence: "medium" };
  }
  return {
    value: "internal",
    reason: "nothing personal was found; public is for you to say",
    confidence: "low",
  };
}

/** `support_tickets` -> `Support tickets`. */
function labelOf(id: string): string {
  const text = id.replace(/[_.-]+/g, " ").trim();
  return text === "" ? id : `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
