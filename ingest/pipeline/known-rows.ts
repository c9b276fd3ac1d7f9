import type { KnownRow } from "../../shared/ports/registry.ts";

/** How a row's view compares with what the registry knows. `duplicate`: this run has met it before. */
export type State = "added" | "changed" | "unchanged" | "duplicate";

/**
 * What is known of one table, as hashes, whatever a row's key and text: 14 bytes for each row where none was known before, 27 where
 * any was, and up to half as much again where no estimate was right.
 */
export interface KnownRows {
  /** Takes one page of `Registry.known`. What is told again counts as it is now, unless this run has met it. */
  learn(page: readonly KnownRow[]): void;
  /** Compares and remembers that this run met it. */
  see(row: string, view: string, version: string): State;
  /**
   * Remembers that this run met a row of which it has read the key alone: it stays as the registry knows it. False, and nothing
   * is remembered, for a row that the registry does not know, or knows without a version.
   * @param views the table's; a row need not have all of them.
   */
  meet(row: string, views: readonly string[]): boolean;
  /** What `see` said when this run met it; undefined when it has not. */
  stateOf(row: string, view: string): Exclude<State, "duplicate"> | undefined;
  /** How many chunks the registry knows it with; 0 when it does not know it. */
  chunksOf(row: string, view: string): number;
  /** Distinct rows known, rows whose removal is staged already left out. */
  readonly rows: number;
  /** Views known that this run has not met yet, staged removals included. */
  readonly unseen: number;
  /** Everything, to go on with elsewhere. */
  save(): SavedRows;
}

/** Known rows at rest. */
export interface SavedRows {
  readonly seed: number;
  readonly rows: number;
  readonly unseen: number;
  /** The slots in use, one after the other: three words of the key, then three of what is known. */
  readonly slots: Int32Array;
}

const SEEN = 1;
const KNOWN = 2;
/** Two bits: index into STATES of what this run found. */
const STATE_SHIFT = 2;
const STATES = ["added", "changed", "unchanged"] as const;
const CHUNKS_SHIFT = 4;
/**
 * Words of a slot's key, which is its hash: the last of them is 0 in a free slot alone. As many say what is known of the row: two
 * of the version's hash, one of flags and chunk count.
 */
const WORDS = 3;
const MAX_CHUNKS = 0x7ff_ffff;
/** Share of the slots that are taken before there are more of them. */
const FULL = 0.9;
/** Rows that there is room for before anything is known: an estimate may be wrong. */
const MAX_EXPECTED = 4_000_000;

/**
 * An open-addressing table of 96-bit keys. The key's hash is seeded at random for each run, so that nobody can choose row
 * keys that collide; two of a million rows do so once in 10^17 runs. Of a first run's rows there is nothing to say but that they
 * were met: what is known takes no memory before there is any.
 * @param options `seed`: 32 random bits, default from the platform's generator; `full`: known rows count as changed; `expected`:
 * rows that the table is thought to have, so that it need not grow, which takes as much memory again while it does.
 */
