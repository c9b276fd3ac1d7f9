import { wordsOf } from "./names.ts";
import type { Finding } from "./keys.ts";
import type { Profile } from "./profile.ts";

/** Words that columns are named by whose value says whose rows these are, and the attribute of a caller that answers them. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  site: "site",
  region: "region",
  région: "region",
  country: "country",
  pays: "country",
  department: "department",
  dept: "department",
  département: "department",
  service: "department",
  team: "team",
  équipe: "team",
  office: "office",
  branch: "branch",
  agence: "branch",
  division: "division",
  plant: "plant",
  tenant: "tenant",
  audience: "group",
  group: "group",
  owner: "user",
  assignee: "user",
};
const MOST_VALUES = 60;

/** A rule to offer; nothing grants access but the operator. */
export interface AccessHint {
  readonly column: string;
  /** One alternative of `allowAny`, e.g. `region:{region}`. */
  readonly grant: string;
}

/** Columns that may decide who sees a row, in the table's order. */
export function accessOf(profiles: readonly Profile[]): readonly Finding<AccessHint>[] {
  return profiles.flatMap((p): Finding<AccessHint>[] => {
    const name = p.column.name;
    if (/[{}&]/.test(name) || !["text", "integer", "uuid"].includes(p.shape)) return [];
    const words = wordsOf(name).filter((word) => !["id", "code", "name", "key"].includes(word));
    const attribute = ATTRIBUTES[words.at(-1) ?? ""];
    const filled = p.rows - p.nulls;
    if (attribute === undefined || filled === 0) return [];
    const few = p.distinct <= MOST_VALUES && (filled < 10 || p.distinct <= filled / 2);
    if (!few && attribute !== "user") return [];
    return [
      {
        value: { column: name, grant: `${attribute}:{${name}}` },
        reason: `${p.distinct} ${p.distinct === 1 ? "value" : "values"} in ${p.rows} rows${p.nulls > 0 ? `, ${p.nulls} without one (those nobody would see)` : ""}`,
        confidence: few && filled >= 10 ? "medium" : "low",
      },
    ];
  });
}

const NARROW = new Set(
  "status state type category kind priority severity segment stage catégorie statut".split(" "),
);

/** Columns that people narrow a search by: few values, and a name that says so. At most four. */
export function filtersOf(profiles: readonly Profile[], access: readonly string[]): readonly string[] {
  return profiles
    .filter((p) => {
      const few = p.distinct > 1 && p.distinct <= 30 && p.distinct <= p.rows / 2 && p.shape === "text";
      return few && (access.includes(p.column.name) || NARROW.has(wordsOf(p.column.name).at(-1) ?? ""));
    })
    .map((p) => p.column.name)
    .slice(0, 4);
}

const MEASURES = new Set("total sum avg average count montant nombre".split(" "));
const PERIODS = new Set("year quarter month week day année trimestre mois semaine jour".split(" "));

/** Whether the table looks like totals that the warehouse computed: a period in its key, a sum beside it. */
export function looksLikeRollup(profiles: readonly Profile[], key: readonly string[]): boolean {
  const others = profiles.map((p) => p.column.name).filter((name) => !key.includes(name));
  return has(key, PERIODS) && has(others, MEASURES);
}

function has(names: readonly string[], words: ReadonlySet<string>): boolean {
  return names.some((name) => wordsOf(name).some((word) => words.has(word)));
}
