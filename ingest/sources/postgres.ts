import { randomBytes } from "node:crypto";
import * as z from "zod/mini";
import { aborted, sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import type { Cell, ReadOptions, Row, Source, Table, TableRef } from "../../shared/ports/source.ts";
import { changedSince, keyedBy, selectSince, textOf } from "./fetch-cursor.ts";
import { nameOf, parseSettings } from "./fetch-call.ts";
import { quoted } from "./fetch-sql.ts";
import { listTables, locateQuery, locateTable, type Located } from "./postgres-catalogue.ts";
import { openSession, type RawRow, type Session } from "./postgres-session.ts";
import { parseEndpoint } from "./postgres-url.ts";
import { conversionsOf, decoder, type Conversion } from "./postgres-values.ts";

/** In what two systems differ that speak this protocol. */
export interface Dialect {
  readonly kind: string;
  readonly port: number;
  /** What the server is told at the start. */
  readonly startup: Readonly<Record<string, string>>;
  /** Settings of the transaction. */
  settings(limits: Limits): readonly string[];
  /** Between DECLARE and CURSOR. */
  readonly scroll: string;
  /** Types of its own, by id. */
  readonly types: ReadonlyMap<number, Conversion>;
  locate(session: Session, name: readonly string[]): Promise<Located>;
  /** Schema and name of every table that the role may read; absent where it can't be told. */
  readonly list?: (session: Session) => Promise<readonly (readonly string[])[]>;
}

/** In seconds. */
export interface Limits {
  readonly timeout: number;
  readonly lock: number;
  readonly idle: number;
}

const seconds = z.number().check(z.int(), z.minimum(1), z.maximum(86_400));

/** Rows asked for at once to begin with; doubled while they are small. */
const FIRST_FETCH = 64;
/** What rows asked for at once should come to, in bytes of the server's text. */
const FETCH_BYTES = 1024 * 1024;
/** What is held of rows that turned out larger, before the server is made to wait. */
const HELD_BYTES = 4 * 1024 * 1024;
const ATTEMPTS = 4;
const RETRY_MS = 250;

const POSTGRES: Dialect = {
  kind: "postgres",
  port: 5432,
  startup: { default_transaction_read_only: "on" },
  settings: ({ timeout, lock, idle }) => [
    `statement_timeout = '${timeout}s'`,
    `lock_timeout = '${lock}s'`,
    `idle_in_transaction_session_timeout = '${idle}s'`,
    "TimeZone = 'UTC'",
    "DateStyle = 'ISO, YMD'",
    "IntervalStyle = 'postgres'",
    "bytea_output = 'hex'",
    "extra_float_digits = 3",
    // The order of the table's pages, from its first: the same on every run.
    "synchronize_seqscans = off",
    // All rows are wanted, not the first few soon.
    "cursor_tuple_fraction = 1",
  ],
  scroll: "NO SCROLL ",
  types: new Map(),
  locate: locateTable,
  list: (session) => listTables(session),
};

/**
 * PostgreSQL, 10 and later, over its own protocol. Node only.
 *
 * Settings: `secret`, which environment variable holds the URL (default `DATABASE_URL`); `timeoutSeconds` of one statement
 * (default 1800), `lockTimeoutSeconds` (30), `idleTimeoutSeconds`, how long the pipeline may keep the server waiting between
 * two portions (900).
 */
export const makePostgresSource: Factory<Source> = (settings, host) =>
  makeSqlSource(POSTGRES, settings, host);

/** A source over the protocol of PostgreSQL. @throws QuaysideError `config_invalid`. */
export function makeSqlSource(
  dialect: Dialect,
  input: Readonly<Record<string, unknown>>,
  host: Host,
): Source {
  const schema = z.strictObject({
    kind: z.literal(dialect.kind),
    secret: z.optional(z.string().check(z.minLength(1))),
    timeoutSeconds: z.optional(seconds),
    lockTimeoutSeconds: z.optional(seconds),
    idleTimeoutSeconds: z.optional(seconds),
  });
  const settings = parseSettings(dialect.kind, schema, input);
  const secret = settings.secret ?? "DATABASE_URL";
  const url = host.secret(secret);
  if (url === undefined) {
    throw new QuaysideError(
      "config_invalid",
      `A ${dialect.kind} source needs the secret ${secret}: the server's URL.`,
    );
  }
  const endpoint = parseEndpoint(url, secret, dialect.port);
  const limits: Limits = {
    timeout: settings.timeoutSeconds ?? 1800,
    lock: settings.lockTimeoutSeconds ?? 30,
    idle: settings.idleTimeoutSeconds ?? 900,
  };
  // A source lives as long as its run, which the server's administrator so tells from others.
  const applicationName = `quayside ${randomBytes(4).toString("hex")}`;
  const begin = [
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    ...dialect.settings(limits).map((setting) => `SET LOCAL ${setting}`),
  ].join("; ");

  const connect = (signal: AbortSignal): Promise<Session> =>
    openSession({
      endpoint,
      applicationName,
      startup: dialect.startup,
      begin,
      statementMs: limits.timeout * 1000,
      signal,
    });
  const locate = (session: Session, ref: TableRef): Promise<Located> =>
    ref.query === undefined ? dialect.locate(session, ref.name ?? []) : locateQuery(session, ref.query);

  /** One transaction for a table; again where the connection failed. */
  const within = async <T>(
    ref: TableRef,
    signal: AbortSignal,
    work: (session: Session) => Promise<T>,
  ): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        const session = await connect(signal);
        try {
          return await work(session);
        } finally {
          await session[Symbol.asyncDispose]();
        }
      } catch (error) {
        await again(error, attempt, ref, signal);
      }
    }
  };
  /** Waits before another attempt. @throws QuaysideError the error, with the table's name, when there is to be none. */
  const again = async (
    error: unknown,
    attempt: number,
    ref: TableRef,
    signal: AbortSignal,
  ): Promise<void> => {
    if (!(error instanceof QuaysideError) || error.code === "cancelled" || error.code === "config_invalid")
      throw error;
    if (error.code !== "source_unavailable" || attempt >= ATTEMPTS) {
      throw new QuaysideError(error.code, `Table ${nameOf(ref)}: ${error.message}`, { cause: error.cause });
    }
    host.log({ level: "warn", event: "source-connection-retried", table: ref.name?.join("."), attempt });
    await sleep(RETRY_MS * 2 ** attempt * (0.5 + Math.random() / 2), signal);
  };

  const { list } = dialect;
  return {
    ...(list && {
      async tables(signal: AbortSignal) {
        const names = await within({ name: ["catalogue"] }, signal, list);
        return names.map((name) => ({ name }));
      },
    }),

    // In the order of the table's pages: sorting would cost the server a file as large as the table, or a walk through an
    // index that reads most pages many times.
    ordered: false,
    origin: `postgres://${endpoint.host}:${endpoint.port}/${endpoint.database}`,

    describe(ref, signal) {
      return within(ref, signal, async (session) => {
        const found = await locate(session, ref);
        if (found.filtered) {
          host.log({ level: "warn", event: "source-row-security", table: ref.name?.join(".") });
        }
        const types = found.columns.map((column) => column.type);
        const conversion = await conversionsOf(session, types, dialect.types);
        return {
          ref,
          columns: found.columns.map(({ name, type, nullable, description }) => ({
            name,
            type: conversion(type).type,
            nullable,
            ...(description === undefined ? {} : { description }),
          })),
          primaryKey: found.primaryKey,
          ...(found.description === undefined ? {} : { description: found.description }),
        };
      });
    },

    async *read(table, options) {
      const { signal } = options;
      let begun = false;
      for (let attempt = 1; ; attempt++) {
        try {
          const session = await connect(signal);
          try {
            const found = await locate(session, table.ref);
            for await (const rows of rowsOf(session, dialect, found.from, table, options)) {
              begun = true;
              yield rows;
              if (signal.aborted) throw aborted(signal);
            }
            return;
          } finally {
            await session[Symbol.asyncDispose]();
          }
        } catch (error) {
          // Another transaction would be another moment: of a table half read, nothing can be read on.
          await again(error, begun ? ATTEMPTS : attempt, table.ref, signal);
        }
      }
    },

    async estimate(table, signal) {
      if (table.ref.query !== undefined) return {};
      const { rows, bytes } = await within(table.ref, signal, (session) => locate(session, table.ref));
      return { ...(rows === undefined ? {} : { rows }), ...(bytes === undefined ? {} : { bytes }) };
    },

    highest(table, name, signal) {
      return within(table.ref, signal, async (session) => {
        const { from } = await locate(session, table.ref);
        const [conversion] = await columnsIn(session, dialect, from, [name]);
        const cast = conversion?.cast === undefined ? "" : `::${conversion.cast}`;
        const largest = `max(t.${quoted(name)})${cast}::text`;
        const { rows } = await session.query(`SELECT ${largest} FROM ${from} AS t`);
        const text = rows[0]?.[0] ?? null;
        return text === null || !conversion ? undefined : textOf(conversion.cell(text));
      });
    },

    async [Symbol.asyncDispose]() {
      // Every connection ended with its transaction.
    },
  };
}

