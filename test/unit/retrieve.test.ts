import { describe, expect, it } from "vitest";
import type { Embedder } from "../../shared/ports/embedder.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Filter, IndexQuery, Match } from "../../shared/ports/vector-index.ts";
import { makeRetrieve, standalone, type Query } from "../../workers/answer/retrieve.ts";
import type { Admission } from "../../workers/tenant/api.ts";
import { ADMISSION, evidence } from "../fakes/ask-world.ts";

const EMBEDDER: Embedder = {
  id: "local/lexical-v1/384",
  dimensions: 2,
  maxBatch: 1,
  maxBatchTokens: 1000,
  maxInputTokens: 1000,
  pricePerMillionTokens: 0,
  fusionWeight: 0.2,
  embed: async () => ({ vectors: [Float32Array.of(1, 0)], inputTokens: 0 }),
};

const QUERY: Query = { text: "q", topK: 2, tables: undefined, rowsOnly: false };

interface Setting {
  /** What the index holds, best first; with `evidence` it confirms by itself. */
  readonly matches: readonly Match[];
  /** What the registry confirms, by stored id. */
  readonly confirmed?: Readonly<Record<string, Evidence>>;
  readonly admission?: Admission;
  readonly fails?: Error;
  readonly confirms?: true;
}

async function find(setting: Setting, query: Partial<Query> = {}) {
  const queries: IndexQuery[] = [];
  const rechecks: number[] = [];
  const retrieve = makeRetrieve({
    embedder: async () => EMBEDDER,
    index: async () => ({
      maxTopK: 100,
      ...(setting.confirms ? { confirms: true } : {}),
      async query(asked) {
        queries.push(asked);
        if (setting.fails) throw setting.fails;
        return setting.matches.slice(0, asked.topK);
      },
    }),
    recheck: async () => ({
      async recheck(hits) {
        rechecks.push(hits.length);
        return hits.flatMap(({ id }) => setting.confirmed?.[id] ?? []);
      },
      holds: async () => true,
    }),
  });
  const admission = setting.admission ?? ADMISSION;
  const found = await retrieve({ ...QUERY, ...query }, admission, new AbortController().signal);
  return { found: found.map((item) => item.id), queries, rechecks };
}

const own = (...items: readonly Evidence[]): readonly Match[] =>
  items.map((item) => ({ id: item.id, score: item.score, evidence: item }));

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "none",
    (error: unknown) => (error instanceof QuaysideError ? error.code : error),
  );

