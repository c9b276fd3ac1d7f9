import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBTypeId,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";

/** What Snowflake writes otherwise than DuckDB: literals in a statement, types and cells in an answer. */

export interface WireColumn {
  readonly name: string;
  readonly type: string;
  readonly scale: number | null;
  readonly precision: number | null;
  readonly nullable: boolean;
}

/** What of Snowflake's SQL DuckDB has under other names. */
export function adapted(sql: string): string {
  const plain = sql.replaceAll(/'(?:[^'\\]|\\.|'')*'/gs, (text) => text.replaceAll(/\\(.)/gs, "$1"));
  return plain.replaceAll(/(?<!["\w.])INFORMATION_SCHEMA\.(TABLES|COLUMNS)\b/g, '"ACME"."STUB"."$1"');
}

export function wireColumn(name: string, type: DuckDBType | undefined): WireColumn {
  const id = type?.typeId ?? DuckDBTypeId.VARCHAR;
  const whole: readonly DuckDBTypeId[] = [
    DuckDBTypeId.TINYINT,
    DuckDBTypeId.SMALLINT,
    DuckDBTypeId.INTEGER,
    DuckDBTypeId.BIGINT,
    DuckDBTypeId.HUGEINT,
    DuckDBTypeId.UBIGINT,
  ];
  const column = (kind: string, scale: number | null = null): WireColumn => ({
    name,
    type: kind,
    scale,
    precision: scale === null ? null : 38,
    nullable: true,
  });
  if (type?.alias === "JSON") return column("variant");
  if (whole.includes(id)) return column("fixed", 0);
  if (type !== undefined && "scale" in type) return column("fixed", type.scale);
  const names = new Map<DuckDBTypeId, string>([
    [DuckDBTypeId.DOUBLE, "real"],
    [DuckDBTypeId.FLOAT, "real"],
    [DuckDBTypeId.BOOLEAN, "boolean"],
    [DuckDBTypeId.DATE, "date"],
    [DuckDBTypeId.TIME, "time"],
    [DuckDBTypeId.TIMESTAMP, "timestamp_ntz"],
    [DuckDBTypeId.TIMESTAMP_NS, "timestamp_ltz"],
    [DuckDBTypeId.TIMESTAMP_TZ, "timestamp_tz"],
    [DuckDBTypeId.BLOB, "binary"],
  ]);
  return column(names.get(id) ?? "text");
}

/** The texts of the `jsonv2` format. */
export function wireValue(value: DuckDBValue, type: DuckDBType | undefined): string | null {
  if (value === null) return null;
  if (value instanceof DuckDBDateValue) return String(value.days);
  if (value instanceof DuckDBTimeValue) return scaled(value.micros, 6);
  if (value instanceof DuckDBTimestampValue) return scaled(value.micros, 6);
  if (value instanceof DuckDBTimestampNanosecondsValue) return scaled(value.nanos, 9);
  // As shown at UTC-8: 1440 minus 480 minutes.
  if (value instanceof DuckDBTimestampTZValue) return `${scaled(value.micros, 6)} 960`;
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex").toUpperCase();
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (typeof value === "number" && type?.typeId !== DuckDBTypeId.INTEGER) {
    return Object.is(value, -0) ? "-0" : String(value).replace("Infinity", "inf");
  }
  return String(value);
}

/** A count of small units as decimal seconds with nine digits. */
function scaled(count: bigint, digits: number): string {
  const sign = count < 0n ? "-" : "";
  const all = (count < 0n ? -count : count).toString().padStart(digits + 1, "0");
  return `${sign}${all.slice(0, -digits)}.${all.slice(-digits).padEnd(9, "0")}`;
}
