import type { Config } from "../shared/config.ts";
import { sleep } from "../shared/http.ts";
import type { Ask, Principal } from "../shared/ports/answer.ts";
import type { Embedder } from "../shared/ports/embedder.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Evidence } from "../shared/ports/evidence.ts";
import type { Host } from "../shared/ports/host.ts";
import type { Recheck } from "../shared/ports/registry.ts";
import type { Source } from "../shared/ports/source.ts";
import type { SearchIndex } from "../shared/ports/vector-index.ts";
import { embedderOf } from "../shared/space.ts";
import { makeAdmissions, type Admissions } from "./admissions.ts";
import { makeAftermath } from "./answer/aftermath.ts";
import { makeAsk, type AskDeps } from "./answer/ask.ts";
import { makeAudited } from "./answer/audit.ts";
import { makeErasableCache } from "./answer/cache-erase.ts";
import { makeAnswerKeys } from "./answer/cache-key.ts";
import { ANSWERS, makeAnswerCache } from "./answer/cache.ts";
import { makeModelHealth } from "./answer/health.ts";
import { makeReadRows } from "./answer/read-row.ts";
import { makeRetrieve } from "./answer/retrieve.ts";
import { modelsBehind, presetOf, type Providers } from "./answer/route.ts";
import { makeApp } from "./app.ts";
import { requireLoopback } from "./auth/loopback.ts";
import { makeRequestLimiter } from "./auth/limits.ts";
import { makeChatSurfaces } from "./chat.ts";
import type { Env } from "./env.ts";
import { makeHost } from "./host.ts";
import { makeIdentity, type Identity } from "./identity.ts";
import {
  BUILT_IN_MODELS,
  isReadable,
  makeEmbedders,
  makeIndexes,
  makeProviders,
  openSource,
  webhookOf,
  type Indexes,
} from "./registry.ts";
import type { RunnerApi } from "./runner/api.ts";
import { makeRuns, type Runs } from "./runs.ts";
import { consoleSurface } from "./surfaces/console-assets.ts";
import { httpSurface } from "./surfaces/http.ts";
import type { LaterSurface, Surface } from "./surfaces/surface.ts";
import type { Admission, LedgerApi, ShardApi } from "./tenant/api.ts";
import { circuitsByTenant } from "./tenant/circuits.ts";
import { makeMemo } from "./memo.ts";
import { makeRecheck, makeTenantRegistry, shardName, type TenantRegistry } from "./tenant/registry.ts";
import { objectsOf } from "./tenant/rpc.ts";
import type { Answerer } from "./thread/api.ts";

/** The tenant of a deployment that has no identity provider to name one. */
const DEFAULT_TENANT = "default";

/** Most that a health check waits, in milliseconds. */
const READY_TIMEOUT_MS = 5000;

/** Most that dropping old spaces may take; what is left is dropped a minute later. */
const SWEEP_TIMEOUT_MS = 25_000;

/** Everything that is made once an isolate. It holds no request's I/O: stubs are made for each call. */
interface Parts {
  readonly host: Host;
  readonly tenant: string;
  readonly admissions: Admissions;
  readonly providers: Providers;
  readonly identity: Identity;
  /** Of the deployment's own tenant. */
  readonly ledger: LedgerApi;
  readonly ledgerOf: (tenant: string) => LedgerApi;
  /** @param by as the audit trail names whoever asks for what is done; undefined: the Worker itself. */
  readonly registry: (tenant: string, by?: string) => TenantRegistry;
  readonly runs: Runs;
  readonly shardOf: (admission: Pick<Admission, "tenant" | "space">) => Promise<ShardApi>;
  readonly index: (admission: Admission) => Promise<SearchIndex>;
  readonly embedder: (config: Config) => Promise<Embedder>;
}

export interface Worker {
  fetch(request: Request): Promise<Response>;
  /** What the clock does, once a minute. */
  scheduled(): Promise<void>;
  allowedOrigins(): Promise<readonly string[]>;
  readonly host: Host;
  /** What answers the messages of chat surfaces, by the surface's name. */
  readonly answerers: Readonly<Record<string, Answerer>>;
  /** All of them, whether a request has loaded them or not: what the API's description is made from. */
  surfaces(): Promise<readonly Surface[]>;
}

