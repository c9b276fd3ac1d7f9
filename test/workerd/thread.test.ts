import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  createThreadSchema,
  KEPT_MS,
  memoryOf,
  nextWaiting,
  settle,
  sweep,
  takeIn,
} from "../../workers/thread/messages.ts";

/** Runs on the storage of a new object. */
function onStorage(test: (sql: SqlStorage) => void | Promise<void>): Promise<void> {
  return runInDurableObject(env.THREAD.getByName(crypto.randomUUID()), async (_, state) => {
    createThreadSchema(state.storage.sql);
    await test(state.storage.sql);
  });
}

const first = { ids: ["event:1", "channel:1.1"], surface: "slack", work: "a" };

describe("thread", () => {
  it("takes a message in once, whichever of its ids it comes back with", () =>
    onStorage((sql) => {
      expect(takeIn(sql, first, 0)).toBe(true);
      expect(takeIn(sql, first, 1)).toBe(false);
      expect(takeIn(sql, { ...first, ids: ["event:2", "channel:1.1"] }, 2)).toBe(false);
      expect(takeIn(sql, { ...first, ids: ["event:3"], work: "b" }, 3)).toBe(true);
    }));

  it("gives messages in the order in which they came, each until it is settled", () =>
    onStorage((sql) => {
      takeIn(sql, first, 0);
      takeIn(sql, { ...first, ids: ["event:3"], work: "b" }, 1);
      expect(nextWaiting(sql)).toMatchObject({ work: "a", attempts: 1 });
      expect(nextWaiting(sql)).toMatchObject({ work: "a", attempts: 2 });
      settle(sql, 1);
      expect(nextWaiting(sql)).toMatchObject({ work: "b", attempts: 1 });
      settle(sql, 2);
      expect(nextWaiting(sql)).toBeUndefined();
    }));

  it("keeps the steps of a message between tries", () =>
    onStorage(async (sql) => {
      takeIn(sql, first, 0);
      const once = nextWaiting(sql);
      if (!once) throw new Error("no message");
      await memoryOf(sql, once, Date.now, async () => {}).note("posted", "1700.1");
      const again = nextWaiting(sql);
      if (!again) throw new Error("no message");
      const memory = memoryOf(sql, again, Date.now, async () => {});
      expect([memory.step("posted"), memory.step("other"), memory.attempt, memory.last]).toEqual([
        "1700.1",
        undefined,
        2,
        false,
      ]);
    }));

  it("shows an audience its own turns only, and the last six", () =>
    onStorage((sql) => {
      takeIn(sql, first, 0);
      const message = nextWaiting(sql);
      if (!message) throw new Error("no message");
      const memory = memoryOf(
        sql,
        message,
        () => 1000,
        async () => {},
      );
      memory.remember("private", "secret?", "yes");
      for (let turn = 1; turn <= 7; turn++) memory.remember("channel", `q${turn}`, `a${turn}`);
      expect(memory.history("channel").map(({ content }) => content)).toEqual(
        [2, 3, 4, 5, 6, 7].flatMap((turn) => [`q${turn}`, `a${turn}`]),
      );
      expect(memory.history("nobody")).toEqual([]);
    }));

  it("forgets what a message said once it is settled, its ids and turns after a day", () =>
    onStorage((sql) => {
      takeIn(sql, first, 0);
      settle(sql, 1);
      expect(sql.exec("SELECT work FROM message").one()).toEqual({ work: null });
      expect(sweep(sql, 10)).toBe(KEPT_MS);
      expect(takeIn(sql, first, KEPT_MS - 1)).toBe(false);
      expect(sweep(sql, KEPT_MS)).toBeUndefined();
      expect(takeIn(sql, first, KEPT_MS + 1)).toBe(true);
    }));
});
