import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Column } from "../../shared/ports/source.ts";
import { oneSelect, quoted, type Dialect } from "./fetch-sql.ts";
import type { ResultColumn, SnowflakeApi } from "./snowflake-api.ts";
import { snowflakeType } from "./snowflake-values.ts";

const DIALECT: Dialect = {
  quotes: "'\"",
  escapes: "'",
  tripled: "",
  dollars: true,
  lineComments: ["--", "//"],
};

/** A table or query, found in the catalogue: what it is read from, and all of its columns. */
export interface Located {
  /** Quoted parts, or the query in parentheses. */
  readonly from: string;
  /** Database, schema and name; empty for a query. */
  readonly path: readonly string[];
  readonly database: string | undefined;
  readonly columns: readonly Column[];
  readonly description: string | undefined;
  /** Whether it can be read as at an earlier moment. */
  readonly past: boolean;
  readonly rows: number | undefined;
  readonly bytes: number | undefined;
}

/** A name as Snowflake resolves it: plain ones in upper case, `"quoted"` ones as they are inside, others as they are. */
export function fold(name: string): string;
export function fold(name: string | undefined): string | undefined;
export function fold(name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const inner = /^"(.*)"$/s.exec(name)?.[1];
  if (inner !== undefined) return inner.replaceAll('""', '"');
  return /^[A-Za-z_][\w$]*$/.test(name) ? name.toUpperCase() : name;
}

/** Names as written come before names folded: a table may be called `orders` in lower case. */
export async function fromCatalogue(
  api: SnowflakeApi,
  name: readonly string[],
  defaultSchema: string | undefined,
  database: string | undefined,
  signal: AbortSignal,
): Promise<Located> {
  const table = name.at(-1) ?? "";
  const schema = name.at(-2) ?? defaultSchema;
  const tables = await records(
    api,
    `SELECT TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ROW_COUNT, BYTES, RETENTION_TIME, COMMENT
     FROM INFORMATION_SCHEMA.TABLES
     WHERE TABLE_NAME IN (?, ?)${schema === undefined ? "" : " AND TABLE_SCHEMA IN (?, ?)"}`,
    [table, fold(table), ...(schema === undefined ? [] : [schema, fold(schema)])],
    database,
    signal,
  );
  const exact = tables.filter(
    (t) => t["TABLE_NAME"] === table && (schema === undefined || t["TABLE_SCHEMA"] === schema),
  );
  const candidates = exact.length > 0 ? exact : tables;
  const [found] = candidates;
  if (!found) {
    const message = "it does not exist, or the role may not see it (settings database, schema, role).";
    throw new QuaysideError("source_rejected", message);
  }
  if (candidates.length > 1) {
    throw new QuaysideError(
      "source_rejected",
      "the name means several tables; write database, schema and table.",
    );
  }
  const parts = ["TABLE_CATALOG", "TABLE_SCHEMA", "TABLE_NAME"].map((part) => found[part] ?? "");
  const columns = await records(
    api,
    `SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE, IS_NULLABLE, COMMENT FROM INFORMATION_SCHEMA.COLUMNS
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`,
    parts.slice(1),
    database,
    signal,
  );
  return {
    from: parts.map(quoted).join("."),
    path: parts,
    database,
    columns: columns.map((column) => {
      const { type } = snowflakeType(column["DATA_TYPE"] ?? "", Number(column["NUMERIC_SCALE"] ?? 0));
      const comment = column["COMMENT"] ?? "";
      return {
        name: column["COLUMN_NAME"] ?? "",
        type,
        nullable: column["IS_NULLABLE"] !== "NO",
        ...(comment === "" ? {} : { description: comment }),
      };
    }),
    description: (found["COMMENT"] ?? "") === "" ? undefined : (found["COMMENT"] ?? undefined),
    past: found["TABLE_TYPE"] === "BASE TABLE" && found["RETENTION_TIME"] !== "0",
    rows: found["TABLE_TYPE"] === "BASE TABLE" ? count(found["ROW_COUNT"]) : undefined,
    bytes: found["TABLE_TYPE"] === "BASE TABLE" ? count(found["BYTES"]) : undefined,
  };
}

export async function fromQuery(
  api: SnowflakeApi,
  query: string,
  database: string | undefined,
  signal: AbortSignal,
): Promise<Located> {
  const from = `(\n${oneSelect(query, DIALECT)}\n)`;
  const { columns } = await api.execute({ sql: `SELECT * FROM ${from} AS t LIMIT 0`, database }, signal);
  return {
    from,
    path: [],
    database,
    columns: columns.map((column) => ({
      name: column.name,
      type: snowflakeType(column.type, column.scale).type,
      nullable: column.nullable ?? true,
    })),
    description: undefined,
    past: false,
    rows: undefined,
    bytes: undefined,
  };
}

export async function primaryKeyOf(
  api: SnowflakeApi,
  found: Located,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const sql = `SHOW PRIMARY KEYS IN TABLE ${found.from}`;
  const keys = await records(api, sql, [], found.database, signal);
  return keys
    .toSorted((a, b) => Number(a["key_sequence"]) - Number(b["key_sequence"]))
    .flatMap((key) => key["column_name"] ?? []);
}

/**
 * Another after every change of a base table: its rows move the token
 * (https://docs.snowflake.com/en/sql-reference/functions/system_last_change_commit_time), its definition moves LAST_ALTERED
 * (https://docs.snowflake.com/en/sql-reference/info-schema/tables). Undefined for what is no base table.
 */
export async function changeOf(
  api: SnowflakeApi,
  { from, path, database }: Located,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = from.replaceAll("\\", "\\\\").replaceAll("'", "''");
  const [found] = await records(
    api,
    `SELECT SYSTEM$LAST_CHANGE_COMMIT_TIME('${name}') AS CHANGED, LAST_ALTERED, CREATED FROM INFORMATION_SCHEMA.TABLES
     WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND TABLE_TYPE = 'BASE TABLE'`,
    path.slice(1),
    database,
    signal,
  );
  const told = [found?.["CREATED"], found?.["LAST_ALTERED"], found?.["CHANGED"]];
  return told.every((value) => typeof value === "string") ? JSON.stringify([...path, ...told]) : undefined;
}

function count(value: string | null | undefined): number | undefined {
  return typeof value === "string" && /^\d+$/.test(value) ? Number(value) : undefined;
}

/** A small result whole, its values as Snowflake sends them. */
async function records(
  api: SnowflakeApi,
  sql: string,
  values: readonly string[],
  database: string | undefined,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, string | null>>[]> {
  const result = await api.execute({ sql, values, database }, signal);
  const found: Record<string, string | null>[] = [];
  for (let n = 0; n < result.partitions.length; n++) {
    for (const rows of (await api.partition(result, n, signal)).batches(1000)) {
      for (const row of rows) {
        const cells = Array.isArray(row) ? row : [];
        const entry = (column: ResultColumn, i: number): readonly [string, string | null] => {
          const value: unknown = cells[i];
          return [column.name, typeof value === "string" ? value : null];
        };
        found.push(Object.fromEntries(result.columns.map(entry)));
      }
    }
  }
  return found;
}
