import type { Cell, Column } from "../../shared/ports/source.ts";
import {
  booleanCell,
  clockCell,
  dateCell,
  decimalCell,
  doubleCell,
  hexCell,
  integerCell,
  jsonCell,
  secondsCell,
  UNREADABLE,
} from "./fetch-values.ts";

/** How values of one Snowflake type become cells, out of the texts of the SQL API's `jsonv2` format. */
export interface SnowflakeType {
  readonly type: Column["type"];
  cell(text: string): Cell;
}

const TEXT: SnowflakeType = { type: "string", cell: (text) => text };
const WHOLE: SnowflakeType = { type: "number", cell: integerCell };
const DECIMAL: SnowflakeType = { type: "number", cell: decimalCell };
const DOUBLE: SnowflakeType = { type: "number", cell: doubleCell };
const BOOLEAN: SnowflakeType = { type: "boolean", cell: booleanCell };
const DATE: SnowflakeType = { type: "date", cell: dateCell };
const CLOCK: SnowflakeType = { type: "string", cell: clockCell };
const TIMESTAMP: SnowflakeType = { type: "timestamp", cell: secondsCell };
/** `1616173619.000000000 960`: the first part is the moment, the second (1440 more than the offset in minutes) how it is shown. */
const TIMESTAMP_TZ: SnowflakeType = {
  type: "timestamp",
  cell: (text) => {
    const [seconds = "", offset] = text.split(" ");
    return offset === undefined || /^\d{1,4}$/.test(offset) ? secondsCell(seconds) : UNREADABLE;
  },
};
const BYTES: SnowflakeType = { type: "binary", cell: hexCell };
const JSON_TEXT: SnowflakeType = { type: "json", cell: jsonCell };

const TYPES = new Map<string, SnowflakeType>([
  ["fixed", DECIMAL],
  ["number", DECIMAL],
  ["decfloat", DECIMAL],
  ["real", DOUBLE],
  ["float", DOUBLE],
  ["boolean", BOOLEAN],
  ["date", DATE],
  ["time", CLOCK],
  ["timestamp_ntz", TIMESTAMP],
  ["timestamp_ltz", TIMESTAMP],
  ["timestamp_tz", TIMESTAMP_TZ],
  ["binary", BYTES],
  ["variant", JSON_TEXT],
  ["object", JSON_TEXT],
  ["array", JSON_TEXT],
  ["map", JSON_TEXT],
  ["vector", JSON_TEXT],
  ["geography", JSON_TEXT],
  ["geometry", JSON_TEXT],
]);

/**
 * @param name a type as the catalogue (`NUMBER`, `TIMESTAMP_NTZ`) or a result's metadata (`fixed`, `timestamp_ntz`) has it;
 * one not known yet is text.
 * @param scale digits after the point, of fixed-point numbers.
 */
export function snowflakeType(name: string, scale: number | null | undefined): SnowflakeType {
  const found = TYPES.get(name.toLowerCase()) ?? TEXT;
  return found === DECIMAL && name.toLowerCase() !== "decfloat" && (scale ?? 0) === 0 ? WHOLE : found;
}
