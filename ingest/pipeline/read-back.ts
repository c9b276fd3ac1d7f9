import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Registry, Run } from "../../shared/ports/registry.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { makeStoredIds } from "./commit.ts";

const PAGE = 200;
const WAITS_MS = [250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/** What an outside index is to hold before a run is published. */
interface Expected {
  /** Stored ids that this run wrote: all, or a sample. */
  readonly sample: readonly string[];
  /** All chunks that the registry will serve, what earlier runs wrote included. */
  readonly chunks: number;
}

/**
 * Asks an outside index for what it is to serve before it is published: every id of the sample, and at least as many entries as
 * there are chunks. Managed indexes show writes seconds later, so it asks again for about a minute where something was written.
 * @throws QuaysideError `index_unavailable` when something is missing still; `cancelled`.
 */
export async function readBack(
  index: VectorIndex,
  { sample, chunks }: Expected,
  wait: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let missing: readonly string[] = sample;
  for (const pause of [0, ...(sample.length > 0 ? WAITS_MS : [])]) {
    if (pause > 0) await wait(pause, signal);
    missing = await absent(index, missing, signal);
    if (missing.length > 0) continue;
    const { entries } = await index.stats(signal);
    if (entries >= chunks) return;
  }
  throw new QuaysideError(
    "index_unavailable",
    missing.length > 0
      ? `The vector index lost writes: ${missing.length} of ${sample.length} entries read back are missing. Nothing was published; run again.`
      : `The vector index holds fewer entries than the ${chunks} that the registry knows: it lost some, or is another index. Nothing was published; run again with --full, which writes all of them.`,
  );
}

/**
 * What an outside index is to hold when something was staged and then taken back, told by the registry itself: what was counted
 * and sampled on the way, by slices that were killed too, has what was taken back in it.
 */
export async function stillStaged(
  registry: Pick<Registry, "known">,
  run: Pick<Run, "space">,
  tables: Iterable<string>,
  sample: readonly string[],
  signal: AbortSignal,
): Promise<Expected> {
  const sampled = new Set(sample);
  const idOf = makeStoredIds();
  const expected = { sample: [] as string[], chunks: 0 };
  for (const table of tables) {
    for await (const page of registry.known(run, table, signal)) {
      for (const { row, view, version, chunks } of page) {
        // A staged removal.
        if (version === "") continue;
        expected.chunks += chunks;
        for (let n = 0; n < chunks; n++) {
          const id = idOf(row, view, n);
          if (sampled.has(id)) expected.sample.push(id);
        }
      }
    }
  }
  return expected;
}

async function absent(
  index: VectorIndex,
  ids: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let i = 0; i < ids.length; i += PAGE) {
    const page = ids.slice(i, i + PAGE);
    const held = await index.has(page, signal);
    missing.push(...page.filter((id) => !held.has(id)));
  }
  return missing;
}
