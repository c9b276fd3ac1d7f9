import type { Evidence } from "../../shared/ports/evidence.ts";
import { conceptsOf } from "../answer/understand-lexicon.ts";
import { foldText, sentencesOf, stemsOf } from "../answer/understand-text.ts";
import { cellNumber, cellTime } from "../answer/understand-values.ts";
import { labelsIn } from "./local-labels.ts";
import { cellText } from "../answer/verify-claims.ts";

/** Evidence as the built-in answerers read it: rows with typed fields, and sentences where a field is prose. */

/** The words of a value or a name, ready to be matched. */
export interface Bag {
  readonly words: ReadonlySet<string>;
  readonly stems: ReadonlySet<string>;
  readonly concepts: ReadonlySet<string>;
}

export interface Field {
  readonly column: string;
  /** The column as people write it: `unit_price` → `unit price`. */
  readonly label: string;
  readonly value: string;
  readonly name: Bag;
  readonly content: Bag;
  readonly shape: "number" | "date" | "boolean" | "text" | "prose";
  readonly number: number | undefined;
  /** Milliseconds, for a date or a moment. */
  readonly time: number | undefined;
  /** Part of the row's key, and no name for people. */
  readonly key: boolean;
  /** A foreign key whose name follows in the next field. */
  readonly reference: boolean;
  /** Repeats the row's title, or a part of it. */
  readonly title: boolean;
  /** Sentences of prose; empty for other shapes. */
  readonly sentences: readonly Sentence[];
}

export interface Sentence {
  readonly text: string;
  readonly content: Bag;
}

export interface Fact {
  /** 1-based; what the text cites. */
  readonly marker: number;
  readonly evidence: Evidence;
  /** The table's name: what kind of thing the row is. */
  readonly kind: Bag;
  /** The table's name in the singular, as people write it. */
  readonly kindName: string;
  readonly title: string;
  readonly titleBag: Bag;
  readonly fields: readonly Field[];
}

/** A value of this many characters or sentences is prose. */
const PROSE_CHARS = 90;
/** Sentences of a longer value are taken from the passage that was found, not from the whole of it. */
const LONGEST_PROSE = 6000;
/** A line shorter than this says nothing by itself. */
const SHORTEST_LOOSE = 30;

/** One fact a row, in evidence order; further passages of a row add their sentences to its first. */
export function factsOf(evidence: readonly Evidence[]): Fact[] {
  const known: Known = new Map();
  const byRow = new Map<string, { first: number; passages: string[] }>();
  for (const [i, item] of evidence.entries()) {
    const seen = byRow.get(item.row);
    if (seen) seen.passages.push(item.text);
    else byRow.set(item.row, { first: i, passages: [item.text] });
  }
  return [...byRow.values()].flatMap(({ first, passages }) => {
    const item = evidence[first];
    return item ? [factOf(item, first + 1, passages, known)] : [];
  });
}

function factOf(item: Evidence, marker: number, passages: readonly string[], known: Known): Fact {
  const title = item.title.trim();
  const titleBag = bagOf(title, known);
  const kindText = item.table.replaceAll(/[_\-.]+/g, " ");
  return {
    marker,
    evidence: item,
    kind: bagOf(kindText, known),
    kindName: singular(kindText),
    title,
    titleBag,
    fields: [...fieldsOf(item, title, passages, known), ...loose(item, title, passages, known)],
  };
}

function fieldsOf(item: Evidence, title: string, passages: readonly string[], known: Known): Field[] {
  const labels = labelsIn(passages, item);
  return item.cells.flatMap((cell, i) => {
    const value = cellText(cell.value).trim();
    if (value === "") return [];
    const packed = unpack(value);
    if (packed) return packed.map(([name, part]) => fieldOf(name, part, title, passages, known));
    const field = fieldOf(cell.column, value, title, passages, known, labels.get(cell.column));
    const key = Object.hasOwn(item.key, cell.column);
    return [{ ...field, key, reference: isNamedBy(cell.column, item.cells[i + 1]?.column) }];
  });
}

/** Sentences that a passage has beyond the row's cells, its title and the table's own heading. */
function loose(item: Evidence, title: string, passages: readonly string[], known: Known): Field[] {
  const values = item.cells.map((cell) => cellText(cell.value).trim()).filter((value) => value !== "");
  const heading = foldText(item.table.replaceAll(/[_\-.]+/g, " "));
  const lines = passages
    .flatMap((passage) => passage.split("\n"))
    .filter(
      (line) =>
        line.length >= SHORTEST_LOOSE &&
        line.trim() !== title &&
        !foldText(line).startsWith(heading) &&
        !values.some(
          (value) =>
            line.includes(value) ||
            (value.length > line.length && value.includes(line.replace(/^[^:]{1,60}: /, ""))),
        ),
    );
  if (lines.length === 0) return [];
  const text = [...new Set(lines)].join("\n");
  const field = fieldOf("text", text, title, passages, known);
  const sentences = sentencesOf(text).map((sentence) => ({
    text: sentence.text,
    content: bagOf(sentence.text, known),
  }));
  return [{ ...field, shape: "prose", sentences, number: undefined, time: undefined, title: false }];
}

