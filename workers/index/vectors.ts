import type { Kernel } from "./kernel.ts";

/**
 * The dense leg in memory: int8 vectors, scanned whole by the kernel, the best rescored against the unrounded query.
 * A scan is exact up to rounding, needs no training and no tuning, and deletes are immediate.
 */

/** A vector as it is stored: `value = byte * scale`. */
export interface Quantised {
  readonly bytes: Int8Array;
  readonly scale: number;
}

/** What is known of a chunk besides its vector: numbers of the shard's own tables. */
export interface Slot {
  readonly chunk: number;
  readonly rec: number;
  readonly table: number;
  readonly accessClass: number;
  readonly live: boolean;
}

/** Which chunks a search may see; `undefined` does not narrow. */
export interface Allowed {
  readonly classes: ReadonlySet<number>;
  readonly tables: ReadonlySet<number> | undefined;
  readonly recs: ReadonlySet<number> | undefined;
}

export function isAllowed(
  { accessClass, table, rec }: Pick<Slot, "accessClass" | "table" | "rec">,
  { classes, tables, recs }: Allowed,
): boolean {
  return classes.has(accessClass) && tables?.has(table) !== false && recs?.has(rec) !== false;
}

export interface ChunkScore {
  readonly chunk: number;
  readonly rec: number;
  readonly score: number;
}

/** For whoever adds up scores. */
export type Writable<T> = { -readonly [Field in keyof T]: T[Field] };

/** Bytes from one vector to the next: the kernel reads 16 at a time. */
export function strideOf(dimensions: number): number {
  return Math.ceil(dimensions / 16) * 16;
}

/** Rounds to 255 steps of the vector's own largest component. */
export function quantise(vector: Float32Array): Quantised {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const scale = largest === 0 ? 1 : largest / 127;
  const bytes = new Int8Array(strideOf(vector.length));
  for (let i = 0; i < vector.length; i++) bytes[i] = Math.round((vector[i] ?? 0) / scale);
  return { bytes, scale };
}

export interface VectorMemory {
  readonly size: number;
  /** Slots whose chunk was dropped: memory to win back by loading anew. */
  readonly dropped: number;
  /** @param bytes `slots.length` vectors of `strideOf(dimensions)` bytes each, in the same order. */
  add(slots: readonly Slot[], bytes: Int8Array, scales: Float32Array): void;
  /** After a publish: the chunks of these versions can be found, or no longer. */
  setLive(recs: ReadonlySet<number>, live: boolean): void;
  /** Forgets the vectors of these versions. */
  drop(recs: ReadonlySet<number>): void;
  /** The `limit` chunks nearest to the query, best first; scores are cosines for unit vectors. */
  search(query: Float32Array, allowed: Allowed, limit: number): ChunkScore[];
  /** The cosine of one chunk; undefined when it has no vector here. */
  scoreOf(query: Float32Array, chunk: number): number | undefined;
}

/** The query at 0, room for the products of one scan step, then the vectors. */
const SCAN_VECTORS = 4096;
const PRODUCTS_AT = 8192;
const VECTORS_AT = PRODUCTS_AT + SCAN_VECTORS * 4;

