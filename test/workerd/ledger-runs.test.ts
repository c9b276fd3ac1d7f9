import { describe, expect, it } from "vitest";
import {
  codeOf,
  CONFIG,
  configured,
  counted,
  GUEST,
  HR,
  type Opened,
  publish,
  REQUEST,
  SERVED,
  SPACE,
} from "./ledger-fixture.ts";

describe("ledger: runs", () => {
  it("gives a repeated begin with the same key the same run", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    expect(await ledger.begin(REQUEST, "k")).toEqual(run);
    expect(await codeOf(ledger.begin(REQUEST, "other"))).toBe("run_conflict");
  });

  it("lets exactly one of twenty concurrent begins through", async () => {
    const { ledger } = await configured();
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, i) => codeOf(ledger.begin(REQUEST, `k${i}`))),
    );
    expect(codes.filter((code) => code === "none").length).toBe(1);
    expect(codes.filter((code) => code === "run_conflict").length).toBe(19);
  });

  it("names the holder, its trigger and its start in the conflict", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin({ ...REQUEST, trigger: "cron" }, "k");
    const error: unknown = await ledger.begin(REQUEST, "other").catch((e: unknown) => e);
    expect(error instanceof Error && error.message).toMatch(new RegExp(`${run.id} \\(cron, since 20\\d\\d-`));
  });

  it("gives a stale lease to the next, and fences the holder", async () => {
    const { ledger, sql } = await configured();
    const old = await ledger.begin(REQUEST, "k1");
    await sql("UPDATE runs SET lease_until = 0");
    const next = await ledger.begin(REQUEST, "k2");
    expect(next.fence).toBe(old.fence + 1);
    expect(await codeOf(ledger.renew(old, [], []))).toBe("run_fenced");
    expect((await ledger.status()).runs.map((r) => [r.id, r.state])).toEqual([
      [next.id, "running"],
      [old.id, "failed"],
    ]);
  });

  it("takes a lease from the future for the past's: the clock was set back since", async () => {
    const { ledger, sql } = await configured();
    const old = await ledger.begin(REQUEST, "a");
    await sql("UPDATE runs SET lease_until = lease_until + 3600000");
    const next = await ledger.begin(REQUEST, "b");
    expect(next.fence).toBeGreaterThan(old.fence);
    expect(await codeOf(ledger.renew(old, [], []))).toBe("run_fenced");
  });

  it("renews the lease with every batch", async () => {
    const { ledger, sql } = await configured();
    const run = await ledger.begin(REQUEST, "k1");
    await sql("UPDATE runs SET lease_until = 0");
    await ledger.renew(run, [], []);
    expect(await codeOf(ledger.begin(REQUEST, "k2"))).toBe("run_conflict");
  });

  it("refuses tables that the configuration does not have", async () => {
    const { ledger } = await configured();
    expect(await codeOf(ledger.begin({ ...REQUEST, tables: ["news", "toString"] }, "k"))).toBe(
      "invalid_request",
    );
  });

  it("refuses a new space that would leave tables out, and takes one that has them all", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    expect(await codeOf(ledger.begin({ ...REQUEST, space: "space-2", tables: ["news"] }, "k1"))).toBe(
      "guard_stopped",
    );
    expect(await codeOf(ledger.begin({ ...REQUEST, space: "space-2" }, "k2"))).toBe("none");
  });

  it("serves the old space until the new one is published", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    const run = await ledger.begin({ ...REQUEST, space: "space-2" }, "k");
    expect((await ledger.admit(GUEST)).space).toBe(SPACE);
    await ledger.abandon(run, "test");
    await publish(ledger, { request: { ...REQUEST, space: "space-2" } });
    expect((await ledger.admit(GUEST)).space).toBe("space-2");
  });
});