describe("retrieve", () => {
  it("asks the index within what policy permits and the question narrows", async () => {
    const { queries } = await find({ matches: [] }, { tables: ["notices"], cells: { port: "Dover" } });
    const filter: Filter = { classes: ADMISSION.permitted, tables: ["notices"], cells: { port: "Dover" } };
    expect(queries[0]).toMatchObject({ text: "q", fusionWeight: 0.2, filter });
  });

  it("refuses to narrow by a column that no table offers, instead of finding nothing or everything", async () => {
    expect(await codeOf(find({ matches: [] }, { cells: { salary: "1" } }))).toBe("invalid_request");
  });

  it("asks nothing for a caller who may see nothing, or before anything is served", async () => {
    for (const change of [{ permitted: [] }, { space: "" }]) {
      const { found, queries } = await find({ matches: [], admission: { ...ADMISSION, ...change } });
      expect([found, queries]).toEqual([[], []]);
    }
  });

  it("refuses an index that another embedder wrote", async () => {
    const admission = { ...ADMISSION, space: "openai/text-embedding-3-small/384 chunk-1 embedded" };
    expect(await codeOf(find({ matches: [], admission }))).toBe("index_embedder_mismatch");
  });

  it("knows no table of which the caller sees nothing", async () => {
    expect(await codeOf(find({ matches: [] }, { tables: ["notices", "secrets"] }))).toBe("not_found");
  });

  it("takes an outside index's ids only, and what the registry says of them", async () => {
    const stale = { id: "gone", score: 1 };
    const matches = [stale, { id: "a", score: 0.9 }, { id: "b", score: 0.8 }];
    const confirmed = { a: evidence("1", "one"), b: evidence("2", "two") };
    const { found, rechecks } = await find({ matches, confirmed });
    expect(found).toEqual(["notices:1#0", "notices:2#0"]);
    expect(rechecks).toEqual([3]);
  });

  it("asks for more, once, when too many hits fell away", async () => {
    const stale = Array.from({ length: 10 }, (_, i) => ({ id: `gone-${i}`, score: 1 }));
    const matches = [...stale, { id: "a", score: 0.5 }];
    const { found, queries } = await find({ matches, confirmed: { a: evidence("1", "one") } });
    expect(found).toEqual(["notices:1#0"]);
    expect(queries.map((query) => query.topK)).toEqual([6, 12]);
  });

  it("asks an index whose matches are confirmed for no more than an answer reads, and for more where a row is shown once", async () => {
    const matches = own(evidence("1", "a"), evidence("1", "b", { id: "notices:1#1" }), evidence("2", "c"));
    const asked = async (query: Partial<Query>) =>
      (await find({ matches, confirms: true }, query)).queries.map(({ topK }) => topK);
    expect(await asked({ topK: 2 })).toEqual([2]);
    expect(await asked({ topK: 2, rowsOnly: true })).toEqual([6]);
  });

  it("leaves out what the index should have filtered", async () => {
    const dover = evidence("1", "one", { cells: [{ column: "port", value: "Dover" }] });
    const calais = evidence("2", "two", { cells: [{ column: "port", value: "Calais" }] });
    const elsewhere = { ...dover, id: "pay:1#0", row: "pay:1", table: "pay" };
    const matches = own(calais, elsewhere, dover);
    const { found } = await find({ matches }, { tables: ["notices"], cells: { port: "Dover" } });
    expect(found).toEqual(["notices:1#0"]);
  });

  it("shows the widest of the views that a caller may see of a row", async () => {
    const narrow = evidence("1", "one", { version: "narrow", cells: [{ column: "id", value: "1" }] });
    const wide = evidence("1", "one, and more", { version: "wide" });
    const { found } = await find({ matches: own(narrow, { ...wide, id: "notices:1#1" }) });
    expect(found).toEqual(["notices:1#1"]);
  });

  it("gives several passages of a row to an answer, and one to a search", async () => {
    const matches = own(evidence("1", "a"), evidence("1", "b", { id: "notices:1#1" }), evidence("2", "c"));
    expect((await find({ matches }, { topK: 3 })).found).toEqual([
      "notices:1#0",
      "notices:1#1",
      "notices:2#0",
    ]);
    expect((await find({ matches }, { topK: 3, rowsOnly: true })).found).toEqual([
      "notices:1#0",
      "notices:2#0",
    ]);
  });

  it("tells an index that fails from one that finds nothing", async () => {
    expect(await codeOf(find({ matches: [], fails: new Error("internal text") }))).toBe("index_unavailable");
  });
});

describe("standalone", () => {
  const history = [
    { role: "user", content: "Which vessel had most delays in September?" },
    { role: "assistant", content: "The Gannet." },
  ] as const;

  it.each([
    "And in October?",
    "Why was it late?",
    "Et en octobre ?",
    "Pourquoi est-elle en retard ?",
    "How many?",
  ])("reads %j together with the question before", (question) => {
    expect(standalone(question, history)).toBe(`${history[0].content}\n${question}`);
  });

  it.each([
    "Who supplies the bow thruster of the Gannet?",
    "Quel fournisseur livre le propulseur d'étrave du Gannet ?",
  ])("leaves %j alone", (question) => {
    expect(standalone(question, history)).toBe(question);
  });

  it("leaves a first question alone", () => {
    expect(standalone("How many?", [])).toBe("How many?");
  });
});
