import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory } from "../../shared/ports/host.ts";
import type { Source } from "../../shared/ports/source.ts";
import { hexCell, jsonCell } from "./fetch-values.ts";
import { quoted } from "./fetch-sql.ts";
import type { Located } from "./postgres-catalogue.ts";
import type { Session } from "./postgres-session.ts";
import { makeSqlSource, type Dialect } from "./postgres.ts";

/** SUPER and VARBYTE: types that PostgreSQL has not. Ids as `pg_type` has them. */
const SUPER = 4000;
const VARBYTE = 6551;
/** How many tables a message lists. */
const LISTED = 30;

const REDSHIFT: Dialect = {
  kind: "redshift",
  port: 5439,
  // Its transactions are READ ONLY; there is no setting for a session.
  startup: {},
  settings: ({ timeout }) => [
    `statement_timeout = ${timeout * 1000}`,
    "timezone = 'UTC'",
    "datestyle = 'ISO, YMD'",
    "extra_float_digits = 2",
  ],
  scroll: "",
  types: new Map([
    [SUPER, { type: "json", cell: jsonCell }],
    [VARBYTE, { type: "binary", cell: hexCell }],
  ]),
  locate,
};

/**
 * Amazon Redshift over PostgreSQL's protocol: tables, views and external tables, as `SVV_TABLES` lists them. Node only.
 * Settings as of a postgres source; lock and idle limits are the server's own. A portion is at most 1,000 rows, which is what
 * FETCH may ask of a cluster of one node: https://docs.aws.amazon.com/redshift/latest/dg/fetch.html
 */
export const makeRedshiftSource: Factory<Source> = (settings, host) =>
  makeSqlSource(REDSHIFT, settings, host);

/** @throws QuaysideError `source_rejected` unless exactly one table has these parts, as Redshift folds them. */
async function locate(session: Session, name: readonly string[]): Promise<Located> {
  const [table = "", schema = "", database = ""] = [...name].reverse();
  const { rows } = await session.query(
    `SELECT table_schema, table_name, remarks,
       CASE WHEN table_schema = current_schema() THEN 1 ELSE 0 END
     FROM svv_tables
     WHERE table_name = $1 AND ($2 = '' OR table_schema = $2) AND ($3 = '' OR table_catalog = $3)
       AND table_schema NOT IN ('pg_catalog', 'information_schema', 'pg_internal')`,
    [table, schema, database],
  );
  const own = rows.filter((row) => row[3] === "1");
  const found = name.length === 1 && own.length > 0 ? own : rows;
  const [first] = found;
  if (name.length > 3 || !first || found.length > 1) throw await notFound(session, name, found.length);
  const inSchema = first[0] ?? "";
  const listed = await session.query(
    `SELECT column_name, is_nullable, remarks FROM svv_columns
     WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position`,
    [inSchema, table],
  );
  const from = `${quoted(inSchema)}.${quoted(table)}`;
  const list = listed.rows.map((row) => quoted(row[0] ?? "")).join(", ");
  const { columns } = await session.query(`SELECT ${list || "*"} FROM ${from} AS t LIMIT 0`);
  return {
    from,
    columns: columns.map(({ name, type }) => {
      const row = listed.rows.find((listedRow) => listedRow[0] === name);
      return { name, type, nullable: row?.[1] !== "NO", description: row?.[2] || undefined };
    }),
    // Declared keys are not enforced there; duplicates are found, and held back, by the run.
    primaryKey: await primaryKeyOf(session, inSchema, table),
    description: first[2] || undefined,
    rows: undefined,
    bytes: undefined,
    filtered: false,
  };
}

async function primaryKeyOf(session: Session, schema: string, table: string): Promise<readonly string[]> {
  const { rows } = await session.query(
    `SELECT a.attname
     FROM pg_constraint k
     JOIN pg_class c ON c.oid = k.conrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (k.conkey)
     WHERE k.contype = 'p' AND n.nspname = $1 AND c.relname = $2
     ORDER BY a.attnum`,
    [schema, table],
  );
  return rows.map((row) => row[0] ?? "");
}

async function notFound(session: Session, name: readonly string[], found: number): Promise<QuaysideError> {
  const { rows } = await session.query(
    `SELECT table_schema, table_name FROM svv_tables
     WHERE table_schema NOT IN ('pg_catalog', 'information_schema', 'pg_internal')
     ORDER BY 1, 2 LIMIT ${LISTED}`,
  );
  const list = rows.map((row) => row.join(".")).join(", ") || "none";
  const shown = name.join(".");
  return new QuaysideError(
    "source_rejected",
    found > 1
      ? `"${shown}" means several tables; write schema.table. Tables: ${list}.`
      : `There is no table "${shown}" in the database; Redshift keeps names in lower case. Tables: ${list}.`,
  );
}
