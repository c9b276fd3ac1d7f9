import type {
  AccessClass,
  Batch,
  Registry,
  Run,
  RunProgress,
  StagedRow,
} from "../../shared/ports/registry.ts";
import type { IndexEntry, VectorIndex } from "../../shared/ports/vector-index.ts";
import { makeHasher, type Hasher } from "../../shared/sha256.ts";
import { cellText } from "./cells.ts";
import type { Work } from "./embed.ts";
import type { Gone } from "./scan.ts";

/** Rows with their vectors go to the registry here, in numbered batches, one after the other. */
export interface Committer {
  /** Takes a row with its vectors; returns once there is room for another. */
  add(work: Work): Promise<void>;
  /** Stages removals, after all that was added before; an outside index forgets them once they are committed. */
  remove(table: string, views: readonly Gone[]): Promise<void>;
  /** Tells every few seconds where the run is, which renews its lease. */
  beat(progress: () => RunProgress): Promise<void>;
  /** Commits all that waits. */
  drain(): Promise<void>;
  readonly stats: CommitStats;
}

export interface CommitStats {
  /** Requests that carried vectors: to the outside index, or to the registry where it holds the index. */
  readonly upserts: number;
  /** Requests that carried removals, counted likewise. */
  readonly deletes: number;
  /** Stored ids written to an outside index in this run: all of the first ones, then a random sample. */
  readonly sample: readonly string[];
  /** Chunks written in this run. */
  readonly chunks: number;
}

