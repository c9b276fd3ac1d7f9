import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTypeId,
  DuckDBUnionValue,
  DuckDBVariantValue,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";
import driver from "@duckdb/node-api/lib/vectors/dataAccessors.js";
import type { Cell, Column } from "../../shared/ports/source.ts";

/** How a column of one DuckDB type is selected and turned into cells, losing nothing. */
export interface Conversion {
  readonly type: Column["type"];
  /** The SQL that selects it, given the quoted column. */
  select(column: string): string;
  cell(value: DuckDBValue): Cell;
}

const asIs = (column: string): string => column;
/** DuckDB's own text of a value keeps every digit. */
const asText = (column: string): string => `CAST(${column} AS VARCHAR)`;

// The driver reads text without the byte order mark that leads it (node-api 1.5.5).
Reflect.set(driver, "textDecoder", new TextDecoder("utf-8", { ignoreBOM: true }));

/**
 * Text and dates are selected as they are: where nothing of a table is computed, DuckDB has but one row group of a Parquet file in
 * memory, else two while it goes from one to the next.
 */
const TEXT: Conversion = { type: "string", select: asIs, cell: scalar };
const TEXT_CAST: Conversion = { type: "string", select: asText, cell: scalar };
const NUMBER: Conversion = { type: "number", select: asIs, cell: scalar };
const DIGITS: Conversion = { type: "number", select: asText, cell: scalar };
const SINGLE: Conversion = { type: "number", select: asText, cell: single };
const BOOLEAN: Conversion = { type: "boolean", select: asIs, cell: scalar };
const DATE: Conversion = { type: "date", select: asIs, cell: date };
const TIMESTAMP: Conversion = { type: "timestamp", select: asText, cell: (value) => time(value) };
const BYTES: Conversion = { type: "binary", select: (column) => `base64(${column})`, cell: scalar };
const JSON_TEXT: Conversion = { type: "json", select: asText, cell: jsonCell };
const NESTED: Conversion = { type: "json", select: asIs, cell: nested };

export function conversionOf(type: DuckDBType): Conversion {
  if (type.alias === "JSON") return JSON_TEXT;
  const found = CONVERSIONS.get(type.typeId);
  // Intervals, times of day, UUIDs, bit strings, enums, geometries and types not known yet: DuckDB's own text.
  return found ?? TEXT_CAST;
}

const CONVERSIONS = new Map<DuckDBTypeId, Conversion>([
  [DuckDBTypeId.VARCHAR, TEXT],
  [DuckDBTypeId.BOOLEAN, BOOLEAN],
  [DuckDBTypeId.TINYINT, NUMBER],
  [DuckDBTypeId.SMALLINT, NUMBER],
  [DuckDBTypeId.INTEGER, NUMBER],
  [DuckDBTypeId.BIGINT, NUMBER],
  [DuckDBTypeId.UTINYINT, NUMBER],
  [DuckDBTypeId.USMALLINT, NUMBER],
  [DuckDBTypeId.UINTEGER, NUMBER],
  [DuckDBTypeId.UBIGINT, NUMBER],
  [DuckDBTypeId.HUGEINT, NUMBER],
  [DuckDBTypeId.UHUGEINT, NUMBER],
  [DuckDBTypeId.BIGNUM, NUMBER],
  [DuckDBTypeId.DOUBLE, NUMBER],
  [DuckDBTypeId.FLOAT, SINGLE],
  [DuckDBTypeId.DECIMAL, DIGITS],
  [DuckDBTypeId.DATE, DATE],
  [DuckDBTypeId.TIMESTAMP, TIMESTAMP],
  [DuckDBTypeId.TIMESTAMP_S, TIMESTAMP],
  [DuckDBTypeId.TIMESTAMP_MS, TIMESTAMP],
  [DuckDBTypeId.TIMESTAMP_NS, TIMESTAMP],
  [DuckDBTypeId.TIMESTAMP_TZ, TIMESTAMP],
  [DuckDBTypeId.BLOB, BYTES],
  [DuckDBTypeId.LIST, NESTED],
  [DuckDBTypeId.ARRAY, NESTED],
  [DuckDBTypeId.STRUCT, NESTED],
  [DuckDBTypeId.MAP, NESTED],
  [DuckDBTypeId.UNION, NESTED],
  [DuckDBTypeId.VARIANT, NESTED],
]);

