/**
 * An embeddings answer as bytes. Its base64 is nearly all of it; decoded straight from the bytes it never becomes text, which
 * would be most of what embedding costs here.
 */

const QUOTE = 34;
const COLON = 58;
const KEY = new TextEncoder().encode('"embedding"');
const INVALID = 128;

/** The value of each base64 character (RFC 4648, section 4); INVALID for all others. */
const SEXTETS = new Uint8Array(256).fill(INVALID);
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (let i = 0; i < ALPHABET.length; i++) SEXTETS[ALPHABET.charCodeAt(i)] = i;

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
export function takeVectors(bytes: Uint8Array, dimensions: number, most: number): TakenVectors {
  const vectors: Float32Array[] = [];
  const floats = new Float32Array(dimensions * most);
  const decoded = new Uint8Array(floats.buffer);
  const characters = Math.ceil((dimensions * 4) / 3) * 4;
  const rest: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let kept = 0;
  for (let at = bytes.indexOf(QUOTE); at >= 0 && vectors.length < most; at = bytes.indexOf(QUOTE, at + 1)) {
    const start = valueOfKey(bytes, at);
    if (start === undefined || bytes[start + characters] !== QUOTE) continue;
    if (!decode(bytes, start, decoded, vectors.length * dimensions * 4, dimensions * 4)) continue;
    rest.push(bytes.subarray(kept, start - 1), encoder.encode(String(vectors.length)));
    vectors.push(floats.subarray(vectors.length * dimensions, (vectors.length + 1) * dimensions));
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

/** Decodes `length` bytes of padded base64 from `from` on. False when a character is none of base64's. */
function decode(bytes: Uint8Array, from: number, out: Uint8Array, start: number, length: number): boolean {
  let bad = 0;
  let at = from;
  let to = start;
  const whole = start + length - (length % 3);
  while (to < whole) {
    const a = SEXTETS[bytes[at] ?? 0] ?? INVALID;
    const b = SEXTETS[bytes[at + 1] ?? 0] ?? INVALID;
    const c = SEXTETS[bytes[at + 2] ?? 0] ?? INVALID;
    const d = SEXTETS[bytes[at + 3] ?? 0] ?? INVALID;
    bad |= a | b | c | d;
    out[to] = (a << 2) | (b >> 4);
    out[to + 1] = (b << 4) | (c >> 2);
    out[to + 2] = (c << 6) | d;
    at += 4;
    to += 3;
  }
  if (to < start + length) {
    const a = SEXTETS[bytes[at] ?? 0] ?? INVALID;
    const b = SEXTETS[bytes[at + 1] ?? 0] ?? INVALID;
    const c = length % 3 === 2 ? (SEXTETS[bytes[at + 2] ?? 0] ?? INVALID) : 0;
    bad |= a | b | c;
    out[to] = (a << 2) | (b >> 4);
    if (length % 3 === 2) out[to + 1] = (b << 4) | (c >> 2);
  }
  return (bad & INVALID) === 0;
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
