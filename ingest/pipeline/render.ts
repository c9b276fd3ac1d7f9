import type { Embedder } from "../../shared/ports/embedder.ts";
import type { StagedRow } from "../../shared/ports/registry.ts";
import type { Cell } from "../../shared/ports/source.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { cellText, readable } from "./cells.ts";
import { chunk, CHUNK_TOKENS, shorten, type Passage } from "./chunk.ts";
import type { Work } from "./embed.ts";
import type { KnownRows } from "./known-rows.ts";
import { storedCells, type PreparedRow, type PreparedView } from "./rows.ts";
import type { Change } from "./scan.ts";
import { placeholders, titleColumns, type ColumnPlan, type OpenTable } from "./table.ts";

const TITLE_UNITS = 200;
const CONTEXT_UNITS = 240;
/** Least that `render` cuts to. */
const MIN_CHUNK_TOKENS = 64;

/** The views of a row that changed, rendered and cut, ready to be embedded. */
export function renderChange(
  table: OpenTable,
  { prepared, views, state }: Change,
  known: KnownRows,
  embedder: Embedder,
): readonly Work[] {
  // A tenth of a small model's window is left for what its own tokenizer counts otherwise.
  const longest = Math.min(CHUNK_TOKENS, Math.floor(embedder.maxInputTokens * 0.9));
  const make = (view: PreparedView, maxTokens: number): Work => {
    const row = render(table, prepared, view, maxTokens);
    const surplus = Math.max(0, known.chunksOf(row.row, row.view) - row.chunks.length);
    const half = Math.floor(maxTokens / 2);
    const shorter = half < MIN_CHUNK_TOKENS ? undefined : () => make(view, half);
    const { accessClass, bytes } = view;
    return { table: table.name, row, accessClass, bytes, surplus, state, shorter };
  };
  return views.map((view) => make(view, longest));
}

/**
 * One view of a row as it is stored and searched, its chunks still without vectors. The text is: the table's context, the
 * title, a `label: value` line for each cell that says something, prose last; names looked up stand for their keys.
 * @param maxTokens longest chunk, at least 64; see `chunk`.
 */
export function render(
  table: OpenTable,
  prepared: PreparedRow,
  view: PreparedView,
  maxTokens: number,
): StagedRow {
  const { plan, values } = view;
  const cells = new Map(plan.columns.map((column, i) => [column.name, values[i] ?? null] as const));
  const named = titleOf(table, plan.columns, cells);
  const title = named ?? shorten(`${table.label} ${prepared.key}`, TITLE_UNITS);
  const short: Passage[] = [];
  const prose: Passage[] = [];
  const names: string[] = [];
  for (const [i, column] of plan.columns.entries()) {
    const value = readable(values[i] ?? null, column.type);
    // The title heads every chunk already.
    if (value === "" || (column.name === table.config.title && value === title)) continue;
    const name = view.labels[i];
    if (column.lookup && name !== undefined) {
      names.push(name);
      const label = column.lookup.as.replaceAll("_", " ");
      // The name is searched in a field of its own, which counts less: poured into the body, it would find every row that
      // refers to it before the row that it names.
      short.push({ label, value: `${name} (${column.name} ${value})`, own: value });
    } else {
      (column.prose ? prose : short).push({ label: column.label, value });
    }
  }
  const header = headerOf(plan.context, title, maxTokens);
  const chunks = chunk(header, [...short, ...prose], maxTokens);
  return {
    row: prepared.row,
    view: plan.name,
    version: view.version,
    accessClass: view.accessClass.id,
    title,
    cells: storedCells(view),
    changedAt: changeTime(cells.get(table.config.changedAt ?? "")),
    url: linkOf(table, cells),
    chunks: chunks.map(({ text, body }, n) => ({
      n,
      text,
      // A title made of table and key says nothing that the body and the table's words don't.
      lexical: { title: named ?? "", body, labels: names.join("\n"), meta: plan.meta },
      vector: undefined,
    })),
  };
}

/** Context and title, shortened so that at least half of a chunk is the row's own. */
function headerOf(context: string, title: string, maxTokens: number): string {
  let head = shorten(context, CONTEXT_UNITS);
  let name = title;
  while (estimateTokens(head) + estimateTokens(name) > maxTokens / 2) {
    head = shorten(head, Math.floor(head.length / 2));
    name = shorten(name, Math.max(8, Math.floor(name.length / 2)));
  }
  return `${head}\n${name}`;
}

/**
 * The title as configured, on one line, at most 200 units; undefined when the view does not show all of its columns, or it
 * comes out blank.
 */
function titleOf(
  table: OpenTable,
  columns: readonly ColumnPlan[],
  cells: ReadonlyMap<string, Cell>,
): string | undefined {
  const template = table.config.title;
  if (template === undefined) return undefined;
  const types = new Map(columns.map((column) => [column.name, column.type]));
  if (!titleColumns(template).every((name) => types.has(name))) return undefined;
  const text = (name: string): string => readable(cells.get(name) ?? null, types.get(name) ?? "string");
  const filled = template.includes("{")
    ? template.replace(/\{([^{}]+)\}/g, (_, name: string) => text(name))
    : text(template);
  const line = filled.replace(/\s+/gu, " ").trim();
  return line === "" ? undefined : shorten(line, TITLE_UNITS);
}

/** The row's link, when every column that it names is visible. */
function linkOf(table: OpenTable, cells: ReadonlyMap<string, Cell>): string | undefined {
  const template = table.config.url;
  if (template === undefined) return undefined;
  if (!placeholders(template).every((name) => (cells.get(name) ?? null) !== null)) return undefined;
  return template.replace(/\{([^{}]+)\}/g, (_, name: string) =>
    encodeURIComponent(cellText(cells.get(name) ?? null)),
  );
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
/** With `T` or, as text columns often have it, a blank; without a zone it is taken for UTC. */
const TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)Z?$/;

/** ISO 8601 UTC; undefined for anything that is no time. */
function changeTime(cell: Cell | undefined): string | undefined {
  if (typeof cell !== "string") return undefined;
  if (DATE.test(cell)) return `${cell}T00:00:00Z`;
  const [, date, clock] = TIME.exec(cell) ?? [];
  return date === undefined ? undefined : `${date}T${clock ?? "00:00"}Z`;
}
