import type { Config } from "../../shared/config.ts";
import type { AnswerCache, CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { Answer, AnswerEvent, Ask, Principal, Question } from "../../shared/ports/answer.ts";
import type { ChatProvider } from "../../shared/ports/chat-provider.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { LogEvent } from "../../shared/ports/host.ts";
import { makeAudited } from "../../workers/answer/audit.ts";
import { makeAftermath } from "../../workers/answer/aftermath.ts";
import { makeAsk, type AskDeps } from "../../workers/answer/ask.ts";
import { makeAnswerKeys, type AnswerKeys } from "../../workers/answer/cache-key.ts";
import { secretHost } from "./secret-host.ts";
import { makeAnswerCache, type KeyValueStore } from "../../workers/answer/cache.ts";
import { makeModelHealth } from "../../workers/answer/health.ts";
import type { Given } from "../../workers/answer/records.ts";
import type { Query } from "../../workers/answer/retrieve.ts";
import type { Admission, LedgerApi } from "../../workers/tenant/api.ts";
import type { CallRequest, CallStart, Spent, Telling } from "../../workers/tenant/api-answers.ts";
import { makeCircuits, type Circuits } from "../../workers/tenant/circuits.ts";

/** Everything around `ask` as plain data in memory: change it between questions. */
export interface World {
  readonly ask: Ask;
  /** Milliseconds since the epoch. */
  now: number;
  admission: Admission;
  /** What the next admission that is asked for afresh will be; the same while undefined. */
  fresh: Admission | undefined;
  evidence: readonly Evidence[];
  /** Whether the registry confirms cached answers. */
  holds: boolean;
  /** What the registry was asked to confirm: epoch, rows with their versions, classes. */
  readonly confirmed: unknown[];
  /** The registry's epoch; whatever it is asked about while undefined. */
  epoch: number | undefined;
  readonly cached: Map<string, CachedAnswer>;
  readonly queries: Query[];
  readonly logs: LogEvent[];
  readonly waits: number[];
  /** Records of the audit trail, in order. */
  readonly audit: Readonly<Record<string, unknown>>[];
  /** May throw what the ledger, or embedder and index, would. */
  beforeAdmit?: () => void;
  beforeRetrieve?: () => void;
  /** Whether nothing can be recorded. */
  auditDown: boolean;
  /** A ledger to ask instead of the one made up here. */
  ledger: Pick<LedgerApi, "startCall" | "conclude"> | undefined;
  /** What the ledger answers before a model is asked; leave to ask any while undefined. */
  start: ((request: CallRequest) => CallStart | undefined) | undefined;
  /** Who else is at the same answer; nobody while undefined. */
  joining: ((telling: Telling | undefined) => Promise<CallStart | undefined>) | undefined;
  readonly calls: CallRequest[];
  readonly spent: (readonly Spent[])[];
  /** What the ledger was told of calls that came to nothing. */
  readonly failed: Spent[];
  /** What this isolate knows of failing models. */
  readonly circuits: Circuits;
  /** Models that the ledger was told are failing. */
  readonly opened: string[];
  readonly given: Given[];
  /** What goes on after the answer's last byte. */
  readonly deferred: Promise<unknown>[];
  /** Registry, ledger, index and cache calls, in order. */
  readonly trips: string[];
}

export const MODEL = {
  contextTokens: 8000,
  price: { input: 1, output: 10 },
  region: "eu",
  retention: "none",
  trainsOnData: false,
} as const;

export const CONFIG: Config = {
  name: "World",
  sources: { s: { kind: "none" } },
  tables: {
    notices: {
      source: "s",
      key: ["id"],
      filters: ["port", "berth"],
      classification: "public",
      access: { allowAny: ["public"] },
    },
    pay: { source: "s", key: ["id"], classification: "restricted", access: { allowAny: ["group:hr"] } },
  },
  models: {
    default: "a/one",
    aliases: { quick: "b/two" },
    register: {
      "a/one": { ...MODEL, classes: ["public", "internal"] },
      "b/two": { ...MODEL, classes: ["public", "internal"] },
      "c/all": { ...MODEL, classes: ["public", "internal", "confidential", "restricted"] },
      "e/large": { ...MODEL, classes: ["public", "internal"], contextTokens: 200_000 },
      "d/keyless": { ...MODEL, classes: ["public"] },
    },
  },
  limits: { firstTokenTimeoutMs: 30, idleTimeoutMs: 30 },
};

export const ADMISSION: Admission = {
  tenant: "t",
  epoch: 1,
  generation: 4,
  configVersion: 2,
  space: "local/lexical-v1/384 chunk-1 embedded",
  permitted: ["AAAAAAAAAAAAAAAAAAAAAA"],
  tables: [
    { table: "notices", asOf: "2026-11-20T00:00:00.000Z", rows: 10 },
    { table: "pay", asOf: "2026-11-19T00:00:00.000Z", rows: 5 },
  ],
  config: CONFIG,
};

export const PRINCIPAL: Principal = {
  tenant: "t",
  subject: "u",
  groups: [],
  attributes: {},
  scopes: ["ask"],
};

export const QUESTION: Question = {
  text: "Until when is the east berth closed?",
  history: [],
  model: undefined,
  fallbacks: [],
  tables: undefined,
  topK: 8,
  cache: "default",
  maxOutputTokens: 1024,
};

export function evidence(id: string, text: string, more: Partial<Evidence> = {}): Evidence {
  const row = `notices:${id}`;
  return {
    id: `${row}#0`,
    row,
    table: "notices",
    key: { id },
    title: `Notice ${id}`,
    text,
    cells: [
      { column: "id", value: id },
      { column: "body", value: text },
    ],
    version: `v-${id}`,
    classification: "public",
    rollup: false,
    asOf: "2026-11-20T00:00:00.000Z",
    changedAt: "2026-11-01T00:00:00.000Z",
    score: 1,
    ...more,
  };
}

export const BERTH = evidence("1", "The east berth is closed until 14 March 2026.");
export const CAFE = evidence("2", "The café serves galettes from 11:30.");
export const SECRET = evidence("3", "Ada earns 61400 EUR.", { classification: "restricted" });
/** An answer that `BERTH` supports. */
export const GOOD = "The east berth is closed until 14 March 2026 [1].";

/** @param models by id; ids that are registered but absent here have no key. */
export function makeWorld(
  models: Readonly<Record<string, ChatProvider>>,
  keys: AnswerKeys = makeAnswerKeys(() => "a secret of this test"),
  store?: KeyValueStore,
  admit?: AskDeps["admit"],
): World {
  const host = {
    ...secretHost({}),
    now: () => world.now,
    log: (event: LogEvent) => void world.logs.push(event),
  };
  const remembered: AnswerCache = {
    async get(key) {
      world.trips.push("cache-get");
      return world.cached.get(key);
    },
    async put(entry) {
      world.trips.push("cache-put");
      world.cached.set(entry.key, entry);
    },
  };
  const ask = makeAsk({
    async admit(principal, signal, fresh) {
      world.beforeAdmit?.();
      world.trips.push(fresh === true ? "admit-fresh" : "admit");
      if (admit) return admit(principal, signal, fresh);
      if (fresh === true && world.fresh) world.admission = world.fresh;
      return world.admission;
    },
    async retrieve(query) {
      world.beforeRetrieve?.();
      world.trips.push("retrieve");
      world.queries.push(query);
      return world.evidence;
    },
    recheck: async () => ({
      recheck: async () => [],
      holds: async (epoch, rows, classes) => {
        world.trips.push("confirm");
        world.confirmed.push([epoch, rows, classes]);
        return world.holds && epoch === (world.epoch ?? epoch);
      },
    }),
    cache: store ? makeAnswerCache(store, host) : remembered,
    keys,
    record: (given) => void world.given.push(given),
    providers: {
      builtIn: ["local/compose", "local/quote"],
      whyNot: (id) => (models[id] || id.startsWith("local/") ? undefined : "its key is not set"),
      check: async () => undefined,
      async open(id) {
        const provider = models[id];
        if (!provider) throw new QuaysideError("config_invalid", "no such model");
        return provider;
      },
    },
    health: makeModelHealth(() => world.now),
    host,
    calls: () => ({
      async startCall(request, telling) {
        world.trips.push("start-call");
        world.calls.push(request);
        if (world.ledger) return world.ledger.startCall(request, telling);
        const joined = await world.joining?.(telling);
        if (joined) return joined;
        return world.start?.(request) ?? { type: "lead", models: request.calls.map(({ model }) => model) };
      },
    }),
    circuits: () => world.circuits,
    settle(_tenant, settlement) {
      const { spent, failed = [], opened = [] } = settlement;
      world.trips.push("settle-call");
      const concluded = world.ledger?.conclude({ settled: [settlement], answers: [], audit: [] });
      if (concluded) world.deferred.push(concluded);
      world.spent.push(spent);
      world.failed.push(...failed);
      world.opened.push(...opened);
    },
    defer: (work) => void world.deferred.push(work),
    async sleep(ms) {
      world.waits.push(ms);
    },
    random: () => 0.5,
  });
  const world: World = {
    ask: makeAudited({
      async append(_tenant, entries) {
        if (world.auditDown) throw new QuaysideError("registry_unavailable", "down");
        for (const { record } of entries) world.audit.push(JSON.parse(record));
      },
      later: makeAftermath({
        ledger: () => ({
          async conclude({ audit }) {
            if (world.auditDown) throw new QuaysideError("registry_unavailable", "down");
            for (const { record } of audit) world.audit.push(JSON.parse(record));
            return [];
          },
        }),
        circuits: () => ({ learn: () => undefined }),
        keys,
        defer: (work) => void world.deferred.push(work),
        sleep: async () => undefined,
        host,
      }).audit,
      host,
    })(ask),
    circuits: makeCircuits(() => world.now),
    audit: [],
    auditDown: false,
    now: Date.UTC(2026, 10, 23),
    admission: ADMISSION,
    fresh: undefined,
    evidence: [BERTH, CAFE],
    holds: true,
    epoch: undefined,
    confirmed: [],
    cached: new Map(),
    ledger: undefined,
    start: undefined,
    joining: undefined,
    calls: [],
    spent: [],
    failed: [],
    opened: [],
    deferred: [],
    given: [],
    queries: [],
    logs: [],
    waits: [],
    trips: [],
  };
  return world;
}

export interface Told {
  readonly events: readonly AnswerEvent[];
  /** The streamed text, retractions applied. */
  readonly text: string;
  readonly answer: Answer | undefined;
  /** Code of the failure that ended it. */
  readonly failure: string | undefined;
  /** The wait that it asks for. */
  readonly retryAfterMs: number | undefined;
}

/** Asks, and takes down everything that comes. */
export async function tell(
  world: World,
  question: Partial<Question> = {},
  signal: AbortSignal = new AbortController().signal,
  principal: Principal = PRINCIPAL,
): Promise<Told> {
  const events: AnswerEvent[] = [];
  let text = "";
  let failure: string | undefined;
  let retryAfterMs: number | undefined;
  try {
    for await (const event of world.ask({ ...QUESTION, ...question }, principal, signal)) {
      events.push(event);
      if (event.type === "delta") text += event.text;
      if (event.type === "retract") text = text.slice(0, event.from);
    }
  } catch (error) {
    failure = error instanceof QuaysideError ? error.code : String(error);
    if (error instanceof QuaysideError) ({ retryAfterMs } = error);
  }
  const last = events.at(-1);
  return { events, text, answer: last?.type === "done" ? last.answer : undefined, failure, retryAfterMs };
}
