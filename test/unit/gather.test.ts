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
});
