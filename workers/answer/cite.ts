import { isStopWord } from "../../shared/analysis.ts";
import type { Citation } from "../../shared/ports/answer.ts";
import type { Evidence, EvidenceCell } from "../../shared/ports/evidence.ts";
import { ofText } from "./of-text.ts";
import { foldText, sentencesOf, wordsOf, type Sentence, type Word } from "./understand-text.ts";
import { cellNumber, datesOf, isoOf, numbersOf } from "./understand-values.ts";
import { cellText } from "./verify-claims.ts";
import type { VerifyEvent } from "./verify.ts";

/** Most that an excerpt shows, in UTF-16 units. */
const EXCERPT_LENGTH = 360;
/** Most JSON that the cells of one citation take beyond those that the answer used, in UTF-16 units. */
const CELLS_LENGTH = 8000;

/** A longer cell is no date, whatever it begins with. */
const LONGEST_DATE = 30;
/** Of a longer cell this much is held against what is claimed, in UTF-16 units. */
const LONGEST_CELL = 200;
/** A longer cell is taken apart each time. */
const LONGEST_KEPT = 2000;
/** Characters of passages, and of cells, that are taken apart once. */
const MOST_KNOWN = 500_000;

/** `[2]`, `[2, 5]`, `[2;5]` */
const MARKER = /\[(\d{1,6}(?:\s*[,;]\s*\d{1,6})*)\]/g;
/** A marker that the next piece of text may complete. */
const OPEN_MARKER = /\[[\d\s,;]{0,40}$/;

/** Renumbers a stream's markers, which name evidence, in the order in which the reader meets them. */
export interface Citer {
  /** Takes what the verifier sent on; returns it with its markers renumbered and its offsets moved accordingly. */
  push(events: readonly VerifyEvent[]): readonly VerifyEvent[];
  /** What was still held back. Call once, last. */
  end(): readonly VerifyEvent[];
  /** Indices into the evidence: `cited()[0]` is what `[1]` names. */
  cited(): readonly number[];
  /** All that was sent, retractions applied. */
  text(): string;
}

export function makeCiter(evidenceCount: number): Citer {
  let sent = "";
  // What came in and is not sent yet: the beginning of what may be a marker.
  let held = "";
  let taken = 0;
  // Ends of markers in both texts, rising, to translate offsets.
  let points: { readonly from: number; readonly to: number }[] = [];
  let order: { readonly index: number; readonly at: number }[] = [];

  const numberOf = (index: number, at: number): number => {
    const known = order.findIndex((entry) => entry.index === index);
    if (known >= 0) return known + 1;
    order.push({ index, at });
    return order.length;
  };

  const take = (text: string, last: boolean): VerifyEvent[] => {
    const whole = held + text;
    const cut = last ? -1 : whole.search(OPEN_MARKER);
    const ready = cut < 0 ? whole : whole.slice(0, cut);
    held = cut < 0 ? "" : whole.slice(cut);
    let out = "";
    let at = 0;
    for (const match of ready.matchAll(MARKER)) {
      const numbers = new Set(
        (match[1] ?? "")
          .split(/[,;]/)
          .map(Number)
          .filter((n) => n >= 1 && n <= evidenceCount)
          .map((n) => numberOf(n - 1, taken + match.index)),
      );
      out += ready.slice(at, match.index) + [...numbers].map((n) => `[${n}]`).join("");
      at = match.index + match[0].length;
      points.push({ from: taken + at, to: sent.length + out.length });
    }
    out += ready.slice(at);
    taken += ready.length;
    sent += out;
    return out === "" ? [] : [{ type: "delta", text: out }];
  };

  const retract = (from: number): VerifyEvent[] => {
    if (from >= taken) {
      held = held.slice(0, from - taken);
      return [];
    }
    held = "";
    points = points.filter((point) => point.from <= from);
    order = order.filter((entry) => entry.at < from);
    const point = points.at(-1) ?? { from: 0, to: 0 };
    const to = point.to + (from - point.from);
    taken = from;
    sent = sent.slice(0, to);
    return [{ type: "retract", from: to }];
  };

  return {
    push: (events) =>
      events.flatMap((event) => {
        if (event.type === "settled") return event;
        return event.type === "delta" ? take(event.text, false) : retract(event.from);
      }),
    end: () => take("", true),
    cited: () => order.map((entry) => entry.index),
    text: () => sent,
  };
}

/** What is claimed of rows, taken apart once for all the rows that it is held against. */
export interface Claims {
  readonly stems: ReadonlySet<string>;
  /** Whether a cell's value is said, in whichever writing of numbers and dates. */
  says(value: string): boolean;
}

/** A citation as the answer carries it. `claims` are the sentences that name it, in the answer's words. */
export function citationOf(item: Evidence, marker: number, claims: Claims): Citation {
  return {
    marker,
    id: item.row,
    table: item.table,
    key: item.key,
    title: item.title,
    excerpt: excerptOf(item, claims.stems),
    cells: cellsOf(item.cells, claims),
    asOf: item.asOf,
    changedAt: item.changedAt,
    ...(item.url === undefined ? {} : { url: item.url }),
  };
}

/** Citations of a finished text whose markers count from 1: `cited[n - 1]` is what `[n]` names. */
export function citationsOf(
  text: string,
  cited: readonly number[],
  evidence: readonly Evidence[],
): readonly Citation[] {
  const sentences: string[] = [];
  for (const sentence of sentencesOf(text)) {
    // Markers after the full stop belong to the sentence before it.
    const bare = !/[\p{L}\p{N}]/u.test(sentence.text.replace(MARKER, ""));
    if (bare && sentences.length > 0) sentences.push(`${sentences.pop() ?? ""} ${sentence.text}`);
    else sentences.push(sentence.text);
  }
  return cited.flatMap((index, i) => {
    const item = evidence[index];
    if (!item) return [];
    const claims = sentences.filter((sentence) => sentence.includes(`[${i + 1}]`)).join("\n");
    return [citationOf(item, i + 1, claimsOf(claims.replace(MARKER, " ")))];
  });
}

/** A sentence of a passage, with the stems of what it says. */
interface Said extends Sentence {
  readonly stems: readonly string[];
}

/** A passage is held against the question, and against the answer once it is cited. */
const saidIn = ofText(MOST_KNOWN, (text): readonly Said[] =>
  sentencesOf(text).map((sentence) => ({ ...sentence, stems: [...stemsOf(wordsOf(sentence.text))] })),
);

/** The sentence that says most of what is claimed, and its neighbours while they fit. */
function excerptOf(item: Evidence, wanted: ReadonlySet<string>): string {
  const sentences = saidIn(item.text);
  let best = 0;
  let bestScore = -1;
  for (const [i, { stems }] of sentences.entries()) {
    let score = 0;
    for (const stem of stems) if (wanted.has(stem)) score += /\d/.test(stem) ? 2 : 1;
    // Among equals the one that says it with fewer words.
    score -= stems.length / 1000;
    if (score > bestScore) [best, bestScore] = [i, score];
  }
  const first = sentences[best];
  if (!first) return cut(item.text);
  let end = first.start + first.text.length;
  for (const next of sentences.slice(best + 1)) {
    const to = next.start + next.text.length;
    if (to - first.start > EXCERPT_LENGTH / 2) break;
    end = to;
  }
  return cut(item.text.slice(first.start, end));
}

function cut(text: string): string {
  if (text.length <= EXCERPT_LENGTH) return text;
  const head = text.slice(0, EXCERPT_LENGTH);
  return `${head.slice(0, Math.max(head.lastIndexOf(" "), EXCERPT_LENGTH / 2)).toWellFormed()}…`;
}

function stemsOf(words: readonly Word[]): ReadonlySet<string> {
  const stems = new Set<string>();
  for (const word of words) {
    if (!isStopWord(word.folded, "en") && !isStopWord(word.folded, "fr")) stems.add(word.stem);
  }
  return stems;
}

/** The cells that the claims use, then the others in column order while they fit. */
function cellsOf(cells: readonly EvidenceCell[], claims: Claims): readonly EvidenceCell[] {
  const used: EvidenceCell[] = [];
  const others: EvidenceCell[] = [];
  let room = CELLS_LENGTH;
  for (const cell of cells) {
    const value = cellText(cell.value);
    if (claims.says(value)) used.push(cell);
    else {
      room -= cell.column.length + value.length;
      if (room >= 0) others.push(cell);
    }
  }
  return [...used, ...others];
}

export function claimsOf(text: string): Claims {
  const words = wordsOf(text);
  const folded = foldText(text);
  const said = ` ${words.map((word) => word.folded).join(" ")} `;
  const numbers = new Set(numbersOf(folded).flatMap((mention) => mention.values.map(Math.abs)));
  const dates = new Set(datesOf(folded).map(isoOf));
  return {
    stems: stemsOf(words),
    says(value) {
      const { number, date, spoken } = value.length > LONGEST_KEPT ? takeApart(value) : apart(value);
      if (number !== undefined) return numbers.has(number);
      return date === undefined ? spoken !== "" && said.includes(spoken) : dates.has(date);
    },
  };
}

/** How a cell's value is said: as a number, else as a date, else in its words. */
interface Saying {
  /** Without its sign. */
  readonly number?: number;
  /** As ISO text. */
  readonly date?: string;
  /** Folded, with a space around each; empty for no words. */
  readonly spoken: string;
}

const apart = ofText(MOST_KNOWN, takeApart);

function takeApart(value: string): Saying {
  const number = cellNumber(value);
  if (number !== undefined) return { number: Math.abs(number), spoken: "" };
  if (value.length <= LONGEST_DATE) {
    const [date] = datesOf(foldText(value.slice(0, 10)));
    if (date) return { date: isoOf(date), spoken: "" };
  }
  const words = wordsOf(value.slice(0, LONGEST_CELL)).map((word) => word.folded);
  return { spoken: words.length === 0 ? "" : ` ${words.join(" ")} ` };
}
