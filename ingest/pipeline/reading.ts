import type { TableConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { TableBefore, TableCursor } from "../../shared/ports/registry.ts";
import type { Column, Since } from "../../shared/ports/source.ts";
import { parseDuration } from "../../shared/schedule.ts";
import { makeHasher } from "../../shared/sha256.ts";
import { spaceOf } from "../../shared/space.ts";
import type { TableRead } from "./checkpoint.ts";
import { lowered, markOf } from "./cursor.ts";
import type { Names } from "./lookup.ts";
import type { IngestDeps, IngestOptions } from "./run.ts";
import type { OpenTable } from "./table.ts";

/**
 * Whether a table is read whole, or by its cursor from where it was read before. By its cursor a row is seen only when its own
 * cursor has moved: so everything else that rows are made of has to be what it was, digest by digest, and whatever is in doubt
 * is read whole.
 */

/** Why a table with a cursor is read whole. */
export type Why =
  /** `--full` or `--read-all`. */
  | "asked"
  /** Reading by its cursor, in this run, fell short: see `Scan.short`. */
  | "short"
  /** It was never read whole with a cursor, was rolled back, or something of a run that broke off is staged beside it. */
  | "no_mark"
  /** Configuration, names looked up, columns, source, masks' key, space or code are others. */
  | "made_anew"
  /** `fullEvery` is over. */
  | "due"
  /** Rows can't be asked for by a key of this type. */
  | "key_type";

export interface Reading {
  /** Undefined: whole. */
  readonly since: Since | undefined;
  /** Undefined for a table without a cursor, and for one that is read by it. */
  readonly why: Why | undefined;
  /** What the next run may read on from once this one is published. */
  readonly cursor: TableCursor | undefined;
}

export type ReadingDeps = Pick<IngestDeps, "embedder" | "indexKind" | "maskKey" | "hasher" | "code">;

export interface ReadingOptions extends Pick<IngestOptions, "config" | "full" | "readAll" | "signal"> {
  /** When nothing of the table had been read yet, ISO 8601 UTC. */
  readonly asOf: string;
  /** The table's names, one for each lookup. */
  readonly names: readonly Names[];
  /** As the registry has told since this run holds its lease. */
  readonly before: TableBefore | undefined;
}

const CURSORS: readonly Column["type"][] = ["timestamp", "date", "number", "string"];
const KEYS: readonly Column["type"][] = [...CURSORS, "boolean"];
const FULL_EVERY = "1d";

const WHOLE: Reading = { since: undefined, why: undefined, cursor: undefined };

/** Whether any of these tables may be read by a cursor. */
export function hasCursor(tables: readonly OpenTable[]): boolean {
  return tables.some(({ config }) => config.incremental !== undefined);
}

/** When tables with a cursor were last read whole, by table. */
export function wholeTimes(read: ReadonlyMap<string, TableRead>): ReadonlyMap<string, string> {
  return new Map([...read].flatMap(([name, { cursor }]) => (cursor ? [[name, cursor.wholeAt]] : [])));
}

/**
 * Asks the source for the cursor's highest value before anything is read, so that what comes meanwhile is read the next time.
 * @throws QuaysideError of the source; `config_invalid` for a column or a source that can't be read by.
 */
export async function readingOf(
  table: OpenTable,
  options: ReadingOptions,
  deps: ReadingDeps,
): Promise<Reading> {
  const { incremental } = table.config;
  if (!incremental) return WHOLE;
  const { cursor, overlap } = incremental;
  const type = typeOf(table, cursor);
  const highest = await highestOf(table, cursor, options.signal);
  const mark = markOf(highest, type, options.asOf);
  const made = madeOf(table, type, options, deps);
  const last = options.before?.served?.cursor;
  const why = last ? whyWhole(table, last, made, options) : "no_mark";
  if (last && why === undefined) {
    const since = { column: cursor, value: lowered(last.mark, type, overlap) };
    return { since, why, cursor: mark === undefined ? undefined : { ...last, mark } };
  }
  const next = mark === undefined || made === undefined ? undefined : { mark, wholeAt: options.asOf, made };
  return { since: undefined, why: options.full || options.readAll ? "asked" : why, cursor: next };
}

function whyWhole(
  table: OpenTable,
  last: TableCursor,
  made: string | undefined,
  { full = false, readAll = false, asOf }: ReadingOptions,
): Why | undefined {
  if (full || readAll) return "asked";
  if (last.made !== made) return "made_anew";
  if (isDue(table.config, last, asOf)) return "due";
  return table.config.key.every((name) => KEYS.includes(typeOf(table, name))) ? undefined : "key_type";
}

/** Whether it is time that a table is read whole again. */
export function isDue({ incremental }: TableConfig, { wholeAt }: TableCursor, asOf: string): boolean {
  const every = parseDuration(incremental?.fullEvery ?? FULL_EVERY) ?? 0;
  const since = Date.parse(asOf) - Date.parse(wholeAt);
  // A clock that was set back tells nothing.
  return since < 0 || since >= every;
}

/** Digest of everything that the table's rows are made of beside their own cells; undefined where the code is not known. */
function madeOf(
  table: OpenTable,
  type: Column["type"],
  { config, names }: ReadingOptions,
  { hasher = makeHasher(), embedder, indexKind, maskKey, code }: ReadingDeps,
): string | undefined {
  if (code === undefined) return undefined;
  const masked = Object.values(table.config.columns ?? {}).some(({ mask }) => mask !== undefined);
  /** In the order of their keys: a source may give them in another. */
  const digestOf = (all: Names): string =>
    [...all.keys()]
      .sort()
      .reduce((last, key) => hasher.hash256(JSON.stringify([last, key, all.get(key)])), "");
  const looked = table.lookups.map((plan, i) => [
    plan.column,
    plan.target,
    config.tables[plan.table],
    digestOf(names[i] ?? new Map()),
  ]);
  const columns = table.shape.columns.map((column) => [column.name, column.type, column.fields ?? []]);
  const left = [...table.unmappedFields];
  const source = [config.sources[table.config.source], table.source.origin ?? ""];
  const parts = [table.name, table.config, config.redact ?? [], type, columns, left, source, looked];
  const key = masked ? (maskKey ?? "") : "";
  return hasher.hash256(JSON.stringify([code, spaceOf(embedder.id, indexKind), key, parts]));
}

async function highestOf(table: OpenTable, cursor: string, signal: AbortSignal): Promise<string | undefined> {
  if (table.source.highest) return table.source.highest(table.shape, cursor, signal);
  throw refused(table, "its source can't be read by a cursor");
}

/** @throws QuaysideError `config_invalid` for a cursor whose values have no order. */
function typeOf(table: OpenTable, name: string): Column["type"] {
  const type = table.described.columns.find((column) => column.name === name)?.type ?? "json";
  if (name === table.config.incremental?.cursor && !CURSORS.includes(type)) {
    throw refused(table, `${name} is ${type}, and a cursor is a time, date, number or text`);
  }
  return type;
}

function refused(table: OpenTable, why: string): QuaysideError {
  return new QuaysideError(
    "config_invalid",
    `tables.${table.name}.incremental.cursor: ${why}. Name another column, or take incremental out.`,
  );
}
