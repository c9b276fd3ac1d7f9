import { DuckDBInstance } from "@duckdb/node-api";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { runIngest, type IngestReport } from "../../ingest/pipeline/run.ts";
import { makeDuckDbSource } from "../../ingest/sources/duckdb.ts";
import { parseConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Source } from "../../shared/ports/source.ts";
import { memoryRegistry, type MemoryRegistry } from "../fakes/memory-registry.ts";
import { memorySource } from "../fakes/memory-source.ts";
import { secretHost } from "../fakes/secret-host.ts";
import { stubEmbedder } from "../fakes/stub-embedder.ts";
import { hostile } from "./hostile.ts";

/** Strings that every text path must carry: byte for byte from the warehouse into the registry. */

const line = z.object({ id: z.string(), text: z.string() });
const naughty = hostile("naughty-strings.jsonl", line);
const literals = hostile("sqli-literals.jsonl", line);
const identifiers = hostile(
  "identifiers.jsonl",
  z.object({ id: z.string(), identifier: z.string(), expect: z.enum(["quoted_roundtrip", "reject"]) }),
);
const strings = [...(naughty ?? []), ...(literals ?? [])];
const signal = new AbortController().signal;
let directory = "";

async function ingest(source: Source): Promise<{ report: IngestReport; registry: MemoryRegistry }> {
  const config = parseConfig({
    name: "strings",
    sources: { w: { kind: "duckdb" } },
    tables: {
      strings: {
        source: "w",
        key: ["id"],
        title: "text",
        text: ["text"],
        classification: "public",
        access: { allowAny: ["public"] },
      },
    },
  });
  const registry = memoryRegistry();
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
  return { report, registry };
}

/** What of each string came back as its cell. */
function found(registry: MemoryRegistry): ReadonlyMap<string, unknown> {
  return new Map(
    registry
      .served("strings")
      .map((row) => [row.row.slice("strings:".length), row.cells.find((c) => c.column === "text")?.value]),
  );
}

/** NUL and lone surrogates become U+FFFD; everything else stays. */
function stored(text: string): string {
  return text.toWellFormed().replaceAll("\u0000", "\uFFFD");
}

/** In double quotes, as CSV and SQL identifiers are. */
function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "quayside-strings-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe.skipIf(!naughty || !literals)("hostile strings", () => {
  it("come back byte for byte from any source, replacements counted", async () => {
    const source = memorySource({
      strings: {
        columns: { id: "string", text: "string" },
        rows: strings.map(({ id, text }) => ({ id, text })),
      },
    });
    const { report, registry } = await ingest(source);
    expect(report.tables[0]).toMatchObject({ read: strings.length, added: strings.length, failed: 0 });
    const cells = found(registry);
    for (const { id, text } of strings) expect([id, cells.get(id)]).toEqual([id, stored(text)]);
    const replaced = strings.reduce(
      (sum, { text }) => sum + Array.from(text).filter((c) => stored(c) !== c).length,
      0,
    );
    expect(report.replacedCharacters).toBe(replaced);
  });

  it("come back byte for byte from a DuckDB table, and can't do anything there", async () => {
    const path = join(directory, "strings.duckdb");
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run("CREATE TABLE strings (id VARCHAR, text VARCHAR)");
    for (const { id, text } of strings) {
      // The binding ends a parameter at its first NUL.
      const parts = text.split("\u0000");
      const sql = parts.map((_, i) => `$${i + 2}::VARCHAR`).join(" || chr(0) || ");
      await connection.run(`INSERT INTO strings VALUES ($1, ${sql})`, [id, ...parts]);
    }
    connection.closeSync();
    instance.closeSync();
    const source = makeDuckDbSource({ kind: "duckdb", path }, secretHost({}));
    const { report, registry } = await ingest(source);
    await source[Symbol.asyncDispose]();
    expect(report.tables[0]).toMatchObject({ read: strings.length, added: strings.length, failed: 0 });
    const cells = found(registry);
    for (const { id, text } of strings) expect([id, cells.get(id)]).toEqual([id, stored(text)]);
  });

  it("come back byte for byte from a CSV file", async () => {
    const folder = join(directory, "csv");
    await mkdir(folder);
    const rows = strings.filter(({ text }) => !text.includes("\u0000"));
    const csv = ["id,text", ...rows.map(({ id, text }) => `${id},${quote(stored(text))}`)].join("\n");
    await writeFile(join(folder, "strings.csv"), `${csv}\n`);
    const source = makeDuckDbSource({ kind: "duckdb", path: folder }, secretHost({}));
    const { report, registry } = await ingest(source);
    await source[Symbol.asyncDispose]();
    expect(report.tables[0]).toMatchObject({ read: rows.length, added: rows.length, failed: 0 });
    const cells = found(registry);
    // CSV can't tell an empty text from none.
    for (const { id, text } of rows) {
      expect([id, cells.get(id)]).toEqual([id, text === "" ? undefined : stored(text)]);
    }
  });

  it("are keys too: each its own row", async () => {
    const texts = [...new Set(strings.map(({ text }) => stored(text)))].filter((text) => text.length < 1000);
    const source = memorySource({
      strings: { columns: { id: "string", text: "string" }, rows: texts.map((id) => ({ id, text: "x" })) },
    });
    const { report, registry } = await ingest(source);
    expect(report.tables[0]).toMatchObject({ added: texts.length, failed: 0 });
    expect(new Set(registry.served("strings").map((row) => row.cells[0]?.value))).toEqual(new Set(texts));
  });
});

describe.skipIf(!identifiers)("hostile identifiers", () => {
  it("of tables and columns that exist are quoted and come back; others never reach the database", async () => {
    for (const { id, identifier, expect: expected } of identifiers ?? []) {
      const path = join(directory, `${id}.duckdb`);
      const instance = await DuckDBInstance.create(path);
      const connection = await instance.connect();
      await connection.run("CREATE TABLE orders (id INTEGER)");
      await connection.run("CREATE SCHEMA hr");
      await connection.run("CREATE TABLE hr.salaries (id INTEGER)");
      await connection.run("CREATE TABLE file (id INTEGER)");
      if (expected === "quoted_roundtrip") {
        await connection.run(
          `CREATE OR REPLACE TABLE ${quote(identifier)} (k INTEGER, ${quote(identifier)} VARCHAR)`,
        );
        await connection.run(`INSERT INTO ${quote(identifier)} VALUES (1, 'here')`);
      }
      connection.closeSync();
      instance.closeSync();
      const source = makeDuckDbSource({ kind: "duckdb", path }, secretHost({}));
      try {
        const table = await source.describe({ name: [identifier] }, signal);
        expect([id, expected]).toEqual([id, "quoted_roundtrip"]);
        expect(table.columns.map((column) => column.name)).toEqual(["k", identifier]);
        const rows = [];
        for await (const batch of source.read(table, { key: ["k"], batchSize: 10, signal }))
          rows.push(...batch);
        expect(rows.map((row) => Object.entries(row))).toEqual([
          [
            ["k", 1],
            [identifier, "here"],
          ],
        ]);
      } catch (error) {
        if (!(error instanceof QuaysideError)) throw error;
        expect([id, expected, error.code]).toEqual([id, "reject", "source_rejected"]);
      }
      await source[Symbol.asyncDispose]();
    }
  });
});
