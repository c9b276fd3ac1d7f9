import type { Finding } from "./keys.ts";
import {
  commonPrefix,
  endsIn,
  idStem,
  idStrength,
  meansPeople,
  shortens,
  stemsOf,
  wordsOf,
} from "./names.ts";
import type { Profile } from "./profile.ts";

/** A table as the search for joins sees it. */
export interface Joinable {
  readonly table: string;
  readonly profiles: readonly Profile[];
  readonly key: readonly string[];
  /** All values of a one-column key, as `fingerprint` gives them; undefined for other keys and for too many. */
  readonly keyValues: ReadonlySet<string> | undefined;
}

/** `table.column` of one table holds keys of another. */
export interface Join {
  readonly column: string;
  readonly to: string;
}

/** A table that a column may point at. `share` is undefined where it has too many keys to compare with. */
interface Scored {
  readonly to: Joinable;
  readonly named: number;
  readonly share: number | undefined;
  readonly score: number;
}

const CONTAINED = 0.9;
const SURE = 90;
const ROLES = new Set(
  "reporter manager supervisor owner boss assignee creator author approver responsible lead parent".split(
    " ",
  ),
);
const COUNTS = new Set(["num", "count", "total", "number", "n", "nb", "nombre", "no", "max", "min"]);
const SELF = new Set("parent manager supervisor boss superior".split(" "));

/** Foreign keys of a table: those whose name and whose values both point at another table's key (or its own). */
export function joinsOf(from: Joinable, all: readonly Joinable[]): readonly Finding<Join>[] {
  const prefix = commonPrefix(from.profiles.map((p) => p.column.name));
  return from.profiles.flatMap((p): Finding<Join>[] => {
    if (!["integer", "text", "uuid"].includes(p.shape) || p.distinct === 0) return [];
    const scored = all
      .flatMap((to): readonly Scored[] => {
        const named = nameScore(p.column.name, prefix, from, to);
        const share = contained(p, to);
        if (named === 0) return [];
        // Too many keys to compare with: only a name that leaves no doubt counts.
        if (share === undefined) return named >= SURE ? [{ to, named, share, score: named }] : [];
        return share >= CONTAINED ? [{ to, named, share, score: named + share }] : [];
      })
      .sort((a, b) => b.score - a.score || (a.to.table < b.to.table ? -1 : 1));
    const [best] = scored;
    if (!best) return [];
    const value = { column: p.column.name, to: best.to.table };
    if (best.share === undefined) {
      const reason = `its name; ${best.to.table} has too many keys to compare with here`;
      return [{ value, reason, confidence: "low" }];
    }
    const percent = Math.floor(best.share * 100);
    return [
      {
        value,
        reason: `its name, and ${percent} % of the values looked at are keys of ${best.to.table}`,
        confidence: best.named >= 80 && p.distinct >= 5 ? "high" : "medium",
      },
    ];
  });
}

/** 0 where the name does not point at the table's key. */
function nameScore(column: string, prefix: readonly string[], from: Joinable, to: Joinable): number {
  const [key] = to.key;
  if (key === undefined || to.key.length !== 1) return 0;
  const self = to.table === from.table;
  if (self && column === key) return 0;
  const stem = idStem(column);
  const target = stemsOf(to.table);
  const keyStem = idStem(key);
  const strength = idStrength(column);
  if (self)
    return endsIn(stem, target) || stem.some((w) => SELF.has(w)) || column.toLowerCase().startsWith("reports")
      ? 75
      : 0;
  const targetLast = target.at(-1) ?? "";
  // A table's own key is joined only to the table that it is named for.
  const ownKey = from.key.length === 1 && from.key[0] === column;
  if (strength !== undefined && stem.length > 0) {
    if (stem.join("") === target.join("")) return 100;
    if (endsIn(stem, target)) return 92;
    if (column === key && !ownKey && keyStem.length > 0) {
      const initial = targetLast.startsWith(keyStem.at(-1) ?? "-");
      return initial ? 90 : 70;
    }
    if (ownKey) return 0;
    if (stem.length >= 1 && endsIn(target, stem)) return 80;
  }
  if (ownKey) return 0;
  const bare = stem.slice(prefix.length > 0 && stem.length > prefix.length ? prefix.length : 0);
  const last = bare.at(-1) ?? "";
  const keyLast = keyStem.at(-1) ?? "";
  if (strength !== undefined && last !== "" && last === keyLast) return 78;
  if (strength !== undefined && shortens(last, targetLast)) return 70;
  if (meansPeople(to.table) && (ROLES.has(last) || endsIn(bare, ["by"]))) return 65;
  // Without a word that says id, a plural or a count says how many.
  const counts = wordsOf(column).at(-1) !== stem.at(-1) || COUNTS.has(bare[0] ?? "");
  if (counts && strength === undefined) return 0;
  if (strength === undefined && bare.length > 0 && (bare.at(-1) === targetLast || bare[0] === targetLast))
    return 60;
  const first = bare[0] ?? "";
  const role = bare.slice(1).every((word) => ["via", "by", "to", "from", "at", "in"].includes(word));
  return role && first.length >= 4 && shortens(first, targetLast) ? 55 : 0;
}

/** Share of the column's different values that are keys of the table; undefined where not all keys are known. */
function contained(p: Profile, to: Joinable): number | undefined {
  if (!to.keyValues) return undefined;
  const values = new Set(p.values.filter((value) => value !== null));
  let hits = 0;
  for (const value of values) if (to.keyValues.has(value)) hits += 1;
  return hits / values.size;
}