/** The Worker of an environment. @param defer keeps work alive after the response. */
export function makeWorker(env: Env, defer: (work: Promise<unknown>) => void): Worker {
  const parts = makeParts(env);
  const { host, tenant, admissions, providers, identity } = parts;
  const { principal, revocation } = identity;
  const now = (): number => host.now();
  const recheck = async (admission: Admission): Promise<Recheck> =>
    makeRecheck(await parts.shardOf(admission), admission);
  const retrieve = makeRetrieve({ embedder: parts.embedder, index: parts.index, recheck });
  const keys = makeAnswerKeys(() => cacheSecret(host));
  const circuits = circuitsByTenant(now);
  const aftermath = makeAftermath({ ledger: parts.ledgerOf, keys, circuits, defer, sleep, host });
  const audited = makeAudited({
    append: (of, entries) => parts.ledgerOf(of).appendAudit(entries),
    later: aftermath.audit,
    host,
  });
  const askDeps: AskDeps = {
    admit: admissions.admit,
    retrieve,
    recheck,
    cache: makeAnswerCache(env.CACHE, host),
    keys,
    record: aftermath.record,
    providers,
    health: makeModelHealth(() => host.now()),
    host,
    calls: parts.ledgerOf,
    settle: aftermath.settle,
    circuits,
    defer,
    sleep,
    random: Math.random,
  };
  const ask = audited(makeAsk(askDeps));
  const askFrom = (evidence: readonly Evidence[]): Ask =>
    audited(makeAsk({ ...askDeps, retrieve: async () => evidence }));
  const config = (signal: AbortSignal): Promise<Config | undefined> => admissions.config(tenant, signal);
  const allowedOrigins = async (): Promise<readonly string[]> =>
    (await config(AbortSignal.timeout(READY_TIMEOUT_MS)))?.surfaces?.allowedOrigins ?? [];
  const limiter = makeRequestLimiter(now);
  const asked = {
    principal,
    revocation,
    admit: admissions.admit,
    limiter,
    ask,
    retrieve,
    builtIn: BUILT_IN_MODELS,
    whyNot: (model: string, { config }: Admission) => providers.check(model, config),
    host,
  };
  const chat = makeChatSurfaces({
    env,
    host,
    tenant,
    ask,
    admit: admissions.admit,
    recheck,
    providers,
    limiter,
    directory: identity.directory,
    ledger: parts.ledgerOf,
    config,
  });
  const surfaces: (Surface | LaterSurface)[] = [
    httpSurface({ ...asked, ready: (signal) => checkReady(parts, signal) }),
    consoleSurface({ assets: env.ASSETS, demo: QUAYSIDE_DEMO }),
    ...chat,
    {
      under: ["/openai/"],
      load: async () => (await import("./surfaces/openai.ts")).openaiSurface(asked),
    },
    {
      under: ["/mcp", "/.well-known/oauth-protected-resource"],
      load: async () =>
        (await import("./surfaces/mcp.ts")).mcpSurface({
          ...asked,
          readRows: makeReadRows(recheck),
          issuers: identity.issuers,
        }),
    },
    {
      under: ["/v1/admin/", "/v1/erase"],
      load: async () =>
        (await import("./surfaces/admin.ts")).adminSurface({ principal, registry: parts.registry }),
    },
    {
      under: ["/v1/admin/audit"],
      load: async () =>
        (await import("./surfaces/audit.ts")).auditSurface({ principal, ledger: parts.ledgerOf }),
    },
    {
      under: ["/v1/verify"],
      load: async () => (await import("./surfaces/verify.ts")).verifySurface({ ...asked, recheck }),
    },
    {
      under: ["/metrics"],
      load: async () =>
        (await import("./surfaces/metrics.ts")).metricsSurface({ principal, ledger: parts.ledgerOf }),
    },
    {
      under: ["/v1/rows"],
      load: async () =>
        (await import("./surfaces/rows.ts")).rowsSurface({
          ...asked,
          readRows: makeReadRows(recheck),
          ledger: parts.ledgerOf,
        }),
    },
    {
      under: ["/v1/compare"],
      load: async () => (await import("./surfaces/compare.ts")).compareSurface({ ...asked, askFrom }),
    },
    {
      under: ["/v1/answers/", "/v1/feedback", "/v1/admin/answers"],
      load: async () =>
        (await import("./surfaces/answers.ts")).answersSurface({
          ...asked,
          askFrom,
          recheck,
          keys,
          ledger: parts.ledgerOf,
          sleep,
        }),
    },
    {
      under: ["/v1/admin/budgets"],
      load: async () =>
        (await import("./surfaces/budgets.ts")).budgetsSurface({ principal, ledger: parts.ledgerOf }),
    },
    {
      under: ["/v1/admin/keys"],
      load: async () =>
        (await import("./surfaces/keys.ts")).keysSurface({ principal, keys: parts.ledger, now }),
    },
    {
      under: ["/v1/widget/"],
      load: async () =>
        (await import("./surfaces/widget-tokens.ts")).widgetTokensSurface({
          apiKey: identity.apiKey,
          mint: identity.widgetTokens.mint,
          allowedOrigins,
          now,
        }),
    },
    {
      under: ["/v1/ingest/runs", "/v1/admin/runs/"],
      load: async () => (await import("./surfaces/runs.ts")).runsSurface({ principal, runs: parts.runs }),
    },
    {
      under: ["/v1/ingest/webhooks"],
      load: async () =>
        (await import("./surfaces/webhooks.ts")).webhooksSurface({
          tenant,
          config,
          webhook: webhookOf,
          runs: parts.runs,
          host,
        }),
    },
  ];
  if (QUAYSIDE_DEMO) {
    surfaces.push({
      under: ["/v1/demo"],
      load: async () => (await import("./surfaces/demo.ts")).demoSurface({ config }),
    });
  }
  const app = makeApp({
    surfaces,
    host,
    ...(QUAYSIDE_DEMO ? { guard: requireLoopback } : {}),
    allowedOrigins,
  });
  const answering = chat.flatMap(({ name, answer }) => (answer ? [[name, answer] as const] : []));
  const scheduled = async (): Promise<void> => {
    await parts.runs.tick(tenant);
    await parts.registry(tenant).sweep(AbortSignal.timeout(SWEEP_TIMEOUT_MS));
  };
  return {
    ...app,
    scheduled,
    allowedOrigins,
    host,
    answerers: Object.fromEntries(answering),
    surfaces: () => Promise.all(surfaces.map(async (one) => ("load" in one ? one.load() : one))),
  };
}

