import * as z from "zod/mini";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import type { Cell, Row, Source, TableRef } from "../../shared/ports/source.ts";
import { baseUrl, forTable, parseSettings } from "./fetch-call.ts";
import { base64 } from "./fetch-values.ts";
import {
  idOf,
  joined,
  makeServiceNowApi,
  type ServiceNowApi,
  type ServiceNowRecord,
  type ServiceNowSession,
  type TableQuery,
} from "./servicenow-api.ts";
import { cursorOf, idsIn, isChanged, keyFilters } from "./servicenow-cursor.ts";
import { cellOf, columnsOf, type DictionaryField, type ServiceNowColumn } from "./servicenow-fields.ts";

const text = z.string().check(z.minLength(1));
const element = z.string().check(z.regex(/^[a-z][a-z0-9_]*$/i, "a field's name"));
const settingsSchema = z.strictObject({
  kind: z.literal("servicenow"),
  instance: z.optional(z.string().check(z.regex(/^[a-z0-9-]+(\.[a-z0-9.-]+)?$/i, "an instance's name"))),
  baseUrl: z.optional(text),
  auth: z.optional(z.enum(["bearer", "basic"])),
  tables: z.optional(
    z.record(
      element,
      z.strictObject({
        fields: z.optional(z.array(element).check(z.minLength(1))),
        filter: z.optional(text),
      }),
    ),
  ),
  pageSize: z.optional(z.number().check(z.int(), z.minimum(10), z.maximum(10_000))),
  html: z.optional(z.enum(["text", "keep"])),
  hiddenRows: z.optional(z.enum(["refuse", "skip"])),
});
type Settings = z.infer<typeof settingsSchema>;

/** No table extends another through more steps than this. */
const MAX_ANCESTORS = 20;

interface Located {
  readonly table: string;
  readonly label: string;
  readonly columns: readonly ServiceNowColumn[];
  readonly filter: string;
}

/**
 * ServiceNow through its Table API, by fetch alone: runs on Node and in a Worker. Rows come in the order of `sys_id`, which
 * is a key of every table and need not be the configured one.
 *
 * Settings: `instance`, `baseUrl`, `auth` (`bearer`, the default, or `basic`), `tables` (by name: `fields` to be read instead of
 * all, `filter`, an encoded query), `pageSize` (default 1000), `html` (`text`, the default, or `keep`), `hiddenRows` (`refuse`,
 * the default, or `skip`). Environment, over the settings: `SERVICENOW_INSTANCE`, `SERVICENOW_BASE_URL`; `SERVICENOW_TOKEN`, for
 * `basic` as `user:password`.
 */
