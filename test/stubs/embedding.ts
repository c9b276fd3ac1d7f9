import { createHash } from "node:crypto";
import { wordsOf } from "./obedient.ts";
import type { Call } from "./stub.ts";

/** The vectors of an embedding vendor's stub, spoiled as its fault says: `partial_batch`, `wrong_dim`, `nan_vector`, `zero_vector`,
 * `model_alias_moved`, `non_deterministic_1e-4`; where the fault names texts (`only`), just theirs. */
export function embeddings(
  call: Call,
  texts: readonly string[],
  dimensions: number,
): readonly Float32Array[] {
  const vectors = texts.map((text) => spoiled(stubVector(text, dimensions), text, call));
  return call.is("partial_batch") ? vectors.slice(0, -1) : vectors;
}

/** Words hashed into signed buckets, unit length: texts that share words are close, the same text always has the same vector. */
export function stubVector(text: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  for (const word of [...wordsOf(text), `text ${text}`]) {
    const weight = word.startsWith("text ") ? 0.1 : Math.log2(1 + word.length);
    const hash = createHash("sha256").update(word).digest();
    for (let i = 0; i < 4; i++) {
      const at = hash.readUInt32LE(i * 4) % dimensions;
      vector[at] = (vector[at] ?? 0) + ((hash[16 + i] ?? 0) & 1 ? weight : -weight);
    }
  }
  const length = Math.hypot(...vector) || 1;
  return vector.map((x) => x / length);
}

function spoiled(vector: Float32Array, text: string, call: Call): Float32Array {
  if (!text.includes(call.fault?.only ?? "")) return vector;
  if (call.is("model_alias_moved")) return vector.toReversed();
  if (call.is("non_deterministic_1e-4")) return vector.map((x) => x + (Math.random() - 0.5) * 2e-4);
  if (call.is("wrong_dim")) return vector.slice(1);
  if (call.is("nan_vector")) vector[0] = Number.NaN;
  if (call.is("zero_vector")) vector.fill(0);
  return vector;
}
