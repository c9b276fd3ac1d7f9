import { embedderOf } from "../../shared/space.ts";
import { makeRegistryClient, type RegistryClient } from "../../shared/registry-client.ts";
import type { Command } from "./command.ts";
import { requireToken } from "./inputs.ts";
import { runsTable } from "./runs.ts";
import { ago, duration, table, whole } from "./text.ts";

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
        tables: status.tables.map((t) => {
          const lag = lagOf(t.as_of);
          return {
            ...t,
            lag_seconds: lag,
            late: t.target_lag_seconds !== null && lag > t.target_lag_seconds,
          };
        }),
      },
    };
  },
};

function describe(status: Awaited<ReturnType<RegistryClient["status"]>>, now: number): string {
  const rows = status.tables.map((t) => [
    t.table,
    whole(t.rows),
    t.as_of,
    ago(t.as_of, now),
    t.target_lag_seconds === null ? "" : targetOf(t.target_lag_seconds, now - Date.parse(t.as_of)),
  ]);
  if (status.generation === 0) return "Nothing is published yet: run `quayside ingest`.\n";
  return [
    `Generation ${status.generation} · configuration ${status.config_version} · embedder ${embedderOf(status.space)}`,
    "",
    table(["table", "rows", "as of", "lag", "target"], rows),
    "",
    runsTable(status.runs.slice(0, 5)),
    "",
  ].join("\n");
}

function targetOf(seconds: number, lagMs: number): string {
  return `${duration(seconds)}${lagMs > seconds * 1000 ? ", late" : ""}`;
}
