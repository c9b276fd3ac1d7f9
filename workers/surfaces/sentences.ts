import type { AnswerEvent } from "../../shared/ports/answer.ts";

/**
 * The text of an answer for a place that can't take words back: it is given out sentence by sentence, once verification is
 * done with them. What is retracted later all the same is in the end's text only.
 */
export interface Sentences {
  /** @returns what may be shown now and was not before; often nothing. */
  push(event: AnswerEvent): string;
  /** Everything that was given out. */
  readonly shown: string;
}

/** A sentence's end, with its markers, where another sentence has begun; a line's end counts too. */
const END = /(?:[.!?…]["”»)\]]*(?:\s*\[\d{1,3}\])*\s+(?=[^\s[])|\n+(?=\S))/g;

export function makeSentences(): Sentences {
  let text = "";
  let shown = "";
  return {
    get shown() {
      return shown;
    },
    push(event) {
      if (event.type === "delta") text += event.text;
      else if (event.type === "retract") text = text.slice(0, event.from);
      else return "";
      // What was shown was taken back: the whole text is told anew at the end, and nothing before it.
      if (!text.startsWith(shown)) return "";
      let end = shown.length;
      for (const match of text.slice(shown.length).matchAll(END))
        end = shown.length + match.index + match[0].length;
      const ready = text.slice(shown.length, end);
      shown += ready;
      return ready;
    },
  };
}
