import { lazily } from "../../shared/lazily.ts";
import { estimateTokens } from "../../shared/tokens.ts";

/** One thing that a chunk says: `label: value`. */
export interface Passage {
  /** Empty for a passage that speaks for itself. */
  readonly label: string;
  readonly value: string;
  /** What the row itself holds of it, where `value` says more (a name looked up); default `value`. */
  readonly own?: string;
}

export interface Chunk {
  /** Header and passages: what is embedded, and what a model reads. */
  readonly text: string;
  /** The row's own values alone. */
  readonly body: string;
}

/** Long enough for a paragraph, short enough that eight of them fit any prompt. */
export const CHUNK_TOKENS = 400;

/**
 * Packs passages, in order, into chunks of at most `maxTokens` (by `estimateTokens`), each headed by `header`. A passage that
 * does not fit is cut: between sentences where it can, else between words, else between graphemes; never inside one.
 * Every character of every value lands in exactly one chunk, in order.
 * @param maxTokens at least twice the header's tokens, and 32.
 */
export function chunk(header: string, passages: readonly Passage[], maxTokens: number): Chunk[] {
  const budget = maxTokens - estimateTokens(header) - 1;
  const chunks: Chunk[] = [];
  let lines: string[] = [];
  let values: string[] = [];
  let used = 0;
  const flush = (): void => {
    if (lines.length === 0) return;
    chunks.push({ text: [header, ...lines].filter((l) => l !== "").join("\n"), body: values.join("\n") });
    lines = [];
    values = [];
    used = 0;
  };
  for (const { label, value, own = value } of passages) {
    const lead = label === "" ? "" : `${label}: `;
    const cost = estimateTokens(lead) + estimateTokens(value) + 1;
    if (cost <= budget) {
      if (used + cost > budget) flush();
      lines.push(lead + value);
      values.push(own);
      used += cost;
      continue;
    }
    // The first piece fills what is left of the open chunk when that is worth a sentence or two.
    const room = Math.max(8, budget - estimateTokens(lead) - 1);
    if (budget - used < budget / 4) flush();
    for (const piece of pieces(value, room, Math.max(8, room - used))) {
      const tokens = estimateTokens(lead) + estimateTokens(piece) + 1;
      if (used + tokens > budget) flush();
      lines.push(lead + piece);
      values.push(piece);
      used += tokens;
    }
  }
  flush();
  if (chunks.length === 0 && header !== "") chunks.push({ text: header, body: "" });
  return chunks;
}

/** Cuts a text into parts of at most `max` tokens (the first at most `first`); joined, they are the text again. */
function* pieces(text: string, max: number, first: number): Generator<string> {
  let open = "";
  let used = 0;
  let limit = first;
  for (const sentence of split(text, SENTENCE_END)) {
    for (const part of fitting(sentence, max)) {
      const tokens = estimateTokens(part);
      if (open !== "" && used + tokens > limit) {
        yield open;
        limit = max;
        open = "";
        used = 0;
      }
      open += part;
      used += tokens;
    }
  }
  if (open !== "") yield open;
}

/** The sentence itself when it fits, else its words packed, else their graphemes packed. */
function* fitting(sentence: string, max: number): Generator<string> {
  if (estimateTokens(sentence) <= max) {
    yield sentence;
    return;
  }
  for (const word of split(sentence, WORD_END)) {
    if (estimateTokens(word) <= max) {
      yield word;
      continue;
    }
    let open = "";
    // A token is at least one UTF-16 unit by the estimate, so `max` units always fit; counting them is cheap.
    for (const { segment } of graphemes().segment(word)) {
      // A grapheme longer than a chunk (a letter under thousands of combining marks) is cut between code points.
      for (const unit of segment.length > max ? segment : [segment]) {
        if (open !== "" && open.length + unit.length > max) {
          yield open;
          open = "";
        }
        open += unit;
      }
    }
    if (open !== "") yield open;
  }
}

/** After `.`, `!`, `?` and their like with closing quotes and white space, or after line ends. */
const SENTENCE_END = /(?:[.!?…]["'»”’)\]]*\s+|[。！？．]["'»”’）」』]*\s*|(?:\r\n|\r|\n)\s*)/gu;
const WORD_END = /\s+/gu;
/** Loads ICU's rules, which takes longer than a run that has nothing to cut. */
const graphemes = lazily(() => new Intl.Segmenter("en", { granularity: "grapheme" }));

function* split(text: string, end: RegExp): Generator<string> {
  let from = 0;
  for (const match of text.matchAll(end)) {
    const to = match.index + match[0].length;
    yield text.slice(from, to);
    from = to;
  }
  if (from < text.length) yield text.slice(from);
}

/** The text's first `maxUnits` UTF-16 units, cut before the grapheme that crosses, with an ellipsis; itself when shorter. */
export function shorten(text: string, maxUnits: number): string {
  if (text.length <= maxUnits) return text;
  let end = 0;
  for (const { index, segment } of graphemes().segment(text.slice(0, maxUnits + 64))) {
    if (index + segment.length > maxUnits) break;
    end = index + segment.length;
  }
  return `${text.slice(0, end).trimEnd()}…`;
}
