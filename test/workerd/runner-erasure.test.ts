import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it, vi } from "vitest";
import {
  ask,
  eachAnew,
  type Incident,
  indexed,
  ledger,
  records,
  runner,
  untilEnded,
  warehouse,
} from "./runner-fixture.ts";
import { call } from "./seed.ts";

eachAnew();

/** Everything that the runner has written down, as text. */
const written = (): Promise<string> =>
  runInDurableObject(runner(), (_, state) =>
    state.storage.sql
      .exec<{ data: ArrayBuffer }>("SELECT data FROM part ORDER BY kind, no")
      .toArray()
      .map(({ data }) => new TextDecoder().decode(data))
      .join(""),
  );

async function erase(key: string): Promise<Record<string, unknown>> {
  const response = await call("/v1/erase", {
    method: "POST",
    headers: { authorization: "Bearer test-token", "content-type": "application/json" },
    body: JSON.stringify({ table: "incident", key }),
  });
  expect(response.status).toBe(202);
  return response.json();
}

const held = (id: string): Incident => ({ sys_id: id, short: "x".repeat(600_000) });

/** Runs that tell a row among those that they hold back. */
async function runsNaming(key: string): Promise<string[]> {
  const runs = await Promise.all((await ledger.runs(50)).map(({ id }) => ledger.run(id)));
  return runs.flatMap((run) => (run?.heldBack.some((held) => held.key === key) ? [run.id] : []));
}

/** Carries out one slice of a run. No alarm is set for the next: the platform would fire it beside the test. */
function slice(): Promise<void> {
  return runInDurableObject(runner(), async (object, { storage }) => {
    await storage.deleteAlarm();
    const alarms = vi.spyOn(storage, "setAlarm").mockResolvedValue();
    await object.alarm?.();
    alarms.mockRestore();
  });
}

describe("an erasure while a run is on its way", () => {
  it("takes the row's key out of what the run has written down, and counts it", async () => {
    warehouse.incidents = records(50);
    warehouse.incidents[3] = held("id0003");
    warehouse.incidents[5] = held("id0005");
    const id = await ask();
    await slice();
    expect(await written()).toContain("id0003");
    const earlier = await runsNaming("id0003");
    expect(earlier).toContain(id);
    // The checkpoint, and what each run has told.
    expect(await erase("id0003")).toMatchObject({
      residue: 0,
      removed: { runs: 1 + earlier.length },
      proof: { runs: 0 },
    });
    const left = await written();
    expect([left.includes("id0003"), left.includes("id0005")]).toEqual([false, true]);
    expect(await runsNaming("id0003")).toEqual([]);
    expect(await untilEnded(id)).toMatchObject({ state: "published", tables: [{ failed: 2 }] });
    expect(await runsNaming("id0003")).toEqual([]);
    expect(await runsNaming("id0005")).toContain(id);
  });

  it("keeps it out of what a slice that is under way writes down when it pauses", async () => {
    warehouse.incidents = records(50);
    warehouse.incidents[7] = held("id0007");
    warehouse.incidents[8] = held("id0008");
    const id = await ask();
    let receipt: Record<string, unknown> | undefined;
    warehouse.onCall = async () => {
      // The first page was read: the row is known to be held back, and nothing is written down yet.
      if (warehouse.whole >= 10 && receipt === undefined) receipt = await erase("id0007");
    };
    warehouse.whole = 0;
    await slice();
    warehouse.onCall = () => undefined;
    expect(receipt).toMatchObject({ residue: 0 });
    const left = await written();
    expect([left.includes("id0007"), left.includes("id0008")]).toEqual([false, true]);
    expect([await runsNaming("id0007"), await runsNaming("id0008")]).toEqual([[], [id]]);
    expect(await untilEnded(id)).toMatchObject({ state: "published" });
  });

  it("reads the table anew where the run would have gone on behind the row", async () => {
    warehouse.incidents = records(50);
    const id = await ask();
    await slice();
    const after = /"after":"(\w+)"/.exec(await written())?.[1] ?? "none";
    expect(await erase(after)).toMatchObject({ residue: 0, removed: { runs: 1 } });
    expect(await written()).not.toContain(after);
    expect(await untilEnded(id)).toMatchObject({ state: "published" });
    const rows = new Set((await indexed()).map((row) => Object(row).row));
    expect(rows).toContain("incident:id0049");
    expect(rows).not.toContain(`incident:${after}`);
  });
});
