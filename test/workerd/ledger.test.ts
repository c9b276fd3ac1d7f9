import { env } from "cloudflare:workers";
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import { overRpc } from "../../workers/tenant/rpc.ts";
import {
  classes,
  codeOf,
  CONFIG,
  configured,
  GUEST,
  HR,
  open,
  publish,
  REQUEST,
  SERVED,
  SPACE,
} from "./ledger-fixture.ts";

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
