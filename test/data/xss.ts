import * as z from "zod/mini";
import { citation } from "../browser/stub-data.ts";
import { hostile } from "./hostile.ts";

/** The hostile strings of one set, and answers that are made of nothing else. */

/** As many strings as one answer cites. */
const BATCH = 12;

const found = hostile("xss-strings.jsonl", z.object({ id: z.string(), text: z.string() })) ?? [];

/** Every string; none where the set is not there, which is said aloud. */
export const STRINGS: readonly string[] = found.map(({ text }) => text);

export const BATCHES = Array.from({ length: Math.ceil(found.length / BATCH) }, (_, n) => {
  const batch = found.slice(n * BATCH, (n + 1) * BATCH);
  return { texts: batch.map(({ text }) => text), name: `${batch[0]?.id} to ${batch.at(-1)?.id}` };
});

/** An answer that says each of the texts, and cites for it a row in which the same stands everywhere. */
export function hostileAnswer(texts: readonly string[]): {
  readonly said: string;
  readonly citations: readonly Record<string, unknown>[];
} {
  return {
    said: texts.map((text, i) => `${text}\n\nIt is so [${i + 1}].`).join("\n\n"),
    citations: texts.map((text, i) =>
      citation(i + 1, {
        table: text,
        title: text,
        excerpt: text,
        url: text,
        key: { id: text },
        cells: [{ column: text, value: text }],
      }),
    ),
  };
}
