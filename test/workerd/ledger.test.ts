import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { Config } from "../../shared/config.ts";
import { classOf } from "../../shared/policy.ts";
import { hash128 } from "../../shared/ids.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { AccessClass, PublishedTable, Run, RunRequest } from "../../shared/ports/registry.ts";
import type { LedgerApi, ServedTable } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";

const CONFIG: Config = {
  name: "test",
  sources: { local: { kind: "none" } },
  tables: {
    pay: { source: "local", key: ["id"], classification: "restricted", access: { allowAny: ["group:hr"] } },
    news: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    names: { source: "local", key: ["id"], classification: "public", index: false },
  },
};

const SPACE = "space-1";
const REQUEST: RunRequest = { tenant: "t", tables: ["pay", "news"], space: SPACE, trigger: "cli" };
const GUEST: Principal = { tenant: "t", subject: "g", groups: [], attributes: {}, scopes: ["ask"] };
const HR: Principal = { ...GUEST, subject: "h", groups: ["hr"] };

interface Opened {
  readonly ledger: LedgerApi;
  readonly sql: (statement: string) => Promise<void>;
  readonly rows: (query: string) => Promise<readonly unknown[]>;
}

function open(): Opened {
  const stub = env.LEDGER.getByName(crypto.randomUUID());
  return {
    ledger: overRpc<LedgerApi>(() => stub, "registry_unavailable"),
    sql: (statement) =>
      runInDurableObject(stub, (_, state) => {
        state.storage.sql.exec(statement);
      }),
    rows: (query) => runInDurableObject(stub, (_, state) => state.storage.sql.exec(query).toArray()),
  };
}

async function configured(config = CONFIG): Promise<Opened> {
  const opened = open();
  await opened.ledger.publishConfig(config);
  return opened;
}

const classes = {
  hr: await classOf({ allowAny: [["group:hr"]], allowAll: [], deny: [] }, "restricted"),
  everyone: await classOf({ allowAny: [["public"]], allowAll: [], deny: [] }, "public"),
};

function counted(table: string, added = 1, asOf = "2026-11-01T00:00:00Z"): PublishedTable {
  return {
    counts: { table, read: added, added, changed: 0, deleted: 0, unchanged: 0, failed: 0 },
    asOf,
    key: ["id"],
    rollup: false,
  };
}

const SERVED: readonly ServedTable[] = [
  { table: "pay", rows: 2, classes: [classes.hr.id] },
  { table: "news", rows: 3, classes: [classes.everyone.id] },
];

/** A run from begin to publish, with a shard that reports `rows`. */
async function publish(
  ledger: LedgerApi,
  options: {
    readonly rows?: readonly ServedTable[];
    readonly generation?: number;
    readonly request?: RunRequest;
    readonly tables?: readonly PublishedTable[];
    readonly classes?: readonly AccessClass[];
  } = {},
): Promise<{ readonly run: Run; readonly generation: number }> {
  const { rows = SERVED, request = REQUEST, tables = [counted("pay"), counted("news")] } = options;
  const run = await ledger.begin(request, crypto.randomUUID());
  await ledger.renew(run, options.classes ?? Object.values(classes), []);
  await ledger.prepare(run, tables);
  const served = { generation: options.generation ?? run.generation, changed: true, rows };
  return { run, ...(await ledger.publish(run, tables, served)) };
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
  return "none";
}