export const makeServiceNowSource: Factory<Source> = (input, host) => {
  const settings = parseSettings("servicenow", settingsSchema, input);
  const session = sessionOf(settings, host);
  const api = makeServiceNowApi(host, session);
  const located = new Map<string, Located>();

  const locate = async (ref: TableRef, signal: AbortSignal): Promise<Located> => {
    if (ref.query !== undefined) {
      const message =
        "ServiceNow has no SQL: name the table in from, and set the source's tables.<name>.filter.";
      throw new QuaysideError("source_rejected", message);
    }
    const name = ref.name?.at(-1) ?? "";
    const chain = await ancestry(api, name, signal);
    const { fields, filter = "" } = settings.tables?.[name] ?? {};
    const found = await dictionary(
      api,
      chain.map((table) => table.name),
      signal,
    );
    checkFilter(filter, found);
    const unknown = fields?.find((field) => !found.has(field));
    if (unknown !== undefined) throw noColumn(unknown, found.keys());
    const chosen = fields ?? [...found.keys()].sort();
    return {
      table: chain[0]?.name ?? name,
      label: chain[0]?.label ?? "",
      columns: chosen.flatMap((field) =>
        columnsOf(found.get(field) ?? fallback(field), settings.html === "keep"),
      ),
      filter,
    };
  };
  const known = async (ref: TableRef, signal: AbortSignal): Promise<Located> => {
    const id = JSON.stringify(ref);
    const found = located.get(id) ?? (await locate(ref, signal));
    located.set(id, found);
    return found;
  };

  return {
    ordered: false,
    origin: session.base.origin,

    describe(ref, signal) {
      return forTable(ref, signal, async () => {
        located.delete(JSON.stringify(ref));
        const { columns, label } = await known(ref, signal);
        const primaryKey = columns.some(({ column }) => column.name === "sys_id") ? ["sys_id"] : [];
        const description = label === "" ? {} : { description: label };
        return { ref, columns: columns.map(({ column }) => column), primaryKey, ...description };
      });
    },

    async *read(table, { key, batchSize, since, only, after, mark, signal }) {
      const { ref } = table;
      const found = await forTable(ref, signal, () => known(ref, signal));
      const columns = await forTable(ref, signal, async () =>
        columnsFor(found, [...table.columns.map((c) => c.name), ...key]),
      );
      const wanted = columns.slice(0, table.columns.length);
      const keys = columns.slice(table.columns.length);
      const cursor =
        since && (await forTable(ref, signal, async () => cursorOf(found.columns, since.column)));
      const query = (fieldsOf: readonly ServiceNowColumn[], term = ""): TableQuery => ({
        table: found.table,
        fields: [...new Set(fieldsOf.map((column) => column.element))],
        filter: joined(found.filter, term),
        display: true,
      });
      const light = cursor && query([...keys, cursor]);
      const missing = new Set<string>();
      const whole = (record: ServiceNowRecord): Row => rowOf(wanted, record, missing);
      const fetched = async (ids: readonly string[]): Promise<ReadonlyMap<string, Row>> => {
        const rows = new Map<string, Row>();
        for (const term of idsIn(ids)) {
          for await (const page of api.pages(query(wanted, term), signal)) {
            for (const record of page) rows.set(idOf(record), whole(record));
          }
        }
        return rows;
      };
      /** Whole where they have changed, asked for once more by their ids; those that are gone by then are left out. */
      const partly = async (records: readonly ServiceNowRecord[]): Promise<readonly Row[]> => {
        const changed = new Set(records.filter((r) => !since || isChanged(r, cursor, since.value)).map(idOf));
        const rows = await forTable(ref, signal, () => fetched([...changed]));
        return records.flatMap((record): Row[] => {
          if (!changed.has(idOf(record))) return [rowOf(keys, record, missing)];
          const row = rows.get(idOf(record));
          return row ? [row] : [];
        });
      };
      const read = async function* (
        reading: AsyncIterable<readonly ServiceNowRecord[]>,
      ): AsyncIterable<readonly Row[]> {
        const pages = reading[Symbol.asyncIterator]();
        try {
          for (;;) {
            const step = await forTable(ref, signal, () => pages.next());
            if (step.done === true) return;
            for (let at = 0; at < step.value.length; at += batchSize) {
              if (signal.aborted) throw aborted(signal);
              const records = step.value.slice(at, at + batchSize);
              const rows = light ? await partly(records) : records.map(whole);
              const last = records.at(-1);
              if (last && !only) mark?.(() => idOf(last));
              yield rows;
            }
          }
        } finally {
          await pages.return?.();
        }
      };
      try {
        if (only) {
          for (const term of keyFilters(keys, only)) yield* read(api.pages(query(wanted, term), signal));
          return;
        }
        const all = light ?? query(wanted);
        yield* read(after === undefined ? api.pages(all, signal) : api.pagesAfter(all, after, signal));
      } finally {
        for (const field of missing) {
          host.log({ level: "warn", event: "source-field-hidden", table: found.table, column: field });
        }
      }
    },

    async estimate(table, signal) {
      return forTable(table.ref, signal, async () => {
        const { table: name, filter } = await known(table.ref, signal);
        const rows = await api.count({ table: name, fields: [], filter, display: false }, signal);
        return rows === undefined ? {} : { rows };
      });
    },

    async highest(table, column, signal) {
      return forTable(table.ref, signal, async () => {
        const found = await known(table.ref, signal);
        const cursor = cursorOf(found.columns, column);
        const query = { table: found.table, fields: [cursor.element], filter: found.filter, display: true };
        const [record] = await api.highest(query, cursor.element, signal);
        const cell = record ? cellOf(record[cursor.element], cursor) : null;
        return typeof cell === "string" ? cell : undefined;
      });
    },

    async [Symbol.asyncDispose]() {
      located.clear();
    },
  };
};

function sessionOf(settings: Settings, host: Host): ServiceNowSession {
  const instance = host.secret("SERVICENOW_INSTANCE") ?? settings.instance;
  const own = host.secret("SERVICENOW_BASE_URL") ?? settings.baseUrl;
  const token = host.secret("SERVICENOW_TOKEN");
  if (own === undefined && instance === undefined)
    throw missing("SERVICENOW_INSTANCE (or the setting instance)");
  if (token === undefined) throw missing("SERVICENOW_TOKEN");
  const basic = settings.auth === "basic";
  if (basic && !token.includes(":")) throw missing("SERVICENOW_TOKEN as user:password, for auth basic");
  const domain = instance?.includes(".") === true ? instance : `${instance ?? ""}.service-now.com`;
  return {
    base: baseUrl(
      own ?? `https://${domain}`,
      own === undefined ? "SERVICENOW_INSTANCE" : "SERVICENOW_BASE_URL",
    ),
    authorization: basic ? `Basic ${base64(new TextEncoder().encode(token))}` : `Bearer ${token}`,
    pageSize: settings.pageSize ?? 1000,
    hiddenRows: settings.hiddenRows ?? "refuse",
  };
}

