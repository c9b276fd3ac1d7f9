import { QuaysideError } from "../../shared/ports/errors.ts";
import type {
  AccessClass,
  Batch,
  HeldBack,
  KnownRow,
  PublishedTable,
  Registry,
  Run,
  ServedBasis,
  StagedRow,
  TableCursor,
  TableShape,
} from "../../shared/ports/registry.ts";
import { makeHasher } from "../../shared/sha256.ts";

/** A registry in memory, with what tests look into. Knows one tenant. */
export interface MemoryRegistry extends Registry {
  /** What is served of a table, by row and view. */
  served(table: string): readonly StagedRow[];
  /** Everything staged or served, as one comparable value. */
  dump(): unknown;
  readonly generation: number;
  readonly classes: ReadonlyMap<string, AccessClass>;
  readonly published: readonly PublishedTable[];
  /** Calls of `commit` so far, repeats included. */
  readonly commits: readonly Batch[];
  /** What runs told of the rows that they hold back, the last word. */
  readonly heldBack: readonly HeldBack[];
  /** Erases a row for good. */
  erase(row: string): void;
  /** Ends the lease of a run that died. */
  expireLease(): void;
}

interface Entry {
  readonly table: string;
  served: StagedRow | undefined;
  /** `gone`: a removal is staged. */
  staged: StagedRow | "gone" | undefined;
  /** Run and batch whose chunks are still to be written outside. */
  pending: string | undefined;
}

const PAGE = 100;

function idOf(row: string, view: string): string {
  return `${row}\u0000${view}`;
}

function check(signal: AbortSignal): void {
  if (signal.aborted) throw new QuaysideError("cancelled", "Cancelled.");
}