export function makeVectorMemory(kernel: Kernel, dimensions: number): VectorMemory {
  const stride = strideOf(dimensions);
  let size = 0;
  let dropped = 0;
  let chunks = new Int32Array(1024);
  let recs = new Int32Array(1024);
  let tables = new Int32Array(1024);
  let classes = new Int32Array(1024);
  let live = new Uint8Array(1024);
  let scales = new Float32Array(1024);
  const slotOf = new Map<number, number>();

  const reserve = (slots: number): void => {
    kernel.reserve(VECTORS_AT + slots * stride);
    if (slots <= chunks.length) return;
    const capacity = Math.max(slots, chunks.length * 2);
    chunks = grown(chunks, new Int32Array(capacity));
    recs = grown(recs, new Int32Array(capacity));
    tables = grown(tables, new Int32Array(capacity));
    classes = grown(classes, new Int32Array(capacity));
    live = grown(live, new Uint8Array(capacity));
    scales = grown(scales, new Float32Array(capacity));
  };

  const rescore = (query: Float32Array, slot: number): number => {
    const bytes = new Int8Array(kernel.memory(), VECTORS_AT + slot * stride, dimensions);
    let sum = 0;
    for (let i = 0; i < dimensions; i++) sum += (query[i] ?? 0) * (bytes[i] ?? 0);
    return sum * (scales[slot] ?? 0);
  };

  return {
    get size() {
      return size;
    },
    get dropped() {
      return dropped;
    },
    add(slots, bytes, newScales) {
      reserve(size + slots.length);
      new Int8Array(kernel.memory()).set(
        bytes.subarray(0, slots.length * stride),
        VECTORS_AT + size * stride,
      );
      for (const [i, slot] of slots.entries()) {
        chunks[size] = slot.chunk;
        recs[size] = slot.rec;
        tables[size] = slot.table;
        classes[size] = slot.accessClass;
        live[size] = slot.live ? 1 : 0;
        scales[size] = newScales[i] ?? 0;
        slotOf.set(slot.chunk, size);
        size += 1;
      }
    },
    setLive(which, value) {
      if (which.size === 0) return;
      for (let slot = 0; slot < size; slot++) if (which.has(recs[slot] ?? 0)) live[slot] = value ? 1 : 0;
    },
    drop(which) {
      if (which.size === 0) return;
      const memory = new Int8Array(kernel.memory());
      for (let slot = 0; slot < size; slot++) {
        if (!which.has(recs[slot] ?? 0)) continue;
        memory.fill(0, VECTORS_AT + slot * stride, VECTORS_AT + (slot + 1) * stride);
        slotOf.delete(chunks[slot] ?? 0);
        live[slot] = 0;
        recs[slot] = 0;
        dropped += 1;
      }
    },
    search(query, allowed, limit) {
      new Int8Array(kernel.memory()).set(quantise(query).bytes, 0);
      const best = makeBest(limit);
      const classOk = maskOf(allowed.classes);
      const tableOk = allowed.tables && maskOf(allowed.tables);
      for (let start = 0; start < size; start += SCAN_VECTORS) {
        const count = Math.min(SCAN_VECTORS, size - start);
        kernel.dot(0, VECTORS_AT + start * stride, count, stride, PRODUCTS_AT);
        const products = new Int32Array(kernel.memory(), PRODUCTS_AT, count);
        for (let i = 0; i < count; i++) {
          const slot = start + i;
          // What lies beyond a mask is undefined, and so not allowed.
          if (live[slot] !== 1 || classOk[classes[slot] ?? 0] !== 1) continue;
          if (tableOk && tableOk[tables[slot] ?? 0] !== 1) continue;
          if (allowed.recs && !allowed.recs.has(recs[slot] ?? 0)) continue;
          best.offer(slot, (products[i] ?? 0) * (scales[slot] ?? 0));
        }
      }
      return best
        .slots()
        .map((slot) => ({ chunk: chunks[slot] ?? 0, rec: recs[slot] ?? 0, score: rescore(query, slot) }))
        .sort((a, b) => b.score - a.score || a.chunk - b.chunk);
    },
    scoreOf(query, chunk) {
      const slot = slotOf.get(chunk);
      return slot === undefined ? undefined : rescore(query, slot);
    },
  };
}

/** A set of small numbers as a table: the scan asks it once a vector. */
function maskOf(numbers: ReadonlySet<number>): Uint8Array {
  const mask = new Uint8Array(Math.max(0, ...numbers) + 1);
  for (const number of numbers) mask[number] = 1;
  return mask;
}

function grown<T extends Int32Array | Uint8Array | Float32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** The `limit` highest of a stream: a binary heap whose root is the worst one kept. */
function makeBest(limit: number): { offer(slot: number, score: number): void; slots(): number[] } {
  const slots = new Int32Array(limit);
  const scores = new Float64Array(limit);
  let size = 0;
  const put = (at: number, slot: number, score: number): void => {
    slots[at] = slot;
    scores[at] = score;
  };
  const scoreAt = (at: number): number => scores[at] ?? 0;
  const rise = (slot: number, score: number): void => {
    let at = size++;
    while (at > 0 && scoreAt((at - 1) >> 1) > score) {
      put(at, slots[(at - 1) >> 1] ?? 0, scoreAt((at - 1) >> 1));
      at = (at - 1) >> 1;
    }
    put(at, slot, score);
  };
  const sink = (slot: number, score: number): void => {
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) break;
      if (child + 1 < size && scoreAt(child + 1) < scoreAt(child)) child += 1;
      if (scoreAt(child) >= score) break;
      put(at, slots[child] ?? 0, scoreAt(child));
      at = child;
    }
    put(at, slot, score);
  };
  return {
    offer(slot, score) {
      if (size < limit) rise(slot, score);
      else if (score > scoreAt(0)) sink(slot, score);
    },
    slots: () => Array.from(slots.subarray(0, size)),
  };
}
