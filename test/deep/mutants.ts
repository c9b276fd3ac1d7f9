/** A rule of the answer cache, broken in one place of the source, and the test that must notice. */
export interface Mutant {
  readonly rule: string;
  readonly file: string;
  /** Occurs once in the file. */
  readonly from: string;
  readonly to: string;
  readonly test: string;
  /** Part of the full name of a test that must fail. */
  readonly caught: string;
}

const KEY = "workers/answer/cache-key.ts";
const ASKED = "workers/answer/asked.ts";
const ASK = "workers/answer/ask.ts";
const CACHE = "workers/answer/cache.ts";
const WRITE = "workers/answer/write.ts";
const SHARD = "workers/index/evidence.ts";

const KEYS = "test/unit/cache-key.test.ts";
const ASKING = "test/unit/ask-cache.test.ts";
const CALLS = "test/unit/ask-calls.test.ts";
const FALLBACKS = "test/unit/ask-fallbacks.test.ts";
const REVOKED = "test/unit/revocation.test.ts";
const CONFIRM = "test/workerd/shard-confirm.test.ts";

/** A part that the exact key leaves out. */
function leftOut(part: string, from: string, to = ""): Mutant {
  return { rule: `the exact key holds the ${part}`, file: KEY, from, to, test: KEYS, caught: part };
}

/** The same for what the key is made of. */
function unwired(part: string, from: string, to: string): Mutant {
  return { rule: `the exact key is given the ${part}`, file: ASKED, from, to, test: ASKING, caught: part };
}

