import type { Claim } from "./verify-claims.ts";

/** A sentence of an answer as it was sent. */
export interface SentSentence {
  /** Where it begins in the text sent so far, the white space before it included. */
  readonly from: number;
  readonly text: string;
  /** What must be in a row that the answer cites, wherever it does. */
  readonly claims: readonly Claim[];
  /** The rows that its markers name: indices into the evidence. */
  readonly cited: readonly number[];
}

/** Sentences that wait for a citation of the rows which they rest on: it may come with a later sentence. */
export interface Waiting {
  /** @returns whether every sentence so far rests on rows that are cited: none of them is taken back any more. */
  add(sentence: SentSentence): boolean;
  /** Which of those that still wait rest on cited rows now that no citation follows. A sentence that goes takes its own with it. */
  end(): {
    readonly stand: readonly SentSentence[];
    readonly fall: readonly SentSentence[];
    /** What is cited in the end. */
    readonly rows: ReadonlySet<number>;
  };
}

export function makeWaiting(): Waiting {
  const settled = new Set<number>();
  const cited = new Set<number>();
  let waiting: SentSentence[] = [];
  // Those before it rest on cited rows. What is cited only grows, so none is looked at twice for nothing.
  let next = 0;

  return {
    add(sentence) {
      const before = cited.size;
      for (const row of sentence.cited) cited.add(row);
      waiting.push(sentence);
      if (cited.size > before || next === waiting.length - 1) {
        while (next < waiting.length && rests(waiting[next], cited)) next++;
      }
      if (next < waiting.length) return false;
      for (const one of waiting) for (const row of one.cited) settled.add(row);
      waiting = [];
      next = 0;
      return true;
    },
    end() {
      let rows: ReadonlySet<number> = cited;
      let stand: readonly SentSentence[] = waiting;
      for (let before = -1; before !== rows.size;) {
        before = rows.size;
        const known = rows;
        stand = stand.filter((sentence) => rests(sentence, known));
        rows = new Set([...settled, ...stand.flatMap((sentence) => sentence.cited)]);
      }
      const standing = new Set(stand);
      return { stand, fall: waiting.filter((sentence) => !standing.has(sentence)), rows };
    },
  };
}

function rests(sentence: SentSentence | undefined, rows: ReadonlySet<number>): boolean {
  return sentence?.claims.every((claim) => claim.heldBy(rows)) ?? true;
}
