import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { batch, openShard, OPEN, published, question, row, run, SECRET, vectorOf } from "./shard-fixture.ts";

describe("staging and publishing", () => {
  it("shows nothing of a batch before it is published", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "the engine overheated" })]));
    expect(await shard.find("engine")).toEqual([]);
    await shard.api.publish(run(1), [published({ added: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:1"]);
  });

  it("reports the generation, the rows and the classes that it serves", async () => {
    const shard = openShard();
    await shard.api.stage(
      run(4),
      batch(0, [
        await row({ id: "1", text: "a" }),
        await row({ id: "1", text: "a", view: "narrow", cells: [{ column: "id", value: "1" }] }),
        await row({ id: "2", text: "b" }),
      ]),
    );
    expect(await shard.api.publish(run(4), [published({ added: 2 })], 9)).toEqual({
      generation: 4,
      changed: true,
      rows: [{ table: "notes", asOf: "2026-11-01T00:00:00Z", rows: 2, classes: [OPEN.id] }],
    });
  });

  it("says the same again, and that nothing changed, when a publish is repeated", async () => {
    const shard = openShard();
    await shard.publish(3, [await row({ id: "1", text: "engine" })]);
    expect(await shard.api.publish(run(3), [published({ added: 1 })], 3)).toEqual({
      generation: 3,
      changed: false,
      rows: [{ table: "notes", asOf: "2026-11-01T00:00:00Z", rows: 1, classes: [OPEN.id] }],
    });
  });

  it("moves only the as-of time when nothing was staged", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    const again = await shard.api.publish(run(2), [published({ unchanged: 1 }, "2026-11-02T00:00:00Z")], 1);
    expect(again).toMatchObject({ generation: 1, changed: false });
    const { evidence } = await shard.api.query(await question("engine"));
    expect(evidence[0]?.asOf).toBe("2026-11-02T00:00:00Z");
  });

  it("serves the old version until the new one is published, then only the new one", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "pump replaced" })]);
    await shard.api.stage(run(2), batch(0, [await row({ id: "1", text: "turbine replaced" })]));
    const before = await shard.api.query(await question("replaced"));
    expect(before.evidence.map((hit) => hit.text)).toEqual(["pump replaced"]);
    await shard.api.publish(run(2), [published({ changed: 1 })], 1);
    const after = await shard.api.query(await question("replaced"));
    expect(after.evidence.map((hit) => hit.text)).toEqual(["turbine replaced"]);
  });

  it("keeps a version one generation after it ended, then deletes it", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "first" })]);
    await shard.publish(2, [await row({ id: "1", text: "second" })], { changed: 1 });
    expect(await shard.api.stats()).toMatchObject({ rows: 2, chunks: 2, vectors: 2 });
    await shard.publish(3, [await row({ id: "1", text: "third" })], { changed: 1 });
    expect(await shard.api.stats()).toMatchObject({ rows: 2, chunks: 2, vectors: 2 });
  });

  it("hides a row that is gone at publish, not before", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" }), await row({ id: "2", text: "engine" })]);
    await shard.api.stage(run(2), batch(0, [], [{ row: "notes:1", view: "all" }]));
    expect(await shard.find("engine")).toEqual(["notes:1", "notes:2"]);
    await shard.api.publish(run(2), [published({ unchanged: 1, deleted: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:2"]);
  });

  it("takes a batch once, however often it is sent", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    expect(await shard.api.stats()).toMatchObject({ rows: 1, chunks: 1, vectors: 1 });
  });

  it("replaces a row that was staged already", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "pump" })]));
    await shard.api.stage(run(1), batch(1, [await row({ id: "1", text: "turbine" })]));
    await shard.api.publish(run(1), [published({ added: 1 })], 1);
    expect(await shard.find("pump turbine")).toEqual(["notes:1"]);
    expect(await shard.api.stats()).toMatchObject({ rows: 1, chunks: 1 });
  });

  it("leaves staged work of a table that is not published staged", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.stage(run(1), batch(1, [await row({ id: "1", text: "engine", table: "other" })]));
    await shard.api.publish(run(1), [published({ added: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:1"]);
    expect(await shard.api.known("other", undefined, 10)).toHaveLength(1);
    await shard.api.publish(run(2), [published({ unchanged: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:1"]);
    await shard.api.publish(run(3), [published({ table: "other", unchanged: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:1", "other:1"]);
  });

  it("refuses a batch that comes after its run was published", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    const late = batch(7, [await row({ id: "2", text: "engine" })]);
    await expect(shard.api.stage(run(1), late)).rejects.toMatchObject({ code: "run_fenced" });
    expect(await shard.find("engine")).toEqual(["notes:1"]);
  });

  it("leaves staged work staged when a generation is rolled back", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    await shard.publish(2, [await row({ id: "2", text: "engine" })], { added: 1, unchanged: 1 });
    await shard.api.stage(run(3), batch(0, [await row({ id: "3", text: "engine" })]));
    await shard.api.rollBack(run(4), 1, 1);
    expect(await shard.find("engine")).toEqual(["notes:1"]);
    expect(await shard.api.known("notes", undefined, 10)).toHaveLength(2);
  });

  it("tells no basis of what a rollback has brought back", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.publish(run(1), [{ ...published({ added: 1 }), basis: "b1" }], 1);
    await shard.api.stage(run(2), batch(0, [await row({ id: "2", text: "engine" })]));
    await shard.api.publish(run(2), [{ ...published({ added: 1, unchanged: 1 }), basis: "b2" }], 1);
    expect(await shard.api.bases()).toEqual([["notes", { basis: "b2", rows: 2, chunks: 2 }]]);
    await shard.api.rollBack(run(3), 1, 1);
    expect(await shard.api.bases()).toEqual([]);
  });

  it("tells no cursor of what a rollback has brought back", async () => {
    const shard = openShard();
    const cursor = { mark: "7", wholeAt: "2026-03-01T09:00:00.000Z", made: "m1" };
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.publish(run(1), [{ ...published({ added: 1 }), cursor }], 1);
    await shard.api.stage(run(2), batch(0, [await row({ id: "2", text: "engine" })]));
    await shard.api.publish(run(2), [{ ...published({ added: 1, unchanged: 1 }), cursor }], 1);
    expect(await shard.api.bases()).toEqual([["notes", { cursor, rows: 2, chunks: 2 }]]);
    await shard.api.rollBack(run(3), 1, 1);
    expect(await shard.api.bases()).toEqual([]);
  });

  it.each([
    ["2026-03-01T10:00:00.123Z", 1],
    ["-12.5e3", 1],
    ["Imogen", 0],
  ])("keeps the mark %s when a row is erased, unless it may be a text of the row", async (mark, kept) => {
    const shard = openShard();
    const cursor = { mark, wholeAt: "2026-03-01T09:00:00.000Z", made: "m1" };
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.publish(run(1), [{ ...published({ added: 1 }), cursor }], 1);
    await shard.api.erase("notes:1", 2);
    expect(await shard.api.bases()).toHaveLength(kept);
  });

  it("counts without erased rows what it tells of a basis", async () => {
    const shard = openShard();
    const rows = [await row({ id: "1", text: "engine" }), await row({ id: "2", text: "pump" })];
    await shard.api.stage(run(1), batch(0, rows));
    await shard.api.publish(run(1), [{ ...published({ added: 2 }), basis: "b1" }], 1);
    await shard.api.erase("notes:2", 2);
    expect(await shard.api.bases()).toEqual([["notes", { basis: "b1", rows: 1, chunks: 1 }]]);
  });

  it("of an earlier version has no basis of any table, and takes one", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    await runInDurableObject(shard.stub, (object, state) => {
      state.storage.sql.exec("ALTER TABLE tbl DROP COLUMN basis");
      state.storage.sql.exec(`UPDATE tbl SET served = '{"rows":1,"classes":["${OPEN.id}"]}'`);
      Reflect.construct(object.constructor, [state, env]);
    });
    expect(await shard.api.bases()).toEqual([]);
    await shard.api.publish(run(2), [{ ...published({ unchanged: 1 }), basis: "b1" }], 1);
    expect(await shard.api.bases()).toEqual([["notes", { basis: "b1", rows: 1, chunks: 1 }]]);
  });

  it("counts anew what a table serves after each change of it", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" }), await row({ id: "2", text: "pump" })]);
    const secret = await row({ id: "2", text: "pump", version: "w", accessClass: SECRET.id });
    await shard.api.stage(run(2), batch(0, [secret]));
    const changed = await shard.api.publish(run(2), [published({ changed: 1, unchanged: 1 })], 1);
    expect(changed.rows).toMatchObject([{ rows: 2, classes: [OPEN.id, SECRET.id] }]);
    await shard.api.erase("notes:2", 2);
    const erased = await shard.api.publish(run(3), [published({ unchanged: 1 })], 2);
    expect(erased.rows).toMatchObject([{ rows: 1, classes: [OPEN.id] }]);
  });

  it("keeps the time at which a version was first seen when it is staged again", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    const first = (await shard.api.query(await question("engine"))).evidence[0]?.changedAt;
    await shard.publish(2, [await row({ id: "1", text: "engine" })], { changed: 1 });
    expect((await shard.api.query(await question("engine"))).evidence[0]?.changedAt).toBe(first);
  });
});

describe("known rows", () => {
  it("are what will be served once everything staged is published", async () => {
    const shard = openShard();
    await shard.publish(1, [
      await row({ id: "1", text: "kept", version: "k" }),
      await row({ id: "2", text: "old", version: "o" }),
      await row({ id: "3", text: "leaving", version: "l" }),
    ]);
    const replacement = await row({ id: "2", text: ["new", "longer"], version: "n" });
    await shard.api.stage(run(2), batch(0, [replacement], [{ row: "notes:3", view: "all" }]));
    expect(await shard.api.known("notes", undefined, 10)).toEqual([
      { row: "notes:1", view: "all", version: "k", chunks: 1 },
      { row: "notes:2", view: "all", version: "n", chunks: 2 },
      { row: "notes:3", view: "all", version: "", chunks: 1 },
    ]);
  });

  it("come in pages after the last one", async () => {
    const shard = openShard();
    await shard.publish(
      1,
      [
        await row({ id: "1", text: "a", view: "narrow" }),
        await row({ id: "1", text: "a", view: "wide" }),
        await row({ id: "2", text: "b", view: "wide" }),
      ],
      { added: 2 },
    );
    const page = await shard.api.known("notes", { row: "notes:1", view: "narrow" }, 1);
    expect(page.map((known) => [known.row, known.view])).toEqual([["notes:1", "wide"]]);
    const rest = await shard.api.known("notes", { row: "notes:1", view: "wide" }, 10);
    expect(rest.map((known) => known.row)).toEqual(["notes:2"]);
  });

  it("do not mix tables whose names begin alike", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "a", table: "notes" })]));
    await shard.api.stage(run(1), batch(1, [await row({ id: "1", text: "a", table: "notes_old" })]));
    expect((await shard.api.known("notes", undefined, 10)).map((known) => known.row)).toEqual(["notes:1"]);
  });
});

