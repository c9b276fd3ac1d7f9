import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBListType,
  DuckDBListValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTypeId,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";

/** What BigQuery writes otherwise than DuckDB: names and literals in a query, types and cells in an answer. */

export interface Field {
  readonly name: string;
  readonly type: string;
  readonly mode: string;
  readonly description?: string;
  readonly fields?: readonly Field[];
}

export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Strings, backtick identifiers, `#` comments and literals of BigQuery's types as DuckDB writes them. */
export function adapted(sql: string): string {
  const parts = /'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|#/gs;
  const plain = sql.replaceAll(parts, (all, text: string | undefined, name: string | undefined) => {
    if (all === "#") return "--";
    if (name !== undefined) return quoted(name.replaceAll(/\\(.)/gs, "$1"));
    return text === undefined || !text.includes("\\") ? all : `'${unescaped(text).replaceAll("'", "''")}'`;
  });
  return plain
    .replaceAll(/\bBIGNUMERIC ('[^']*')/g, "CAST($1 AS DECIMAL(38, 10))")
    .replaceAll(/\bTIMESTAMP ('[^']*')/g, "TIMESTAMPTZ $1")
    .replaceAll(/\bDATETIME ('[^']*')/g, "TIMESTAMP $1");
}

/** https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#escape_sequences, as far as tests need them. */
function unescaped(text: string): string {
  return text.replaceAll(/\\(u[0-9a-f]{4}|.)/gs, (_, escape: string) =>
    escape.length > 1 ? String.fromCharCode(Number.parseInt(escape.slice(1), 16)) : escape,
  );
}

const NAMES = new Map<DuckDBTypeId, string>([
  [DuckDBTypeId.TINYINT, "INTEGER"],
  [DuckDBTypeId.SMALLINT, "INTEGER"],
  [DuckDBTypeId.INTEGER, "INTEGER"],
  [DuckDBTypeId.BIGINT, "INTEGER"],
  [DuckDBTypeId.DOUBLE, "FLOAT"],
  [DuckDBTypeId.FLOAT, "FLOAT"],
  [DuckDBTypeId.DECIMAL, "BIGNUMERIC"],
  [DuckDBTypeId.BOOLEAN, "BOOLEAN"],
  [DuckDBTypeId.DATE, "DATE"],
  [DuckDBTypeId.TIME, "TIME"],
  [DuckDBTypeId.TIMESTAMP, "DATETIME"],
  [DuckDBTypeId.TIMESTAMP_TZ, "TIMESTAMP"],
  [DuckDBTypeId.BLOB, "BYTES"],
]);

export function fieldOf(name: string, type: DuckDBType | undefined): Field {
  if (type instanceof DuckDBListType) return { ...fieldOf(name, type.valueType), mode: "REPEATED" };
  if (type instanceof DuckDBStructType) {
    const fields = type.entryNames.map((entry, i) => fieldOf(entry, type.entryTypes[i]));
    return { name, type: "RECORD", mode: "NULLABLE", fields };
  }
  const kind =
    type?.alias === "JSON" ? "JSON" : (NAMES.get(type?.typeId ?? DuckDBTypeId.VARCHAR) ?? "STRING");
  return { name, type: kind, mode: "NULLABLE" };
}

export function wireValue(value: DuckDBValue, type: DuckDBType | undefined, micros: boolean): unknown {
  if (value === null) return null;
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const item = type instanceof DuckDBListType ? type.valueType : undefined;
    return value.items.map((entry) => ({ v: wireValue(entry, item, micros) }));
  }
  if (value instanceof DuckDBStructValue) {
    const entries = type instanceof DuckDBStructType ? type.entryTypes : [];
    return {
      f: Object.values(value.entries).map((entry, i) => ({ v: wireValue(entry, entries[i], micros) })),
    };
  }
  if (value instanceof DuckDBTimestampTZValue) {
    return micros ? String(value.micros) : (Number(value.micros) / 1e6).toExponential();
  }
  if (value instanceof DuckDBTimestampValue) return value.toString().replace(" ", "T");
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("base64");
  if (typeof value === "number") return Object.is(value, -0) ? "-0.0" : String(value);
  return String(value);
}