function scalar(value: DuckDBValue): Cell {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "number")
    return Number.isFinite(value) && !Object.is(value, -0) ? value : minus(value);
  if (typeof value === "bigint") {
    const safe = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
    return safe ? Number(value) : value.toString();
  }
  return value.toString();
}

/** The numbers that JSON can't carry, as text. */
function minus(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** A 32-bit float from its shortest text: 0.1 stays 0.1. */
function single(value: DuckDBValue): Cell {
  if (typeof value !== "string") return scalar(value);
  return scalar(value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value));
}

const DAY_MS = 86_400_000;

function date(value: DuckDBValue): Cell {
  if (!(value instanceof DuckDBDateValue)) return scalar(value);
  const { days } = value;
  if (days === DuckDBDateValue.PosInf.days) return "Infinity";
  if (days === DuckDBDateValue.NegInf.days) return "-Infinity";
  const at = new Date(days * DAY_MS);
  const year = at.getUTCFullYear();
  const usual = year >= 1000 && year <= 9999;
  return usual ? `${year}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}` : time(value.toString());
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number);
}

const DUCKDB_TIME =
  /^(\d+)-(\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2}(?:\.\d+)?)(?:\+00(?::00)?)?)?( \(BC\))?( \d{2}:.*)?$/;

/** DuckDB's text of a date or time as ISO 8601 in UTC: years beyond 9999 signed, BC as year zero and below. */
function time(value: DuckDBValue): Cell {
  const text = String(value);
  if (value === null) return null;
  if (text === "infinity") return "Infinity";
  if (text === "-infinity") return "-Infinity";
  const match = DUCKDB_TIME.exec(text);
  if (!match) return text;
  const [, year = "", day = "", plain, bc, late] = match;
  const clock = plain ?? late?.trim().replace(/\+00(:00)?$/, "");
  const signed = bc === undefined ? BigInt(year) : 1n - BigInt(year);
  const size = signed < 0n ? -signed : signed;
  const sign = signed < 0n ? "-" : size > 9999n ? "+" : "";
  const padded = size.toString().padStart(sign === "" ? 4 : 6, "0");
  return `${sign}${padded}-${day}${clock === undefined ? "" : `T${clock}Z`}`;
}

/** JSON text as a cell; numbers that a double can't hold digit for digit stay text. The text itself when it is none. */
function jsonCell(value: DuckDBValue): Cell {
  if (typeof value !== "string") return scalar(value);
  try {
    const parsed: Cell = JSON.parse(value, exact);
    return parsed;
  } catch {
    return value;
  }
}

/** `context.source` (ECMAScript 2026) is a number's own text. */
function exact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || context?.source === undefined) return value;
  return JSON.stringify(value) === context.source ? value : context.source;
}

function nested(value: DuckDBValue): Cell {
  if (value === null || typeof value !== "object") return scalar(value);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(nested);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([key, item]) => [key, nested(item)]));
  }
  if (value instanceof DuckDBMapValue) {
    return Object.fromEntries(value.entries.map((entry) => [mapKey(nested(entry.key)), nested(entry.value)]));
  }
  if (value instanceof DuckDBUnionValue) return nested(value.value);
  if (value instanceof DuckDBVariantValue) return nested(value.value);
  if (value instanceof DuckDBBlobValue) return base64(value.bytes);
  // Its own text is in the machine's time zone.
  if (value instanceof DuckDBTimestampTZValue) return time(new DuckDBTimestampValue(value.micros).toString());
  const isTime =
    value instanceof DuckDBTimestampValue ||
    value instanceof DuckDBTimestampSecondsValue ||
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampNanosecondsValue;
  return isTime ? time(value.toString()) : value.toString();
}

function mapKey(key: Cell): string {
  return typeof key === "string" ? key : JSON.stringify(key);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}
