import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { TableConfig } from "../../shared/config.ts";
import type { LogEvent } from "../../shared/ports/host.ts";
import type { Row, Source } from "../../shared/ports/source.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { bench, configOf, counts, failure, type Bench } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";

/** Tables that a run reads by their cursor: rows that have changed whole, of all others the key. */

const T0 = Date.parse("2026-03-01T10:00:00Z");
const MINUTE = 60_000;
const stamp = (minutes: number): string => new Date(T0 + minutes * MINUTE).toISOString();

const TICKETS: Partial<TableConfig> = {
  title: "subject",
  lookups: { team_id: "teams.name" },
  access: { allowAny: ["group:{owner}"] },
  incremental: { cursor: "updated_at" },
};
const configWith = (more: Partial<TableConfig> = {}): ReturnType<typeof configOf> =>
  configOf({ teams: { title: "name" }, tickets: { ...TICKETS, ...more } });

/** Tickets 0 to `rows` - 1, each changed a minute after the one before; the clock stands an hour behind the last. */
interface Desk extends Bench {
  readonly rows: () => Row[];
  /** Milliseconds since the Unix epoch. */
  clock: number;
}

function desk(rows = 20, more: Parameters<typeof bench>[0] = {}): Desk {
  const tables: Bench["tables"] = {
    teams: { columns: { id: "number", name: "string" }, rows: [{ id: 1, name: "Docks" }] },
    tickets: {
      columns: {
        id: "number",
        subject: "string",
        team_id: "number",
        owner: "string",
        updated_at: "timestamp",
      },
      rows: Array.from({ length: rows }, (_, id): Row => ticket(id, stamp(id))),
    },
  };
  const made = bench({ tables, config: configWith(), ...more });
  const world: Desk = {
    ...made,
    clock: T0 + (rows + 60) * MINUTE,
    rows: () => tables["tickets"]?.rows ?? [],
    run: (options, deps) => made.run(options, { now: () => world.clock, ...deps }),
  };
  return world;
}

function ticket(id: number, updated: string | null, more: Row = {}): Row {
  return { id, subject: `ticket ${id}`, team_id: 1, owner: "ops", updated_at: updated, ...more };
}

function edit(world: { rows: () => Row[] }, id: number, more: Row): void {
  const rows = world.rows();
  const at = rows.findIndex((row) => row["id"] === id);
  rows[at] = { ...rows[at], ...more };
}

/** The titles that are served, by row. */
function titles({ registry }: Bench): Record<string, string> {
  return Object.fromEntries(registry.served("tickets").map(({ row, title }) => [row, title]));
}

/** Row, version and class of all that is served. */
function classesOf({ registry }: Bench): unknown {
  return registry.served("tickets").map(({ row, version, accessClass }) => [row, version, accessClass]);
}

