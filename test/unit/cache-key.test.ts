import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalEvidenceKey,
  canonicalKey,
  makeAnswerKeys,
  type EvidenceKeyParts,
  type KeyParts,
} from "../../workers/answer/cache-key.ts";
import { makeAnswerCache, jittered } from "../../workers/answer/cache.ts";
import type { CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { LogEvent } from "../../shared/ports/host.ts";
import { secretHost } from "../fakes/secret-host.ts";

const PARTS: KeyParts = {
  tenant: "acme",
  configVersion: 3,
  epoch: 7,
  permitted: ["class-a", "class-b"],
  masked: ["people.phone"],
  providerPolicy: "[]",
  space: "local/lexical-v1/384 chunk-1 embedded",
  generation: 12,
  question: "When does the ferry leave?",
  history: [{ role: "user", content: "Hello" }],
  today: "2026-11-23",
  timeZone: "UTC",
  model: "auto",
  fallbacks: ["a/one"],
  tables: ["sailings"],
  topK: 8,
  maxOutputTokens: 1024,
  promptVersion: "prompt-1",
  locale: "en",
};

/** Another value for every part: a key function that leaves one out is caught by it. */
const OTHER: { readonly [Part in keyof KeyParts]: KeyParts[Part] } = {
  tenant: "acm",
  configVersion: 4,
  epoch: 8,
  permitted: ["class-a"],
  masked: [],
  providerPolicy: "[1]",
  space: "openai/text-embedding-3-small/1536 chunk-1 embedded",
  generation: 13,
  question: "When does the ferry leave",
  history: [{ role: "assistant", content: "Hello" }],
  today: "2026-11-24",
  timeZone: "Europe/Paris",
  model: "local/quote",
  fallbacks: [],
  tables: undefined,
  topK: 9,
  maxOutputTokens: 1023,
  promptVersion: "prompt-2",
  locale: "fr",
};

/** Short ids of hostile characters, so that a list that is joined, unprefixed or cut meets another one at once. */
const id = fc.string({ unit: fc.constantFrom("a", "b", ",", "|", ":", "1", "\u001f", '"'), maxLength: 3 });
const set = fc.uniqueArray(id, { maxLength: 4 });

/** Whether a key function gives one key to two different sets, or two keys to one. */
function meet(
  keyOf: (permitted: readonly string[]) => string,
  pairs: number,
): { readonly different: number; readonly failed: boolean } {
  let different = 0;
  const property = fc.property(set, set, (a, b) => {
    const same = a.length === b.length && a.every((x) => b.includes(x));
    if (!same) different += 1;
    return (keyOf(a) === keyOf(b)) === same;
  });
  return { failed: fc.check(property, { numRuns: pairs, seed: 20_261_123 }).failed, different };
}

const PASSAGE = { id: "sailings:1#0", version: "v1", changedAt: "2026-11-01T00:00:00Z", rollup: false };
const SECOND = { ...PASSAGE, id: "sailings:2#0" };

const EVIDENCE_PARTS: EvidenceKeyParts = {
  tenant: "acme",
  masked: ["people.phone"],
  models: "{}",
  question: "When does the ferry leave?",
  history: [{ role: "user", content: "Hello" }],
  today: "2026-11-23",
  timeZone: "UTC",
  model: "a/one",
  maxOutputTokens: 1024,
  promptVersion: "prompt-1",
  locale: "en",
  evidence: [PASSAGE, SECOND],
};

const OTHER_EVIDENCE_PARTS: { readonly [Part in keyof EvidenceKeyParts]: EvidenceKeyParts[Part] } = {
  tenant: "acm",
  masked: [],
  models: '{"default":"b/two"}',
  question: "When does the ferry leave",
  history: [],
  today: "2026-11-24",
  timeZone: "Europe/Paris",
  model: "b/two",
  maxOutputTokens: 1023,
  promptVersion: "prompt-2",
  locale: "fr",
  evidence: [PASSAGE],
};

const keys = makeAnswerKeys(() => "a secret of this test");

describe("answer keys", () => {
  it.each(Object.entries(OTHER))("differ with another %s", (part, value) => {
    expect(canonicalKey({ ...PARTS, [part]: value })).not.toBe(canonicalKey(PARTS));
  });

  it("are 43 characters that another secret makes others of", async () => {
    const key = await keys.keyOf(PARTS);
    expect(key).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await keys.keyOf({ ...PARTS })).toBe(key);
    expect(await makeAnswerKeys(() => "another secret").keyOf(PARTS)).not.toBe(key);
  });

  it("do not depend on the order or repetition of sets", () => {
    const shuffled = {
      ...PARTS,
      permitted: ["class-b", "class-a", "class-b"],
      tables: ["sailings", "sailings"],
    };
    expect(canonicalKey(shuffled)).toBe(canonicalKey(PARTS));
  });

  it("depend on the order of fallbacks and turns", () => {
    const two = { ...PARTS, fallbacks: ["a/one", "b/two"] };
    expect(canonicalKey({ ...two, fallbacks: ["b/two", "a/one"] })).not.toBe(canonicalKey(two));
  });

  it("never meet for different permitted sets (100,000 random pairs)", () => {
    const { different, failed } = meet((permitted) => canonicalKey({ ...PARTS, permitted }), 120_000);
    expect(failed).toBe(false);
    expect(different).toBeGreaterThan(100_000);
  });

  it.each<[string, (permitted: readonly string[]) => string]>([
    ["joined without lengths", (permitted) => permitted.toSorted().join(",")],
    ["sorted into one text", (permitted) => permitted.toSorted().join("")],
    ["cut to 8 characters", (permitted) => canonicalKey({ ...PARTS, permitted }).slice(0, 8)],
    ["counted", (permitted) => String(permitted.length)],
  ])("of a function that is %s would meet in these pairs", (_, keyOf) => {
    expect(meet(keyOf, 10_000).failed).toBe(true);
  });

  it("never meet where text moves from one part to the next", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 6 }), fc.string({ maxLength: 6 }), fc.nat(6), (a, b, cut) => {
        const joined = a + b;
        // Parts that stand side by side: nothing but their lengths keeps them apart.
        const one = canonicalKey({ ...PARTS, promptVersion: a, locale: b });
        const two = canonicalKey({
          ...PARTS,
          promptVersion: joined.slice(0, cut),
          locale: joined.slice(cut),
        });
        return (one === two) === (joined.slice(0, cut) === a && joined.slice(cut) === b);
      }),
      { numRuns: 10_000, seed: 1 },
    );
  });
});

