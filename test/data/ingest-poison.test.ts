import { DuckDBInstance } from "@duckdb/node-api";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { runIngest, type IngestReport } from "../../ingest/pipeline/run.ts";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { StagedRow } from "../../shared/ports/registry.ts";
import type { Cell, Column, Row, Source } from "../../shared/ports/source.ts";
import { memoryRegistry, type MemoryRegistry } from "../fakes/memory-registry.ts";
import { memorySource } from "../fakes/memory-source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";
import { hostile } from "./hostile.ts";

/** Cells and rows that break pipelines: each ends as the set says, and none stops the run. */

const cases = hostile(
  "poison-rows.jsonl",
  z.object({
    id: z.string(),
    type: z.string(),
    value: z.optional(z.unknown()),
    gen: z.optional(z.unknown()),
    expect: z.string(),
  }),
);
type Case = NonNullable<typeof cases>[number];
const signal = new AbortController().signal;
let directory = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-poison-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function ingest(
  source: Source,
  key: readonly string[],
  registry: MemoryRegistry = memoryRegistry(),
): Promise<{ report: IngestReport; rows: readonly StagedRow[]; registry: MemoryRegistry }> {
  const config = parseConfig({
    name: "poison",
    sources: { w: { kind: "duckdb" } },
    tables: {
      t: { source: "w", key, classification: "public", access: { allowAny: ["public"] } },
    },
  });
  const report = await runIngest(
    { config, trigger: "cli", signal },
    {
      tenant: "t",
      sourceOf: () => source,
      embedder: stubEmbedder(),
      index: undefined,
      indexKind: "embedded",
      registry,
      maskKey: undefined,
      now: () => 0,
      wait: async () => {},
      log: () => {},
    },
  );
  return { report, rows: registry.served("t"), registry };
}

/** A table with one good row and the one under test. */
function beside(columns: Record<string, Column["type"]>, rows: readonly Row[]): Source {
  const names = Object.keys(columns).filter((name) => name !== "id");
  const good = Object.fromEntries([["id", "good"], ...names.map((name): [string, Cell] => [name, "fine"])]);
  return memorySource({ t: { columns: { id: "string", ...columns }, rows: [good, ...rows] } });
}

const text = z.string();
const repeat = z.object({ repeat: z.string(), times: z.number(), suffix_repeat: z.optional(z.string()) });

function valueOf({ value, gen }: Case): Cell {
  const made = repeat.safeParse(gen);
  if (made.success) {
    const { repeat: unit, times, suffix_repeat: suffix } = made.data;
    return unit.repeat(times) + (suffix ?? "").repeat(times);
  }
  const parsed: Cell = JSON.parse(JSON.stringify(value ?? null));
  return parsed;
}

/** One cell through a DuckDB column of its own type. */
async function throughDuckDb(id: string, expression: string): Promise<StagedRow | undefined> {
  const path = join(directory, `${id}.duckdb`);
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  await connection.run("SET TimeZone = 'Asia/Kolkata'");
  await connection.run(
    `CREATE TABLE t AS SELECT 'bad' AS id, ${expression} AS v UNION ALL SELECT 'good', NULL`,
  );
  connection.closeSync();
  instance.closeSync();
  const source = makeDuckDbSource({ kind: "duckdb", path }, secretHost({}));
  const { rows } = await ingest(source, ["id"]);
  await source[Symbol.asyncDispose]();
  return rows.find((row) => row.row === "t:bad");
}

function cell(row: StagedRow | undefined): Cell | undefined {
  return row?.cells.find(({ column }) => column === "v")?.value;
}

describe.skipIf(!cases)("poison rows", () => {
  it.each(cases ?? [])("$id ($type) ends as $expect", async (poison) => {
    const { id, type } = poison;
    if (type === "pk") return pk(poison);
    if (type === "table") return emptied();
    if (type === "row") return wide(poison);
    const typed = await viaDuckDb(poison);
    if (typed) return;

    const value = valueOf(poison);
    const kind: Column["type"] =
      type === "binary" ? "binary" : ["json", "array", "variant"].includes(type) ? "json" : "string";
    const given: Cell = type === "json" && typeof value === "string" ? JSON.parse(value) : value;
    const { report, rows } = await ingest(beside({ v: kind }, [{ id: "bad", v: given }]), ["id"]);
    expect(rows.some((row) => row.row === "t:good")).toBe(true);
    const row = rows.find((r) => r.row === "t:bad");
    const chunks = row?.chunks ?? [];
    switch (poison.expect) {
      case "store_replacement":
        expect(cell(row)).toBe(text.parse(value).toWellFormed());
        expect(report.replacedCharacters).toBe(1);
        break;
      case "skip_cell":
        expect(chunks[0]?.text).toBe("t\nt bad\nid: bad");
        break;
      case "verbatim":
      case "verbatim_marked":
      case "string_token":
        expect(cell(row)).toBe(value);
        expect(chunks[0]?.text).toContain(value);
        break;
      case "digest_only":
        expect(cell(row)).toMatch(/^sha256:[\w-]{22}, \d+ bytes$/);
        break;
      case "flatten":
        expect(cell(row)).toBeTypeOf("object");
        expect(chunks[0]?.text).not.toContain("{");
        break;
      case "join":
        expect(chunks[0]?.text).toContain("v: a, b");
        break;
      case "chunk":
        expect(chunks.length).toBeGreaterThan(1);
        expect(cell(row)).toBe(value);
        break;
      case "dead_letter":
        expect(row).toBeUndefined();
        expect(report.failures.map(({ key }) => key)).toEqual(["bad"]);
        break;
      default:
        expect.unreachable(`${id}: nothing is known of ${poison.expect}`);
    }
  });
});

