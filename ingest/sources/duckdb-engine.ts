import {
  DuckDBStructType,
  DuckDBInstance,
  StatementType,
  type DuckDBConnection,
  type DuckDBPreparedStatement,
} from "@duckdb/node-api";
import { stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Column, Source, TableRef } from "../../shared/ports/source.ts";
import {
  isCsv,
  isDatabase,
  listFiles,
  literal,
  quote,
  relationOf,
  typedRelationOf,
  type CsvSettings,
  type DataFiles,
} from "./duckdb-files.ts";
import { textOf } from "./fetch-cursor.ts";
import { conversionsIn, found, rowsOf, select } from "./duckdb-read.ts";
import { conversionOf } from "./duckdb-values.ts";

/** For queries that sort or group; what needs more spills to a temporary folder. */
const MEMORY_LIMIT = "256MB";
/** CSV files up to this size are counted before they are read; larger ones show progress without an end. */
const COUNTED_BYTES = 64 * 1024 * 1024;

interface Opened {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
  /** Undefined for a database file. */
  readonly data: DataFiles | undefined;
}

/** What of a DuckDB source needs DuckDB: a native module that takes a good part of a short run to load. */
export type DuckDbEngine = AsyncDisposable &
  Required<Pick<Source, "tables" | "describe" | "read" | "estimate" | "highest">>;

/** @param shown the path as it was configured, for messages. */
export function makeDuckDbEngine(path: string, shown: string, csv: CsvSettings): DuckDbEngine {
  let opening: Promise<Opened> | undefined;
  const opened = (): Promise<Opened> => (opening ??= openPath(path, shown));
  const views = new Map<string, Promise<void>>();

  /** What a table is read from, in SQL; found in the catalogue or among the files, never pasted. */
  const relation = async (ref: TableRef): Promise<string> => {
    const { connection, data } = await opened();
    if (ref.query !== undefined) {
      const query = ref.query.replace(/[;\s]+$/, "");
      if (data) await makeViews(data, query, connection);
      await checkSelect(connection, query);
      return `(${query}\n)`;
    }
    const name = ref.name ?? [];
    if (!data) return findInCatalogue(connection, name);
    const file = data.files.get(name.join("."));
    if (file !== undefined) return relationOf(file, csv);
    const names = [...data.files.keys()].join(", ") || "none";
    throw new QuaysideError(
      "source_rejected",
      `There is no table "${name.join(".")}" in ${shown}: no file ${name.join(".")}.csv, .parquet or .json there. Tables found: ${names}.`,
    );
  };

  /** Files that a query may mean become views; the others are not looked into. */
  const makeViews = async (data: DataFiles, query: string, connection: DuckDBConnection): Promise<void> => {
    const text = query.toLowerCase();
    for (const [name, file] of data.files) {
      if (!text.includes(name.toLowerCase())) continue;
      const make = async (): Promise<void> => {
        const source = await typedRelationOf(file, csv, connection);
        await connection.run(`CREATE OR REPLACE VIEW ${quote(name)} AS SELECT * FROM ${source}`);
      };
      const view = views.get(name) ?? make();
      views.set(name, view);
      await view;
    }
  };

  return {
    async tables(signal) {
      return guarded({ name: ["catalogue"] }, signal, async () => {
        const { connection, data } = await opened();
        if (data) return [...data.files.keys()].map((file) => ({ name: [file] }));
        const all = (await catalogueNames(connection)).map((parts) => parts.slice(1));
        return all.map(([schema = "", table = ""]) => {
          const alone = schema === "main" && all.filter((parts) => parts[1] === table).length === 1;
          return { name: alone ? [table] : [schema, table] };
        });
      });
    },

    async describe(ref, signal) {
      return guarded(ref, signal, async () => {
        const from = await relation(ref);
        const { connection, data } = await opened();
        const statement = await connection.prepare(`SELECT * FROM ${from}`);
        const columns = columnsOf(statement);
        statement.destroySync();
        const catalogue =
          !data && ref.name
            ? await catalogueOf(connection, ref.name)
            : { comments: new Map<string, string>(), comment: undefined, primaryKey: [] };
        return {
          ref,
          columns: columns.map((column) => {
            const description = catalogue.comments.get(column.name);
            return description === undefined ? column : { ...column, description };
          }),
          primaryKey: catalogue.primaryKey,
          ...(catalogue.comment === undefined ? {} : { description: catalogue.comment }),
        };
      });
    },

    async *read(table, options) {
      const { key, batchSize, signal } = options;
      const { instance } = await guarded(table.ref, signal, opened);
      const from = await guarded(table.ref, signal, () => relation(table.ref));
      // A connection of its own: a stream blocks the one that it runs on.
      const connection = await instance.connect();
      const stop = (): void => connection.interrupt();
      signal.addEventListener("abort", stop, { once: true });
      try {
        const names = table.columns.map((column) => column.name);
        const selected = await guarded(table.ref, signal, () => select(connection, from, names, options));
        for (;;) {
          const chunk = await guarded(table.ref, signal, () => selected.result.fetchChunk());
          if (!chunk || chunk.rowCount === 0) return;
          const columns = selected.conversions.map((conversion, i) =>
            chunk.getColumnValues(i).map((value) => conversion.cell(value)),
          );
          const whole = options.since ? chunk.getColumnValues(names.length) : undefined;
          for (let at = 0; at < chunk.rowCount; at += batchSize) {
            const to = Math.min(chunk.rowCount, at + batchSize);
            yield rowsOf(names, columns, at, to, whole && { whole, key });
          }
        }
      } finally {
        signal.removeEventListener("abort", stop);
        connection.closeSync();
      }
    },

    async estimate(table, signal) {
      if (table.ref.query !== undefined) return {};
      return guarded(table.ref, signal, async () => {
        const { connection, data } = await opened();
        const file = data?.files.get(table.ref.name?.join(".") ?? "");
        const bytes = file === undefined ? undefined : (await stat(file)).size;
        if (file !== undefined && bytes !== undefined && isCsv(file) && bytes > COUNTED_BYTES)
          return { bytes };
        const reader = await connection.runAndReadAll(`SELECT count(*) FROM ${await relation(table.ref)}`);
        const rows = Number(reader.getRows()[0]?.[0] ?? 0);
        return bytes === undefined ? { rows } : { rows, bytes };
      });
    },

    async highest(table, column, signal) {
      return guarded(table.ref, signal, async () => {
        const { connection } = await opened();
        const from = await relation(table.ref);
        const conversion = found(await conversionsIn(connection, from), column);
        const largest = conversion.select(`max(t.${quote(column)})`);
        const reader = await connection.runAndReadAll(`SELECT ${largest} FROM ${from} AS t`);
        const cell = conversion.cell(reader.getRows()[0]?.[0] ?? null);
        return cell === null ? undefined : textOf(cell);
      });
    },

    async [Symbol.asyncDispose]() {
      const open = await opening?.catch(() => undefined);
      opening = undefined;
      views.clear();
      open?.connection.closeSync();
      open?.instance.closeSync();
    },
  };
}

