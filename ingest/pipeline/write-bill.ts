import type { StagedChunk } from "../../shared/ports/registry.ts";
import type { WriteUnits } from "../../shared/ports/vector-index.ts";

/** What writing a table's chunks to an index will be billed, about. */
export interface WriteBill {
  /** @param before how many chunks the row's view has in the index now: written over, or deleted where it has fewer now. */
  write(chunks: readonly Pick<StagedChunk, "text">[], before: number): void;
  /** Chunks of a row that is gone. */
  remove(chunks: number): void;
  /** The fewest of a request counted once for what is written and once for what is deleted. */
  units(): number;
}

/** Id, class and table beside the text, about. */
const RECORD_BYTES = 120;
/** Text of a record that is deleted, which nothing is known of but that it is there. */
const TEXT_BYTES = 500;

/** @param billing undefined where the index bills no sizes: a text is a unit then, and a removal none. */
export function makeWriteBill(dimensions: number, billing: WriteUnits | undefined): WriteBill {
  let texts = 0;
  let written = 0;
  let deleted = 0;
  // A UTF-16 unit is a byte or more, mostly one.
  const sizeOf = (textLength: number): number => dimensions * 4 + textLength + RECORD_BYTES;
  return {
    write(chunks, before) {
      texts += chunks.length;
      const bytes = chunks.reduce((sum, { text }) => sum + sizeOf(text.length), 0);
      // What was there is taken to be as large as what takes its place.
      const earlier = chunks.length === 0 ? 0 : bytes / chunks.length;
      written += bytes + Math.min(before, chunks.length) * earlier;
      deleted += Math.max(0, before - chunks.length) * earlier;
    },
    remove(chunks) {
      deleted += chunks * sizeOf(TEXT_BYTES);
    },
    units() {
      if (!billing) return texts;
      const of = (bytes: number): number =>
        bytes === 0 ? 0 : Math.max(billing.least, Math.ceil(bytes / billing.bytes));
      return of(written) + of(deleted);
    },
  };
}
