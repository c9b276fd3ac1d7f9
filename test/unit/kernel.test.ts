import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { KERNELS, assemble, kernelFile } from "../fixtures/assemble.ts";

const QUERY = 0;
const VECTORS = 1536;

async function kernel(): Promise<{
  bytes: Int8Array;
  view: DataView;
  dot: (...args: number[]) => void;
}> {
  const { instance } = await WebAssembly.instantiate(
    Uint8Array.from(readFileSync(kernelFile("workers/index/dot", "wasm"))),
  );
  const { memory, dot } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof dot !== "function") throw new Error("not the kernel");
  return {
    bytes: new Int8Array(memory.buffer),
    view: new DataView(memory.buffer),
    dot: (...args) => void dot(...args),
  };
}

it.each(KERNELS)("the kernel %s is what its source assembles to", async (kernel) => {
  expect([...(await assemble(kernel))]).toEqual([...readFileSync(kernelFile(kernel, "wasm"))]);
});

describe("the dot product kernel", () => {
  it("gives the products that plain arithmetic gives, at every width", async () => {
    const { bytes, view, dot } = await kernel();
    for (const stride of [16, 384, 1536]) {
      const count = 5;
      const out = VECTORS + count * stride;
      const expected: number[] = [];
      for (let i = 0; i < stride; i++) bytes[QUERY + i] = ((i * 37) % 255) - 127;
      for (let n = 0; n < count; n++) {
        let sum = 0;
        for (let i = 0; i < stride; i++) {
          const value = ((i * 11 + n * 71) % 255) - 127;
          bytes[VECTORS + n * stride + i] = value;
          sum += value * (((i * 37) % 255) - 127);
        }
        expected.push(sum);
      }
      dot(QUERY, VECTORS, count, stride, out);
      expect(expected.map((_, n) => view.getInt32(out + n * 4, true))).toEqual(expected);
    }
  });

  it("holds the largest product there is", async () => {
    const { bytes, view, dot } = await kernel();
    bytes.fill(-127, QUERY, QUERY + 1536);
    bytes.fill(-127, VECTORS, VECTORS + 1536);
    dot(QUERY, VECTORS, 1, 1536, 8192);
    expect(view.getInt32(8192, true)).toBe(24_774_144);
  });

  it("touches nothing when there is nothing to scan", async () => {
    const { view, dot } = await kernel();
    view.setInt32(8192, 7, true);
    dot(QUERY, VECTORS, 0, 16, 8192);
    expect(view.getInt32(8192, true)).toBe(7);
  });
});
