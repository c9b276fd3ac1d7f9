import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";

/** How many calls may be under way, found out by trying: one more after each good one, half after a limit was met. */
export interface Pace {
  /** Calls that may be under way now. */
  readonly limit: number;
  /**
   * Makes one call. A limit that says how long it lasts makes every call of this pace wait, then this one is made again.
   * @param size of the call, for comparing how long calls take.
   * @throws what the call throws; `rate_limited` when the limit has lasted for `PATIENCE_MS`.
   */
  run<T extends { readonly restMs?: number }>(size: number, call: () => Promise<T>): Promise<T>;
}

export interface PaceOptions {
  /** Most calls under way. */
  readonly most: number;
  readonly now: () => number;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
}

const START = 4;
/** A call that takes this many times as long as the quickest says that the other side is busy. */
const SLOW = 3;
const PATIENCE_MS = 10 * 60_000;

export function makePace({ most, now, wait, signal }: PaceOptions): Pace {
  let limit = Math.min(START, most);
  let freeAt = 0;
  let quickest = Number.POSITIVE_INFINITY;

  const rest = (ms: number): void => {
    freeAt = Math.max(freeAt, now() + ms);
  };
  const judge = (msPerUnit: number): void => {
    quickest = Math.min(quickest, msPerUnit);
    limit = msPerUnit > quickest * SLOW ? Math.max(1, limit - 1) : Math.min(most, limit + 1);
  };

  return {
    get limit() {
      return limit;
    },
    async run(size, call) {
      const patientUntil = now() + PATIENCE_MS;
      for (;;) {
        while (freeAt > now()) await wait(freeAt - now(), signal);
        const started = now();
        try {
          const found = await call();
          judge((now() - started) / Math.max(1, size));
          if (found.restMs !== undefined) rest(found.restMs);
          return found;
        } catch (error) {
          const limited = error instanceof QuaysideError && error.code === "rate_limited";
          if (!limited || error.retryAfterMs === undefined || now() + error.retryAfterMs > patientUntil)
            throw error;
          // Calls that were under way together meet the same limit: it halves the pace once.
          if (freeAt <= started) limit = Math.max(1, limit >> 1);
          rest(error.retryAfterMs);
        }
      }
    },
  };
}

/** An embedder whose calls keep the pace. */
export function paced(embedder: Embedder, pace: Pace): Embedder {
  return {
    ...embedder,
    embed: (texts, purpose, signal) => pace.run(texts.length, () => embedder.embed(texts, purpose, signal)),
  };
}