export function memoryRegistry(): MemoryRegistry {
  const spaces = new Map<string, Map<string, Entry>>();
  const classes = new Map<string, AccessClass>();
  const commits: Batch[] = [];
  const erased = new Set<string>();
  const shapes = new Map<string, TableShape>();
  /** By space and table. */
  const bases = new Map<string, string>();
  const cursors = new Map<string, TableCursor>();
  const probes = new Map<string, readonly Float32Array[]>();
  const hasher = makeHasher();
  let servedSpace = "";
  let lastPublished: { readonly fence: number; readonly generation: number } | undefined;
  let generation = 0;
  let fence = 0;
  let lastSeq = -1;
  let lease: string | undefined;
  let published: readonly PublishedTable[] = [];
  let heldBack: readonly HeldBack[] = [];

  const entriesOf = (space: string): Map<string, Entry> => {
    const entries = spaces.get(space) ?? new Map<string, Entry>();
    spaces.set(space, entries);
    return entries;
  };
  const sorted = (space: string, table: string): [string, Entry][] =>
    [...entriesOf(space)].filter(([, e]) => e.table === table).sort(([a], [b]) => (a < b ? -1 : 1));
  const hold = (run: Run): void => {
    if (run.fence !== fence || lease !== run.id) {
      throw new QuaysideError("run_fenced", "Another run holds the lease now.");
    }
  };

  const isStaged = (space: string, table: string): boolean =>
    sorted(space, table).some(([, { staged, pending }]) => staged !== undefined || pending !== undefined);
  const servedBasis = (table: string): ServedBasis | undefined => {
    const basis = bases.get(idOf(servedSpace, table));
    const cursor = cursors.get(idOf(servedSpace, table));
    if ((basis === undefined && !cursor) || isStaged(servedSpace, table)) return undefined;
    const rows = sorted(servedSpace, table).flatMap(([, entry]) => entry.served ?? []);
    const chunks = rows.reduce((sum, row) => sum + row.chunks.length, 0);
    return { basis, cursor, rows: new Set(rows.map(({ row }) => row)).size, chunks };
  };

  return {
    get generation() {
      return generation;
    },
    get published() {
      return published;
    },
    get heldBack() {
      return heldBack;
    },
    classes,
    commits,
    erased: async () => new Set(erased),
    erase(row) {
      erased.add(hasher.hash128(row));
      for (const entries of spaces.values()) {
        for (const id of entries.keys()) if (id.startsWith(`${row}\u0000`)) entries.delete(id);
      }
    },
    expireLease: () => void (lease = undefined),
    served: (table) => sorted(servedSpace, table).flatMap(([, entry]) => entry.served ?? []),
    dump: () =>
      [...spaces].map(([space, entries]) => [space, [...entries].sort(([a], [b]) => (a < b ? -1 : 1))]),

    async begin(request, signal) {
      check(signal);
      if (lease !== undefined && request.takeOver !== true) {
        throw new QuaysideError("run_conflict", "Another run holds the lease.", { retryAfterMs: 1000 });
      }
      fence += 1;
      lastSeq = -1;
      lease = `run_${fence}`;
      return { id: lease, fence, generation: generation + 1, space: request.space };
    },

    async *known(run, table, signal) {
      let page: KnownRow[] = [];
      for (const [, { served, staged, pending }] of sorted(run.space, table)) {
        check(signal);
        const current = staged === "gone" ? served : (staged ?? served);
        if (!current) continue;
        const version = staged === "gone" || pending !== undefined ? "" : current.version;
        const before = pending === undefined ? 0 : (served?.chunks.length ?? 0);
        const chunks = Math.max(before, current.chunks.length);
        page.push({ row: current.row, view: current.view, version, chunks });
        if (page.length < PAGE) continue;
        yield page;
        page = [];
      }
      if (page.length > 0) yield page;
    },

    shapes: async () =>
      new Map([...shapes].map(([name, shape]) => [name, { ...shape, served: servedBasis(name) }])),

    async probe(run, vectors, signal) {
      check(signal);
      hold(run);
      const kept = probes.get(run.space) ?? vectors;
      probes.set(run.space, kept);
      return kept;
    },

    async commit(run, batch, signal) {
      check(signal);
      hold(run);
      commits.push(batch);
      if (batch.seq <= lastSeq) return;
      // A slice begins at a number of its own.
      if (batch.seq !== lastSeq + 1 && batch.seq % 1_000_000 !== 0)
        throw new QuaysideError("invalid_request", "A batch is missing.");
      lastSeq = batch.seq;
      for (const made of batch.classes) classes.set(made.id, made);
      const entries = entriesOf(run.space);
      const written = new Set((batch.written ?? []).map((seq) => `${run.id} ${seq}`));
      for (const entry of entries.values()) {
        if (entry.pending !== undefined && written.has(entry.pending)) entry.pending = undefined;
      }
      for (const row of structuredClone(batch.rows)) {
        if (!classes.has(row.accessClass)) throw new QuaysideError("invalid_request", "Unknown class.");
        const id = idOf(row.row, row.view);
        const entry = entries.get(id) ?? {
          table: batch.table,
          served: undefined,
          staged: undefined,
          pending: undefined,
        };
        entry.staged = row;
        entry.pending = batch.pending ? `${run.id} ${batch.seq}` : undefined;
        entries.set(id, entry);
      }
      for (const { row, view } of batch.gone) {
        const id = idOf(row, view);
        const entry = entries.get(id);
        if (!entry) continue;
        entry.staged = "gone";
        entry.pending = undefined;
        if (!entry.served) entries.delete(id);
      }
    },

    async publish(run, tables, signal) {
      check(signal);
      if (lastPublished?.fence === run.fence) return { generation: lastPublished.generation };
      hold(run);
      for (const { counts, basis } of tables) {
        const same = bases.get(idOf(run.space, counts.table)) === basis && !isStaged(run.space, counts.table);
        if (counts.skipped && (basis === undefined || !same)) {
          throw new QuaysideError("run_conflict", `${counts.table} is another by now.`);
        }
      }
      for (const { counts } of tables) {
        const rows = new Set(
          sorted(run.space, counts.table)
            .map(([, entry]) => (entry.staged === "gone" ? undefined : (entry.staged ?? entry.served)?.row))
            .filter((row) => row !== undefined),
        );
        if (rows.size !== counts.added + counts.changed + counts.unchanged) {
          throw new QuaysideError("guard_stopped", `${counts.table}: ${rows.size} rows are staged.`);
        }
      }
      const entries = entriesOf(run.space);
      for (const { counts } of tables) {
        if (sorted(run.space, counts.table).some(([, entry]) => entry.pending !== undefined)) {
          throw new QuaysideError("guard_stopped", `${counts.table}: chunks are not written.`);
        }
      }
      let changed = servedSpace !== run.space;
      for (const [id, entry] of entries) {
        // What is staged for tables that the run did not read stays staged.
        if (entry.staged === undefined || !tables.some(({ counts }) => counts.table === entry.table))
          continue;
        changed = true;
        if (entry.staged === "gone") entries.delete(id);
        else {
          entry.served = entry.staged;
          entry.staged = undefined;
        }
      }
      servedSpace = run.space;
      published = tables;
      for (const { counts, shape, basis, cursor } of tables) {
        const id = idOf(run.space, counts.table);
        if (cursor) cursors.set(id, cursor);
        else if (!counts.skipped) cursors.delete(id);
        if (shape) shapes.set(counts.table, shape);
        if (basis === undefined) bases.delete(id);
        else bases.set(id, basis);
      }
      if (changed) generation += 1;
      lease = undefined;
      lastPublished = { fence: run.fence, generation };
      return { generation };
    },

    async report(run, progress, signal) {
      check(signal);
      hold(run);
      ({ heldBack } = progress);
    },

    async abandon(run) {
      if (run.fence !== fence) throw new QuaysideError("run_fenced", "Another run took over.");
      if (lease === run.id) lease = undefined;
    },
  };
}
