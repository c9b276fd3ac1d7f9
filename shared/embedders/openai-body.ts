/**
 * An embeddings answer as bytes. Its base64 is nearly all of it; decoded straight from the bytes it never becomes text, which
 * would be most of what embedding costs here.
 */

const QUOTE = 34;
const COLON = 58;
/** "A", which is 0 in base64. */
const NOTHING = 65;
const KEY = new TextEncoder().encode('"embedding"');
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * What a character of base64 (RFC 4648, section 4) adds to the three bytes of its group, taken as a little-endian number, at one of
 * the four places in it. Any other character makes it negative.
 */
function tableOf(place: (value: number) => number): Int32Array {
  const table = new Int32Array(256).fill(-0x8000_0000);
  for (let i = 0; i < ALPHABET.length; i++) table[ALPHABET.charCodeAt(i)] = place(i);
  return table;
}
const FIRST = tableOf((value) => value << 2);
const SECOND = tableOf((value) => (value >> 4) | ((value & 15) << 12));
const THIRD = tableOf((value) => ((value >> 2) << 8) | ((value & 3) << 22));
const FOURTH = tableOf((value) => value << 16);

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
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoded = new DataView(floats.buffer);
  const characters = Math.ceil((dimensions * 4) / 3) * 4;
  const rest: Uint8Array[] = [];
  const encoder = new TextEncoder();
  let kept = 0;
  for (let at = bytes.indexOf(QUOTE); at >= 0 && vectors.length < most; at = bytes.indexOf(QUOTE, at + 1)) {
    const start = valueOfKey(bytes, at);
    if (start === undefined || bytes[start + characters] !== QUOTE) continue;
    if (!decode(source, start, decoded, vectors.length * dimensions * 4, dimensions * 4)) continue;
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

/** The three bytes of four characters, both as little-endian words. */
function groupOf(characters: number): number {
  return (
    (FIRST[characters & 255] ?? 0) |
    (SECOND[(characters >> 8) & 255] ?? 0) |
    (THIRD[(characters >> 16) & 255] ?? 0) |
    (FOURTH[characters >>> 24] ?? 0)
  );
}

/** Decodes `length` bytes of padded base64 from `from` on. False when a character is none of base64's. */
function decode(bytes: DataView, from: number, out: DataView, start: number, length: number): boolean {
  const end = start + length;
  let bad = 0;
  let at = from;
  let to = start;
  // Sixteen characters are three words: written as such, they cost a third of what their bytes would.
  for (; to + 12 <= end; at += 16, to += 12) {
    const a = groupOf(bytes.getInt32(at, true));
    const b = groupOf(bytes.getInt32(at + 4, true));
    const c = groupOf(bytes.getInt32(at + 8, true));
    const d = groupOf(bytes.getInt32(at + 12, true));
    bad |= a | b | c | d;
    out.setInt32(to, a | (b << 24), true);
    out.setInt32(to + 4, (b >>> 8) | (c << 16), true);
    out.setInt32(to + 8, (c >>> 16) | (d << 8), true);
  }
  for (; to < end; at += 4, to += 3) {
    let characters = bytes.getInt32(at, true);
    // An "A" for each character of padding adds nothing.
    if (to + 2 >= end) characters = (characters & 0xff_ffff) | (NOTHING << 24);
    if (to + 1 >= end) characters = (characters & 0xff00_ffff) | (NOTHING << 16);
    const group = groupOf(characters);
    bad |= group;
    for (let i = to; i < Math.min(to + 3, end); i++) out.setUint8(i, group >>> ((i - to) * 8));
  }
  return bad >= 0;
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
