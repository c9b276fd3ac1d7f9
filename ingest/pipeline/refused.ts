import { shownKey } from "../../shared/ids.ts";
import type { Registry, Run } from "../../shared/ports/registry.ts";
import type { Committer } from "./commit.ts";
import type { Work } from "./embed.ts";
import { holdBack, type Scan } from "./scan.ts";

/** Rows that were read and counted, and then refused by the embedder: held back like every other row that can't be stored. */
export interface RefusedRows {
  /** Counts the row as held back, once however many of its views were refused. */
  add(work: Work, scan: Scan): void;
  has(table: string, row: string): boolean;
  /** Of a table that is read anew, from its beginning. */
  forget(table: string): void;
  /** Takes back what is staged or served of these rows; all else must be committed before. Returns the tables touched. */
  withdraw(
    registry: Pick<Registry, "known">,
    run: Pick<Run, "space">,
    committer: Pick<Committer, "remove">,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
  save(): SavedRefused;
}

/** Refused rows at rest, by table. */
export type SavedRefused = readonly (readonly [string, readonly string[]])[];

export function makeRefusedRows(saved: SavedRefused = []): RefusedRows {
  const byTable = new Map(saved.map(([table, rows]) => [table, new Set(rows)]));
  return {
    save: () => [...byTable].map(([table, rows]) => [table, [...rows]] as const),
    add({ table, row, state }, scan) {
      const rows = byTable.get(table) ?? new Set<string>();
      byTable.set(table, rows);
      if (rows.has(row.row) || scan.ambiguous.has(row.row)) return;
      rows.add(row.row);
      scan.counts[state] -= 1;
      if (state === "changed") scan.counts.deleted += 1;
      holdBack(scan, { table, key: shownKey(row.row), reason: "not_embeddable" });
    },
    has: (table, row) => byTable.get(table)?.has(row) === true,
    forget: (table) => void byTable.delete(table),
    async withdraw(registry, run, committer, signal) {
      for (const [table, rows] of byTable) {
        // A row of several views may be staged in one and refused in another.
        for await (const page of registry.known(run, table, signal)) {
          const views = page.filter(({ row }) => rows.has(row));
          if (views.length > 0) await committer.remove(table, views);
        }
      }
      return [...byTable.keys()];
    },
  };
}
