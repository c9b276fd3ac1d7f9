/**
 * Memory for bodies that are read or written again and again. Megabytes taken anew for each are most of what they cost: pages to be
 * cleared, and a collection of the whole heap for every few of them.
 */
export interface BufferPool {
  /** At least so many bytes, whatever they held before. */
  take(bytes: number): Uint8Array<ArrayBuffer>;
  /** Gives back what `take` gave, or a part of it that begins where it began; nothing may use it any more. */
  give(buffer: Uint8Array<ArrayBuffer>): void;
}

/** Bodies of one kind differ by little: rounded up, one's memory does for the next. */
const STEP = 1024 * 1024;

/** @param most pieces kept while nothing needs them. */
export function makeBufferPool(most: number): BufferPool {
  const free: Uint8Array<ArrayBuffer>[] = [];
  return {
    take(bytes) {
      const fits = free.findIndex((buffer) => buffer.byteLength >= bytes);
      const [buffer] = fits < 0 ? [] : free.splice(fits, 1);
      return buffer ?? new Uint8Array(Math.ceil(bytes / STEP) * STEP);
    },
    give({ buffer }) {
      // The oldest goes: the pieces in use now are as large as those needed next.
      if (free.length >= most) free.shift();
      free.push(new Uint8Array(buffer));
    },
  };
}
