import type { Limits } from "../../shared/config-limits.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/**
 * Request rate and concurrency, as a first sieve: counted in this isolate, so a tenant that is spread over several gets a
 * multiple. Budgets are hard and live in the ledger.
 */
export interface RequestLimiter {
  /**
   * Counts a request in. Call the result when it is over, however it ends; calling it again does nothing.
   * @throws QuaysideError `too_many_concurrent`, `rate_limited`, with `retryAfterMs`. A refused request costs nothing.
   */
  enter(principal: Principal, limits: RateLimits): () => void;
}

export type RateLimits = Pick<Limits, "requestsPerMinute" | "tenantRequestsPerMinute" | "concurrentRequests">;

/** Full at its size, refilled evenly over a minute. */
interface Bucket {
  tokens: number;
  /** Milliseconds since the epoch of the last refill. */
  at: number;
}

const MINUTE_MS = 60_000;
/** A bucket that nobody took from for a minute is as good as none. */
const SWEEP_ABOVE = 10_000;
const CONCURRENT_WAIT_MS = 1000;

/** @param now milliseconds since the epoch. */
export function makeRequestLimiter(now: () => number): RequestLimiter {
  const buckets = new Map<string, Bucket>();
  const active = new Map<string, number>();

  function bucketOf(key: string, perMinute: number, at: number): Bucket {
    const bucket = buckets.get(key) ?? { tokens: perMinute, at };
    const refill = (Math.max(0, at - bucket.at) / MINUTE_MS) * perMinute;
    bucket.tokens = Math.min(perMinute, bucket.tokens + refill);
    bucket.at = at;
    buckets.set(key, bucket);
    return bucket;
  }

  function sweep(at: number): void {
    if (buckets.size <= SWEEP_ABOVE) return;
    for (const [key, bucket] of buckets) if (at - bucket.at > MINUTE_MS) buckets.delete(key);
  }

  return {
    enter(principal, limits) {
      const at = now();
      sweep(at);
      // Length first: no tenant and subject can be read as another pair.
      const tenantKey = `${principal.tenant.length}:${principal.tenant}`;
      const key = `${tenantKey}:${principal.subject}`;
      const running = active.get(key) ?? 0;
      if (running >= limits.concurrentRequests) {
        throw new QuaysideError(
          "too_many_concurrent",
          `You have ${limits.concurrentRequests} requests running, which is the limit.`,
          { retryAfterMs: CONCURRENT_WAIT_MS },
        );
      }
      const own = bucketOf(key, limits.requestsPerMinute, at);
      const shared = bucketOf(tenantKey, limits.tenantRequestsPerMinute, at);
      const waitMs = Math.max(
        waitOf(own, limits.requestsPerMinute),
        waitOf(shared, limits.tenantRequestsPerMinute),
      );
      if (waitMs > 0) {
        throw new QuaysideError("rate_limited", "Too many requests in the last minute.", {
          retryAfterMs: waitMs,
        });
      }
      own.tokens -= 1;
      shared.tokens -= 1;
      active.set(key, running + 1);
      let over = false;
      return () => {
        if (over) return;
        over = true;
        const left = (active.get(key) ?? 1) - 1;
        if (left > 0) active.set(key, left);
        else active.delete(key);
      };
    },
  };
}

/** Milliseconds until the bucket holds a whole token. */
function waitOf(bucket: Bucket, perMinute: number): number {
  return bucket.tokens >= 1 ? 0 : Math.ceil(((1 - bucket.tokens) / perMinute) * MINUTE_MS);
}
