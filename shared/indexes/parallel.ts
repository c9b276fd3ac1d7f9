/** Requests in parts, a few at a time: what every outside index does with long lists. */

/** The list in parts of at most `size`, in order. */
export function* slices<T>(list: readonly T[], size: number): Generator<readonly T[], void, undefined> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

/** Results in order; at most `limit` at work, and items are taken (and so made) only when there is room. */
export async function inParallel<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const iterator = items[Symbol.iterator]();
  let taken = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const { done, value } = iterator.next();
      if (done) return;
      const at = taken++;
      results[at] = await work(value);
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  return results;
}
