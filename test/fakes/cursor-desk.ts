import type { TableConfig } from "../../shared/config.ts";
import type { Row } from "../../shared/ports/source.ts";
import { bench, configOf, type Bench } from "./ingest-bench.ts";

/** A warehouse of tickets with a cursor, and its clock. */

const T0 = Date.parse("2026-03-01T10:00:00Z");
export const MINUTE = 60_000;
export const stamp = (minutes: number): string => new Date(T0 + minutes * MINUTE).toISOString();

const TICKETS: Partial<TableConfig> = {
  title: "subject",
  lookups: { team_id: "teams.name" },
  access: { allowAny: ["group:{owner}"] },
  incremental: { cursor: "updated_at" },
};
export const configWith = (more: Partial<TableConfig> = {}): ReturnType<typeof configOf> =>
  configOf({ teams: { title: "name" }, tickets: { ...TICKETS, ...more } });

/** Tickets 0 to `rows` - 1, each changed a minute after the one before; the clock stands an hour behind the last. */
interface Desk extends Bench {
  readonly rows: () => Row[];
  /** Milliseconds since the Unix epoch. */
  clock: number;
}

/** Tickets with a cursor, and the teams that they name. */
export function cursorTables(rows: Row[]): Bench["tables"] {
  return {
    teams: { columns: { id: "number", name: "string" }, rows: [{ id: 1, name: "Docks" }] },
    tickets: {
      columns: {
        id: "number",
        subject: "string",
        team_id: "number",
        owner: "string",
        updated_at: "timestamp",
      },
      rows,
    },
  };
}

export function desk(rows = 20, more: Parameters<typeof bench>[0] = {}): Desk {
  const tables = cursorTables(Array.from({ length: rows }, (_, id): Row => ticket(id, stamp(id))));
  const made = bench({ tables, config: configWith(), ...more });
  const world: Desk = {
    ...made,
    clock: T0 + (rows + 60) * MINUTE,
    rows: () => tables["tickets"]?.rows ?? [],
    run: (options, deps) => made.run(options, { now: () => world.clock, ...deps }),
  };
  return world;
}

export function ticket(id: number, updated: string | null, more: Row = {}): Row {
  return { id, subject: `ticket ${id}`, team_id: 1, owner: "ops", updated_at: updated, ...more };
}

export function edit(world: { rows: () => Row[] }, id: number, more: Row): void {
  const rows = world.rows();
  const at = rows.findIndex((row) => row["id"] === id);
  rows[at] = { ...rows[at], ...more };
}

/** The titles that are served, by row. */
export function titles({ registry }: Bench): Record<string, string> {
  return Object.fromEntries(registry.served("tickets").map(({ row, title }) => [row, title]));
}

/** Row, version and class of all that is served. */
export function classesOf({ registry }: Bench): unknown {
  return registry.served("tickets").map(({ row, version, accessClass }) => [row, version, accessClass]);
}
