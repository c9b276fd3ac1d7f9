import module from "./dot.wasm";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** The dot product kernel of `dot.wat` and the memory it works on. */
export interface Kernel {
  /** Grows the memory to at least so many bytes; views made before are void afterwards. */
  reserve(bytes: number): void;
  /** A view of the whole memory as it is now. */
  memory(): ArrayBuffer;
  /** Offsets in bytes; `stride` a multiple of 16; writes `count` 32-bit products at `out`. */
  dot(query: number, vectors: number, count: number, stride: number, out: number): void;
}

const PAGE_BYTES = 65_536;

export function makeKernel(): Kernel {
  const { memory, dot } = new WebAssembly.Instance(module).exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof dot !== "function") {
    throw new QuaysideError("internal", "The vector kernel is not the one that was built.");
  }
  return {
    reserve(bytes) {
      const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
      if (pages > 0) memory.grow(pages);
    },
    memory: () => memory.buffer,
    dot: (query, vectors, count, stride, out) => void dot(query, vectors, count, stride, out),
  };
}
