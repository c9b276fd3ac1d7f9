import { QuaysideError } from "../../shared/ports/errors.ts";
import { quoted } from "./fetch-sql.ts";
import type { Session } from "./postgres-session.ts";

/** A table or query, found. */
export interface Located {
  /** What stands after FROM: a quoted name out of the catalogue, or the query in parentheses. */
  readonly from: string;
  readonly columns: readonly LocatedColumn[];
  readonly primaryKey: readonly string[];
  readonly description: string | undefined;
  readonly rows: number | undefined;
  readonly bytes: number | undefined;
  /** Whether the server shows the role only some of the rows. */
  readonly filtered: boolean;
}

export interface LocatedColumn {
  readonly name: string;
  readonly type: number;
  readonly nullable: boolean;
  readonly description: string | undefined;
}

/** How many tables a message lists. */
const LISTED = 30;

/**
 * The table that the catalogue has under exactly these parts: `table`, `schema.table` or `database.schema.table`. A table
 * alone is the one on the search path, else the only one of that name. Compared as text: as names, longer ones would be cut
 * to 63 bytes and match. Columns that the role may not read are left out.
 * @throws QuaysideError `source_rejected`.
 */
export async function locateTable(session: Session, name: readonly string[]): Promise<Located> {
  const [table = "", schema = "", database = ""] = [...name].reverse();
  const { rows: all } = await session.query(
    `SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_table_is_visible(c.oid), c.reltuples, c.relkind,
       pg_catalog.pg_table_size(c.oid), pg_catalog.obj_description(c.oid, 'pg_class'),
       pg_catalog.row_security_active(c.oid)
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname::text = $1 AND ($2 = '' OR n.nspname::text = $2)
       AND ($3 = '' OR pg_catalog.current_database()::text = $3)`,
    [table, schema, database],
  );
  const visible = all.filter((row) => row[3] === "t");
  const found = name.length === 1 && visible.length > 0 ? visible : all;
  const [first] = found;
  if (name.length > 3 || !first || found.length > 1) throw await notFound(session, name, found.length);
  const [oid, inSchema, , , tuples, kind, size, comment, filtered] = first;
  const from = `${quoted(inSchema ?? "")}.${quoted(table)}`;
  const columns = await columnsOf(session, Number(oid));
  if (columns.length === 0) {
    throw new QuaysideError(
      "source_rejected",
      `The role may read no column of ${name.join(".")}: GRANT SELECT ON ${from} TO it, and USAGE on the schema.`,
    );
  }
  const counted = kind === "p" ? await partitionRows(session, Number(oid)) : Number(tuples);
  // -1 (0 before version 14) says that nobody has counted yet; views have no rows of their own.
  const known = kind !== "v" && counted > 0 && filtered !== "t";
  return {
    from,
    columns,
    primaryKey: await primaryKeyOf(session, Number(oid)),
    description: comment ?? undefined,
    rows: known ? Math.round(counted) : undefined,
    bytes: known && kind !== "p" ? Number(size) : undefined,
    filtered: filtered === "t",
  };
}

/**
 * A query, checked by the server: alone it must be one SELECT, for a cursor can be declared for nothing else, and so it can't
 * end the parentheses that it is put into afterwards.
 * @throws QuaysideError `source_rejected`.
 */
export async function locateQuery(session: Session, query: string): Promise<Located> {
  const text = query.replace(/[;\s]+$/, "");
  try {
    await session.query(`DECLARE quayside_check CURSOR FOR ${text}`);
  } catch (error) {
    if (!(error instanceof QuaysideError) || error.code !== "source_rejected") throw error;
    throw new QuaysideError(
      "source_rejected",
      `A table's query must be one SELECT statement and nothing else. ${error.message}`,
      { cause: error.cause },
    );
  }
  await session.query("CLOSE quayside_check");
  const from = `(${text}\n)`;
  const { columns } = await session.query(`SELECT * FROM ${from} AS t LIMIT 0`);
  return {
    from,
    columns: columns.map((column) => ({ ...column, nullable: true, description: undefined })),
    primaryKey: [],
    description: undefined,
    rows: undefined,
    bytes: undefined,
    filtered: false,
  };
}

/** Schema and name of the tables and views that the role may read, partitions left out, in the order of their names. */
export async function listTables(
  session: Session,
  most?: number,
): Promise<readonly (readonly [schema: string, table: string])[]> {
  const { rows } = await session.query(
    `SELECT n.nspname, c.relname
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
       AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
       AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
     ORDER BY 1, 2${most === undefined ? "" : ` LIMIT ${most}`}`,
  );
  return rows.map(([schema, table]) => [schema ?? "", table ?? ""] as const);
}

async function notFound(session: Session, name: readonly string[], found: number): Promise<QuaysideError> {
  const rows = await listTables(session, LISTED + 1);
  const names = rows.slice(0, LISTED).map((row) => row.join("."));
  const list = `${names.join(", ") || "none"}${rows.length > LISTED ? ", and more" : ""}`;
  const shown = name.join(".");
  return new QuaysideError(
    "source_rejected",
    found > 1
      ? `"${shown}" means several tables; write schema.table. Tables that the role may read: ${list}.`
      : `There is no table "${shown}" in the database, letter for letter. Tables that the role may read: ${list}.`,
  );
}

async function columnsOf(session: Session, table: number): Promise<readonly LocatedColumn[]> {
  const { rows } = await session.query(
    `SELECT attname, atttypid, attnotnull, pg_catalog.col_description(attrelid, attnum)
     FROM pg_catalog.pg_attribute
     WHERE attrelid = ${table} AND attnum > 0 AND NOT attisdropped
       AND pg_catalog.has_column_privilege(attrelid, attnum, 'SELECT')
     ORDER BY attnum`,
  );
  return rows.map(([name, type, required, comment]) => ({
    name: name ?? "",
    type: Number(type),
    nullable: required !== "t",
    description: comment ?? undefined,
  }));
}

async function primaryKeyOf(session: Session, table: number): Promise<readonly string[]> {
  const { rows } = await session.query(
    `SELECT a.attname
     FROM pg_catalog.pg_index i
     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(attnum, place)
     JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
     WHERE i.indrelid = ${table} AND i.indisprimary
     ORDER BY k.place`,
  );
  return rows.map((row) => row[0] ?? "");
}

async function partitionRows(session: Session, table: number): Promise<number> {
  const { rows } = await session.query(
    `SELECT sum(c.reltuples), bool_or(c.reltuples < 0)
     FROM pg_catalog.pg_partition_tree(${table}) p JOIN pg_catalog.pg_class c ON c.oid = p.relid WHERE p.isleaf`,
  );
  return rows[0]?.[1] === "f" ? Number(rows[0][0]) : -1;
}
