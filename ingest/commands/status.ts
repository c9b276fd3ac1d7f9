import { embedderOf } from "../../shared/space.ts";
import { makeRegistryClient, type RegistryClient } from "../../shared/registry-client.ts";
import type { Command } from "./command.ts";
import { requireToken } from "./inputs.ts";
import { ago, table, whole } from "./text.ts";

export const command: Command = {
  name: "status",
  summary: "tables, rows, as-of times, generation, embedder, last runs",
  usage: "",
  options: {},
  async run(context) {
    const { host, terminal } = context;
    const client = makeRegistryClient({
      url: context.url,
      token: await requireToken(context),
      fetch: host.fetch,
      retries: 0,
    });
    const status = await client.status(context.signal);
    terminal.print(describe(status, host.now()));
    const lagOf = (asOf: string): number => Math.round((host.now() - Date.parse(asOf)) / 1000);
    return {
      status: 0,
      result: {
        ...status,
        embedder: status.space === "" ? null : embedderOf(status.space),
        tables: status.tables.map((t) => ({ ...t, lag_seconds: lagOf(t.as_of) })),
      },
    };
  },
};

function describe(status: Awaited<ReturnType<RegistryClient["status"]>>, now: number): string {
  const rows = status.tables.map((t) => [t.table, whole(t.rows), t.as_of, ago(t.as_of, now)]);
  const runs = status.runs.slice(0, 5).map((run) => {
    const sum = (pick: (counts: (typeof run.tables)[number]) => number): number =>
      run.tables.reduce((total, counts) => total + pick(counts), 0);
    return [
      run.id,
      run.state,
      run.trigger,
      run.started_at,
      run.generation === null ? "" : String(run.generation),
      `+${sum((c) => c.added)} ~${sum((c) => c.changed)} -${sum((c) => c.deleted)}`,
      run.reason ?? "",
    ];
  });
  if (status.generation === 0) return "Nothing is published yet: run `quayside ingest`.\n";
  return [
    `Generation ${status.generation} · configuration ${status.config_version} · embedder ${embedderOf(status.space)}`,
    "",
    table(["table", "rows", "as of", "lag"], rows),
    "",
    table(["run", "state", "trigger", "started", "generation", "rows", "reason"], runs),
    "",
  ].join("\n");
}
