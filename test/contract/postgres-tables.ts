import { STAMPED_SQL } from "./source.ts";

const PEOPLE = `SELECT * FROM (VALUES (1, 'Ada', NULL), (2, 'Zoë, "the" O''Brien', E'two\\nlines'),
  (10, '007', 'x')) AS t(id, name, note)`;

/** Redshift's catalogue views, over the catalogue of PostgreSQL. */
const SVV = [
  `CREATE VIEW pg_catalog.svv_tables AS
   SELECT table_catalog::text, table_schema::text, table_name::text, table_type::text,
     obj_description(format('%I.%I', table_schema, table_name)::regclass, 'pg_class') AS remarks
   FROM information_schema.tables WHERE table_name NOT LIKE 'svv%'`,
  `CREATE VIEW pg_catalog.svv_columns AS
   SELECT table_schema::text, table_name::text, column_name::text, ordinal_position, is_nullable::text,
     col_description(format('%I.%I', table_schema, table_name)::regclass, ordinal_position) AS remarks
   FROM information_schema.columns`,
];

/** The contract's tables, and what Redshift has beside them. */
export const TABLES: readonly string[] = [
  `CREATE TABLE people AS ${PEOPLE}`,
  `CREATE TABLE stamped AS ${STAMPED_SQL}`,
  "CREATE TABLE many AS SELECT n FROM generate_series(0, 4999) AS g(n)",
  "CREATE TABLE empty (id integer, part text, PRIMARY KEY (part, id))",
  "COMMENT ON TABLE empty IS 'nothing yet'",
  "COMMENT ON COLUMN empty.id IS 'its number'",
  "ANALYZE many",
  "SET allow_system_table_mods = on",
  ...SVV,
];

/** How the table `empty` is described. */
export const DESCRIBED_EMPTY = {
  description: "nothing yet",
  columns: [
    { name: "id", type: "number", nullable: false, description: "its number" },
    { name: "part", type: "string", nullable: false },
  ],
};

/** What the grants of the connector's page are about. */
export const STAFF_AND_SALES: readonly string[] = [
  "CREATE SCHEMA sales",
  "CREATE TABLE sales.orders AS SELECT 1 AS id, 'first' AS note",
  "CREATE TABLE sales.customers (id int)",
  "CREATE TABLE sales.invoices (id int)",
  "CREATE SCHEMA hr",
  "CREATE TABLE hr.staff AS SELECT 1 AS id, 'Ada' AS name, 'north' AS region, 100000 AS salary",
];
