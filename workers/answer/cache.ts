import type { AnswerCache, CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { Host } from "../../shared/ports/host.ts";
import { makeMemo } from "../memo.ts";
import { marksOf, type RowMarks } from "./cache-erase.ts";

/** Largest entry that is stored, in UTF-8 bytes. */
const MAX_ENTRY_BYTES = 256 * 1024;

/** Workers KV's floor. */
const MIN_TTL_SECONDS = 60;

/** The part of a KV namespace that the cache needs. */
export interface KeyValueStore {
  get(key: string): Promise<string | null>;
  put(
    key: string,
    value: string,
    options: { readonly expirationTtl: number; readonly metadata?: RowMarks },
  ): Promise<void>;
}

/** How long a KV read may take before the answer is made anew, in milliseconds; an answer waits for two at most. */
const READ_TIMEOUT_MS = 75;

/** How long this isolate goes by what it has read, and most of it, in UTF-16 units. */
const MEMORY_MS = 5000;
const MEMORY_SIZE = 2_000_000;

/**
 * Finished answers in Workers KV. KV is eventually consistent, which is harmless: an entry says what it rests on. For the same
 * reason one that was read is not read again for some seconds.
 */
export function makeAnswerCache(store: KeyValueStore, host: Host): AnswerCache {
  const failed = (event: string): void => host.log({ level: "warn", event });
  const memory = makeMemo<{ readonly entry: CachedAnswer; readonly size: number }>(
    () => host.now(),
    MEMORY_MS,
    MEMORY_SIZE,
    ({ size }) => size,
  );
  return {
    async get(key) {
      const known = memory.get(key);
      if (known && known.entry.until > host.now()) return known.entry;
      try {
        const text = await withTimeout(store.get(nameOf(key)), READ_TIMEOUT_MS);
        if (text === undefined) failed("cache-read-slow");
        if (text === undefined || text === null) return undefined;
        // Nothing that large was written here.
        if (text.length > MAX_ENTRY_BYTES) throw new RangeError("entry too large");
        const entry: unknown = JSON.parse(text);
        if (!isEntry(entry) || entry.key !== key) failed("cache-entry-foreign");
        else if (entry.until > host.now()) return memory.set(key, { entry, size: text.length }).entry;
      } catch {
        failed("cache-read-failed");
      }
      return undefined;
    },
    async put(entry) {
      try {
        const expirationTtl = Math.floor((entry.until - host.now()) / 1000);
        if (expirationTtl < MIN_TTL_SECONDS) return;
        const text = JSON.stringify(entry);
        if (new TextEncoder().encode(text).byteLength > MAX_ENTRY_BYTES) return;
        const metadata = await marksOf(entry.rows);
        await store.put(nameOf(entry.key), text, { expirationTtl, ...(metadata ? { metadata } : {}) });
      } catch {
        failed("cache-write-failed");
      }
    },
  };
}

/**
 * A lifetime up to a tenth shorter than configured, so that answers given together don't expire together.
 * @param random 0 to 1.
 */
export function jittered(ttlSeconds: number, random: number): number {
  return Math.max(MIN_TTL_SECONDS, Math.floor(ttlSeconds * (1 - random / 10)));
}

/** What the names of answers in the store begin with. */
export const ANSWERS = "a:";

function nameOf(key: string): string {
  return `${ANSWERS}${key}`;
}

/** Enough to use the entry without a crash; `SCHEMA` in the key vouches for the rest. */
function isEntry(value: unknown): value is CachedAnswer {
  if (typeof value !== "object" || value === null) return false;
  if (!("key" in value && "rows" in value && "answer" in value && "until" in value)) return false;
  if (!Array.isArray(value.rows) || typeof value.until !== "number") return false;
  if (!("classes" in value) || !Array.isArray(value.classes)) return false;
  const { answer } = value;
  return typeof answer === "object" && answer !== null && "text" in answer && "citations" in answer;
}

/** Undefined when the time is up first; the slow promise is left to itself. */
async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