describe("a table with a cursor", () => {
  it("is read whole the first time, then by it: rows at the mark less the overlap, and all keys", async () => {
    const world = desk();
    expect(counts(await world.run(), "tickets")).toEqual({
      read: 20,
      added: 20,
      changed: 0,
      deleted: 0,
      unchanged: 0,
      failed: 0,
    });
    edit(world, 3, { subject: "moved", updated_at: stamp(30) });
    world.rows().splice(5, 1);
    world.rows().push(ticket(20, stamp(31)));
    const report = await world.run();
    // The mark is the 19th minute; rows of the ten minutes before it are read again.
    expect(counts(report, "tickets")).toEqual({
      read: 20,
      keys: 7,
      added: 1,
      changed: 1,
      deleted: 1,
      unchanged: 18,
      failed: 0,
    });
    expect(report.embeddedTexts).toBe(2);
    expect(titles(world)).toMatchObject({ "tickets:3": "moved", "tickets:20": "ticket 20" });
    expect(Object.keys(titles(world))).toHaveLength(20);
  });

  it("finds rows of the same tick as the mark, and those that were written late within the overlap", async () => {
    const world = desk();
    await world.run();
    edit(world, 2, { subject: "same tick", updated_at: stamp(19) });
    edit(world, 4, { subject: "late", updated_at: stamp(9.5) });
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 2 });
    expect(titles(world)).toMatchObject({ "tickets:2": "same tick", "tickets:4": "late" });
  });

  it("asks for rows by their keys that are new far below the mark", async () => {
    const world = desk();
    await world.run();
    world.rows().unshift(ticket(77, "2020-01-01T00:00:00Z"));
    const report = await world.run();
    expect(counts(report, "tickets")).toMatchObject({ read: 21, keys: 9, added: 1, unchanged: 20 });
    expect(titles(world)["tickets:77"]).toBe("ticket 77");
  });

  it("is read whole in the same run when too many are", async () => {
    const world = desk();
    await world.run();
    for (let id = 100; id < 1200; id++) world.rows().push(ticket(id, "2020-01-01T00:00:00Z"));
    const report = await world.run();
    expect(counts(report, "tickets")).toEqual({
      read: 1120,
      added: 1100,
      changed: 0,
      deleted: 0,
      unchanged: 20,
      failed: 0,
    });
  });

  it("is read whole in the same run when one that it asks for does not come", async () => {
    const world = desk();
    await world.run();
    world.rows().unshift(ticket(77, "2020-01-01T00:00:00Z"));
    const source = world.deps.sourceOf("w");
    const forgetful: Source = {
      ...source,
      read: (table, options) => source.read(table, options.only ? { ...options, only: [] } : options),
    };
    const report = await world.run({}, { sourceOf: () => forgetful });
    expect(counts(report, "tickets")).toMatchObject({ read: 21, added: 1, unchanged: 20 });
    expect(counts(report, "tickets")).not.toHaveProperty("keys");
  });

  it("leaves out what it did not ask for, of a source that takes letters for equal", async () => {
    const world = desk();
    await world.run();
    world.rows().unshift(ticket(77, "2020-01-01T00:00:00Z"));
    const source = world.deps.sourceOf("w");
    const generous: Source = {
      ...source,
      read: (table, options) => source.read(table, { ...options, only: undefined }),
    };
    const report = await world.run({}, { sourceOf: () => generous });
    expect(counts(report, "tickets")).toMatchObject({
      read: 21,
      keys: 9,
      added: 1,
      unchanged: 20,
      failed: 0,
    });
  });

  it("reads rows without a cursor each time", async () => {
    const world = desk();
    world.rows().push(ticket(50, null));
    await world.run();
    edit(world, 50, { subject: "changed all the same" });
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 1 });
  });

  it("is read whole while no row has a cursor", async () => {
    const world = desk(0);
    world.rows().push(ticket(1, null), ticket(2, null));
    await world.run();
    expect(counts(await world.run(), "tickets")).not.toHaveProperty("keys");
  });

  it("is not blinded by a row that is dated in the future", async () => {
    const world = desk();
    world.rows().push(ticket(50, "2099-01-01T00:00:00Z"));
    await world.run();
    edit(world, 3, { subject: "seen", updated_at: new Date(world.clock + MINUTE).toISOString() });
    world.clock += 2 * MINUTE;
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 1, keys: 19 });
  });

  it("deletes nothing when its reading breaks off", async () => {
    const world = desk();
    await world.run();
    edit(world, 3, { subject: "moved", updated_at: stamp(30) });
    const source = world.deps.sourceOf("w");
    const broken: Source = {
      ...source,
      async *read(table, options) {
        for await (const rows of source.read(table, { ...options, batchSize: 5 })) {
          yield rows;
          if (options.since) throw new QuaysideError("source_unavailable", "gone", { retryAfterMs: 1 });
        }
      },
    };
    expect((await failure(world.run({}, { sourceOf: () => broken }))).code).toBe("source_unavailable");
    expect(Object.keys(titles(world))).toHaveLength(20);
    expect(counts(await world.run(), "tickets")).toMatchObject({ deleted: 0 });
    expect(titles(world)["tickets:3"]).toBe("moved");
  });

  it.each([true, false])(
    "holds back all rows that share a key, old and new (ordered: %s)",
    async (ordered) => {
      const world = desk(20, { ordered });
      await world.run();
      world.rows().push(ticket(3, stamp(40), { subject: "another with its key" }));
      const report = await world.run();
      expect(counts(report, "tickets")).toMatchObject({ failed: 2, deleted: 1, unchanged: 19 });
      expect(titles(world)).not.toHaveProperty("tickets:3");
    },
  );

  it("counts rows each time that were held back before, and reads on by the cursor", async () => {
    const world = desk();
    world.rows().unshift(ticket(60, "2020-01-01T00:00:00Z", { owner: ["a", "list"] }));
    world.rows().unshift({ ...ticket(0, stamp(0)), id: null });
    expect(counts(await world.run(), "tickets")).toMatchObject({ failed: 2, added: 20 });
    expect(counts(await world.run(), "tickets")).toMatchObject({ failed: 2, unchanged: 20, keys: 10 });
  });

  it("leaves out rows that were erased", async () => {
    const world = desk();
    await world.run();
    world.registry.erase("tickets:3");
    expect(counts(await world.run(), "tickets")).toMatchObject({
      read: 19,
      unchanged: 19,
      added: 0,
      deleted: 0,
    });
  });

  it("says in its plan what a run would read, and why", async () => {
    const world = desk();
    const deps = { ...world.deps, now: () => world.clock };
    const planned = async (): Promise<unknown> => {
      const { tables } = await planIngest(
        { config: configWith(), signal: new AbortController().signal },
        deps,
      );
      const { counts: c, since, why, wholeAt } = tables.find((t) => t.counts.table === "tickets") ?? {};
      return { read: c?.read, keys: c?.keys, since: since?.value, why, wholeAt };
    };
    const wholeAt = new Date(world.clock).toISOString();
    expect(await planned()).toEqual({ read: 20, why: "no_mark" });
    await world.run();
    expect(await planned()).toEqual({ read: 20, keys: 9, since: stamp(9), wholeAt });
    world.clock += 25 * 60 * MINUTE;
    expect(await planned()).toEqual({ read: 20, why: "due", wholeAt });
  });

  it("refuses a column that has no order", async () => {
    const world = desk();
    const table = world.tables["tickets"];
    if (table) table.columns = { ...table.columns, updated_at: "json" };
    const error = await failure(world.run());
    expect(error.code).toBe("config_invalid");
    expect(error.message).toContain("tables.tickets.incremental.cursor");
  });

  it("refuses a source that can't be read by a cursor", async () => {
    const world = desk();
    const source = Object.create(world.deps.sourceOf("w"), { highest: { value: undefined } });
    expect((await failure(world.run({}, { sourceOf: () => source }))).code).toBe("config_invalid");
  });

  it("stops when the column is gone, and names the setting", async () => {
    const world = desk();
    await world.run();
    const table = world.tables["tickets"];
    if (table) table.columns = { id: "number", subject: "string", team_id: "number", owner: "string" };
    const error = await failure(world.run());
    expect(error.code).toBe("schema_drift");
    expect(error.message).toContain("tickets.updated_at: named by incremental.cursor");
  });
});