describe("keys of the second level", () => {
  it.each(Object.entries(OTHER_EVIDENCE_PARTS))("differ with another %s", (part, value) => {
    expect(canonicalEvidenceKey({ ...EVIDENCE_PARTS, [part]: value })).not.toBe(
      canonicalEvidenceKey(EVIDENCE_PARTS),
    );
  });

  it.each(
    Object.entries({ id: "sailings:1#1", version: "v2", changedAt: "2026-11-02T00:00:00Z", rollup: true }),
  )("differ with another %s of one passage", (part, value) => {
    const changed = { ...EVIDENCE_PARTS, evidence: [{ ...PASSAGE, [part]: value }, SECOND] };
    expect(canonicalEvidenceKey(changed)).not.toBe(canonicalEvidenceKey(EVIDENCE_PARTS));
  });

  it("do not depend on how passages rank", () => {
    expect(canonicalEvidenceKey({ ...EVIDENCE_PARTS, evidence: [SECOND, PASSAGE] })).toBe(
      canonicalEvidenceKey(EVIDENCE_PARTS),
    );
  });

  it("are never those of the first level", async () => {
    expect(await keys.evidenceKeyOf(EVIDENCE_PARTS)).not.toBe(await keys.keyOf(PARTS));
  });
});

const ANSWER: CachedAnswer["answer"] = {
  id: "ans_1",
  outcome: "answered",
  reason: null,
  text: "",
  truncated: false,
  citations: [],
  verification: { checked: 0, supported: 0, removed: [] },
  model: "local/compose",
  route: { requested: "auto", why: "the default" },
  attempts: [],
  cache: "miss",
  generation: 1,
  asOf: "2026-11-23T00:00:00.000Z",
  tables: [],
  usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, estimated: false },
  timings: { totalMs: 1, retrieveMs: 1, firstTokenMs: 1 },
};

const NOW = Date.UTC(2026, 10, 23);

function entry(key: string, text = "x"): CachedAnswer {
  return {
    key,
    answer: { ...ANSWER, text },
    classes: ["public"],
    rows: [["t:1", "v1"]],
    until: NOW + 600_000,
  };
}

