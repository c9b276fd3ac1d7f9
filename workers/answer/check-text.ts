import type { Evidence, EvidenceCell } from "../../shared/ports/evidence.ts";
import { claimsOf, type Claims } from "./cite.ts";
import { sentencesOf, stemsOf, wordsOf } from "./understand-text.ts";
import { cellText, makeClaimChecker } from "./verify-claims.ts";

/** Cells of one row that speak for a claim, or against it. */
interface Grounds {
  readonly evidence: Evidence;
  readonly cells: readonly EvidenceCell[];
}

/** One sentence, held against rows. */
export interface CheckedClaim {
  readonly text: string;
  /** `unknown`: nothing in it can be looked up, or no row says anything of it. */
  readonly verdict: "supported" | "contradicted" | "unknown";
  /** What was not found: `number`, `date`, `identifier`, `name`; undefined when everything was, or nothing could be looked up. */
  readonly missing: string | undefined;
  readonly grounds: readonly Grounds[];
}

/** Most rows that are shown for one claim. */
const MAX_GROUNDS = 3;

/**
 * Holds every sentence of a text against rows: its numbers, dates, identifiers and names. A claim that a row does not hold is
 * contradicted when the sentence names that row and the column, and the row says another number or date there.
 */
export function checkText(text: string, evidence: readonly Evidence[]): readonly CheckedClaim[] {
  return sentencesOf(text).map((sentence): CheckedClaim => {
    const words = sentence.text.replace(/\[\d+\]/g, " ");
    const { claims: found, missing } = makeClaimChecker(evidence, "").check(words);
    const claims = claimsOf(words);
    if (found.length > 0 && missing === undefined) {
      const grounds = evidence.map((item) => ({ evidence: item, cells: saidCells(item, claims) }));
      return { text: sentence.text, verdict: "supported", missing, grounds: best(grounds) };
    }
    const against =
      missing === "number" || missing === "date"
        ? evidence.map((item) => ({ evidence: item, cells: otherCells(item, words, claims) }))
        : [];
    const grounds = best(against);
    return {
      text: sentence.text,
      verdict: grounds.length > 0 ? "contradicted" : "unknown",
      missing,
      grounds,
    };
  });
}

function best(grounds: readonly Grounds[]): readonly Grounds[] {
  return grounds
    .filter(({ cells }) => cells.length > 0)
    .toSorted((a, b) => b.cells.length - a.cells.length)
    .slice(0, MAX_GROUNDS);
}

function saidCells({ cells }: Evidence, claims: Claims): readonly EvidenceCell[] {
  return cells.filter(({ value }) => claims.says(cellText(value)));
}

/** Numbers and dates that the row, which the sentence names, has in columns that the sentence names, and that it does not say. */
function otherCells(item: Evidence, words: string, claims: Claims): readonly EvidenceCell[] {
  const named = [item.title, ...Object.values(item.key)].some((name) => name.length > 1 && claims.says(name));
  if (!named) return [];
  const stems = new Set(wordsOf(words).flatMap(({ folded }) => stemsOf(folded)));
  return item.cells.filter(({ column, value }) => {
    const text = cellText(value);
    if (!/^[-+]?\d/.test(text) || claims.says(text)) return false;
    const parts = wordsOf(column.replaceAll("_", " ")).filter(({ folded }) => folded.length > 2);
    return parts.length > 0 && parts.every(({ folded }) => stemsOf(folded).some((stem) => stems.has(stem)));
  });
}
