import { vectorText, type VectorText } from "../vector-text.ts";

/**
 * An embeddings answer as bytes. Its base64 is nearly all of it; decoded straight from the bytes it never becomes text, which
 * would be most of what embedding costs here.
 */

const QUOTE = 34;
const COLON = 58;
const KEY = new TextEncoder().encode('"embedding"');

export interface TakenVectors {
  /** The answer with a number in the place of each vector that was taken: its index in `vectors`. */
  readonly rest: Uint8Array<ArrayBuffer>;
  readonly vectors: readonly Float32Array[];
}

/**
 * Takes every `"embedding"` that is base64 of `dimensions` little-endian float32 out of an answer. What looks otherwise
 * (another length, escapes, printed numbers) stays where it is.
 * @param most vectors expected; their memory is taken at once.
 */
export function takeVectors(
  bytes: Uint8Array,
  dimensions: number,
  most: number,
  text: VectorText = vectorText,
): TakenVectors {
  const vectors: Float32Array[] = [];
  const floats = new Float32Array(dimensions * most);
  const characters = Math.ceil((dimensions * 4) / 3) * 4;
  const rest: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let kept = 0;
  for (let at = bytes.indexOf(QUOTE); at >= 0 && vectors.length < most; at = bytes.indexOf(QUOTE, at + 1)) {
    const start = valueOfKey(bytes, at);
    if (start === undefined || bytes[start + characters] !== QUOTE) continue;
    const vector = floats.subarray(vectors.length * dimensions, (vectors.length + 1) * dimensions);
    if (!text.decode(bytes, start, vector)) continue;
    rest.push(bytes.subarray(kept, start - 1), encoder.encode(String(vectors.length)));
    vectors.push(vector);
    kept = start + characters + 1;
    at = kept - 1;
  }
  rest.push(bytes.subarray(kept));
  return { rest: joined(rest), vectors };
}

/** Where the text begins that is the value of the key at `at`; undefined when there is no such key, or its value is no text. */
function valueOfKey(bytes: Uint8Array, at: number): number | undefined {
  for (let i = 0; i < KEY.length; i++) if (bytes[at + i] !== KEY[i]) return undefined;
  let next = skipBlanks(bytes, at + KEY.length);
  if (bytes[next] !== COLON) return undefined;
  next = skipBlanks(bytes, next + 1);
  return bytes[next] === QUOTE ? next + 1 : undefined;
}

function skipBlanks(bytes: Uint8Array, at: number): number {
  let next = at;
  while (bytes[next] === 32 || bytes[next] === 10 || bytes[next] === 13 || bytes[next] === 9) next += 1;
  return next;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}