interface Store {
  readonly values: Map<string, string>;
  readonly logs: LogEvent[];
  readonly cache: ReturnType<typeof makeAnswerCache>;
}

function makeStore(
  read?: () => Promise<string | null>,
  write?: () => Promise<void>,
  now: () => number = () => NOW,
): Store {
  const values = new Map<string, string>();
  const logs: LogEvent[] = [];
  const host = { ...secretHost({}), now, log: (event: LogEvent) => void logs.push(event) };
  const store = {
    get: read ?? (async (key: string) => values.get(key) ?? null),
    put: write ?? (async (key: string, value: string) => void values.set(key, value)),
  };
  return { values, logs, cache: makeAnswerCache(store, host) };
}

async function failing(): Promise<never> {
  throw new Error("KV is down");
}

describe("answer cache over KV", () => {
  it("gives back what was kept", async () => {
    const { cache } = makeStore();
    await cache.put(entry("k"));
    expect(await cache.get("k")).toEqual(entry("k"));
    expect(await cache.get("other")).toBeUndefined();
  });

  it("does not use the value of another key", async () => {
    const { cache, values, logs } = makeStore();
    await cache.put(entry("k"));
    values.set("a:other", values.get("a:k") ?? "");
    expect(await cache.get("other")).toBeUndefined();
    expect(logs).toEqual([{ level: "warn", event: "cache-entry-foreign" }]);
  });

  it.each([["{"], ["null"], ["[]"], ['{"key":"k"}'], ['{"key":"k","rows":[],"answer":null}']])(
    "takes %j for a miss",
    async (text) => {
      const { cache } = makeStore(async () => text);
      expect(await cache.get("k")).toBeUndefined();
    },
  );

  it("is slower, never wrong, when KV fails", async () => {
    const { cache, logs } = makeStore(failing, failing);
    await cache.put(entry("k"));
    expect(await cache.get("k")).toBeUndefined();
    expect(logs.map((event) => event.event)).toEqual(["cache-write-failed", "cache-read-failed"]);
  });

  it("does not wait for a KV that hangs", async () => {
    const { cache, logs } = makeStore(() => new Promise(() => undefined));
    expect(await cache.get("k")).toBeUndefined();
    expect(logs.map((event) => event.event)).toEqual(["cache-read-slow"]);
  });

  it("does not use what has outlived its time, however long KV holds it", async () => {
    const { cache, values } = makeStore();
    values.set("a:k", JSON.stringify({ ...entry("k"), until: NOW }));
    expect(await cache.get("k")).toBeUndefined();
  });

  it("reads an entry once in five seconds", async () => {
    let now = NOW;
    const reads: number[] = [];
    const { cache } = makeStore(
      async () => {
        reads.push(now - NOW);
        return JSON.stringify(entry("k"));
      },
      undefined,
      () => now,
    );
    for (const at of [0, 4999, 5000]) {
      now = NOW + at;
      expect(await cache.get("k")).toEqual(entry("k"));
    }
    expect(reads).toEqual([0, 5000]);
  });

  it("does not use what it has read beyond the entry's own time", async () => {
    let now = NOW;
    const { cache, values } = makeStore(undefined, undefined, () => now);
    values.set("a:k", JSON.stringify({ ...entry("k"), until: NOW + 1000 }));
    expect(await cache.get("k")).toBeDefined();
    now = NOW + 1000;
    expect(await cache.get("k")).toBeUndefined();
  });

  it("asks again for what was not there", async () => {
    const { cache, values } = makeStore();
    expect(await cache.get("k")).toBeUndefined();
    values.set("a:k", JSON.stringify(entry("k")));
    expect(await cache.get("k")).toEqual(entry("k"));
  });

  it("keeps nothing that ends within KV's shortest lifetime", async () => {
    const { cache, values } = makeStore();
    await cache.put({ ...entry("k"), until: NOW + 59_999 });
    expect(values.size).toBe(0);
  });

  it("keeps nothing above 256 KiB", async () => {
    const { cache, values } = makeStore();
    await cache.put(entry("k", "é".repeat(131_072)));
    expect(values.size).toBe(0);
  });

  it("spreads lifetimes downwards, never below KV's floor", () => {
    expect([jittered(3600, 0), jittered(3600, 1), jittered(60, 1)]).toEqual([3600, 3240, 60]);
  });
});
