import type { Cell, Column } from "../../shared/ports/source.ts";
import { booleanCell, decimalCell, integerCell, jsonCell, UNREADABLE, zonelessCell } from "./fetch-values.ts";
import { htmlText } from "./servicenow-html.ts";

/** A field as the dictionary (sys_dictionary) has it. */
export interface DictionaryField {
  readonly element: string;
  readonly label: string;
  readonly internalType: string;
  readonly mandatory: boolean;
  /** Whether its values are chosen from a list, each with a label. */
  readonly choice: boolean;
}

/** One column that is made of a field. */
export interface ServiceNowColumn {
  readonly column: Column;
  readonly element: string;
  /** Which half of the field it is made of: what is stored, or what people are shown. */
  readonly from: "value" | "display_value";
  cell(text: string): Cell;
}

interface Kind {
  readonly type: Column["type"];
  cell(text: string): Cell;
}

const TEXT: Kind = { type: "string", cell: (text) => text };
const INTEGER: Kind = { type: "number", cell: integerCell };
const DECIMAL: Kind = { type: "number", cell: decimalCell };
const BOOLEAN: Kind = { type: "boolean", cell: booleanCell };
const DATE: Kind = { type: "date", cell: (text) => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? text : UNREADABLE) };
/** Values are in UTC whatever zone the user is shown. */
const TIMESTAMP: Kind = { type: "timestamp", cell: zonelessCell };
const JSON_TEXT: Kind = { type: "json", cell: jsonCell };
const HTML: Kind = { type: "string", cell: htmlText };
const KINDS = new Map<string, Kind>([
  ["integer", INTEGER],
  ["longint", INTEGER],
  ["count", INTEGER],
  ["auto_increment", INTEGER],
  ["order_index", INTEGER],
  ["decimal", DECIMAL],
  ["float", DECIMAL],
  ["percent_complete", DECIMAL],
  ["boolean", BOOLEAN],
  ["glide_date", DATE],
  ["glide_date_time", TIMESTAMP],
  ["datetime", TIMESTAMP],
  ["due_date", TIMESTAMP],
  ["json", JSON_TEXT],
  ["html", HTML],
  ["translated_html", HTML],
]);
/** Comments and work notes: only their display value has the entries. */
const JOURNALS = new Set(["journal", "journal_input", "journal_list"]);
/** Fields whose value is an id that nobody reads. */
const SHOWN_BY_NAME = new Set(["reference", "glide_list", "document_id", "domain_id", "user_input"]);

/**
 * The columns of a field: the value under the field's name and, for references and choices, what people are shown under
 * `dv_<name>`, as ServiceNow's own ODBC driver calls it.
 */
export function columnsOf(field: DictionaryField, keepHtml: boolean): readonly ServiceNowColumn[] {
  const { element, label, internalType } = field;
  const known = KINDS.get(internalType) ?? TEXT;
  const kind = keepHtml && known === HTML ? TEXT : known;
  const description = label === "" || label === element ? {} : { description: label };
  const own: ServiceNowColumn = {
    element,
    from: JOURNALS.has(internalType) ? "display_value" : "value",
    column: { name: element, type: kind.type, nullable: !field.mandatory, ...description },
    cell: (text) => kind.cell(text),
  };
  if (!field.choice && !SHOWN_BY_NAME.has(internalType)) return [own];
  const shown: ServiceNowColumn = {
    element,
    from: "display_value",
    column: { name: `dv_${element}`, type: "string", nullable: true, ...description },
    cell: (text) => text,
  };
  return [own, shown];
}

/** A field's entry in a record, as `sysparm_display_value=all` gives it. Empty text is ServiceNow's null. */
export function cellOf(entry: unknown, column: ServiceNowColumn): Cell {
  if (typeof entry !== "object" || entry === null || !(column.from in entry)) return UNREADABLE;
  const { value, display_value: display }: { value?: unknown; display_value?: unknown } = entry;
  const text = column.from === "value" ? value : display;
  if (text === null || text === "") return null;
  return typeof text === "string" ? column.cell(text) : UNREADABLE;
}
