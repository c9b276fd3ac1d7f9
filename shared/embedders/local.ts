import * as z from "zod/mini";
import { detectLanguage, isStopWord, stem, tokenise } from "../analysis.ts";
import type { Embedder } from "../ports/embedder.ts";
import { QuaysideError } from "../ports/errors.ts";
import type { Factory } from "../ports/host.ts";
import { estimateTokens } from "../tokens.ts";

/**
 * The built-in lexical embedder: letters and words, hashed. It needs no model, no network and no key, and gives the same vector
 * in Node and in the Worker. It knows no meaning: it finds spellings, inflections and parts of words that the lexical leg's
 * stems miss, and its `fusionWeight` says how little it should be trusted beside that leg.
 */

const settingsSchema = z.object({
  dimensions: z.optional(z.number().check(z.int(), z.minimum(128), z.maximum(1536))),
});

const GRAM = 4;
/** Words beside letter groups: measured on five sets, more makes the dense leg repeat what the lexical leg says already. */
const WORD_WEIGHT = 0.3;

/** Settings: `dimensions` (128 to 1536, default 384). */
export const localEmbedder: Factory<Embedder> = (settings) => {
  const parsed = settingsSchema.safeParse(settings);
  if (!parsed.success) {
    throw new QuaysideError("config_invalid", "embedder.dimensions must be a whole number, 128 to 1536.", {
      violations: [{ pointer: "embedder.dimensions", rule: "a whole number, 128 to 1536" }],
    });
  }
  const dimensions = parsed.data.dimensions ?? 384;
  const embedder: Embedder = {
    id: `local/lexical-v1/${dimensions}`,
    dimensions,
    maxBatch: 256,
    maxBatchTokens: 200_000,
    maxInputTokens: 8192,
    pricePerMillionTokens: 0,
    fusionWeight: 0.15,
    async embed(texts, _purpose, signal) {
      if (signal.aborted) throw new QuaysideError("cancelled", "The call was cancelled.");
      return {
        vectors: texts.map((text) => vectorOf(text, dimensions, embedder.maxInputTokens)),
        inputTokens: 0,
      };
    },
  };
  return embedder;
};

function vectorOf(text: string, dimensions: number, maxTokens: number): Float32Array {
  if (estimateTokens(text) > maxTokens) {
    throw new QuaysideError(
      "input_too_long",
      `A text is longer than ${maxTokens} tokens; cut it into chunks.`,
    );
  }
  const vector = new Float32Array(dimensions);
  for (const [feature, count] of featuresOf(text)) {
    const hash = hashOf(feature);
    const weight = (feature.startsWith("w") ? WORD_WEIGHT : 1) * (1 + Math.log(count));
    // The top bit signs, the rest chooses: colliding features cancel as often as they add up.
    const at = (hash & 0x7fffffff) % dimensions;
    vector[at] = (vector[at] ?? 0) + (hash < 0 ? -weight : weight);
  }
  return unit(vector);
}

/** `w<stem>` and `g<four letters>` with their counts; a text without any word falls back on its raw characters. */
function featuresOf(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  const add = (feature: string): void => void counts.set(feature, (counts.get(feature) ?? 0) + 1);
  const language = detectLanguage(text);
  const all = tokenise(text);
  const telling = all.filter((token) => !isStopWord(token, language));
  for (const token of telling.length > 0 ? telling : all) {
    add(`w${stem(token, language)}`);
    const padded = `^${token}$`;
    for (let i = 0; i === 0 || i + GRAM <= padded.length; i++) add(`g${padded.slice(i, i + GRAM)}`);
  }
  if (counts.size === 0) for (const character of text) add(`c${character}`);
  return counts;
}

/** FNV-1a over UTF-16 units, finished by the mixer of MurmurHash3, signed 32 bits. */
function hashOf(feature: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < feature.length; i++) hash = Math.imul(hash ^ feature.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function unit(vector: Float32Array): Float32Array {
  let sum = 0;
  for (const value of vector) sum += value * value;
  if (sum === 0) {
    // Features can cancel out wholly; a unit vector is promised all the same.
    vector[0] = 1;
    return vector;
  }
  const scale = 1 / Math.sqrt(sum);
  return vector.map((value) => value * scale);
}
