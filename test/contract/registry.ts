import { describe, expect, it } from "vitest";
import type { Batch } from "../../shared/ports/registry.ts";
import {
  based,
  counts,
  errorOf,
  ingest,
  known,
  open,
  type Opened,
  type RegistryHarness,
  signal,
  skipped,
  SPACE,
} from "./registry-harness.ts";

/** What every adapter of the Registry port does. */
export function registryContract(name: string, make: () => Promise<RegistryHarness>): void {
  describe(`registry: ${name}`, () => {
    it("begins with generation 1 and a positive fence", async () => {
      const { registry, request } = await open(make);
      const run = await registry.begin(request, signal());
      expect({ generation: run.generation, space: run.space }).toEqual({ generation: 1, space: SPACE });
      expect(run.fence).toBeGreaterThan(0);
    });

    it("refuses a second run while one holds the lease, and says how long", async () => {
      const { registry, request } = await open(make);
      await registry.begin(request, signal());
      const error = await errorOf(registry.begin(request, signal()));
      expect(error.code).toBe("run_conflict");
      expect(error.retryAfterMs).toBeGreaterThan(0);
      expect(error.retryAfterMs).toBeLessThanOrEqual(60_000);
    });

    it("lets another run begin once the lease is given back", async () => {
      const { registry, request } = await open(make);
      const first = await registry.begin(request, signal());
      await registry.abandon(first, "test", signal());
      expect((await registry.begin(request, signal())).fence).toBeGreaterThan(first.fence);
    });

    it("fences a run that was taken over: commit, publish and abandon", async () => {
      const { registry, request, batch } = await open(make);
      const old = await registry.begin(request, signal());
      const next = await registry.begin({ ...request, takeOver: true }, signal());
      expect(next.fence).toBeGreaterThan(old.fence);
      expect((await errorOf(registry.commit(old, batch(0, ["1"]), signal()))).code).toBe("run_fenced");
      expect((await errorOf(registry.publish(old, [counts(0)], signal()))).code).toBe("run_fenced");
      expect((await errorOf(registry.abandon(old, "late", signal()))).code).toBe("run_fenced");
    });

    it("fences a run whose fence is forged", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      const forged = { ...run, fence: run.fence + 1 };
      expect((await errorOf(registry.commit(forged, batch(0, ["1"]), signal()))).code).toBe("run_fenced");
    });

    it("fences a run that has ended", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.abandon(run, "test", signal());
      expect((await errorOf(registry.commit(run, batch(0, ["1"]), signal()))).code).toBe("run_fenced");
    });

    it("knows nothing of a table at first", async () => {
      const { registry, request } = await open(make);
      const run = await registry.begin(request, signal());
      expect(await known(registry, run)).toEqual([]);
    });

    it("knows what is staged, in row order, with versions and chunks", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["2", "10"]), signal());
      await registry.commit(run, batch(1, ["1"]), signal());
      expect(await known(registry, run)).toEqual([
        { row: "notes:1", view: "all", version: "v1", chunks: 1 },
        { row: "notes:10", view: "all", version: "v1", chunks: 1 },
        { row: "notes:2", view: "all", version: "v1", chunks: 1 },
      ]);
    });

    it("keeps tables apart", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"], { table: "people" }), signal());
      expect(await known(registry, run)).toEqual([]);
      expect((await known(registry, run, "people")).map(({ row }) => row)).toEqual(["people:1"]);
    });

    it("takes a batch once, whatever a repetition carries", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      await registry.commit(run, batch(0, ["2"]), signal());
      expect((await known(registry, run)).map(({ row }) => row)).toEqual(["notes:1"]);
    });

    it("serves nothing before it is published", async () => {
      const { registry, request, batch, served } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      expect(await served("notes:1")).toBeUndefined();
    });

    it("serves what was staged once it is published, as the run's generation", async () => {
      const { registry, request, batch, served } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      expect(await registry.publish(run, [counts(1, { added: 1 })], signal())).toEqual({ generation: 1 });
      expect(await served("notes:1")).toBe("text 1 v1");
    });

    it("gives the lease back with the publication", async () => {
      const { registry, request, batch } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), counts(1, { added: 1 }));
      expect((await registry.begin(request, signal())).generation).toBe(2);
    });

    it("publishes once: a repetition answers the same", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      const tables = [counts(1, { added: 1 })];
      const first = await registry.publish(run, tables, signal());
      expect(await registry.publish(run, tables, signal())).toEqual(first);
      expect((await registry.begin(request, signal())).generation).toBe(2);
    });

    it("publishes no generation when nothing changed", async () => {
      const { registry, request, batch, served } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), counts(1, { added: 1 }));
      const again = await registry.begin(request, signal());
      expect(await registry.publish(again, [counts(1, { unchanged: 1 })], signal())).toEqual({
        generation: 1,
      });
      expect(await served("notes:1")).toBe("text 1 v1");
    });

    it("replaces a row's version at the publication, not before", async () => {
      const { registry, request, batch, served } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), counts(1, { added: 1 }));
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"], { version: "v2" }), signal());
      expect(await known(registry, run)).toEqual([{ row: "notes:1", view: "all", version: "v2", chunks: 1 }]);
      expect(await served("notes:1")).toBe("text 1 v1");
      expect(await registry.publish(run, [counts(1, { changed: 1 })], signal())).toEqual({ generation: 2 });
      expect(await served("notes:1")).toBe("text 1 v2");
    });

    it("takes a row that is gone away at the publication, not before", async () => {
      const { registry, request, batch, served } = await open(make);
      await ingest(registry, request, batch(0, ["1", "2"]), counts(2, { added: 2 }));
      const run = await registry.begin(request, signal());
      const gone: Batch = { ...batch(0, []), gone: [{ row: "notes:1", view: "all" }] };
      await registry.commit(run, gone, signal());
      // Without a version: what an outside index holds of it may still have to be deleted.
      expect((await known(registry, run)).map(({ row, version }) => [row, version])).toEqual([
        ["notes:1", ""],
        ["notes:2", "v1"],
      ]);
      expect(await served("notes:1")).toBe("text 1 v1");
      expect(await registry.publish(run, [counts(1, { unchanged: 1, deleted: 1 })], signal())).toEqual({
        generation: 2,
      });
      expect(await served("notes:1")).toBeUndefined();
      expect(await served("notes:2")).toBe("text 2 v1");
    });

    it("keeps what a killed run staged for the next one, which publishes it", async () => {
      const { registry, request, batch, served } = await open(make);
      const killed = await registry.begin(request, signal());
      await registry.commit(killed, batch(0, ["1"]), signal());
      const next = await registry.begin({ ...request, takeOver: true }, signal());
      expect((await known(registry, next)).map(({ row }) => row)).toEqual(["notes:1"]);
      await registry.commit(next, batch(0, ["2"]), signal());
      await registry.publish(next, [counts(2, { added: 1, unchanged: 1 })], signal());
      expect([await served("notes:1"), await served("notes:2")]).toEqual(["text 1 v1", "text 2 v1"]);
    });

    it("knows rows without a version until their chunks are written outside, and publishes none before", async () => {
      const { registry, request, batch } = await open(make);
      const killed = await registry.begin(request, signal());
      await registry.commit(killed, { ...batch(0, ["1"]), pending: true }, signal());
      const next = await registry.begin({ ...request, takeOver: true }, signal());
      expect(await known(registry, next)).toMatchObject([{ row: "notes:1", version: "", chunks: 1 }]);
      expect((await errorOf(registry.publish(next, [counts(1, { added: 1 })], signal()))).code).toBe(
        "guard_stopped",
      );
      await registry.commit(next, { ...batch(0, ["1"]), pending: true }, signal());
      await registry.commit(next, { ...batch(1, ["2"]), written: [0] }, signal());
      expect((await known(registry, next)).map(({ version }) => version === "")).toEqual([false, false]);
      await registry.publish(next, [counts(2, { added: 2 })], signal());
    });

    it("leaves a table that the run did not read as it was", async () => {
      const { registry, request, batch, served } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), counts(1, { added: 1 }));
      const only = { ...request, tables: ["people"] };
      const people = batch(0, ["7"], { table: "people" });
      await ingest(registry, only, people, counts(1, { added: 1, table: "people" }));
      expect(await served("notes:1")).toBe("text 1 v1");
      expect(await served("people:7")).toBe("text 7 v1");
    });

    it("publishes nothing when its own count differs from the run's", async () => {
      const { registry, request, batch, served } = await open(make);
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"]), signal());
      const error = await errorOf(registry.publish(run, [counts(2, { added: 2 })], signal()));
      expect(error.code).toBe("guard_stopped");
      expect(await served("notes:1")).toBeUndefined();
    });

    it("refuses a row whose class it was never sent", async () => {
      const { registry, request, batch } = await open(make);
      const run = await registry.begin(request, signal());
      const unknown = { ...batch(0, ["1"]), classes: [] };
      expect((await errorOf(registry.commit(run, unknown, signal()))).code).toBe("invalid_request");
    });

    it("knows of no erased row at first", async () => {
      const { registry } = await open(make);
      expect([...(await registry.erased(signal()))]).toEqual([]);
    });

    it("tells what a table was like, the basis that it was published with, and how much is served", async () => {
      const { registry, request, batch } = await open(make);
      const table = based("b1", counts(2, { added: 2 }));
      await ingest(registry, request, batch(0, ["1", "2"]), table);
      const before = (await registry.shapes(signal())).get("notes");
      expect(before?.columns).toEqual({ id: "string" });
      expect(before?.served).toEqual({ basis: "b1", rows: 2, chunks: 2 });
    });

    it("tells no basis of a table that was published without one since", async () => {
      const { registry, request, batch } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), based("b1", counts(1, { added: 1 })));
      const run = await registry.begin(request, signal());
      await registry.publish(run, [counts(1, { unchanged: 1 })], signal());
      const before = (await registry.shapes(signal())).get("notes");
      expect([before?.columns, before?.served]).toEqual([{ id: "string" }, undefined]);
    });

    it.each<[string, (batch: Opened["batch"]) => Batch]>([
      ["a version", (batch) => batch(0, ["1"], { version: "v2" })],
      ["a removal", (batch) => ({ ...batch(0, []), gone: [{ row: "notes:1", view: "all" }] })],
    ])(
      "tells no basis while %s is staged beside it, and publishes no skipped table then",
      async (_, stage) => {
        const { registry, request, batch, served } = await open(make);
        await ingest(registry, request, batch(0, ["1"]), based("b1", counts(1, { added: 1 })));
        const run = await registry.begin(request, signal());
        await registry.commit(run, stage(batch), signal());
        expect((await registry.shapes(signal())).get("notes")?.served).toBeUndefined();
        expect((await errorOf(registry.publish(run, [skipped("b1", 1)], signal()))).code).toBe(
          "run_conflict",
        );
        expect(await served("notes:1")).toBe("text 1 v1");
      },
    );

    it("publishes a skipped table as it is served, with its new time", async () => {
      const { registry, request, batch, served } = await open(make);
      await ingest(registry, request, batch(0, ["1"]), based("b1", counts(1, { added: 1 })));
      const run = await registry.begin(request, signal());
      expect(await registry.publish(run, [skipped("b1", 1)], signal())).toEqual({ generation: 1 });
      expect(await served("notes:1")).toBe("text 1 v1");
      expect((await registry.shapes(signal())).get("notes")?.served?.basis).toBe("b1");
    });

    it.each(["b2", undefined])(
      "publishes no skipped table for the basis %s that it is not",
      async (basis) => {
        const { registry, request, batch } = await open(make);
        await ingest(registry, request, batch(0, ["1"]), based("b1", counts(1, { added: 1 })));
        const run = await registry.begin(request, signal());
        const error = await errorOf(registry.publish(run, [skipped(basis, 1)], signal()));
        expect(error.code).toBe("run_conflict");
        await registry.abandon(run, "test", signal());
        expect((await registry.shapes(signal())).get("notes")?.served?.basis).toBe("b1");
      },
    );

    it("tells the cursor that a table was published with, and keeps it while the table is skipped", async () => {
      const { registry, request, batch } = await open(make);
      const cursor = { mark: "2026-03-01T10:00:00.123456Z", wholeAt: "2026-03-01T09:00:00.000Z", made: "m1" };
      const table = { ...based("b1", counts(1, { added: 1 })), cursor };
      await ingest(registry, request, batch(0, ["1"]), table);
      const told = async (): Promise<unknown> =>
        (await registry.shapes(signal())).get("notes")?.served?.cursor;
      expect(await told()).toEqual(cursor);
      const second = await registry.begin(request, signal());
      await registry.publish(second, [skipped("b1", 1)], signal());
      expect(await told()).toEqual(cursor);
      const third = await registry.begin(request, signal());
      await registry.publish(third, [counts(1, { unchanged: 1 })], signal());
      expect(await told()).toBeUndefined();
    });

    it("tells a cursor without a basis, and none while something is staged beside it", async () => {
      const { registry, request, batch } = await open(make);
      const cursor = { mark: "7", wholeAt: "2026-03-01T09:00:00.000Z", made: "m1" };
      const { basis: _, ...table } = based("b1", counts(1, { added: 1 }));
      await ingest(registry, request, batch(0, ["1"]), { ...table, cursor });
      expect((await registry.shapes(signal())).get("notes")?.served).toEqual({ cursor, rows: 1, chunks: 1 });
      const run = await registry.begin(request, signal());
      await registry.commit(run, batch(0, ["1"], { version: "v2" }), signal());
      expect((await registry.shapes(signal())).get("notes")?.served).toBeUndefined();
    });

    it("keeps a space's first probe vectors", async () => {
      const { registry, request } = await open(make);
      const run = await registry.begin(request, signal());
      const vectors = [new Float32Array([0.6, 0.8]), new Float32Array([1, 0])];
      expect(await registry.probe(run, vectors, signal())).toEqual(vectors);
      expect(await registry.probe(run, vectors.toReversed(), signal())).toEqual(vectors);
    });

    it("stops waiting when the signal is aborted", async () => {
      const { registry, request } = await open(make);
      const controller = new AbortController();
      controller.abort();
      expect((await errorOf(registry.begin(request, controller.signal))).code).toBe("cancelled");
    });
  });
}