function makeParts(env: Env): Parts {
  const host = makeHost(env);
  const tenant = host.secret("QUAYSIDE_TENANT") ?? DEFAULT_TENANT;
  const ledger = objectsOf<LedgerApi>(env.LEDGER, "registry_unavailable");
  const shard = objectsOf<ShardApi>(env.SHARD, "index_unavailable");
  const runner = objectsOf<RunnerApi>(env.RUNNER, "registry_unavailable");
  const admissions = makeAdmissions({ ledger, now: () => host.now() });
  // A hash of two names: it holds for ever.
  const shardNames = makeMemo<string>(() => 0, Number.POSITIVE_INFINITY);
  const shardOf: Parts["shardOf"] = async ({ tenant, space }) => {
    const key = JSON.stringify([tenant, space]);
    return shard(shardNames.get(key) ?? shardNames.set(key, await shardName(tenant, space, 0)));
  };
  const indexes = makeIndexes(host, shardOf);
  return {
    host,
    tenant,
    admissions,
    providers: makeProviders(host),
    identity: makeIdentity({
      host,
      tenant,
      ledger: ledger(tenant),
      config: (signal) => admissions.config(tenant, signal),
    }),
    ledger: ledger(tenant),
    ledgerOf: ledger,
    registry: (of, by) =>
      makeTenantRegistry({
        tenant: of,
        by,
        ledger: ledger(of),
        shard,
        outside: (space) => indexes.outside(of, space),
        answers: makeErasableCache(env.CACHE, ANSWERS),
        runner: runner(of),
        sleep,
      }),
    runs: makeRuns({
      ledger,
      readable: (kind) => isReadable(kind, host),
      wake: (of) => runner(of).wake(of),
    }),
    shardOf,
    index: indexes.search,
    embedder: makeEmbedders(host),
  };
}

/** What a runner works with. */
export interface Edge {
  readonly host: Host;
  readonly ledger: (tenant: string) => LedgerApi;
  readonly registry: (tenant: string) => TenantRegistry;
  /** Adapters that are lent this host. */
  readonly adapters: (host: Host) => {
    readonly embedders: (config: Config) => Promise<Embedder>;
    readonly outside: Indexes["outside"];
    readonly isReadable: (kind: string) => boolean;
    readonly openSource: (settings: Config["sources"][string]) => Promise<Source>;
  };
}

/** The write path inside the Worker. */
export function makeEdge(env: Env): Edge {
  const { host, registry, shardOf, ledgerOf } = makeParts(env);
  return {
    host,
    ledger: ledgerOf,
    registry,
    adapters: (lent) => ({
      embedders: makeEmbedders(lent),
      outside: makeIndexes(lent, shardOf).outside,
      isReadable: (kind) => isReadable(kind, lent),
      openSource: (settings) => openSource(settings, lent),
    }),
  };
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
  const { config } = admission;
  const behind = modelsBehind(presetOf(config, BUILT_IN_MODELS, []), config);
  const reasons = await Promise.all(behind.map((model) => parts.providers.check(model, config)));
  if (!reasons.includes(undefined)) {
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
