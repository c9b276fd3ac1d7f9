import { expect, it } from "vitest";
import { giveBack } from "../../ingest/pipeline/lease.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { memoryRegistry } from "../fakes/memory-registry.ts";

it("a lease is given back although what was held back cannot be told", async () => {
  const abandoned: string[] = [];
  const registry = {
    ...memoryRegistry(),
    report: () => Promise.reject(new Error("no")),
    abandon: async (run: { readonly id: string }, reason: string) =>
      void abandoned.push(`${run.id} ${reason}`),
  };
  const run = { id: "run_1", fence: 1, generation: 1, space: "s" };
  const progress = { tables: [], heldBack: [{ table: "notes", key: "1", reason: "null_key" }] };
  const logged: string[] = [];
  await giveBack(registry, run, progress, new QuaysideError("guard_stopped", "Stopped."), ({ event }) => {
    logged.push(event);
  });
  expect([abandoned, logged]).toEqual([["run_1 guard_stopped"], []]);
});
