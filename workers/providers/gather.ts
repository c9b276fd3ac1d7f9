import type { Pieces } from "../../shared/sse.ts";

/** Most that is read ahead of whoever reads, in bytes. */
const READ_AHEAD = 64 * 1024;
/** Most of one read. */
const READ_SIZE = 16 * 1024;
/** Most that a read waits for. */
const MOST_HELD = 2048;
/** Over so long, at least, it is counted how fast a body tells. */
const WINDOW_MS = 8;

/**
 * A body whose pieces come together: what arrives within `spacingMs` of the piece handed over last is one piece. A model that
 * is slower than that is not delayed, one that is faster costs a turn for each spacing rather than one for each token. The
 * body's end is handed over at once, an error after what came before it; cancelling cancels the body. Not a stream of its own: one in
 * JavaScript costs as much as reading the answer does. Read one piece after the other.
 * A model that has told much for two windows, and whose body takes it, is read by half a spacing's bytes and not by pieces: a
 * read costs as much as all that is done with a token. Should it pause, so much waits until it goes on or ends.
 * @param spacingMs asked before each piece; 0 for none.
 */
export function gathered(body: ReadableStream<Uint8Array>, spacingMs: () => number): Pieces {
  const source = sourceOf(body);
  /** Bytes a millisecond, in the last window and the one before. */
  let rates: readonly [number, number] = [0, 0];
  let windowFrom = Number.NEGATIVE_INFINITY;
  let counted = 0;
  let spacing = 0;
  let waiting: Uint8Array[] = [];
  let length = 0;
  let failure: { readonly error: unknown } | undefined;
  let ended = false;
  let pumping = false;
  let handedAt = Number.NEGATIVE_INFINITY;
  let arrived: (() => void) | undefined;
  let over: (() => void) | undefined;
  let drained: (() => void) | undefined;

  const count = (bytes: number): void => {
    counted += bytes;
    const now = performance.now();
    if (now - windowFrom < WINDOW_MS) return;
    rates = [counted / (now - windowFrom), rates[0]];
    windowFrom = now;
    counted = 0;
  };
  const pump = async (): Promise<void> => {
    try {
      for (let done = false; !done;) {
        const read = await source.read(Math.floor(Math.min(MOST_HELD, (Math.min(...rates) * spacing) / 2)));
        ({ done } = read);
        if (!read.value?.byteLength) continue;
        waiting.push(read.value);
        length += read.value.byteLength;
        count(read.value.byteLength);
        arrived?.();
        if (length > READ_AHEAD) {
          over?.();
          await new Promise<void>((resolve) => (drained = resolve));
        }
      }
    } catch (error) {
      failure = { error };
    }
    ended = true;
    arrived?.();
    over?.();
  };

  const take = (): Uint8Array => {
    const [first] = waiting;
    const whole = waiting.length === 1 && first ? first : new Uint8Array(length);
    if (waiting.length > 1) {
      let at = 0;
      for (const piece of waiting) {
        whole.set(piece, at);
        at += piece.byteLength;
      }
    }
    waiting = [];
    length = 0;
    drained?.();
    return whole;
  };

  const read = async (): Promise<ReadableStreamReadResult<Uint8Array>> => {
    if (!pumping) {
      pumping = true;
      void pump();
    }
    if (length === 0 && !ended) await new Promise<void>((resolve) => (arrived = resolve));
    spacing = spacingMs();
    const leftMs = handedAt + spacing - performance.now();
    if (leftMs > 0 && !ended && length <= READ_AHEAD) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        over = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    handedAt = performance.now();
    if (length > 0) return { done: false, value: take() };
    if (failure) throw failure.error;
    return { done: true, value: undefined };
  };

  const cancel = async (reason?: unknown): Promise<void> => {
    waiting = [];
    length = 0;
    ended = true;
    arrived?.();
    over?.();
    drained?.();
    await source.cancel(reason);
  };

  return { getReader: () => ({ read, cancel }) };
}

interface Source {
  /** @param atLeast bytes to wait for, where the body takes that; fewer come only at its end. */
  read(atLeast: number): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** `ReadableStreamBYOBReader` with what its types don't tell yet: WHATWG Streams, "read(view, options)". */
interface ByteReader {
  read(
    view: Uint8Array<ArrayBuffer>,
    options: { readonly min: number },
  ): Promise<{ readonly done: boolean; readonly value?: Uint8Array<ArrayBuffer> | undefined }>;
  cancel(reason: unknown): Promise<void>;
}

/** A body of bytes is read into the same memory each time, any other piece by piece. */
function sourceOf(body: ReadableStream<Uint8Array>): Source {
  try {
    const reader: ByteReader = body.getReader({ mode: "byob" });
    let memory = new ArrayBuffer(READ_SIZE);
    return {
      async read(atLeast) {
        const { done, value } = await reader.read(new Uint8Array(memory), { min: Math.max(1, atLeast) });
        if (!value) return { done };
        memory = value.buffer;
        return { done, value: value.slice() };
      },
      cancel: (reason) => reader.cancel(reason),
    };
  } catch {
    const reader = body.getReader();
    return { read: () => reader.read(), cancel: (reason) => reader.cancel(reason) };
  }
}
