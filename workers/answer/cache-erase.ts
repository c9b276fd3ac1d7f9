import { hash128 } from "../../shared/ids.ts";
import type { CachedAnswer } from "../../shared/ports/answer-cache.ts";

/**
 * Cached answers by the rows that they rest on. Each entry carries marks of its rows in its metadata, which a listing brings
 * along, so that an erasure finds its entries without reading any. A listing of Workers KV may miss what was written in the
 * last minute: such an entry is never used again (the epoch has risen) and leaves with its time to live.
 */

/** Letters of a row's hash that mark it: 48 bits. A chance likeness deletes an answer too many, no more. */
const MARK = 8;
/** KV takes 1,024 bytes of metadata; an answer that rests on more rows than fit carries none, and goes with any erasure. */
const MAX_MARKS = 80;

export interface RowMarks {
  readonly rows: readonly string[];
}

/** What an entry's metadata says of its rows; undefined for one that rests on too many to say. */
export async function marksOf(rows: CachedAnswer["rows"]): Promise<RowMarks | undefined> {
  if (rows.length > MAX_MARKS) return undefined;
  return { rows: await Promise.all(rows.map(([row]) => markOf(row))) };
}

async function markOf(row: string): Promise<string> {
  return (await hash128(row)).slice(0, MARK);
}

/** The part of a KV namespace that an erasure needs. */
export interface ListedStore {
  list(options: { readonly prefix: string; readonly cursor?: string | null }): Promise<{
    readonly keys: readonly { readonly name: string; readonly metadata?: unknown }[];
    readonly list_complete: boolean;
    readonly cursor?: string;
  }>;
  get(key: string): Promise<string | null>;
  delete(key: string): Promise<void>;
}

export interface ErasableCache {
  /** Deletes every cached answer that rests on the row; `left` are those that are still there when asked again. */
  erase(row: string): Promise<{ readonly removed: number; readonly left: number }>;
}

/** Deletes under way at once; a Worker may hold six connections. */
const TOGETHER = 6;

function restsOn(metadata: unknown, mark: string): boolean {
  const marks: unknown =
    typeof metadata === "object" && metadata !== null ? Reflect.get(metadata, "rows") : undefined;
  return !Array.isArray(marks) || marks.includes(mark);
}

/** @param prefix of the names of answers in the store. */
export function makeErasableCache(store: ListedStore, prefix: string): ErasableCache {
  return {
    async erase(row) {
      const mark = await markOf(row);
      let removed = 0;
      let left = 0;
      let cursor: string | undefined;
      do {
        const page = await store.list({ prefix, ...(cursor === undefined ? {} : { cursor }) });
        const names = page.keys.filter(({ metadata }) => restsOn(metadata, mark)).map(({ name }) => name);
        for (let i = 0; i < names.length; i += TOGETHER) {
          const part = names.slice(i, i + TOGETHER);
          await Promise.all(part.map((name) => store.delete(name)));
          const found = await Promise.all(part.map((name) => store.get(name)));
          left += found.filter((value) => value !== null).length;
        }
        removed += names.length;
        cursor = page.list_complete ? undefined : page.cursor;
      } while (cursor !== undefined);
      return { removed, left };
    },
  };
}
