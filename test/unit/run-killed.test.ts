import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { storedId } from "../../shared/ids.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { VectorIndex } from "../../shared/ports/vector-index.ts";
import { bench, configOf, failure, warehouse } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";
import type { MemoryRegistry } from "../fakes/memory-registry.ts";
import type { MemoryTable } from "../fakes/memory-source.ts";

describe("an outside index", () => {
  it("holds every chunk, and the registry no vector", async () => {
    const index = memoryIndex();
    const { run, registry } = bench({ index });
    const report = await run();
    const signal = new AbortController().signal;
    expect((await index.stats(signal)).entries).toBe(22);
    expect(registry.served("parts").every((row) => row.chunks.every((c) => c.vector === undefined))).toBe(
      true,
    );
    expect(report).toMatchObject({ upsertRequests: 2, deleteRequests: 0 });
  });

  it("forgets deleted rows, and chunks that a row no longer has", async () => {
    const index = memoryIndex();
    const config = configOf({ notes: { text: ["body"] } });
    const long = Array.from({ length: 200 }, (_, i) => `Sentence number ${i} says this.`).join(" ");
    const rows = [1, 2, 3, 4, 5].map((id) => ({ id, body: long }));
    const tables = {
      notes: { columns: { id: "number", body: "string" } as const, rows: rows as MemoryTable["rows"] },
    };
    const { run } = bench({ index, config, tables });
    await run();
    tables.notes.rows = [{ id: 1, body: "short now" }, ...rows.slice(1, 4)];
    const report = await run();
    const signal = new AbortController().signal;
    const fresh = memoryIndex();
    await bench({ index: fresh, config, tables }).run();
    expect((await index.stats(signal)).entries).toBe((await fresh.stats(signal)).entries);
    expect(report.deleteRequests).toBe(2);
  });

  it("forgets a deleted row only once its removal is committed", async () => {
    const index = memoryIndex();
    const { run, tables, registry } = bench({ index });
    await run();
    tables["parts"]?.rows.splice(4, 2);
    const removedAtDelete: number[] = [];
    const watched: VectorIndex = {
      ...index,
      delete: (ids, signal) => {
        removedAtDelete.push(registry.commits.reduce((sum, batch) => sum + batch.gone.length, 0));
        return index.delete(ids, signal);
      },
    };
    await run({}, { index: watched });
    expect(removedAtDelete).toEqual([2]);
  });

  it.each([
    ["memory", true],
    ["memory-dense", false],
  ])("named %s in the space has words beside it: %s", async (indexKind, words) => {
    const { run, registry } = bench({ index: memoryIndex() });
    await run({}, { indexKind });
    const chunks = registry.commits.flatMap((batch) => batch.rows.flatMap((row) => row.chunks));
    expect(new Set(chunks.map((chunk) => chunk.lexical !== undefined))).toEqual(new Set([words]));
  });

  it("keeps nothing of a row that a killed run wrote and that is deleted before the next", async () => {
    const index = memoryIndex();
    const { run, tables, registry } = bench({ index });
    const cut = new AbortController();
    const cutOff: VectorIndex = {
      ...index,
      async upsert(entries, signal) {
        await index.upsert(entries, signal);
        if (entries[0]?.table !== "parts") return;
        cut.abort();
        throw new Error("killed");
      },
    };
    await failure(run({ signal: cut.signal }, { index: cutOff }));
    const key = tables["parts"]?.rows[0]?.["id"];
    const id = await storedId(`parts:${JSON.stringify(key)}`, "all", 0);
    const { signal } = new AbortController();
    expect([...(await index.has([id], signal))]).toEqual([id]);
    registry.expireLease();
    tables["parts"]?.rows.splice(0, 2);
    await run({}, { index });
    expect([...(await index.has([id], signal))]).toEqual([]);
  });

  it("that lost writes stops the run before it publishes", async () => {
    const index = memoryIndex();
    const lossy: VectorIndex = {
      ...index,
      upsert: (entries, signal) => index.upsert(entries.slice(1), signal),
    };
    const { run, registry } = bench({ index: lossy });
    expect((await failure(run())).code).toBe("index_unavailable");
    expect(registry.generation).toBe(0);
  });
});

interface Clock {
  /** Calls that still go through. */
  left: number;
  /** Whether the last one dies after its effect, not before. */
  readonly after: boolean;
}

/** A call of a port that plays dead once the clock has run out. */
async function mortally<T>(clock: Clock, call: () => Promise<T>): Promise<T> {
  const dead = new QuaysideError("internal", "killed");
  if (clock.left < 0) throw dead;
  clock.left -= 1;
  if (clock.left < 0 && !clock.after) throw dead;
  const result = await call();
  if (clock.left < 0) throw dead;
  return result;
}

function mortalRegistry(registry: MemoryRegistry, clock: Clock): MemoryRegistry {
  return {
    ...registry,
    begin: (...args) => mortally(clock, () => registry.begin(...args)),
    commit: (...args) => mortally(clock, () => registry.commit(...args)),
    publish: (...args) => mortally(clock, () => registry.publish(...args)),
    abandon: (...args) => mortally(clock, () => registry.abandon(...args)),
  };
}

