import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { IndexEntry, IndexQuery, SearchIndex, VectorIndex } from "../../shared/ports/vector-index.ts";

/** An index under test, empty, with the ways in and out that ingest uses. */
export interface IndexHarness<Index extends SearchIndex = SearchIndex> {
  readonly index: Index;
  /** Length of its vectors, at least 4. */
  readonly dimensions: number;
  /** Brings entries in, or replaces them by id, and waits until they can be found. */
  put(entries: readonly IndexEntry[]): Promise<void>;
  /** Takes entries out and waits until they can't be found. */
  remove(ids: readonly string[]): Promise<void>;
  /** The entry that a match's id stands for. */
  entryId(matchId: string): string;
  close?(): PromiseLike<void>;
}

const CLASS_A = "class-a-22-characters-";
const CLASS_B = "class-b-22-characters-";
const signal = new AbortController().signal;

/** A unit vector at `degrees` from the first axis, in the plane of the first two. */
function at(degrees: number, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  vector[0] = Math.cos((degrees * Math.PI) / 180);
  vector[1] = Math.sin((degrees * Math.PI) / 180);
  return vector;
}

/** What every index keeps, embedded or outside. The texts say nothing, so that a lexical leg finds nothing by itself. */
export function searchIndexContract(name: string, open: () => Promise<IndexHarness>): void {
  describe(`index: ${name}`, () => {
    let harness: IndexHarness;
    beforeEach(async () => {
      await harness?.close?.();
      harness = await open();
    });
    afterAll(async () => {
      await harness?.close?.();
    });

    const entry = (id: string, degrees: number, change: Partial<IndexEntry> = {}): IndexEntry => ({
      id,
      vector: at(degrees, harness.dimensions),
      table: "notes",
      accessClass: CLASS_A,
      text: "-",
      ...change,
    });
    const query = (change: Partial<IndexQuery> = {}): IndexQuery => ({
      vector: at(0, harness.dimensions),
      text: "?",
      topK: 10,
      fusionWeight: 1,
      filter: { classes: [CLASS_A], tables: undefined },
      ...change,
    });
    const find = async (change: Partial<IndexQuery> = {}): Promise<string[]> => {
      const matches = await harness.index.query(query(change), signal);
      return matches.map((match) => harness.entryId(match.id));
    };

    it("finds nothing in an empty store", async () => {
      expect(await find()).toEqual([]);
    });

    it("puts the nearest first, scores falling", async () => {
      await harness.put([entry("far", 60), entry("near", 5), entry("middle", 30)]);
      expect(await find()).toEqual(["near", "middle", "far"]);
      const scores = (await harness.index.query(query(), signal)).map((match) => match.score);
      expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    });

    it("gives at most topK", async () => {
      await harness.put([entry("c", 60), entry("a", 5), entry("b", 30)]);
      expect(await find({ topK: 2 })).toEqual(["a", "b"]);
    });

    it("gives topK of what the filter allows, however much nearer the rest is", async () => {
      const hidden = Array.from({ length: 30 }, (_, i) =>
        entry(`hidden${i}`, i / 10, { accessClass: CLASS_B }),
      );
      await harness.put([...hidden, entry("a", 70), entry("b", 80)]);
      expect(await find({ topK: 2 })).toEqual(["a", "b"]);
    });

    it("finds nothing for someone who may see nothing", async () => {
      await harness.put([entry("a", 5)]);
      expect(await find({ filter: { classes: [], tables: undefined } })).toEqual([]);
    });

    it("finds what any of the permitted classes allows", async () => {
      await harness.put([entry("a", 5), entry("b", 10, { accessClass: CLASS_B })]);
      expect(
        await find({ filter: { classes: [CLASS_A, CLASS_B, "class-unheard-of------"], tables: undefined } }),
      ).toEqual(["a", "b"]);
    });

    it("narrows to tables", async () => {
      await harness.put([entry("a", 5), entry("b", 10, { table: "tickets" })]);
      expect(await find({ filter: { classes: [CLASS_A], tables: ["tickets"] } })).toEqual(["b"]);
      expect(await find({ filter: { classes: [CLASS_A], tables: ["none"] } })).toEqual([]);
      expect(await find({ filter: { classes: [CLASS_A], tables: [] } })).toEqual([]);
    });

    it("narrows to rows with a cell's value", async () => {
      await harness.put([
        entry("a", 5, { cells: { region: "north", year: "2025" } }),
        entry("b", 10, { cells: { region: "south", year: "2025" } }),
        entry("c", 15, { cells: { region: "south", year: "2026" } }),
        entry("d", 20),
      ]);
      const cells = { region: "south", year: "2025" };
      expect(await find({ filter: { classes: [CLASS_A], tables: undefined, cells } })).toEqual(["b"]);
    });

    it("never widens: a narrowing does not open a class", async () => {
      await harness.put([entry("a", 5, { accessClass: CLASS_B, cells: { region: "south" } })]);
      const filter = { classes: [CLASS_A], tables: ["notes"], cells: { region: "south" } };
      expect(await find({ filter })).toEqual([]);
    });

    it("replaces an entry by its id, class and place alike", async () => {
      await harness.put([entry("a", 5), entry("b", 30)]);
      await harness.put([entry("a", 60, { accessClass: CLASS_B })]);
      expect(await find()).toEqual(["b"]);
      expect(await find({ filter: { classes: [CLASS_A, CLASS_B], tables: undefined } })).toEqual(["b", "a"]);
    });

    it("changes nothing when a call is repeated", async () => {
      await harness.put([entry("a", 5), entry("b", 30)]);
      await harness.put([entry("a", 5), entry("b", 30)]);
      expect(await find()).toEqual(["a", "b"]);
    });

    it("does not find what was taken out, and takes unknown ids for taken out", async () => {
      await harness.put([entry("a", 5), entry("b", 30)]);
      await harness.remove(["a", "never-was"]);
      expect(await find()).toEqual(["b"]);
    });

    it("stops before it asks when the caller has left", async () => {
      await expect(harness.index.query(query(), AbortSignal.abort())).rejects.toBeInstanceOf(QuaysideError);
    });
  });
}

