import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import type { StagedRow } from "../../shared/ports/registry.ts";
import { blockCapacity } from "../../workers/index/blocks.ts";
import { MAX_BLOCK_BYTES } from "../../workers/index/schema.ts";
import {
  batch,
  embedder,
  OPEN,
  openShard,
  PUBLIC_ONLY,
  published,
  question,
  row,
  run,
  SECRET,
  type RowInput,
  filled,
} from "./shard-fixture.ts";

describe("the re-check of ids from outside", () => {
  it("confirms stored ids in their order, with their scores, and drops the rest", async () => {
    const shard = await filled(
      { id: "1", text: ["first", "second"] },
      { id: "2", text: "other" },
      { id: "3", text: "hidden", accessClass: SECRET.id },
    );
    const hits = [
      { id: await storedId("notes:2", "all", 0), score: 0.9 },
      { id: await storedId("notes:3", "all", 0), score: 0.8 },
      { id: await storedId("notes:1", "all", 1), score: 0.7 },
      { id: await storedId("notes:9", "all", 0), score: 0.6 },
      { id: await storedId("notes:1", "all", 7), score: 0.5 },
      { id: "'; DROP TABLE rec; --", score: 0.4 },
    ];
    const { evidence } = await shard.api.recheck(hits, PUBLIC_ONLY);
    expect(evidence.map((hit) => [hit.id, hit.text, hit.score])).toEqual([
      ["notes:2#0", "other", 0.9],
      ["notes:1#1", "second", 0.7],
    ]);
  });

  it("takes document ids of chunks and of rows as well", async () => {
    const shard = await filled({ id: "1", text: ["first", "second"] });
    const { evidence } = await shard.api.recheck(
      [
        { id: "notes:1#1", score: 1 },
        { id: "notes:1", score: 1 },
      ],
      PUBLIC_ONLY,
    );
    expect(evidence.map((hit) => hit.id)).toEqual(["notes:1#1", "notes:1#0"]);
  });

  it("narrows to tables", async () => {
    const shard = await filled({ id: "1", text: "first" });
    const hits = [{ id: "notes:1", score: 1 }];
    expect((await shard.api.recheck(hits, { ...PUBLIC_ONLY, tables: ["other"] })).evidence).toEqual([]);
  });
});

async function outside(input: RowInput): Promise<StagedRow> {
  const made = await row(input);
  const chunks = made.chunks.map(({ n, text }) => ({ n, text, lexical: undefined, vector: undefined }));
  return { ...made, chunks };
}

describe("rows whose chunks are searched outside", () => {
  it("are confirmed with their text, and found by no search here", async () => {
    const shard = openShard();
    await shard.publish(1, [await outside({ id: "1", text: ["first", "second"] })]);
    const hits = [
      { id: await storedId("notes:1", "all", 1), score: 0.9 },
      { id: await storedId("notes:1", "all", 2), score: 0.8 },
    ];
    const { evidence } = await shard.api.recheck(hits, PUBLIC_ONLY);
    expect(evidence.map((hit) => [hit.id, hit.text])).toEqual([["notes:1#1", "second"]]);
    expect(await shard.find("second")).toEqual([]);
  });

  it("end when they are replaced, and leave nothing when they are erased", async () => {
    const shard = openShard();
    await shard.publish(1, [await outside({ id: "1", text: ["first", "second"] })]);
    await shard.publish(2, [await outside({ id: "1", text: "third" })], { changed: 1 });
    const { evidence } = await shard.api.recheck([{ id: "notes:1", score: 1 }], PUBLIC_ONLY);
    expect(evidence.map((hit) => hit.text)).toEqual(["third"]);
    expect(await shard.api.erase("notes:1", 3)).toEqual({ rows: 1, chunks: 3, residue: 0 });
    await runInDurableObject(shard.stub, (_, { storage }) => {
      expect(storage.sql.exec("SELECT * FROM texts").toArray()).toEqual([]);
    });
  });
});

describe("confirming a cached answer", () => {
  it("holds while every row is served at its version to these classes", async () => {
    const shard = await filled({ id: "1", text: "a", version: "x" }, { id: "2", text: "b", version: "y" });
    const rows = [
      ["notes:1", "x"],
      ["notes:2", "y"],
    ] as const;
    expect(await shard.api.holds(1, rows, [OPEN.id])).toBe(true);
  });

  it("does not hold for another epoch, version, class, or a row that is gone", async () => {
    const shard = await filled({ id: "1", text: "a", version: "x" });
    const holds = async (
      epoch: number,
      row: readonly [string, string],
      classes = [OPEN.id],
    ): Promise<boolean> => shard.api.holds(epoch, [row], classes);
    expect(await holds(2, ["notes:1", "x"])).toBe(false);
    expect(await holds(1, ["notes:1", "other"])).toBe(false);
    expect(await holds(1, ["notes:1", "x"], [SECRET.id])).toBe(false);
    expect(await holds(1, ["notes:9", "x"])).toBe(false);
    const one = ["notes:1", "x"] as const;
    expect(await shard.api.holds(1, [one, ["notes:9", "x"]], [OPEN.id])).toBe(false);
    await shard.api.setEpoch(2);
    expect(await holds(1, ["notes:1", "x"])).toBe(false);
    expect(await holds(2, ["notes:1", "x"])).toBe(true);
  });

  it("holds with no rows as long as the epoch does", async () => {
    const shard = await filled({ id: "1", text: "a", version: "x" });
    expect(await shard.api.holds(1, [], [OPEN.id])).toBe(true);
    expect(await shard.api.holds(2, [], [OPEN.id])).toBe(false);
  });
});

