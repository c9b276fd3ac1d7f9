import { sleep } from "../../shared/http.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { indexName } from "../../shared/space.ts";
import { planIngest, type IngestPlan } from "../pipeline/plan.ts";
import { openEmbedder, withSources } from "../registry.ts";
import { string, strings, type Command } from "./command.ts";
import { amount, requireToken } from "./inputs.ts";
import { makeProgressLine } from "./progress.ts";
import { driftLines, money, table as layout, whole } from "./text.ts";

export const command: Command = {
  name: "plan",
  summary: "what ingest would do and cost; writes nothing",
  usage: "[--table T]… [--full] [--max-cost USD] [--max-tokens N]",
  options: {
    table: { type: "string", multiple: true, value: "T", help: "only this table; may be repeated" },
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
    const registry = makeRegistryClient({ url: context.url, token, fetch: host.fetch, sleep });
    const tables = strings(values["table"]);
    const line = makeProgressLine(terminal, () => host.now());
    const plan = await withSources(config, host, (sourceOf) =>
      planIngest(
        {
          config,
          tables: tables.length > 0 ? tables : undefined,
          full: values["full"] === true,
          maxCostUsd,
          maxTokens,
          onProgress: line.update,
          signal,
        },
        {
          sourceOf,
          embedder,
          indexKind: indexName(config.index),
          registry,
          maskKey: host.secret("QUAYSIDE_MASK_KEY") ?? token,
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
    tables: plan.tables.map(({ counts, texts, tokens, bytes }) => ({
      ...counts,
      texts,
      tokens,
      warehouse_bytes: bytes ?? null,
    })),
    texts: plan.texts,
    tokens: plan.tokens,
    // Every chunk written is one write unit: a vector in the index.
    write_units: plan.texts,
    cost_usd: plan.costUsd,
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
    `${whole(plan.texts)} texts to embed with ${embedder}: about ${whole(plan.tokens)} tokens, ${money(plan.costUsd)}.`,
    ...driftLines(plan.drift),
    ...plan.failures
      .slice(0, 20)
      .map((failure) => `Held back: ${failure.table} ${failure.key}: ${failure.reason.replaceAll("_", " ")}`),
    ...plan.stops.map((stop) => `Would stop (${stop.guard.replaceAll("_", " ")}): ${stop.message}`),
    "",
  ].join("\n");
}
