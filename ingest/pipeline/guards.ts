import { limitsOf } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { TableCounts } from "../../shared/ports/registry.ts";
import type { IngestOptions } from "./run.ts";

/** The limits of the configuration that can stop a run. */
export interface GuardLimits {
  /** Largest share, 0 to 1, of a table's rows that a run may delete. */
  readonly deleteShare: number;
  /** Largest share, 0 to 1, of a table's rows that may be held back. */
  readonly failedShare: number;
  readonly maxCostUsd: number;
  /** Of embedding. */
  readonly maxTokens: number;
  /** Whether `maxTokens` was set, not left at its default: then it stands in for a price that is not known. */
  readonly tokensCapped: boolean;
}

/** The limits that apply, flags before configuration. */
export function guardLimits(
  options: Pick<IngestOptions, "config" | "maxCostUsd" | "maxTokens">,
): GuardLimits {
  const limits = limitsOf(options.config);
  const { maxCostUsd = limits.maxCostUsd, maxTokens = limits.maxTokens } = options;
  const tokensCapped = (options.maxTokens ?? options.config.limits?.maxTokens) !== undefined;
  return { ...limits, maxCostUsd, maxTokens, tokensCapped };
}

/** Why a run stops before it publishes, and which flag accepts it. */
export interface Stop {
  readonly guard:
    | "empty_table"
    | "mass_delete"
    | "lost_labels"
    | "failed_rows"
    | "rekey"
    | "source_changed"
    | "price"
    | "cost"
    | "tokens";
  readonly table: string | undefined;
  /** Safe to show; names the flag or the limit to change. */
  readonly message: string;
}

/** A handful of bad rows never stops a run, however small the table. */
const FAILED_FLOOR = 10;

/**
 * What would stop a table's part of a run, once the table is read.
 * @param counts final, `deleted` included.
 * @param known distinct rows that the registry knew before.
 * @param unlabelled rows that were known, have changed, and now carry a label that nobody holds.
 */
export function tableGuards(
  counts: TableCounts,
  known: number,
  limits: GuardLimits,
  unlabelled = 0,
): readonly Stop[] {
  const { table, deleted } = counts;
  const stops: Stop[] = [];
  if (counts.read === 0 && known > 0) {
    stops.push({
      guard: "empty_table",
      table,
      message: `${table}: the warehouse gave no rows, the index has ${known}. If they really are gone, run again with --yes.`,
    });
  } else if (known > 0 && deleted / known > limits.deleteShare) {
    stops.push({
      guard: "mass_delete",
      table,
      message: `${table}: ${deleted} of ${known} rows would be deleted (limit ${percent(limits.deleteShare)}). If that is right, run again with --yes.`,
    });
  }
  if (known > 0 && unlabelled / known > limits.deleteShare) {
    stops.push({
      guard: "lost_labels",
      table,
      message: `${table}: ${unlabelled} of ${known} rows have lost their label, and nobody would see them (limit ${percent(limits.deleteShare)}). Look at the columns that the access rule names; if that is right, run again with --yes.`,
    });
  }
  if (counts.failed > Math.max(FAILED_FLOOR, limits.failedShare * counts.read)) {
    stops.push({
      guard: "failed_rows",
      table,
      message: `${table}: ${counts.failed} of ${counts.read} rows can't be stored (limit ${percent(limits.failedShare)}). See the reasons; --yes publishes the rest.`,
    });
  }
  return stops;
}

/** The limits on what embedding takes. */
export type SpendCaps = Pick<GuardLimits, "maxCostUsd" | "maxTokens" | "tokensCapped">;

/** US dollars; undefined where the price is not known. */
export function costOf(tokens: number, pricePerMillion: number | undefined): number | undefined {
  return pricePerMillion === undefined ? undefined : (tokens * pricePerMillion) / 1e6;
}

/** What would stop a run for what its embedding takes; undefined while it is within the caps. */
export function spendGuard(
  tokens: number,
  pricePerMillion: number | undefined,
  { maxCostUsd, maxTokens, tokensCapped }: SpendCaps,
): Stop | undefined {
  const costUsd = costOf(tokens, pricePerMillion);
  if (costUsd === undefined && tokens > 0 && !tokensCapped) {
    return {
      guard: "price",
      table: undefined,
      message: `Embedding would take about ${tokens} tokens at a price that nobody has said, so that the cap on cost can't be held. Set embedder.price (US dollars for a million tokens, 0 for none), or cap tokens with --max-tokens or limits.maxTokens.`,
    };
  }
  if (costUsd !== undefined && costUsd > maxCostUsd) {
    return {
      guard: "cost",
      table: undefined,
      message: `Embedding would cost about $${costUsd.toFixed(2)}, more than the cap of $${maxCostUsd.toFixed(2)}. Raise it with --max-cost or limits.maxCostUsd.`,
    };
  }
  if (tokens <= maxTokens) return undefined;
  return {
    guard: "tokens",
    table: undefined,
    message: `Embedding would take about ${tokens} tokens, more than the cap of ${maxTokens}. Raise it with --max-tokens or limits.maxTokens.`,
  };
}

/** @throws QuaysideError `guard_stopped` naming every stop. */
export function stopAt(stops: readonly Stop[]): void {
  if (stops.length === 0) return;
  throw new QuaysideError("guard_stopped", stops.map((stop) => stop.message).join("\n"), {
    violations: stops.map((stop) => ({ pointer: stop.table ?? "", rule: stop.guard })),
  });
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(2))} %`;
}