function mortalIndex(index: VectorIndex, clock: Clock): VectorIndex {
  return {
    ...index,
    upsert: (...args) => mortally(clock, () => index.upsert(...args)),
    delete: (...args) => mortally(clock, () => index.delete(...args)),
  };
}

function served(registry: MemoryRegistry): unknown {
  return ["suppliers", "parts"].map((name) =>
    registry.served(name).map((row) => ({ ...row, chunks: row.chunks.length })),
  );
}

describe("a run that is killed", () => {
  it("between any two steps loses nothing, repeats nothing, and leaves nothing behind", async () => {
    for (const after of [false, true]) {
      for (let step = 0; step < 400; step++) {
        const world = bench({ tables: warehouse(30), embedder: { maxBatch: 4 } });
        const clock = { left: step, after };
        const registry = mortalRegistry(world.registry, clock);
        const embedder = {
          ...world.embedder,
          embed: (...args: Parameters<Embedder["embed"]>) =>
            mortally(clock, () => world.embedder.embed(...args)),
        };
        const killed = await world.run({}, { registry, embedder }).then(
          () => false,
          () => true,
        );
        world.registry.expireLease();
        const kept = new Set(
          world.registry.commits.flatMap((b) => b.rows.flatMap((r) => r.chunks.map((c) => c.text))),
        );
        const before = world.embedder.texts.length;
        // The table changes before the next run: one row goes, one changes, one comes.
        const rows = world.tables["parts"]?.rows ?? [];
        rows.splice(5, 1);
        rows[0] = { ...rows[0], name: "changed meanwhile" };
        rows.push({ id: 99, name: "new", supplier_id: 1, owner: "ops" });
        await world.run();
        const again = world.embedder.texts.slice(before);
        expect(again.filter((text) => kept.has(text))).toEqual([]);
        const clean = bench({ tables: structuredClone(world.tables) });
        await clean.run();
        expect(served(world.registry)).toEqual(served(clean.registry));
        if (!killed) break;
        expect(step).toBeLessThan(399);
      }
    }
  });

  it("leaves no orphan and loses no entry in an outside index", async () => {
    for (const after of [false, true]) {
      for (let step = 0; step < 400; step++) {
        const store = memoryIndex();
        const world = bench({ tables: warehouse(12), embedder: { maxBatch: 4 }, index: store });
        await world.run();
        const rows = world.tables["parts"]?.rows ?? [];
        rows.splice(2, 3);
        rows[0] = { ...rows[0], name: "changed" };
        rows.push({ id: 50, name: "new", supplier_id: 2, owner: "ops" });
        const clock = { left: step, after };
        const killed = await world
          .run(
            {},
            {
              registry: mortalRegistry(world.registry, clock),
              index: mortalIndex(store, clock),
            },
          )
          .then(
            () => false,
            () => true,
          );
        world.registry.expireLease();
        await world.run();
        const fresh = memoryIndex();
        const clean = bench({ tables: structuredClone(world.tables), index: fresh });
        await clean.run();
        const signal = new AbortController().signal;
        expect((await store.stats(signal)).entries).toBe((await fresh.stats(signal)).entries);
        expect(served(world.registry)).toEqual(served(clean.registry));
        if (!killed) break;
      }
    }
  });
});

describe("any sequence of edits and runs", () => {
  it("ends with exactly the warehouse's rows served", async () => {
    const rowOf = fc.record({
      id: fc.integer({ min: 0, max: 15 }),
      name: fc.constantFrom("a", "b", "c"),
      owner: fc.oneof(fc.constantFrom("ops", "sales"), fc.constant(null), fc.constant(["bad"])),
    });
    const state = fc.uniqueArray(rowOf, { selector: (row) => row.id, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(state, fc.integer({ min: 0, max: 30 })), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (states, ordered) => {
          const config = configOf({ parts: { title: "name", access: { allowAny: ["group:{owner}"] } } });
          const tables: Record<string, MemoryTable> = {
            parts: { columns: { id: "number", name: "string", owner: "json" }, rows: [] },
          };
          const world = bench({ config, tables, ordered, embedder: { maxBatch: 2 } });
          for (const [rows, left] of states) {
            const parts = tables["parts"];
            if (parts) parts.rows = rows;
            const registry = mortalRegistry(world.registry, { left, after: left % 2 === 0 });
            await world.run({ yes: true }, { registry }).catch(() => undefined);
            world.registry.expireLease();
          }
          const last = states.at(-1)?.[0] ?? [];
          await world.run({ yes: true });
          const expected = last
            .filter((row) => !Array.isArray(row.owner))
            .map((row) => [`parts:${row.id}`, row.name] as const);
          const found = world.registry.served("parts").map((row) => [row.row, row.title] as const);
          expect(new Map(found)).toEqual(new Map(expected));
          expect(found.length).toBe(expected.length);
        },
      ),
      { numRuns: 200 },
    );
  });
});
