/** Things that happen, written down soon after, many in one call. */

export interface WriteBehindDeps<T> {
  /** Writes a tenant's items, in the order in which they came. */
  readonly write: (tenant: string, items: readonly T[]) => Promise<unknown>;
  /** Told of what could not be written. */
  readonly failed: (items: readonly T[]) => void;
  /** Keeps work alive after the response. */
  readonly defer: (work: Promise<unknown>) => void;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
}

/** What comes within this time is written together. */
const GATHER_MS = 50;
/** A batch this old was begun by a request that the platform has ended: whoever comes next writes it. */
const LOST_MS = 2000;
/** Most items of one call: a few MB, where an RPC carries 32. */
const MOST = 1000;

/** How long what is not there is waited for: several times the gathering, since the write takes its time too. */
const WAITS_MS: readonly number[] = [GATHER_MS + 10, 150, 300];

/**
 * Looks for what may have been given a moment ago and is not written yet, for about half a second.
 * @param look undefined or false for what is not there.
 */
export async function onceWritten<T>(
  look: () => Promise<T>,
  sleep: WriteBehindDeps<T>["sleep"],
  signal: AbortSignal,
): Promise<T> {
  let found = await look();
  for (const wait of WAITS_MS) {
    if (found !== undefined && found !== false) break;
    await sleep(wait, signal);
    found = await look();
  }
  return found;
}

interface Batch<T> {
  readonly items: T[];
  readonly since: number;
}

/** Takes items to be written. What an isolate that dies has not written yet is lost. */
export function makeWriteBehind<T>(deps: WriteBehindDeps<T>): (tenant: string, item: T) => void {
  const open = new Map<string, Batch<T>>();
  const flush = async (tenant: string, batch: Batch<T>): Promise<void> => {
    await deps.sleep(GATHER_MS, new AbortController().signal);
    if (open.get(tenant) === batch) open.delete(tenant);
    const items = batch.items.splice(0);
    try {
      if (items.length > 0) await deps.write(tenant, items);
    } catch {
      deps.failed(items);
    }
  };
  return (tenant, item) => {
    const before = open.get(tenant);
    const lost = before !== undefined && deps.now() - before.since >= LOST_MS;
    if (before && !lost && before.items.length < MOST) {
      before.items.push(item);
      return;
    }
    const batch = { items: [...(lost ? before.items.splice(0) : []), item], since: deps.now() };
    open.set(tenant, batch);
    deps.defer(flush(tenant, batch));
  };
}
