import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import type { ShardQuery } from "../../workers/tenant/api.ts";
import {
  EVERYTHING,
  nearOf,
  openShard,
  PUBLIC_ONLY,
  question,
  row,
  SECRET,
  type OpenShard,
  type RowInput,
} from "./shard-fixture.ts";

/** A space whose vectors are in an outside index: the shard has its rows and words. */
async function filled(...rows: readonly RowInput[]): Promise<OpenShard> {
  const shard = openShard();
  await shard.publish(1, await Promise.all(rows.map((input) => row({ ...input, vectorless: true }))), {
    added: rows.length,
  });
  return shard;
}

const near = async (
  hits: readonly (readonly [id: string, score: number])[],
  whole = true,
): Promise<NonNullable<ShardQuery["near"]>> =>
  nearOf(
    await Promise.all(
      hits.map(async ([id, score]) => ({ id: await storedId(`notes:${id}`, "all", 0), score })),
    ),
    whole,
  );

describe("search beside an outside index", () => {
  it("finds what is near and what shares words, and puts first what is both", async () => {
    const shard = await filled(
      { id: "near", text: "replacement of the forward visor" },
      { id: "words", text: "bow door greased" },
      { id: "both", text: "bow door jammed" },
      { id: "neither", text: "invoice" },
    );
    const legs = {
      near: await near([
        ["near", 0.8],
        ["both", 0.7],
        ["neither", 0.1],
      ]),
    };
    expect(await shard.find("bow door", { ...legs, fusionWeight: 1 })).toEqual([
      "notes:both",
      "notes:near",
      "notes:words",
      "notes:neither",
    ]);
  });

  it("takes what the outside index did not get to for as near as its last hit, and what it does not have for far", async () => {
    const shard = await filled(
      { id: "near", text: "replacement of the forward visor" },
      { id: "words", text: "bow door greased" },
    );
    const scoreOf = async (whole: boolean): Promise<number | undefined> => {
      const asked = await question("bow door", { near: await near([["near", 0.5]], whole), fusionWeight: 1 });
      const { evidence } = await shard.api.query(asked);
      return evidence.find((item) => item.row === "notes:words")?.score;
    };
    expect([await scoreOf(true), await scoreOf(false)]).toEqual([0.5, 1]);
  });

  it("shows nothing that the caller may not see, whatever the outside index says", async () => {
    const shard = await filled(
      { id: "open", text: "berth plan" },
      { id: "secret", text: "salary list", accessClass: SECRET.id },
    );
    const legs = {
      near: await near([
        ["secret", 0.9],
        ["open", 0.2],
      ]),
    };
    expect(await shard.find("?", { ...legs, filter: PUBLIC_ONLY })).toEqual(["notes:open"]);
    expect(await shard.find("?", { ...legs, filter: EVERYTHING })).toEqual(["notes:secret", "notes:open"]);
  });

  it("shows nothing that is gone, and nothing for ids that name nothing", async () => {
    const shard = await filled({ id: "gone", text: "berth plan" });
    const legs = { near: await near([["gone", 0.9]]) };
    await shard.api.erase("notes:gone", 2);
    expect(await shard.find("?", legs)).toEqual([]);
    const strange = ["", "notes:gone#0", "x".repeat(22), `${"x".repeat(22)}.0`].map((id) => ({
      id,
      score: 1,
    }));
    expect(await shard.find("?", { near: nearOf(strange, true) })).toEqual([]);
  });

  it("narrows to tables and cells", async () => {
    const shard = await filled(
      { id: "1", text: "berth plan", cells: [{ column: "port", value: "Dover" }] },
      { id: "2", text: "berth plan", cells: [{ column: "port", value: "Dieppe" }] },
    );
    const legs = {
      near: await near([
        ["1", 0.9],
        ["2", 0.8],
      ]),
    };
    const filter = { ...EVERYTHING, tables: ["notes"], cells: { port: "Dieppe" } };
    expect(await shard.find("?", { ...legs, filter })).toEqual(["notes:2"]);
    expect(await shard.find("?", { ...legs, filter: { ...EVERYTHING, tables: ["none"] } })).toEqual([]);
  });

  it("finds a published version by its stored id without reading the others", async () => {
    const { stub } = await filled({ id: "1", text: "berth plan" });
    const plan = await runInDurableObject(stub, (_, state) =>
      state.storage.sql.exec("EXPLAIN QUERY PLAN SELECT no FROM rec WHERE stored = ?", "x").toArray(),
    );
    expect(plan.map(({ detail }) => detail)).toEqual([
      "SEARCH rec USING COVERING INDEX rec_stored (stored=?)",
    ]);
  });
});