/**
 * The table's rows through a cursor: while one portion is worked on the next is fetched. Portions are sized by bytes, and the
 * server is made to wait when rows turn out larger, so that a few MiB are in memory however long the table and its rows.
 */
async function* rowsOf(
  session: Session,
  dialect: Dialect,
  from: string,
  table: Table,
  { key, batchSize, since, only }: ReadOptions,
): AsyncIterable<readonly Row[]> {
  const names = table.columns.map((column) => column.name);
  // The types of this moment: what `describe` saw may have changed since.
  const conversions = await columnsIn(session, dialect, from, names);
  const selected = names.map((name, i) => {
    const cast = conversions[i]?.cast;
    return cast === undefined ? column(name) : `${column(name)}::${cast}`;
  });
  const relation = `${from} AS t`;
  const plain = `SELECT ${selected.join(", ")} FROM ${relation}`;
  const where = only
    ? ` WHERE ${keyedBy(
        key.map(column),
        only.map((cells) => cells.map(literal)),
      )}`
    : "";
  const statement = since
    ? selectSince(
        selected.map((sql, i) => ({ sql, key: key.includes(names[i] ?? "") })),
        relation,
        changedSince(column(since.column), literal(since.value)),
      )
    : plain + where;
  await session.query(`DECLARE rows ${dialect.scroll}CURSOR FOR ${statement}`);

  const toRow = rowMaker(names, conversions, session.encoding, since && key);
  let held: Row[] = [];
  let bytes = 0;
  let fetched = 0;
  let wake: (() => void) | undefined;
  const onRow = (raw: RawRow): void => {
    let size = 0;
    for (const cell of raw) size += cell?.length ?? 0;
    held.push(toRow(raw));
    bytes += size;
    fetched += size;
    if (bytes < HELD_BYTES) return;
    session.pause();
    wake?.();
  };
  const fetch = (count: number): Promise<Fetched> => {
    fetched = 0;
    return session.each(`FETCH FORWARD ${count} FROM rows`, onRow).then(
      (rows) => ({ rows }),
      (error: unknown) => ({ error }),
    );
  };
  let asked = Math.min(FIRST_FETCH, batchSize);
  let fetching: Promise<Fetched> | undefined = fetch(asked);
  while (fetching) {
    const full = new Promise<undefined>((resolve) => {
      wake = () => resolve(undefined);
      if (bytes >= HELD_BYTES) resolve(undefined);
    });
    const done: Fetched | undefined = await Promise.race([fetching, full]);
    if (done && "error" in done) throw done.error;
    const rows = held;
    held = [];
    bytes = 0;
    if (done) {
      const ended: boolean = done.rows < asked;
      const average: number = Math.max(1, fetched / Math.max(1, done.rows));
      asked = Math.max(1, Math.min(batchSize, asked * 2, Math.floor(FETCH_BYTES / average)));
      fetching = ended ? undefined : fetch(asked);
    }
    if (rows.length > 0) yield rows;
    session.resume();
  }
}

