import { describe, expect, it } from "vitest";
import { hash128 } from "../../shared/ids.ts";
import { configured, counted, publish, REQUEST, SPACE } from "./ledger-fixture.ts";

describe("ledger: erasure", () => {
  it("raises the epoch once and gives the same receipt for the same row", async () => {
    const { ledger } = await configured();
    const first = await ledger.suppress("news", "news:1");
    const again = await ledger.suppress("news", "news:1");
    expect(again).toEqual(first);
    expect((await ledger.status()).epoch).toBe(2);
  });

  it("names every space that may hold the row", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    await publish(ledger, { request: { ...REQUEST, space: "space-2" } });
    expect((await ledger.suppress("news", "news:1")).spaces).toEqual([
      { space: SPACE, index: undefined },
      { space: "space-2", index: undefined },
    ]);
  });

  it("completes the receipt when the shards are done", async () => {
    const { ledger } = await configured();
    const { id } = await ledger.suppress("news", "news:1");
    expect((await ledger.erasure(id))?.erasedAt).toBeUndefined();
    const proof = { spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 };
    const removed = { rows: 1, chunks: 3, vectors: 3, answers: 2, runs: 0, records: 0 };
    const receipt = await ledger.erased(id, { removed, proof });
    expect(receipt).toMatchObject({ id, table: "news", removed, residue: 0, proof });
    expect(await ledger.erasure(id)).toEqual(receipt);
    expect(receipt.erasedAt).toBeDefined();
  });

  it("completes no receipt while something is left, and adds up what each try removed", async () => {
    const { ledger } = await configured();
    const { id } = await ledger.suppress("news", "news:1");
    const proof = { spaces: 1, registry: 0, index: 2, answers: 0, runs: 0, records: 0 };
    const first = await ledger.erased(id, {
      removed: { rows: 1, chunks: 3, vectors: 1, answers: 0, runs: 0, records: 0 },
      proof,
    });
    expect([first.erasedAt, first.residue]).toEqual([undefined, 2]);
    const clean = { ...proof, index: 0 };
    const second = await ledger.erased(id, {
      removed: { rows: 0, chunks: 0, vectors: 2, answers: 0, runs: 0, records: 0 },
      proof: clean,
    });
    expect(second.erasedAt).toBeDefined();
    expect(second).toMatchObject({ removed: { rows: 1, chunks: 3, vectors: 3 }, residue: 0, proof: clean });
  });

  it("keeps no mark of a cursor of a run that was given up while it published", async () => {
    const { ledger, rows } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    const cursor = { mark: "zoe@example.org", wholeAt: "2026-11-26T08:00:00Z", made: "m" };
    await ledger.prepare(run, [{ ...counted("news"), cursor }]);
    await ledger.abandon(run, "refused");
    expect(JSON.stringify(await rows("SELECT * FROM runs"))).not.toContain("zoe");
    expect(await ledger.run(run.id)).toMatchObject({
      state: "failed",
      tables: [{ table: "news", added: 1 }],
    });
  });

  it("has no receipt of an unknown id", async () => {
    const { ledger } = await configured();
    expect(await ledger.erasure("era_none")).toBeUndefined();
  });

  it("withholds erased rows from a run, and from the counts that it publishes", async () => {
    const { ledger } = await configured();
    await ledger.suppress("news", "news:1");
    const run = await ledger.begin(REQUEST, "k");
    expect(await ledger.renew(run, [], [])).toEqual({ erasures: 1 });
    const hashes = [await hash128("news:1"), await hash128("news:2")];
    expect(await ledger.withheld(run, "news", hashes)).toEqual([hashes[0]]);
    expect(await ledger.withheld(run, "news", hashes)).toEqual([hashes[0]]);
    const prepared = await ledger.prepare(run, [counted("news", 5), counted("pay", 5)]);
    expect(
      typeof prepared === "object" && prepared.tables.map((t) => [t.counts.read, t.counts.added]),
    ).toEqual([
      [4, 4],
      [5, 5],
    ]);
  });

  it("has rows erased again before the next flip, and then forgets their ids", async () => {
    const { ledger } = await configured();
    await ledger.suppress("news", "news:1");
    const run = await ledger.begin(REQUEST, "k");
    const prepared = await ledger.prepare(run, []);
    expect(typeof prepared === "object" && prepared.erase).toEqual(["news:1"]);
    await ledger.publish(run, [], { generation: 1, changed: true, rows: [] });
    const next = await ledger.begin(REQUEST, "k2");
    const again = await ledger.prepare(next, []);
    expect(typeof again === "object" && again.erase).toEqual([]);
    expect(await ledger.renew(next, [], [])).toEqual({ erasures: 1 });
  });

  it("keeps the id of a row that is erased while a publication is under way", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    await ledger.prepare(run, []);
    await ledger.suppress("news", "news:9");
    await ledger.publish(run, [], { generation: 1, changed: true, rows: [] });
    const prepared = await ledger.prepare(await ledger.begin(REQUEST, "k2"), []);
    expect(typeof prepared === "object" && prepared.erase).toEqual(["news:9"]);
  });
});
