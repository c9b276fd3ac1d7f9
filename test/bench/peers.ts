import { measureEdge } from "./peers/edge.ts";
import { harnessOrExplain } from "./peers/harness.ts";
import { INGEST_SCENARIOS, measureIngest } from "./peers/ingest.ts";
import { measureMillion } from "./peers/million.ts";

/**
 * Quayside beside its peers, in a harness that lies outside of this repository (see `harness.ts`):
 *   npm run bench:peers -- ingest20k | ingest100k | slow | crash | crashmut | limits | edge | million
 * Environment: PEERS (of the harness, comma-separated; `ours` is added), RUNS, PERF_HOME, QUAYSIDE_PEERS (the harness's folder).
 */
const [scenario = ""] = process.argv.slice(2);
const names = [...INGEST_SCENARIOS, "edge", "million"];
if (!names.includes(scenario)) {
  console.error(`Name a scenario: ${names.join(", ")}`);
  process.exit(2);
}
const harness = harnessOrExplain();
if (!harness) process.exit(2);
const measure = scenario === "edge" ? measureEdge : scenario === "million" ? measureMillion : undefined;
process.exitCode = await (measure ? measure(harness) : measureIngest(harness, scenario));
