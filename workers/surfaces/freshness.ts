import * as z from "zod/mini";
import type { Freshness } from "../../shared/ports/answer.ts";

/** What is told of a table's freshness, the same in answers, `/v1/tables` and `/v1/status`. */
export const freshnessFields = () => ({
  table: z.string(),
  /** The moment up to which the table is known to match the warehouse. */
  as_of: z.string(),
  lag_seconds: z.number(),
  /** Null where the configuration says nothing. */
  target_lag_seconds: z.nullable(z.number()),
  /** Whether it lies further behind than it may. */
  late: z.boolean(),
});

export function freshnessJson({ table, asOf, lagMs, targetLagMs }: Freshness): {
  table: string;
  as_of: string;
  lag_seconds: number;
  target_lag_seconds: number | null;
  late: boolean;
} {
  return {
    table,
    as_of: asOf,
    lag_seconds: Math.round(lagMs / 1000),
    target_lag_seconds: targetLagMs === undefined ? null : targetLagMs / 1000,
    late: targetLagMs !== undefined && lagMs > targetLagMs,
  };
}
