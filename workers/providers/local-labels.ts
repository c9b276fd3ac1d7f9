import type { Evidence } from "../../shared/ports/evidence.ts";
import { foldText, stemsOf } from "../answer/understand-text.ts";
import { cellText } from "../answer/verify-claims.ts";

/** A label longer than this is a sentence with a colon in it. */
const LONGEST_LABEL = 60;

/**
 * The columns' labels for people, by column, as the passages write them: a `label: value` line each. A column has one where
 * exactly one line has its value, or one of them shares the most words with the column; the others are not in the map.
 */
export function labelsIn(passages: readonly string[], item: Evidence): ReadonlyMap<string, string> {
  const lines = passages.flatMap((passage) => passage.split("\n")).flatMap((line) => splitLine(line) ?? []);
  const texts = item.cells.map((cell) => cellText(cell.value).trim().split("\n")[0] ?? "");
  const out = new Map<string, string>();
  for (const [i, cell] of item.cells.entries()) {
    const text = texts[i];
    if (text === undefined || text === "") continue;
    const labels = [...new Set(lines.filter((line) => holds(line.value, text)).map((line) => line.label))];
    const ranked = labels
      .map((label) => ({ label, shared: sharedWords(label, cell.column) }))
      .sort((a, b) => b.shared - a.shared);
    const [best, next] = ranked;
    // A label that is the column's own name tells nothing new.
    if (!best || best.shared === next?.shared || best.label === cell.column) continue;
    const alone = labels.length === 1 && texts.filter((other) => other === text).length === 1;
    if (best.shared > 0 || alone) out.set(cell.column, best.label);
  }
  return out;
}

function splitLine(line: string): { readonly label: string; readonly value: string } | undefined {
  const colon = line.indexOf(": ");
  if (colon < 1 || colon > LONGEST_LABEL) return undefined;
  return { label: line.slice(0, colon), value: line.slice(colon + 2).trim() };
}

/** A looked-up name is followed by its key: `supplier: Alder & Co (supplier_id 7)`. */
function holds(value: string, text: string): boolean {
  return value === text || value.startsWith(`${text} (`);
}

function sharedWords(label: string, column: string): number {
  const words = foldText(column.replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")).match(/[\p{L}\p{N}]+/gu) ?? [];
  const stems = new Set(words.flatMap(stemsOf));
  const labels = foldText(label).match(/[\p{L}\p{N}]+/gu) ?? [];
  return labels.filter((word) => stemsOf(word).some((stem) => stems.has(stem))).length;
}