describe("ledger: configuration", () => {
  it("admits nobody and begins no run before one is published", async () => {
    const { ledger } = open();
    expect(await codeOf(ledger.admit(GUEST))).toBe("not_configured");
    expect(await codeOf(ledger.begin(REQUEST, "k"))).toBe("not_configured");
    expect(await ledger.config()).toBeUndefined();
  });

  it("numbers versions from 1 and makes none for an equal configuration", async () => {
    const { ledger } = open();
    expect((await ledger.publishConfig(CONFIG)).version).toBe(1);
    expect((await ledger.publishConfig(CONFIG)).version).toBe(1);
    expect((await ledger.publishConfig({ ...CONFIG, name: "other" })).version).toBe(2);
  });

  it("raises the epoch with each version, and not without", async () => {
    const { ledger } = open();
    const first = await ledger.publishConfig(CONFIG);
    expect((await ledger.publishConfig(CONFIG)).epoch).toBe(first.epoch);
    expect((await ledger.publishConfig({ ...CONFIG, name: "other" })).epoch).toBe(first.epoch + 1);
  });

  it("hands the configuration out as it came", async () => {
    const { ledger } = await configured();
    expect((await ledger.config())?.config).toEqual(CONFIG);
  });

  it("refuses one that its storage could not hold", async () => {
    const { ledger } = open();
    expect(await codeOf(ledger.publishConfig({ ...CONFIG, description: "x".repeat(1_000_001) }))).toBe(
      "config_invalid",
    );
  });
});

describe("ledger: admission", () => {
  it("permits no class before the first publication", async () => {
    const { ledger } = await configured();
    expect(await ledger.admit(HR)).toMatchObject({ generation: 0, space: "", permitted: [], tables: [] });
  });

  it("permits each caller the classes that its grants satisfy, sorted", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    expect((await ledger.admit(GUEST)).permitted).toEqual([classes.everyone.id]);
    expect((await ledger.admit(HR)).permitted).toEqual([classes.everyone.id, classes.hr.id].sort());
  });

  it("shows only tables with a class that the caller is permitted, in the configuration's order", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    expect((await ledger.admit(GUEST)).tables.map((t) => t.table)).toEqual(["news"]);
    expect((await ledger.admit(HR)).tables.map((t) => t.table)).toEqual(["pay", "news"]);
  });

  it("shows no table whose last row of a permitted class is gone", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    await publish(ledger, { rows: SERVED.filter(({ table }) => table === "news") });
    expect(await ledger.admit(HR)).toMatchObject({
      permitted: [classes.everyone.id],
      tables: [{ table: "news" }],
    });
  });

  it("permits nothing of a table that the configuration no longer has", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    const { pay: _, ...tables } = CONFIG.tables;
    await ledger.publishConfig({ ...CONFIG, tables });
    expect((await ledger.admit(HR)).permitted).toEqual([classes.everyone.id]);
  });

  it("permits nothing of a table that is no longer to be indexed", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    const { names, ...tables } = CONFIG.tables;
    if (!names) throw new Error("no such table");
    await ledger.publishConfig({ ...CONFIG, tables: { ...tables, pay: names } });
    expect((await ledger.admit(HR)).permitted).toEqual([classes.everyone.id]);
  });

  it("tells generation, space, versions and as-of times", async () => {
    const { ledger } = await configured();
    await publish(ledger);
    expect(await ledger.admit(GUEST)).toMatchObject({
      tenant: "t",
      generation: 1,
      space: SPACE,
      configVersion: 1,
      epoch: 1,
      tables: [{ table: "news", asOf: "2026-11-01T00:00:00Z", rows: 3 }],
    });
  });

  it("is the same after the object was evicted", async () => {
    const stub = env.LEDGER.getByName(crypto.randomUUID());
    const ledger = overRpc<LedgerApi>(() => stub, "registry_unavailable");
    await ledger.publishConfig(CONFIG);
    await publish(ledger);
    const before = await ledger.admit(HR);
    await evictDurableObject(stub);
    expect(await ledger.admit(HR)).toEqual(before);
  });
});

describe("ledger: classes", () => {
  it("refuses a class whose id is not its label's", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    const forged = { ...classes.hr, label: classes.everyone.label };
    expect(await codeOf(ledger.renew(run, [forged], []))).toBe("invalid_request");
  });

  it("refuses rows of a class that was never sent", async () => {
    const { ledger } = await configured();
    const run = await ledger.begin(REQUEST, "k");
    expect(await codeOf(ledger.renew(run, [classes.hr], [classes.everyone.id]))).toBe("invalid_request");
    expect(await codeOf(ledger.renew(run, [classes.everyone], [classes.everyone.id]))).toBe("none");
    expect(await codeOf(ledger.renew(run, [], [classes.everyone.id]))).toBe("none");
  });
});

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
