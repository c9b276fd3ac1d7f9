import { aborted } from "../../shared/http.ts";
import type { IndexEntry, VectorIndex } from "../../shared/ports/vector-index.ts";

function check(signal: AbortSignal): void {
  if (signal.aborted) throw aborted(signal);
}

/** An index outside the registry, in memory: dense only, exact, consistent at once. */
export function memoryIndex(): VectorIndex {
  const entries = new Map<string, IndexEntry>();
  return {
    maxTopK: 100,
    maxUpsert: 500,
    async query({ vector, topK, filter }, signal) {
      check(signal);
      return [...entries.values()]
        .filter(
          (entry) =>
            filter.classes.includes(entry.accessClass) &&
            (filter.tables?.includes(entry.table) ?? true) &&
            Object.entries(filter.cells ?? {}).every(([column, value]) => entry.cells?.[column] === value),
        )
        .map((entry) => ({
          id: entry.id,
          score: entry.vector.reduce((sum, value, i) => sum + value * (vector[i] ?? 0), 0),
        }))
        .sort((a, b) => b.score - a.score)
        .slice(0, topK);
    },
    async upsert(added, signal) {
      check(signal);
      for (const entry of added) entries.set(entry.id, entry);
    },
    async delete(ids, signal) {
      check(signal);
      for (const id of ids) entries.delete(id);
    },
    async has(ids, signal) {
      check(signal);
      return new Set(ids.filter((id) => entries.has(id)));
    },
    async drop(signal) {
      check(signal);
      entries.clear();
    },
    async stats(signal) {
      check(signal);
      return { entries: entries.size };
    },
  };
}
