import { vi } from "vitest";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import { canonicalEvidenceKey, canonicalKey } from "../../workers/answer/cache-key.ts";
import type { KeyValueStore } from "../../workers/answer/cache.ts";
import { PROBLEMS } from "../../workers/problem.ts";
import { openaiCompatible } from "../../workers/providers/compatible.ts";
import {
  ADMISSION,
  BERTH,
  CAFE,
  CONFIG,
  evidence,
  makeWorld,
  tell,
  type Told,
  type World,
} from "./ask-world.ts";
import { memoryChat, type MemoryChat } from "./memory-chat.ts";
import { secretHost } from "./secret-host.ts";

/** Runs questions while a schedule of faults strikes what an answer needs, and names every invariant that breaks. */

export interface Schedule {
  readonly id: string;
  readonly seed: number;
  readonly requests: number;
  /** `from_call` counts from 0. */
  readonly faults: readonly {
    readonly dependency: string;
    readonly mode: string;
    readonly from_call: number;
    readonly calls: number;
  }[];
}

const CANARY = "CANARY-7c1f";
const SECRET = evidence("9", `Ada earns a lot, ${CANARY}.`, { classification: "restricted" });
/** Each model says the same in words of its own, so that two models in one answer are seen. */
const VOICES = { "a/one": "uniquely", "b/two": "doubly", "c/all": "triply" } as const;
type Model = keyof typeof VOICES;
const LIMITS = { firstTokenTimeoutMs: 8000, idleTimeoutMs: 10_000, totalTimeoutMs: 30_000 };

/** What an answer gets of a fault of the places that are not a model's: a failure, or nothing that it sees. */
const FAILURES: Readonly<Record<string, Readonly<Record<string, ErrorCode>>>> = {
  embedder: {
    status_500_every_7th: "embedder_unavailable",
    status_429: "rate_limited",
    slow_30x: "embedder_unavailable",
    quota_exhausted: "embedder_rejected",
    zero_vector: "embedder_unavailable",
    nan_vector: "embedder_unavailable",
    wrong_dim: "index_embedder_mismatch",
    partial_batch: "embedder_unavailable",
    input_too_long: "input_too_long",
    one_bad_input: "embedder_rejected",
  },
  vector_store: {
    query_timeout: "index_unavailable",
    index_missing: "index_unavailable",
    dim_mismatch: "index_embedder_mismatch",
  },
  durable_object: {
    overloaded: "registry_unavailable",
    crash_mid_request: "registry_unavailable",
    reset_on_deploy: "registry_unavailable",
  },
};

/** A small generator of numbers from 0 to 1 (mulberry32), so that a seed is a run. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @returns what broke; nothing when all invariants hold. Needs fake timers (see `withClock`). */
export async function runSchedule(schedule: Schedule): Promise<readonly string[]> {
  const random = numbers(schedule.seed);
  const broken: string[] = [];
  const counts = new Map<string, number>();
  /** The fault that strikes this call of a dependency, which is counted. */
  const strike = (dependency: string): string | undefined => {
    const call = counts.get(dependency) ?? 0;
    counts.set(dependency, call + 1);
    return schedule.faults.find(
      (fault) =>
        fault.dependency === dependency && call >= fault.from_call && call < fault.from_call + fault.calls,
    )?.mode;
  };
  const chats: Record<Model, MemoryChat> = {
    "a/one": chat("a/one"),
    "b/two": chat("b/two"),
    "c/all": chat("c/all"),
  };
  function chat(model: Model): MemoryChat {
    const text = `The east berth is ${VOICES[model]} closed until 14 March 2026 [1].`;
    return memoryChat(text, () => strike("llm_provider"));
  }
  const world = worldOf(
    chats,
    storeOf(strike, () => broken.push("no_cache_of_partial")),
  );
  const struck = (dependency: string): void => {
    const mode = strike(dependency);
    if (mode === "clock_skew_5min") world.now += 300_000;
    const code = mode === undefined ? undefined : FAILURES[dependency]?.[mode];
    if (code !== undefined) throw new QuaysideError(code, "struck");
  };
  world.beforeAdmit = () => struck("durable_object");
  world.beforeRetrieve = () => {
    struck("embedder");
    struck("vector_store");
  };

  for (let i = 0; i < schedule.requests; i++) {
    const secret = random() < 0.3;
    world.evidence = secret ? [BERTH, SECRET] : [BERTH, CAFE];
    const before = { waits: world.waits.length, calls: callsOf(chats), audit: world.audit.length };
    const since = performance.now();
    const text = `Until when is the east berth closed, question ${Math.floor(random() * 3)} ${secret}?`;
    const told = await ask(world, text);
    const tooLate =
      performance.now() - since + sum(world.waits.slice(before.waits)) > LIMITS.totalTimeoutMs + 250;
    if (tooLate) broken.push(`${i} within_deadline`);
    if (callsOf(chats) - before.calls > 3) broken.push(`${i} at most 3 calls`);
    const own = world.audit.slice(before.audit).filter((record) => record["action"] === "ask");
    if (own.length !== 1) broken.push(`${i} audit_complete`);
    broken.push(...wrongWith(told).map((what) => `${i} ${what}`));
    world.now += Math.floor(random() * 20_000);
  }
  for (const model of ["a/one", "b/two"] as const) {
    if (chats[model].sent.some((body) => body.includes(CANARY))) broken.push("no_leak");
  }
  if (world.spent.length > world.calls.length) broken.push("spend_within_budget");
  for (const spent of world.spent.flat()) {
    const held = Math.max(...world.calls.flatMap(({ calls }) => calls.map(({ tokens }) => tokens)));
    if (spent.tokens > held) broken.push("spend_within_budget");
  }
  return broken;
}

