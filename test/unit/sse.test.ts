import { assert, asyncProperty, nat, uniqueArray } from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { readEvents, type SseEvent } from "../../shared/sse.ts";

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
}

async function eventsOf(
  chunks: readonly (string | Uint8Array)[],
  signal = new AbortController().signal,
  maxBytes = 1000,
): Promise<SseEvent[]> {
  const bytes = chunks.map((chunk) => (typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk));
  const events: SseEvent[] = [];
  for await (const batch of readEvents(streamOf(bytes), maxBytes, signal)) events.push(...batch);
  return events;
}

describe("readEvents", () => {
  it("reads name and data", async () => {
    expect(await eventsOf(["event: delta\ndata: one\n\n"])).toEqual([{ name: "delta", data: "one" }]);
  });

  it.each([
    ["one long line in many pieces", ["data: ", ...Array<string>(300).fill("x".repeat(100)), "\n\n"]],
    ["many lines in one piece", ["data: x\n".repeat(3000), "\n"]],
  ])("looks through each character a few times: %s", async (_, chunks) => {
    const spies = [vi.spyOn(String.prototype, "indexOf"), vi.spyOn(String.prototype, "slice")];
    let looked = 0;
    try {
      await eventsOf(chunks, undefined, 100_000);
      for (const { mock } of spies) {
        for (const [i, call] of mock.calls.entries()) {
          const text = String(mock.contexts[i]);
          const found = mock.results[i]?.value as unknown;
          const from = call[1] ?? 0;
          looked +=
            typeof found === "number" ? (found < 0 ? text.length : found) - from : String(found).length;
        }
      }
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    expect(looked).toBeLessThan(10 * chunks.join("").length);
  });

  it("joins data lines, and takes one space after the colon only", async () => {
    expect(await eventsOf(["data:  a\ndata:b\n\n"])).toEqual([{ name: undefined, data: " a\nb" }]);
  });

  it("skips comments, other fields and events without data", async () => {
    expect(await eventsOf([": ping\nid: 7\n\nevent: empty\n\ndata: x\n\n"])).toEqual([
      { name: undefined, data: "x" },
    ]);
  });

  it("hands over an event that the stream ends in", async () => {
    expect(await eventsOf(["data: a\n\ndata: cut"])).toEqual([
      { name: undefined, data: "a" },
      { name: undefined, data: "cut" },
    ]);
  });

  it.each(["\n", "\r", "\r\n"])("reads the same wherever the stream is split, line ends %j", async (end) => {
    const text = `\uFEFFevent: é😀${end}data: première ligne${end}data: 2${end}${end}: c${end}data: x${end}${end}`;
    const bytes = new TextEncoder().encode(text);
    await assert(
      asyncProperty(uniqueArray(nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((edge, i) => bytes.subarray(edges[i], edge));
        expect(await eventsOf(chunks)).toEqual([
          { name: "é😀", data: "première ligne\n2" },
          { name: undefined, data: "x" },
        ]);
      }),
    );
  });

  it("hands over together what arrived together", async () => {
    const batches: number[] = [];
    const stream = streamOf(
      ["data: 1\n\ndata: 2\n\n", "data: 3\n\n"].map((s) => new TextEncoder().encode(s)),
    );
    for await (const batch of readEvents(stream, 1000, new AbortController().signal))
      batches.push(batch.length);
    expect(batches).toEqual([2, 1]);
  });

  it("gives up on a stream that is too long", async () => {
    await expect(eventsOf([`: ${"x".repeat(2000)}`])).rejects.toMatchObject({
      code: "provider_bad_response",
    });
  });

  it("stops a body that would never notice the abort", async () => {
    const controller = new AbortController();
    const stalled = new ReadableStream<Uint8Array>({
      start: (c) => c.enqueue(new TextEncoder().encode("data: 1\n\n")),
    });
    const read = async () => {
      for await (const batch of readEvents(stalled, 1000, controller.signal)) {
        expect(batch).toHaveLength(1);
        queueMicrotask(() => controller.abort());
      }
    };
    await expect(read()).rejects.toMatchObject({ code: "cancelled" });
  });

  it("cancels the body when its reader leaves", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (c) => c.enqueue(new TextEncoder().encode("data: 1\n\n")),
      cancel() {
        cancelled = true;
      },
    });
    for await (const batch of readEvents(body, 1000, new AbortController().signal)) {
      expect(batch).toHaveLength(1);
      break;
    }
    expect(cancelled).toBe(true);
  });
});
