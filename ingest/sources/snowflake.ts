import * as z from "zod/mini";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import type { Cell, Row, Source, Table, TableRef } from "../../shared/ports/source.ts";
import { snowflakeAccess } from "../../shared/snowflake-auth.ts";
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
import { fold, fromCatalogue, fromQuery, primaryKeyOf, type Located } from "./snowflake-catalogue.ts";
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
 * `queryTag`. Environment, over the settings: `SNOWFLAKE_ACCOUNT`, `SNOWFLAKE_USER`, `SNOWFLAKE_ROLE`,
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

    async *read(table, { key, batchSize, after, mark, signal }) {
      const found = await forTable(table.ref, signal, () => known(table.ref, signal));
      const names = table.columns.map((column) => column.name);
      for (const name of [...names, ...key]) checkColumn(table, found, name);
      const begun = after === undefined ? undefined : parseMark(after);
      let at = begun ? begun.at : found.past ? moment?.handle : undefined;
      let done = begun?.done ?? 0;
      for (let restarts = 0; ; restarts++) {
        const handle = at;
        const run = (): Promise<ResultSet> =>
          api.execute(
            { sql: selectOf(found, names, key, handle), database: found.database, long: true },
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
          for await (const rows of rowsOf(api, result, table, { batchSize, skip: done, signal })) {
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

function selectOf(
  found: Located,
  names: readonly string[],
  key: readonly string[],
  handle: string | undefined,
): string {
  const at = handle === undefined ? "" : ` AT(STATEMENT => '${handle}')`;
  const order = key.length === 0 ? "" : ` ORDER BY ${key.map(quoted).join(", ")}`;
  return `SELECT ${names.map(quoted).join(", ")} FROM ${found.from}${at} AS t${order}`;
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
  readonly signal: AbortSignal;
}

/** The rows of a result, at most two partitions in memory. @throws QuaysideError when there are not as many as announced. */
async function* rowsOf(
  api: SnowflakeApi,
  result: ResultSet,
  table: Table,
  { batchSize, skip, signal }: RowOptions,
): AsyncIterable<readonly Row[]> {
  const names = table.columns.map((column) => column.name);
  const types = result.columns.map((column) => snowflakeType(column.type, column.scale));
  const short = (delivered: number, of: number): QuaysideError =>
    new QuaysideError(
      "source_unavailable",
      `Table ${nameOf(table.ref)}: Snowflake announced ${of} rows and sent ${delivered}.`,
    );
  if (types.length !== names.length) throw short(0, result.rows);
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
        const rows = raw.slice(from).map((row) => rowOf(names, types, row));
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
): Row {
  const values = Array.isArray(raw) ? raw : [];
  const cell = (i: number): Cell => {
    const value: unknown = values[i];
    if (value === null) return null;
    return typeof value === "string" ? (types[i]?.cell(value) ?? null) : UNREADABLE;
  };
  // Entries, for a column may be called `__proto__`, which assignment would not store.
  return Object.fromEntries(names.map((name, i): [string, Cell] => [name, cell(i)]));
}