function worldOf(chats: Readonly<Record<Model, MemoryChat>>, store: KeyValueStore): World {
  const providers = Object.fromEntries(
    Object.entries(chats).map(([model, { fetch }]) => [
      model,
      openaiCompatible({ baseUrl: "http://model.test/v1" }, { ...secretHost({}), fetch }),
    ]),
  );
  const keys = {
    keyOf: async (parts: Parameters<typeof canonicalKey>[0]) => canonicalKey(parts),
    evidenceKeyOf: async (parts: Parameters<typeof canonicalEvidenceKey>[0]) => canonicalEvidenceKey(parts),
    questionDigest: async (question: string) => question,
  };
  const world = makeWorld(providers, keys, store);
  world.admission = { ...ADMISSION, config: { ...CONFIG, limits: LIMITS } };
  return world;
}

/** Asks; virtual time goes on whenever nothing else does. */
async function ask(world: World, text: string): Promise<Told> {
  const gone = new AbortController();
  const deadline = setTimeout(() => gone.abort(new DOMException("", "TimeoutError")), LIMITS.totalTimeoutMs);
  let told: Told | undefined;
  const asking = (async (): Promise<void> => {
    told = await tell(world, { text, model: "a/one", fallbacks: ["b/two", "c/all"] }, gone.signal);
  })();
  for (;;) {
    await idle();
    if (told) break;
    await vi.advanceTimersToNextTimerAsync();
  }
  clearTimeout(deadline);
  await asking;
  await idle();
  return told;
}

async function idle(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

function wrongWith({ answer, text, failure }: Told): string[] {
  const wrong: string[] = [];
  for (const said of [text, answer?.text ?? ""]) {
    const voices = Object.values(VOICES).filter((voice) => said.includes(voice));
    if (voices.length > 1) wrong.push("no_splice");
  }
  if (failure !== undefined && (failure === "internal" || !(failure in PROBLEMS))) {
    wrong.push(`status_in_table: ${failure}`);
  }
  if ((answer === undefined) === (failure === undefined)) wrong.push("an answer or a failure");
  return wrong;
}

/** @param partial told when an answer is kept that is not whole. */
function storeOf(strike: (dependency: string) => string | undefined, partial: () => void): KeyValueStore {
  const values = new Map<string, string>();
  return {
    async get(key) {
      const value = values.get(key) ?? null;
      switch (strike("kv_cache") ?? "none") {
        case "get_error":
          throw new Error("KV GET failed: 500");
        case "get_slow_5s":
          return new Promise(() => undefined);
        case "negative_cache":
          return null;
        case "corrupt_value":
          return value === null ? null : value.slice(0, value.length >> 1);
        case "other_schema_version":
          return value === null ? null : '{"v":1}';
        case "value_of_other_key":
          return [...values.values()].at(-1) ?? null;
        case "huge_value":
          return "x".repeat(300_000);
        default:
          return value;
      }
    },
    async put(key, value) {
      const mode = strike("kv_cache");
      if (mode === "quota" || mode === "put_429") throw new Error("KV PUT failed: 429");
      const { answer } = JSON.parse(value) as { answer: { outcome: string; truncated: boolean } };
      if (answer.outcome === "refused" || answer.truncated) partial();
      values.set(key, value);
    },
  };
}

function callsOf(chats: Readonly<Record<Model, MemoryChat>>): number {
  return sum(Object.values(chats).map(({ sent }) => sent.length));
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}
