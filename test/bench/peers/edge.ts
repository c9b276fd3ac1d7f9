import { runHarness, type Harness } from "./harness.ts";

/** The harness's `edge` scenario: the peers alone. */
export function measureEdge(harness: Harness): Promise<number> {
  return runHarness(harness, "edge", {});
}
