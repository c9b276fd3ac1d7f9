import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { AUDIT_START, brokenAt } from "../../shared/audit-wire.ts";
import type { Config } from "../../shared/config.ts";
import { hash128 } from "../../shared/ids.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";

function open() {
  const stub = env.LEDGER.getByName(crypto.randomUUID());
  return { stub, ledger: overRpc<LedgerApi>(() => stub, "registry_unavailable") };
}

const entry = (n: number) => ({ key: `k${n}`, record: JSON.stringify({ n }) });

describe("the audit trail in the ledger", () => {
  it("is a chain that goes on across evictions", async () => {
    const { stub, ledger } = open();
    await ledger.appendAudit([entry(1), entry(2)]);
    await evictDurableObject(stub);
    const head = await ledger.appendAudit([entry(3)]);
    const { records, head: same } = await ledger.audit(0, 10);
    expect(records.map(({ record }) => record)).toEqual(['{"n":1}', '{"n":2}', '{"n":3}']);
    expect(brokenAt(records, AUDIT_START, 1)).toBeUndefined();
    expect(same).toEqual(head);
  });

  it("takes a record once, however often it is sent", async () => {
    const { ledger } = open();
    await ledger.appendAudit([entry(1)]);
    await ledger.appendAudit([entry(1), entry(2)]);
    expect((await ledger.audit(0, 10)).records).toHaveLength(2);
  });

  it("keeps its order when many write at once", async () => {
    const { ledger } = open();
    await Promise.all(Array.from({ length: 50 }, (_, n) => ledger.appendAudit([entry(n)])));
    const { records } = await ledger.audit(0, 100);
    expect(records).toHaveLength(50);
    expect(brokenAt(records, AUDIT_START, 1)).toBeUndefined();
  });

  it("is read in pages", async () => {
    const { ledger } = open();
    await ledger.appendAudit([entry(1), entry(2), entry(3)]);
    expect((await ledger.audit(1, 1)).records.map(({ seq }) => seq)).toEqual([2]);
  });

  it("tells a record that was changed in storage", async () => {
    const { stub, ledger } = open();
    await ledger.appendAudit([entry(1), entry(2), entry(3)]);
    await runInDurableObject(stub, (_, state) => {
      state.storage.sql.exec("UPDATE audit SET record = '{}' WHERE seq = 2");
    });
    expect(brokenAt((await ledger.audit(0, 10)).records, AUDIT_START, 1)).toBe(2);
  });
});

const CONFIG: Config = {
  name: "audit test",
  sources: { local: { kind: "none" } },
  tables: {
    notes: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
  },
};

/** What the trail says besides the time, in order. */
async function trail(ledger: LedgerApi): Promise<unknown[]> {
  const { records } = await ledger.audit(0, 100);
  expect(brokenAt(records, AUDIT_START, 1)).toBeUndefined();
  return records.map(({ record }) => {
    const { at, ...rest }: Record<string, unknown> = JSON.parse(record);
    expect(at).toMatch(/^2\d{3}-.*Z$/);
    return rest;
  });
}

describe("operations in the audit trail", () => {
  it("a configuration: by whom, and which of its fields changed", async () => {
    const { ledger } = open();
    await ledger.publishConfig(CONFIG, "ana");
    await ledger.publishConfig(CONFIG, "ben");
    const closed = { ...CONFIG.tables["notes"], access: { allowAny: ["group:staff"] } };
    const next = { ...CONFIG, limits: { outputTokens: 9 }, tables: { notes: closed } } as Config;
    await ledger.publishConfig(next, "ben");
    expect(await trail(ledger)).toEqual([
      {
        action: "config-published",
        principal: "ana",
        version: 1,
        epoch: 1,
        changed: ["name", "sources", "tables"],
      },
      {
        action: "config-published",
        principal: "ben",
        version: 2,
        epoch: 2,
        changed: ["tables.notes.access", "limits"],
      },
    ]);
  });

  it("a key made and revoked, without its digest or the names of its groups", async () => {
    const { ledger } = open();
    const key = {
      id: "k1", digest: "d", tenant: "t", name: "portal", subject: "key:portal", groups: ["staff"], attributes: {},
      scopes: ["ask"], createdAt: "2026-01-01T00:00:00Z", expiresAt: "2027-01-01T00:00:00Z", revokedAt: undefined,
    }; // prettier-ignore
    await ledger.addKey(key, "ana");
    await ledger.revokeKey("t", "k1", "ben");
    await ledger.revokeKey("t", "unknown", "ben");
    const { expiresAt, scopes } = key;
    expect(await trail(ledger)).toEqual([
      { action: "key-made", principal: "ana", key: "k1", scopes, groups: 1, expiresAt },
      { action: "key-revoked", principal: "ben", key: "k1" },
    ]);
  });

  it("an erasure, its row by hash, and what is left of it", async () => {
    const { ledger } = open();
    await ledger.publishConfig(CONFIG);
    const { id } = await ledger.suppress("notes", "notes:ana@example.org", "ana");
    const removed = { rows: 1, chunks: 2, vectors: 0, answers: 3, runs: 0, records: 0 };
    await ledger.erased(id, {
      removed,
      proof: { spaces: 1, registry: 0, index: 0, answers: 0, runs: 0, records: 0 },
    });
    expect((await trail(ledger)).slice(1)).toEqual([
      {
        action: "erasure-requested",
        principal: "ana",
        erasure: id,
        table: "notes",
        row: await hash128("notes:ana@example.org"),
      },
      { action: "erasure-done", principal: "worker", erasure: id, removed, residue: 0 },
    ]);
  });

  it("runs: asked for, begun, given up, cancelled", async () => {
    const { ledger } = open();
    await ledger.publishConfig(CONFIG);
    const asked = { tables: ["notes"], full: true, trigger: "api", host: "node", by: "ana" } as const;
    const { id } = await ledger.trigger(asked);
    const begin = { tenant: "t", tables: ["notes"], space: "s", trigger: "cli" } as const;
    const run = await ledger.begin(begin, "key", "ben");
    await ledger.begin(begin, "key", "ben");
    await ledger.abandon(run, "its source is gone");
    await ledger.cancel(id, "ana");
    await ledger.cancel("unknown", "ana");
    expect((await trail(ledger)).slice(1)).toEqual([
      {
        action: "run-requested",
        principal: "ana",
        run: id,
        outcome: "queued",
        trigger: "api",
        full: true,
        readAll: false,
        tables: ["notes"],
      },
      { action: "run-begun", principal: "ben", run: run.id, trigger: "cli", takeOver: false },
      { action: "run-abandoned", principal: "worker", run: run.id },
      { action: "run-cancelled", principal: "ana", run: id, state: "cancelled" },
    ]);
  });
});