describe("a killed run", () => {
  it("leaves its staged work to the next run, which need not send it again", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine", version: "x" })]));
    // Run 1 dies here. Run 2 is told of its work and stages only the rest.
    expect(await shard.api.known("notes", undefined, 10)).toMatchObject([{ row: "notes:1", version: "x" }]);
    await shard.api.stage(run(2), batch(0, [await row({ id: "2", text: "engine" })]));
    await shard.api.publish(run(2), [published({ added: 1, unchanged: 1 })], 1);
    expect(await shard.find("engine")).toEqual(["notes:1", "notes:2"]);
  });

  it("is refused once a later run has written", async () => {
    const shard = openShard();
    await shard.api.stage(run(2), batch(0, [await row({ id: "1", text: "engine" })]));
    await expect(shard.api.stage(run(1), batch(0, []))).rejects.toMatchObject({ code: "run_fenced" });
    await expect(shard.api.publish(run(1), [published()], 1)).rejects.toMatchObject({ code: "run_fenced" });
  });

  it("whose row has vanished meanwhile publishes no trace of it", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await shard.api.stage(run(2), batch(0, [], [{ row: "notes:1", view: "all" }]));
    await shard.api.publish(run(2), [published({ read: 0 })], 1);
    expect(await shard.find("engine")).toEqual([]);
    expect(await shard.api.stats()).toMatchObject({ rows: 0, chunks: 0 });
  });
});

