import { join } from "node:path";
import type { Config } from "../../shared/config.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { RunRequest, TableCounts } from "../../shared/ports/registry.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { indexName } from "../../shared/space.ts";
import { makeLeaseNotes, type LeaseNotes } from "../lease-notes.ts";
import { runIngest, type IngestReport, type Progress } from "../pipeline/run.ts";
import type { ColumnDrift } from "../pipeline/drift.ts";
import type { Failure } from "../pipeline/rows.ts";
import { openEmbedder, openIndex, tenantOf, withSources, type SourceOf } from "../registry.ts";
import { codeOf } from "../code.ts";
import { nodeHasher } from "../node-hasher.ts";
import { string, strings, type Command } from "./command.ts";
import { amount, requireToken } from "./inputs.ts";
import { makeProgressLine } from "./progress.ts";
import {
  driftLines,
  heldBackLines,
  money,
  cursorLines,
  skippedLines,
  table as layout,
  whole,
} from "./text.ts";

export interface IngestOnceOptions {
  readonly config: Config;
  /** The worker, without a trailing slash. */
  readonly url: string;
  readonly token: string;
  readonly host: Host;
  /** Only these tables; undefined for all. */
  readonly tables?: readonly string[] | undefined;
  /** Makes and embeds every row anew. */
  readonly full?: boolean;
  /** Reads every table whole, whatever its source or its cursor says. */
  readonly readAll?: boolean;
  /** US dollars; default from the configuration. */
  readonly maxCostUsd?: number | undefined;
  /** Of embedding; default from the configuration. */
  readonly maxTokens?: number | undefined;
  /** Accepts what the guards would stop. */
  readonly yes?: boolean;
  /** A run that waits, which this one carries out; its configuration is published already. */
  readonly requested?: WaitingRun | undefined;
  readonly onProgress?: (progress: Progress) => void;
  /** Told when another run has to be waited for. */
  readonly onNote?: (line: string) => void;
  readonly signal: AbortSignal;
}

/** A run that somebody asked for. */
export interface WaitingRun {
  readonly id: string;
  readonly trigger: RunRequest["trigger"];
}

export interface TableResult extends TableCounts {
  /** When a table with a cursor was last read whole, ISO 8601 UTC. */
  readonly whole_at?: string;
}

/** What `ingest --json` prints. */
export interface IngestResult {
  readonly run_id: string;
  /** The generation served now. */
  readonly generation: number;
  readonly tables: readonly TableResult[];
  readonly embedded_texts: number;
  readonly embed_requests: number;
  readonly upsert_requests: number;
  readonly delete_requests: number;
  readonly tokens: number;
  /** Null where the embedder's price is not known. */
  readonly cost_usd: number | null;
  readonly seconds: number;
  /** NUL and lone surrogates that became U+FFFD. */
  readonly replaced_characters: number;
  /** Columns that are others than they were when their table was last published. */
  readonly drift: readonly ColumnDrift[];
  readonly redacted: IngestReport["redacted"];
  /** The first 100 rows of each table that were held back. */
  readonly failures: readonly Failure[];
}

/** How long to wait for other runs in all. A lease of a dead run ends within a minute. */
const WAIT_MS = 90_000;
const POLL_MS = 2000;

/**
 * One whole ingest into a served worker: publishes the configuration, then runs the pipeline.
 * @throws QuaysideError of the pipeline and of the registry; `run_conflict` when another run goes on for longer than 90 s.
 */
export async function ingestOnce(options: IngestOnceOptions): Promise<IngestResult> {
  const { config, host, signal } = options;
  const started = host.now();
  const client = makeRegistryClient({
    url: options.url,
    token: options.token,
    fetch: host.fetch,
    now: () => host.now(),
    log: (event) => host.log(event),
  });
  const tenant = tenantOf(host);
  const embedder = await openEmbedder(config, host);
  const index = await openIndex(config, host, tenant, embedder);
  if (!options.requested) await client.publishConfig(config, signal);

  const notes = makeLeaseNotes(join(".quayside", "runs"));
  let begun: string | undefined;
  const once = (sourceOf: SourceOf, takeOver: boolean): Promise<IngestReport> =>
    runIngest(
      { ...options, trigger: options.requested?.trigger ?? "cli", takeOver },
      {
        tenant,
        sourceOf,
        embedder,
        index,
        indexKind: indexName(config.index),
        registry: {
          ...client,
          async begin(request, inner) {
            const { requested } = options;
            const run = await client.begin(
              requested ? { ...request, requested: requested.id } : request,
              inner,
            );
            begun = run.id;
            await notes.write(run.id);
            return run;
          },
        },
        maskKey: host.secret("QUAYSIDE_MASK_KEY") ?? options.token,
        hasher: nodeHasher(),
        code: codeOf(),
        now: () => host.now(),
        wait: sleep,
        log: (event) => host.log(event),
      },
    );
  try {
    const report = await withSources(config, host, (sourceOf) =>
      afterOthers((takeOver) => once(sourceOf, takeOver), notes, options),
    );
    return resultOf(report, (host.now() - started) / 1000);
  } finally {
    if (begun !== undefined) await notes.forget(begun);
  }
}

