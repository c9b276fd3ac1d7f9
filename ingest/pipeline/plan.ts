import { QuaysideError } from "../../shared/ports/errors.ts";
import type { AccessClass, TableBefore, TableCounts } from "../../shared/ports/registry.ts";
import type { Since } from "../../shared/ports/source.ts";
import type { WriteUnits } from "../../shared/ports/vector-index.ts";
import { spaceOf } from "../../shared/space.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { basesOf, makeBasisOf, unchangedTables } from "./basis.ts";
import { driftOf, type ColumnDrift } from "./drift.ts";
import { costOf, guardLimits, spendGuard, tableGuards, type Stop } from "./guards.ts";
import { makeKnownRows } from "./known-rows.ts";
import { makeLookups, type Names } from "./lookup.ts";
import { readingOf, type Reading, type Why } from "./reading.ts";
import { makeRowReader, type Failure } from "./rows.ts";
import { renderChange } from "./render.ts";
import { type IngestDeps, type IngestOptions } from "./run.ts";
import { changes, findGone, newScan } from "./scan.ts";
import { indexedTables, openTables, type OpenTable } from "./table.ts";
import { makeWriteBill } from "./write-bill.ts";

/** What `ingest` would do now. */
export interface IngestPlan {
  readonly tables: readonly PlannedTable[];
  /** Texts to embed; those embedded once for several rows are counted each time. */
  readonly texts: number;
  readonly tokens: number;
  /** Undefined where the embedder's price is not known. */
  readonly costUsd: number | undefined;
  readonly replacedCharacters: number;
  /** Columns that are others than they were when their table was last published. */
  readonly drift: readonly ColumnDrift[];
  readonly failures: readonly Failure[];
  /** Every guard that would stop the run; a schema that drifted among them. */
  readonly stops: readonly PlannedStop[];
}

export interface PlannedTable {
  readonly counts: TableCounts;
  readonly texts: number;
  readonly tokens: number;
  /** What the index bills for writing them and for deleting what is gone, about. One a text where it bills no sizes. */
  readonly writeUnits: number;
  /** Bytes that the warehouse scans for it, where its source can tell. */
  readonly bytes: number | undefined;
  /** From where on it is read by its cursor; undefined where it is read whole. */
  readonly since?: Since | undefined;
  /** Why a table with a cursor is read whole. */
  readonly why?: Why | undefined;
  /** When a table with a cursor was last read whole, ISO 8601 UTC; undefined before the first time. */
  readonly wholeAt?: string | undefined;
}

export interface PlannedStop {
  readonly guard: Stop["guard"] | "schema_drift";
  readonly table: string | undefined;
  readonly message: string;
}

export type PlanDeps = Pick<
  IngestDeps,
  "sourceOf" | "embedder" | "indexKind" | "maskKey" | "hasher" | "code" | "now"
> & {
  /** Of the outside index. */
  readonly writeUnits?: WriteUnits | undefined;
  /** Only asked what it knows. */
  readonly registry: Pick<IngestDeps["registry"], "known" | "erased" | "shapes">;
};

/**
 * Reads the warehouse as `runIngest` would and compares it with the registry, but takes no lease, embeds nothing and writes
 * nothing.
 * @throws QuaysideError of its ports; `config_invalid`, `too_many_labels`, `cancelled`. A drifted schema is a stop, not an error.
 */
