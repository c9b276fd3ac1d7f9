import { embeddedIndex } from "../../shared/indexes/embedded.ts";
import { rowId } from "../../shared/ids.ts";
import type { IndexEntry } from "../../shared/ports/vector-index.ts";
import type { StagedRow } from "../../shared/ports/registry.ts";
import { searchIndexContract } from "../contract/vector-index.ts";
import { openShard, published, run } from "./shard-fixture.ts";

/** The embedded index through its own way in: batches staged and published, one generation a call. */
searchIndexContract("embedded", async () => {
  const { api } = openShard();
  const held = new Map<string, IndexEntry>();
  let generation = 0;

  const toRow = (entry: IndexEntry): StagedRow => ({
    row: rowId(entry.table, [entry.id]),
    view: "all",
    version: `${generation}`,
    accessClass: entry.accessClass,
    title: "-",
    cells: Object.entries(entry.cells ?? {}).map(([column, value]) => ({ column, value })),
    changedAt: undefined,
    url: undefined,
    chunks: [
      {
        n: 0,
        text: entry.text,
        lexical: { title: "-", body: entry.text, labels: "", meta: "" },
        vector: entry.vector,
      },
    ],
  });

  const write = async (added: readonly IndexEntry[], gone: readonly IndexEntry[]): Promise<void> => {
    generation += 1;
    const tables = [...new Set([...added, ...gone].map((entry) => entry.table))];
    for (const [seq, table] of tables.entries()) {
      const rows = added.filter((entry) => entry.table === table);
      await api.stage(run(generation), {
        seq,
        table,
        classes: rows.map((entry) => ({
          id: entry.accessClass,
          label: { allowAny: [], allowAll: [], deny: [] },
          classification: "internal",
        })),
        rows: rows.map(toRow),
        gone: gone
          .filter((entry) => entry.table === table)
          .map((entry) => ({ row: rowId(table, [entry.id]), view: "all" })),
      });
    }
    for (const entry of added) held.set(entry.id, entry);
    for (const entry of gone) held.delete(entry.id);
    const counts = tables.map((table) => {
      const rows = [...held.values()].filter((entry) => entry.table === table).length;
      return published({ table, unchanged: rows });
    });
    await api.publish(run(generation), counts, 1);
  };

  return {
    index: embeddedIndex(api),
    dimensions: 16,
    put: (entries) => write(entries, []),
    remove: (ids) =>
      write(
        [],
        ids.flatMap((id) => held.get(id) ?? []),
      ),
    entryId: (id) => id.replace(/^.*:/, "").replace(/#0$/, ""),
  };
});
