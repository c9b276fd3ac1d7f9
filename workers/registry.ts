import type { Config } from "../shared/config.ts";
import { sleep } from "../shared/http.ts";
import { embeddedIndex } from "../shared/indexes/embedded.ts";
import type { Principal } from "../shared/ports/answer.ts";
import type { ChatProvider } from "../shared/ports/chat-provider.ts";
import type { Embedder } from "../shared/ports/embedder.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Factory, Host, LogEvent } from "../shared/ports/host.ts";
import type { Recheck } from "../shared/ports/registry.ts";
import type { SearchIndex, VectorIndex } from "../shared/ports/vector-index.ts";
import { embedderOf } from "../shared/space.ts";
import { makeAdmissions, type Admissions } from "./admissions.ts";
import { makeAsk } from "./answer/ask.ts";
import { makeAnswerCache, makeAnswerKeys } from "./answer/cache.ts";
import { makeRetrieve } from "./answer/retrieve.ts";
import { presetOf, type Providers } from "./answer/route.ts";
import { makeApp } from "./app.ts";
import { authenticate, type Authenticator } from "./auth/authenticate.ts";
import { demoUser, requireLoopback } from "./auth/demo.ts";
import { makeRequestLimiter } from "./auth/limits.ts";
import { operatorToken } from "./auth/operator.ts";
import type { Env } from "./env.ts";
import { adminSurface } from "./surfaces/admin.ts";
import { consoleSurface } from "./surfaces/console-assets.ts";
import { demoSurface } from "./surfaces/demo.ts";
import { httpSurface } from "./surfaces/http.ts";
import { openapiSurface } from "./surfaces/openapi.ts";
import type { Surface } from "./surfaces/surface.ts";
import type { Admission, LedgerApi, ShardApi } from "./tenant/api.ts";
import { makeRecheck, makeTenantRegistry, shardName, type TenantRegistry } from "./tenant/registry.ts";
import { overRpc } from "./tenant/rpc.ts";

/** An adapter: what it can't work without, and its module, loaded on first use so that start-up stays small. */
interface Line<Port> {
  /** Secrets that it takes: one of these sets, whole. */
  readonly needs?: readonly (readonly string[])[];
  readonly load: () => Promise<Factory<Port>>;
}

const EMBEDDERS: Readonly<Record<string, Line<Embedder>>> = {
  local: { load: async () => (await import("../shared/embedders/local.ts")).localEmbedder },
  openai: { load: async () => (await import("../shared/embedders/openai.ts")).openaiEmbedder },
};

/** Indexes outside the shards; `embedded` is the shard itself. */
const INDEXES: Readonly<Record<string, Line<VectorIndex>>> = {
  pinecone: { load: async () => (await import("../shared/indexes/pinecone.ts")).pinecone },
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
  vertex: {
    needs: [["VERTEX_LOCATION", "GOOGLE_APPLICATION_CREDENTIALS_JSON"]],
    load: async () => (await import("./providers/vertex.ts")).vertex,
  },
};

/** Hosts that the configuration names under `models.compatible`, each with its own base URL and secret. */
const COMPATIBLE: Line<ChatProvider> = {
  load: async () => (await import("./providers/compatible.ts")).openaiCompatible,
};

/** Answerers that need no register entry. */
const BUILT_IN_MODELS = ["local/compose", "local/quote"] as const;

/** The tenant of a deployment that has no identity provider to name one. */
const DEFAULT_TENANT = "default";

/** Most that a health check waits, in milliseconds. */
const READY_TIMEOUT_MS = 5000;

/** Everything that is made once an isolate. It holds no request's I/O: stubs are made for each call. */
interface Parts {
  readonly host: Host;
  readonly tenant: string;
  readonly admissions: Admissions;
  readonly providers: Providers;
  readonly principal: (request: Request) => Promise<Principal>;
  readonly registry: (tenant: string) => TenantRegistry;
  readonly shardOf: (admission: Pick<Admission, "tenant" | "space">) => Promise<ShardApi>;
  readonly index: (admission: Admission) => Promise<SearchIndex>;
  readonly embedder: (config: Config) => Promise<Embedder>;
}

