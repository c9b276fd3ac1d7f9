import * as z from "zod/mini";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import type { Cell, ReadOptions, Row, Since, Source, Table, TableRef } from "../../shared/ports/source.ts";
import { snowflakeAccess } from "../../shared/snowflake-auth.ts";
import { changedSince, keyedBy, plainTime, selectSince, textOf } from "./fetch-cursor.ts";
import { baseUrl, forTable, nameOf, parseSettings } from "./fetch-call.ts";
import { quoted } from "./fetch-sql.ts";
import { UNREADABLE } from "./fetch-values.ts";
import {
  isGone,
  isWithoutPast,
  makeSnowflakeApi,
  type ResultSet,
  type SnowflakeApi,
  type SnowflakeSession,
} from "./snowflake-api.ts";
import {
  changeOf,
  fold,
  fromCatalogue,
  fromQuery,
  primaryKeyOf,
  type Located,
} from "./snowflake-catalogue.ts";
import { snowflakeType } from "./snowflake-values.ts";

const text = z.string().check(z.minLength(1));
const settingsSchema = z.strictObject({
  kind: z.literal("snowflake"),
  account: z.optional(text),
  user: z.optional(text),
  role: z.optional(text),
  warehouse: z.optional(text),
  database: z.optional(text),
  schema: z.optional(text),
  baseUrl: z.optional(text),
  timeoutSeconds: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(86_400))),
  snapshot: z.optional(z.boolean()),
  revisions: z.optional(z.boolean()),
  queryTag: z.optional(z.string().check(z.maxLength(2000))),
});

/** Tables described within this long of each other are read as at one moment. */
const SNAPSHOT_MS = 15 * 60_000;
/** How often a result that is no longer kept is made anew, within one table. */
const MAX_RESTARTS = 3;
/** The next partition is fetched while one is worked on, when both are at most this large. */
const AHEAD_BYTES = 16 * 1024 * 1024;

/**
 * Snowflake through its SQL API, by fetch alone: runs on Node and in a Worker.
 *
 * Settings: `account`, `user`, `role`, `warehouse`, `database`, `schema`, `baseUrl`,
 * `timeoutSeconds` (of one statement; default 1800), `snapshot` (default true: the tables of a run as at one moment),
 * `revisions` (default false: whether a base table is taken for unchanged that Snowflake calls so), `queryTag`. Environment, over the settings: `SNOWFLAKE_ACCOUNT`, `SNOWFLAKE_USER`, `SNOWFLAKE_ROLE`,
 * `SNOWFLAKE_WAREHOUSE`, `SNOWFLAKE_BASE_URL`; `SNOWFLAKE_TOKEN` or `SNOWFLAKE_PRIVATE_KEY` (PKCS #8 in PEM).
 *
 * Plain names are folded to upper case, as Snowflake does; write others as they are, `"in quotes"` if they look plain.
 */
