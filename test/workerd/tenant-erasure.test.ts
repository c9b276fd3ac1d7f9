import { describe, expect, it } from "vitest";
import { memoryIndex } from "../fakes/memory-index.ts";
import { codeOf } from "./ledger-fixture.ts";
import { batch, counts, died, entriesOf, everyone, ingest, NOBODY, open, signal } from "./tenant-fixture.ts";

describe("an erasure", () => {
  it("removes the row at once and says what it removed", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    const receipt = await bench.registry.erase("notes", "notes:1", signal);
    expect(receipt).toMatchObject({ table: "notes", removed: { rows: 1, chunks: 1 }, residue: 0 });
    expect(await bench.served("1")).toBeUndefined();
    expect(await bench.served("2")).toBe("2 v1");
    expect(await bench.registry.erasure(receipt.id, signal)).toEqual(receipt);
  });

  it("ends every answer that was kept before it", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    const { epoch } = await bench.ledger.admit(NOBODY);
    await bench.registry.erase("notes", "notes:1", signal);
    expect(await bench.shard.holds(epoch, [["notes:2", "v1"]], [everyone.id])).toBe(false);
  });

  it("is the same for a row that never was", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    expect(await bench.registry.erase("notes", "notes:9", signal)).toMatchObject({
      removed: { rows: 0, chunks: 0 },
      residue: 0,
    });
  });

  it("holds through three ingests that still bring the row", async () => {
    const bench = await open();
    await ingest(bench, ["1", "2"]);
    await bench.registry.erase("notes", "notes:1", signal);
    for (let i = 2; i < 5; i++) {
      const run = await bench.registry.begin(bench.request, signal);
      await bench.registry.commit(run, batch(0, ["1", "2"], `v${i}`), signal);
      await bench.registry.publish(run, counts({ read: 2, added: 1, changed: 1 }), signal);
      expect([await bench.served("1"), await bench.served("2")]).toEqual([undefined, `2 v${i}`]);
    }
    expect((await bench.ledger.status()).tables).toMatchObject([{ rows: 1 }]);
  });

  it("reaches a batch that was staged behind its back", async () => {
    const bench = await open();
    const run = await bench.registry.begin(bench.request, signal);
    await bench.registry.commit(run, batch(0, ["2"]), signal);
    await bench.registry.erase("notes", "notes:1", signal);
    // The batch had asked the ledger before the erasure, and arrives after it.
    await bench.shard.stage(run, batch(1, ["1"]));
    await codeOf(bench.registry.publish(run, counts({ read: 2, added: 2 }), signal));
    expect(await bench.served("1")).toBeUndefined();
    const next = await bench.registry.begin(bench.request, signal);
    await bench.registry.publish(next, counts({ read: 1, unchanged: 1 }), signal);
    expect([await bench.served("1"), await bench.served("2")]).toEqual([undefined, "2 v1"]);
  });

  it("can be asked for again after it was cut short", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const cut = bench.broken({ shard: () => ({ erase: async () => died() }) });
    expect(await codeOf(cut.erase("notes", "notes:1", signal))).toBe("registry_unavailable");
    const receipt = await bench.registry.erase("notes", "notes:1", signal);
    expect(receipt.removed).toEqual({ rows: 1, chunks: 1, vectors: 0, answers: 0, runs: 0, records: 0 });
    expect(await bench.served("1")).toBeUndefined();
  });

  it("reaches an index outside, and vectors there that the registry never heard of", async () => {
    const bench = await open();
    await ingest(bench, ["1", "10"]);
    const index = memoryIndex();
    // A run that was killed after it wrote 250 chunks of a longer version, and before it committed them.
    await index.upsert([...(await entriesOf("1", 250)), ...(await entriesOf("10", 1))], signal);
    const outside = bench.broken({ outside: async () => index });
    const receipt = await outside.erase("notes", "notes:1", signal);
    expect(receipt).toMatchObject({ removed: { rows: 1, chunks: 1, vectors: 250 }, residue: 0 });
    expect(receipt.proof).toEqual({ spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 });
    expect(await index.stats(signal)).toEqual({ entries: 1 });
  });

  it("is not finished while an index outside still shows the row, and is when it is asked for again", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const index = memoryIndex();
    await index.upsert(await entriesOf("1", 1), signal);
    const late = bench.broken({ outside: async () => ({ ...index, delete: async () => {} }) });
    const first = await late.erase("notes", "notes:1", signal);
    expect([first.erasedAt, first.residue, first.proof.index]).toEqual([undefined, 1, 1]);
    expect(await bench.served("1")).toBeUndefined();
    const second = await bench.broken({ outside: async () => index }).erase("notes", "notes:1", signal);
    expect([second.id, second.residue]).toEqual([first.id, 0]);
    expect(second.erasedAt).toBeDefined();
  });

  it("reaches what a batch under way wrote to an index outside after it", async () => {
    const bench = await open();
    const index = memoryIndex();
    const outside = bench.broken({ outside: async () => index });
    const run = await outside.begin(bench.request, signal);
    await outside.commit(run, batch(0, ["2"]), signal);
    await outside.erase("notes", "notes:1", signal);
    await index.upsert([...(await entriesOf("1", 2)), ...(await entriesOf("2", 1))], signal);
    await outside.publish(run, counts({ read: 1, added: 1 }), signal);
    expect(await index.stats(signal)).toEqual({ entries: 1 });
  });

  it("reaches every space, and the cached answers", async () => {
    const bench = await open();
    await ingest(bench, ["1"]);
    const next = { ...bench, request: { ...bench.request, space: "space-2", tables: ["notes", "people"] } };
    await ingest(next, ["1", "2"]);
    const asked: string[] = [];
    const answers = { erase: async (row: string) => (asked.push(row), { removed: 3, left: 0 }) };
    const receipt = await bench.broken({ answers }).erase("notes", "notes:1", signal);
    expect(receipt.removed).toEqual({ rows: 2, chunks: 2, vectors: 0, answers: 3, runs: 0, records: 0 });
    expect([receipt.proof.spaces, asked]).toEqual([2, ["notes:1"]]);
    expect(await bench.shard.stats()).toMatchObject({ rows: 0, chunks: 0 });
  });
});
