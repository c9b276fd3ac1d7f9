import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { runSchedule } from "../fakes/fault-runner.ts";
import { hostile } from "./hostile.ts";

/** Combinations of faults: whatever strikes, no leak, no splice, no partial answer kept, one record each, in time. */

const schedules = hostile(
  "fault-schedules.jsonl",
  z.object({
    id: z.string(),
    seed: z.number(),
    requests: z.number(),
    faults: z.array(
      z.object({ dependency: z.string(), mode: z.string(), from_call: z.number(), calls: z.number() }),
    ),
  }),
);
const modes = hostile("fault-modes.jsonl", z.object({ dependency: z.string(), mode: z.string() }));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe.skipIf(!schedules || !modes)("schedules of faults", () => {
  it.each(schedules ?? [])("$id", async (schedule) => {
    expect(await runSchedule(schedule)).toEqual([]);
  });

  it("that are made up, 100 of them", async () => {
    const struck = ["llm_provider", "kv_cache", "durable_object", "embedder", "vector_store"];
    const fault = fc.record({
      of: fc.constantFrom(...(modes ?? []).filter(({ dependency }) => struck.includes(dependency))),
      from_call: fc.nat(6),
      calls: fc.constantFrom(1, 2, 5, 999),
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.array(fault, { minLength: 1, maxLength: 4 }), async (seed, list) => {
        const faults = list.map(({ of, ...when }) => ({ ...of, ...when }));
        expect(await runSchedule({ id: "made-up", seed, requests: 5, faults })).toEqual([]);
      }),
      { numRuns: Number(process.env["QUAYSIDE_RUNS"] ?? 100), endOnFailure: true },
    );
  });
});
