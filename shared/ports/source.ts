/**
 * A value as JSON can carry it, without loss: decimals and integers beyond 2^53 are strings, times are ISO 8601 in UTC,
 * bytes are base64, NaN and infinities are the strings "NaN", "Infinity", "-Infinity".
 */
export type Cell = string | number | boolean | null | readonly Cell[] | { readonly [key: string]: Cell };
export type Row = Readonly<Record<string, Cell>>;

export interface Column {
  readonly name: string;
  readonly type: "string" | "number" | "boolean" | "date" | "timestamp" | "json" | "binary";
  readonly nullable: boolean;
  /** Names of a declared record's own fields, in its order; absent for what is no record, or declares none. */
  readonly fields?: readonly string[];
  /** The warehouse's own column comment. */
  readonly description?: string;
}

/** A table or a query to be read as a table. Exactly one of `name` and `query` is set. */
export interface TableRef {
  /** As the warehouse writes it, broadest part first: `["SALES", "PUBLIC", "ORDERS"]`. */
  readonly name?: readonly string[];
  /** One read-only SELECT. */
  readonly query?: string;
}

export interface Table {
  readonly ref: TableRef;
  readonly columns: readonly Column[];
  /** Columns that the warehouse declares to identify a row; empty when it declares none. */
  readonly primaryKey: readonly string[];
  readonly description?: string;
}

/** From where on rows have changed, by a column whose value rises with every change of its row: the cursor. */
export interface Since {
  readonly column: string;
  /** A value of that column, as the text of its cell. */
  readonly value: string;
}

export interface ReadOptions {
  /** The columns that order the rows: the table's configured key. */
  readonly key: readonly string[];
  /**
   * Rows whose cursor is this or later, and rows that have none, come whole; of every other row the columns of `key` alone.
   * The source compares, in the column's own type and order. Needs `Source.highest`, and the key among the table's columns.
   */
  readonly since?: Since | undefined;
  /**
   * Reads only the rows with these keys, whole: for each a cell for each column of `key`, as `read` gave them. A source that
   * takes letters for equal may give more rows. Needs `Source.highest`; not together with `since` and `after`.
   */
  readonly only?: readonly (readonly Cell[])[] | undefined;
  /** Most rows in a batch. */
  readonly batchSize: number;
  /**
   * Goes on behind the batch that a mark was given with, in the same result: what another reader began. Of a row it holds nothing,
   * or is one value of its key.
   */
  readonly after?: string | undefined;
  /**
   * Called before each batch, with what makes the `after` that goes on behind it, by a source whose reading can be gone on with
   * elsewhere. Others never call it.
   */
  readonly mark?: ((after: () => string) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * A system that tables are read from. Read-only by role and by code: no method can change the warehouse.
 * Methods reject with QuaysideError `source_unavailable` (retries happened inside, so it is final), `source_rejected`
 * (no such table, no right, bad query), `deadline_exceeded` or `cancelled`.
 */
export interface Source extends AsyncDisposable {
  /** The tables and views that the role may read, in a fixed order; absent where a source can't list them. */
  tables?(signal: AbortSignal): Promise<readonly TableRef[]>;

  /** The table's shape, read from the catalogue. `source_rejected` when it does not exist. */
  describe(ref: TableRef, signal: AbortSignal): Promise<Table>;

  /**
   * Rows in batches of at most `batchSize`, each row exactly once, in key order where `ordered` is true. Memory stays flat. With
   * `since` too each row comes exactly once, whole or by its key alone, however it changes meanwhile.
   */
  read(table: Table, options: ReadOptions): AsyncIterable<readonly Row[]>;

  /**
   * How many rows `read` will yield, and how many bytes the warehouse will scan for it, where it can tell cheaply.
   * @param reading as `read` will be given it.
   */
  estimate(
    table: Table,
    signal: AbortSignal,
    reading?: Pick<ReadOptions, "key" | "since">,
  ): Promise<{ readonly rows?: number; readonly bytes?: number }>;

  /**
   * The largest value of a column as the text of its cell, at the moment of a `read` that follows or before it; undefined where
   * no row has one. Absent for a source that can't be read by a cursor. `source_rejected` for a column that has no order.
   */
  highest?(table: Table, column: string, signal: AbortSignal): Promise<string | undefined>;

  /**
   * What identifies a table's contents: equal to an earlier one only if `read` would yield the same rows as then. Undefined where
   * that can't be told of this table; absent where a source can never tell. Asked before a table is read, and once more after it:
   * a source that sees that something was written in between tells no revision, even if the contents are what they were.
   */
  revision?(ref: TableRef, signal: AbortSignal): Promise<string | undefined>;

  /**
   * Which system this is, safe to show: `postgres://db.example.com:5432/sales`. Rows of another must not pass for these. Absent
   * where a source can't tell two apart.
   */
  readonly origin?: string | undefined;

  /** Whether `read` yields rows in key order. Unordered sources are compared through a set of keys instead of a merge. */
  readonly ordered: boolean;
}