/** Whether a column is a foreign key and the next one the name that was looked up for it. */
function isNamedBy(column: string, next: string | undefined): boolean {
  if (next === undefined) return false;
  const stem = column.replace(/[_ ]?(?:id|key|code)$/i, "");
  return (next === stem && stem !== column) || next === `${column}_name` || next.startsWith(`${column} (`);
}

function fieldOf(
  column: string,
  value: string,
  title: string,
  passages: readonly string[],
  known: Known,
  given?: string,
): Field {
  const plain = labelOf(column);
  const label = given ?? plain;
  const number = cellNumber(value);
  const time = number === undefined ? cellTime(value) : undefined;
  const prose = number === undefined && time === undefined ? proseOf(value, passages) : [];
  const sentences = prose.map((text) => ({ text, content: bagOf(text, known) }));
  const folded = foldText(value);
  const shape =
    time !== undefined
      ? "date"
      : number !== undefined
        ? "number"
        : /^(?:true|false|yes|no|oui|non)$/.test(folded)
          ? "boolean"
          : sentences.length > 0
            ? "prose"
            : "text";
  const foldedTitle = foldText(title);
  return {
    column,
    label,
    value,
    name: bagOf(label === plain ? plain : `${plain} ${label}`, known),
    content: bagOf(value, known),
    shape,
    number,
    time,
    key: false,
    reference: false,
    title:
      folded === foldedTitle ||
      (shape === "text" && folded.length > 2 && ` ${foldedTitle} `.includes(` ${folded} `)),
    sentences,
  };
}

function proseOf(value: string, passages: readonly string[]): string[] {
  if (value.length <= PROSE_CHARS) return [];
  const texts = value.length <= LONGEST_PROSE ? [value] : passages;
  return texts.flatMap((text) => sentencesOf(text).map((sentence) => sentence.text));
}

/** `unit_price`, `unitPrice`, `supplier_id` → `unit price`, `unit price`, `supplier`. */
function labelOf(column: string): string {
  const spaced = column
    .replace(/(\p{Ll})(\p{Lu})/gu, "$1 $2")
    .replaceAll(/[_\-.]+/g, " ")
    .trim();
  const text =
    /^\p{Lu}[\p{Ll} ]+$/u.test(spaced) || !/\p{Lu}{2}/u.test(spaced) ? spaced.toLowerCase() : spaced;
  return text.length > 3 && / (?:id|key|fk)$/.test(text) ? text.slice(0, text.lastIndexOf(" ")) : text;
}

/** Parts of a cell that packs several: `Year: 2011; Title: Teresa; Role: Mariano`. */
function unpack(value: string): [string, string][] | undefined {
  if (!value.includes("; ") || !/^[^:;\n]{1,60}: /.test(value)) return undefined;
  const parts = value.split(/; (?=[^:;]{1,60}: )/);
  if (parts.length < 2) return undefined;
  const pairs: [string, string][] = [];
  for (const part of parts) {
    const colon = part.indexOf(": ");
    if (colon < 1 || colon > 60) return undefined;
    const text = part.slice(colon + 2).trim();
    if (text !== "") pairs.push([part.slice(0, colon), text]);
  }
  return pairs;
}

/** Words already looked up, by folded word: one request reads the same words many times. */
type Known = Map<string, { readonly stems: readonly string[]; readonly concepts: readonly string[] }>;

/** The words of a text, their stems and what the lexicon says that they may mean. */
function bagOf(text: string, known: Known): Bag {
  const words = new Set<string>();
  const stems = new Set<string>();
  const concepts = new Set<string>();
  for (const [word] of foldText(text).matchAll(/[\p{L}\p{N}]+/gu)) {
    if (words.has(word)) continue;
    words.add(word);
    let forms = known.get(word);
    if (!forms) {
      const both = stemsOf(word);
      forms = { stems: both, concepts: conceptsOf(both) };
      known.set(word, forms);
    }
    for (const stem of forms.stems) stems.add(stem);
    for (const concept of forms.concepts) concepts.add(concept);
  }
  return { words, stems, concepts };
}

function singular(name: string): string {
  const words = name.split(" ");
  const last = words.pop() ?? "";
  const one = last.endsWith("ies")
    ? `${last.slice(0, -3)}y`
    : /(?:ss|us|is)$/.test(last)
      ? last
      : /(?:x|ch|sh|ss)es$/.test(last)
        ? last.slice(0, -2)
        : last.endsWith("s")
          ? last.slice(0, -1)
          : last;
  return [...words, one].join(" ");
}

/** The row's name for a sentence: its title, with the kind of thing before it where the title alone is a number or code. */
export function nameOf(fact: Fact): string {
  const bare =
    fact.title === "" ||
    /^[\d\s|/-]+$/.test(fact.title) ||
    fact.title === Object.values(fact.evidence.key).join("|");
  if (!bare) return fact.title;
  const key = fact.title === "" ? Object.values(fact.evidence.key).join(" ") : fact.title;
  return `${fact.kindName} ${key}`;
}
