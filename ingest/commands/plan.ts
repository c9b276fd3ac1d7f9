import { sleep } from "../../shared/http.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { indexName } from "../../shared/space.ts";
import type { Why } from "../pipeline/reading.ts";
import { planIngest, type IngestPlan } from "../pipeline/plan.ts";
import { openEmbedder, withSources, openIndex, tenantOf } from "../registry.ts";
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

export const command: Command = {
  name: "plan",
  summary: "what ingest would do and cost; writes nothing",
  usage: "[--table T]… [--read-all] [--full] [--max-cost USD] [--max-tokens N]",
  options: {
    table: { type: "string", multiple: true, value: "T", help: "only this table; may be repeated" },
    "read-all": {
      type: "boolean",
      help: "as if every table were read whole, also where nothing has changed or only changes would be read",
    },
    full: { type: "boolean", help: "as if every row had changed" },
    "max-cost": { type: "string", value: "USD", help: "the cap that ingest would be given" },
    "max-tokens": { type: "string", value: "N", help: "likewise, in tokens" },
  },
  async run(context) {
    const { values, host, terminal, signal } = context;
    const maxCostUsd = amount(string(values["max-cost"]), "--max-cost");
    const maxTokens = amount(string(values["max-tokens"]), "--max-tokens");
    const { config } = await context.config();
    const token = await requireToken(context);
    const embedder = await openEmbedder(config, host);
    const index = await openIndex(config, host, tenantOf(host), embedder);
    const registry = makeRegistryClient({ url: context.url, token, fetch: host.fetch, sleep });
    const tables = strings(values["table"]);
    const line = makeProgressLine(terminal, () => host.now());
    const plan = await withSources(config, host, (sourceOf) =>
      planIngest(
        {
          config,
          tables: tables.length > 0 ? tables : undefined,
          full: values["full"] === true,
          readAll: values["read-all"] === true,
          maxCostUsd,
          maxTokens,
          onProgress: line.update,
          signal,
        },
        {
          sourceOf,
          embedder,
          indexKind: indexName(config.index),
          writeUnits: index?.writeUnits,
          registry,
          maskKey: host.secret("QUAYSIDE_MASK_KEY") ?? token,
          hasher: nodeHasher(),
          code: codeOf(),
          now: () => host.now(),
        },
      ),
    );
    line.end();
    terminal.print(describe(plan, embedder.id));
    // What would stop the run stops the plan's exit status too, so that a pipeline can ask before it acts.
    return { status: plan.stops.length > 0 ? 3 : 0, result: resultOf(plan, embedder.id) };
  },
};

function resultOf(plan: IngestPlan, embedder: string): unknown {
  return {
    embedder,
    tables: plan.tables.map(({ counts, texts, tokens, writeUnits, bytes, since, why, wholeAt }) => ({
      ...counts,
      texts,
      tokens,
      write_units: writeUnits,
      warehouse_bytes: bytes ?? null,
      ...(since ? { since: since.value } : {}),
      ...(why ? { read_whole: why } : {}),
      ...(wholeAt === undefined ? {} : { whole_at: wholeAt }),
    })),
    texts: plan.texts,
    tokens: plan.tokens,
    write_units: unitsOf(plan),
    warehouse_bytes: bytesOf(plan) ?? null,
    cost_usd: plan.costUsd ?? null,
    replaced_characters: plan.replacedCharacters,
    drift: plan.drift,
    failures: plan.failures,
    stops: plan.stops.map(({ guard, table, message }) => ({ guard, table: table ?? null, message })),
  };
}

function describe(plan: IngestPlan, embedder: string): string {
  const rows = plan.tables.map(({ counts: c, tokens }) => [
    c.table,
    ...[c.read, c.added, c.changed, c.deleted, c.unchanged, c.failed, tokens].map(whole),
  ]);
  const heading = ["table", "read", "added", "changed", "deleted", "unchanged", "failed", "tokens"];
  return [
    layout(heading, rows),
    "",
    `Texts to embed with ${embedder}: ${whole(plan.texts)}, about ${whole(plan.tokens)} tokens, ${money(plan.costUsd)}.`,
    `Write units of the index: ${whole(unitsOf(plan))}. Bytes of the warehouse: ${scanned(plan)}.`,
    ...skippedLines(plan.tables.map(({ counts }) => counts)),
    ...cursorLines(plan.tables.map(({ counts, wholeAt }) => ({ ...counts, whole_at: wholeAt }))),
    ...plan.tables.flatMap(({ counts, why }) =>
      why === undefined ? [] : [`${counts.table} is read whole: ${REASONS[why]}.`],
    ),
    ...driftLines(plan.drift),
    ...heldBackLines(plan.failures),
    ...plan.stops.map((stop) => `Would stop (${stop.guard.replaceAll("_", " ")}): ${stop.message}`),
    "",
  ].join("\n");
}

const REASONS: Readonly<Record<Why, string>> = {
  asked: "it was asked for",
  short: "too much is new below its cursor",
  no_mark: "it was not read by its cursor before, or something of another run is staged",
  made_anew: "its configuration, columns, names looked up, source or the program have changed",
  due: "it is time, by fullEvery",
  key_type: "its key is of a type that rows can't be asked for by",
};

function unitsOf(plan: IngestPlan): number {
  return plan.tables.reduce((sum, table) => sum + table.writeUnits, 0);
}

/** Undefined where no source could tell. */
function bytesOf(plan: IngestPlan): number | undefined {
  const known = plan.tables.flatMap(({ bytes }) => bytes ?? []);
  return known.length === 0 ? undefined : known.reduce((sum, bytes) => sum + bytes, 0);
}

function scanned(plan: IngestPlan): string {
  const bytes = bytesOf(plan);
  if (bytes === undefined) return "it can't say";
  const silent = plan.tables.filter((table) => table.bytes === undefined).map(({ counts }) => counts.table);
  const which = silent.length > 3 ? `${silent.length} tables` : silent.join(", ");
  const besides = silent.length === 0 ? "" : `, and those of ${which}, which can't say`;
  return `${whole(bytes)}${besides}`;
}
