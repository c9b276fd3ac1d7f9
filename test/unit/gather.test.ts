import { describe, expect, it, vi } from "vitest";
import { gathered } from "../../workers/providers/gather.ts";

/** A body that is written to by hand, and read as text. */
function open(spacingMs: () => number) {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const cancel = vi.fn<(reason: unknown) => void>();
  const body = new ReadableStream<Uint8Array>({ start: (c) => void (controller = c), cancel });
  const reader = gathered(body, spacingMs).getReader();
  return {
    cancel,
    write: (text: string) => controller?.enqueue(new TextEncoder().encode(text)),
    end: () => controller?.close(),
    fail: (error: Error) => controller?.error(error),
    read: async () => {
      const { done, value } = await reader.read();
      return done ? undefined : new TextDecoder().decode(value);
    },
    leave: (reason: unknown) => reader.cancel(reason),
  };
}

/** Pieces handed over, each with its time; the body tells `pieces` at their times and ends at the last. */
async function told(pieces: readonly (readonly [at: number, bytes: number])[], end: number) {
  vi.useFakeTimers();
  try {
    let controller: ReadableByteStreamController | undefined;
    const body = new ReadableStream({ type: "bytes", start: (c) => void (controller = c) });
    const reader = gathered(body, () => 16).getReader();
    for (const [at, bytes] of pieces) setTimeout(() => controller?.enqueue(new Uint8Array(bytes)), at);
    setTimeout(() => {
      controller?.close();
      controller?.byobRequest?.respond(0);
    }, end);
    const start = performance.now();
    const handed: (readonly [number, number])[] = [];
    const reading = (async () => {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        handed.push([Math.round(performance.now() - start), read.value.byteLength]);
      }
    })();
    await vi.advanceTimersByTimeAsync(end + 100);
    await reading;
    return handed;
  } finally {
    vi.useRealTimers();
  }
}
const every = (ms: number, count: number, bytes = 250) =>
  Array.from({ length: count }, (_, i) => [1 + i * ms, bytes] as const);
const sum = (handed: readonly (readonly [number, number])[]) =>
  handed.reduce((all, [, bytes]) => all + bytes, 0);

describe("gathered", () => {
  it("hands over the first piece at once", async () => {
    const body = open(() => 1e6);
    body.write("a");
    expect(await body.read()).toBe("a");
  });

  it("hands over together what comes within the spacing", async () => {
    vi.useFakeTimers();
    try {
      const body = open(() => 16);
      body.write("a");
      await body.read();
      body.write("b");
      const next = body.read();
      await vi.advanceTimersByTimeAsync(10);
      body.write("c");
      await vi.advanceTimersByTimeAsync(10);
      expect(await next).toBe("bc");
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not delay a piece that comes after the spacing", async () => {
    vi.useFakeTimers();
    try {
      const body = open(() => 16);
      body.write("a");
      await body.read();
      await vi.advanceTimersByTimeAsync(20);
      body.write("b");
      expect(await body.read()).toBe("b");
    } finally {
      vi.useRealTimers();
    }
  });

  it("does not wait for the spacing once the body has ended", async () => {
    const body = open(() => 1e6);
    body.write("a");
    await body.read();
    body.write("b");
    const next = body.read();
    body.end();
    expect([await next, await body.read()]).toEqual(["b", undefined]);
  });

  it("hands over what came before an error, then the error", async () => {
    const body = open(() => 1e6);
    body.write("a");
    await body.read();
    body.write("b");
    const next = body.read();
    await Promise.resolve();
    body.fail(new Error("broken"));
    expect(await next).toBe("b");
    await expect(body.read()).rejects.toThrow("broken");
  });

  it("hands over early what is too much to hold", async () => {
    const body = open(() => 1e6);
    body.write("a");
    await body.read();
    body.write("b".repeat(70_000));
    expect((await body.read())?.length).toBe(70_000);
  });

  it("goes on after it held too much", async () => {
    const body = open(() => 0);
    body.write("a".repeat(70_000));
    body.write("b");
    await body.read();
    body.end();
    expect([await body.read(), await body.read()]).toEqual(["b", undefined]);
  });

  it("cancels the body", async () => {
    const body = open(() => 0);
    body.write("a");
    await body.read();
    await body.leave("gone");
    expect(body.cancel).toHaveBeenCalledWith("gone");
  });

  describe("of a body of bytes", () => {
    it("holds back no more than half of what a fast model tells in a spacing, and that only while it pauses", async () => {
      const handed = await told([...every(2, 40), [300, 250]], 400);
      expect(sum(handed)).toBe(41 * 250);
      const shown = sum(handed.filter(([at]) => at < 300));
      expect(40 * 250 - shown).toBeGreaterThan(0);
      expect(40 * 250 - shown).toBeLessThanOrEqual(1024);
    });

    it("hands over the rest when it ends", async () => {
      const handed = await told(every(2, 41), 90);
      expect(sum(handed)).toBe(41 * 250);
      expect(handed.at(-1)?.[0]).toBeLessThanOrEqual(91);
    });

    it("does not delay a slow model, not even after a burst", async () => {
      const slow = [
        [1, 4000],
        [30, 250],
        [60, 4000],
        [90, 250],
        [120, 250],
      ] as const;
      expect(await told(slow, 200)).toEqual(slow);
    });
  });
});