/** The Worker of an environment. @param defer keeps work alive after the response. */
export function makeWorker(
  env: Env,
  defer: (work: Promise<unknown>) => void,
): { fetch(request: Request): Promise<Response> } {
  const parts = makeParts(env);
  const { host, tenant, admissions, providers, principal } = parts;
  const recheck = async (admission: Admission): Promise<Recheck> =>
    makeRecheck(await parts.shardOf(admission), admission);
  const retrieve = makeRetrieve({ embedder: parts.embedder, index: parts.index, recheck });
  const ask = makeAsk({
    admit: admissions.admit,
    retrieve,
    recheck,
    cache: makeAnswerCache(env.CACHE, host),
    keys: makeAnswerKeys(() => cacheSecret(host)),
    providers,
    host,
    defer,
    sleep,
    random: Math.random,
  });
  const config = (signal: AbortSignal): Promise<Config | undefined> => admissions.config(tenant, signal);
  const surfaces: Surface[] = [
    httpSurface({
      principal,
      admit: admissions.admit,
      limiter: makeRequestLimiter(() => host.now()),
      ask,
      retrieve,
      builtIn: BUILT_IN_MODELS,
      whyNot: (model, admission) => providers.whyNot(model, admission.config),
      ready: (signal) => checkReady(parts, signal),
      host,
    }),
    adminSurface({ principal, registry: parts.registry }),
    consoleSurface({ assets: env.ASSETS }),
  ];
  if (QUAYSIDE_DEMO) surfaces.push(demoSurface({ config }));
  return makeApp({
    surfaces: [...surfaces, openapiSurface(surfaces)],
    host,
    ...(QUAYSIDE_DEMO ? { guard: requireLoopback } : {}),
    allowedOrigins: async () =>
      (await config(AbortSignal.timeout(READY_TIMEOUT_MS)))?.surfaces?.allowedOrigins ?? [],
  });
}

function makeParts(env: Env): Parts {
  const host = makeHost(env);
  const tenant = host.secret("QUAYSIDE_TENANT") ?? DEFAULT_TENANT;
  const ledger = (of: string): LedgerApi =>
    overRpc<LedgerApi>(() => env.LEDGER.get(env.LEDGER.idFromName(of)), "registry_unavailable");
  const shard = (name: string): ShardApi =>
    overRpc<ShardApi>(() => env.SHARD.get(env.SHARD.idFromName(name)), "index_unavailable");
  const admissions = makeAdmissions({ ledger, now: () => host.now() });
  const shardOf: Parts["shardOf"] = async (of) => shard(await shardName(of.tenant, of.space, 0));
  const kinds: Authenticator[] = [operatorToken({ token: host.secret("QUAYSIDE_TOKEN"), tenant })];
  if (QUAYSIDE_DEMO) {
    kinds.push(
      demoUser({ tenant, config: () => admissions.config(tenant, AbortSignal.timeout(READY_TIMEOUT_MS)) }),
    );
  }
  const indexes = makeIndexes(host, shardOf);
  return {
    host,
    tenant,
    admissions,
    providers: makeProviders(host),
    principal: (request) => authenticate(request, kinds),
    registry: (of) =>
      makeTenantRegistry({
        tenant: of,
        ledger: ledger(of),
        shard,
        async purge(space, ids, signal) {
          const config = await admissions.config(of, signal);
          if (config) await indexes.purge(of, config, space, ids, signal);
        },
      }),
    shardOf,
    index: indexes.search,
    embedder: makeEmbedders(host),
  };
}

function makeEmbedders(host: Host): Parts["embedder"] {
  return async (config) => {
    const { kind, ...settings } = config.embedder ?? { kind: "local" };
    const line = lineOf(EMBEDDERS, kind, "embedder");
    return (await line.load())(settings, host);
  };
}

interface Indexes {
  readonly search: (admission: Admission) => Promise<SearchIndex>;
  /** Forgets chunks of a space that lies outside the shards; for an embedded one there is nothing to do. */
  readonly purge: (
    tenant: string,
    config: Config,
    space: string,
    ids: readonly string[],
    signal: AbortSignal,
  ) => Promise<void>;
}

