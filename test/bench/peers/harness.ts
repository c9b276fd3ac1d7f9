import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The harness that runs the peers: `run.sh` with one scenario a call, stubs for the embedder and the index, results as JSON
 * lines under `<home>/results`. Its own README says how it is set up; its slot for this project is filled by environment.
 */
export interface Harness {
  /** Folder with `run.sh`. */
  readonly folder: string;
  /** PERF_HOME: where the peers are installed. */
  readonly home: string;
}

const repository = fileURLToPath(new URL("../../../", import.meta.url));

/** The harness, ready to run; undefined, and why on stderr, when it is not there or not set up. */
export function harnessOrExplain(): Harness | undefined {
  const folder = process.env["QUAYSIDE_PEERS"] ?? join(repository, "../shared/bench/perf");
  const home = process.env["PERF_HOME"] ?? join(tmpdir(), "perf");
  if (!existsSync(join(folder, "run.sh"))) {
    console.error(`There is no harness in ${folder}: name its folder in QUAYSIDE_PEERS.`);
    return undefined;
  }
  if (!existsSync(join(home, "peers"))) {
    console.error(
      `No peers are installed in ${home}: run sh ${join(folder, "setup.sh")}, or name PERF_HOME.`,
    );
    return undefined;
  }
  return { folder, home };
}

/** Runs one scenario to its end. Returns the exit status. */
export function runHarness(
  { folder, home }: Harness,
  scenario: string,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  const child = spawn("sh", [join(folder, "run.sh"), scenario], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, PERF_HOME: home, ...env },
  });
  return new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
}