export const makeSnowflakeSource: Factory<Source> = (input, host) => {
  const settings = parseSettings("snowflake", settingsSchema, input);
  const session = sessionOf(settings, host);
  const api = makeSnowflakeApi(host, session);
  const snapshots = settings.snapshot ?? true;
  const located = new Map<string, Located>();
  let moment: { readonly handle: string; readonly at: number } | undefined;

  const locate = async (ref: TableRef, signal: AbortSignal): Promise<Located> => {
    const database = fold(ref.name && ref.name.length > 2 ? ref.name.at(-3) : settings.database);
    const found =
      ref.query === undefined
        ? await fromCatalogue(api, ref.name ?? [], settings.schema, database, signal)
        : await fromQuery(api, ref.query, database, signal);
    located.set(JSON.stringify(ref), found);
    return found;
  };
  const known = async (ref: TableRef, signal: AbortSignal): Promise<Located> =>
    located.get(JSON.stringify(ref)) ?? (await locate(ref, signal));

  /** Sets the moment that tables are read as at, by a statement to refer to. */
  const fix = async (signal: AbortSignal): Promise<void> => {
    if (!snapshots || (moment && host.now() - moment.at < SNAPSHOT_MS)) return;
    const at = host.now();
    moment = { handle: (await api.execute({ sql: "SELECT 1" }, signal)).handle, at };
  };

  return {
    ordered: true,
    origin: `${session.base.origin}/${settings.database ?? ""}`,

    async revision(ref, signal) {
      if (settings.revisions !== true || !ref.name) return undefined;
      // What is read from here on is read as at a later moment, at which the revision has been.
      moment = undefined;
      return forTable(ref, signal, async () => changeOf(api, await locate(ref, signal), signal));
    },

    describe(ref, signal) {
      return forTable(ref, signal, async () => {
        const found = await locate(ref, signal);
        await fix(signal);
        const primaryKey =
          ref.query === undefined && found.past ? await primaryKeyOf(api, found, signal) : [];
        const { columns, description } = found;
        return { ref, columns, primaryKey, ...(description === undefined ? {} : { description }) };
      });
    },

    async *read(table, options) {
      const { key, batchSize, since, after, mark, signal } = options;
      const found = await forTable(table.ref, signal, () => known(table.ref, signal));
      const names = table.columns.map((column) => column.name);
      for (const name of [...names, ...key, ...(since ? [since.column] : [])])
        checkColumn(table, found, name);
      const keys = since && key;
      const begun = after === undefined ? undefined : parseMark(after);
      let at = begun ? begun.at : found.past ? moment?.handle : undefined;
      let done = begun?.done ?? 0;
      for (let restarts = 0; ; restarts++) {
        const handle = at;
        const run = (): Promise<ResultSet> =>
          api.execute(
            { sql: selectOf(found, names, handle, options), database: found.database, long: true },
            signal,
          );
        let result: ResultSet;
        try {
          const kept = restarts === 0 ? begun?.result : undefined;
          result = kept ? { ...kept, first: undefined } : await forTable(table.ref, signal, run);
        } catch (error) {
          if (handle === undefined || !isWithoutPast(error)) throw error;
          host.log({ level: "warn", event: "source-snapshot-skipped", table: table.ref.name?.join(".") });
          at = undefined;
          continue;
        }
        try {
          for await (const rows of rowsOf(api, result, table, { batchSize, skip: done, keys, signal })) {
            done += rows.length;
            const { first: _, ...kept } = result;
            mark?.(() => JSON.stringify({ at: handle, done, result: kept } satisfies Mark));
            yield rows;
          }
          return;
        } catch (error) {
          // The same statement at the same moment, in key order, gives the same rows again; where keys are equal rows may
          // swap, and those are held back as duplicates either way.
          const repeatable = handle !== undefined && key.length > 0;
          if (!isGone(error) || !repeatable || restarts >= MAX_RESTARTS) throw error;
          host.log({
            level: "warn",
            event: "source-result-restarted",
            table: table.ref.name?.join("."),
            rows: done,
          });
        }
      }
    },

    async estimate(table, signal) {
      return forTable(table.ref, signal, async () => {
        const { rows, bytes } = await known(table.ref, signal);
        return { ...(rows === undefined ? {} : { rows }), ...(bytes === undefined ? {} : { bytes }) };
      });
    },

    async highest(table, column, signal) {
      return forTable(table.ref, signal, async () => {
        const found = await known(table.ref, signal);
        checkColumn(table, found, column);
        // As at the moment that rows are read as at: what came after it is not read.
        const largest = (handle: string | undefined): string =>
          `SELECT MAX(t.${quoted(column)}) FROM ${found.from}${atClause(handle)} AS t`;
        const ask = (sql: string): Promise<ResultSet> =>
          api.execute({ sql, database: found.database, long: true }, signal);
        const handle = found.past ? moment?.handle : undefined;
        const result = await ask(largest(handle)).catch((error: unknown) => {
          if (handle === undefined || !isWithoutPast(error)) throw error;
          return ask(largest(undefined));
        });
        const [kind] = result.columns;
        for (const rows of (await api.partition(result, 0, signal)).batches(1)) {
          const value: unknown = Array.isArray(rows[0]) ? rows[0][0] : null;
          if (typeof value === "string" && kind)
            return textOf(snowflakeType(kind.type, kind.scale).cell(value));
        }
        return undefined;
      });
    },

    async [Symbol.asyncDispose]() {
      located.clear();
      moment = undefined;
    },
  };
};

