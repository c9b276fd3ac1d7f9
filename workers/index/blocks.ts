import { countOf, MAX_BLOCK_BYTES } from "./schema.ts";
import { strideOf, type Slot, type VectorMemory } from "./vectors.ts";

/**
 * Vectors at rest: blobs of int8 vectors, one after the other, their scales (float32) behind them. A batch makes a block of its
 * own; small and half-empty blocks are packed together when a run publishes, so that loading reads few and full ones.
 */

/** Vectors that a block of this width may hold. */
export function blockCapacity(dimensions: number): number {
  return Math.floor(MAX_BLOCK_BYTES / (strideOf(dimensions) + 4));
}

/** Where a vector was put. */
export interface Place {
  readonly block: number;
  readonly pos: number;
}

/** Stores vectors in order, in as many blocks as they need; returns their places in the same order. */
export function writeBlocks(
  sql: SqlStorage,
  dimensions: number,
  bytes: Int8Array,
  scales: Float32Array,
): Place[] {
  const stride = strideOf(dimensions);
  const capacity = blockCapacity(dimensions);
  const places: Place[] = [];
  for (let start = 0; start < scales.length; start += capacity) {
    const count = Math.min(capacity, scales.length - start);
    const data = new Uint8Array(count * (stride + 4));
    data.set(asBytes(bytes.subarray(start * stride, (start + count) * stride)));
    data.set(asBytes(scales.subarray(start, start + count)), count * stride);
    const { no } = sql
      .exec<{ no: number }>("INSERT INTO block (slots, data) VALUES (?, ?) RETURNING no", count, data.buffer)
      .one();
    for (let pos = 0; pos < count; pos++) places.push({ block: no, pos });
  }
  return places;
}

interface Block {
  readonly bytes: Int8Array;
  readonly scales: Float32Array;
}

function readBlock(sql: SqlStorage, dimensions: number, no: number): Block {
  const { slots, data } = sql
    .exec<{ slots: number; data: ArrayBuffer }>("SELECT slots, data FROM block WHERE no = ?", no)
    .one();
  const vectorBytes = slots * strideOf(dimensions);
  return {
    bytes: new Int8Array(data, 0, vectorBytes),
    scales: new Float32Array(data, vectorBytes, slots),
  };
}

/** Fills an empty memory with every vector there is. */
export function loadVectors(sql: SqlStorage, dimensions: number, memory: Pick<VectorMemory, "add">): void {
  const stride = strideOf(dimensions);
  const flush = (block: number, slots: readonly Slot[], positions: readonly number[]): void => {
    if (slots.length === 0) return;
    const { bytes, scales } = readBlock(sql, dimensions, block);
    const whole = positions.length === scales.length;
    const packed = whole ? bytes : new Int8Array(positions.length * stride);
    if (!whole) {
      for (const [i, pos] of positions.entries()) {
        packed.set(bytes.subarray(pos * stride, (pos + 1) * stride), i * stride);
      }
    }
    memory.add(
      slots,
      packed,
      Float32Array.from(positions, (pos) => scales[pos] ?? 0),
    );
  };
  const rows = sql
    .exec(
      "SELECT no, rec, tbl, class, live, block, pos FROM entry WHERE block IS NOT NULL ORDER BY block, pos",
    )
    .raw<[number, number, number, number, number, number, number]>();
  let slots: Slot[] = [];
  let positions: number[] = [];
  let current = -1;
  for (const [chunk, rec, table, accessClass, live, block, pos] of rows) {
    if (block !== current) {
      flush(current, slots, positions);
      slots = [];
      positions = [];
      current = block;
    }
    slots.push({ chunk, rec, table, accessClass, live: live === 1 });
    positions.push(pos);
  }
  flush(current, slots, positions);
}

/** Overwrites vectors with zeros: what is erased must not stay readable in a block that others share. */
export function wipeVectors(sql: SqlStorage, dimensions: number, places: readonly Place[]): void {
  const stride = strideOf(dimensions);
  for (const no of new Set(places.map((place) => place.block))) {
    const { bytes, scales } = readBlock(sql, dimensions, no);
    for (const { block, pos } of places) {
      if (block !== no) continue;
      bytes.fill(0, pos * stride, (pos + 1) * stride);
      scales[pos] = 0;
    }
    sql.exec("UPDATE block SET data = ? WHERE no = ?", bytes.buffer, no);
  }
}

/** Deletes blocks that nothing points at and packs those that are less than half used together. Memory is not touched. */
export function packBlocks(sql: SqlStorage, dimensions: number): void {
  sql.exec("DELETE FROM block WHERE no NOT IN (SELECT block FROM entry WHERE block IS NOT NULL)");
  const capacity = blockCapacity(dimensions);
  const sparse = sql
    .exec<{ no: number }>(
      `SELECT b.no AS no FROM block b JOIN entry e ON e.block = b.no GROUP BY b.no HAVING count(*) < ? ORDER BY b.no`,
      Math.floor(capacity / 2),
    )
    .toArray()
    .map((row) => row.no);
  if (sparse.length < 2) return;
  const stride = strideOf(dimensions);
  const bytes = new Int8Array(capacity * stride);
  const scales = new Float32Array(capacity);
  let packed: { readonly from: number; readonly at: number; readonly positions: readonly number[] }[] = [];
  let size = 0;
  const flush = (): void => {
    const target = writeBlocks(
      sql,
      dimensions,
      bytes.subarray(0, size * stride),
      scales.subarray(0, size),
    )[0];
    for (const { from, at, positions } of packed) {
      movePositions(sql, from, target?.block ?? 0, at, positions);
      sql.exec("DELETE FROM block WHERE no = ?", from);
    }
    packed = [];
    size = 0;
  };
  for (const no of sparse) {
    const positions = sql
      .exec<{ pos: number }>("SELECT pos FROM entry WHERE block = ? ORDER BY pos", no)
      .toArray()
      .map((row) => row.pos);
    if (size + positions.length > capacity) flush();
    const block = readBlock(sql, dimensions, no);
    packed.push({ from: no, at: size, positions });
    for (const pos of positions) {
      bytes.set(block.bytes.subarray(pos * stride, (pos + 1) * stride), size * stride);
      scales[size] = block.scales[pos] ?? 0;
      size += 1;
    }
  }
  if (size > 0) flush();
}

/** Entries of one block to another, where they follow each other from `at` on. */
function movePositions(
  sql: SqlStorage,
  from: number,
  to: number,
  at: number,
  positions: readonly number[],
): void {
  const first = positions[0] ?? 0;
  const shift = at - first;
  if (positions.at(-1) === first + positions.length - 1) {
    sql.exec("UPDATE entry SET block = ?, pos = pos + ? WHERE block = ?", to, shift, from);
    return;
  }
  for (const [i, pos] of positions.entries()) {
    sql.exec("UPDATE entry SET block = ?, pos = ? WHERE block = ? AND pos = ?", to, at + i, from, pos);
  }
}

/** How many chunks have a vector. */
export function countVectors(sql: SqlStorage): number {
  return countOf(sql, "SELECT count(*) AS n FROM entry WHERE block IS NOT NULL");
}

function asBytes(view: Int8Array | Float32Array): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
