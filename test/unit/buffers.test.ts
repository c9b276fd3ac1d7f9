import { describe, expect, it } from "vitest";
import { makeBufferPool } from "../../shared/buffers.ts";

describe("memory that is used again", () => {
  it("is given for the next body of about the same size", () => {
    const pool = makeBufferPool(1);
    const first = pool.take(3_000_000);
    pool.give(first.subarray(0, 2_900_000));
    expect(pool.take(3_000_100).buffer).toBe(first.buffer);
  });

  it("is never given twice, nor where it is too small", () => {
    const pool = makeBufferPool(2);
    const first = pool.take(1000);
    pool.give(first);
    const larger = pool.take(5_000_000);
    const again = pool.take(1000);
    const other = pool.take(1000);
    expect(larger.byteLength).toBeGreaterThanOrEqual(5_000_000);
    expect([again.buffer === first.buffer, other.buffer === first.buffer]).toEqual([true, false]);
  });

  it("is kept for so many bodies, the last ones", () => {
    const pool = makeBufferPool(1);
    const [first, last] = [pool.take(1), pool.take(1)];
    pool.give(first);
    pool.give(last);
    expect([pool.take(1).buffer === last.buffer, pool.take(1).buffer === first.buffer]).toEqual([
      true,
      false,
    ]);
  });
});
