import { firstCheckpoint, type Checkpoint } from "../../ingest/pipeline/checkpoint.ts";
import type { Failure } from "../../ingest/pipeline/rows.ts";
import { runSlice } from "../../ingest/pipeline/run.ts";
import { limitsOf } from "../../shared/config.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Source } from "../../shared/ports/source.ts";
import { indexName, spaceOf } from "../../shared/space.ts";
import type { Edge } from "../worker.ts";
import type { Task } from "./task.ts";

/** Calls to warehouses and vendors that one alarm makes, about; an invocation may make 10,000 (Cloudflare, "Workers limits"). */
const SLICE_CALLS = 500;

/**
 * One slice of a run inside the Worker, by the pipeline that the command line runs.
 * @param keep writes down where the run is as soon as it has its lease.
 * @returns where it paused; undefined when it has published.
 * @throws QuaysideError as `runSlice`; the lease is given back then.
 */
export async function ingestSlice(
  tenant: string,
  task: Task,
  edge: Edge,
  keep: (task: Task) => void,
  signal: AbortSignal,
): Promise<Checkpoint | undefined> {
  const started = Date.now();
  const { host, calls } = counted(edge.host);
  const { embedders, outside, openSource, isReadable } = edge.adapters(host);
  const registry = edge.registry(tenant);
  const config = await registry.config(signal);
  if (!config) throw new QuaysideError("not_configured", "No configuration is published.");
  const { sliceRows, sliceMs } = limitsOf(config);
  const embedder = await embedders(config);
  const indexKind = indexName(config.index);
  const index = await outside(tenant, { space: spaceOf(embedder.id, indexKind), index: config.index });
  const before = rowsOf(task.checkpoint);
  const read = new Map<string, number>();

  const sources = new Map<string, Source>();
  try {
    for (const [name, settings] of Object.entries(config.sources)) {
      if (isReadable(settings.kind)) sources.set(name, await openSource(settings));
    }
    const slice = await runSlice(
      {
        config,
        tables: task.run.tables,
        full: task.run.full,
        readAll: task.run.readAll,
        trigger: task.run.trigger,
        slice: task.slice,
        resume: task.checkpoint,
        onProgress: ({ counts }) => void read.set(counts.table, counts.read),
        pause() {
          const rows = [...read].reduce((sum, [table, now]) => sum + now - (before.get(table) ?? 0), 0);
          return rows >= sliceRows || Date.now() - started >= sliceMs || calls() >= SLICE_CALLS;
        },
        signal,
      },
      {
        tenant,
        sourceOf(name) {
          const source = sources.get(name);
          if (source) return source;
          throw new QuaysideError("config_invalid", `The Worker can't read the source "${name}".`);
        },
        embedder,
        index,
        indexKind,
        registry: {
          ...registry,
          async begin(request, inner) {
            const run = await registry.beginOnce({ ...request, requested: task.run.id }, task.key, inner);
            keep({ ...task, checkpoint: firstCheckpoint(run) });
            return run;
          },
        },
        maskKey: host.secret("QUAYSIDE_MASK_KEY") ?? host.secret("QUAYSIDE_TOKEN"),
        code: QUAYSIDE_CODE,
        now: () => Date.now(),
        wait: sleep,
        log: (event) => host.log(event),
      },
    );
    host.log({
      level: "info",
      event: slice.paused ? "run-paused" : "run-published",
      run: task.run.id,
      slice: task.slice,
      ms: Date.now() - started,
    });
    for (const held of heldBack(slice.report?.failures ?? [])) {
      host.log({ level: "warn", event: "rows-held-back", run: task.run.id, ...held });
    }
    return slice.paused;
  } finally {
    for (const source of sources.values()) await source[Symbol.asyncDispose]();
  }
}

/** How many rows of each table, and why; their keys are values of rows, which no log tells. */
function heldBack(failures: readonly Failure[]): Iterable<{ table: string; reason: string; rows: number }> {
  const found = new Map<string, { table: string; reason: string; rows: number }>();
  for (const { table, reason } of failures) {
    const held = found.get(JSON.stringify([table, reason])) ?? { table, reason, rows: 0 };
    held.rows += 1;
    found.set(JSON.stringify([table, reason]), held);
  }
  return found.values();
}

function rowsOf(checkpoint: Checkpoint | undefined): ReadonlyMap<string, number> {
  return new Map((checkpoint?.read ?? []).map(({ counts }) => [counts.table, counts.read]));
}

/** The host, and how many calls went through it. */
function counted(host: Host): { readonly host: Host; readonly calls: () => number } {
  let calls = 0;
  return {
    host: {
      ...host,
      fetch(input, init) {
        calls += 1;
        return host.fetch(input, init);
      },
    },
    calls: () => calls,
  };
}
