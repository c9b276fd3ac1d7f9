import { QuaysideError } from "./ports/errors.ts";
import { NUMBER_BYTES, type VectorText } from "./vector-text.ts";

/** "A", which is 0 in base64. */
const NOTHING = 65;
/** Characters that the kernel decodes at once, to twelve bytes. */
const BLOCK = 16;
const PAGE_BYTES = 65_536;

/**
 * The kernel of `vector-kernel.wat`: what `vectorText` gives, byte for byte, in a quarter of its time. It works on a memory of its
 * own; a vector is copied in and out. For programs that may compile at run time, which a Worker may not.
 * @param read gives `vector-kernel.wasm`; called once, on first use.
 */
export function kernelVectorText(read: () => Uint8Array<ArrayBuffer>): VectorText {
  let kernel: Kernel | undefined;
  return {
    print(vector, out, at) {
      const source = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
      const memory = (kernel ??= load(read())).reserve(source.byteLength + vector.length * NUMBER_BYTES);
      memory.set(source, 0);
      const end = kernel.print(0, source.byteLength, source.byteLength);
      out.set(memory.subarray(source.byteLength, end), at);
      // Without the last comma.
      return at + Math.max(end - source.byteLength - 1, 0);
    },
    decode(bytes, from, vector) {
      const characters = Math.ceil(vector.byteLength / 3) * 4;
      const padding = (3 - (vector.byteLength % 3)) % 3;
      const blocks = Math.ceil(characters / BLOCK);
      const memory = (kernel ??= load(read())).reserve(blocks * 2 * BLOCK);
      memory.set(bytes.subarray(from, from + characters), 0);
      memory.fill(NOTHING, characters - padding, blocks * BLOCK);
      if (kernel.decode(0, blocks * BLOCK, blocks * BLOCK) !== 0) return false;
      const out = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
      out.set(memory.subarray(blocks * BLOCK, blocks * BLOCK + out.byteLength));
      return true;
    },
  };
}

interface Kernel {
  /** The memory, of at least so many bytes. */
  reserve(bytes: number): Uint8Array;
  /** Offsets in bytes, `end` that of the input; returns where the output ends. */
  print(from: number, end: number, to: number): number;
  /** Offsets in bytes; 0 when every character was one of base64's. */
  decode(from: number, end: number, to: number): number;
}

function load(bytes: Uint8Array<ArrayBuffer>): Kernel {
  const { memory, print, decode } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
  if (
    !(memory instanceof WebAssembly.Memory) ||
    typeof print !== "function" ||
    typeof decode !== "function"
  ) {
    throw new QuaysideError("internal", "The kernel for vectors as text is not the one that was built.");
  }
  let view = new Uint8Array(memory.buffer);
  return {
    reserve(least) {
      if (view.byteLength < least) {
        memory.grow(Math.ceil((least - view.byteLength) / PAGE_BYTES));
        view = new Uint8Array(memory.buffer);
      }
      return view;
    },
    print: (from, end, to) => Number(print(from, end, to)),
    decode: (from, end, to) => Number(decode(from, end, to)),
  };
}
