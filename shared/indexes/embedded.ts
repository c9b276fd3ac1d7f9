import { aborted } from "../http.ts";
import type { Evidence } from "../ports/evidence.ts";
import type { IndexQuery, SearchIndex } from "../ports/vector-index.ts";
import type { Near } from "./outside.ts";

/** The part of a shard that searches: both legs, the filter and the registry's re-check in one call. */
export interface SearchingShard {
  /** @param query with `near`, the dense leg is what an outside index found. */
  query(query: IndexQuery & { readonly near?: Near }): Promise<{ readonly evidence: readonly Evidence[] }>;
}

/** Ten times what a caller may ask for: room for what falls together by row. */
export const MAX_TOP_K = 1000;

/**
 * The index that lives in the shard, beside the row registry. Every match carries its evidence; nothing is left to re-check.
 * @throws QuaysideError as the shard does: `index_unavailable`, `index_embedder_mismatch`; `cancelled`, `deadline_exceeded`.
 */
export function embeddedIndex(shard: SearchingShard): SearchIndex {
  return {
    maxTopK: MAX_TOP_K,
    confirms: true,
    async query(query, signal) {
      if (signal.aborted) throw aborted(signal);
      const { evidence } = await shard.query(query);
      return evidence.map((item) => ({ id: item.id, score: item.score, evidence: item }));
    },
  };
}
