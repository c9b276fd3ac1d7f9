import type { Config, PersonalKind } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import type { LogEvent } from "../../shared/ports/host.ts";
import type {
  AccessClass,
  Registry,
  RunProgress,
  RunRequest,
  TableCounts,
} from "../../shared/ports/registry.ts";
import type { Source } from "../../shared/ports/source.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import type { Hasher } from "../../shared/sha256.ts";
import { isDense, spaceOf } from "../../shared/space.ts";
import { basesOf, makeBasisOf, publishedTables, unchangedTables } from "./basis.ts";
import { restoreTable, saveTable, type Checkpoint, type OpenRead, type TableRead } from "./checkpoint.ts";
import { makeCommitter } from "./commit.ts";
import { makeEmbedPool, type EmbedPool } from "./embed.ts";
import { driftOf, shapeOf, type ColumnDrift } from "./drift.ts";
import { costOf, guardLimits, stopAt, tableGuards } from "./guards.ts";
import { makeKnownRows } from "./known-rows.ts";
import { beating, giveBack } from "./lease.ts";
import { makeLookups } from "./lookup.ts";
import { makePace, paced } from "./pace.ts";
import { probed } from "./probe.ts";
import { readBack, stillStaged } from "./read-back.ts";
import { hasCursor, readingOf, wholeTimes } from "./reading.ts";
import { renderChange } from "./render.ts";
import { makeRowReader, type Failure } from "./rows.ts";
import { makeRefusedRows } from "./refused.ts";
import { changes, findGone, newScan } from "./scan.ts";
import { hasUnmapped, indexedTables, openTables } from "./table.ts";

