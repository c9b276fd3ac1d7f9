import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";

/** The protocol's own conformance suite, installed for this test alone: it brings a hundred packages. */
const SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12";

const run = promisify(execFile);

let folder: string;
let worker: RunningWorker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quayside-mcp-"));
  await run("npm", ["install", "--prefix", folder, "--no-save", "--loglevel=error", SUITE]);
  // Demo mode: the suite can't sign in.
  worker = await runWorker({ demo: true, env: { QUAYSIDE_TOKEN: "a-token-for-this-test" } });
  const limits = { requestsPerMinute: 10_000, tenantRequestsPerMinute: 10_000, concurrentRequests: 100 };
  await seedRows(makeRegistryClient({ url: worker.url, token: "a-token-for-this-test", fetch }), {
    ...CONFIG,
    limits,
  });
}, 180_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Scenarios that a product can pass, each with the checks in it that only a fixture can. */
const SCENARIOS: readonly (readonly [string, string, readonly string[]])[] = [
  ["2025-06-18", "server-initialize", []],
  ["2025-06-18", "ping", []],
  ["2025-06-18", "tools-list", []],
  ["2025-06-18", "resources-list", []],
  ["2025-11-25", "server-initialize", []],
  ["2025-11-25", "ping", []],
  ["2025-11-25", "tools-list", []],
  ["2025-11-25", "resources-list", []],
  ["2025-11-25", "dns-rebinding-protection", []],
  ["2026-07-28", "tools-list", []],
  ["2026-07-28", "resources-list", []],
  ["2026-07-28", "server-sse-multiple-streams", []],
  ["2026-07-28", "sep-2164-resource-not-found", []],
  ["2026-07-28", "dns-rebinding-protection", []],
  ["2026-07-28", "http-header-validation", []],
  // There are no prompts.
  ["2026-07-28", "caching", ["sep-2549-prompts-list-caching-hints"]],
  [
    "2026-07-28",
    "server-stateless",
    [
      // Diagnostic tools of a fixture: test_missing_capability, test_streaming_elicitation, test_logging_tool.
      "sep-2575-server-rejects-undeclared-capability",
      "sep-2575-missing-capability-http-400",
      "sep-2575-http-server-no-independent-requests-on-stream",
      "sep-2575-server-no-log-without-loglevel",
    ],
  ],
];

/** All others, and why. docs/surfaces/mcp.md repeats it. */
const NOT_FOR_US: readonly (readonly [RegExp, string])[] = [
  [/^\S+ tools-call-(?!sampling|elicitation)/, "calls tools of a fixture by name"],
  [/^\S+ (json-schema-2020-12|http-custom-header-server-validation)$/, "looks at tools of a fixture"],
  [/^\S+ resources-(read|templates)-/, "reads resources of a fixture"],
  [
    /^\S+ (tools-call-(sampling|elicitation)|elicitation-|input-required-result-)/,
    "nothing is asked of the client",
  ],
  [/^\S+ (prompts-|completion-|logging-|resources-(un)?subscribe)/, "a capability that is not offered"],
  [/^\S+ server-(session-lifecycle|sse-polling)$/, "there are no sessions"],
  [/^2025-11-25 server-sse-multiple-streams$/, "there are no sessions"],
  [/^extension /, "an extension that is not offered"],
];

const program = (): string => join(folder, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

describe("the conformance suite", () => {
  it.each(SCENARIOS)("%s %s passes", async (version, scenario, fixtureOnly) => {
    const args = ["server", "--url", `${worker.url}/mcp`, "--spec-version", version, "--scenario", scenario];
    // A scenario with failures ends with status 1.
    const { stdout } = await run(process.execPath, [program(), ...args], { cwd: folder }).catch(
      (error: { readonly stdout: string }) => error,
    );
    // oxlint-disable-next-line no-control-regex -- it colours what it prints
    const lines = stdout.replace(/\u001b\[\d+m/g, "").split("\n");
    const checks = lines.flatMap((line) => /\[([a-z0-9-]+) *\] (SUCCESS|FAILURE|WARNING)/.exec(line) ?? []);
    expect(stdout).toMatch(/Passed: [1-9]/);
    const failed = lines.flatMap((line) => /\[([a-z0-9-]+) *\] FAILURE/.exec(line)?.[1] ?? []);
    expect([...new Set(failed)].sort()).toEqual([...fixtureOnly].sort());
    expect(checks.length).toBeGreaterThan(0);
  });

  it("has no scenario that is neither run nor left out for a reason", async () => {
    const { stdout } = await run(process.execPath, [program(), "list"], { cwd: folder });
    const [ofServers = ""] = stdout.split("Client scenarios");
    const listed = [...ofServers.matchAll(/^ *- (\S+) \[([^\]]+)\]$/gm)].flatMap(([, name, versions = ""]) =>
      versions.split(",").map((version) => `${version} ${name}`),
    );
    expect(listed.length).toBeGreaterThan(100);
    const isRun = new Set(SCENARIOS.map(([version, scenario]) => `${version} ${scenario}`));
    const unexplained = listed.filter(
      (scenario) => !isRun.has(scenario) && NOT_FOR_US.filter(([names]) => names.test(scenario)).length !== 1,
    );
    expect(unexplained).toEqual([]);
  });
});
