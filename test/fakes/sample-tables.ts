import { DuckDBInstance, type DuckDBConnection } from "@duckdb/node-api";
import path from "node:path";
import config from "../../ingest/sample/config.ts";
import { SCHEMA, type SampleTable } from "../../ingest/sample/schema.ts";
import type { TableConfig } from "../../shared/config.ts";
import type { Cell, Row } from "../../shared/ports/source.ts";

/** The sample as its sources read it. */

const SHAPES = new Map<string, SampleTable>(Object.entries(SCHEMA));

export type Rows = ReadonlyMap<string, readonly Row[]>;

export async function readAll(at: string): Promise<Rows> {
  const instance = await DuckDBInstance.create(path.join(at, "warehouse.duckdb"), {
    access_mode: "READ_ONLY",
  });
  const connection = await instance.connect();
  try {
    const found = new Map<string, readonly Row[]>();
    for (const [name, table] of Object.entries(config.tables)) {
      found.set(name, await select(connection, from(at, name, table)));
    }
    return found;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function from(at: string, name: string, table: TableConfig): string {
  if (table.query !== undefined) return table.query;
  const store = SHAPES.get(name)?.store ?? "duckdb";
  const file = path.join(at, "files", `${name}.${store}`);
  return `SELECT * FROM ${store === "duckdb" ? name : `'${file}'`}`;
}

async function select(connection: DuckDBConnection, sql: string): Promise<readonly Row[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjectsJson();
}

export function textOf(cell: Cell | undefined): string {
  return typeof cell === "string" ? cell : JSON.stringify(cell ?? null);
}
