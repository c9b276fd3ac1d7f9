import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import type { Command } from "./command.ts";
import { ingestOnce, type IngestResult } from "./ingest.ts";
import { requireToken } from "./inputs.ts";
import { heldBackLines } from "./text.ts";

/** How often is asked whether something waits; while somebody asks, what is due comes to wait by itself. */
const POLL_MS = 2000;

/** One run that was leased here. */
export interface Leased {
  readonly id: string;
  readonly trigger: string;
  readonly result: IngestResult | undefined;
  /** Code of the failure; undefined for a run that published. */
  readonly failed: string | undefined;
}

export interface WatchOptions {
  /** The worker, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly host: Host;
  /** Goes on until the signal aborts; else until nothing waits. */
  readonly watch: boolean;
  readonly onRun: (run: Leased) => void;
  /** Told once when the worker can't be reached, or refuses. */
  readonly onTrouble: (message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Leases runs that wait, one after the other, and carries them out with the published configuration.
 * @throws QuaysideError of the registry when it does not watch; while it watches, trouble passes.
 */
export async function leaseRuns(options: WatchOptions): Promise<readonly Leased[]> {
  const { url, token, host, watch, signal } = options;
  const client = makeRegistryClient({ url, token, fetch: host.fetch, ...(watch ? { retries: 0 } : {}) });
  const done: Leased[] = [];
  let trouble = "";
  while (!signal.aborted) {
    try {
      const waiting = await client.nextRun(signal);
      trouble = "";
      if (waiting) {
        const leased = await carryOut(waiting, options, client);
        if (leased) options.onRun(leased);
        if (leased && !watch) done.push(leased);
        if (leased) continue;
      }
      if (!watch) return done;
    } catch (error) {
      if (!watch || signal.aborted) throw error;
      const message = error instanceof Error ? error.message : "The worker does not answer.";
      if (message !== trouble) options.onTrouble(message);
      trouble = message;
    }
    await sleep(POLL_MS, signal);
  }
  return done;
}

/** Undefined when another took it, or holds the lease. */
async function carryOut(
  waiting: NonNullable<Awaited<ReturnType<ReturnType<typeof makeRegistryClient>["nextRun"]>>>,
  { url, token, host, signal }: WatchOptions,
  client: ReturnType<typeof makeRegistryClient>,
): Promise<Leased | undefined> {
  const { id, trigger, tables, full, read_all: readAll } = waiting;
  try {
    const config = await client.config(signal);
    const result = await ingestOnce({
      config,
      url,
      token,
      host,
      tables,
      full,
      readAll,
      requested: { id, trigger },
      signal,
    });
    return { id, trigger, result, failed: undefined };
  } catch (error) {
    const code = error instanceof QuaysideError ? error.code : "internal";
    if (signal.aborted) throw error;
    if (code === "run_conflict") return undefined;
    // One that could not even begin still waits; it must not be tried again and again.
    await client.refuseRun(id, code, signal);
    return { id, trigger, result: undefined, failed: code };
  }
}

export const command: Command = {
  name: "run",
  summary: "lease the runs that wait, of sources that only Node can read",
  usage: "[--watch]",
  options: { watch: { type: "boolean", help: "go on until interrupted" } },
  async run(context) {
    const { host, terminal, url, values, signal } = context;
    const runs = await leaseRuns({
      url,
      token: await requireToken(context),
      host,
      watch: values["watch"] === true,
      onRun: (run) => terminal.print(`${describeRun(run)}\n`),
      onTrouble: (message) => terminal.note(message),
      signal,
    });
    if (runs.length === 0) terminal.note("No run waits.");
    const failed = runs.some((run) => run.failed !== undefined);
    return { status: failed ? 1 : 0, result: { runs } };
  },
};

/** For people: what a run did in a line, and the rows that it held back. */
export function describeRun({ id, trigger, result, failed }: Leased): string {
  if (!result) return `${id} (${trigger}) failed: ${failed ?? ""}`;
  const sum = (pick: (table: IngestResult["tables"][number]) => number): number =>
    result.tables.reduce((total, table) => total + pick(table), 0);
  const rows = `${sum((t) => t.added)} added, ${sum((t) => t.changed)} changed, ${sum((t) => t.deleted)} deleted`;
  const line = `${id} (${trigger}): ${rows}; generation ${result.generation}, ${result.seconds.toFixed(1)} s`;
  return [line, ...heldBackLines(result.failures)].join("\n");
}