describe("a table with a cursor is read whole", () => {
  it.each<[string, Parameters<Bench["run"]>[0], Parameters<Bench["run"]>[1]]>([
    ["for --full", { full: true }, {}],
    ["for --read-all", { readAll: true }, {}],
    ["by other code", {}, { code: "newer" }],
    ["where the code is not known", {}, { code: undefined }],
    ["into another space", {}, { indexKind: "other" }],
    ["under another access rule", { config: configWith({ access: { allowAny: ["group:staff"] } }) }, {}],
    ["with another column as its cursor", { config: configWith({ incremental: { cursor: "id" } }) }, {}],
    ["with another title", { config: configWith({ title: "owner" }) }, {}],
  ])("%s", async (_, options, deps) => {
    const world = desk();
    await world.run();
    expect(counts(await world.run(options, deps), "tickets")).not.toHaveProperty("keys");
  });

  it("when the masks' key is another", async () => {
    const config = configWith({ columns: { owner: { mask: "hash" } } });
    const world = desk(20, { config });
    await world.run();
    const report = await world.run({}, { maskKey: "another" });
    expect(counts(report, "tickets")).toEqual(
      expect.objectContaining({ read: 20, changed: 20, unchanged: 0 }),
    );
  });

  it("when a name that it looks up has changed, which moves no cursor", async () => {
    const world = desk();
    await world.run();
    const teams = world.tables["teams"]?.rows;
    if (teams) teams[0] = { id: 1, name: "Quays" };
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 20 });
    expect(counts(await world.run(), "tickets")).toMatchObject({ keys: 9 });
  });

  it("when a column that nothing names is gone", async () => {
    const world = desk();
    await world.run({ config: configWith({ lookups: {} }) });
    const table = world.tables["tickets"];
    if (table) {
      table.columns = { id: "number", subject: "string", owner: "string", updated_at: "timestamp" };
    }
    const report = await world.run({ config: configWith({ lookups: {} }) });
    expect(counts(report, "tickets")).toMatchObject({ changed: 20 });
  });

  it("when the cursor's type is another, even of a column that is left out", async () => {
    const config = configWith({ columns: { updated_at: { exclude: true } } });
    const world = desk(20, { config });
    await world.run();
    expect(counts(await world.run(), "tickets")).toHaveProperty("keys");
    const table = world.tables["tickets"];
    if (table) table.columns = { ...table.columns, updated_at: "string" };
    expect(counts(await world.run(), "tickets")).not.toHaveProperty("keys");
  });

  it("once fullEvery is over, and finds what moved no cursor", async () => {
    const config = configWith({ incremental: { cursor: "updated_at", fullEvery: "6h" } });
    const world = desk(20, { config });
    await world.run();
    edit(world, 3, { subject: "silent" });
    world.clock += 5 * 60 * MINUTE;
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 0 });
    world.clock += 60 * MINUTE;
    const logged: LogEvent[] = [];
    const report = await world.run({}, { log: (event) => void logged.push(event) });
    expect(counts(report, "tickets")).toMatchObject({ changed: 1 });
    expect(logged).toEqual([{ level: "info", event: "table-read-whole", table: "tickets", why: "due" }]);
    expect(counts(await world.run(), "tickets")).toHaveProperty("keys");
  });

  it.each([
    ["before it", false],
    ["after it had looked, and before it had its lease", true],
  ])("when a run under other rules was killed %s: nothing that it staged is published", async (_, late) => {
    const world = desk();
    await world.run();
    const before = classesOf(world);
    const intrude = async (): Promise<void> => {
      const killed = { value: () => Promise.reject(new QuaysideError("internal", "killed")) };
      const registry: Bench["registry"] = Object.create(world.registry, { publish: killed, abandon: killed });
      const config = configWith({ access: { allowAny: ["public"] } });
      await world.run({ config }, { registry }).catch(() => undefined);
      world.registry.expireLease();
    };
    if (!late) await intrude();
    const registry: Bench["registry"] = Object.create(world.registry, {
      begin: {
        value: async (...args: Parameters<Bench["registry"]["begin"]>) => {
          if (late) await intrude();
          return world.registry.begin(...args);
        },
      },
    });
    expect(counts(await world.run({}, { registry }), "tickets")).not.toHaveProperty("keys");
    expect(classesOf(world)).toEqual(before);
  });

  it("while its source says that nothing has changed it is not read at all, and the whole reading stays due", async () => {
    const world = desk(20, { revisions: true });
    const day = 25 * 60 * MINUTE;
    await world.run();
    expect(counts(await world.run(), "tickets")).toMatchObject({ skipped: true });
    // What was read whole is the whole, however long nothing changes.
    world.clock += day;
    expect(counts(await world.run(), "tickets")).toMatchObject({ skipped: true });
    await world.run({ readAll: true });
    edit(world, 3, { subject: "silent" });
    expect(counts(await world.run(), "tickets")).toMatchObject({ keys: 9 });
    expect(counts(await world.run(), "tickets")).toMatchObject({ skipped: true, unchanged: 20 });
    // What was read by the cursor alone does not pass for the whole.
    world.clock += day;
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 1 });
    world.clock += day;
    expect(counts(await world.run(), "tickets")).toMatchObject({ skipped: true });
  });

  it("that was read by its cursor is not skipped under another clock, or once it has no cursor", async () => {
    const world = desk(20, { revisions: true });
    await world.run();
    edit(world, 3, { subject: "silent" });
    expect(counts(await world.run(), "tickets")).toMatchObject({ keys: 9 });
    const config = configWith({ incremental: undefined });
    const asked = await planIngest({ config, signal: new AbortController().signal }, world.deps);
    expect(asked.tables.find(({ counts: { table } }) => table === "tickets")?.counts).toMatchObject({
      changed: 1,
    });
    world.clock -= 5 * 60 * MINUTE;
    expect(counts(await world.run(), "tickets")).toMatchObject({ changed: 1 });
  });
});

