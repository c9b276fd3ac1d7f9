import type { Config } from "../shared/config.ts";
import { embeddedIndex } from "../shared/indexes/embedded.ts";
import { outsideIndex } from "../shared/indexes/outside.ts";
import type { ChatProvider } from "../shared/ports/chat-provider.ts";
import type { Embedder } from "../shared/ports/embedder.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Factory, Host } from "../shared/ports/host.ts";
import type { Source } from "../shared/ports/source.ts";
import type { SearchIndex, VectorIndex } from "../shared/ports/vector-index.ts";
import { isDense } from "../shared/space.ts";
import type { Providers } from "./answer/route.ts";
import type { Admission, ShardApi, SpaceRef } from "./tenant/api.ts";
import type { Webhook } from "./webhooks/webhook.ts";

/** An adapter: what it can't work without, and its module, loaded on first use so that start-up stays small. */
interface Line<Port> {
  /** Secrets that it takes: one of these sets, whole. */
  readonly needs?: readonly (readonly string[])[];
  /** What the platform may bind, in whose place no secret is needed. */
  readonly binding?: string;
  readonly load: () => Promise<Factory<Port>>;
}

const EMBEDDERS: Readonly<Record<string, Line<Embedder>>> = {
  local: { load: async () => (await import("../shared/embedders/local.ts")).localEmbedder },
  openai: { load: async () => (await import("../shared/embedders/openai.ts")).openaiEmbedder },
  compatible: { load: async () => (await import("../shared/embedders/compatible.ts")).compatibleEmbedder },
  "workers-ai": { load: async () => (await import("../shared/embedders/workers-ai.ts")).workersAiEmbedder },
  gemini: { load: async () => (await import("../shared/embedders/gemini.ts")).geminiEmbedder },
  pinecone: {
    load: async () => (await import("../shared/embedders/pinecone-inference.ts")).pineconeEmbedder,
  },
  cortex: { load: async () => (await import("../shared/embedders/cortex.ts")).cortexEmbedder },
};

/** Indexes outside the shards; `embedded` is the shard itself. */
const INDEXES: Readonly<Record<string, Line<VectorIndex>>> = {
  pinecone: { load: async () => (await import("../shared/indexes/pinecone.ts")).pinecone },
  vectorize: { load: async () => (await import("../shared/indexes/vectorize.ts")).vectorize },
};

/** Sources that are read by fetch alone; the Worker reads those whose secrets it has. */
const SOURCES: Readonly<Record<string, Line<Source>>> = {
  snowflake: {
    needs: [["SNOWFLAKE_TOKEN"], ["SNOWFLAKE_PRIVATE_KEY"]],
    load: async () => (await import("../ingest/sources/snowflake.ts")).makeSnowflakeSource,
  },
  bigquery: {
    needs: [["GOOGLE_APPLICATION_CREDENTIALS_JSON"]],
    load: async () => (await import("../ingest/sources/bigquery.ts")).makeBigQuerySource,
  },
  servicenow: {
    needs: [["SERVICENOW_TOKEN"]],
    load: async () => (await import("../ingest/sources/servicenow.ts")).makeServiceNowSource,
  },
};