function sessionOf(settings: z.infer<typeof settingsSchema>, host: Host): SnowflakeSession {
  const values: Readonly<Record<string, string | undefined>> = {
    SNOWFLAKE_ACCOUNT: settings.account,
    SNOWFLAKE_USER: settings.user,
    SNOWFLAKE_ROLE: settings.role,
    SNOWFLAKE_WAREHOUSE: settings.warehouse,
    SNOWFLAKE_BASE_URL: settings.baseUrl,
  };
  const secret = (name: string): string | undefined => host.secret(name) ?? values[name];
  const open = (): ReturnType<typeof snowflakeAccess> => snowflakeAccess({ secret, now: () => host.now() });
  let access = open();
  return {
    base: baseUrl(access.baseUrl, "SNOWFLAKE_BASE_URL"),
    authorize(renew) {
      if (renew) access = open();
      return access.headers();
    },
    role: fold(secret("SNOWFLAKE_ROLE")),
    warehouse: fold(secret("SNOWFLAKE_WAREHOUSE")),
    schema: fold(settings.schema),
    timeoutSeconds: settings.timeoutSeconds ?? 1800,
    queryTag: settings.queryTag ?? "quayside",
  };
}

function checkColumn(table: Table, found: Located, name: string): void {
  if (found.columns.some((column) => column.name === name)) return;
  const names = found.columns.map((column) => column.name).join(", ");
  throw new QuaysideError(
    "source_rejected",
    `Table ${nameOf(table.ref)} has no column "${name}". Its columns: ${names}.`,
  );
}

function atClause(handle: string | undefined): string {
  return handle === undefined ? "" : ` AT(STATEMENT => '${handle}')`;
}

function selectOf(
  found: Located,
  names: readonly string[],
  handle: string | undefined,
  { key, since, only }: Pick<ReadOptions, "key" | "since" | "only">,
): string {
  const from = `${found.from}${atClause(handle)} AS t`;
  const order = key.length === 0 ? "" : ` ORDER BY ${key.map(quoted).join(", ")}`;
  if (since) return `${sinceOf(found, names, from, key, since)}${order}`;
  const where = only
    ? ` WHERE ${keyedBy(
        key.map(quoted),
        only.map((cells) => cells.map((cell, i) => literalOf(found, key[i] ?? "", cell))),
      )}`
    : "";
  return `SELECT ${names.map(quoted).join(", ")} FROM ${from}${where}${order}`;
}

function sinceOf(
  found: Located,
  names: readonly string[],
  from: string,
  key: readonly string[],
  since: Since,
): string {
  const changed = changedSince(quoted(since.column), literalOf(found, since.column, since.value));
  // Of the column's type, so that both halves have the same; never evaluated, so that it is not read.
  const columns = names.map((name) => {
    const sql = quoted(name);
    return { sql, key: key.includes(name), none: `CASE WHEN FALSE THEN ${sql} END` };
  });
  return selectSince(columns, from, changed);
}

