import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Cell } from "../../shared/ports/source.ts";
import { plainTime, textOf } from "./fetch-cursor.ts";
import type { ServiceNowRecord } from "./servicenow-api.ts";
import { cellOf, type ServiceNowColumn } from "./servicenow-fields.ts";

/** ServiceNow runs what follows in a condition's value; a configured filter may not have it either. */
const SCRIPT = /javascript:/i;
/** Values of one condition, so that an address stays below 4 KB: an id has 32 characters. */
const VALUES = 100;

/** @throws QuaysideError `source_rejected` for a column that is none, or no date or time. */
export function cursorOf(columns: readonly ServiceNowColumn[], name: string): ServiceNowColumn {
  const found = columns.find(({ column }) => column.name === name);
  if (found && ["timestamp", "date"].includes(found.column.type)) return found;
  throw new QuaysideError(
    "source_rejected",
    `"${name}" can't be read by: in ServiceNow a cursor is a date or a time, such as sys_updated_on.`,
  );
}

/**
 * Whether a record's cursor is this or later, or not told. Times come in UTC and whole seconds, so that their texts are in
 * their order.
 */
export function isChanged(
  record: ServiceNowRecord,
  cursor: ServiceNowColumn | undefined,
  since: string,
): boolean {
  if (!cursor) return true;
  const entry = record[cursor.element];
  const cell = entry === undefined ? null : cellOf(entry, cursor);
  return typeof cell !== "string" || cell >= since;
}

/** Conditions that find these records, some at a time. */
export function idsIn(ids: readonly string[]): readonly string[] {
  return groups(ids).map((part) => `sys_idIN${part.join(",")}`);
}

/**
 * Conditions that find the records with these keys: many at a time where no value holds what separates them. None for a key that
 * ServiceNow would run as a script.
 */
export function keyFilters(
  columns: readonly ServiceNowColumn[],
  keys: readonly (readonly Cell[])[],
): readonly string[] {
  const text = (cell: Cell, i: number): string =>
    columns[i]?.column.type === "timestamp" ? plainTime(textOf(cell)) : textOf(cell);
  const texts = keys.map((key) => key.map(text)).filter((key) => !key.some((value) => SCRIPT.test(value)));
  const [only] = columns;
  if (only && columns.length === 1 && texts.every(([value = ""]) => /^[\w.: -]+$/.test(value))) {
    return groups(texts.flat()).map((part) => `${only.element}IN${part.join(",")}`);
  }
  // A caret is doubled inside of a value.
  const equal = (value: string, i: number): string =>
    `${columns[i]?.element ?? ""}=${value.replaceAll("^", "^^")}`;
  return texts.map((key) => key.map(equal).join("^"));
}

function groups(values: readonly string[]): readonly (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  for (let at = 0; at < values.length; at += VALUES) parts.push(values.slice(at, at + VALUES));
  return parts;
}