describe("the shard's own counts", () => {
  it("stop a publish when rows that were read never arrived", async () => {
    const shard = openShard();
    await shard.api.stage(run(1), batch(0, [await row({ id: "1", text: "engine" })]));
    await expect(shard.api.publish(run(1), [published({ added: 2 })], 1)).rejects.toMatchObject({
      code: "guard_stopped",
    });
    expect(await shard.find("engine")).toEqual([]);
  });

  it("stop a publish when a changed row never arrived", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    await expect(shard.api.publish(run(2), [published({ changed: 1 })], 1)).rejects.toMatchObject({
      code: "guard_stopped",
    });
    expect(await shard.find("engine")).toEqual(["notes:1"]);
  });

  it("stop a publish when a deletion never arrived", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" }), await row({ id: "2", text: "engine" })]);
    await expect(
      shard.api.publish(run(2), [published({ unchanged: 1, deleted: 1 })], 1),
    ).rejects.toMatchObject({ code: "guard_stopped" });
  });

  it("allow a row that was held back and is still served in its older version", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    const again = await shard.api.publish(run(2), [published({ failed: 1 })], 1);
    expect(again.generation).toBe(1);
  });

  it("allow a row that was erased while the run was reading", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" }), await row({ id: "2", text: "engine" })]);
    await shard.api.erase("notes:1", 2);
    const again = await shard.api.publish(run(2), [published({ unchanged: 2 })], 2);
    expect(again.rows[0]?.rows).toBe(1);
  });
});

