import type { DuckDBValue } from "@duckdb/node-api";
import { sendJson, startStub, type Call, type Stub } from "./stub.ts";
import { openWarehouse, type Warehouse } from "./warehouse.ts";

/**
 * ServiceNow's Table API over a real DuckDB, strict: GET only, encoded queries as ServiceNow reads them (a condition on an
 * unknown field is left out), `sysparm_limit` at most 10,000, totals that count what access rules hide, display values in the
 * user's own format and zone, the dictionary as tables of their own.
 */

export const SERVICENOW_STUB = { token: "sn-test-token", user: "quayside", password: "s3cr:t" } as const;

export interface ServiceNowStub extends Stub {
  readonly warehouse: Warehouse;
  /** Makes a table. */
  define(table: TableDefinition): Promise<void>;
  /** Lets the user read these tables only, until the next reset. */
  grant(tables: readonly string[]): void;
}

export interface TableDefinition {
  readonly name: string;
  readonly label?: string;
  /** The table that it extends. */
  readonly extends?: string;
  readonly fields: Readonly<Record<string, FieldDefinition>>;
  /**
   * A SELECT of its records, all text: the fields, inherited ones too; `dv_<field>` where people are shown something else;
   * `hidden` (boolean) for records that an access rule hides. `sys_id` is made where it is missing.
   */
  readonly records?: string;
}

export interface FieldDefinition {
  readonly type: string;
  readonly label?: string;
  readonly choice?: boolean;
  readonly mandatory?: boolean;
}

export async function startServiceNow(port = 0): Promise<ServiceNowStub> {
  const warehouse = await openWarehouse(
    [
      `CREATE TABLE sys_db_object (sys_id VARCHAR, name VARCHAR, label VARCHAR, "super_class.name" VARCHAR)`,
      `CREATE TABLE sys_dictionary (sys_id VARCHAR, name VARCHAR, element VARCHAR, column_label VARCHAR,
         internal_type VARCHAR, mandatory VARCHAR, choice VARCHAR, active VARCHAR)`,
    ],
    "sys_db_object",
  );

  const stub = await startStub(
    {
      refuse({ headers }) {
        const basic = Buffer.from(`${SERVICENOW_STUB.user}:${SERVICENOW_STUB.password}`).toString("base64");
        const right = [`Bearer ${SERVICENOW_STUB.token}`, `Basic ${basic}`];
        return right.includes(headers.authorization ?? "")
          ? undefined
          : { status: 401, body: errorBody("User Not Authenticated") };
      },
      errorBody: (status) => errorBody(`Stubbed failure ${status}, ${SERVICENOW_STUB.token}`),
      handle,
    },
    port,
  );

  let readable: readonly string[] | undefined;

  async function handle(call: Call): Promise<void> {
    const table = decodeURIComponent(/^\/api\/now\/table\/([^/]+)$/.exec(call.path)?.[1] ?? "");
    if (call.method !== "GET") return sendJson(call, 403, errorBody("Operation Failed: ACL Exception"));
    if (readable && !readable.includes(table)) return sendJson(call, 403, errorBody("User Not Authorized"));
    if (call.is("login_page")) {
      call.response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>");
      return;
    }
    const { names } = await warehouse
      .select(`SELECT * FROM ${quoted(table)} LIMIT 0`)
      .catch(() => ({ names: [] as readonly string[] }));
    if (names.length === 0) return sendJson(call, 400, errorBody(`Invalid table ${table}`));
    const limit = Number(call.query.get("sysparm_limit") ?? "10000");
    const offset = Number(call.query.get("sysparm_offset") ?? "0");
    if (!(limit >= 1 && limit <= 10_000 && offset >= 0)) return sendJson(call, 400, errorBody("limit"));
    const where = conditions(call.query.get("sysparm_query") ?? "", names, call.is("page_repeats"));
    const order = orderOf(call.query.get("sysparm_query") ?? "", names);
    const count = await warehouse.select(`SELECT count(*) FROM ${quoted(table)} WHERE ${where}`);
    const total = Number(count.rows[0]?.[0]);
    const found = await warehouse.select(
      `SELECT * FROM ${quoted(table)} WHERE ${where} ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`,
    );
    const wanted = (call.query.get("sysparm_fields") ?? "").split(",");
    const all = call.query.get("sysparm_display_value") === "all";
    const records = found.rows
      .map((row) => new Map(names.map((name, i) => [name, row[i] ?? null])))
      .filter((record) => record.get("hidden") !== true)
      .map((record) => {
        const entry = (field: string): readonly [string, unknown] => {
          const value = text(record.get(field));
          const display = record.has(`dv_${field}`) ? text(record.get(`dv_${field}`)) : shown(value);
          return [field, all ? { display_value: display, value } : value];
        };
        const fields = wanted.filter(
          (field) => record.has(field) && !(call.is("field_hidden") && field === "note"),
        );
        return Object.fromEntries(fields.map(entry));
      });
    if (call.is("too_slow") && limit > (call.fault?.ms ?? 250)) {
      const partial = records.slice(0, 3);
      return sendJson(call, 200, {
        result: partial,
        ...errorBody("Transaction cancelled: maximum execution time exceeded"),
      });
    }
    const announced = call.is("total_count_wrong") ? total + 20 : total;
    const headers = call.is("no_count") ? {} : { "x-total-count": String(announced) };
    const result = call.is("rows_missing")
      ? records.slice(1)
      : call.is("no_ids")
        ? records.map(() => ({}))
        : records;
    sendJson(call, 200, { result }, headers);
  }

  return {
    ...stub,
    get exchanges() {
      return stub.exchanges;
    },
    warehouse,
    grant(tables) {
      readable = tables;
    },
    reset() {
      stub.reset();
      readable = undefined;
    },
    async define({ name, label = name, extends: parent = "", fields, records }) {
      await warehouse.run(`DELETE FROM sys_db_object WHERE name = ${literal(name)}`);
      await warehouse.run(`DELETE FROM sys_dictionary WHERE name = ${literal(name)}`);
      const object = [name, label, parent].map(literal).join(", ");
      await warehouse.run(`INSERT INTO sys_db_object SELECT md5(${literal(name)}), ${object}`);
      for (const [element, field] of Object.entries({ sys_id: { type: "GUID" }, ...fields })) {
        const { type, label: own = "", choice = false, mandatory = false }: FieldDefinition = field;
        const row = [name, element, own, type, String(mandatory), choice ? "1" : "0", "true"]
          .map(literal)
          .join(", ");
        await warehouse.run(
          `INSERT INTO sys_dictionary SELECT md5(${literal(`${name}.${element}`)}), ${row}`,
        );
      }
      if (records === undefined) return;
      const id = /\bAS sys_id\b/.test(records)
        ? "*"
        : "md5(CAST(row_number() OVER () AS VARCHAR)) AS sys_id, *";
      await warehouse.run(`CREATE OR REPLACE TABLE ${quoted(name)} AS SELECT ${id} FROM (${records})`);
    },
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await warehouse[Symbol.asyncDispose]();
    },
  };
}

