import type { Finding } from "./keys.ts";
import { stemsOf, wordsOf } from "./names.ts";
import type { Profile } from "./profile.ts";

const TITLES = new Set(
  "title name subject headline label caption question titre nom sujet libellé libelle intitulé intitule titel bezeichnung titulo nombre".split(
    " ",
  ),
);
const PROSE = new Set(
  (
    "note description body comment text abstract summary content message answer resolution detail remark review bio " +
    "biography introduction texte résumé resume commentaire contenu réponse reponse"
  ).split(" "),
);
const FIRST = new Set(["firstname", "givenname", "forename", "prénom", "prenom"]);
const LAST = new Set(["lastname", "surname", "familyname", "nomdefamille"]);
/** Words before `name` that make it another thing's name. */
const ASIDE = new Set(
  "contact user owner manager ship shipping billing file host domain gateway courtesy city street".split(" "),
);

/** A title, and the one column of it that a lookup may show; none for a template. */
export interface Title {
  readonly title: string;
  readonly column: string | undefined;
}

/**
 * What a row is called by.
 * @param label the table's name for people, for rows that have no name.
 */
export function titleOf(
  table: string,
  label: string,
  profiles: readonly Profile[],
  key: readonly string[],
  usable: (column: string) => boolean,
): Finding<Title> | undefined {
  const candidates = profiles.filter((p) => usable(p.column.name) && !/[{}]/.test(p.column.name));
  const first = candidates.find((p) => FIRST.has(joined(p)));
  const last = candidates.find((p) => LAST.has(joined(p)));
  if (first && last) {
    return {
      value: { title: `{${first.column.name}} {${last.column.name}}`, column: last.column.name },
      reason: "first and last name",
      confidence: "high",
    };
  }
  const scored = candidates
    .filter((p) => p.shape === "text" && p.meanLength > 0)
    .map((p) => ({ p, score: score(p, table) }))
    .filter(({ score }) => score >= 45)
    .sort((a, b) => b.score - a.score || a.p.position - b.p.position);
  const [best] = scored;
  if (best) {
    const { p } = best;
    const share = Math.round((100 * p.distinct) / Math.max(1, p.rows - p.nulls));
    return {
      value: { title: p.column.name, column: p.column.name },
      reason: `named like a title; ${Math.round(p.meanLength)} characters on average, ${share} % of its values differ`,
      confidence: best.score >= 80 ? "high" : "medium",
    };
  }
  if (key.some((column) => /[{}]/.test(column) || !usable(column))) return undefined;
  const name = label.replace(/[{}]/g, "");
  return {
    value: { title: `${name} ${key.map((column) => `{${column}}`).join(", ")}`, column: undefined },
    reason: "no column reads like a title: the key names the row",
    confidence: "low",
  };
}

function joined(p: Profile): string {
  return wordsOf(p.column.name).join("");
}

function score(p: Profile, table: string): number {
  const stems = stemsOf(p.column.name);
  const own = stemsOf(table);
  const last = stems.at(-1) ?? "";
  const ratio = p.distinct / Math.max(1, p.rows - p.nulls);
  const before = stems.slice(0, -1);
  const mine = before.some((word) => own.some((o) => o === word || (word.length >= 3 && o.startsWith(word))));
  let points = 0;
  if (TITLES.has(last))
    points = before.length === 0 ? 100 : mine ? 95 : before.some((w) => ASIDE.has(w)) ? 50 : 70;
  else if (stems.join(" ") === own.join(" ")) points = 90;
  else if (last === "description") points = mine ? 65 : 45;
  // Another thing's name repeats.
  if (points < 95 && p.rows >= 20 && ratio < 0.5) return 0;
  if (p.meanLength > 160) points -= 60;
  return points + 10 * ratio - 30 * (p.nulls / Math.max(1, p.rows));
}

/** Columns of prose, in the table's order. */
export function proseOf(profiles: readonly Profile[], title: string | undefined): readonly Finding<string>[] {
  return profiles.flatMap((p): Finding<string>[] => {
    if (p.shape !== "text" || p.column.name === title) return [];
    const named = stemsOf(p.column.name).some((word) => PROSE.has(word));
    const written = p.meanWords >= 8 && p.meanLength >= 40;
    if (!written && !(named && p.meanWords >= 3)) return [];
    const words = `${Math.round(p.meanWords)} words on average`;
    return [
      {
        value: p.column.name,
        reason: named ? `named like prose, ${words}` : words,
        confidence: named && written ? "high" : "medium",
      },
    ];
  });
}

const CHANGED = new Set(
  "updated modified changed changedate mtime lastmodified maj modifié modifie".split(" "),
);

/** The column that says when a row changed. When it was made says nothing of that. */
export function changedAtOf(profiles: readonly Profile[]): Finding<string> | undefined {
  for (const p of profiles) {
    if (p.shape !== "timestamp" && p.shape !== "date") continue;
    const words = wordsOf(p.column.name);
    if (!words.some((word) => CHANGED.has(word)) || p.nulls > p.rows / 2) continue;
    return { value: p.column.name, reason: `a ${p.shape} named for changes`, confidence: "high" };
  }
  return undefined;
}
