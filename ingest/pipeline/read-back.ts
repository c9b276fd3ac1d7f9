import { QuaysideError } from "../../shared/ports/errors.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import type { CommitStats } from "./commit.ts";

const PAGE = 200;
const WAITS_MS = [250, 500, 1000, 2000, 4000, 8000, 15_000, 30_000];

/**
 * Asks an outside index for what it is to serve before it is published: every id of the sample of what this run wrote, and at
 * least as many entries as the registry will serve, what earlier runs wrote included. Managed indexes show writes seconds
 * later, so it asks again for about a minute where something was written.
 * @param kept chunks that earlier runs wrote and that stay.
 * @throws QuaysideError `index_unavailable` when something is missing still; `cancelled`.
 */
export async function readBack(
  index: VectorIndex,
  written: Pick<CommitStats, "sample" | "chunks">,
  kept: number,
  wait: (ms: number, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const expected = written.chunks + kept;
  let missing: readonly string[] = written.sample;
  for (const pause of [0, ...(written.chunks > 0 ? WAITS_MS : [])]) {
    if (pause > 0) await wait(pause, signal);
    missing = await absent(index, missing, signal);
    if (missing.length > 0) continue;
    const { entries } = await index.stats(signal);
    if (entries >= expected) return;
  }
  throw new QuaysideError(
    "index_unavailable",
    missing.length > 0
      ? `The vector index lost writes: ${missing.length} of ${written.sample.length} entries read back are missing. Nothing was published; run again.`
      : `The vector index holds fewer entries than the ${expected} that the registry knows: it lost some, or is another index. Nothing was published; run again with --full, which writes all of them.`,
  );
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