describe("access by a cursor", () => {
  it("follows a row whose owner has changed", async () => {
    const world = desk();
    await world.run();
    edit(world, 3, { owner: "board", updated_at: stamp(30) });
    await world.run();
    const served = world.registry.served("tickets").find(({ row }) => row === "tickets:3");
    expect(world.registry.classes.get(served?.accessClass ?? "")?.label.allowAny).toEqual([["group:board"]]);
  });

  it("asks for masked keys as they are", async () => {
    const world = desk(20, { config: configWith({ columns: { id: { mask: "hash" } } }) });
    await world.run();
    world.rows().unshift(ticket(77, "2020-01-01T00:00:00Z"));
    expect(counts(await world.run(), "tickets")).toMatchObject({ added: 1, unchanged: 20 });
  });
});

describe("an outside index", () => {
  it("is left with what is served, by the cursor as well", async () => {
    const index = memoryIndex();
    const world = desk(20, { index });
    await world.run();
    edit(world, 3, { subject: "moved", updated_at: stamp(30) });
    world.rows().splice(5, 1);
    world.rows().unshift(ticket(77, "2020-01-01T00:00:00Z"));
    expect(counts(await world.run(), "tickets")).toMatchObject({ added: 1, changed: 1, deleted: 1 });
    expect((await index.stats(new AbortController().signal)).entries).toBe(21);
  });
});
