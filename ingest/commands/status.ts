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
    const [status, before] = await Promise.all([
      client.status(context.signal),
      client.shapes(context.signal),
    ]);
    const wholeAt = (name: string): string | undefined => before.get(name)?.served?.cursor?.wholeAt;
    terminal.print(describe(status, wholeAt, host.now()));
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
            ...(wholeAt(t.table) === undefined ? {} : { whole_at: wholeAt(t.table) }),
            late: t.target_lag_seconds !== null && lag > t.target_lag_seconds,
          };
        }),
      },
    };
  },
};

function describe(
  status: Awaited<ReturnType<RegistryClient["status"]>>,
  wholeAt: (table: string) => string | undefined,
  now: number,
): string {
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
    ...status.tables.flatMap(({ table: name }) => {
      const at = wholeAt(name);
      return at === undefined ? [] : [`${name} is read by its cursor; whole at ${at}, ${ago(at, now)}`];
    }),
    "",
    runsTable(status.runs.slice(0, 5)),
    "",
  ].join("\n");
}

function targetOf(seconds: number, lagMs: number): string {
  return `${duration(seconds)}${lagMs > seconds * 1000 ? ", late" : ""}`;
}