describe("ledger: publication", () => {
  it("moves only as-of times when the shard flipped nothing", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    const later = [counted("pay", 0, "2026-11-02T00:00:00Z"), counted("news", 0, "2026-11-02T00:00:00Z")];
    expect((await publish(ledger, { generation: 1, tables: later })).generation).toBe(1);
    const status = await ledger.status();
    expect(status.generation).toBe(1);
    expect(status.runs.map((run) => run.state)).toEqual(["unchanged", "published"]);
    expect((await ledger.admit(GUEST)).tables[0]?.asOf).toBe("2026-11-02T00:00:00Z");
  });

  it("leaves as-of times of tables alone that the run did not read", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    await publish(ledger, {
      request: { ...REQUEST, tables: ["news"] },
      tables: [counted("news", 1, "2026-11-05T00:00:00Z")],
    });
    expect((await ledger.admit(HR)).tables.map((t) => t.asOf)).toEqual([
      "2026-11-01T00:00:00Z",
      "2026-11-05T00:00:00Z",
    ]);
  });

  it("never gives a generation twice, when a publication was lost half way", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k1");
    await ledger.prepare(run, [counted("news")]);
    await ledger.abandon(run, "lost");
    expect((await ledger.begin(REQUEST, "k2")).generation).toBe(run.generation + 1);
  });

  it("remembers one that was prepared until it is finished", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k1");
    expect(await ledger.pending()).toBeUndefined();
    await ledger.prepare(run, [counted("news")]);
    expect((await ledger.pending())?.run).toEqual(run);
    await ledger.publish(run, [counted("news")], { generation: 1, changed: true, rows: SERVED });
    expect(await ledger.pending()).toBeUndefined();
    expect(await ledger.prepare(run, [counted("news")])).toBe(1);
  });

  it("shows the last 20 runs, newest first", async () => {
    const { ledger } = await configured();
    for (let i = 0; i < 22; i++) await ledger.abandon(await ledger.begin(REQUEST, `k${i}`), `reason ${i}`);
    const { runs } = await ledger.status();
    expect(runs.length).toBe(20);
    expect(runs[0]).toMatchObject({ state: "failed", reason: "reason 21", trigger: "cli" });
  });
});

/** Lets a minute pass for spaces that are served no longer. */
function aged(opened: Opened): Promise<void> {
  return opened.sql("UPDATE space_facts SET retired_at = retired_at - 61000");
}

describe("ledger: spaces", () => {
  const NEXT = { ...REQUEST, space: "space-2" };

  it("are retired by the publication of another, and dropped a minute later", async () => {
    const opened = await configured({ ...CONFIG, index: { kind: "pinecone", index: "i" } });
    const { ledger } = opened;
    await publish(ledger);
    expect(await ledger.retired()).toEqual([]);
    await publish(ledger, { request: NEXT });
    expect(await ledger.retired()).toEqual([]);
    await aged(opened);
    expect(await ledger.retired()).toEqual([{ space: SPACE, index: { kind: "pinecone", index: "i" } }]);
    await ledger.dropped(SPACE);
    expect(await ledger.retired()).toEqual([]);
    expect((await ledger.suppress("news", "news:1")).spaces.map(({ space }) => space)).toEqual(["space-2"]);
  });

  it("take no run while they are being dropped, and come back when they were not", async () => {
    const opened = await configured();
    const { ledger } = opened;
    await publish(ledger);
    await publish(ledger, { request: NEXT });
    const back = await ledger.begin(REQUEST, "back");
    await ledger.abandon(back, "test");
    await aged(opened);
    expect(await ledger.retired()).toEqual([]);
    await publish(ledger, { request: NEXT });
    await aged(opened);
    await ledger.retired();
    expect(await codeOf(ledger.begin(REQUEST, "again"))).toBe("run_conflict");
    await ledger.dropped(SPACE);
    expect((await ledger.begin(REQUEST, "once more")).space).toBe(SPACE);
  });

  it("never drop the served one, nor one that a run has begun again", async () => {
    const opened = await configured();
    const { ledger } = opened;
    await publish(ledger);
    await publish(ledger);
    await aged(opened);
    await ledger.dropped(SPACE);
    expect(await ledger.retired()).toEqual([]);
    expect((await ledger.suppress("news", "news:1")).spaces).toHaveLength(1);
  });

  it("keep the probe vectors that they were begun with", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    const first = [new Float32Array([0.25, 0.5])];
    expect(await ledger.probe(run, first)).toEqual(first);
    expect(await ledger.probe(run, [new Float32Array([1, 0])])).toEqual(first);
    expect(await codeOf(ledger.probe({ ...run, fence: 99 }, first))).toBe("run_fenced");
  });
});