/** Runs once the lease is free: at once when its holder is known to be dead, else when it ends. */
async function afterOthers(
  once: (takeOver: boolean) => Promise<IngestReport>,
  notes: LeaseNotes,
  { host, signal, onNote }: IngestOnceOptions,
): Promise<IngestReport> {
  const until = host.now() + WAIT_MS;
  let takeOver = false;
  for (;;) {
    try {
      return await once(takeOver);
    } catch (error) {
      if (!(error instanceof QuaysideError) || error.code !== "run_conflict" || takeOver) throw error;
      takeOver = await notes.isOrphan(error.message);
      if (takeOver) {
        onNote?.("An earlier run on this machine was killed: going on where it stopped.");
        continue;
      }
      const waitMs = Math.min(error.retryAfterMs ?? POLL_MS, POLL_MS);
      if (host.now() + waitMs > until) throw error;
      onNote?.(`${error.message} Waiting.`);
      await sleep(waitMs, signal);
    }
  }
}

function resultOf(report: IngestReport, seconds: number): IngestResult {
  return {
    run_id: report.runId,
    generation: report.generation,
    tables: report.tables.map((counts) => {
      const wholeAt = report.wholeAt.get(counts.table);
      return wholeAt === undefined ? counts : { ...counts, whole_at: wholeAt };
    }),
    embedded_texts: report.embeddedTexts,
    embed_requests: report.embedRequests,
    upsert_requests: report.upsertRequests,
    delete_requests: report.deleteRequests,
    tokens: report.tokens,
    cost_usd: report.costUsd ?? null,
    seconds: Math.round(seconds * 1000) / 1000,
    replaced_characters: report.replacedCharacters,
    drift: report.drift,
    redacted: report.redacted,
    failures: report.failures,
  };
}

export const command: Command = {
  name: "ingest",
  summary: "bring the index up to date with the warehouse",
  usage: "[--table T]… [--read-all] [--full] [--max-cost USD] [--max-tokens N] [--yes]",
  options: {
    table: { type: "string", multiple: true, value: "T", help: "only this table; may be repeated" },
    "read-all": {
      type: "boolean",
      help: "read every table whole, also where nothing has changed or only changes would be read",
    },
    full: { type: "boolean", help: "make and embed every row anew, changed or not" },
    "max-cost": { type: "string", value: "USD", help: "stop before embedding costs more" },
    "max-tokens": { type: "string", value: "N", help: "stop before embedding takes more" },
    yes: { type: "boolean", help: "accept mass deletes, empty tables and many bad rows" },
  },
  async run(context) {
    const { values, terminal } = context;
    const maxCostUsd = amount(string(values["max-cost"]), "--max-cost");
    const maxTokens = amount(string(values["max-tokens"]), "--max-tokens");
    const { config } = await context.config();
    const tables = strings(values["table"]);
    const line = makeProgressLine(terminal, () => context.host.now());
    const result = await ingestOnce({
      config,
      url: context.url,
      token: await requireToken(context),
      host: context.host,
      tables: tables.length > 0 ? tables : undefined,
      full: values["full"] === true,
      readAll: values["read-all"] === true,
      maxCostUsd,
      maxTokens,
      yes: values["yes"] === true,
      onProgress: line.update,
      onNote: (note) => terminal.note(note),
      signal: context.signal,
    });
    line.end();
    terminal.print(summary(result));
    return { status: 0, result };
  },
};

function summary(result: IngestResult): string {
  const rows = result.tables.map((t) => [
    t.table,
    ...[t.read, t.added, t.changed, t.deleted, t.unchanged, t.failed].map(whole),
  ]);
  return [
    layout(["table", "read", "added", "changed", "deleted", "unchanged", "failed"], rows),
    "",
    `Generation ${result.generation}. Texts embedded: ${whole(result.embedded_texts)}, about ${whole(result.tokens)} tokens, ${money(result.cost_usd)}, ${result.seconds.toFixed(1)} s.`,
    ...skippedLines(result.tables),
    ...cursorLines(result.tables),
    ...driftLines(result.drift),
    ...(result.replaced_characters > 0
      ? [`${whole(result.replaced_characters)} characters (NUL, lone surrogates) were stored as U+FFFD.`]
      : []),
    ...(Object.keys(result.redacted).length > 0
      ? [
          `Taken out: ${Object.entries(result.redacted)
            .map(([kind, n]) => `${kind} ${whole(n)}`)
            .join(", ")}.`,
        ]
      : []),
    ...heldBackLines(result.failures),
    "",
  ].join("\n");
}