/** What a run works with; all of it is lent. Nothing here knows on which machine it runs. */
export interface IngestDeps {
  readonly tenant: string;
  /** A source by its name in the configuration; asked once a table, so it should remember. */
  readonly sourceOf: (name: string) => Source;
  readonly embedder: Embedder;
  /** Undefined where the registry holds the vectors too (the embedded index). */
  readonly index: VectorIndex | undefined;
  /** See `indexName`; part of the space's identity. */
  readonly indexKind: string;
  readonly registry: Registry;
  /** Keys the masks `hash` and `tokenise`. */
  readonly maskKey: string | undefined;
  /** Hashes rows; default `shared/sha256.ts`, which runs everywhere and takes several times as long as a machine's own. */
  readonly hasher?: Hasher;
  /** Identity of the code that makes rows; undefined where it is not known: then every table is read. */
  readonly code?: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number;
  /** Rejects with `cancelled` once the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly log: (event: LogEvent) => void;
}

export interface IngestOptions {
  readonly config: Config;
  /** Only these; undefined for all indexed tables. */
  readonly tables?: readonly string[] | undefined;
  /** Makes and embeds every row anew, changed or not. */
  readonly full?: boolean;
  /** Reads every table whole: those too whose sources say that nothing has changed, and those with a cursor. */
  readonly readAll?: boolean | undefined;
  /** US dollars; default: the configuration's `limits.maxCostUsd`. */
  readonly maxCostUsd?: number | undefined;
  /** Of embedding; default: the configuration's `limits.maxTokens`. */
  readonly maxTokens?: number | undefined;
  /** Accepts what the guards on empty tables, mass deletes and bad rows would stop. */
  readonly yes?: boolean;
  readonly trigger: RunRequest["trigger"];
  /** Takes the lease of a run that is known to be dead. */
  readonly takeOver?: boolean;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Where a run is; sent after every batch read. */
export interface Progress {
  readonly counts: TableCounts;
  /** Rows that the table has, where its source could tell. */
  readonly expected: number | undefined;
  readonly tokens: number;
  /** Undefined where the embedder's price is not known. */
  readonly costUsd: number | undefined;
}

export interface IngestReport {
  readonly runId: string;
  readonly generation: number;
  readonly tables: readonly TableCounts[];
  readonly embeddedTexts: number;
  readonly embedRequests: number;
  readonly upsertRequests: number;
  readonly deleteRequests: number;
  readonly tokens: number;
  /** Undefined where the embedder's price is not known. */
  readonly costUsd: number | undefined;
  /** Characters that could not be stored as they came and became U+FFFD. */
  readonly replacedCharacters: number;
  /** Pieces of personal data taken out of the rows read, by kind; kinds of which there were none are left out. */
  readonly redacted: Readonly<Partial<Record<PersonalKind, number>>>;
  /** Columns that are others than they were when their table was last published. */
  readonly drift: readonly ColumnDrift[];
  /** Rows held back: the first 100 of each table. */
  readonly failures: readonly Failure[];
  /** When tables with a cursor were last read whole, ISO 8601 UTC, by table. */
  readonly wholeAt: ReadonlyMap<string, string>;
}

/** A run that goes on where it, or another process, left off. */
export interface SliceOptions extends IngestOptions {
  /** Where the run is; undefined for one that begins. */
  readonly resume?: Checkpoint | undefined;
  /** How often this run was gone on with, crashes included: batches of two slices never share a number. */
  readonly slice: number;
  /** Whether to stop at the next point that can be gone on from; asked after every batch. */
  readonly pause: () => boolean;
  /** Pauses, instead of failing, where a source breaks off in the middle of a table: the next slice reads that table anew. */
  readonly reread?: boolean;
}

/** A run's end, or where it paused: then it still holds its lease. */
export type Slice =
  | { readonly report: IngestReport; readonly paused?: undefined }
  | { readonly paused: Checkpoint; readonly report?: undefined };

const SLICE_BATCHES = 1_000_000;
/** Rows held back that the registry is told of, of all tables. */
const MAX_HELD_BACK = 200;
/** Embedding calls under way at most: each holds its texts' vectors and their answer. */
const MOST_CALLS = 6;

/**
 * One ingest run, from the warehouse to the next generation. What it stages stays when it is killed, and the next run goes on
 * from there: nothing is embedded again but what was under way.
 * @throws QuaysideError of its ports; `schema_drift`, `guard_stopped`, `config_invalid`, `too_many_labels`, `cancelled`.
 * Nothing is published then, and the lease is given back.
 */
export async function runIngest(options: IngestOptions, deps: IngestDeps): Promise<IngestReport> {
  const whole = { ...options, pause: () => false };
  let reread = options.full !== true;
  let resume: Checkpoint | undefined;
  for (let slice = 0; ; slice++) {
    const { report, paused } = await runSlice({ ...whole, slice, reread, resume }, deps);
    if (report) return report;
    // Once: a source that breaks off again is down.
    if (paused.whole.length === (resume?.whole.length ?? 0)) reread = false;
    resume = paused;
  }
}

/** A part of a run, until it is asked to pause. @throws as `runIngest`. */
export async function runSlice(options: SliceOptions, deps: IngestDeps): Promise<Slice> {
  const { config, resume, pause } = options;
  const { registry, embedder, index } = deps;
  // Whatever fails first stops everything else that is under way.
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let begun = resume?.run;
  let keep: (() => Promise<void>) | undefined;
  let held: (() => RunProgress) | undefined;
  try {
    const shapes = await registry.shapes(signal);
    const left = tablesLeft(options);
    const basisOf = makeBasisOf(config, deps, signal);
    const bases = await basesOf(
      left.filter((name) => name !== resume?.open?.table),
      basisOf,
    );
    const unchanged = unchangedTables(options, bases, shapes);
    const toRead = left.filter((name) => !unchanged.has(name));
    const tables = await openTables(config, toRead, deps.sourceOf, shapes, signal);
    const drift = driftOf(tables, shapes);
    if (options.yes !== true) stopAt(drift.stops);
    const run = (begun ??= await registry.begin(requestOf(options, deps, left), signal));
    // Told again now that no other run can stage anything.
    const before = hasCursor(tables) ? await registry.shapes(signal) : shapes;
    const limits = guardLimits(options);
    const committer = makeCommitter({
      registry,
      index,
      words: !isDense(run.space),
      run,
      filters: new Map(Object.entries(config.tables).map(([name, { filters }]) => [name, filters ?? []])),
      hasher: deps.hasher,
      firstSeq: options.slice * SLICE_BATCHES,
      before: resume?.committed,
      now: deps.now,
      signal,
    });
    const tablesRead = new Map<string, TableRead>();
    const counts = (): TableCounts[] => [...tablesRead.values()].map(({ scan }) => ({ ...scan.counts }));
    const failures = (): Failure[] => [...tablesRead.values()].flatMap(({ scan }) => scan.failures);
    const progress = (): RunProgress => ({ tables: counts(), heldBack: failures().slice(0, MAX_HELD_BACK) });
    held = progress;
    const beat = (): Promise<void> => committer.beat(progress);
    const pace = makePace({ most: MOST_CALLS, now: deps.now, wait: beating(deps.wait, beat), signal });
    const pool = makeEmbedPool({
      embedder: probed(paced(embedder, pace), (vectors) => registry.probe(run, vectors, signal)),
      concurrency: () => pace.limit,
      caps: limits,
      before: resume?.embedded,
      onReady: (work) => committer.add(work),
      onRefused(work) {
        const read = tablesRead.get(work.table);
        if (read) refused.add(work, read.scan);
      },
      signal,
    });
    keep = async () => {
      await pool.salvage();
      await committer.drain();
    };
    const refused = makeRefusedRows(resume?.refused);
    const lookup = makeLookups(config, deps.sourceOf, signal);
    const classes = new Map<string, AccessClass>();
    const tally = {
      replaced: resume?.replacedCharacters ?? 0,
      redacted: new Map<PersonalKind, number>(resume?.redacted),
    };

    const erased = tables.length > 0 ? await registry.erased(signal) : new Set<string>();
    for (const saved of resume?.read ?? []) tablesRead.set(saved.counts.table, restoreTable(saved, erased));
    for (const [name, read] of unchanged) {
      tablesRead.set(name, read);
      options.onProgress?.({
        counts: { ...read.scan.counts },
        expected: read.rowsKnown,
        ...spent(pool, embedder),
      });
    }
    /** Tables that this run has to read whole after all. */
    const whole = [...(resume?.whole ?? [])];
    /** Commits all that is under way, so that nothing is left but what the checkpoint holds. */
    const checkpoint = async (open: OpenRead | undefined): Promise<Slice> => {
      await pool.drain();
      await committer.drain();
      await registry.report(run, progress(), signal);
      const read = [...tablesRead.values()].map(saveTable);
      const embedded = { ...pool.stats };
      const committed = { ...committer.stats };
      const done = { embedded, committed, replacedCharacters: tally.replaced, redacted: [...tally.redacted] };
      return { paused: { run, read, open, whole, refused: refused.save(), ...done } };
    };
    /** What was staged of the table is known the next time. */
    const readAnew = (name: string): Promise<Slice> => {
      deps.log({ level: "warn", event: "source-table-reread", table: name });
      tablesRead.delete(name);
      refused.forget(name);
      return checkpoint(undefined);
    };

    for (const [i, table] of tables.entries()) {
      const open = resume?.open?.table === table.name ? resume.open : undefined;
      const asOf = new Date(deps.now()).toISOString();
      const { rows: expected } = await table.source.estimate(table.shape, signal);
      const names = await Promise.all(table.lookups.map((plan) => lookup(plan)));
      const reader = makeRowReader({ ...deps, table, names, tally, classes });
      const known = makeKnownRows({ full: options.full === true, saved: open?.known, expected });
      // Told again after a pause: what a slice that was killed has staged is then known too.
      for await (const page of registry.known(run, table.name, signal)) known.learn(page);
      const begin = async (): Promise<TableRead> => {
        const readAll = options.readAll === true || whole.includes(table.name);
        const told = { ...options, readAll, asOf, names, before: before.get(table.name), signal };
        const { since, why, cursor } = await readingOf(table, told, deps);
        if (why) deps.log({ level: "info", event: "table-read-whole", table: table.name, why });
        // What is left out of its rows is told of each time.
        const basis = hasUnmapped(table) ? undefined : bases.get(table.name)?.digest;
        const scan = newScan(table.name, erased, since);
        return { asOf, rowsKnown: known.rows, scan, shape: shapeOf(table), basis, cursor };
      };
      const read = tablesRead.get(table.name) ?? (await begin());
      const { scan, rowsKnown } = read;
      scan.after = open?.after;
      tablesRead.set(table.name, read);

      try {
        const held = (row: string): boolean => refused.has(table.name, row);
        for await (const batch of changes(table, reader, known, scan, signal, pause, held)) {
          for (const change of batch) {
            for (const work of renderChange(table, change, known, embedder)) await pool.add(work);
          }
          await beat();
          options.onProgress?.({ counts: { ...scan.counts }, expected, ...spent(pool, embedder) });
        }
      } catch (error) {
        if (options.reread !== true || scan.counts.read === 0 || !brokeOff(error)) throw error;
        // Another transaction shows another moment, so nothing is read on.
        return await readAnew(table.name);
      }
      if (scan.short) {
        whole.push(table.name);
        return await readAnew(table.name);
      }
      if (scan.after !== undefined) {
        return await checkpoint({ table: table.name, after: scan.after, known: known.save() });
      }

      // What was staged of an ambiguous row must be committed before it is found, and taken back.
      if (scan.ambiguous.size > 0) {
        await pool.drain();
        await committer.drain();
      }
      const removal = await findGone(registry, run, table.name, known, scan, signal);
      scan.counts.deleted += removal.rows;
      if (options.yes !== true) stopAt(tableGuards(scan.counts, rowsKnown, limits, scan.unlabelled));
      for await (const views of removal.pages()) await committer.remove(table.name, views);
      if (i < tables.length - 1 && pause()) return await checkpoint(undefined);
    }

    await pool.drain();
    await committer.drain();
    const withdrawn = await refused.withdraw(registry, run, committer, signal);
    for (const name of withdrawn) {
      const read = tablesRead.get(name);
      if (read && options.yes !== true) stopAt(tableGuards(read.scan.counts, read.rowsKnown, limits));
    }
    await committer.drain();
    if (index) {
      const scans = [...tablesRead.values()].map(({ scan }) => scan);
      const { sample, chunks } = committer.stats;
      const tookBack = withdrawn.length > 0 || scans.some(({ ambiguous }) => ambiguous.size > 0);
      const expected = tookBack
        ? await stillStaged(registry, run, tablesRead.keys(), sample, signal)
        : { sample, chunks: scans.reduce((sum, { kept }) => sum + kept, chunks) };
      await readBack(index, expected, deps.wait, signal);
    }
    const published = await publishedTables(config, tablesRead, basisOf);
    if (failures().length > 0) await registry.report(run, progress(), signal);
    const { generation } = await registry.publish(run, published, signal);
    return {
      report: {
        runId: run.id,
        generation,
        tables: counts(),
        embeddedTexts: pool.stats.texts,
        embedRequests: pool.stats.requests,
        upsertRequests: committer.stats.upserts,
        deleteRequests: committer.stats.deletes,
        ...spent(pool, embedder),
        replacedCharacters: tally.replaced,
        redacted: Object.fromEntries(tally.redacted),
        drift: drift.columns,
        failures: failures(),
        wholeAt: wholeTimes(tablesRead),
      },
    };
  } catch (error) {
    // The embedder's quota is used up: what it was used for is staged for the run that goes on.
    if (error instanceof QuaysideError && error.code === "rate_limited")
      await keep?.().catch(() => undefined);
    stop.abort(error);
    if (begun) await giveBack(registry, begun, held?.(), error, deps.log);
    if (options.signal.aborted)
      throw new QuaysideError("cancelled", "The run was interrupted.", { cause: error });
    throw error;
  }
}

/** Whether a source was lost, and did not say when it may be asked again. */
function brokeOff(error: unknown): boolean {
  return (
    error instanceof QuaysideError && error.code === "source_unavailable" && error.retryAfterMs === undefined
  );
}

/** The tables that are still to be done, the one that was read in part among them. */
function tablesLeft({ config, tables, resume }: SliceOptions): readonly string[] {
  const asked = [...new Set(tables ?? indexedTables(config))];
  const read = (resume?.read ?? []).map(({ counts }) => counts.table);
  return asked.filter((name) => !read.includes(name) || name === resume?.open?.table);
}

function requestOf(options: IngestOptions, deps: IngestDeps, tables: readonly string[]): RunRequest {
  return {
    tenant: deps.tenant,
    tables,
    space: spaceOf(deps.embedder.id, deps.indexKind),
    trigger: options.trigger,
    ...(options.takeOver === true ? { takeOver: true } : {}),
  };
}

function spent(pool: EmbedPool, embedder: Embedder): { tokens: number; costUsd: number | undefined } {
  const { tokens } = pool.stats;
  return { tokens, costUsd: costOf(tokens, embedder.pricePerMillionTokens) };
}