function makeIndexes(host: Host, shardOf: Parts["shardOf"]): Indexes {
  // An outside index asks once where it is; it holds addresses, no connection.
  const opened = new Map<string, VectorIndex>();
  const outside = async (tenant: string, config: Config, space: string): Promise<VectorIndex | undefined> => {
    const { kind, ...settings } = config.index ?? { kind: "embedded" };
    if (kind === "embedded") return undefined;
    const key = JSON.stringify([kind, settings, tenant, space]);
    const index =
      opened.get(key) ?? (await lineOf(INDEXES, kind, "index").load())({ ...settings, tenant, space }, host);
    opened.set(key, index);
    return index;
  };
  return {
    async search(admission) {
      const index = await outside(admission.tenant, admission.config, admission.space);
      return index ?? embeddedIndex(await shardOf(admission));
    },
    async purge(tenant, config, space, ids, signal) {
      if (ids.length === 0) return;
      await (await outside(tenant, config, space))?.delete(ids, signal);
    },
  };
}

/** The providers that an environment's secrets open. */
export function makeProviders(host: Host): Providers {
  // Made once: some keep a signed or fetched token. None holds a connection.
  const opened = new Map<string, ChatProvider>();
  return {
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
    async open(id, config) {
      const { line, name, settings } = providerOf(id, config);
      if (!line) throw new QuaysideError("config_invalid", "The model's provider is not configured.");
      const key = JSON.stringify([name, settings]);
      const provider = opened.get(key) ?? (await line.load())({ ...settings }, host);
      opened.set(key, provider);
      return provider;
    },
  };
}

/** What is not set of the set of secrets that lacks least. */
function missingOf(line: Line<ChatProvider>, host: Host): readonly string[] {
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
  const { compatible, providers } = config.models ?? {};
  const host = ownEntry(compatible, name);
  const line = host ? COMPATIBLE : ownEntry(PROVIDERS, name);
  const settings = host ?? ownEntry(providers, name);
  const secret: unknown = settings?.["secret"];
  return { name, settings, line: line && typeof secret === "string" ? { ...line, needs: [[secret]] } : line };
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

/** @throws QuaysideError for the first thing that an answer would miss. */
async function checkReady(parts: Parts, outer: AbortSignal): Promise<void> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(READY_TIMEOUT_MS)]);
  const nobody: Principal = {
    tenant: parts.tenant,
    subject: "readyz",
    groups: [],
    attributes: {},
    scopes: [],
  };
  const admission = await parts.admissions.admit(nobody, signal);
  if (admission.space === "") {
    throw new QuaysideError("not_configured", "Nothing is ingested yet: run `quayside ingest`.");
  }
  if ((await parts.embedder(admission.config)).id !== embedderOf(admission.space)) {
    throw new QuaysideError("index_embedder_mismatch", "The index was built with another embedder.");
  }
  await (await parts.shardOf(admission)).stats();
  const preset = presetOf(admission.config, BUILT_IN_MODELS);
  if (parts.providers.whyNot(preset, admission.config) !== undefined) {
    throw new QuaysideError(
      "no_provider_available",
      "The default model can't be called: see GET /v1/models.",
    );
  }
}

/**
 * What cache keys are signed with. Without `QUAYSIDE_CACHE_SECRET` the operator's token serves, through the key's own
 * derivation; without either a random one that lives as long as the isolate, so that nothing is shared beyond it.
 */
function cacheSecret(host: Host): string {
  const own = host.secret("QUAYSIDE_CACHE_SECRET");
  if (own !== undefined) return own;
  const token = host.secret("QUAYSIDE_TOKEN");
  return `quayside answer cache ${token ?? crypto.randomUUID()}`;
}

function makeHost(env: Env): Host {
  return {
    fetch: (input, init) => fetch(input, init),
    secret(name) {
      const value = env[name];
      return typeof value === "string" && value !== "" ? value : undefined;
    },
    now: () => Date.now(),
    log,
  };
}

/** One JSON event a line, which is what Workers' log collection takes. */
function log(event: LogEvent): void {
  // oxlint-disable-next-line no-console -- the Worker's only way to log
  console.log(JSON.stringify(event));
}
