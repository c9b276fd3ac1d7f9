import { describe, expect, it } from "vitest";
import { render } from "../../ingest/pipeline/render.ts";
import { isFailure, makeRowReader } from "../../ingest/pipeline/rows.ts";
import { openTables } from "../../ingest/pipeline/table.ts";
import { parseConfig, type TableConfig } from "../../shared/config.ts";
import type { StagedRow } from "../../shared/ports/registry.ts";
import type { Column, Row } from "../../shared/ports/source.ts";
import { estimateTokens } from "../../shared/tokens.ts";
import { memorySource } from "../fakes/memory-source.ts";

const signal = new AbortController().signal;

/** One row, through the configuration of its table, as it would be stored. */
async function rendered(
  columns: Record<string, Column["type"]>,
  row: Row,
  more: Partial<TableConfig> = {},
  maxTokens = 400,
): Promise<StagedRow> {
  const config = parseConfig({
    name: "test",
    sources: { w: { kind: "memory" } },
    tables: {
      service_tickets: {
        source: "w",
        key: ["id"],
        classification: "public",
        access: { allowAny: ["public"] },
        ...more,
      },
    },
  });
  const source = memorySource({ service_tickets: { columns, rows: [row] } });
  const [table] = await openTables(config, undefined, () => source, new Map(), signal);
  if (!table) throw new Error("no table");
  const reader = makeRowReader({
    table,
    names: [],
    tally: { replaced: 0 },
    maskKey: undefined,
    classes: new Map(),
  });
  const prepared = await reader.prepare(row);
  if (isFailure(prepared)) throw new Error(prepared.reason);
  const [view] = prepared.views;
  if (!view) throw new Error("no view");
  return render(table, prepared, view, maxTokens);
}

const columns = {
  id: "number",
  body: "string",
  status: "string",
  opened: "timestamp",
  urgent: "boolean",
} as const;
const row = {
  id: 7,
  body: "The ramp is stuck.\nIt will not move.",
  status: "open",
  opened: "2026-03-01T00:00:00Z",
  urgent: true,
};

async function changedAt(changed: string): Promise<string | undefined> {
  const made = await rendered(
    { id: "number", changed: "string" },
    { id: 1, changed },
    { changedAt: "changed" },
  );
  return made.changedAt;
}

describe("render", () => {
  it("says context, title, each cell by its label, and prose last", async () => {
    const made = await rendered(columns, row, {
      description: "What customers report.",
      title: "Ticket {id}: {status}",
      text: ["body"],
      columns: { opened: { label: "opened on", description: "when it came in" } },
    });
    expect(made.title).toBe("Ticket 7: open");
    expect(made.chunks.map((chunk) => chunk.text)).toEqual([
      [
        "service tickets: What customers report.",
        "Ticket 7: open",
        "id: 7",
        "status: open",
        "opened on: 2026-03-01",
        "urgent: yes",
        "body: The ramp is stuck.\nIt will not move.",
      ].join("\n"),
    ]);
    expect(made.chunks[0]?.lexical?.meta).toBe(
      "service tickets\nWhat customers report.\nid\nbody\nstatus\nopened on when it came in\nurgent",
    );
  });

  it("says a title that is one column's value once", async () => {
    const made = await rendered({ id: "number", name: "string" }, { id: 7, name: "Ramp" }, { title: "name" });
    expect(made.chunks[0]?.text).toBe("service tickets\nRamp\nid: 7");
  });

  it("calls a row without a title by its table and key", async () => {
    expect((await rendered(columns, row)).title).toBe("service tickets 7");
    const blank = await rendered({ id: "number", name: "string" }, { id: 7, name: "  " }, { title: "name" });
    expect(blank.title).toBe("service tickets 7");
  });

  it("leaves nulls and empty texts out of the text, and nulls out of the cells", async () => {
    const made = await rendered(columns, { ...row, status: null, body: "" });
    expect(made.chunks[0]?.text).not.toContain("status");
    expect(made.cells.map((cell) => cell.column)).toEqual(["id", "body", "opened", "urgent"]);
  });

  it("takes the change time from its column, dates and times alike, and nothing else", async () => {
    expect(await changedAt("2026-03-01")).toBe("2026-03-01T00:00:00Z");
    expect(await changedAt("2026-03-01T10:00:00.5Z")).toBe("2026-03-01T10:00:00.5Z");
    expect(await changedAt("2026-03-01 10:00:00")).toBe("2026-03-01T10:00:00Z");
    expect(await changedAt("last spring")).toBeUndefined();
  });

  it("links to the row in its own system, its values encoded", async () => {
    const made = await rendered({ id: "string" }, { id: "a b/ü" }, { url: "https://crm.example.com/t/{id}" });
    expect(made.url).toBe("https://crm.example.com/t/a%20b%2F%C3%BC");
  });

  it("gives no link to a row that lacks a value of it", async () => {
    const made = await rendered(
      { id: "string", slug: "string" },
      { id: "a", slug: null },
      { url: "https://crm.example.com/{slug}" },
    );
    expect(made.url).toBeUndefined();
  });

  it("keeps a long title from filling the chunk", async () => {
    const made = await rendered(
      { id: "number", name: "string", body: "string" },
      { id: 1, name: "very long name ".repeat(100), body: "A sentence of prose. ".repeat(60) },
      { title: "name", text: ["body"], description: "A long description. ".repeat(50) },
      100,
    );
    expect(made.title.length).toBeLessThanOrEqual(201);
    for (const { text, lexical } of made.chunks) {
      expect(estimateTokens(text)).toBeLessThanOrEqual(100);
      expect(estimateTokens(lexical?.body ?? "")).toBeGreaterThan(10);
    }
  });

  it("does not show in a title what the view does not show", async () => {
    const made = await rendered(
      { id: "number", name: "string" },
      { id: 7, name: "Ada" },
      {
        title: "name",
        columns: { name: { exclude: true } },
      },
    );
    expect(made.title).toBe("service tickets 7");
    expect(JSON.stringify(made)).not.toContain("Ada");
  });
});
