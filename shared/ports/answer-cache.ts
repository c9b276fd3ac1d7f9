import type { Answer } from "./answer.ts";
import type { Classification } from "./evidence.ts";

/** A finished answer with what it takes to know that it still holds. */
export interface CachedAnswer {
  /** Repeats the key that it was stored under; an entry whose key differs is not used. */
  readonly key: string;
  readonly answer: Answer;
  /** When it stops being used, wherever it was copied to; milliseconds since the epoch. */
  readonly until: number;
  /** `[row id, version]` of every row that the answer was written from (cited or only read). */
  readonly rows: readonly (readonly [string, string])[];
  /** The classifications of these rows, each once. */
  readonly classes: readonly Classification[];
}

/**
 * Finished answers. A broken cache is a slow cache: neither method throws; failures are logged, `get` gives undefined.
 * The only port that may fail quietly.
 */
export interface AnswerCache {
  get(key: string): Promise<CachedAnswer | undefined>;
  put(entry: CachedAnswer): Promise<void>;
}