export function makeKnownRows(
  options: {
    readonly seed?: number;
    readonly full?: boolean;
    readonly saved?: SavedRows | undefined;
    readonly expected?: number | undefined;
  } = {},
): KnownRows {
  const { saved } = options;
  const seed = saved?.seed ?? options.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  let capacity = Math.max(1024, Math.ceil(Math.min(options.expected ?? 0, MAX_EXPECTED) / FULL));
  let keys = new Int32Array(capacity * WORDS);
  let facts: Int32Array | undefined;
  let used = 0;
  let rows = saved?.rows ?? 0;
  let unseen = saved?.unseen ?? 0;
  let lastRow: string | undefined;
  const key = new Int32Array(WORDS);

  /** Offset of the slot that holds a key, or of the free one where it belongs. */
  const find = (a: number, b: number, c: number): number => {
    let index = (a >>> 0) % capacity;
    for (;;) {
      const at = index * WORDS;
      const last = keys[at + 2];
      if (last === 0 || (last === c && keys[at] === a && keys[at + 1] === b)) return at;
      index = index + 1 === capacity ? 0 : index + 1;
    }
  };
  const locate = (row: string, view: string): number => {
    hashKey(row, view, seed, key);
    return find(key[0] ?? 0, key[1] ?? 0, key[2] ?? 0);
  };
  /** 0 in a free slot. */
  const flagsAt = (at: number): number => (facts ? (facts[at + 2] ?? 0) : keys[at + 2] === 0 ? 0 : SEEN);
  /** Takes the free slot of the key that was located last. */
  const occupy = (at: number): void => {
    keys.set(key, at);
    used += 1;
  };
  const factsNow = (): Int32Array => {
    if (facts) return facts;
    const made = new Int32Array(keys.length);
    if (used > 0) for (let at = 0; at < keys.length; at += WORDS) made[at + 2] = flagsAt(at);
    facts = made;
    return made;
  };
  const growIfFull = (): void => {
    if (used < capacity * FULL) return;
    const [oldKeys, oldFacts] = [keys, facts];
    capacity = Math.ceil(capacity * 1.5);
    keys = new Int32Array(capacity * WORDS);
    facts = oldFacts && new Int32Array(capacity * WORDS);
    for (let from = 0; from < oldKeys.length; from += WORDS) {
      const words = oldKeys.subarray(from, from + WORDS);
      if (words[2] === 0) continue;
      const at = find(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0);
      keys.set(words, at);
      if (oldFacts) facts?.set(oldFacts.subarray(from, from + WORDS), at);
    }
  };
  const restore = (slots: Int32Array): void => {
    used = slots.length / (2 * WORDS);
    capacity = Math.max(capacity, Math.ceil(used / FULL) + 1);
    keys = new Int32Array(capacity * WORDS);
    facts = new Int32Array(capacity * WORDS);
    for (let from = 0; from < slots.length; from += 2 * WORDS) {
      const words = slots.subarray(from, from + WORDS);
      const at = find(words[0] ?? 0, words[1] ?? 0, words[2] ?? 0);
      keys.set(words, at);
      facts.set(slots.subarray(from + WORDS, from + 2 * WORDS), at);
    }
  };
  if (saved) restore(saved.slots);

  return {
    get rows() {
      return rows;
    },
    get unseen() {
      return unseen;
    },
    learn(page) {
      for (const { row, view, version, chunks } of page) {
        growIfFull();
        const kept = factsNow();
        const at = locate(row, view);
        const flags = kept[at + 2] ?? 0;
        if ((flags & SEEN) !== 0) continue;
        if (flags === 0) occupy(at);
        // An empty version is a staged removal: nothing in the warehouse can equal it.
        const [high, low] = version === "" ? [0, 0] : versionWords(version);
        kept[at] = high;
        kept[at + 1] = low;
        kept[at + 2] = KNOWN | (Math.min(chunks, MAX_CHUNKS) << CHUNKS_SHIFT);
        if (flags !== 0) continue;
        unseen += 1;
        if (version !== "" && row !== lastRow) {
          rows += 1;
          lastRow = row;
        }
      }
    },
    see(row, view, version) {
      growIfFull();
      const at = locate(row, view);
      const flags = flagsAt(at);
      if ((flags & SEEN) !== 0) return "duplicate";
      if (flags === 0) {
        occupy(at);
        if (facts) facts[at + 2] = SEEN;
        return "added";
      }
      unseen -= 1;
      const kept = factsNow();
      const [high, low] = versionWords(version);
      const removed = kept[at] === 0 && kept[at + 1] === 0;
      const same = kept[at] === high && kept[at + 1] === low && options.full !== true;
      const state = removed ? 0 : same ? 2 : 1;
      kept[at + 2] = flags | SEEN | (state << STATE_SHIFT);
      return STATES[state];
    },
    meet(row, views) {
      const found = views.map((view) => locate(row, view)).filter((at) => flagsAt(at) !== 0);
      const versioned = found.every((at) => facts && (facts[at] !== 0 || facts[at + 1] !== 0));
      if (!facts || found.length === 0 || !versioned) return false;
      for (const at of found) {
        const flags = flagsAt(at);
        if ((flags & SEEN) !== 0) continue;
        unseen -= 1;
        facts[at + 2] = flags | SEEN | (STATES.indexOf("unchanged") << STATE_SHIFT);
      }
      return true;
    },
    stateOf(row, view) {
      const flags = flagsAt(locate(row, view));
      return (flags & SEEN) === 0 ? undefined : STATES[(flags >>> STATE_SHIFT) & 3];
    },
    chunksOf(row, view) {
      return flagsAt(locate(row, view)) >>> CHUNKS_SHIFT;
    },
    save() {
      const packed = new Int32Array(used * 2 * WORDS);
      let to = 0;
      for (let at = 0; at < keys.length; at += WORDS) {
        if (keys[at + 2] === 0) continue;
        packed.set(keys.subarray(at, at + WORDS), to);
        packed.set(facts?.subarray(at, at + WORDS) ?? [0, 0, SEEN], to + WORDS);
        to += 2 * WORDS;
      }
      return { seed, rows, unseen, slots: packed };
    },
  };
}

/** Three 32-bit lanes, each mixed over every character, in the manner of MurmurHash3's body and finaliser. */
function hashKey(row: string, view: string, seed: number, out: Int32Array): void {
  let a = seed ^ 0x9e3779b9;
  let b = Math.imul(seed, 0x85ebca6b) ^ 0x7f4a7c15;
  let c = Math.imul(seed, 0xc2b2ae35) ^ 0x165667b1;
  const mix = (unit: number): void => {
    a = Math.imul(a ^ unit, 0xcc9e2d51);
    a = (a << 15) | (a >>> 17);
    b = Math.imul(b + unit, 0x1b873593) ^ a;
    b = (b << 13) | (b >>> 19);
    c = Math.imul(c ^ unit ^ b, 0xe6546b64);
    c = (c << 11) | (c >>> 21);
  };
  for (let i = 0; i < view.length; i++) mix(view.charCodeAt(i));
  mix(0x1_0000);
  for (let i = 0; i < row.length; i++) mix(row.charCodeAt(i));
  out[0] = finish(a ^ c);
  out[1] = finish(b ^ a);
  out[2] = finish(c ^ b) || 1;
}

function finish(word: number): number {
  let x = word ^ (word >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** The first 60 bits of a base64url hash, as two words; never both zero. */
function versionWords(version: string): [number, number] {
  let high = 0;
  let low = 0;
  for (let i = 0; i < 5; i++) high = (high << 6) | sextet(version.charCodeAt(i));
  for (let i = 5; i < 10; i++) low = (low << 6) | sextet(version.charCodeAt(i));
  return [high | 0x4000_0000, low];
}

function sextet(code: number): number {
  if (code >= 97) return code - 71;
  if (code >= 65) return code === 95 ? 63 : code - 65;
  if (code >= 48) return code + 4;
  return 62;
}
