import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod/mini";
import { buildTables } from "./build.ts";
import { SCHEMA, type SampleRow, type SampleTable } from "./schema.ts";

const NOTE = "sample.json";
const DATABASE = "warehouse.duckdb";

/** What was written, kept beside the files so that a later start knows them for its own. */
const note = z.strictObject({
  /** SHA-256 of all rows and columns: files of another content are written anew. */
  content: z.string(),
  /** SHA-256 of each file as it was written. */
  files: z.record(z.string(), z.string()),
});
type Note = z.infer<typeof note>;

/**
 * Writes the sample warehouse: `warehouse.duckdb`, and `files/` with CSV and Parquet tables, into `directory`.
 * Files of this very content stay as they are, edited or not; missing ones are written again. When the sample itself has
 * changed, files that were edited are kept beside the new ones as `<name>.edited`.
 * @returns the base tables with the number of rows that they were generated with.
 */
export async function generateSample(options: {
  readonly directory: string;
  readonly seed?: number;
}): Promise<{ readonly tables: readonly { readonly name: string; readonly rows: number }[] }> {
  const { directory, seed = 1847 } = options;
  const tables: Tables = buildTables(seed);
  const counts = Object.entries(tables).map(([name, rows]) => ({ name, rows: rows.length }));
  const content = sha256(JSON.stringify([SCHEMA, tables]));
  const last = await readNote(directory);
  const current = last?.content === content;
  const names = [...new Set(SHAPES.map(([table, shape]) => fileOf(table, shape)))];
  const wanted = current ? names.filter((n) => !existsSync(path.join(directory, n))) : names;
  if (wanted.length === 0) return { tables: counts };

  await mkdir(path.join(directory, "files"), { recursive: true });
  if (last && !current) await keepEdits(directory, last);
  for (const name of wanted) await writeStore(directory, name, tables);

  const hashes: Record<string, string> = current ? { ...last.files } : {};
  for (const name of wanted) hashes[name] = await hashOf(path.join(directory, name));
  const written: Note = { content, files: hashes };
  await writeFile(path.join(directory, NOTE), `${JSON.stringify(written, undefined, 2)}\n`);
  return { tables: counts };
}

const SHAPES: readonly (readonly [string, SampleTable])[] = Object.entries(SCHEMA);
type Tables = Readonly<Record<string, readonly SampleRow[]>>;

function fileOf(table: string, shape: SampleTable): string {
  return shape.store === "duckdb" ? DATABASE : `files/${table}.${shape.store}`;
}

async function readNote(directory: string): Promise<Note | undefined> {
  try {
    return note.parse(JSON.parse(await readFile(path.join(directory, NOTE), "utf8")));
  } catch {
    // No note, or one that is cut short: the files are not known, so all are written.
    return undefined;
  }
}

async function keepEdits(directory: string, last: Note): Promise<void> {
  for (const [name, hash] of Object.entries(last.files)) {
    const file = path.join(directory, name);
    if (existsSync(file) && (await hashOf(file)) !== hash) await rename(file, `${file}.edited`);
  }
}

async function hashOf(file: string): Promise<string> {
  return sha256(await readFile(file));
}

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

/** Writes beside and renames, so that a file that exists is whole. */
async function writeStore(directory: string, name: string, tables: Tables): Promise<void> {
  const file = path.join(directory, name);
  const part = `${file}.part`;
  await rm(part, { force: true });
  const shapes = SHAPES.filter(([table, shape]) => fileOf(table, shape) === name);
  await withDatabase(name === DATABASE ? part : ":memory:", async (connection) => {
    for (const [table, shape] of shapes) {
      await load(connection, table, shape, tables[table] ?? []);
      if (shape.store !== "duckdb") await copy(connection, table, shape, part);
    }
    if (name === DATABASE) await connection.run("CHECKPOINT");
  });
  await rename(part, file);
}

async function copy(
  connection: DuckDBConnection,
  table: string,
  shape: SampleTable,
  file: string,
): Promise<void> {
  const format = shape.store === "csv" ? "FORMAT csv, HEADER" : "FORMAT parquet, COMPRESSION zstd";
  const ordered = `SELECT * FROM ${table} ORDER BY ${shape.key.join(", ")}`;
  await connection.run(`COPY (${ordered}) TO '${file.replaceAll("'", "''")}' (${format})`);
}

async function withDatabase(at: string, use: (connection: DuckDBConnection) => Promise<void>): Promise<void> {
  // One thread: the Parquet writer's row groups come out in the same order every time.
  const instance = await DuckDBInstance.create(at, { threads: "1" });
  const connection = await instance.connect();
  try {
    await use(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

async function load(
  connection: DuckDBConnection,
  name: string,
  shape: SampleTable,
  rows: readonly SampleRow[],
): Promise<void> {
  const columns = Object.entries(shape.columns);
  const list = columns.map(([column, type]) => `${column} ${type}`).join(", ");
  await connection.run(`CREATE TABLE ${name} (${list}, PRIMARY KEY (${shape.key.join(", ")}))`);
  const appender = await connection.createAppender(name);
  for (const row of rows) {
    for (const [column] of columns) {
      const value = row[column];
      // The appender casts text to the column's type. An empty text in the records means that there is no value.
      if (value === null || value === undefined || value === "") appender.appendNull();
      else appender.appendVarchar(String(value));
    }
    appender.endRow();
  }
  appender.closeSync();
}