const PROVIDERS: Readonly<Record<string, Line<ChatProvider>>> = {
  local: { load: async () => (await import("./providers/local.ts")).localProvider },
  openai: {
    needs: [["OPENAI_API_KEY"]],
    load: async () => (await import("./providers/openai.ts")).openai,
  },
  anthropic: {
    needs: [["ANTHROPIC_API_KEY"]],
    load: async () => (await import("./providers/anthropic.ts")).anthropic,
  },
  gemini: {
    needs: [["GEMINI_API_KEY"]],
    load: async () => (await import("./providers/gemini.ts")).gemini,
  },
  llama: {
    needs: [["LLAMA_BASE_URL"]],
    load: async () => (await import("./providers/compatible.ts")).llama,
  },
  cortex: {
    needs: [
      ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_TOKEN"],
      ["SNOWFLAKE_BASE_URL", "SNOWFLAKE_TOKEN"],
      ["SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_PRIVATE_KEY"],
    ],
    load: async () => (await import("./providers/cortex.ts")).cortex,
  },
  azure: {
    needs: [["AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"]],
    load: async () => (await import("./providers/azure.ts")).azure,
  },
  bedrock: {
    needs: [["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]],
    load: async () => (await import("./providers/bedrock.ts")).bedrock,
  },
  "workers-ai": {
    needs: [["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"]],
    binding: "AI",
    load: async () => (await import("./providers/workers-ai.ts")).workersAi,
  },
  vertex: {
    needs: [["VERTEX_LOCATION", "GOOGLE_APPLICATION_CREDENTIALS_JSON"]],
    load: async () => (await import("./providers/vertex.ts")).vertex,
  },
};

/** Hosts that the configuration names under `models.compatible`, each with its own base URL and secret. */
const COMPATIBLE: Line<ChatProvider> = {
  load: async () => (await import("./providers/compatible.ts")).openaiCompatible,
};

const WEBHOOKS: Readonly<Record<string, () => Promise<Webhook>>> = {
  hmac: async () => (await import("./webhooks/hmac.ts")).hmacWebhook,
  dbt: async () => (await import("./webhooks/dbt.ts")).dbtWebhook,
  fivetran: async () => (await import("./webhooks/fivetran.ts")).fivetranWebhook,
  airbyte: async () => (await import("./webhooks/airbyte.ts")).airbyteWebhook,
};

/** Answerers that need no register entry. */
export const BUILT_IN_MODELS = ["local/compose", "local/quote"] as const;

/** Embedders by configuration. */
export function makeEmbedders(host: Host): (config: Config) => Promise<Embedder> {
  // Made once, as the others are: loading a module, even one that is there, waits for a turn of the runtime's own loop.
  const opened = new Map<string, Embedder>();
  return async (config) => {
    const { kind, ...settings } = config.embedder ?? { kind: "local" };
    const key = JSON.stringify([kind, settings]);
    const embedder = opened.get(key) ?? (await lineOf(EMBEDDERS, kind, "embedder").load())(settings, host);
    opened.set(key, embedder);
    return embedder;
  };
}

export interface Indexes {
  readonly search: (admission: Admission) => Promise<SearchIndex>;
  /** The index of any space that lies outside the shards, as it was when the space was written; undefined for an embedded one. */
  readonly outside: (tenant: string, space: SpaceRef) => Promise<VectorIndex | undefined>;
}

/** The index of a tenant's space. @param shardOf the shard that is the embedded one. */
export function makeIndexes(
  host: Host,
  shardOf: (admission: Pick<Admission, "tenant" | "space">) => Promise<ShardApi>,
): Indexes {
  // An outside index asks once where it is; it holds addresses, no connection.
  const opened = new Map<string, VectorIndex>();
  const outside = async (
    tenant: string,
    { space, index: at }: SpaceRef,
  ): Promise<VectorIndex | undefined> => {
    const { kind, ...settings } = at ?? { kind: "embedded" };
    if (kind === "embedded") return undefined;
    const key = JSON.stringify([kind, settings, tenant, space]);
    const index =
      opened.get(key) ?? (await lineOf(INDEXES, kind, "index").load())({ ...settings, tenant, space }, host);
    opened.set(key, index);
    return index;
  };
  return {
    async search(admission) {
      const [index, shard] = await Promise.all([
        outside(admission.tenant, { space: admission.space, index: admission.config.index }),
        shardOf(admission),
      ]);
      if (!index) return embeddedIndex(shard);
      return isDense(admission.space) ? index : outsideIndex(index, shard);
    },
    outside,
  };
}

/** Whether the Worker can read sources of a kind: it has the adapter and the secrets. */
export function isReadable(kind: string, host: Host): boolean {
  const line = ownEntry(SOURCES, kind);
  return line !== undefined && missingOf(line, host).length === 0;
}

/** @throws QuaysideError `not_configured` for a kind that only Node can read, `config_invalid`. */
export async function openSource(settings: Config["sources"][string], host: Host): Promise<Source> {
  return (await lineOf(SOURCES, settings.kind, "source").load())(settings, host);
}

/** The providers that an environment's secrets open. */
export function makeProviders(host: Host): Providers {
  // Made once: some keep a signed or fetched token. None holds a connection.
  const opened = new Map<string, ChatProvider>();
  const providers: Providers = {
    builtIn: BUILT_IN_MODELS,
    whyNot(id, config) {
      const { line, name } = providerOf(id, config);
      if (!line) {
        return `There is no provider ${name}; one that speaks the OpenAI protocol goes under models.compatible.`;
      }
      const missing = missingOf(line, host);
      if (missing.length === 0) return undefined;
      return `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} not set.`;
    },
    async check(id, config) {
      const why = providers.whyNot(id, config);
      if (why !== undefined) return why;
      try {
        await providers.open(id, config);
        return undefined;
      } catch (error) {
        if (error instanceof QuaysideError) return error.message;
        throw error;
      }
    },
    async open(id, config) {
      const { line, name, settings } = providerOf(id, config);
      if (!line) throw new QuaysideError("config_invalid", "The model's provider is not configured.");
      const key = JSON.stringify([name, settings]);
      const provider = opened.get(key) ?? (await line.load())({ ...settings }, host);
      opened.set(key, provider);
      return provider;
    },
  };
  return providers;
}

/** What is not set of the set of secrets that lacks least. */
function missingOf(line: Line<unknown>, host: Host): readonly string[] {
  if (line.binding !== undefined && host.binding?.(line.binding) !== undefined) return [];
  const missing = (line.needs ?? [[]]).map((set) => set.filter((name) => host.secret(name) === undefined));
  return missing.sort((a, b) => a.length - b.length)[0] ?? [];
}

/** The adapter of a model: one of the configuration's own OpenAI-compatible hosts, or one of ours. */
function providerOf(
  id: string,
  config: Config,
): {
  readonly name: string;
  readonly line: Line<ChatProvider> | undefined;
  readonly settings: Readonly<Record<string, unknown>> | undefined;
} {
  const name = id.slice(0, id.indexOf("/"));
  const { compatible, providers, register } = config.models ?? {};
  const host = ownEntry(compatible, name);
  const line = host ? COMPATIBLE : ownEntry(PROVIDERS, name);
  const shared: Readonly<Record<string, unknown>> | undefined = host ?? ownEntry(providers, name);
  const own = ownEntry(register, id)?.options;
  const settings = own ? { ...shared, ...own } : shared;
  const secret: unknown = settings?.["secret"];
  return { name, settings, line: line && typeof secret === "string" ? { ...line, needs: [[secret]] } : line };
}

/** How systems of a kind tell that tables have changed; undefined for a kind that there is not. */
export async function webhookOf(kind: string): Promise<Webhook | undefined> {
  return ownEntry(WEBHOOKS, kind)?.();
}

/** Names come from requests and configurations: `constructor` is not a provider. */
function ownEntry<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}

function lineOf<Port>(lines: Readonly<Record<string, Line<Port>>>, kind: string, what: string): Line<Port> {
  const line = ownEntry(lines, kind);
  if (line) return line;
  throw new QuaysideError("not_configured", `The Worker has no ${what} of the kind "${kind}".`);
}
