import { foldText } from "./understand-text.ts";

/** A run of this many words of the instructions in an answer is a leak of them. */
const RUN = 8;

export interface LeakWatch {
  /** Takes the next word of an answer. @returns whether it completes a run of the instructions. */
  leaks(word: string): boolean;
  /** Whether it would, were it the next: takes nothing. */
  wouldLeak(word: string): boolean;
}

/** Every run of words in a text, folded. Texts of fewer words have none. */
export function runsOf(text: string): ReadonlySet<string> {
  const words = text.split(/\s+/).map(bare).filter(Boolean);
  return new Set(words.slice(RUN - 1).map((_, i) => words.slice(i, i + RUN).join(" ")));
}

/** @param runs of the instructions; asked for only once an answer is that long. */
export function makeLeakWatch(runs: () => ReadonlySet<string>): LeakWatch {
  const last: string[] = [];
  return {
    wouldLeak(word) {
      const next = bare(word);
      if (next === "" || last.length < RUN - 1) return false;
      return runs().has([...last.slice(1 - RUN), next].join(" "));
    },
    leaks(word) {
      const next = bare(word);
      if (next === "") return false;
      last.push(next);
      if (last.length > RUN) last.shift();
      return last.length === RUN && runs().has(last.join(" "));
    },
  };
}

function bare(word: string): string {
  return foldText(word).replace(/[^\p{L}\p{N}]/gu, "");
}
