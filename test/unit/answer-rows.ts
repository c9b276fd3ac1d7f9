import type { Evidence } from "../../shared/ports/evidence.ts";

/** Evidence for tests, from the least that a case has to say. */
export function rowOf(
  table: string,
  title: string,
  cells: Readonly<Record<string, string | number>>,
  extra: Partial<Evidence> = {},
): Evidence {
  const [key = "id", value = ""] = Object.entries(cells)[0] ?? [];
  const id = `${table}:${String(value)}`;
  return {
    id: `${id}#0`,
    row: id,
    table,
    key: { [key]: String(value) },
    title,
    text: [title, ...Object.entries(cells).map(([column, cell]) => `${column}: ${String(cell)}`)].join("\n"),
    cells: Object.entries(cells).map(([column, cell]) => ({ column, value: cell })),
    version: "v",
    classification: "internal",
    rollup: false,
    asOf: "2026-11-01T00:00:00Z",
    changedAt: "2026-11-01T00:00:00Z",
    score: 0.5,
    ...extra,
  };
}
