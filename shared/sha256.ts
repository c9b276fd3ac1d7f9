import { base64url } from "./ids.ts";
import { lazily } from "./lazily.ts";

/**
 * SHA-256 (FIPS 180-4), synchronous. WebCrypto's digest is asynchronous and costs ten times as much CPU on texts of a few
 * hundred bytes, which is what an ingest hashes once per row. Not for secrets: its running time is not constant.
 */
export interface Hasher {
  /** 22 characters: base64url of the first 128 bits of SHA-256 over the UTF-8 of `text`; equals `hash128` of `shared/ids.ts`. */
  hash128(text: string): string;
  /** 43 characters: base64url of the whole SHA-256 over the UTF-8 of `text`. */
  hash256(text: string): string;
  /** UTF-8 bytes of the last text hashed. */
  readonly bytes: number;
}

/** @returns a hasher with a buffer of its own, which grows to the longest text seen. */
export function makeHasher(): Hasher {
  const encoder = new TextEncoder();
  const words = new Int32Array(64);
  const state = new Int32Array(8);
  const out = new Uint8Array(16);
  const whole = new Uint8Array(32);
  let buffer = new Uint8Array(4096);
  let bytes = 0;
  const hash = (text: string, into: Uint8Array<ArrayBuffer>): string => {
    const needed = text.length * 3 + 72;
    if (buffer.length < needed) buffer = new Uint8Array(Math.max(needed, buffer.length * 2));
    bytes = encoder.encodeInto(text, buffer).written;
    digest(buffer, pad(buffer, bytes), words, state);
    for (let i = 0; i < into.length; i++) into[i] = at(state, i >> 2) >>> (24 - (i & 3) * 8);
    return base64url(into);
  };
  return {
    get bytes() {
      return bytes;
    },
    hash128: (text) => hash(text, out),
    hash256: (text) => hash(text, whole),
  };
}

/** Appends the padding; returns the padded length. */
function pad(buffer: Uint8Array, length: number): number {
  const end = (length + 9 + 63) & ~63;
  buffer[length] = 0x80;
  buffer.fill(0, length + 1, end);
  let bits = length * 8;
  for (let i = end - 1; bits > 0; i--) {
    buffer[i] = bits % 256;
    bits = Math.floor(bits / 256);
  }
  return end;
}

function digest(data: Uint8Array, end: number, w: Int32Array, state: Int32Array): void {
  state.set(initial());
  for (let offset = 0; offset < end; offset += 64) {
    for (let i = 0; i < 16; i++) {
      const j = offset + i * 4;
      w[i] = (at(data, j) << 24) | (at(data, j + 1) << 16) | (at(data, j + 2) << 8) | at(data, j + 3);
    }
    for (let i = 16; i < 64; i++) {
      const x = at(w, i - 15);
      const y = at(w, i - 2);
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0;
    }
    compress(w, state);
  }
}

function compress(w: Int32Array, state: Int32Array): void {
  const k = rounds();
  let a = at(state, 0);
  let b = at(state, 1);
  let c = at(state, 2);
  let d = at(state, 3);
  let e = at(state, 4);
  let f = at(state, 5);
  let g = at(state, 6);
  let h = at(state, 7);
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(k, i) + at(w, i)) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  state[0] = at(state, 0) + a;
  state[1] = at(state, 1) + b;
  state[2] = at(state, 2) + c;
  state[3] = at(state, 3) + d;
  state[4] = at(state, 4) + e;
  state[5] = at(state, 5) + f;
  state[6] = at(state, 6) + g;
  state[7] = at(state, 7) + h;
}

/** Indexes that are always in range; the compiler can't know. */
function at(array: Int32Array | Uint8Array, index: number): number {
  return array[index] ?? 0;
}

function primes(count: number): readonly number[] {
  const found: number[] = [];
  for (let n = 2; found.length < count; n++) {
    if (found.every((p) => n % p !== 0)) found.push(n);
  }
  return found;
}

/** First 32 bits of the fractional part, as FIPS 180-4 defines its constants. */
const fraction = (x: number): number => Math.floor((x % 1) * 2 ** 32);
const rounds = lazily(() => Int32Array.from(primes(64), (p) => fraction(Math.cbrt(p))));
const initial = lazily(() => Int32Array.from(primes(8), (p) => fraction(Math.sqrt(p))));
