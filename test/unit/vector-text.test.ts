import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kernelVectorText } from "../../shared/vector-kernel.ts";
import { NUMBER_BYTES, vectorText, type VectorText } from "../../shared/vector-text.ts";
import { kernelFile } from "../fixtures/assemble.ts";

function printed(text: VectorText, vector: Float32Array): string {
  const out = new Uint8Array(5 + vector.length * NUMBER_BYTES).fill(33);
  const end = text.print(vector, out, 5);
  expect([...out.subarray(0, 5)]).toEqual([33, 33, 33, 33, 33]);
  return new TextDecoder().decode(out.subarray(5, end));
}

function base64Of(vector: Float32Array): Uint8Array {
  return Buffer.from(Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString("base64"));
}

/** The vector that is read three bytes into something longer, or undefined when it is none. */
function decoded(text: VectorText, base64: Uint8Array, length: number): Float32Array | undefined {
  const vector = new Float32Array(length + 2).fill(7);
  const whole = Buffer.concat([Buffer.from("123"), base64, Buffer.from('"}')]);
  const good = text.decode(whole, 3, vector.subarray(1, length + 1));
  expect([vector[0], vector[length + 1]]).toEqual([7, 7]);
  return good ? vector.subarray(1, length + 1) : undefined;
}

const kernel = kernelVectorText(() => readFileSync(kernelFile("shared/vector-kernel", "wasm")));

describe.each([
  ["everywhere", vectorText],
  ["by the kernel", kernel],
])("vectors as text, %s", (_, text) => {
  it.each([
    [[], ""],
    [[0], "0"],
    [[-0.25], "-0.2500000"],
    [[0, 1, -1, 0.5, -0.5], "0,1,-1,0.5000000,-0.5000000"],
    [[0.0000001, 0.00000004, -0.00000004, -0.00000006], "0.0000001,0,0,-0.0000001"],
    [[0.9999999, -0.99999994, 1.0000001], "0.9999999,-0.9999999,1"],
    [
      [0.1234567, -0.0012345, 0.0099999, 0.01, 0.0999999],
      "0.1234567,-0.0012345,0.0099999,0.0100000,0.0999999",
    ],
  ])("prints %j as %s", (values, expected) => {
    expect(printed(text, Float32Array.from(values))).toBe(expected);
  });

  it("prints what is at most half of the seventh decimal away", () => {
    const vector = Float32Array.from({ length: 4096 }, (__, i) => Math.sin(i * i) / (1 + (i % 50)));
    const numbers: number[] = JSON.parse(`[${printed(text, vector)}]`);
    const apart = numbers.map((value, i) => Math.abs(value - (vector[i] ?? NaN)));
    expect(Math.max(...apart)).toBeLessThan(0.000000051);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 1535, 1536, 40_000])("decodes %i numbers", (length) => {
    const vector = Float32Array.from({ length }, (__, i) => Math.sin(i * 0.37) * 10 ** ((i % 9) - 4));
    expect(decoded(text, base64Of(vector), length)).toEqual(vector);
  });

  it.each([0, 1, 14, 15, 16, 17, 30, 33, 41])("decodes no text with a foreign character at %i", (at) => {
    const base64 = base64Of(Float32Array.from({ length: 8 }, (__, i) => i / 7));
    for (let character = 0; character < 256; character++) {
      const changed = Uint8Array.from(base64);
      changed[at] = character;
      const good = /^[A-Za-z0-9+/]$/.test(String.fromCharCode(character));
      expect([character, decoded(text, changed, 8) !== undefined]).toEqual([character, good]);
    }
  });
});

describe("the kernel", () => {
  const vectors = fc.float32Array({ min: -1, max: 1, noNaN: true, maxLength: 40 });

  it("prints what is printed everywhere", () => {
    fc.assert(
      fc.property(vectors, (vector) => {
        expect(printed(kernel, vector)).toBe(printed(vectorText, vector));
      }),
      { numRuns: 2000 },
    );
  });

  it("prints numbers of the whole range as everywhere", () => {
    for (let from = 0; from < 10_000_000; from += 999_983) {
      const vector = Float32Array.from({ length: 2000 }, (_, i) => (from + i * 0.5) / 1e7);
      expect(printed(kernel, vector)).toBe(printed(vectorText, vector));
    }
  });

  it("decodes what is decoded everywhere", () => {
    const any = fc.float32Array({ noNaN: true, maxLength: 40, minLength: 1 });
    fc.assert(
      fc.property(any, (vector) => {
        const base64 = base64Of(vector);
        expect(decoded(kernel, base64, vector.length)).toEqual(decoded(vectorText, base64, vector.length));
      }),
      { numRuns: 2000 },
    );
  });
});
