import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { AUDIT_START, brokenAt } from "../../shared/audit-wire.ts";
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
