import { endsIn, idStem, idStrength, shortens, stemsOf } from "./names.ts";
import type { Profile } from "./profile.ts";

/** Something inferred, and why. */
export interface Finding<T> {
  readonly value: T;
  readonly reason: string;
  /** `high`: the catalogue or both name and data say so; `medium`: one of them; `low`: a guess to check. */
  readonly confidence: "high" | "low" | "medium";
}

const COMPOSITE_COLUMNS = 10;
/** With fewer, that values differ may be chance. */
const FEW_ROWS = 30;

/**
 * Whether a column is named for the table's own rows: `id`, `customer_id` of customers, `line_id` of order lines.
 * @param others the names of the other tables: what one of them is called by is not this table's own.
 */
function isOwnId(column: string, table: string, others: readonly string[]): boolean {
  if (idStrength(column) === undefined) return false;
  const stem = idStem(column);
  const own = stemsOf(table);
  if (stem.length === 0) return idStrength(column) === "strong";
  if (stem.join("") === own.join("")) return true;
  if (others.some((other) => other !== table && stemsOf(other).join("") === stem.join(""))) return false;
  return (
    endsIn(own, stem) ||
    endsIn(stem, own) ||
    (stem.length > 1 && shortens(stem.at(-1) ?? "", own.at(-1) ?? ""))
  );
}

/**
 * Columns that may identify a row of the table, best first; each unique and without null in the sample, save what the
 * catalogue declares.
 * @param others the names of the other tables: an id named for one of them says whose row it is, not which row.
 */
export function keysOf(
  table: string,
  profiles: readonly Profile[],
  declared: readonly string[],
  others: readonly string[],
): readonly Finding<readonly string[]>[] {
  if (declared.length > 0) {
    return [{ value: declared, reason: "the primary key that the warehouse declares", confidence: "high" }];
  }
  const full = profiles.filter((p) => p.rows > 0 && p.nulls === 0 && canIdentify(p));
  const foreign = (p: Profile): boolean => isForeign(p.column.name, table, others);
  const ids = full.filter((p) => idStrength(p.column.name) !== undefined);
  const own = ids.find((p) => isOwnId(p.column.name, table, others) && isUnique([p]));
  const found: { readonly columns: readonly Profile[]; readonly score: number; readonly why: string }[] = [];

  // A table of nothing but ids says what belongs together: in a few rows one of them may look unique by chance.
  const link = profiles.length <= 4 && !own && ids.length >= 2 && ids.length >= profiles.length - 1;
  if (link && isUnique(ids))
    found.push({ columns: ids, score: 90, why: "a table that links others: its ids together" });

  // Nor do a few rows tell whose ids are unique where several tables meet.
  const met = ids.filter(foreign).slice(0, 3);
  if (!own && !link && met.length >= 2 && (met[0]?.rows ?? 0) < FEW_ROWS && isUnique(met)) {
    found.push({ columns: met, score: 58, why: "ids of other tables, together" });
  }
  for (const p of full) {
    if (!isUnique([p])) continue;
    const score = singleScore(p, isOwnId(p.column.name, table, others), foreign(p));
    if (score > 0) found.push({ columns: [p], score, why: "" });
  }
  const parts = [...full]
    .filter((p) => p.shape !== "url" && p.meanLength <= 40)
    .sort((a, b) => partScore(b) - partScore(a) || a.position - b.position)
    .slice(0, COMPOSITE_COLUMNS)
    .sort((a, b) => a.position - b.position);
  for (const size of [2, 3]) {
    if (found.some((one) => one.score >= 30)) break;
    for (const columns of choose(parts, size)) {
      if (!isUnique(columns)) continue;
      const score = columns.reduce((sum, p) => sum + partScore(p), 0) / size - 5 * size;
      found.push({ columns, score, why: "no single column is unique; these together are" });
    }
  }
  return found
    .sort((a, b) => b.score - a.score || (a.columns[0]?.position ?? 0) - (b.columns[0]?.position ?? 0))
    .map(({ columns, score, why }) => {
      const rows = profiles[0]?.rows ?? 0;
      const measured = `unique and never null in ${rows} rows`;
      return {
        value: columns.map((p) => p.column.name),
        reason: why === "" ? measured : `${why}, ${measured}`,
        confidence: score >= 60 && rows >= 20 ? "high" : score >= 30 ? "medium" : "low",
      };
    });
}

/** Whether an id column is named for another table and not for this one. */
function isForeign(column: string, table: string, others: readonly string[]): boolean {
  if (isOwnId(column, table, others)) return false;
  const stem = idStem(column);
  return others.some((other) => other !== table && endsIn(stem, stemsOf(other)));
}

function canIdentify(p: Profile): boolean {
  return !["binary", "boolean", "decimal", "empty", "json", "time"].includes(p.shape) && p.meanLength <= 128;
}

function singleScore(p: Profile, own: boolean, foreign: boolean): number {
  const first = p.position === 0 ? 15 : 0;
  const minus = foreign ? 40 : 0;
  if (p.shape === "date" || p.shape === "timestamp") return 1;
  if (own) return 95 + first;
  switch (idStrength(p.column.name)) {
    case "strong":
      return 75 + first - minus;
    case "short":
      return 65 + first - minus;
    case "weak":
      return 45 + first - minus;
    case undefined:
      // What is unique by chance is rarely first, and rarely whole words.
      return p.meanWords > 4 ? 0 : (p.shape === "text" || p.shape === "integer" ? 10 : 5) + first;
  }
}

function partScore(p: Profile): number {
  const id = idStrength(p.column.name);
  if (id === "strong" || id === "short") return 50;
  if (id === "weak" || /(?:^|[ _])(?:line|position|seq|rank|rang|ligne)/i.test(p.column.name)) return 40;
  if (p.shape === "date") return 38;
  if (p.shape === "timestamp") return 30;
  return p.shape === "text" && p.meanWords <= 3 ? 20 : 5;
}

/** Whether no two rows of the sample have the same values in all these columns. */
function isUnique(columns: readonly Profile[]): boolean {
  const [first] = columns;
  if (!first) return false;
  if (columns.length === 1) return first.distinct === first.rows;
  const seen = new Set<string>();
  for (let row = 0; row < first.rows; row++) {
    const key = JSON.stringify(columns.map((p) => p.values[row]));
    if (seen.has(key)) return false;
    seen.add(key);
  }
  return true;
}

/** Every choice of so many of the items, in their order. */
function choose<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]];
  return items.flatMap((item, i) => choose(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]));
}
