import type { Evidence } from "../ports/evidence.ts";
import type { SearchIndex } from "../ports/vector-index.ts";
import { MAX_TOP_K, type SearchingShard } from "./embedded.ts";

/** The dense leg of a question as an outside index answered it. */
export interface Near {
  /** Stored ids, best first; nothing about them is trusted. */
  readonly ids: readonly string[];
  /** How near each is. Two lists, and not one of pairs: they go to another object, and hundreds of pairs cost as much as an answer. */
  readonly scores: Float64Array;
  /** Whether these are all that the index has within the filter: what is missing is then not there, rather than far away. */
  readonly whole: boolean;
}

/**
 * Hits that the outside index is asked for at least, so that what one leg ranks low and the other high is seen by both. More
 * are no better where all words are searched besides, and each is sent, read and confirmed; see `docs/retrieval.md`.
 */
const DEPTH = 50;
/** And when of these too few were still there, or the caller's, to fill the list. */
const DEPTH_AGAIN = 1000;

/** The shard holds no vector of such a space. */
const NO_VECTOR = new Float32Array(0);

/**
 * An index outside the registry, with the shard's lexical leg beside it: the outside finds what is near, the shard what shares
 * words, and fuses, filters and confirms both in the call that a re-check would be anyway. Every match carries its evidence.
 * @throws QuaysideError as both do.
 */
export function outsideIndex(outside: SearchIndex, shard: SearchingShard): SearchIndex {
  return {
    maxTopK: MAX_TOP_K,
    confirms: true,
    async query(query, signal) {
      const find = async (depth: number): Promise<{ evidence: readonly Evidence[]; exhausted: boolean }> => {
        const topK = Math.min(outside.maxTopK, Math.max(depth, 2 * query.topK));
        const matches = await outside.query({ ...query, topK }, signal);
        const near: Near = {
          ids: matches.map(({ id }) => id),
          scores: Float64Array.from(matches, ({ score }) => score),
          whole: matches.length < topK,
        };
        const { evidence } = await shard.query({ ...query, vector: NO_VECTOR, near });
        return { evidence, exhausted: near.whole || topK === outside.maxTopK };
      };
      let found = await find(DEPTH);
      if (found.evidence.length < query.topK && !found.exhausted) found = await find(DEPTH_AGAIN);
      return found.evidence.map((item) => ({ id: item.id, score: item.score, evidence: item }));
    },
  };
}