type Fetched = { readonly rows: number } | { readonly error: unknown };

function column(name: string): string {
  return `t.${quoted(name)}`;
}

/**
 * A literal without a type is of the type that it is compared with. A backslash in one may take the next character along, as the
 * server is set: it is put in by its number.
 */
function literal(cell: Cell): string {
  const parts = textOf(cell)
    .split("\\")
    .map((part) => `'${part.replaceAll("'", "''")}'`);
  return parts.length === 1 ? (parts[0] ?? "''") : `(${parts.join(" || chr(92) || ")})`;
}

/** The types of columns, as they are now. */
async function columnsIn(
  session: Session,
  dialect: Dialect,
  from: string,
  names: readonly string[],
): Promise<readonly Conversion[]> {
  const list = names.map(column);
  const { columns } = await session.query(`SELECT ${list.join(", ")} FROM ${from} AS t LIMIT 0`);
  const types = columns.map((column) => column.type);
  const conversion = await conversionsOf(session, types, dialect.types);
  return types.map((type) => conversion(type));
}

/** @param key where rows may come by it alone, as a column behind the others tells; undefined where all come whole. */
function rowMaker(
  names: readonly string[],
  conversions: readonly Conversion[],
  encoding: string,
  key: readonly string[] | undefined,
): (raw: RawRow) => Row {
  const decode = decoder(encoding);
  const cell = (raw: RawRow, i: number): Cell => {
    const bytes = raw[i];
    const conversion = conversions[i];
    return bytes && conversion ? decode(bytes, conversion) : null;
  };
  const all = names.map((_, i) => i);
  const keys = all.filter((i) => key?.includes(names[i] ?? ""));
  const shown = (raw: RawRow): readonly number[] =>
    key && raw[names.length]?.toString() === "0" ? keys : all;
  // A column may be called `__proto__`, which assignment would not store.
  if (names.includes("__proto__")) {
    return (raw) => Object.fromEntries(shown(raw).map((i): [string, Cell] => [names[i] ?? "", cell(raw, i)]));
  }
  return (raw) => {
    const row: Record<string, Cell> = {};
    for (const i of shown(raw)) row[names[i] ?? ""] = cell(raw, i);
    return row;
  };
}
