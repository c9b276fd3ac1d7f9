import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { takeVectors } from "../../shared/embedders/openai-body.ts";

const encoder = new TextEncoder();

function base64Of(values: readonly number[]): string {
  return Buffer.from(new Float32Array(values).buffer).toString("base64");
}

function take(text: string, dimensions: number, most = 10): { rest: unknown; vectors: number[][] } {
  const { rest, vectors } = takeVectors(encoder.encode(text), dimensions, most);
  return { rest: JSON.parse(new TextDecoder().decode(rest)), vectors: vectors.map((vector) => [...vector]) };
}

describe("vectors taken out of an embeddings answer", () => {
  it("leave their index behind, and everything else as it was", () => {
    const text = `{"object":"list","data":[
      {"object":"embedding","index":1,"embedding":"${base64Of([1, 2])}"},
      {"object" : "embedding", "embedding" : "${base64Of([3, -4])}" , "index":0}],"usage":{"prompt_tokens":7}}`;
    expect(take(text, 2)).toEqual({
      rest: {
        object: "list",
        data: [
          { object: "embedding", index: 1, embedding: 0 },
          { object: "embedding", embedding: 1, index: 0 },
        ],
        usage: { prompt_tokens: 7 },
      },
      vectors: [
        [1, 2],
        [3, -4],
      ],
    });
  });

  it.each([
    ["of another length", base64Of([1, 2, 3])],
    ["with escapes", base64Of([1, 2]).replace("A", "\\u0041")],
    ["with a character that is none of base64's", `-${base64Of([1, 2]).slice(1)}`],
    ["beyond those asked for", base64Of([1, 2]), 0],
  ])("are not taken when they are text %s", (_, embedding, most = 10) => {
    const text = `{"data":[{"embedding":"${embedding}"}]}`;
    expect(take(text, 2, most)).toEqual({ rest: JSON.parse(text), vectors: [] });
  });

  it("are not taken when they are printed numbers", () => {
    expect(take(`{"data":[{"embedding":[1,2]}]}`, 2)).toEqual({
      rest: { data: [{ embedding: [1, 2] }] },
      vectors: [],
    });
  });

  it("are what was encoded, for any numbers and any length", () => {
    const numbers = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), {
      minLength: 1,
      maxLength: 9,
    });
    fc.assert(
      fc.property(numbers, (values) => {
        const { vectors } = take(`{"embedding":"${base64Of(values)}"}`, values.length);
        expect(vectors).toEqual([[...new Float32Array(values)]]);
      }),
      { numRuns: 200 },
    );
  });

  it("fail on no bytes, whatever they are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(takeVectors(bytes, 2, 2).vectors.length).toBeLessThan(3);
      }),
    );
    const cut = encoder.encode(`{"embedding":"${base64Of([1, 2])}"}`);
    for (let length = 0; length < cut.length - 1; length++) {
      expect(takeVectors(cut.subarray(0, length), 2, 2).vectors.length).toBe(0);
    }
  });
});
