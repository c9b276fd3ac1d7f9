import { array, assert, asyncProperty, constantFrom, nat } from "fast-check";
import { describe, expect, test } from "vitest";
import { imported } from "./stub-api.ts";

interface Sse {
  readonly readEvents: (
    body: ReadableStream<Uint8Array>,
  ) => AsyncIterable<{ readonly event: string; readonly data: string }>;
}

const { readEvents } = await imported<Sse>("workers/surfaces/console/sse.ts");

/** The bytes of a stream, cut at these places. */
function streamOf(bytes: Uint8Array, cuts: readonly number[]): ReadableStream<Uint8Array> {
  const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  return new ReadableStream({
    start(controller) {
      for (const [i, from] of places.slice(0, -1).entries())
        controller.enqueue(bytes.slice(from, places[i + 1]));
      controller.close();
    },
  });
}

async function read(text: string, cuts: readonly number[] = []): Promise<string[]> {
  const out: string[] = [];
  for await (const { event, data } of readEvents(streamOf(new TextEncoder().encode(text), cuts))) {
    out.push(`${event}=${data}`);
  }
  return out;
}

describe("an event stream", () => {
  test("gives name and data", async () => {
    expect(await read('event: delta\ndata: {"text":"a"}\n\ndata: b\n\n')).toEqual([
      'delta={"text":"a"}',
      "message=b",
    ]);
  });

  test("joins data lines and leaves comments out", async () => {
    expect(await read(": ping\n\ndata: a\n: x\ndata:b\n\n")).toEqual(["message=a\nb"]);
  });

  test("drops an event that is cut off", async () => {
    expect(await read("data: a\n\ndata: b\n")).toEqual(["message=a"]);
  });

  test("reads the same whatever the line endings and wherever the bytes are cut", async () => {
    const text = "event: delta\ndata: é😀 one\ndata: two\n\n: ping\n\nevent: done\ndata: {}\n\n";
    await assert(
      asyncProperty(
        constantFrom("\n", "\r\n", "\r"),
        array(nat(90), { maxLength: 12 }),
        async (ending, cuts) => {
          expect(await read(text.replaceAll("\n", ending), cuts)).toEqual(["delta=é😀 one\ntwo", "done={}"]);
        },
      ),
    );
  });

  test("is cancelled when its reader leaves", async () => {
    let cancelled = false;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
      cancel() {
        cancelled = true;
      },
    });
    for await (const _ of readEvents(body)) break;
    expect(cancelled).toBe(true);
  });
});
