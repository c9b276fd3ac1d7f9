import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runSlice } from "../../ingest/pipeline/run.ts";
import type { Checkpoint } from "../../ingest/pipeline/checkpoint.ts";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { TableCounts } from "../../shared/ports/registry.ts";
import type { Row, Source } from "../../shared/ports/source.ts";
import { cursorTables } from "../fakes/cursor-desk.ts";
import { bench, configOf, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";

/** Whatever happens to a table and to runs of it, reading by its cursor serves what a fresh ingest would. */

const T0 = Date.parse("2026-03-01T10:00:00Z");
const SECOND = 1000;
const OVERLAP = 60;

const config = configOf(
  {
    teams: { title: "name" },
    tickets: {
      title: "subject",
      lookups: { team_id: "teams.name" },
      access: { allowAny: ["group:{owner}"] },
      incremental: { cursor: "updated_at", overlap: OVERLAP, fullEvery: "1h" },
    },
  },
  { deleteShare: 1 },
);

/** Row and view -> version and class. */
function served({ registry }: Bench): Map<string, string> {
  return new Map(
    registry
      .served("tickets")
      .map(({ row, view, version, accessClass }) => [`${row} ${view}`, `${version} ${accessClass}`]),
  );
}

/** What an ingest from nothing serves of the same tables. */
async function fresh(tables: Bench["tables"]): Promise<Map<string, string>> {
  const other = bench({ tables: structuredClone(tables), config });
  await other.run({ yes: true });
  return served(other);
}

type Step =
  | { readonly kind: "insert" | "touch"; readonly id: number; readonly ago: number }
  | { readonly kind: "silent" | "delete" | "owner"; readonly id: number }
  | { readonly kind: "team" | "pass" }
  | { readonly kind: "run"; readonly killAt: number | undefined; readonly pauses: boolean }
  | { readonly kind: "broken"; readonly after: number };

const id = fc.integer({ min: 0, max: 40 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("insert" as const), id, ago: fc.nat(200) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("touch" as const), id, ago: fc.nat(OVERLAP) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("silent", "delete", "owner"), id }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("team", "pass") }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("run" as const),
        killAt: fc.option(fc.nat(6), { nil: undefined }),
        pauses: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("broken" as const), after: fc.nat(3) }) },
  ),
  { minLength: 5, maxLength: 25 },
);

/** A world in which the steps happen one after the other. */
interface World {
  readonly bench: Bench;
  /** Milliseconds since the Unix epoch. */
  clock: number;
  step(step: Step): Promise<void>;
  /** @param killAt the commit before which it dies; a publication counts as one. */
  run(killAt: number | undefined, pauses: boolean): Promise<void>;
}

function makeWorld(ordered: boolean, outside: boolean): World {
  const rows: Row[] = [];
  const tables = cursorTables(rows);
  const index = outside ? { index: memoryIndex() } : {};
  const shop = bench({ tables, config, ordered, ...index });
  /** Rows whose cells changed without their cursor since the table was last read whole. */
  const silent = new Set<number>();

  const check = async (whole: boolean): Promise<void> => {
    if (whole) silent.clear();
    const [now, right] = [served(shop), await fresh(tables)];
    expect([...now.keys()].sort()).toEqual([...right.keys()].sort());
    for (const [key, version] of right) {
      const row = Number(/:(\d+)/.exec(key)?.[1]);
      if (!silent.has(row)) expect([key, now.get(key)]).toEqual([key, version]);
    }
  };

  /** A source that is lost in the middle: nothing is published. */
  const broken = async (after: number): Promise<void> => {
    const source = shop.deps.sourceOf("w");
    const lost: Source = {
      ...source,
      async *read(table, options) {
        let batches = 0;
        for await (const part of source.read(table, { ...options, batchSize: 5 })) {
          if (++batches > after) throw new QuaysideError("source_unavailable", "lost", { retryAfterMs: 1 });
          yield part;
        }
      },
    };
    const before = served(shop);
    const deps = { sourceOf: () => lost, now: () => world.clock };
    const done = await shop.run({ yes: true }, deps).catch(() => undefined);
    if (done) return check(isWhole(done.tables));
    expect(served(shop)).toEqual(before);
  };

  const rowOf = (n: number, ago: number): Row => {
    const updated_at = new Date(world.clock - ago * SECOND).toISOString();
    return { id: n, subject: `ticket ${n} at ${world.clock}`, team_id: 1, owner: "ops", updated_at };
  };

  const edit = (step: Extract<Step, { readonly id: number }>): void => {
    const at = rows.findIndex((row) => row["id"] === step.id);
    const old = rows[at];
    if (step.kind === "insert" && !old) {
      rows.push(rowOf(step.id, step.ago));
      // Another row under a key that is still served, and dated back: no more than a cell that changed without its cursor.
      if (step.ago > OVERLAP && served(shop).has(`tickets:${step.id} all`)) silent.add(step.id);
    }
    if (!old) return;
    if (step.kind === "delete") {
      rows.splice(at, 1);
      silent.delete(step.id);
    }
    if (step.kind === "owner") {
      rows[at] = { ...old, owner: `owner ${world.clock}`, updated_at: new Date(world.clock).toISOString() };
      silent.delete(step.id);
    }
    if (step.kind === "touch") {
      rows[at] = { ...rowOf(step.id, step.ago), owner: old["owner"] ?? null };
      silent.delete(step.id);
    }
    if (step.kind === "silent") {
      rows[at] = { ...old, subject: `silent at ${world.clock}` };
      silent.add(step.id);
    }
  };

  const world: World = {
    bench: shop,
    clock: T0,
    async step(step) {
      world.clock += SECOND;
      if (step.kind === "run") return world.run(step.killAt, step.pauses);
      if (step.kind === "broken") return broken(step.after);
      if (step.kind === "pass") world.clock += 20 * 60 * SECOND;
      else if (step.kind === "team")
        tables["teams"]?.rows.splice(0, 1, { id: 1, name: `Docks ${world.clock}` });
      else if ("id" in step) edit(step);
    },

    async run(killAt, pauses) {
      let left = killAt ?? Infinity;
      const registry = mortal(shop.registry, () => left-- > 0);
      const deps = { ...shop.deps, registry, now: () => world.clock };
      const options = { config, trigger: "cli", yes: true, signal: new AbortController().signal } as const;
      let resume: Checkpoint | undefined;
      try {
        for (let slice = 0; ; slice++) {
          const ended = await runSlice({ ...options, slice, resume, pause: () => pauses }, deps);
          // What is kept between two slices is what can be written down.
          resume = ended.paused && structuredClone(ended.paused);
          if (ended.report) return await check(isWhole(ended.report.tables));
        }
      } catch (error) {
        if (left > 0) throw error;
        shop.registry.expireLease();
      }
    },
  };
  for (let n = 0; n < 20; n++) rows.push(rowOf(n, n * 20));
  return world;
}

