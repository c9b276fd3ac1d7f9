import type { Pieces } from "../../shared/sse.ts";

/** Most that is read ahead of whoever reads, in bytes. */
const READ_AHEAD = 64 * 1024;

/**
 * A body whose pieces come together: what arrives within `spacingMs` of the piece handed over last is one piece. A model that
 * is slower than that is not delayed, one that is faster costs a turn for each spacing rather than one for each token. The
 * body's end is handed over at once, an error after what came before it; cancelling cancels the body. Not a stream of its own: one in
 * JavaScript costs as much as reading the answer does. Read one piece after the other.
 * @param spacingMs asked before each piece; 0 for none.
 */
export function gathered(body: Pieces, spacingMs: () => number): Pieces {
  const reader = body.getReader();
  let waiting: Uint8Array[] = [];
  let length = 0;
  let failure: { readonly error: unknown } | undefined;
  let ended = false;
  let pumping = false;
  let handedAt = Number.NEGATIVE_INFINITY;
  let arrived: (() => void) | undefined;
  let over: (() => void) | undefined;
  let drained: (() => void) | undefined;

  const pump = async (): Promise<void> => {
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        waiting.push(read.value);
        length += read.value.byteLength;
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
    const leftMs = handedAt + spacingMs() - performance.now();
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
    await reader.cancel(reason);
  };

  return { getReader: () => ({ read, cancel }) };
}