export const MUTANTS: readonly Mutant[] = [
  leftOut(
    "tenant",
    "    [\n      parts.tenant,\n      parts.configVersion",
    "    [\n      parts.configVersion",
  ),
  leftOut("configVersion", "      parts.configVersion,\n"),
  leftOut("epoch", "      parts.epoch,\n"),
  leftOut("permitted", "      setOf(parts.permitted),\n"),
  leftOut("masked", "      setOf(parts.masked),\n      parts.providerPolicy", "      parts.providerPolicy"),
  leftOut("providerPolicy", "      parts.providerPolicy,\n"),
  leftOut("space", "[parts.space, parts.generation]", "[parts.generation]"),
  leftOut("generation", "[parts.space, parts.generation]", "[parts.space]"),
  leftOut("fallbacks", "      [...parts.fallbacks],\n"),
  leftOut("tables", `      parts.tables === undefined ? "all" : setOf(parts.tables),\n`),
  leftOut("topK", "      parts.topK,\n"),
  {
    rule: "no two lists of parts read alike: each part has its length in front",
    file: KEY,
    from: "return `s${part.length}:${part}`;",
    to: "return part;",
    test: KEYS,
    caught: "never meet where text moves from one part to the next",
  },
  {
    rule: "what authorisation decided is a set: its order says nothing",
    file: KEY,
    from: "return [...new Set(values)].sort();",
    to: "return [...values];",
    test: KEYS,
    caught: "do not depend on the order or repetition of sets",
  },
  {
    rule: "the evidence key holds the version of each passage",
    file: KEY,
    from: "[id, version, changedAt, rollup ? 1 : 0]",
    to: '[id, "", changedAt, rollup ? 1 : 0]',
    test: KEYS,
    caught: "keys of the second level",
  },
  unwired("permitted", "permitted: admission.permitted,", "permitted: [],"),
  unwired("epoch", "epoch: admission.epoch,", "epoch: 0,"),
  unwired("generation", "generation: admission.generation,", "generation: 0,"),
  {
    rule: "the registry confirms on every hit",
    file: ASK,
    from: "if (await stillHolds(deps, entry, admission, signal)) {",
    to: "if (signal) {",
    test: REVOKED,
    caught: "opens no cached answer any more, at once",
  },
  {
    rule: "rows are confirmed, not the epoch alone",
    file: ASK,
    from: "registry.holds(admission.epoch, entry.rows,",
    to: "registry.holds(admission.epoch, [],",
    test: ASKING,
    caught: "asks the registry about every row",
  },
  {
    rule: "after a hit that does not hold, the caller's rights are asked for afresh",
    file: ASK,
    from: "admission = await deps.admit(principal, signal, true);",
    to: "admission = await deps.admit(principal, signal);",
    test: ASKING,
    caught: "answers anew, from a fresh admission",
  },
  {
    rule: "rights are remembered 5 s, so that a revocation holds within 10",
    file: "workers/admissions.ts",
    from: "const MEMO_MS = 5000;",
    to: "const MEMO_MS = 60_000;",
    test: REVOKED,
    caught: "is forgotten by both within 10 s",
  },
  {
    rule: "an answer that rests on a late table is not served",
    file: ASK,
    from: "if (entry && !restsOnLate(asked, entry.rows)) {",
    to: "if (entry) {",
    test: ASKING,
    caught: "are left out from then on, from the cache too",
  },
  {
    rule: "an answer without the late tables is not kept for when they are back",
    file: ASK,
    from: "if (timely.length < found.length) keys.length = 0;",
    to: "",
    test: ASKING,
    caught: "which is not kept for when they are back",
  },
  {
    rule: "bypass reads nothing",
    file: ASK,
    from: 'if (question.cache !== "bypass") {\n      let key',
    to: "if (signal) {\n      let key",
    test: ASKING,
    caught: "is passed by on request, both ways",
  },
  {
    rule: "every row that the model read is kept with the answer, cited or not",
    file: ASK,
    from: "const rows = rowsOf(evidence);",
    to: "const rows = rowsOf(evidence.slice(0, 1));",
    test: ASKING,
    caught: "keeps every row that the model read",
  },
  {
    rule: "an answer lives no longer for being handed on by the evidence level",
    file: ASK,
    from: "keep(deps, keys, entry.answer, rows, classes, entry.until);",
    to: "keep(deps, keys, entry.answer, rows, classes, untilOf(deps, asked));",
    test: ASKING,
    caught: "which ends when the first answer does",
  },
  {
    rule: "a stand-in's answer is not kept",
    file: ASK,
    from: "if (written.whole && asPreferred(answer))",
    to: "if (written.whole)",
    test: ASKING,
    caught: "keeps nothing that a stand-in wrote",
  },
  {
    rule: "an answer that was cut is not kept",
    file: WRITE,
    from: 'const whole = reason === "stop";',
    to: "const whole = true;",
    test: "test/unit/ask.test.ts",
    caught: "keeps no answer that was cut at the length limit",
  },
  {
    rule: "a refusal is not kept",
    file: WRITE,
    from: "whole: whole && !refused,",
    to: "whole,",
    test: "test/unit/ask.test.ts",
    caught: "refus",
  },
  {
    rule: "what failed in the middle is not kept, and no second model goes on",
    file: "workers/answer/generate.ts",
    from: 'throw new QuaysideError("provider_stream_interrupted", "The model stopped in the middle of its answer.", {\n      cause: error,\n    });',
    to: 'yield { type: "finish", reason: "stop", served: undefined, usage: settleUsage({ inputTokens: 0, outputTokens: 0 }, spokenBy(input, model, text)) };',
    test: FALLBACKS,
    caught: "ends an answer whose model",
  },
  {
    rule: "whoever asks the same is told the answer that is being written",
    file: "workers/answer/call.ts",
    from: "ledger.startCall(request, shared === undefined ? undefined : telling.join);",
    to: "ledger.startCall(request, undefined);",
    test: CALLS,
    caught: "is put to a model once",
  },
  {
    rule: "a value says which key it is of",
    file: CACHE,
    from: "if (!isEntry(entry) || entry.key !== key)",
    to: "if (!isEntry(entry))",
    test: KEYS,
    caught: "does not use the value of another key",
  },
  {
    rule: "what has outlived its time is not used",
    file: CACHE,
    from: "else if (entry.until > host.now()) return memory",
    to: "else return memory",
    test: KEYS,
    caught: "does not use what has outlived its time",
  },
  {
    rule: "what has outlived its time is not used from memory either",
    file: CACHE,
    from: "if (known && known.entry.until > host.now()) return known.entry;",
    to: "if (known) return known.entry;",
    test: KEYS,
    caught: "does not use what it has read beyond the entry's own time",
  },
  {
    rule: "memory is gone by for some seconds, not for ever",
    file: CACHE,
    from: "const MEMORY_MS = 5000;",
    to: "const MEMORY_MS = 600_000;",
    test: KEYS,
    caught: "reads an entry once in five seconds",
  },
  {
    rule: "a KV that hangs holds up no answer",
    file: CACHE,
    from: "withTimeout(store.get(nameOf(key)), READ_TIMEOUT_MS)",
    to: "withTimeout(store.get(nameOf(key)), 60_000)",
    test: KEYS,
    caught: "does not wait for a KV that hangs",
  },
  {
    rule: "entries have a largest size",
    file: CACHE,
    from: "if (new TextEncoder().encode(text).byteLength > MAX_ENTRY_BYTES) return;",
    to: "",
    test: KEYS,
    caught: "keeps nothing above 256 KiB",
  },
  {
    rule: "lifetimes are spread",
    file: CACHE,
    from: "Math.floor(ttlSeconds * (1 - random / 10))",
    to: "ttlSeconds",
    test: KEYS,
    caught: "spreads lifetimes downwards",
  },
  {
    rule: "the shard confirms no answer of another epoch",
    file: SHARD,
    from: "known.meta().epoch === epoch &&",
    to: "",
    test: CONFIRM,
    caught: "confirming a cached answer",
  },
  {
    rule: "the shard confirms no row of another version",
    file: SHARD,
    from: "one.version === version && permitted.has(one.accessClass)",
    to: "permitted.has(one.accessClass)",
    test: CONFIRM,
    caught: "confirming a cached answer",
  },
  {
    rule: "the shard confirms no row of a class that the caller may not see",
    file: SHARD,
    from: "one.version === version && permitted.has(one.accessClass)",
    to: "one.version === version",
    test: CONFIRM,
    caught: "confirming a cached answer",
  },
  {
    rule: "the shard confirms no answer of which a row is gone",
    file: SHARD,
    from: "rows.every(([row, version]) =>",
    to: "rows.some(([row, version]) =>",
    test: CONFIRM,
    caught: "confirming a cached answer",
  },
  {
    rule: "the shard forgets what it has read with every change",
    file: "workers/index/shard.ts",
    from: "    } finally {\n      this.#known = undefined;\n    }",
    to: "    } finally {\n      this.#read();\n    }",
    test: "test/workerd/shard-known.test.ts",
    caught: "sees every kind of change with the next question",
  },
];