function missing(what: string): QuaysideError {
  return new QuaysideError("config_invalid", `A servicenow source needs ${what}.`);
}

/** A table and those that it extends, itself first: incident, task. */
async function ancestry(
  api: ServiceNowApi,
  name: string,
  signal: AbortSignal,
): Promise<readonly { readonly name: string; readonly label: string }[]> {
  const chain: { readonly name: string; readonly label: string }[] = [];
  let next = name;
  do {
    // Looked up by a name that can't be more than one term of a query.
    const known = /^[a-z0-9_]+$/i.test(next) ? await first(api, next, signal) : undefined;
    if (!known) {
      const message = "it does not exist, or the user may not read sys_db_object and sys_dictionary.";
      throw new QuaysideError("source_rejected", message);
    }
    chain.push({ name: fieldText(known, "name"), label: fieldText(known, "label") });
    next = fieldText(known, "super_class.name");
  } while (next !== "" && chain.length < MAX_ANCESTORS);
  return chain;
}

async function first(
  api: ServiceNowApi,
  name: string,
  signal: AbortSignal,
): Promise<ServiceNowRecord | undefined> {
  const fields = ["name", "label", "super_class.name"];
  const query = { table: "sys_db_object", fields, filter: `name=${name}`, display: false };
  for await (const page of api.pages(query, signal)) return page[0];
  return undefined;
}

/** The fields of a table, its own before those that it inherits. */
async function dictionary(
  api: ServiceNowApi,
  chain: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, DictionaryField>> {
  const fields = ["name", "element", "column_label", "internal_type", "mandatory", "choice"];
  const filter = `nameIN${chain.join(",")}^elementISNOTEMPTY^active=true`;
  const entries: ServiceNowRecord[] = [];
  for await (const page of api.pages({ table: "sys_dictionary", fields, filter, display: false }, signal)) {
    entries.push(...page);
  }
  const found = new Map<string, DictionaryField>();
  for (const name of chain) {
    for (const entry of entries) {
      const field = fieldText(entry, "element");
      if (fieldText(entry, "name") !== name || found.has(field)) continue;
      found.set(field, {
        element: field,
        label: fieldText(entry, "column_label"),
        internalType: fieldText(entry, "internal_type"),
        mandatory: fieldText(entry, "mandatory") === "true",
        choice: !["", "0"].includes(fieldText(entry, "choice")),
      });
    }
  }
  if (!found.has("sys_id")) found.set("sys_id", fallback("sys_id"));
  return found;
}

function fallback(field: string): DictionaryField {
  return { element: field, label: "", internalType: "GUID", mandatory: false, choice: false };
}

function fieldText(record: ServiceNowRecord, field: string): string {
  const value = record[field];
  return typeof value === "string" ? value : "";
}

/**
 * ServiceNow leaves out a condition on a field that it does not know, and reads everything: so every field is looked up. A
 * new query, an order, a grouping or a script can't be combined with the reading page by page.
 */
function checkFilter(filter: string, fields: ReadonlyMap<string, DictionaryField>): void {
  if (filter === "") return;
  const terms = filter.split("^").map((term) => term.replace(/^OR/, ""));
  for (const term of terms) {
    const field = /^([a-z][a-z0-9_]*)/.exec(term)?.[1] ?? "";
    if (/^(NQ|ORDERBY|GROUPBY|EQ|RL)/.test(term) || /javascript:/i.test(term) || !fields.has(field)) {
      throw new QuaysideError(
        "source_rejected",
        "its filter has a condition that can't be used: each begins with a field of the table, without ^NQ, ^ORDERBY, ^GROUPBY, ^EQ and scripts.",
      );
    }
  }
}

function columnsFor(found: Located, names: readonly string[]): readonly ServiceNowColumn[] {
  const columns = new Map(found.columns.map((column) => [column.column.name, column]));
  return names.map((name) => {
    const column = columns.get(name);
    if (!column) throw noColumn(name, columns.keys());
    return column;
  });
}

function noColumn(name: string, names: Iterable<string>): QuaysideError {
  return new QuaysideError(
    "source_rejected",
    `there is no column "${name}". Its columns: ${[...names].join(", ")}.`,
  );
}

/** @param missing collects fields that an access rule leaves out of records. */
function rowOf(columns: readonly ServiceNowColumn[], record: ServiceNowRecord, missing: Set<string>): Row {
  return Object.fromEntries(
    columns.map((column): [string, Cell] => {
      const entry = record[column.element];
      if (entry === undefined) missing.add(column.element);
      return [column.column.name, entry === undefined ? null : cellOf(entry, column)];
    }),
  );
}
