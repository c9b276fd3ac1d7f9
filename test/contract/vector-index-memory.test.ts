import { memoryIndex } from "../fakes/memory-index.ts";
import { vectorIndexContract } from "./vector-index.ts";

const signal = new AbortController().signal;

vectorIndexContract("memory", async () => {
  const index = memoryIndex();
  return {
    index,
    dimensions: 8,
    put: (entries) => index.upsert(entries, signal),
    remove: (ids) => index.delete(ids, signal),
    entryId: (id) => id,
  };
});
