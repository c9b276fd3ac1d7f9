import { createExecutionContext, env, waitOnExecutionContext } from "cloudflare:test";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Config } from "../../shared/config.ts";
import type { Env } from "../../workers/env.ts";
import { makeWorker } from "../../workers/worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { ownRegistry } from "./seed.ts";

/**
 * What an answer costs in calls to the outside, as the Worker's own bindings see them. Whatever it does not wait for (KV writes,
 * the audit trail, the account, the record) is kept from ending until its last byte is there.
 */

const MODEL = "gemini/test";
const EAST = "Until when is the east berth in Dover closed?";
const SAYS = "The east berth in Dover is closed until 14 March 2026 [1].";

/** Calls in rounds: what is under way at the same time is one. */
let rounds: string[][] = [];
let underWay = 0;
let held: (() => void)[] = [];

const LATER = ["CACHE.put", "LEDGER.conclude"];

async function traced<T>(name: string, call: () => T | Promise<T>): Promise<T> {
  if (LATER.includes(name)) {
    await new Promise<void>((resolve) => {
      held.push(resolve);
    });
    return call();
  }
  if (underWay === 0) rounds.push([]);
  rounds.at(-1)?.push(name);
  underWay += 1;
  try {
    return await call();
  } finally {
    underWay -= 1;
  }
}

/** The same object, each of whose methods is traced under its name. */
function tracedObject<T extends object>(name: string, object: T): T {
  return new Proxy(object, {
    get: (target, method) =>
      typeof method === "string" && method !== "then"
        ? (...args: readonly unknown[]) => traced(`${name}.${method}`, () => callOf(target, method, args))
        : undefined,
  });
}

/** The same namespace, whose objects are traced. */
function tracedNamespace<T extends { get(id: DurableObjectId): object }>(name: string, namespace: T): T {
  return new Proxy(namespace, {
    get: (target, method) =>
      method === "get"
        ? (id: DurableObjectId) => tracedObject(name, target.get(id))
        : (...args: readonly unknown[]) => callOf(target, method, args),
  });
}

function callOf(target: object, method: string | symbol, args: readonly unknown[]): unknown {
  const own: (...given: readonly unknown[]) => unknown = Reflect.get(target, method);
  return Reflect.apply(own, target, args);
}

/** A read of the real one may take longer than an answer waits for it, on a busy machine. */
const kept = new Map<string, string>();
const cache = {
  get: async (key: string) => kept.get(key) ?? null,
  put: async (key: string, value: string) => void kept.set(key, value),
};

const bindings: Env = {
  ...env,
  GEMINI_API_KEY: "key",
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the part of it that answers are kept in
  CACHE: tracedObject("CACHE", cache) as unknown as Env["CACHE"],
  LEDGER: tracedNamespace("LEDGER", env.LEDGER),
  SHARD: tracedNamespace("SHARD", env.SHARD),
};
const context = createExecutionContext();
const worker = makeWorker(bindings, (work) => context.waitUntil(work));

const OPEN: NonNullable<NonNullable<Config["models"]>["register"]>[string] = {
  classes: ["public"],
  contextTokens: 8000,
  price: { input: 1, output: 2 },
  region: "eu",
  retention: "none",
  trainsOnData: false,
};

beforeAll(async () => {
  // Who may see what, and the configuration, are remembered for 5 s, which a busy machine may take between two questions.
  vi.useFakeTimers({ toFake: ["Date"] });
  const register = { ...CONFIG.models?.register, [MODEL]: OPEN };
  await seedRows(ownRegistry(), { ...CONFIG, models: { ...CONFIG.models, register } });
  vi.spyOn(globalThis, "fetch").mockImplementation(() => traced("fetch", () => modelSays(SAYS)));
  // Code is loaded on its first use.
  await ask("What does the café in Calais serve?");
  await ended();
});

afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function modelSays(text: string): Response {
  const chunk = {
    candidates: [{ content: { parts: [{ text }], role: "model" }, finishReason: "STOP" }],
    usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 5 },
  };
  const headers = { "content-type": "text/event-stream" };
  return new Response(`data: ${JSON.stringify(chunk)}\r\n\r\n`, { headers });
}

/** The answer, and the rounds that it took up to its last byte. */
async function ask(question: string): Promise<{ readonly cache: string; readonly rounds: string[][] }> {
  rounds = [];
  const request = new Request("http://127.0.0.1/v1/ask", {
    method: "POST",
    headers: { "content-type": "application/json", "x-quayside-demo-user": "guest" },
    body: JSON.stringify({ question, model: MODEL }),
  });
  const response = await worker.fetch(request);
  const { cache } = await response.json<{ cache: string }>();
  return { cache, rounds };
}

/** Lets what was held go on, until all of it is done. */
async function ended(): Promise<void> {
  const release = setInterval(() => {
    for (const go of held.splice(0)) go();
  }, 5);
  await waitOnExecutionContext(context);
  clearInterval(release);
}

it("an answer costs the index, the reservation beside the second cache level, the model; an exact hit one read and one confirmation", async () => {
  expect(await ask(EAST)).toEqual({
    cache: "miss",
    rounds: [["CACHE.get"], ["SHARD.query"], ["LEDGER.startCall", "CACHE.get"], ["fetch"]],
  });
  await ended();
  expect(await ask(EAST)).toEqual({ cache: "exact", rounds: [["CACHE.get"], ["SHARD.holds"]] });
});
