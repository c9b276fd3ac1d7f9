import { describe, expect, it } from "vitest";
import { planIngest } from "../../ingest/pipeline/plan.ts";
import type { LogEvent } from "../../shared/ports/host.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { classesOf, configWith, desk, edit, MINUTE } from "../fakes/cursor-desk.ts";
import { counts, type Bench } from "../fakes/ingest-bench.ts";

/** When a table with a cursor is read whole all the same. */

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