/** What a store outside the registry keeps besides. `put` and `remove` of its harness are its own `upsert` and `delete`, and a wait. */
export function vectorIndexContract(name: string, open: () => Promise<IndexHarness<VectorIndex>>): void {
  searchIndexContract(name, open);
  describe(`index: ${name}, as a store`, () => {
    let harness: IndexHarness<VectorIndex>;
    beforeEach(async () => {
      await harness?.close?.();
      harness = await open();
    });
    afterAll(async () => {
      await harness?.close?.();
    });
    const entry = (id: string): IndexEntry => ({
      id,
      vector: at(5, harness.dimensions),
      table: "notes",
      accessClass: CLASS_A,
      text: "-",
    });

    it("reads back which ids it holds", async () => {
      await harness.put([entry("a"), entry("b")]);
      expect(await harness.index.has(["a", "c"], signal)).toEqual(new Set(["a"]));
    });

    it("counts an entry once, however often it is written", async () => {
      await harness.put([entry("a"), entry("b")]);
      await harness.put([entry("a")]);
      expect(await harness.index.stats(signal)).toEqual({ entries: 2 });
    });

    it("forgets everything when its space is dropped, and may be dropped twice", async () => {
      await harness.put([entry("a"), entry("b")]);
      await harness.index.drop(signal);
      await harness.index.drop(signal);
      expect(await harness.index.has(["a", "b"], signal)).toEqual(new Set());
      expect(await harness.index.stats(signal)).toEqual({ entries: 0 });
    });

    it("takes as many entries at once as it says", async () => {
      const most = Math.min(harness.index.maxUpsert, 1200);
      await harness.put(Array.from({ length: most }, (_, i) => entry(`e${i}`)));
      expect(await harness.index.stats(signal)).toEqual({ entries: most });
    });
  });
}
