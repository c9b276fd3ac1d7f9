import { cellText } from "../../ingest/pipeline/cells.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell, Column, Row, Source } from "../../shared/ports/source.ts";

/** Tables of a fake warehouse; change them between runs. Column types are as given, else guessed from the first value. */
export interface MemoryTable {
  columns: Record<string, Column["type"]>;
  /** Of columns that are declared records. */
  fields?: Record<string, readonly string[]>;
  rows: Row[];
  /** How often it was read to its end. */
  reads?: number;
}

/** A source over arrays. Ordered ones sort by the key's text. `revisions`: tells them, by everything that a table holds. */
export function memorySource(tables: Record<string, MemoryTable>, ordered = true, revisions = false): Source {
  const find = (name: string): MemoryTable => {
    const table = tables[name];
    if (!table) throw new QuaysideError("source_rejected", `There is no table ${name}.`);
    return table;
  };
  return {
    ordered,
    async describe(ref) {
      const name = ref.name?.join(".") ?? "";
      const { columns, fields } = find(name);
      return {
        ref,
        columns: Object.entries(columns).map(([column, type]) => ({
          name: column,
          type,
          nullable: true,
          ...(fields?.[column] ? { fields: fields[column] } : {}),
        })),
        primaryKey: [],
      };
    },
    async *read(table, { key, batchSize, since, only, after, mark, signal }) {
      const { rows: all, columns } = find(table.ref.name?.join(".") ?? "");
      if (since) checkColumn(columns, since.column);
      const text = (row: Row): string => JSON.stringify(key.map((column) => row[column] ?? null));
      const asked = only && new Set(only.map((cells) => JSON.stringify(cells)));
      const rows = asked ? all.filter((row) => asked.has(text(row))) : all;
      const isWhole = (row: Row): boolean => {
        const cell = row[since?.column ?? ""] ?? null;
        return !since || cell === null || !isBelow(cell, since.value);
      };
      const inOrder = ordered ? [...rows].sort((a, b) => (text(a) < text(b) ? -1 : 1)) : rows;
      const names = table.columns.map((column) => column.name);
      for (let i = Number(after ?? 0); i < inOrder.length; i += batchSize) {
        mark?.(() => String(i + batchSize));
        if (signal.aborted) throw new QuaysideError("cancelled", "Cancelled.");
        yield inOrder.slice(i, i + batchSize).map((row) => {
          const shown = isWhole(row) ? names : names.filter((name) => key.includes(name));
          const entries = shown.map((name): [string, Cell] => [name, row[name] ?? null]);
          return Object.fromEntries(entries);
        });
      }
      const read = find(table.ref.name?.join(".") ?? "");
      read.reads = (read.reads ?? 0) + 1;
    },
    async highest(table, column) {
      const { rows, columns } = find(table.ref.name?.join(".") ?? "");
      checkColumn(columns, column);
      const cells = rows.flatMap((row) => row[column] ?? []);
      return cells.reduce<string | undefined>(
        (most, cell) => (most !== undefined && isBelow(cell, most) ? most : cellText(cell)),
        undefined,
      );
    },
    ...(revisions
      ? {
          async revision(ref) {
            const { columns, fields, rows } = find(ref.name?.join(".") ?? "");
            return JSON.stringify([columns, fields, rows]);
          },
        }
      : {}),
    async estimate(table) {
      return { rows: find(table.ref.name?.join(".") ?? "").rows.length };
    },
    async [Symbol.asyncDispose]() {},
  };
}

function checkColumn(columns: MemoryTable["columns"], name: string): void {
  if (!(name in columns)) throw new QuaysideError("source_rejected", `There is no column ${name}.`);
}

/** Numbers by their size, all else by its text. */
function isBelow(cell: Cell, value: string): boolean {
  return typeof cell === "number" ? cell < Number(value) : cellText(cell) < value;
}