export interface CommitterOptions {
  readonly registry: Registry;
  /** Undefined where vectors ride with the rows. */
  readonly index: VectorIndex | undefined;
  /** Whether rows are staged with their words, for the lexical leg in the registry. */
  readonly words: boolean;
  readonly run: Run;
  /** Columns that a search may be narrowed to, by table: an outside index keeps their values beside the vector. */
  readonly filters: ReadonlyMap<string, readonly string[]>;
  /** See `IngestDeps.hasher`. */
  readonly hasher?: Hasher | undefined;
  /** Number of the first batch. */
  readonly firstSeq?: number;
  /** What the run has come to before; counted on. */
  readonly before?: CommitStats | undefined;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What one request to the registry carries at most, unless a single row is larger. */
const BATCH_BYTES = 1_500_000;
const BATCH_ROWS = 1000;
/** Batches handed over but not yet committed; more, and reading waits. */
const QUEUE = 2;
export const BEAT_MS = 5000;
/** Batches whose chunks are being written to an outside index. */
const SENDING = 3;
const DELETE_IDS = 1000;
const SAMPLE = 200;

interface Open {
  readonly table: string;
  readonly classes: Map<string, AccessClass>;
  readonly rows: StagedRow[];
  /** Stored ids of chunks that the rows no longer have. */
  readonly surplus: Gone[];
  bytes: number;
}

/** As `storedId` of shared/ids.ts, which waits for WebCrypto: too long for each of a million rows. */
export function makeStoredIds(
  hasher: Hasher = makeHasher(),
): (row: string, view: string, n: number) => string {
  return (row, view, n) => `${hasher.hash128(`${view}\u0000${row}`)}.${n}`;
}

export function makeCommitter(options: CommitterOptions): Committer {
  const { registry, index, words, run, signal } = options;
  const { upserts = 0, deletes = 0, sample = [], chunks = 0 } = options.before ?? {};
  const stats = { upserts, deletes, sample: [...sample], chunks };
  const storedId = makeStoredIds(options.hasher);
  let open: Open | undefined;
  let seq = options.firstSeq ?? 0;
  let queued: Promise<void>[] = [];
  let tail: Promise<void> = Promise.resolve();
  let told = options.now();
  let met = chunks;
  let last = "";

  /** Keeps all ids up to SAMPLE, then replaces at random, so that the read-back is fair. */
  const remember = (id: string): void => {
    met += 1;
    const at = stats.sample.length < SAMPLE ? stats.sample.length : Math.floor(Math.random() * met);
    if (at < SAMPLE) stats.sample[at] = id;
  };

  /** Runs after everything handed over before; returns once at most QUEUE are waiting. */
  const enqueue = async (work: () => Promise<void>): Promise<void> => {
    const done = tail.then(work);
    done.catch(() => undefined);
    tail = done;
    queued.push(done);
    while (queued.length > QUEUE) await queued.shift();
  };
  /** Outside upserts under way; with their batches' numbers once they are done. */
  let sending: Promise<void>[] = [];
  let written: number[] = [];
  const commit = async (batch: Omit<Batch, "seq" | "written">): Promise<number> => {
    const told = written;
    written = [];
    const number = seq++;
    await registry.commit(
      run,
      { ...batch, seq: number, ...(told.length > 0 ? { written: told } : {}) },
      signal,
    );
    return number;
  };
  const settle = async (left: number): Promise<void> => {
    while (sending.length > left) await sending.shift();
  };
  const deleteIds = async (store: VectorIndex, views: readonly Gone[]): Promise<void> => {
    const ids: string[] = [];
    for (const { row, view, chunks, from } of views) {
      for (let n = from ?? 0; n < chunks; n++) ids.push(storedId(row, view, n));
    }
    for (let i = 0; i < ids.length; i += DELETE_IDS) {
      stats.deletes += 1;
      await store.delete(ids.slice(i, i + DELETE_IDS), signal);
    }
  };
  const upsert = async (store: VectorIndex, batch: Open): Promise<void> => {
    const entries: IndexEntry[] = [];
    const filters = options.filters.get(batch.table) ?? [];
    for (const row of batch.rows) {
      const kept = filters.length === 0 ? [] : row.cells.filter(({ column }) => filters.includes(column));
      const cells = Object.fromEntries(kept.map(({ column, value }) => [column, cellText(value)] as const));
      for (const { n, text, vector } of row.chunks) {
        if (!vector) continue;
        const id = storedId(row.row, row.view, n);
        entries.push({ id, vector, table: batch.table, accessClass: row.accessClass, text, cells });
        remember(id);
      }
    }
    for (let i = 0; i < entries.length; i += store.maxUpsert) {
      stats.upserts += 1;
      await store.upsert(entries.slice(i, i + store.maxUpsert), signal);
    }
    await deleteIds(store, batch.surplus);
  };
  const flush = async (): Promise<void> => {
    const batch = open;
    if (!batch) return;
    open = undefined;
    const { table } = batch;
    const classes = [...batch.classes.values()];
    stats.chunks += batch.rows.reduce((sum, row) => sum + row.chunks.length, 0);
    if (!index) {
      stats.upserts += 1;
      await enqueue(async () => void (await commit({ table, classes, rows: batch.rows, gone: [] })));
      return;
    }
    // The registry first, so that whatever is in the index is known; then the index, while later batches are committed.
    const rows = batch.rows.map((row) => ({
      ...row,
      chunks: row.chunks.map(({ n, text, lexical }) => ({
        n,
        text,
        lexical: words ? lexical : undefined,
        vector: undefined,
      })),
    }));
    await enqueue(async () => {
      last = table;
      const number = await commit({ table, classes, rows, gone: [], pending: true });
      const sent = upsert(index, batch).then(() => void written.push(number));
      sent.catch(() => undefined);
      sending.push(sent);
      await settle(SENDING);
    });
  };

  return {
    stats,
    async add({ table, row, accessClass, bytes, surplus }) {
      const size = sizeOf(row, bytes, index === undefined, words);
      const full = open && (open.bytes + size > BATCH_BYTES || open.rows.length >= BATCH_ROWS);
      if (open && (full || open.table !== table)) await flush();
      open ??= { table, classes: new Map(), rows: [], surplus: [], bytes: 0 };
      open.classes.set(accessClass.id, accessClass);
      open.rows.push(row);
      open.bytes += size;
      if (surplus > 0) {
        const from = row.chunks.length;
        open.surplus.push({ row: row.row, view: row.view, chunks: from + surplus, from });
      }
    },
    async remove(table, views) {
      await flush();
      for (let i = 0; i < views.length; i += BATCH_ROWS) {
        const part = views.slice(i, i + BATCH_ROWS);
        if (!index) stats.deletes += 1;
        await enqueue(async () => {
          // What is removed may be among what is being written.
          await settle(0);
          const gone = part.map(({ row, view }) => ({ row, view }));
          await commit({ table, classes: [], rows: [], gone });
          if (index) await deleteIds(index, part);
        });
      }
    },
    async beat(progress) {
      // A clock that went back tells nothing of how long it is.
      const since = options.now() - told;
      if (since >= 0 && since < BEAT_MS) return;
      told = options.now();
      await registry.report(run, progress(), signal);
    },
    async drain() {
      await flush();
      await enqueue(async () => {
        await settle(0);
        if (written.length > 0) await commit({ table: last, classes: [], rows: [], gone: [] });
      });
      await tail;
      queued = [];
    },
  };
}

/** Bytes of a row in a batch, about: cells and chunk texts, words and vectors where they ride along. */
function sizeOf(row: StagedRow, bytes: number, vectors: boolean, words: boolean): number {
  const dimensions = vectors ? (row.chunks[0]?.vector?.length ?? 0) : 0;
  const meta = words ? (row.chunks[0]?.lexical?.meta.length ?? 0) : 0;
  return (
    bytes * (words ? 3 : 2) + row.chunks.length * (dimensions * 4 + meta + row.title.length * 2 + 400) + 200
  );
}