function errorBody(message: string): { readonly error: unknown; readonly status: string } {
  return { error: { message, detail: null }, status: "failure" };
}

/** What a user of St John's is shown for a time; other values as they are. */
function shown(value: string): string {
  const time = /^(\d{4})-(\d{2})-(\d{2}) \d{2}:\d{2}:\d{2}$/.exec(value);
  return time ? `${time[3]}/${time[2]}/${time[1]} 6.30 a.m.` : value;
}

function text(value: DuckDBValue | undefined): string {
  return value === null || value === undefined ? "" : value.toString();
}

function literal(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** The field that an encoded query orders by; by none there is no order to rely on. */
function orderOf(query: string, names: readonly string[]): string {
  const [, down, field = ""] = /(?:^|\^)ORDERBY(DESC)?([a-z][a-z0-9_]*)$/.exec(query) ?? [];
  return names.includes(field) ? `${quoted(field)}${down === undefined ? "" : " DESC"}` : "random()";
}

/** An encoded query as SQL. Conditions that can't be understood are left out, as ServiceNow leaves them out. */
function conditions(query: string, names: readonly string[], anywhere: boolean): string {
  let sql = "true";
  // A doubled caret is one inside of a value.
  for (const raw of query.replaceAll("^^", "\u0000").split("^")) {
    const term = raw.replaceAll("\u0000", "^");
    const or = term.startsWith("OR") && !term.startsWith("ORDERBY");
    const [, field = "", operator = "", value = ""] =
      /^([a-z][a-z0-9_.]*)(=|>|IN|ISNOTEMPTY|STARTSWITH)(.*)$/s.exec(or ? term.slice(2) : term) ?? [];
    if (!names.includes(field) || (anywhere && operator === ">")) continue;
    const column = quoted(field);
    const condition = {
      "=": `${column} = ${literal(value)}`,
      ">": `${column} > ${literal(value)}`,
      IN: `${column} IN (${value.split(",").map(literal).join(", ")})`,
      ISNOTEMPTY: `${column} <> ''`,
      STARTSWITH: `starts_with(${column}, ${literal(value)})`,
    }[operator];
    sql = or ? `${sql.slice(0, -1)} OR ${condition ?? "false"})` : `${sql} AND (${condition ?? "true"})`;
  }
  return sql;
}
