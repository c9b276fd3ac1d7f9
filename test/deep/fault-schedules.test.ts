import { afterAll, beforeAll, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { hostile } from "../data/hostile.ts";
import { runSchedule, type Schedule } from "../fakes/fault-runner.ts";

const modes = hostile("fault-modes.jsonl", z.object({ dependency: z.string(), mode: z.string() }));
const STRUCK = ["llm_provider", "kv_cache", "durable_object", "embedder", "vector_store"];

beforeAll(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterAll(() => {
  vi.useRealTimers();
});

/** Chosen by the schedule's own number, so that one that breaks can be run again. */
function scheduleOf(
  n: number,
  among: readonly { readonly dependency: string; readonly mode: string }[],
): Schedule {
  const pick = (salt: number, most: number): number => (Math.imul(n * 7 + salt, 0x9e3779b1) >>> 8) % most;
  const faults = Array.from({ length: 1 + pick(1, 4) }, (_, i) => ({
    ...(among[pick(10 + i, among.length)] ?? { dependency: "", mode: "" }),
    from_call: pick(20 + i, 8),
    calls: [1, 2, 5, 999][pick(30 + i, 4)] ?? 1,
  }));
  return { id: `made-${n}`, seed: n, requests: 10, faults };
}

it.skipIf(!modes)("10,000 schedules of faults break nothing", async () => {
  const among = (modes ?? []).filter(({ dependency }) => STRUCK.includes(dependency));
  const broken: string[] = [];
  for (let n = 0; n < 10_000; n++) {
    for (const what of await runSchedule(scheduleOf(n, among))) broken.push(`made-${n}: ${what}`);
  }
  expect(broken).toEqual([]);
});
