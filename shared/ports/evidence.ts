import type { Cell } from "./source.ts";

/** Least to most sensitive. A column may be more sensitive than its table, never less. */
export type Classification = "public" | "internal" | "confidential" | "restricted";

export interface EvidenceCell {
  readonly column: string;
  readonly value: Cell;
}

/**
 * A passage that a caller may see: confirmed by the row registry (class permitted, version current, not deleted)
 * in the same request. Its text and cells come from the registry, never from the vector store, so a store that
 * lies about its filter or its contents leaks nothing and changes no answer.
 */
export interface Evidence {
  /** `<table>:<key>#<n>`; see `shared/ids.ts`. */
  readonly id: string;
  /** `<table>:<key>` */
  readonly row: string;
  readonly table: string;
  /** Key columns and values, in the table's key order, as text. */
  readonly key: Readonly<Record<string, string>>;
  /** The row's name for people: its title column, or table and key. */
  readonly title: string;
  /** The chunk as it was embedded and as a model reads it. */
  readonly text: string;
  /** Every visible cell of the row, in column order, foreign keys followed by their label where configured. */
  readonly cells: readonly EvidenceCell[];
  /** Content hash of the row as rendered for this view. */
  readonly version: string;
  readonly classification: Classification;
  /** True for tables that hold totals already computed by the warehouse. */
  readonly rollup: boolean;
  /** The moment up to which the table is known to match the warehouse, ISO 8601 UTC. */
  readonly asOf: string;
  /** When the row last changed: its own change column where configured, else when ingest first saw this version. */
  readonly changedAt: string;
  /** Link to the row in its system of record, where the table has a URL template. */
  readonly url?: string;
  /** 0 to 1, higher is closer; comparable within one result list only. */
  readonly score: number;
}
