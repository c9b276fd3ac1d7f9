import { isUtf8 } from "node:buffer";
import type { Cell, Column } from "../../shared/ports/source.ts";
import { decimalCell, doubleCell, integerCell, jsonCell, UNREADABLE } from "./fetch-values.ts";
import type { Session } from "./postgres-session.ts";

/** How values of one type are selected and turned into cells, losing nothing. */
export interface Conversion {
  readonly type: Column["type"];
  /** A type to cast to before it is sent. */
  readonly cast?: string;
  /** From the server's own text of the value. */
  readonly cell: (text: string) => Cell;
}

/** Built-in types whose text is not taken as it is, by their fixed ids. */
const BUILT_IN = new Map<number, Conversion>([
  [16, { type: "boolean", cell: booleanCell }],
  [17, { type: "binary", cell: bytesCell }],
  [20, { type: "number", cell: integerCell }],
  [21, { type: "number", cell: integerCell }],
  [23, { type: "number", cell: integerCell }],
  [26, { type: "number", cell: integerCell }],
  [700, { type: "number", cell: doubleCell }],
  [701, { type: "number", cell: doubleCell }],
  // Its text is in the server's currency and language.
  [790, { type: "number", cast: "numeric", cell: decimal }],
  // Blanks at its end are padding, by the type's definition.
  [1042, { type: "string", cell: (text) => text.replace(/ +$/, "") }],
  [1082, { type: "date", cell: timeCell }],
  [1114, { type: "timestamp", cell: timeCell }],
  [1184, { type: "timestamp", cell: timeCell }],
  [1700, { type: "number", cell: decimal }],
  [114, { type: "json", cell: jsonCell }],
  [3802, { type: "json", cell: jsonCell }],
]);
/** Text, UUIDs, times of day, intervals, enums, ranges, addresses, vectors and all that is not known: the server's own text. */
const TEXT: Conversion = { type: "string", cell: (text) => text };
/** Of types within types. What is deeper stays text. */
const MAX_DEPTH = 8;

interface TypeRow {
  readonly kind: string;
  readonly base: number;
  /** 0 for what is no array. */
  readonly element: number;
  readonly delimiter: string;
  /** The fields of a composite type. */
  readonly fields: readonly { readonly name: string; readonly type: number }[];
}

/**
 * Conversions for types by id, looked up in the catalogue as deep as they are nested: domains are what they are domains of,
 * arrays become lists, composite types objects.
 */
export async function conversionsOf(
  session: Session,
  types: readonly number[],
  extra: ReadonlyMap<number, Conversion>,
): Promise<(type: number) => Conversion> {
  const known = new Map([...BUILT_IN, [25, TEXT] as const, [1043, TEXT] as const, ...extra]);
  const found = new Map<number, TypeRow>();
  let open = [...new Set(types)].filter((type) => !known.has(type));
  for (let depth = 0; open.length > 0 && depth < MAX_DEPTH; depth++) {
    for (const [id, row] of await readTypes(session, open)) found.set(id, row);
    const next = open.flatMap((id) => {
      const row = found.get(id);
      return row ? [row.base, row.element, ...row.fields.map((field) => field.type)] : [];
    });
    open = [...new Set(next)].filter((id) => id !== 0 && !known.has(id) && !found.has(id));
  }
  const conversion = (id: number, depth = 0): Conversion => {
    const built = known.get(id);
    if (built) return built;
    const row = found.get(id);
    let made: Conversion = TEXT;
    if (row && depth < MAX_DEPTH) {
      if (row.kind === "d") made = conversion(row.base, depth + 1);
      else if (row.element !== 0) made = listOf(conversion(row.element, depth + 1), row.delimiter);
      else if (row.fields.length > 0) {
        made = recordOf(
          row.fields.map(({ name, type }) => ({ name, cell: conversion(type, depth + 1).cell })),
        );
      }
    }
    if (depth === 0) known.set(id, made);
    return made;
  };
  return (id) => conversion(id);
}

async function readTypes(session: Session, ids: readonly number[]): Promise<Map<number, TypeRow>> {
  const list = ids.map((id) => String(Math.trunc(id))).join(", ");
  // A true array has typlen -1: the fixed-size vectors of the catalogue are written otherwise.
  const { rows } = await session.query(
    `SELECT t.oid, t.typtype, t.typbasetype,
       CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.oid NOT IN (22, 30) THEN t.typelem ELSE 0 END,
       coalesce(e.typdelim, ','), t.typrelid
     FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
     WHERE t.oid IN (${list})`,
  );
  const relations = rows.map((row) => row[5] ?? "0").filter((id) => id !== "0");
  const fields =
    relations.length === 0
      ? []
      : (
          await session.query(
            `SELECT attrelid, attname, atttypid FROM pg_catalog.pg_attribute
             WHERE attrelid IN (${relations.map(Number).join(", ")}) AND attnum > 0 AND NOT attisdropped
             ORDER BY attrelid, attnum`,
          )
        ).rows;
  return new Map(
    rows.map(([id, kind, base, element, delimiter, relation]) => [
      Number(id),
      {
        kind: kind ?? "b",
        base: Number(base),
        element: Number(element),
        delimiter: delimiter ?? ",",
        fields: fields
          .filter((field) => field[0] === relation)
          .map(([, name, type]) => ({ name: name ?? "", type: Number(type) })),
      },
    ]),
  );
}

