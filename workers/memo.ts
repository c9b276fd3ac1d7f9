export interface Memo<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): T;
}

/** Most that is remembered, where every value weighs one. */
const MEMO_SIZE = 1000;

/**
 * Values of this isolate that hold for `ttlMs`. Answers are remembered, never calls: a request may not wait on another's I/O.
 * @param weigh what a value takes of `most`; one that takes more than all of it is not remembered.
 */
export function makeMemo<T>(
  now: () => number,
  ttlMs: number,
  most = MEMO_SIZE,
  weigh: (value: T) => number = () => 1,
): Memo<T> {
  const entries = new Map<string, { readonly value: T; readonly until: number }>();
  let weight = 0;
  const forget = (key: string): void => {
    const entry = entries.get(key);
    if (!entry) return;
    weight -= weigh(entry.value);
    entries.delete(key);
  };
  return {
    get(key) {
      const entry = entries.get(key);
      return entry && entry.until > now() ? entry.value : undefined;
    },
    set(key, value) {
      const own = weigh(value);
      // A renewed entry is inserted anew, so that the order of insertion is that of age.
      forget(key);
      if (own > most) return value;
      for (const [oldest, { until }] of entries) {
        // What holds no longer goes too, full or not.
        if (weight + own <= most && until > now()) break;
        forget(oldest);
      }
      weight += own;
      entries.set(key, { value, until: now() + ttlMs });
      return value;
    },
  };
}
