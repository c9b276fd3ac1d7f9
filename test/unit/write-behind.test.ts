import { describe, expect, it } from "vitest";
import { makeWriteBehind, onceWritten } from "../../workers/write-behind.ts";

function makeWorld() {
  const world = {
    now: 0,
    written: [] as (readonly [string, readonly number[]])[],
    failed: [] as number[],
    down: false,
    work: [] as Promise<unknown>[],
    /** Ends the waits that are under way. */
    wake: [] as (() => void)[],
  };
  const add = makeWriteBehind<number>({
    async write(tenant, items) {
      if (world.down) throw new Error("down");
      world.written.push([tenant, items]);
    },
    failed: (items) => void world.failed.push(...items),
    defer: (work) => void world.work.push(work),
    sleep: () => new Promise((resolve) => world.wake.push(resolve)),
    now: () => world.now,
  });
  const flush = async (): Promise<void> => {
    for (const wake of world.wake.splice(0)) wake();
    await Promise.all(world.work.splice(0));
  };
  return { world, add, flush };
}

describe("writing behind", () => {
  it("writes what came together in one call a tenant, in order", async () => {
    const { world, add, flush } = makeWorld();
    add("a", 1);
    add("b", 2);
    add("a", 3);
    await flush();
    expect(world.written).toEqual([
      ["a", [1, 3]],
      ["b", [2]],
    ]);
  });

  it("begins anew after that", async () => {
    const { world, add, flush } = makeWorld();
    add("a", 1);
    await flush();
    add("a", 2);
    await flush();
    expect(world.written).toEqual([
      ["a", [1]],
      ["a", [2]],
    ]);
  });

  it("tells what could not be written", async () => {
    const { world, add, flush } = makeWorld();
    world.down = true;
    add("a", 1);
    add("a", 2);
    await flush();
    expect([world.written, world.failed]).toEqual([[], [1, 2]]);
  });

  it("writes what an ended request left, once", async () => {
    const { world, add, flush } = makeWorld();
    add("a", 1);
    // The platform ended the request: its wait is never over.
    const lost = world.wake.splice(0);
    const never = world.work.splice(0);
    world.now = 2000;
    add("a", 2);
    await flush();
    expect(world.written).toEqual([["a", [1, 2]]]);
    // Should it go on after all, nothing is left to write.
    for (const wake of lost) wake();
    await Promise.all(never);
    expect(world.written).toHaveLength(1);
  });

  it("never writes more than a thousand in one call", async () => {
    const { world, add, flush } = makeWorld();
    for (let item = 0; item < 1001; item++) add("a", item);
    await flush();
    expect(world.written.map(([, items]) => items.length)).toEqual([1000, 1]);
  });
});

/** @param after at which look it is there. */
async function look(after: number): Promise<readonly [found: boolean, waited: readonly number[]]> {
  const waited: number[] = [];
  let looks = 0;
  const found = await onceWritten(
    async () => (looks += 1) > after,
    async (ms) => void waited.push(ms),
    new AbortController().signal,
  );
  return [found, waited];
}

describe("looking for what was just given", () => {
  it.each([
    [0, true, []],
    [1, true, [60]],
    [3, true, [60, 150, 300]],
    [4, false, [60, 150, 300]],
  ])("that is there after %i looks: %j", async (after, found, waited) => {
    expect(await look(after)).toEqual([found, waited]);
  });
});
