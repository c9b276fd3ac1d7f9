import * as z from "zod/mini";
import { runSchema } from "./batch.ts";
import type {
  KnownRow,
  PublishedTable,
  RunRequest,
  TableBefore,
  TableCursor,
  TableShape,
} from "./ports/registry.ts";
import { countsSchema, runWire } from "./runs-wire.ts";

/**
 * The JSON of `/v1/admin/…` and `/v1/erase`, as both ends parse it: the Worker's admin surface and the CLI's client.
 * Batches have a binary form of their own (`batch.ts`).
 */

const count = z.int().check(z.minimum(0));
const id = z.string().check(z.minLength(1), z.maxLength(500));
const time = z.string().check(z.minLength(1), z.maxLength(40));
const table = z.string().check(z.minLength(1), z.maxLength(63));
const trigger = z.enum(["cli", "api", "cron", "webhook", "rollback"]);

export { runSchema as runBody };

export const beginBody = z.strictObject({
  tables: z.array(table).check(z.minLength(1), z.maxLength(10_000)),
  space: id,
  trigger,
  /** Any unique text: a repeated request with it gets the same run. */
  idempotency_key: id,
  /** The id of a run that waits: this lease carries it out. */
  requested: z.optional(id),
  /** Takes a lease that is still alive; for a caller who knows that its holder is dead. */
  take_over: z.optional(z.boolean()),
});

const shapeSchema = z.object({
  origin: z.optional(z.string().check(z.maxLength(2000))),
  columns: z.record(z.string(), z.string()),
  fields: z.optional(z.record(z.string(), z.array(z.string()))),
});
const cursorSchema = z.object({ mark: z.string().check(z.maxLength(1000)), whole_at: time, made: id });
const servedSchema = z.object({
  basis: z.optional(id),
  cursor: z.optional(cursorSchema),
  rows: count,
  chunks: count,
});
/** What tables were like when they were last published, and what is served of those that may be skipped. */
export const shapesAnswer = z.object({
  tables: z.record(z.string(), z.extend(shapeSchema, { served: z.optional(servedSchema) })),
});

export const publishBody = z.strictObject({
  run: runSchema,
  tables: z
    .array(
      z.strictObject({
        ...countsSchema.shape,
        table,
        as_of: time,
        key: z.array(z.string()).check(z.minLength(1)),
        rollup: z.boolean(),
        shape: z.optional(shapeSchema),
        basis: z.optional(id),
        cursor: z.optional(cursorSchema),
      }),
    )
    .check(z.maxLength(10_000)),
});

export const progressBody = z.strictObject({
  run: runSchema,
  tables: z.array(z.strictObject({ ...countsSchema.shape, table })).check(z.maxLength(10_000)),
  held_back: z.optional(
    z
      .array(
        z.strictObject({
          table,
          key: z.string().check(z.maxLength(200)),
          reason: z.string().check(z.maxLength(50)),
        }),
      )
      .check(z.maxLength(200)),
  ),
});

export const abandonBody = z.strictObject({ run: runSchema, reason: z.string().check(z.maxLength(500)) });

const probeVectors = z
  .array(z.array(z.number()).check(z.minLength(1), z.maxLength(16_384)))
  .check(z.maxLength(8));
/** What the embedder gives for the probe texts, in their order. */
export const probeBody = z.strictObject({ run: runSchema, vectors: probeVectors.check(z.minLength(1)) });
export const probeAnswer = z.object({ vectors: probeVectors });

export const rollbackBody = z.strictObject({ generation: count.check(z.minimum(1)) });

export const configAnswer = z.object({ version: count });
export const publishAnswer = z.object({ generation: count });

/** One page of known rows; `more` says that another may follow. */
export const knownAnswer = z.object({
  rows: z.array(z.tuple([z.string(), z.string(), z.string(), count])),
  more: z.boolean(),
});

/** Hashes (`hash128`) of the ids of rows that are erased for good. */
export const erasedAnswer = z.object({ rows: z.array(z.string()) });

export const statusAnswer = z.object({
  config_version: count,
  epoch: count,
  generation: count,
  space: z.string(),
  tables: z.array(
    z.object({
      table: z.string(),
      rows: count,
      as_of: time,
      target_lag_seconds: z.nullable(z.number()),
    }),
  ),
  runs: z.array(runWire),
});

/** What the registry says about itself to an operator. */
export type StatusAnswer = z.infer<typeof statusAnswer>;

export const eraseBody = z.strictObject({
  table: z.string().check(z.minLength(1), z.maxLength(63)),
  /** The row's key in text form (values joined by `|`, reserved characters percent-encoded), or by column. */
  key: z.union([
    z.string().check(z.minLength(1), z.maxLength(4096)),
    z.record(z.string(), z.union([z.string().check(z.maxLength(4096)), z.number(), z.boolean()])),
  ]),
});

