/**
 * Vectors as they travel: printed into JSON, and read out of base64. Nearly all bytes of an ingest are such text, so a program that
 * has a faster way lends it (`Host.vectorText`); this one runs everywhere.
 */
export interface VectorText {
  /**
   * Writes numbers of -1 to 1, comma-separated, to seven decimals. Trailing zeros stay, but for 0 and 1: one byte in ninety, and to
   * find them costs as much as to write the number.
   * @param out has room for `NUMBER_BYTES` a number from `at` on.
   * @returns where the next byte goes.
   */
  print(vector: Float32Array, out: Uint8Array<ArrayBuffer>, at: number): number;
  /**
   * Fills a vector from the base64 (RFC 4648, section 4, padded) of little-endian float32 that begins at `from` and is all there.
   * False when a character is none of base64's; what the vector holds then means nothing.
   */
  decode(bytes: Uint8Array, from: number, vector: Float32Array): boolean;
}

/** `-0.1234567,` is the longest number of a unit vector. */
export const NUMBER_BYTES = 11;

const COMMA = 44;
const MINUS = 45;
const ZERO = 48;
/** "A", which is 0 in base64. */
const NOTHING = 65;
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Four characters as one little-endian word: written at once, they cost a third less than one by one. */
const wordOf = (text: string): number =>
  Array.from(text, (_, i) => text.charCodeAt(i) * 256 ** i).reduce((sum, byte) => sum + byte, 0);
/** `.000` to `.999`, and `0000` to `9999`; made when the first vector is printed. */
const makeDigits = (): { readonly first: Uint32Array; readonly last: Uint32Array } => ({
  first: Uint32Array.from({ length: 1000 }, (_, i) => wordOf(`.${String(i).padStart(3, "0")}`)),
  last: Uint32Array.from({ length: 10_000 }, (_, i) => wordOf(String(i).padStart(4, "0"))),
});
let digits: ReturnType<typeof makeDigits> | undefined;

/**
 * What a character of base64 adds to the three bytes of its group, taken as a little-endian number, at one of the four places in
 * it. Any other character makes it negative.
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

export const vectorText: VectorText = { print, decode };

function print(vector: Float32Array, out: Uint8Array<ArrayBuffer>, start: number): number {
  const { first, last } = (digits ??= makeDigits());
  const bits = new Int32Array(vector.buffer, vector.byteOffset, vector.length);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  let at = start;
  for (let i = 0; i < vector.length; i++) {
    const scaled = (Math.abs(vector[i] ?? 0) * 1e7 + 0.5) | 0;
    // Written in any case and kept where it belongs: half of all numbers are negative, at random.
    out[at] = MINUS;
    const sign = (bits[i] ?? 0) >>> 31;
    if (scaled === 0 || scaled >= 1e7) {
      if (scaled > 0) at += sign;
      out[at] = scaled === 0 ? ZERO : ZERO + 1;
      out[at + 1] = COMMA;
      at += 2;
      continue;
    }
    at += sign;
    const high = (scaled / 10_000) | 0;
    out[at] = ZERO;
    view.setUint32(at + 1, first[high] ?? 0, true);
    view.setUint32(at + 5, last[scaled - high * 10_000] ?? 0, true);
    out[at + 9] = COMMA;
    at += 10;
  }
  return vector.length > 0 ? at - 1 : at;
}

/** The three bytes of four characters, as a little-endian word. */
function groupOf(characters: number): number {
  return (
    (FIRST[characters & 255] ?? 0) |
    (SECOND[(characters >> 8) & 255] ?? 0) |
    (THIRD[(characters >> 16) & 255] ?? 0) |
    (FOURTH[characters >>> 24] ?? 0)
  );
}

function decode(bytes: Uint8Array, from: number, vector: Float32Array): boolean {
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new DataView(vector.buffer, vector.byteOffset, vector.byteLength);
  const end = out.byteLength;
  let bad = 0;
  let at = from;
  let to = 0;
  // Sixteen characters are three words: written as such, they cost a third of what their bytes would.
  for (; to + 12 <= end; at += 16, to += 12) {
    const a = groupOf(source.getInt32(at, true));
    const b = groupOf(source.getInt32(at + 4, true));
    const c = groupOf(source.getInt32(at + 8, true));
    const d = groupOf(source.getInt32(at + 12, true));
    bad |= a | b | c | d;
    out.setInt32(to, a | (b << 24), true);
    out.setInt32(to + 4, (b >>> 8) | (c << 16), true);
    out.setInt32(to + 8, (c >>> 16) | (d << 8), true);
  }
  for (; to < end; at += 4, to += 3) {
    let characters = source.getInt32(at, true);
    // An "A" for each character of padding adds nothing.
    if (to + 2 >= end) characters = (characters & 0xff_ffff) | (NOTHING << 24);
    if (to + 1 >= end) characters = (characters & 0xff00_ffff) | (NOTHING << 16);
    const group = groupOf(characters);
    bad |= group;
    for (let i = to; i < Math.min(to + 3, end); i++) out.setUint8(i, group >>> ((i - to) * 8));
  }
  return bad >= 0;
}
