import { makeRegistryClient } from "../../shared/registry-client.ts";
import type { RunWire } from "../../shared/runs-wire.ts";
import type { Command } from "./command.ts";
import { requireToken, usage } from "./inputs.ts";
import { heldBackLines, table, whole } from "./text.ts";

export const command: Command = {
  name: "runs",
  summary: "list the last runs, show one with the rows that it held back, or cancel one",
  usage: "list | show ID | cancel ID",
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
    if (action === "show" && id !== undefined && more.length === 0) {
      const run = await client.run(id, signal);
      const { total, rows } = run.held_back;
      const lines = [runsTable([run]), ...heldBackLines(rows, rows.length)];
      if (total > rows.length) lines.push(`Held back in all: ${whole(total)}.`);
      terminal.print(`${lines.join("\n")}\n`);
      return { status: 0, result: run };
    }
    if (action === "cancel" && id !== undefined && more.length === 0) {
      const run = await client.cancelRun(id, signal);
      const ended = run.state !== "cancelled";
      terminal.print(
        ended ? `Run ${run.id} has ended already: ${run.state}.\n` : `Run ${run.id} is cancelled.\n`,
      );
      return { status: ended ? 1 : 0, result: run };
    }
    throw usage("Say which: quayside runs list, quayside runs show ID, or quayside runs cancel ID.");
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
