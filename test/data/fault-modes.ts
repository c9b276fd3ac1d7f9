import { readFileSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod/mini";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { commandLine } from "../fakes/command-line.ts";
import { bench, configOf, type Bench } from "../fakes/ingest-bench.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import { PINECONE_STUB_KEY, startPinecone, type PineconeStub } from "../stubs/pinecone.ts";
import type { Stub } from "../stubs/stub.ts";
import { hostile } from "./hostile.ts";

/**
 * What ingest's dependencies do to it: every mode of the set ends as the set says. A mode is either injected here, through the
 * strict stubs, or shown by a test elsewhere, which is named by its words and must be there.
 */

const modes = hostile(
  "fault-modes.jsonl",
  z.object({ id: z.string(), dependency: z.string(), mode: z.string(), expect: z.string() }),
);

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
export let embeddings: Stub;
export let store: PineconeStub;

/** Sixty notes, embedded through the real client in calls of sixteen. */
export function notes(index?: VectorIndex): Bench {
  const rows = Array.from({ length: 60 }, (_, id) => ({ id, body: `note ${id} says this` }));
  const world = bench({
    config: configOf({ notes: { text: ["body"] } }),
    tables: { notes: { columns: { id: "number", body: "string" }, rows } },
    ...(index ? { index } : {}),
  });
  const host = secretHost({ OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${embeddings.url}/v1` });
  const embedder = openaiEmbedder({ dimensions: 64, maxBatch: 16 }, host);
  // Waits cost no time, and the clock knows of them.
  let clock = 1_700_000_000_000;
  const time = { now: () => clock, wait: async (ms: number) => void (clock += ms) };
  return { ...world, run: (options, more) => world.run(options, { embedder, ...time, ...more }) };
}

/** The same notes in a CSV file, ingested by the command line. */
export async function onCommandLine(now?: () => number) {
  const path = await mkdtemp(join(tmpdir(), "quayside-notes-"));
  onTestFinished(() => rm(path, { recursive: true }));
  const lines = Array.from({ length: 60 }, (_, id) => `${id},note ${id} says this`);
  writeFileSync(join(path, "notes.csv"), `${["id,body", ...lines].join("\n")}\n`);
  const config = {
    ...configOf({ notes: { text: ["body"] } }),
    sources: { w: { kind: "duckdb", path } },
    embedder: { kind: "openai", dimensions: 64, maxBatch: 16 },
  };
  const secrets = { OPENAI_API_KEY: OPENAI_STUB_KEY, OPENAI_BASE_URL: `${embeddings.url}/v1` };
  const registry = memoryRegistry();
  return {
    registry,
    ingest: () => commandLine(["ingest"], { config, registry, secrets, ...(now ? { now } : {}) }),
  };
}

export function pineconeIndex(): VectorIndex {
  const secrets = {
    PINECONE_API_KEY: PINECONE_STUB_KEY,
    PINECONE_CONTROLLER_HOST: store.url,
    PINECONE_INDEX: "quayside",
  };
  return pinecone({ tenant: "t", space: "s" }, secretHost(secrets));
}

export const overPinecone = (): Bench => notes(pineconeIndex());

/** Inputs that the embedder answered, by text. */
export function inputs(): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const { body } of embeddings.exchanges) {
    const { input }: { readonly input: readonly string[] } = JSON.parse(body);
    for (const text of input) times.set(text, (times.get(text) ?? 0) + 1);
  }
  return times;
}

/** A test elsewhere that shows the mode: its file, and words of its title or of its row. */
export function shownBy(file: string, ...words: readonly string[]): () => Promise<void> {
  return async () => {
    const text = readFileSync(join(root, file), "utf8");
    for (const word of words) expect(text, `${file} has nothing that says "${word}"`).toContain(word);
  };
}

/** Each check ends as its mode of the set says, by its name. */
export type Checks = Readonly<Record<string, () => Promise<unknown>>>;

/** Tests of every mode of the set that these dependencies have, each over stubs without a fault. */
export function faultModes(checks: Readonly<Record<string, Checks>>): void {
  beforeAll(async () => {
    embeddings = await startOpenai();
    store = await startPinecone(0, { dimension: 64 });
  });
  beforeEach(() => {
    embeddings.reset();
    store.reset();
  });
  afterAll(async () => {
    await embeddings?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
  });

  describe.skipIf(!modes)("fault modes", () => {
    it.each(modes?.filter(({ dependency }) => dependency in checks) ?? [])(
      "$id: $expect",
      async ({ dependency, mode }) => {
        const check = checks[dependency]?.[mode];
        if (!check) throw new Error(`nothing checks ${dependency}.${mode}`);
        await check();
      },
    );
  });
}
