import type { Embedder } from "../../shared/ports/embedder.ts";
import type { AccessClass, StagedRow } from "../../shared/ports/registry.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { embedEach, type Refusal } from "./embed-each.ts";
import { spendGuard, stopAt, type SpendCaps } from "./guards.ts";

/** One view of a row on its way to the registry. */
export interface Work {
  readonly table: string;
  readonly row: StagedRow;
  readonly accessClass: AccessClass;
  /** UTF-8 bytes of the row's cells as JSON, about. */
  readonly bytes: number;
  /** How many chunks its earlier version had beyond the new one's. */
  readonly surplus: number;
  /** How the row compares with what was known of it. */
  readonly state: "added" | "changed";
  /** The same row in shorter chunks, for an embedder that finds these too long; undefined when they can't be shorter. */
  readonly shorter: (() => Work) | undefined;
}

/** Rows wait here for their vectors, pooled over pages and tables so that calls to the embedder are full. */
export interface EmbedPool {
  /** Takes a row without vectors; returns once there is room for another. Rows leave in the order they came. */
  add(work: Work): Promise<void>;
  /** Embeds and hands on all that waits. */
  drain(): Promise<void>;
  /** After `add` or `drain` threw: waits for the calls under way, and hands on each row that has its vectors. */
  salvage(): Promise<void>;
  readonly stats: EmbedStats;
}

export interface EmbedStats {
  /** Texts that were sent to the embedder; each distinct text once. */
  readonly texts: number;
  readonly requests: number;
  /** Tokens billed, or estimated where the embedder does not say. */
  readonly tokens: number;
}

export interface EmbedPoolOptions {
  readonly embedder: Embedder;
  /** How many calls may be under way now. */
  readonly concurrency: () => number;
  /** What the run's embedding may come to. */
  readonly caps: SpendCaps;
  /** What the run has come to before; counted on, and against the cap. */
  readonly before?: EmbedStats | undefined;
  /** Where a row goes once it has its vectors; the pool waits for it. */
  readonly onReady: (work: Work) => Promise<void>;
  /** A row of which the embedder refuses a text, in chunks of any length. */
  readonly onRefused: (work: Work) => void;
  readonly signal: AbortSignal;
}

/** Shared by all chunks with the same text. */
interface Slot {
  outcome: Float32Array | Refusal | undefined;
}

interface Waiting {
  readonly work: Work;
  readonly slots: readonly Slot[];
}

/** Rows, texts and vectors of one call, about: all calls under way, and the rows that wait for them, are in memory. */
const CALL_BYTES = 6 * 1024 * 1024;
const TEXT_BYTES = 4000;

/** Memory for texts embedded earlier in the run, vectors and texts together, in each of two generations. */
const CACHE_BYTES = 8 * 1024 * 1024;

/** @throws from `add` and `drain`: what the embedder throws, `guard_stopped` above the cap. */
export function makeEmbedPool(options: EmbedPoolOptions): EmbedPool {
  const { embedder, signal } = options;
  const stats = { texts: 0, requests: 0, tokens: 0, ...options.before };
  // Two generations instead of evicting one by one, which maps are slow at.
  let recent = new Map<string, Slot>();
  let older = new Map<string, Slot>();
  const cacheEntries = Math.max(1000, Math.floor(CACHE_BYTES / (embedder.dimensions * 4 + TEXT_BYTES)));
  const perCall = Math.max(
    1,
    Math.min(embedder.maxBatch, Math.floor(CALL_BYTES / (embedder.dimensions * 4 + TEXT_BYTES))),
  );
  const waiting: Waiting[] = [];
  const underWay: Promise<void>[] = [];
  let texts: string[] = [];
  let slots: Slot[] = [];
  let tokens = 0;
  let forecast = stats.tokens;

  const call = async (batch: readonly string[], into: readonly Slot[], estimate: number): Promise<void> => {
    const onCall = (): void => void (stats.requests += 1);
    const { outcomes, inputTokens } = await embedEach(embedder, batch, onCall, signal);
    stats.texts += batch.length;
    stats.tokens += inputTokens ?? estimate;
    for (const [i, slot] of into.entries()) slot.outcome = outcomes[i];
  };
  const handOn = (work: Work, vectors: readonly Float32Array[]): Promise<void> => {
    const chunks = work.row.chunks.map((chunk, i) => ({ ...chunk, vector: vectors[i] }));
    return options.onReady({ ...work, row: { ...work.row, chunks } });
  };
  const deliver = async (): Promise<void> => {
    while (waiting[0]?.slots.every((slot) => slot.outcome !== undefined)) {
      const ready = waiting.shift();
      if (!ready) return;
      const { work, slots } = ready;
      const vectors = vectorsOf(slots);
      if (vectors.length < slots.length) {
        const rejected = slots.some(({ outcome }) => outcome === "input_rejected");
        const shorter = rejected ? undefined : work.shorter?.();
        if (shorter) await add(shorter);
        else options.onRefused(work);
        continue;
      }
      await handOn(work, vectors);
    }
  };
  const dispatch = async (): Promise<void> => {
    if (texts.length > 0) {
      forecast += tokens;
      const stop = spendGuard(forecast, embedder.pricePerMillionTokens, options.caps);
      if (stop) stopAt([stop]);
      const embedding = call(texts, slots, tokens);
      // Awaited in order below; a later one that fails first must not count as unhandled.
      embedding.catch(() => undefined);
      underWay.push(embedding);
      texts = [];
      slots = [];
      tokens = 0;
    }
    while (underWay.length >= options.concurrency()) await underWay.shift();
    await deliver();
  };

  const add = async (work: Work): Promise<void> => {
    const own: Slot[] = [];
    for (const { text } of work.row.chunks) {
      const known = recent.get(text) ?? older.get(text);
      if (known) {
        own.push(known);
        continue;
      }
      const cost = estimateTokens(text);
      if (texts.length >= perCall || tokens + cost > embedder.maxBatchTokens) await dispatch();
      const slot: Slot = { outcome: undefined };
      own.push(slot);
      recent.set(text, slot);
      if (recent.size >= cacheEntries) {
        older = recent;
        recent = new Map();
      }
      texts.push(text);
      slots.push(slot);
      tokens += cost;
    }
    waiting.push({ work, slots: own });
    // Rows whose texts were all seen before need no call, but must not pile up behind one that does.
    if (waiting.length > perCall * (options.concurrency() + 1)) await dispatch();
    else if (waiting.length === 1) await deliver();
  };

  return {
    stats,
    add,
    async drain() {
      // Rows that were too long come back in shorter chunks.
      do {
        await dispatch();
        while (underWay.length > 0) await underWay.shift();
        await deliver();
      } while (waiting.length > 0);
    },
    async salvage() {
      await Promise.allSettled(underWay);
      for (const { work, slots } of waiting) {
        const vectors = vectorsOf(slots);
        if (vectors.length === slots.length) await handOn(work, vectors);
      }
    },
  };
}

function vectorsOf(slots: readonly Slot[]): readonly Float32Array[] {
  return slots.flatMap(({ outcome }) => (outcome instanceof Float32Array ? [outcome] : []));
}