async function openPath(path: string, shown: string): Promise<Opened> {
  const info = await stat(path).catch(() => undefined);
  if (!info) {
    throw new QuaysideError(
      "source_rejected",
      `There is nothing at ${shown}. A duckdb source's path names a .duckdb file or a folder of .csv, .parquet or .json files.`,
    );
  }
  const database = await isDatabase(path);
  const data = database ? undefined : await listFiles(path);
  const instance = database
    ? await DuckDBInstance.create(path, { access_mode: "READ_ONLY" })
    : await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const statements = [
    "SET GLOBAL TimeZone = 'UTC'",
    `SET memory_limit = '${MEMORY_LIMIT}'`,
    // Each thread reads ahead through buffers of its own; the pipeline is slower than one.
    "SET threads = 1",
    `SET temp_directory = ${literal(join(tmpdir(), "quayside-duckdb"))}`,
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    ...(data ? [`SET allowed_directories = [${literal(join(data.directory, "/"))}]`] : []),
    "SET enable_external_access = false",
    "SET lock_configuration = true",
  ];
  for (const statement of statements) await connection.run(statement);
  return { instance, connection, data };
}

function columnsOf(statement: DuckDBPreparedStatement): readonly Column[] {
  const columns: Column[] = [];
  for (let i = 0; i < statement.columnCount; i++) {
    const own = statement.columnType(i);
    const fields = own instanceof DuckDBStructType ? { fields: [...own.entryNames] } : {};
    columns.push({ name: statement.columnName(i), type: conversionOf(own).type, nullable: true, ...fields });
  }
  return columns;
}

/** @throws QuaysideError `source_rejected` unless the text is exactly one SELECT. */
async function checkSelect(connection: DuckDBConnection, query: string): Promise<void> {
  const statements = await connection.extractStatements(query);
  const one = statements.count === 1 ? await statements.prepare(0) : undefined;
  const type = one?.statementType;
  one?.destroySync();
  if (type === StatementType.SELECT) return;
  throw new QuaysideError(
    "source_rejected",
    "A table's query must be one SELECT statement and nothing else.",
  );
}