function isWhole(tables: readonly TableCounts[]): boolean {
  return tables.some(({ table, keys, skipped }) => table === "tickets" && keys === undefined && !skipped);
}

function killed(): Promise<never> {
  return Promise.reject(new QuaysideError("internal", "killed"));
}

/** A registry that its caller dies before, once it lives no longer; the dead give no lease back. */
function mortal(registry: Bench["registry"], lives: () => boolean): Bench["registry"] {
  const made: Bench["registry"] = Object.create(registry, {
    commit: {
      value: (...args: Parameters<Bench["registry"]["commit"]>) =>
        lives() ? registry.commit(...args) : killed(),
    },
    publish: {
      value: (...args: Parameters<Bench["registry"]["publish"]>) =>
        lives() ? registry.publish(...args) : killed(),
    },
    abandon: { value: killed },
  });
  return made;
}

describe("reading by a cursor, whatever happens", () => {
  it("serves what a fresh ingest would, but for cells that changed without their cursor", async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), fc.boolean(), async (all, ordered, outside) => {
        const world = makeWorld(ordered, outside);
        await world.run(undefined, false);
        for (const step of all) await world.step(step);
        await world.run(undefined, true);
        world.clock += 2 * 3600 * SECOND;
        await world.run(undefined, false);
        expect(served(world.bench)).toEqual(await fresh(world.bench.tables));
      }),
      { numRuns: Number(process.env["INCREMENTAL_RUNS"] ?? 30) },
    );
  });

  it("loses and doubles none of 10,000 rows with one cursor value, stopped anywhere", async () => {
    const at = "2026-03-01T09:59:59.000Z";
    const rows = Array.from({ length: 10_000 }, (_, n): Row => ({
      id: n,
      subject: `ticket ${n}`,
      team_id: 1,
      owner: "ops",
      updated_at: at,
    }));
    const slim: Config = configOf({
      tickets: { title: "subject", incremental: { cursor: "updated_at", overlap: 0 } },
    });
    const tables = cursorTables(rows);
    const world = bench({ tables, config: slim, ordered: false });
    const kill = async (commits: number): Promise<void> => {
      let left = commits;
      const registry = mortal(world.registry, () => left-- > 0);
      await world.run({}, { registry }).catch(() => undefined);
      world.registry.expireLease();
    };
    for (const commits of [2, 7]) await kill(commits);
    const ids = (): Set<string> => new Set(world.registry.served("tickets").map(({ row }) => row));
    await world.run();
    expect([world.registry.served("tickets").length, ids().size]).toEqual([10_000, 10_000]);
    // Updated between two readings, in the tick of the mark itself; one comes and one goes.
    for (let n = 0; n < 10_000; n += 100) rows[n] = { ...rows[n], subject: `again ${n}` };
    rows.splice(1, 1);
    rows.push({ id: 10_000, subject: "new", team_id: 1, owner: "ops", updated_at: at });
    const { tables: told } = await world.run();
    expect(told).toMatchObject([{ keys: 0, added: 1, changed: 100, deleted: 1, unchanged: 9899 }]);
    const titles = world.registry.served("tickets").filter(({ title }) => title.startsWith("again"));
    expect([titles.length, ids().size]).toEqual([100, 10_000]);
  });
});
