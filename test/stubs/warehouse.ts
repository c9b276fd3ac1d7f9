import {
  DuckDBInstance,
  StatementType,
  type DuckDBConnection,
  type DuckDBType,
  type DuckDBValue,
} from "@duckdb/node-api";

/** A real DuckDB in memory, which the warehouse stubs run the SQL on that they are sent. */
export interface Warehouse extends AsyncDisposable {
  /** Sets up, changes: whatever the test wants to be in the warehouse. */
  run(sql: string): Promise<void>;
  /** Runs one SELECT. Rejects with DuckDB's error; `not_select` for anything else. */
  select(sql: string, values?: readonly string[], at?: Moment): Promise<Result>;
  /** The warehouse as it is now, for later. */
  moment(): Promise<Moment>;
}

export interface Moment {
  readonly connection: DuckDBConnection;
}

export interface Result {
  readonly names: readonly string[];
  readonly types: readonly DuckDBType[];
  readonly rows: readonly (readonly DuckDBValue[])[];
}

/**
 * @param setup statements to run first; every connection is in UTC.
 * @param touched any table of the database that moments are kept of: a transaction begins with its first read there.
 */
export async function openWarehouse(setup: readonly string[], touched: string): Promise<Warehouse> {
  const instance = await DuckDBInstance.create(":memory:");
  const main = await instance.connect();
  const all: DuckDBConnection[] = [main];
  await main.run("SET GLOBAL TimeZone = 'UTC'");
  for (const statement of setup) await main.run(statement);

  return {
    run: async (sql) => void (await main.run(sql)),
    async select(sql, values = [], at) {
      if (at) return read(at.connection, sql, values);
      // A connection of its own: statements run side by side.
      const connection = await instance.connect();
      try {
        return await read(connection, sql, values);
      } finally {
        connection.closeSync();
      }
    },
    async moment() {
      const connection = await instance.connect();
      all.push(connection);
      await connection.run("BEGIN TRANSACTION");
      await connection.run(`SELECT count(*) FROM ${touched}`);
      return { connection };
    },
    async [Symbol.asyncDispose]() {
      for (const connection of all) connection.closeSync();
      instance.closeSync();
    },
  };
}

async function read(connection: DuckDBConnection, sql: string, values: readonly string[]): Promise<Result> {
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) throw new Error("not_select");
  const statement = await statements.prepare(0);
  if (statement.statementType !== StatementType.SELECT) throw new Error("not_select");
  for (const [i, value] of values.entries()) statement.bindVarchar(i + 1, value);
  const reader = await statement.runAndReadAll();
  return { names: reader.columnNames(), types: reader.columnTypes(), rows: reader.getRows() };
}

/** Whether DuckDB says that a table or schema is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("Catalog Error");
}