/** A cell's bytes as text; what is no UTF-8, which only a server without an encoding can send, is unreadable. */
export function decoder(encoding: string): (bytes: Buffer, conversion: Conversion) => Cell {
  if (encoding !== "SQL_ASCII") return (bytes, conversion) => conversion.cell(bytes.toString());
  return (bytes, conversion) => (isUtf8(bytes) ? conversion.cell(bytes.toString()) : UNREADABLE);
}

function booleanCell(text: string): Cell {
  return text === "t" ? true : text === "f" ? false : UNREADABLE;
}

function decimal(text: string): Cell {
  return text === "NaN" || text === "Infinity" || text === "-Infinity" ? text : decimalCell(text);
}

function bytesCell(text: string): Cell {
  return text.startsWith("\\x") ? Buffer.from(text.slice(2), "hex").toString("base64") : UNREADABLE;
}

const TIME = /^(\d+)-(\d{2}-\d{2})(?: (\d{2}:\d{2}:\d{2}(?:\.\d+)?)(?:\+00)?)?( BC)?$/;

/** A date or time, as written with DateStyle ISO in UTC: years beyond 9999 signed, BC as year zero and below. */
function timeCell(text: string): Cell {
  const match = TIME.exec(text);
  if (!match) return text === "infinity" ? "Infinity" : text === "-infinity" ? "-Infinity" : UNREADABLE;
  const [, year = "", day = "", clock, bc] = match;
  const rest = `-${day}${clock === undefined ? "" : `T${clock}Z`}`;
  if (bc === undefined && year.length === 4) return year + rest;
  const signed = bc === undefined ? Number(year) : 1 - Number(year);
  const digits = String(Math.abs(signed)).padStart(signed === 0 ? 4 : 6, "0");
  return `${signed < 0 ? "-" : signed === 0 ? "" : "+"}${digits}${rest}`;
}

/** `{1,NULL,"a \"b\"",{2}}`, perhaps with bounds before it: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function listOf(element: Conversion, delimiter: string): Conversion {
  return {
    type: "json",
    cell(text) {
      let at = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
      const item = (): Cell => {
        if (text[at] === "{") return list();
        if (text[at] === '"') {
          const run = quotedRun(text, at);
          at = run.end;
          return element.cell(run.value);
        }
        const from = at;
        while (at < text.length && text[at] !== delimiter && text[at] !== "}") at += 1;
        const bare = text.slice(from, at);
        return bare === "NULL" ? null : element.cell(bare);
      };
      const list = (): Cell => {
        const items: Cell[] = [];
        at += 1;
        while (at < text.length && text[at] !== "}") {
          items.push(item());
          if (text[at] === delimiter) at += 1;
        }
        at += 1;
        return items;
      };
      return text[at] === "{" ? list() : UNREADABLE;
    },
  };
}

/** `(1,"a ""b""",)`: https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX */
function recordOf(
  fields: readonly { readonly name: string; readonly cell: Conversion["cell"] }[],
): Conversion {
  return {
    type: "json",
    cell(text) {
      let at = 1;
      // Entries, for a field may be called `__proto__`, which assignment would not store.
      const entries = fields.map(({ name, cell }): [string, Cell] => {
        if (text[at] === '"') {
          const run = quotedRun(text, at);
          at = run.end + 1;
          return [name, cell(run.value)];
        }
        const from = at;
        while (at < text.length && text[at] !== "," && text[at] !== ")") at += 1;
        const bare = text.slice(from, at);
        at += 1;
        return [name, bare === "" ? null : cell(bare)];
      });
      return at === text.length ? Object.fromEntries(entries) : UNREADABLE;
    },
  };
}

/** What stands in double quotes from `at`, unescaped, and where it ends. By hand: a pattern would overflow on long texts. */
function quotedRun(text: string, at: number): { readonly value: string; readonly end: number } {
  let end = at + 1;
  let plain = true;
  for (; end < text.length; end++) {
    const c = text[end];
    if (c === '"' && text[end + 1] !== '"') break;
    if (c === "\\" || c === '"') {
      plain = false;
      end += 1;
    }
  }
  const inner = text.slice(at + 1, end);
  return { value: plain ? inner : inner.replace(/[\\"]([^])/g, "$1"), end: end + 1 };
}