/** A cell as a literal that Snowflake compares with its column losing nothing: times are in UTC, as the session is. */
function literalOf(found: Located, column: string, cell: Cell): string {
  const text = textOf(cell);
  const type = found.columns.find(({ name }) => name === column)?.type;
  if (type === "number" && /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text)) return text;
  const plain = type === "timestamp" ? plainTime(text) : text;
  return `'${plain.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

/** Where a reading can be gone on with: Snowflake keeps a result for a day. */
interface Mark {
  /** The statement that the table is read as at. */
  readonly at: string | undefined;
  readonly done: number;
  readonly result: Omit<ResultSet, "first">;
}

function parseMark(after: string): Mark {
  // Written by `read` above, and kept by its caller.
  const mark: Mark = JSON.parse(after);
  return mark;
}

interface RowOptions {
  readonly batchSize: number;
  /** Rows that the reader has already. */
  readonly skip: number;
  /** The columns that some rows come with alone, as a column behind the others tells; undefined where all come whole. */
  readonly keys: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

/** The rows of a result, at most two partitions in memory. @throws QuaysideError when there are not as many as announced. */
async function* rowsOf(
  api: SnowflakeApi,
  result: ResultSet,
  table: Table,
  { batchSize, skip, keys, signal }: RowOptions,
): AsyncIterable<readonly Row[]> {
  const names = table.columns.map((column) => column.name);
  const types = result.columns.map((column) => snowflakeType(column.type, column.scale));
  const short = (delivered: number, of: number): QuaysideError =>
    new QuaysideError(
      "source_unavailable",
      `Table ${nameOf(table.ref)}: Snowflake announced ${of} rows and sent ${delivered}.`,
    );
  if (types.length !== names.length + (keys ? 1 : 0)) throw short(0, result.rows);
  const leaving = new AbortController();
  const both = AbortSignal.any([signal, leaving.signal]);
  const fetchPart = (n: number): ReturnType<SnowflakeApi["partition"]> =>
    forTable(table.ref, both, () => api.partition(result, n, both));
  const isSmall = (n: number): boolean =>
    (result.partitions[n]?.uncompressedSize ?? AHEAD_BYTES) +
      (result.partitions[n + 1]?.uncompressedSize ?? AHEAD_BYTES) <=
    AHEAD_BYTES;
  let ahead: ReturnType<SnowflakeApi["partition"]> | undefined;
  let total = 0;
  try {
    for (const [n, { rowCount }] of result.partitions.entries()) {
      if (total + rowCount <= skip) {
        total += rowCount;
        continue;
      }
      const part = await (ahead ?? fetchPart(n));
      ahead = n + 1 < result.partitions.length && isSmall(n) ? fetchPart(n + 1) : undefined;
      // Awaited in the next turn; until then a failure is nobody's.
      ahead?.catch(() => undefined);
      let delivered = 0;
      for (const raw of part.batches(batchSize)) {
        if (signal.aborted) throw aborted(signal);
        const from = Math.max(0, Math.min(raw.length, skip - total - delivered));
        delivered += raw.length;
        const rows = raw.slice(from).map((row) => rowOf(names, types, row, keys));
        if (rows.length > 0) yield rows;
      }
      if (delivered !== rowCount) throw short(delivered, rowCount);
      total += delivered;
    }
    if (total !== result.rows) throw short(total, result.rows);
  } finally {
    leaving.abort();
  }
}

function rowOf(
  names: readonly string[],
  types: readonly ReturnType<typeof snowflakeType>[],
  raw: unknown,
  keys: readonly string[] | undefined,
): Row {
  const values = Array.isArray(raw) ? raw : [];
  const cell = (i: number): Cell => {
    const value: unknown = values[i];
    if (value === null) return null;
    return typeof value === "string" ? (types[i]?.cell(value) ?? null) : UNREADABLE;
  };
  const whole = !keys || values[names.length] !== "0";
  // Entries, for a column may be called `__proto__`, which assignment would not store.
  return Object.fromEntries(
    names.flatMap((name, i): [string, Cell][] => (whole || keys.includes(name) ? [[name, cell(i)]] : [])),
  );
}
