import * as z from "zod/mini";
import type { Cell, Column } from "../../shared/ports/source.ts";
import {
  booleanCell,
  decimalCell,
  doubleCell,
  integerCell,
  jsonCell,
  microsCell,
  UNREADABLE,
  zonelessCell,
} from "./fetch-values.ts";
import { plainTime, textOf } from "./fetch-cursor.ts";

/** A field of a table's or result's schema, as the REST API has it. */
export interface BigQueryField {
  readonly name: string;
  readonly type: string;
  readonly mode?: string | undefined;
  readonly description?: string | undefined;
  readonly fields?: readonly BigQueryField[] | undefined;
  /** Present where some readers see the column masked, or not at all. */
  readonly policyTags?: unknown;
  readonly dataPolicies?: unknown;
}

export const fieldSchema: z.ZodMiniType<BigQueryField> = z.object({
  name: z.string(),
  type: z.string(),
  mode: z.optional(z.string()),
  description: z.optional(z.string()),
  policyTags: z.optional(z.unknown()),
  dataPolicies: z.optional(z.unknown()),
  get fields() {
    return z.optional(z.array(fieldSchema));
  },
});

interface Scalar {
  readonly type: Column["type"];
  cell(text: string): Cell;
}

const TEXT: Scalar = { type: "string", cell: (text) => text };
const INTEGER: Scalar = { type: "number", cell: integerCell };
const DOUBLE: Scalar = { type: "number", cell: doubleCell };
const DECIMAL: Scalar = { type: "number", cell: decimalCell };
const BOOLEAN: Scalar = { type: "boolean", cell: booleanCell };
const DATE: Scalar = {
  type: "date",
  cell: (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? text : UNREADABLE),
};
/** Whole microseconds, which `useInt64Timestamp` asks for: the default is a double, which loses them. */
const TIMESTAMP: Scalar = { type: "timestamp", cell: microsCell };
const DATETIME: Scalar = { type: "timestamp", cell: zonelessCell };
const BYTES: Scalar = { type: "binary", cell: (text) => text };
const JSON_TEXT: Scalar = { type: "json", cell: jsonCell };

/** Legacy names, which the API still answers with, and those of GoogleSQL. */
const SCALARS = new Map<string, Scalar>([
  ["INTEGER", INTEGER],
  ["INT64", INTEGER],
  ["FLOAT", DOUBLE],
  ["FLOAT64", DOUBLE],
  ["NUMERIC", DECIMAL],
  ["BIGNUMERIC", DECIMAL],
  ["BOOLEAN", BOOLEAN],
  ["BOOL", BOOLEAN],
  ["DATE", DATE],
  ["TIMESTAMP", TIMESTAMP],
  ["DATETIME", DATETIME],
  ["BYTES", BYTES],
  ["JSON", JSON_TEXT],
]);

export function columnOf(field: BigQueryField): Column {
  const nested = field.mode === "REPEATED" || isStruct(field);
  return {
    name: field.name,
    // Times of day, intervals, ranges, geographies (WKT) and types not known yet: BigQuery's own text.
    type: nested ? "json" : (SCALARS.get(field.type)?.type ?? "string"),
    nullable: field.mode !== "REQUIRED",
    ...(isStruct(field) && field.mode !== "REPEATED"
      ? { fields: (field.fields ?? []).map(({ name }) => name) }
      : {}),
    ...(field.description === undefined || field.description === ""
      ? {}
      : { description: field.description }),
  };
}

/**
 * A cell of a column as a literal of the column's own type, so that nothing is compared as a double that is none:
 * https://cloud.google.com/bigquery/docs/reference/standard-sql/lexical#literals
 */
export function literalOf(cell: Cell, { type }: BigQueryField): string {
  const text = textOf(cell);
  switch (type) {
    case "INTEGER":
    case "INT64":
      return /^-?\d+$/.test(text) ? text : `CAST(${quoted(text)} AS INT64)`;
    case "FLOAT":
    case "FLOAT64":
      return `CAST(${quoted(text)} AS FLOAT64)`;
    case "BOOLEAN":
    case "BOOL":
      return text === "true" ? "TRUE" : "FALSE";
    case "DATETIME":
      return `DATETIME ${quoted(plainTime(text))}`;
    case "TIMESTAMP":
      return `TIMESTAMP ${quoted(`${plainTime(text)}+00`)}`;
    case "DATE":
    case "TIME":
    case "NUMERIC":
    case "BIGNUMERIC":
      return `${type} ${quoted(text)}`;
    default:
      return quoted(text);
  }
}

/** Control characters, quotes and backslashes by their number. */
function quoted(text: string): string {
  return `'${text.replace(/[\\'\p{Cc}]/gu, escaped)}'`;
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A value as the API nests it: text, `[{ v }]` for an array, `{ f: [{ v }] }` for a struct. */
export function cellOf(value: unknown, field: BigQueryField): Cell {
  if (value === null) return null;
  if (field.mode === "REPEATED") {
    if (!Array.isArray(value)) return UNREADABLE;
    const { mode: _, ...item } = field;
    return value.map((entry) => cellOf(inner(entry), item));
  }
  if (isStruct(field)) {
    const values = valuesOf(value);
    const fields = field.fields ?? [];
    if (values?.length !== fields.length) return UNREADABLE;
    return Object.fromEntries(fields.map((f, i): [string, Cell] => [f.name, cellOf(values[i], f)]));
  }
  return typeof value === "string" ? (SCALARS.get(field.type) ?? TEXT).cell(value) : UNREADABLE;
}

/** The values of a row or struct, still as the API nests them; undefined when it is none. */
export function valuesOf(row: unknown): readonly unknown[] | undefined {
  const cells = typeof row === "object" && row !== null && "f" in row ? row.f : undefined;
  return Array.isArray(cells) ? cells.map(inner) : undefined;
}

function inner(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null && "v" in entry ? entry.v : undefined;
}

function isStruct(field: BigQueryField): boolean {
  return field.type === "RECORD" || field.type === "STRUCT";
}