export const receiptAnswer = z.object({
  id,
  table: z.string(),
  requested_at: time,
  /** Null while a part of the index has still to confirm; ask again. */
  erased_at: z.nullable(time),
  /**
   * `vectors`: from an index outside the registry; `answers`: cached ones that rested on the row; `runs`: its key among what runs
   * have written down; `records`: those of answers that named it.
   */
  removed: z.object({
    rows: count,
    chunks: count,
    vectors: count,
    answers: count,
    runs: count,
    records: count,
  }),
  /** What is left anywhere. */
  residue: count,
  /** What each place answered when it was asked again: pieces found in `spaces` spaces. */
  proof: z.object({
    spaces: count,
    registry: count,
    index: count,
    answers: count,
    runs: count,
    records: count,
  }),
});

/** Proof of an erasure. It never repeats the row's key. */
export type ReceiptAnswer = z.infer<typeof receiptAnswer>;

export function beginToWire(request: RunRequest, key: string): z.infer<typeof beginBody> {
  const { tables, space, trigger, requested, takeOver } = request;
  return {
    tables: [...tables],
    space,
    trigger,
    idempotency_key: key,
    ...(requested === undefined ? {} : { requested }),
    ...(takeOver === undefined ? {} : { take_over: takeOver }),
  };
}

export function tableToWire(published: PublishedTable): z.infer<typeof publishBody>["tables"][number] {
  const { counts, asOf, key, rollup, shape, basis, cursor } = published;
  return {
    ...counts,
    as_of: asOf,
    key: [...key],
    rollup,
    ...(shape ? { shape: shapeToWire(shape) } : {}),
    ...(basis === undefined ? {} : { basis }),
    ...(cursor ? { cursor: cursorToWire(cursor) } : {}),
  };
}

function cursorToWire({ mark, wholeAt, made }: TableCursor): z.infer<typeof cursorSchema> {
  return { mark, whole_at: wholeAt, made };
}

function cursorFromWire({ mark, whole_at, made }: z.infer<typeof cursorSchema>): TableCursor {
  return { mark, wholeAt: whole_at, made };
}

export function tableFromWire(wire: z.infer<typeof publishBody>["tables"][number]): PublishedTable {
  const { as_of, key, rollup, shape, basis, cursor, ...counts } = wire;
  const told = {
    ...(shape ? { shape: shapeFromWire(shape) } : {}),
    ...(basis === undefined ? {} : { basis }),
    ...(cursor ? { cursor: cursorFromWire(cursor) } : {}),
  };
  return { counts, asOf: as_of, key, rollup, ...told };
}

function shapeToWire({ origin, columns, fields }: TableShape): z.infer<typeof shapeSchema> {
  const records = Object.entries(fields ?? {}).map(([column, names]): [string, string[]] => [
    column,
    [...names],
  ]);
  return {
    columns: { ...columns },
    ...(origin === undefined ? {} : { origin }),
    ...(records.length === 0 ? {} : { fields: Object.fromEntries(records) }),
  };
}

function shapeFromWire({ origin, columns, fields }: z.infer<typeof shapeSchema>): TableShape {
  return { origin, columns, ...(fields ? { fields } : {}) };
}

export function beforeToWire({
  served,
  ...shape
}: TableBefore): z.infer<typeof shapesAnswer>["tables"][string] {
  if (!served) return shapeToWire(shape);
  const { cursor, ...rest } = served;
  return {
    ...shapeToWire(shape),
    served: { ...rest, ...(cursor ? { cursor: cursorToWire(cursor) } : {}) },
  };
}

export function beforeFromWire(wire: z.infer<typeof shapesAnswer>["tables"][string]): TableBefore {
  const { served, ...shape } = wire;
  if (!served) return shapeFromWire(shape);
  const { cursor, ...rest } = served;
  return {
    ...shapeFromWire(shape),
    served: { ...rest, ...(cursor ? { cursor: cursorFromWire(cursor) } : {}) },
  };
}

/** Seven digits are more than a float of 32 bits holds in a unit vector, and half the length of its exact digits. */
export function vectorsToWire(vectors: readonly Float32Array[]): number[][] {
  return vectors.map((vector) => Array.from(vector, (x) => Math.round(x * 1e7) / 1e7));
}

export function vectorsFromWire(wire: z.infer<typeof probeAnswer>["vectors"]): Float32Array[] {
  return wire.map((vector) => Float32Array.from(vector));
}

export function knownToWire(row: KnownRow): [string, string, string, number] {
  return [row.row, row.view, row.version, row.chunks];
}

export function knownFromWire([row, view, version, chunks]: readonly [
  string,
  string,
  string,
  number,
]): KnownRow {
  return { row, view, version, chunks };
}
