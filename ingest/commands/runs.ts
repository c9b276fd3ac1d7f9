import { makeRegistryClient } from "../../shared/registry-client.ts";
import type { RunWire } from "../../shared/runs-wire.ts";
import type { Command } from "./command.ts";
import { requireToken, usage } from "./inputs.ts";
import { table } from "./text.ts";

export const command: Command = {
  name: "runs",
  summary: "list the last runs, or cancel one",
  usage: "list | cancel ID",
  options: {},
  async run(context) {
    const { args, host, terminal, url, signal } = context;
    const [action, id, ...more] = args;
    const client = makeRegistryClient({
      url,
      token: await requireToken(context),
      fetch: host.fetch,
      retries: 0,
    });
    if (action === "list" && id === undefined) {
      const runs = await client.runs(signal);
      terminal.print(runs.length === 0 ? "No run yet.\n" : `${runsTable(runs)}\n`);
      return { status: 0, result: { runs } };
    }
    if (action === "cancel" && id !== undefined && more.length === 0) {
      const run = await client.cancelRun(id, signal);
      const ended = run.state !== "cancelled";
      terminal.print(
        ended ? `Run ${run.id} has ended already: ${run.state}.\n` : `Run ${run.id} is cancelled.\n`,
      );
      return { status: ended ? 1 : 0, result: run };
    }
    throw usage("Say which: quayside runs list, or quayside runs cancel ID.");
  },
};

/** Runs as people read them, one a line. */
export function runsTable(runs: readonly RunWire[]): string {
  const lines = runs.map((run) => {
    const sum = (pick: (counts: RunWire["tables"][number]) => number): number =>
      run.tables.reduce((total, counts) => total + pick(counts), 0);
    return [
      run.id,
      run.state,
      run.trigger,
      run.host,
      run.started_at ?? run.requested_at,
      run.generation === null ? "" : String(run.generation),
      `+${sum((c) => c.added)} ~${sum((c) => c.changed)} -${sum((c) => c.deleted)}`,
      run.reason ?? "",
    ];
  });
  return table(["run", "state", "trigger", "where", "started", "generation", "rows", "reason"], lines);
}
