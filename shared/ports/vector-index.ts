import type { Evidence } from "./evidence.ts";

/** What may be found: the access filter decided by policy, and what the caller asked to narrow it to. Both apply, in the index. */
export interface Filter {
  /** Access class ids that the caller is permitted; empty matches nothing. */
  readonly classes: readonly string[];
  /** Only these tables; undefined for all. Can only narrow. */
  readonly tables: readonly string[] | undefined;
  /** Only rows whose cell equals the value (as text), for each column named; can only narrow. */
  readonly cells?: Readonly<Record<string, string>> | undefined;
}

export interface IndexQuery {
  /** Unit length, `dimensions` long. */
  readonly vector: Float32Array;
  /** The question's words, for an index with a lexical leg; dense-only indexes ignore it. */
  readonly text: string;
  /** 1 to `maxTopK`. */
  readonly topK: number;
  /** See `Embedder.fusionWeight`. */
  readonly fusionWeight: number;
  readonly filter: Filter;
}

export interface Match {
  /** Stored id of the chunk; see `storedId` in `shared/ids.ts`. */
  readonly id: string;
  /** Higher is closer; comparable within one result list only. */
  readonly score: number;
  /** Set where the index lives beside the row registry, and the registry confirmed the row in the same call. */
  readonly evidence?: Evidence;
}

export interface IndexEntry {
  readonly id: string;
  readonly vector: Float32Array;
  readonly table: string;
  /** Access class id. */
  readonly accessClass: string;
  /** Values that `Filter.cells` may ask for, as text, by column; a row without them is never found by such a filter. */
  readonly cells?: Readonly<Record<string, string>> | undefined;
  /** The chunk's text: kept beside the vector for operators; answers take theirs from the registry. */
  readonly text: string;
}

/**
 * The half of an index that questions need. An index that lives beside the row registry has this half only: its vectors ride in
 * the staged batch (`StagedChunk.vector`), so that they become visible, and vanish, in the same instant as their rows, and its
 * matches carry `evidence`. Ingest knows by the index's absence that the registry holds the vectors.
 */
export interface SearchIndex extends Pick<VectorIndex, "maxTopK" | "query"> {
  /** Every match carries its evidence, no passage comes twice, and a row in its widest view only: none drops out afterwards. */
  readonly confirms?: true;
}

/** A bill for writes: by the size of what is written, of what that replaces, and of what is deleted. */
export interface WriteUnits {
  /** Bytes that one unit covers. */
  readonly bytes: number;
  /** Fewest units of a request. */
  readonly least: number;
}

/**
 * Stores vectors and finds near ones. Ingest writes, the Worker reads. Idempotent: repeating a call changes nothing.
 * Methods reject with QuaysideError `index_unavailable`, `deadline_exceeded`, `cancelled`, or `config_invalid`.
 */
export interface VectorIndex {
  readonly maxTopK: number;
  /** Most entries that one `upsert` may carry. */
  readonly maxUpsert: number;
  /** How writes are billed; absent where they are not billed by size. */
  readonly writeUnits?: WriteUnits;

  /** Best first, at most `topK`, possibly fewer; nothing outside `filter`. */
  query(query: IndexQuery, signal: AbortSignal): Promise<readonly Match[]>;

  /** Inserts or replaces by id. A managed index may show the entries to `query` only seconds later. */
  upsert(entries: readonly IndexEntry[], signal: AbortSignal): Promise<void>;

  /** Unknown ids are ignored. */
  delete(ids: readonly string[], signal: AbortSignal): Promise<void>;

  /** Which of these ids the store holds: the read-back before a generation is published. */
  has(ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>;

  stats(signal: AbortSignal): Promise<{ readonly entries: number }>;

  /** Forgets everything of this space: it is served no longer. */
  drop(signal: AbortSignal): Promise<void>;
}
