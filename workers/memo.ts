export interface Memo<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): T;
}

/** Most entries remembered. */
const MEMO_SIZE = 1000;

/** Values of this isolate that hold for `ttlMs`. Answers are remembered, never calls: a request may not wait on another's I/O. */
export function makeMemo<T>(now: () => number, ttlMs: number): Memo<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      return entry && entry.until > now() ? entry.value : undefined;
    },
    set(key, value) {
      // The oldest goes first: insertion order is age, because a renewed entry is inserted anew.
      entries.delete(key);
      if (entries.size >= MEMO_SIZE) entries.delete(entries.keys().next().value ?? "");
      entries.set(key, { value, until: now() + ttlMs });
      return value;
    },
  };
}
