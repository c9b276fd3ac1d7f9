import type { Config } from "../shared/config.ts";
import type { Embedder } from "../shared/ports/embedder.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Factory, Host } from "../shared/ports/host.ts";
import type { Source } from "../shared/ports/source.ts";
import type { VectorIndex } from "../shared/ports/vector-index.ts";
import { indexName, spaceOf } from "../shared/space.ts";

/** Loaded on first use: an adapter whose SDK is missing fails only where it is chosen. */
type Load<Port> = () => Promise<Factory<Port>>;

const SOURCES: Readonly<Record<string, Load<Source>>> = {
  duckdb: async () => (await import("./sources/duckdb.ts")).makeDuckDbSource,
  bigquery: async () => (await import("./sources/bigquery.ts")).makeBigQuerySource,
  servicenow: async () => (await import("./sources/servicenow.ts")).makeServiceNowSource,
  snowflake: async () => (await import("./sources/snowflake.ts")).makeSnowflakeSource,
  postgres: async () => (await import("./sources/postgres.ts")).makePostgresSource,
  redshift: async () => (await import("./sources/redshift.ts")).makeRedshiftSource,
};

const EMBEDDERS: Readonly<Record<string, Load<Embedder>>> = {
  local: async () => (await import("../shared/embedders/local.ts")).localEmbedder,
  openai: async () => (await import("../shared/embedders/openai.ts")).openaiEmbedder,
  compatible: async () => (await import("../shared/embedders/compatible.ts")).compatibleEmbedder,
  "workers-ai": async () => (await import("../shared/embedders/workers-ai.ts")).workersAiEmbedder,
  gemini: async () => (await import("../shared/embedders/gemini.ts")).geminiEmbedder,
  pinecone: async () => (await import("../shared/embedders/pinecone-inference.ts")).pineconeEmbedder,
  cortex: async () => (await import("../shared/embedders/cortex.ts")).cortexEmbedder,
};

/** Indexes outside the registry; `embedded` is the registry itself. */
const INDEXES: Readonly<Record<string, Load<VectorIndex>>> = {
  pinecone: async () => (await import("../shared/indexes/pinecone.ts")).pinecone,
  vectorize: async () => (await import("../shared/indexes/vectorize.ts")).vectorize,
};

export const EMBEDDED = "embedded";

/** A source by its name in the configuration. */
export type SourceOf = (name: string) => Source;

/**
 * Lends every source that the configuration's tables use, and closes them afterwards, whatever happened.
 * @throws QuaysideError `config_invalid` for an unknown kind or wrong settings; what `work` throws.
 */
export async function withSources<T>(
  config: Config,
  host: Host,
  work: (sourceOf: SourceOf) => Promise<T>,
): Promise<T> {
  const used = new Set(Object.values(config.tables).map((table) => table.source));
  const open = new Map<string, Source>();
  try {
    for (const [name, settings] of Object.entries(config.sources)) {
      if (used.has(name)) open.set(name, await make(SOURCES, `sources.${name}`, settings, host));
    }
    return await work((name) => {
      const source = open.get(name);
      if (!source) throw new QuaysideError("config_invalid", `There is no source "${name}".`);
      return source;
    });
  } finally {
    for (const source of open.values()) await source[Symbol.asyncDispose]();
  }
}

/** @throws QuaysideError `config_invalid` for an unknown kind, wrong settings or a secret that is not set. */
export function openEmbedder(config: Config, host: Host): Promise<Embedder> {
  return make(EMBEDDERS, "embedder", config.embedder ?? { kind: "local" }, host);
}

/** `kind` of the configured index. */
export function indexKind(config: Config): string {
  return config.index?.kind ?? EMBEDDED;
}

/** The outside index of a space; undefined where the registry holds the vectors. @throws as `openEmbedder`. */
export async function openIndex(
  config: Config,
  host: Host,
  tenant: string,
  embedder: Embedder,
): Promise<VectorIndex | undefined> {
  const kind = indexKind(config);
  if (kind === EMBEDDED) return undefined;
  const space = spaceOf(embedder.id, indexName(config.index));
  return make(INDEXES, "index", { ...config.index, kind, tenant, space }, host);
}

/** The tenant that the Worker serves: one deployment serves one, until an identity provider names others. */
export function tenantOf(host: Host): string {
  return host.secret("QUAYSIDE_TENANT") ?? "default";
}

async function make<Port>(
  lines: Readonly<Record<string, Load<Port>>>,
  at: string,
  settings: Readonly<Record<string, unknown>> & { readonly kind: string },
  host: Host,
): Promise<Port> {
  const load = Object.hasOwn(lines, settings.kind) ? lines[settings.kind] : undefined;
  if (!load) {
    const kinds = Object.keys(lines).join(", ");
    throw new QuaysideError(
      "config_invalid",
      `${at}.kind: there is no "${settings.kind}"; use one of: ${kinds}.`,
    );
  }
  return (await load())(settings, host);
}