/** Numbers, dates and times come typed from DuckDB; true when the case was one of these. */
async function viaDuckDb({ id, type, value, expect: expected }: Case): Promise<boolean> {
  const given = String(value);
  const wanted: Record<string, string> = {
    "10000-01-01": "+010000-01-01",
    "0044-03-15 BC": "-000043-03-15",
    infinity: "Infinity",
  };
  if (type === "bigint" || type === "numeric") {
    const sqlType = type === "bigint" ? "BIGINT" : given.includes(".") ? "DECIMAL(38, 34)" : "DECIMAL(38, 0)";
    expect(cell(await throughDuckDb(id, `'${given}'::${sqlType}`))).toBe(given);
  } else if (type === "double") {
    const number = Number(given);
    const literal = Object.is(value, -0) ? "-0.0" : given;
    const found = cell(await throughDuckDb(id, `'${literal}'::DOUBLE`));
    expect(found).toBe(Object.is(value, -0) ? "-0" : expected === "string_token" ? given : number);
  } else if (type === "date") {
    const date = given.replace(/ BC$/, " (BC)");
    expect(cell(await throughDuckDb(id, `'${date}'::DATE`))).toBe(wanted[given] ?? given);
  } else if (type === "timestamp") {
    const found = cell(await throughDuckDb(id, `'${given}'::TIMESTAMPTZ`));
    expect(found).toMatch(/^2026-(03-29|10-25)T\d{2}:\d{2}:00Z$/);
  } else return false;
  return true;
}

async function pk({ gen }: Case): Promise<void> {
  const made = z
    .object({
      duplicate: z.optional(z.boolean()),
      null: z.optional(z.boolean()),
      composite: z.optional(z.array(z.string())),
      other: z.optional(z.array(z.string())),
      values: z.optional(z.array(z.union([z.string(), z.number()]))),
      value: z.optional(z.string()),
      times: z.optional(z.number()),
    })
    .parse(gen);
  if (made.duplicate) {
    const { report, rows } = await ingest(
      beside({ v: "string" }, [
        { id: "a", v: "1" },
        { id: "a", v: "2" },
      ]),
      ["id"],
    );
    expect(report.failures.map(({ key, reason }) => [key, reason])).toEqual([
      ["a", "duplicate_key"],
      ["a", "duplicate_key"],
    ]);
    expect(rows.map((row) => row.row)).toEqual(["t:good"]);
  } else if (made.null) {
    const { report, rows } = await ingest(beside({ v: "string" }, [{ id: null, v: "1" }]), ["id"]);
    expect(report.failures.map(({ reason }) => reason)).toEqual(["null_key"]);
    expect(rows.map((row) => row.row)).toEqual(["t:good"]);
  } else if (made.composite && made.other) {
    const rows = [made.composite, made.other].map(([a = "", b = ""]) => ({ a, b }));
    const source = memorySource({ t: { columns: { a: "string", b: "string" }, rows } });
    const { rows: stored } = await ingest(source, ["a", "b"]);
    expect(new Set(stored.map((row) => row.row)).size).toBe(2);
  } else if (made.values) {
    // A column has one type, so 1 and "1" never meet in one; each of the others is a key of its own.
    const ids = made.values.filter((value) => typeof value === "string");
    const source = memorySource({ t: { columns: { id: "string" }, rows: ids.map((id) => ({ id })) } });
    const { report } = await ingest(source, ["id"]);
    expect(report.tables[0]?.added).toBe(ids.length);
  } else {
    const long = (made.value ?? "").repeat(made.times ?? 0);
    const { rows } = await ingest(beside({ v: "string" }, [{ id: long, v: "1" }]), ["id"]);
    expect(rows.map((row) => row.row.length).sort((a, b) => a - b)).toEqual([
      "t:good".length,
      2 + long.length,
    ]);
  }
}

async function emptied(): Promise<void> {
  const registry = memoryRegistry();
  await ingest(beside({ v: "string" }, []), ["id"], registry);
  const empty = memorySource({ t: { columns: { id: "string", v: "string" }, rows: [] } });
  const error: unknown = await ingest(empty, ["id"], registry).catch((e: unknown) => e);
  expect(error instanceof QuaysideError && error.code).toBe("guard_stopped");
  expect(registry.served("t")).toHaveLength(1);
}

async function wide({ gen }: Case): Promise<void> {
  const { columns, cell: value } = z.object({ columns: z.number(), cell: z.string() }).parse(gen);
  if (columns === 1) {
    const source = memorySource({ t: { columns: { id: "string" }, rows: [{ id: value }] } });
    const { report, rows } = await ingest(source, ["id"]);
    expect(rows).toEqual([]);
    expect(report.failures.map(({ reason }) => reason)).toEqual(["empty_row"]);
    return;
  }
  const names = Array.from({ length: columns - 1 }, (_, i) => `c${i}`);
  const types = Object.fromEntries(names.map((name): [string, Column["type"]] => [name, "string"]));
  const row = Object.fromEntries([["id", "bad"], ...names.map((name): [string, Cell] => [name, value])]);
  const { rows } = await ingest(beside(types, [row]), ["id"]);
  const stored = rows.find((r) => r.row === "t:bad");
  expect(stored?.cells).toHaveLength(columns);
  expect(stored?.chunks.length).toBeGreaterThan(1);
}
