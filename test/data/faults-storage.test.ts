import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { KeyValueStore } from "../../workers/answer/cache.ts";
import { ADMISSION, makeWorld, tell, type World } from "../fakes/ask-world.ts";
import { saying, type ScriptedProvider } from "../fakes/scripted-provider.ts";
import { hostile } from "./hostile.ts";

/** Every way in which the answer cache and the Durable Objects may misbehave: slower or refused, never wrong. */

const lines = hostile(
  "fault-modes.jsonl",
  z.object({ id: z.string(), dependency: z.string(), mode: z.string(), expect: z.string() }),
);
const modesOf = (of: string) => lines?.filter(({ dependency }) => dependency === of) ?? [];

const GOOD = "The east berth is closed until 14 March 2026 [1].";

interface Faulty {
  readonly store: KeyValueStore;
  readonly values: Map<string, string>;
}

/** A store in memory, some of whose methods misbehave. */
function faulty(over: (values: Map<string, string>) => Partial<KeyValueStore> = () => ({})): Faulty {
  const values = new Map<string, string>();
  const store: KeyValueStore = {
    get: async (key) => values.get(key) ?? null,
    put: async (key, value) => void values.set(key, value),
    ...over(values),
  };
  return { values, store };
}

interface Bench extends Faulty {
  readonly world: World;
  readonly model: ScriptedProvider;
  /** Asks, waits for what is kept, and expects the right answer. @returns what the cache had to do with it. */
  ask(): Promise<string | undefined>;
}

function benchOf(over?: (values: Map<string, string>) => Partial<KeyValueStore>): Bench {
  const { store, values } = faulty(over);
  const model = saying(GOOD);
  const world = makeWorld({ "a/one": model }, undefined, store);
  return {
    store,
    values,
    world,
    model,
    async ask() {
      const { answer } = await tell(world);
      expect(answer).toMatchObject({ outcome: "answered", text: GOOD });
      await Promise.all(world.deferred);
      return answer?.cache;
    },
  };
}

/** What is kept is spoiled: it counts as nothing, and the answer is made anew. */
function missed(spoil: (text: string, values: ReadonlyMap<string, string>) => string): () => Promise<void> {
  return async () => {
    const bench = benchOf();
    expect(await bench.ask()).toBe("miss");
    expect(await bench.ask()).toBe("exact");
    for (const [key, text] of bench.values) bench.values.set(key, spoil(text, bench.values));
    // An isolate goes by what it has read for so long.
    bench.world.now += 5000;
    expect(await bench.ask()).toBe("miss");
  };
}

const KV: Readonly<Record<string, () => Promise<void>>> = {
  async stale_60s() {
    const bench = benchOf();
    await bench.ask();
    // The store goes on telling of an answer whose rows the caller has lost.
    bench.world.holds = false;
    bench.world.fresh = { ...ADMISSION, epoch: 2, permitted: [] };
    bench.world.evidence = [];
    const { answer } = await tell(bench.world);
    expect(answer).toMatchObject({ cache: "miss", outcome: "no_evidence", citations: [] });
  },
  async put_429() {
    const written = new Set<string>();
    const bench = benchOf((values) => ({
      async put(key, value) {
        if (written.has(key)) throw new Error("429 Too Many Requests");
        written.add(key);
        values.set(key, value);
      },
    }));
    await bench.ask();
    for (const key of bench.values.keys()) bench.values.delete(key);
    expect(await bench.ask()).toBe("miss");
    expect(bench.world.logs.map(({ event }) => event)).toContain("cache-write-failed");
  },
  async get_slow_5s() {
    const bench = benchOf(() => ({ get: () => new Promise(() => undefined) }));
    expect(await bench.ask()).toBe("miss");
    // Two look-ups of 75 ms each: what an answer waits for the cache at most.
    expect(bench.world.logs.filter(({ event }) => event === "cache-read-slow")).toHaveLength(2);
  },
  async get_error() {
    const bench = benchOf(() => ({ get: () => Promise.reject(new Error("KV GET failed: 500")) }));
    expect([await bench.ask(), await bench.ask()]).toEqual(["miss", "miss"]);
  },
  async corrupt_value() {
    await missed((text) => text.slice(0, text.length >> 1))();
    await missed((text) => text.replaceAll('"', "\u0000"))();
    await missed(() => "")();
  },
  other_schema_version: missed((text) => {
    const { answer, rows } = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify({ answer, rows, version: 1 });
  }),
  async negative_cache() {
    const bench = benchOf(() => ({ get: async () => null }));
    expect([await bench.ask(), await bench.ask()]).toEqual(["miss", "miss"]);
    expect(bench.model.requests).toHaveLength(2);
  },
  value_of_other_key: missed((text) => {
    const entry = JSON.parse(text) as Record<string, unknown>;
    return JSON.stringify({
      ...entry,
      key: "another",
      answer: { text: "Ada earns 61400 EUR.", citations: [] },
    });
  }),
  async huge_value() {
    const parsed: number[] = [];
    const { parse } = JSON;
    const huge = `{"x":"${"x".repeat(25 * 1024 * 1024)}"}`;
    JSON.parse = (text: string, ...rest) => {
      parsed.push(text.length);
      return parse(text, ...rest) as unknown;
    };
    try {
      await missed(() => huge)();
    } finally {
      JSON.parse = parse;
    }
    expect(Math.max(...parsed)).toBeLessThan(256 * 1024);
  },
  async quota() {
    const bench = benchOf(() => ({ put: () => Promise.reject(new Error("KV PUT failed: 429 daily limit")) }));
    expect([await bench.ask(), await bench.ask()]).toEqual(["miss", "miss"]);
  },
};

/** These need the real runtime: where each is shown, by the title of its test. */
const OBJECTS: Readonly<Record<string, readonly [file: string, title: string]>> = {
  evict_between_requests: ["faults-durable-object.test.ts", "evict_between_requests"],
  crash_mid_request: ["faults-durable-object.test.ts", "crash_mid_request"],
  overloaded: ["faults-durable-object.test.ts", "overloaded"],
  reset_on_deploy: ["faults-durable-object.test.ts", "reset_on_deploy"],
  alarm_twice: ["runner.test.ts", "is one run when its alarm fires twice at once, or an hour late"],
  alarm_late_1h: ["runner.test.ts", "is one run when its alarm fires twice at once, or an hour late"],
  storage_full: ["faults-durable-object.test.ts", "storage_full"],
  clock_skew_5min: ["faults-durable-object.test.ts", "clock_skew_5min"],
};

describe.skipIf(!lines)("an answer cache that misbehaves", () => {
  it("in a way for which there is no check", () => {
    expect(modesOf("kv_cache").filter(({ mode }) => !KV[mode])).toEqual([]);
    expect(modesOf("kv_cache").length).toBeGreaterThanOrEqual(10);
  });

  it.each(modesOf("kv_cache"))("$id $mode: $expect", async ({ mode }) => {
    await KV[mode]?.();
  });
});

describe.skipIf(!lines)("a Durable Object that misbehaves", () => {
  it("in a way for which there is no check", () => {
    expect(modesOf("durable_object").filter(({ mode }) => !OBJECTS[mode])).toEqual([]);
    expect(modesOf("durable_object").length).toBeGreaterThanOrEqual(8);
  });

  it.each(modesOf("durable_object"))("$id $mode: $expect, shown in test/workerd", ({ mode }) => {
    const [file = "", title = ""] = OBJECTS[mode] ?? [];
    const source = readFileSync(fileURLToPath(new URL(`../workerd/${file}`, import.meta.url)), "utf8");
    expect(source).toContain(title);
  });
});