export async function planIngest(
  options: Omit<IngestOptions, "trigger">,
  deps: PlanDeps,
): Promise<IngestPlan> {
  const { config, signal } = options;
  const { embedder } = deps;
  const limits = guardLimits(options);
  const run = { space: spaceOf(embedder.id, deps.indexKind) };
  const tally = { replaced: 0 };
  const failures: Failure[] = [];
  const stops: PlannedStop[] = [];
  const planned: PlannedTable[] = [];
  const lookup = makeLookups(config, deps.sourceOf, signal);
  const classes = new Map<string, AccessClass>();
  const erased = await deps.registry.erased(signal);

  const shapes = await deps.registry.shapes(signal);
  const names = options.tables ?? indexedTables(config);
  const bases = await basesOf(names, makeBasisOf(config, deps, signal));
  const unchanged = unchangedTables(options, bases, shapes);
  for (const { scan } of unchanged.values()) {
    planned.push({ counts: scan.counts, texts: 0, tokens: 0, writeUnits: 0, bytes: 0 });
  }
  const toRead = names.filter((name) => !unchanged.has(name));
  const tables = await opened({ ...options, tables: toRead }, deps, shapes, stops);
  const drift = driftOf(tables, shapes);
  stops.push(...drift.stops);
  /** Reads one table, whole or since a value of its cursor; undefined where that fell short. */
  const planTable = async (
    table: OpenTable,
    names: readonly Names[],
    { since, why }: Pick<Reading, "since" | "why">,
    wholeAt: string | undefined,
  ): Promise<PlannedTable | undefined> => {
    const { key } = table.config;
    const { rows: expected, bytes } = await table.source.estimate(table.shape, signal, { key, since });
    const reader = makeRowReader({ ...deps, table, names, tally, classes });
    const known = makeKnownRows({ full: options.full === true, expected });
    for await (const page of deps.registry.known(run, table.name, signal)) known.learn(page);
    const scan = newScan(table.name, erased, since);
    let texts = 0;
    let tokens = 0;
    const bill = makeWriteBill(embedder.dimensions, deps.writeUnits);
    for await (const batch of changes(table, reader, known, scan, signal)) {
      for (const change of batch) {
        for (const { row } of renderChange(table, change, known, embedder)) {
          texts += row.chunks.length;
          for (const chunk of row.chunks) tokens += estimateTokens(chunk.text);
          bill.write(row.chunks, known.chunksOf(row.row, row.view));
        }
      }
      const costUsd = costOf(tokens, embedder.pricePerMillionTokens);
      options.onProgress?.({ counts: { ...scan.counts }, expected, tokens, costUsd });
    }
    if (scan.short) return undefined;
    const removal = await findGone(deps.registry, run, table.name, known, scan, signal);
    scan.counts.deleted = removal.rows;
    for await (const views of removal.pages()) for (const { chunks } of views) bill.remove(chunks);
    stops.push(...tableGuards(scan.counts, known.rows, limits, scan.unlabelled));
    failures.push(...scan.failures);
    return { counts: scan.counts, texts, tokens, writeUnits: bill.units(), bytes, since, why, wholeAt };
  };

  for (const table of tables) {
    const asOf = new Date(deps.now()).toISOString();
    const names = await Promise.all(table.lookups.map((plan) => lookup(plan)));
    const before = shapes.get(table.name);
    const reading = await readingOf(table, { ...options, asOf, names, before }, deps);
    const wholeAt = before?.served?.cursor?.wholeAt;
    const whole = { since: undefined, why: "short" } as const;
    const part =
      (await planTable(table, names, reading, wholeAt)) ?? (await planTable(table, names, whole, wholeAt));
    if (part) planned.push(part);
  }
  const tokens = planned.reduce((sum, table) => sum + table.tokens, 0);
  const cost = spendGuard(tokens, embedder.pricePerMillionTokens, limits);
  if (cost) stops.push(cost);
  return {
    tables: planned,
    texts: planned.reduce((sum, table) => sum + table.texts, 0),
    tokens,
    costUsd: costOf(tokens, embedder.pricePerMillionTokens),
    replacedCharacters: tally.replaced,
    drift: drift.columns,
    failures,
    stops,
  };
}

async function opened(
  options: Omit<IngestOptions, "trigger">,
  deps: PlanDeps,
  shapes: ReadonlyMap<string, TableBefore>,
  stops: PlannedStop[],
): ReturnType<typeof openTables> {
  try {
    return await openTables(options.config, options.tables, deps.sourceOf, shapes, options.signal);
  } catch (error) {
    if (!(error instanceof QuaysideError) || error.code !== "schema_drift") throw error;
    stops.push({ guard: "schema_drift", table: undefined, message: error.message });
    return [];
  }
}
