import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { Source } from "../../shared/ports/source.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { configWith, desk, edit, MINUTE, stamp, ticket, titles } from "../fakes/cursor-desk.ts";
import { counts, failure } from "../fakes/ingest-bench.ts";
import { memoryIndex } from "../fakes/memory-index.ts";

/** Tables that a run reads by their cursor: rows that have changed whole, of all others the key. */

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
