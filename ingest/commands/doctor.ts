import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { embedderOf, indexName, spaceOf } from "../../shared/space.ts";
import { openTables } from "../pipeline/table.ts";
import { indexKind, openEmbedder, openIndex, withSources, tenantOf } from "../registry.ts";
import { compareRegister, refuseDiffering } from "../register-check.ts";
import { makeWorkerClient } from "../worker-client.ts";
import type { Command, Context } from "./command.ts";
import { requireToken } from "./inputs.ts";

/** One thing that was looked at. */
interface Check {
  readonly check: string;
  readonly ok: boolean;
  /** What was found; when it is wrong, what to do. */
  readonly detail: string;
}

export const command: Command = {
  name: "doctor",
  summary: "check config, secrets, connections and embedder; say what to fix",
  usage: "",
  options: {},
  async run(context) {
    const checks: Check[] = [];
    /** Looks at one thing; what depends on it is looked at only when it holds. */
    const look = async <T>(
      check: string,
      step: () => Promise<readonly [T, string]>,
    ): Promise<T | undefined> => {
      try {
        const [found, detail] = await step();
        checks.push({ check, ok: true, detail });
        return found;
      } catch (error) {
        if (context.signal.aborted) throw error;
        const detail = error instanceof QuaysideError ? error.message : "Failed without a reason.";
        checks.push({ check, ok: false, detail });
        return undefined;
      }
    };
    const loaded = await look("configuration", async () => {
      const found = await context.config();
      const tables = Object.keys(found.config.tables).length;
      return [found.config, `${found.path}: ${tables} tables`] as const;
    });
    if (loaded) await checkWarehouse(context, loaded, look);
    const embedder = loaded && (await look("embedder", () => tryEmbedder(context, loaded)));
    if (loaded && embedder && indexKind(loaded) !== "embedded") {
      await look("vector index", async () => {
        const index = await openIndex(loaded, context.host, tenantOf(context.host), embedder);
        const stats = await index?.stats(context.signal);
        return [stats, `${indexKind(loaded)}: ${stats?.entries ?? 0} entries`] as const;
      });
    }
    const alive = await look("worker", async () => {
      await makeWorkerClient({ url: context.url, token: undefined, as: undefined, host: context.host }).get(
        "/healthz",
        context.signal,
      );
      return [true, `${context.url} answers`] as const;
    });
    if (alive && loaded) await look("registry", () => checkRegistry(context, loaded, embedder));
    if (alive && loaded) await look("models", () => tryRegister(context, loaded));

    const lines = checks.map((c) => `${c.ok ? "ok  " : "FAIL"}  ${c.check}: ${c.detail}`);
    context.terminal.print(`${lines.join("\n")}\n`);
    const ok = checks.every((check) => check.ok);
    return { status: ok ? 0 : 1, result: { ok, checks } };
  },
};

type Look = <T>(check: string, step: () => Promise<readonly [T, string]>) => Promise<T | undefined>;

async function checkWarehouse(context: Context, config: Config, look: Look): Promise<void> {
  await withSources(config, context.host, async (sourceOf) => {
    for (const name of Object.keys(config.tables)) {
      if (config.tables[name]?.index === false) continue;
      await look(`table ${name}`, async () => {
        const [table] = await openTables(config, [name], sourceOf, new Map(), context.signal);
        return [table, `${table?.shape.columns.length ?? 0} columns are read`] as const;
      });
    }
  });
}

async function tryEmbedder(context: Context, config: Config): Promise<readonly [Embedder, string]> {
  const embedder = await openEmbedder(config, context.host);
  await embedder.embed(["quayside doctor"], "document", context.signal);
  return [embedder, `${embedder.id} embeds`];
}

async function tryRegister(context: Context, config: Config): Promise<readonly [true, string]> {
  const token = await requireToken(context);
  const client = makeWorkerClient({ url: context.url, token, as: undefined, host: context.host });
  const { differing, more, callable, all } = await compareRegister(config, client, context.signal);
  refuseDiffering(differing);
  // `npm start` finds some by itself.
  const besides = more.length === 0 ? "" : `, with ${more.join(", ")} besides`;
  return [true, `the register is the configuration's${besides}; ${callable} of ${all} models can be called`];
}

async function checkRegistry(
  context: Context,
  config: Config,
  embedder: Embedder | undefined,
): Promise<readonly [true, string]> {
  const token = await requireToken(context);
  const client = makeRegistryClient({ url: context.url, token, fetch: context.host.fetch, retries: 0 });
  const status = await client.status(context.signal);
  if (status.generation === 0) {
    throw new QuaysideError("not_configured", "Nothing is published yet: run `quayside ingest`.");
  }
  if (embedder && status.space !== spaceOf(embedder.id, indexName(config.index))) {
    throw new QuaysideError(
      "index_embedder_mismatch",
      `The index was written with ${embedderOf(status.space)}, the configuration says ${embedder.id} in "${indexName(config.index)}": run \`quayside ingest\` to build the new space.`,
    );
  }
  const served = new Set(status.tables.map((table) => table.table));
  const missing = Object.keys(config.tables).filter(
    (t) => config.tables[t]?.index !== false && !served.has(t),
  );
  if (missing.length > 0) {
    throw new QuaysideError(
      "not_configured",
      `Configured but not ingested: ${missing.join(", ")}. Run \`quayside ingest\`.`,
    );
  }
  return [true, `generation ${status.generation}, ${status.tables.length} tables, the embedder matches`];
}
