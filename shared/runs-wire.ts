import * as z from "zod/mini";
import type { HeldBack, TableCounts } from "./ports/registry.ts";

/** The JSON of `/v1/ingest/runs`, as both ends parse it. */

const count = z.int().check(z.minimum(0));
const time = z.string();

export const countsSchema = z.object({
  table: z.string(),
  read: count,
  added: count,
  changed: count,
  deleted: count,
  unchanged: count,
  failed: count,
  /** It was not read: nothing that its rows are made of had changed. */
  skipped: z.optional(z.literal(true)),
  keys: z.optional(count),
});

export const runWire = z.object({
  id: z.string(),
  state: z.enum(["queued", "running", "published", "unchanged", "failed", "cancelled"]),
  trigger: z.enum(["cli", "api", "cron", "webhook", "rollback"]),
  /** Where it is carried out. */
  host: z.enum(["edge", "node"]),
  requested_at: time,
  started_at: z.nullable(time),
  finished_at: z.nullable(time),
  generation: z.nullable(count),
  /** Tables that it is for. */
  asked: z.array(z.string()),
  full: z.boolean(),
  read_all: z.boolean(),
  /** What it has done, or has done so far. */
  tables: z.array(countsSchema),
  /** Why it failed, or was put back to wait. */
  reason: z.nullable(z.string()),
});

export type RunWire = z.infer<typeof runWire>;

/** A run with the rows that it holds back. */
export const runDetail = z.extend(runWire, {
  held_back: z.object({
    /** The sum of `failed`. */
    total: count,
    /** The first of them: of a table at most 100, of a run at most 200. Erased rows are not among them. */
    rows: z.array(z.object({ table: z.string(), key: z.string(), reason: z.string() })),
  }),
});

export type RunDetail = z.infer<typeof runDetail>;

export const runsAnswer = z.object({ runs: z.array(runWire) });

export const nextRunAnswer = z.object({
  run: z.nullable(
    z.object({
      id: z.string(),
      tables: z.array(z.string()),
      full: z.boolean(),
      read_all: z.boolean(),
      trigger: z.enum(["cli", "api", "cron", "webhook", "rollback"]),
    }),
  ),
});

/** A run as the ledger tells it. */
interface Told {
  readonly id: string;
  readonly state: RunWire["state"];
  readonly trigger: RunWire["trigger"];
  readonly host: RunWire["host"];
  readonly requestedAt: string;
  readonly startedAt: string | undefined;
  readonly finishedAt: string | undefined;
  readonly generation: number | undefined;
  readonly asked: readonly string[];
  readonly full: boolean;
  readonly readAll: boolean;
  readonly tables: readonly TableCounts[];
  readonly reason: string | undefined;
}

export function runToWire(run: Told): RunWire {
  return {
    id: run.id,
    state: run.state,
    trigger: run.trigger,
    host: run.host,
    requested_at: run.requestedAt,
    started_at: run.startedAt ?? null,
    finished_at: run.finishedAt ?? null,
    generation: run.generation ?? null,
    asked: [...run.asked],
    full: run.full,
    read_all: run.readAll,
    tables: run.tables.map((counts) => ({ ...counts })),
    reason: run.reason ?? null,
  };
}

export function runDetailToWire(run: Told & { readonly heldBack: readonly HeldBack[] }): RunDetail {
  const total = run.tables.reduce((sum, { failed }) => sum + failed, 0);
  return { ...runToWire(run), held_back: { total, rows: run.heldBack.map((row) => ({ ...row })) } };
}
