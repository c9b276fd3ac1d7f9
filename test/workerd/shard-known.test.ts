import { runInDurableObject } from "cloudflare:test";
import { expect, it } from "vitest";
import { storedId } from "../../shared/ids.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import { confirmHits, confirmRows, resolveIds } from "../../workers/index/evidence.ts";
import { makeKnown } from "../../workers/index/known.ts";
import {
  batch,
  EVERYTHING,
  openShard,
  OPEN,
  PUBLIC_ONLY,
  published,
  row,
  run,
  SECRET,
  nearOf,
} from "./shard-fixture.ts";
import type { OpenShard } from "./shard-fixture.ts";

/** A shard keeps what it has read until it writes: whatever is written, the next question sees it. */

const ROWS = ["a", "b", "c"].map((id) => `notes:${id}`);
const WANTED: readonly (readonly [string, string])[] = [
  ["notes:a", "v1"],
  ["notes:b", "v1"],
];
const CLASSES = [OPEN.id, SECRET.id];
const HITS = ROWS.map((id) => ({ id, score: 1 }));

interface Seen {
  readonly searched: readonly string[];
  readonly rechecked: readonly Evidence[];
  readonly publicly: readonly Evidence[];
  readonly epoch: number;
  readonly confirmed: readonly boolean[];
}

/** Through the object, which may remember. */
async function seenBy(shard: OpenShard): Promise<Seen> {
  const { evidence, epoch } = await shard.api.recheck(HITS, EVERYTHING);
  return {
    searched: (await shard.find("harbour")).toSorted(),
    rechecked: evidence,
    publicly: (await shard.api.recheck(HITS, PUBLIC_ONLY)).evidence,
    epoch,
    confirmed: [
      await shard.api.holds(1, WANTED, CLASSES),
      await shard.api.holds(2, WANTED, CLASSES),
      await shard.api.holds(1, [["notes:c", "v1"]], [OPEN.id]),
    ],
  };
}

/** From its tables, with nothing remembered. */
function stored(shard: OpenShard): Promise<Omit<Seen, "searched">> {
  return runInDurableObject(shard.stub, (_, { storage: { sql } }) => {
    const fresh = () => makeKnown(sql);
    const recheck = (filter: typeof EVERYTHING) =>
      confirmHits(fresh(), [resolveIds(sql, fresh(), HITS)], filter, HITS.length);
    return {
      rechecked: recheck(EVERYTHING),
      publicly: recheck(PUBLIC_ONLY),
      epoch: fresh().meta().epoch,
      confirmed: [
        confirmRows(fresh(), 1, WANTED, CLASSES),
        confirmRows(fresh(), 2, WANTED, CLASSES),
        confirmRows(fresh(), 1, [["notes:c", "v1"]], [OPEN.id]),
      ],
    };
  });
}

const note = (id: string, version: string, accessClass = OPEN.id) =>
  row({ id, version, accessClass, text: `harbour ${id} ${version}` });

type Write = readonly [what: string, write: (shard: OpenShard) => Promise<unknown>, rows: readonly string[]];

const WRITES: readonly Write[] = [
  ["another epoch", ({ api }) => api.setEpoch(2), ["a", "b"]],
  [
    "a batch that is only staged",
    async ({ api }) => api.stage(run(2), batch(0, [await note("c", "v1")])),
    ["a", "b"],
  ],
  [
    "a publish",
    ({ api }) => api.publish(run(2), [published({ added: 1, unchanged: 2 })], 2),
    ["a", "b", "c"],
  ],
  [
    "a newer time alone",
    ({ api }) => api.publish(run(3), [published({ unchanged: 3 }, "2026-11-09T00:00:00Z")], 2),
    ["a", "b", "c"],
  ],
  [
    "a row's other version and class",
    async (shard) => {
      await shard.api.setEpoch(3);
      await shard.publish(4, [await note("a", "v2", SECRET.id)], { changed: 1, unchanged: 2 });
    },
    ["a", "b", "c"],
  ],
  ["a roll-back", ({ api }) => api.rollBack(run(5), 2, 3), ["a", "b", "c"]],
  ["an erasure", ({ api }) => api.erase("notes:b", 4), ["a", "c"]],
  [
    "a row that is gone",
    async ({ api }) => {
      await api.stage(run(6), batch(0, [], [{ row: "notes:c", view: "all" }]));
      await api.publish(run(6), [published({ deleted: 1, unchanged: 1 })], 4);
    },
    ["a"],
  ],
  ["everything forgotten", ({ api }) => api.clear(), []],
];

it("sees every kind of change with the next question", async () => {
  const shard = openShard();
  await shard.publish(1, [await note("a", "v1"), await note("b", "v1")]);
  for (const [what, write, rows] of WRITES) {
    // Twice: what is remembered of the first is what the second is answered from.
    await seenBy(shard);
    const before = await seenBy(shard);
    await write(shard);
    const after = await seenBy(shard);
    const { searched, ...rest } = after;
    expect(searched, what).toEqual(rows.map((id) => `notes:${id}`));
    expect(rest, what).toEqual(await stored(shard));
    if (what !== "a batch that is only staged") expect(after, what).not.toEqual(before);
  }
});

it("sees that a write failed", async () => {
  const shard = openShard();
  await shard.publish(1, [await note("a", "v1")]);
  const before = await seenBy(shard);
  await shard.api.stage(run(2), batch(0, [await note("a", "v2")]));
  await expect(shard.api.publish(run(2), [published({ changed: 2 })], 1)).rejects.toMatchObject({
    code: "guard_stopped",
  });
  expect(await seenBy(shard)).toEqual(before);
});

it("remembers stored ids for no caller: the next one sees their own", async () => {
  const shard = openShard();
  await shard.publish(1, [await note("a", "v1"), await note("b", "v1", SECRET.id)]);
  const hits = await Promise.all(
    ["a", "b"].map(async (id) => ({ id: await storedId(`notes:${id}`, "all", 0), score: 1 })),
  );
  const near = nearOf(hits, false);
  const ask = (filter: typeof EVERYTHING) =>
    shard.find("nothing that is there", { near, vector: new Float32Array(0), filter });
  expect(await ask(EVERYTHING)).toEqual(["notes:a", "notes:b"]);
  expect(await ask(PUBLIC_ONLY)).toEqual(["notes:a"]);
  expect(await ask({ classes: [SECRET.id], tables: undefined })).toEqual(["notes:b"]);
});
