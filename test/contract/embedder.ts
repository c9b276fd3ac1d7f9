import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** The code that a call fails with; undefined when it succeeds. */
export async function failureCode(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
}

const TEXTS = [
  "The bow door of the ferry jams",
  "Invoice 4711 is overdue by 30 days",
  "Pièces de rechange pour le moteur",
];

/** What every embedder keeps. `open` may start a service, `close` ends it. */
export function embedderContract(
  name: string,
  open: () => Promise<Embedder>,
  close?: () => Promise<void>,
): void {
  describe(`embedder: ${name}`, () => {
    const signal = new AbortController().signal;
    let embedder: Embedder;
    beforeAll(async () => {
      embedder = await open();
    });
    afterAll(async () => {
      await close?.();
    });

    it("is named provider/model/dimensions, without spaces", () => {
      expect(embedder.id).toMatch(new RegExp(`^[^/\\s]+/\\S+/${embedder.dimensions}$`));
    });

    it("gives one vector a text, of its dimensions", async () => {
      const { vectors } = await embedder.embed(TEXTS, "document", signal);
      expect(vectors.map((v) => [v instanceof Float32Array, v.length])).toEqual(
        TEXTS.map(() => [true, embedder.dimensions]),
      );
    });

    it("gives vectors of unit length", async () => {
      const { vectors } = await embedder.embed(TEXTS, "document", signal);
      for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    });

    it("keeps the order of the texts", async () => {
      const { vectors } = await embedder.embed(TEXTS, "document", signal);
      const { vectors: reversed } = await embedder.embed(TEXTS.toReversed(), "document", signal);
      expect(reversed.toReversed()).toEqual(vectors);
    });

    it("gives the same text the same vector, alone or in a batch", async () => {
      const { vectors } = await embedder.embed(TEXTS, "document", signal);
      const { vectors: alone } = await embedder.embed(TEXTS.slice(1, 2), "document", signal);
      expect(alone[0]).toEqual(vectors[1]);
    });

    it("puts a question nearest to the text that shares its words", async () => {
      const { vectors } = await embedder.embed(TEXTS, "document", signal);
      const { vectors: asked } = await embedder.embed(["Which invoice is overdue?"], "query", signal);
      const scores = vectors.map((v) => v.reduce((sum, x, i) => sum + x * (asked[0]?.[i] ?? 0), 0));
      expect(scores.indexOf(Math.max(...scores))).toBe(1);
    });

    it("refuses a text that is too long instead of cutting it", async () => {
      const long = "0x1f, ".repeat(Math.ceil(embedder.maxInputTokens / 2));
      expect(await failureCode(embedder.embed(["short", long], "document", signal))).toBe("input_too_long");
    });

    it("is cancelled by its signal", async () => {
      expect(await failureCode(embedder.embed(TEXTS, "document", AbortSignal.abort()))).toBe("cancelled");
    });

    it("says how much one call may carry", () => {
      expect(embedder.maxBatch).toBeGreaterThanOrEqual(1);
      expect(embedder.maxBatchTokens).toBeGreaterThanOrEqual(embedder.maxInputTokens);
      expect(embedder.pricePerMillionTokens ?? 0).toBeGreaterThanOrEqual(0);
      expect(embedder.fusionWeight).toBeGreaterThanOrEqual(0);
      expect(embedder.fusionWeight).toBeLessThanOrEqual(2);
    });
  });
}