/** Database, schema and name of every table and view. */
async function catalogueNames(connection: DuckDBConnection): Promise<readonly (readonly string[])[]> {
  const reader = await connection.runAndReadAll(
    `SELECT database_name, schema_name, name FROM (
       SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() WHERE NOT internal
       UNION ALL SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal
     ) ORDER BY ALL`,
  );
  return reader.getRows().map((row) => row.map(String));
}

/** The quoted name of a table that the catalogue has under exactly these parts. */
async function findInCatalogue(connection: DuckDBConnection, name: readonly string[]): Promise<string> {
  const all = await catalogueNames(connection);
  const found = all.filter((parts) =>
    name.every((part, i) => part === parts[parts.length - name.length + i]),
  );
  if (name.length > 0 && found.length === 1) return (found[0] ?? []).map(quote).join(".");
  const names = all.map((parts) => parts.slice(1).join(".")).join(", ") || "none";
  throw new QuaysideError(
    "source_rejected",
    found.length > 1
      ? `"${name.join(".")}" means several tables; write schema.table. Tables: ${names}.`
      : `There is no table "${name.join(".")}" in the database. Tables: ${names}.`,
  );
}

async function catalogueOf(
  connection: DuckDBConnection,
  name: readonly string[],
): Promise<{
  readonly comments: ReadonlyMap<string, string>;
  readonly comment: string | undefined;
  readonly primaryKey: readonly string[];
}> {
  const table = name.at(-1) ?? "";
  const schema = name.at(-2) ?? "";
  const where = "table_name = $1 AND ($2 = '' OR schema_name = $2)";
  const read = async (sql: string): Promise<readonly (readonly unknown[])[]> =>
    (await connection.runAndReadAll(sql, [table, schema])).getRowsJson();
  const comments = await read(`SELECT column_name, comment FROM duckdb_columns() WHERE ${where}`);
  const own = await read(`SELECT comment FROM duckdb_tables() WHERE ${where}`);
  const keys = await read(
    `SELECT unnest(constraint_column_names) FROM duckdb_constraints()
     WHERE constraint_type = 'PRIMARY KEY' AND ${where}`,
  );
  const comment = own[0]?.[0];
  return {
    comments: new Map(
      comments.flatMap(([column, text]) =>
        typeof text === "string" ? [[String(column), text] as const] : [],
      ),
    ),
    comment: typeof comment === "string" ? comment : undefined,
    primaryKey: keys.map((row) => String(row[0])),
  };
}

/** Runs a step; whatever DuckDB throws becomes a QuaysideError that names the table. */
async function guarded<T>(ref: TableRef, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  if (signal.aborted)
    throw new QuaysideError("cancelled", "Reading was cancelled.", { cause: signal.reason });
  try {
    return await step();
  } catch (error) {
    if (error instanceof QuaysideError) throw error;
    if (signal.aborted) throw new QuaysideError("cancelled", "Reading was cancelled.", { cause: error });
    throw failure(ref, error);
  }
}

/** DuckDB's messages may quote rows: only those about names and syntax are passed on, and a line number. */
function failure(ref: TableRef, error: unknown): QuaysideError {
  const message = error instanceof Error ? error.message : "";
  const what = ref.query === undefined ? `the table "${ref.name?.join(".") ?? ""}"` : "a table's query";
  const line = /CSV Error on Line: (\d+)/.exec(message)?.[1];
  if (line !== undefined) {
    return new QuaysideError(
      "source_rejected",
      `Line ${line} of ${what} is not what its header says: check quotes and the number of fields, or set delimiter or encoding.`,
      { cause: error },
    );
  }
  if (/^(Catalog|Binder|Parser) Error/.test(message)) {
    const first = message.split("\n")[0] ?? "";
    return new QuaysideError("source_rejected", `DuckDB refuses ${what}: ${first}`, { cause: error });
  }
  if (/^(Permission Error|Invalid Input Error|Conversion Error|Out of Range Error)/.test(message)) {
    return new QuaysideError(
      "source_rejected",
      `DuckDB can't read ${what}: a value or file is not what its type says, or lies outside of the source's path.`,
      { cause: error },
    );
  }
  return new QuaysideError("source_unavailable", `DuckDB failed while reading ${what}.`, { cause: error });
}