describe("what can't be stored", () => {
  it("is a vector of another width than the space's", async () => {
    const shard = openShard();
    await shard.publish(1, [await row({ id: "1", text: "engine" })]);
    const other = await row({ id: "2", text: "engine" });
    const chunks = other.chunks.map((chunk) => ({ ...chunk, vector: new Float32Array(16) }));
    await expect(shard.api.stage(run(2), batch(0, [{ ...other, chunks }]))).rejects.toMatchObject({
      code: "index_embedder_mismatch",
    });
    await expect(
      shard.api.query(await question("engine", { vector: new Float32Array(16) })),
    ).rejects.toMatchObject({ code: "index_embedder_mismatch" });
  });

  it("is a vector with a number that is not finite", async () => {
    const shard = openShard();
    const vector = await vectorOf("engine");
    vector[3] = Number.NaN;
    const bad = await row({ id: "1", text: "engine" });
    const chunks = bad.chunks.map((chunk) => ({ ...chunk, vector }));
    await expect(shard.api.stage(run(1), batch(0, [{ ...bad, chunks }]))).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("is a row with a class that no batch has sent", async () => {
    const shard = openShard();
    const bad = await row({ id: "1", text: "engine", accessClass: "unheard-of" });
    await expect(shard.api.stage(run(1), batch(0, [bad]))).rejects.toMatchObject({ code: "invalid_request" });
    expect(await shard.api.stats()).toMatchObject({ rows: 0 });
  });

  it("is a batch with two rows of one key, or with a row of another table", async () => {
    const shard = openShard();
    const one = await row({ id: "1", text: "engine" });
    await expect(shard.api.stage(run(1), batch(0, [one, one]))).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(shard.api.stage(run(1), { ...batch(0, [one]), table: "other" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("is a row over the deployed limit of 2 MB, which local development would take", async () => {
    const shard = openShard();
    const wide = await row({ id: "1", text: "x", cells: [{ column: "text", value: "é".repeat(1_000_000) }] });
    await expect(shard.api.stage(run(1), batch(0, [wide]))).rejects.toMatchObject({ code: "input_too_long" });
    const long = await row({ id: "1", text: "y ".repeat(1_000_000), vectorless: true });
    await expect(shard.api.stage(run(1), batch(0, [long]))).rejects.toMatchObject({ code: "input_too_long" });
  });
});