describe("erasing a row", () => {
  it("removes it at once, staged work and earlier generations included, and leaves nothing", async () => {
    const shard = await filled({ id: "1", text: "Ada Lovelace" }, { id: "2", text: "Grace Hopper" });
    await shard.publish(2, [await row({ id: "1", text: ["Ada King", "Lovelace"] })], {
      changed: 1,
      unchanged: 1,
    });
    await shard.api.stage(run(3), batch(0, [await row({ id: "1", text: "Ada staged" })]));
    expect(await shard.api.erase("notes:1", 7)).toEqual({ rows: 1, chunks: 4, residue: 0 });
    expect(await shard.find("Ada Lovelace")).toEqual(["notes:2"]);
    expect((await shard.api.known("notes", undefined, 10)).map((known) => known.row)).toEqual(["notes:2"]);
    expect(await shard.api.stats()).toMatchObject({ rows: 1, chunks: 1, vectors: 1 });
    expect((await shard.api.query(await question("Ada"))).epoch).toBe(7);
  });

  it("leaves neither its words nor its vector in the file", async () => {
    const shard = await filled({ id: "1", text: "zanzibarian" }, { id: "2", text: "plain" });
    await shard.find("warm the vectors up");
    await shard.api.erase("notes:1", 2);
    await runInDurableObject(shard.stub, (_, state) => {
      const { sql } = state.storage;
      const segments = sql.exec<{ block: ArrayBuffer }>("SELECT block FROM fts_data").toArray();
      const text = segments.map(({ block }) => new TextDecoder("latin1").decode(block)).join("");
      expect(text).toContain("plain");
      expect(text).not.toContain("zanzibar");
      const [vectors] = sql.exec<{ data: ArrayBuffer }>("SELECT data FROM block").toArray();
      expect(
        new Int8Array(vectors?.data ?? new ArrayBuffer(0), 0, embedder.dimensions).every((b) => b === 0),
      ).toBe(true);
    });
  });

  it("takes a row that was never there, and one that was erased before", async () => {
    const shard = await filled({ id: "1", text: "Ada" });
    expect(await shard.api.erase("notes:9", 2)).toEqual({ rows: 0, chunks: 0, residue: 0 });
    await shard.api.erase("notes:1", 3);
    expect(await shard.api.erase("notes:1", 3)).toEqual({ rows: 0, chunks: 0, residue: 0 });
  });
});

describe("eviction", () => {
  it("changes no answer, before, between and after", async () => {
    const shard = await filled(
      { id: "1", text: "the engine overheated off Calais" },
      { id: "2", text: "engine parts were ordered" },
      { id: "3", text: "nothing", accessClass: SECRET.id },
    );
    const before = await shard.api.query(await question("engine overheating"));
    await evictDurableObject(shard.stub);
    expect(await shard.api.query(await question("engine overheating"))).toEqual(before);
    await shard.api.stage(run(2), batch(0, [await row({ id: "4", text: "engine overheating again" })]));
    await evictDurableObject(shard.stub);
    await shard.api.publish(run(2), [published({ added: 1, unchanged: 3 })], 1);
    expect((await shard.find("engine overheating again"))[0]).toBe("notes:4");
  });

  it("gives the answers that an object that stayed awake gives", async () => {
    const awake = await filled({ id: "1", text: "engine" }, { id: "2", text: "pump" });
    await awake.find("warm");
    await awake.publish(2, [await row({ id: "2", text: "pumps" }), await row({ id: "3", text: "turbine" })], {
      changed: 1,
      added: 1,
      unchanged: 1,
    });
    await awake.api.erase("notes:1", 2);
    const warm = await awake.api.query(await question("engine pumping turbines"));
    await evictDurableObject(awake.stub);
    expect(await awake.api.query(await question("engine pumping turbines"))).toEqual(warm);
  });
});

describe("vectors at rest", () => {
  it("are packed into few blocks, each below the limit, when a run publishes", async () => {
    const shard = openShard();
    for (let seq = 0; seq < 12; seq++) {
      await shard.api.stage(run(1), batch(seq, [await row({ id: `${seq}`, text: `engine ${seq}` })]));
    }
    const blocks = (): Promise<number[]> =>
      runInDurableObject(shard.stub, (_, state) =>
        state.storage.sql
          .exec<{ n: number }>("SELECT length(data) AS n FROM block")
          .toArray()
          .map((r) => r.n),
      );
    expect(await blocks()).toHaveLength(12);
    await shard.api.publish(run(1), [published({ added: 12 })], 1);
    expect(await blocks()).toEqual([12 * 388]);
    expect(blockCapacity(384) * 388).toBeLessThanOrEqual(MAX_BLOCK_BYTES);
    expect(MAX_BLOCK_BYTES).toBeLessThan(2_000_000);
    await evictDurableObject(shard.stub);
    expect((await shard.find("engine 7"))[0]).toBe("notes:7");
  });
});
