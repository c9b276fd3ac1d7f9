import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Registry, Run, RunProgress } from "../../shared/ports/registry.ts";
import { BEAT_MS } from "./commit.ts";
import type { IngestDeps } from "./run.ts";

/** A run's lease, kept while it waits and given back when it fails. */

const ABANDON_MS = 5000;

/** Waits, and keeps the run's lease meanwhile. */
export function beating(wait: IngestDeps["wait"], beat: () => Promise<void>): IngestDeps["wait"] {
  return async (ms, signal) => {
    for (let left = ms; left > 0; left -= BEAT_MS) {
      await wait(Math.min(left, BEAT_MS), signal);
      await beat();
    }
  };
}

/** Tells what was held back, which may be why the run ends. Best effort: a lease that is not given back runs out by itself. */
export async function giveBack(
  registry: Registry,
  run: Run,
  progress: RunProgress | undefined,
  error: unknown,
  log: IngestDeps["log"],
): Promise<void> {
  const code = error instanceof QuaysideError ? error.code : "internal";
  if (code === "run_fenced") return;
  try {
    const signal = AbortSignal.timeout(ABANDON_MS);
    // What can't be told keeps nobody from giving back the lease.
    if (progress && progress.heldBack.length > 0)
      await registry.report(run, progress, signal).catch(() => undefined);
    await registry.abandon(run, code, signal);
  } catch {
    log({ level: "warn", event: "lease-not-returned", run: run.id });
  }
}
