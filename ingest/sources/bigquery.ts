import * as z from "zod/mini";
import { googleAccount } from "../../shared/google-auth.ts";
import { aborted } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Factory, Host } from "../../shared/ports/host.ts";
import type { Cell, ReadOptions, Row, Source, Table, TableRef } from "../../shared/ports/source.ts";
import {
  makeBigQueryApi,
  type BigQueryApi,
  type BigQuerySession,
  type Place,
  type TableResource,
} from "./bigquery-api.ts";
import { cellOf, columnOf, literalOf, valuesOf, type BigQueryField } from "./bigquery-values.ts";
import { changedSince, keyedBy, selectSince, textOf } from "./fetch-cursor.ts";
import { baseUrl, forTable, parseSettings } from "./fetch-call.ts";
import { oneSelect, type Dialect } from "./fetch-sql.ts";
import { UNREADABLE } from "./fetch-values.ts";

const text = z.string().check(z.minLength(1));
const positive = z.number().check(z.int(), z.minimum(1));
const settingsSchema = z.strictObject({
  kind: z.literal("bigquery"),
  project: z.optional(text),
  dataset: z.optional(text),
  location: z.optional(text),
  baseUrl: z.optional(text),
  maximumBytesBilled: z.optional(positive),
  timeoutSeconds: z.optional(positive.check(z.maximum(86_400))),
  pageSize: z.optional(positive.check(z.maximum(100_000))),
  snapshot: z.optional(z.boolean()),
  revisions: z.optional(z.boolean()),
});

const DIALECT: Dialect = {
  quotes: "'\"`",
  escapes: "'\"`",
  tripled: "'\"",
  dollars: false,
  lineComments: ["--", "#"],
};
/** Tables described within this long of each other are read as at one moment. */
const SNAPSHOT_MS = 15 * 60_000;

interface Located {
  /** Quoted parts, or the query in parentheses. */
  readonly from: string;
  readonly fields: readonly BigQueryField[];
  /** When the table was made, in milliseconds, where it can be read as at a later moment; else undefined. */
  readonly since: number | undefined;
  readonly rows: number | undefined;
  readonly description: string | undefined;
  readonly primaryKey: readonly string[];
}

/**
 * BigQuery through its REST API, by fetch alone: runs on Node and in a Worker. Rows come in no order: sorting a large result
 * is what BigQuery does worst.
 *
 * Settings: `project`, `dataset` (of tables named without one), `location`, `baseUrl`, `maximumBytesBilled` (of one query),
 * `timeoutSeconds` (default 1800), `pageSize` (rows; default 10,000), `snapshot` (default true: the tables of a run as at one
 * moment), `revisions` (default false: whether the time at which a table was last modified is believed). Environment, over the settings: `BIGQUERY_PROJECT`, `BIGQUERY_BASE_URL`; `GOOGLE_APPLICATION_CREDENTIALS_JSON`, the
 * service account's key file.
 */
export const makeBigQuerySource: Factory<Source> = (input, host) => {
  const settings = parseSettings("bigquery", settingsSchema, input);
  const session = sessionOf(settings, host);
  const api = makeBigQueryApi(host, session);
  const located = new Map<string, Located>();
  /** When tables are read as at, in milliseconds of BigQuery's clock, and when that was decided, of ours. */
  let moment: { readonly at: number; readonly decided: number } | undefined;

  const tableOf = (parts: readonly string[], signal: AbortSignal): Promise<TableResource> => {
    const dataset = parts.at(-2) ?? settings.dataset;
    if (dataset === undefined || parts.length === 0 || parts.length > 3) {
      throw new QuaysideError("source_rejected", "write dataset and table, or set the source's dataset.");
    }
    return api.table([parts.at(-3) ?? "", dataset, parts.at(-1) ?? ""], signal);
  };

  const locate = async (ref: TableRef, signal: AbortSignal): Promise<Located> => {
    if (ref.query !== undefined) return fromQuery(api, ref.query, signal);
    const table = await tableOf(ref.name ?? [], signal);
    const real = table.type === "TABLE" && table.creationTime !== undefined;
    if (moment === undefined || host.now() - moment.decided > SNAPSHOT_MS) {
      // Without the server's clock, ours; a second earlier, for the future can't be read.
      moment = { at: table.serverTime ?? host.now() - 1000, decided: host.now() };
    }
    const { projectId, datasetId, tableId } = table.tableReference;
    return {
      from: [projectId, datasetId, tableId].map(quoted).join("."),
      fields: table.schema?.fields ?? [],
      since: real ? Number(table.creationTime) : undefined,
      rows: real && table.streamingBuffer === undefined && table.numRows ? Number(table.numRows) : undefined,
      description: table.description === "" ? undefined : table.description,
      primaryKey: table.tableConstraints?.primaryKey?.columns ?? [],
    };
  };
  const known = async (ref: TableRef, signal: AbortSignal): Promise<Located> => {
    const id = JSON.stringify(ref);
    const found = located.get(id) ?? (await locate(ref, signal));
    located.set(id, found);
    return found;
  };

  const relationOf = (found: Located): string => {
    const at = moment?.at;
    const past =
      settings.snapshot !== false && at !== undefined && found.since !== undefined && found.since < at;
    const clause = past ? ` FOR SYSTEM_TIME AS OF TIMESTAMP '${new Date(at).toISOString()}'` : "";
    return `${found.from}${clause}`;
  };

  const selectOf = (
    found: Located,
    table: Table,
    { key, since, only }: Pick<ReadOptions, "key" | "since" | "only">,
  ): string => {
    const from = relationOf(found);
    const names = table.columns.map((column) => column.name);
    const literal = (column: string, cell: Cell): string => literalOf(cell, fieldOf(found, column));
    if (since) {
      const changed = changedSince(quoted(since.column), literal(since.column, since.value));
      const columns = names.map((name) => ({ sql: quoted(name), key: key.includes(name) }));
      return selectSince(columns, from, changed);
    }
    // A result has to have a column; a table that is read for none still has its rows.
    const list = names.map(quoted).join(", ") || "1";
    const keys = only?.map((cells) => cells.map((cell, i) => literal(key[i] ?? "", cell)));
    const where = keys ? ` WHERE ${keyedBy(key.map(quoted), keys)}` : "";
    return `SELECT ${list} FROM ${from}${where}`;
  };

  return {
    ordered: false,
    origin: `bigquery:${session.project}`,

    async revision(ref, signal) {
      const { name } = ref;
      if (settings.revisions !== true || !name) return undefined;
      // What is read from here on is read as at a later moment, at which the revision has been.
      moment = undefined;
      return forTable(ref, signal, async () => revisionOf(await tableOf(name, signal)));
    },

    describe(ref, signal) {
      return forTable(ref, signal, async () => {
        located.delete(JSON.stringify(ref));
        const { fields, description, primaryKey } = await known(ref, signal);
        const columns = fields.map(columnOf);
        return { ref, columns, primaryKey, ...(description === undefined ? {} : { description }) };
      });
    },

    async *read(table, options) {
      const { key, batchSize, since, after, mark, signal } = options;
      const found = await forTable(table.ref, signal, () => known(table.ref, signal));
      const sql = await forTable(table.ref, signal, async () => {
        for (const name of key) fieldOf(found, name);
        return selectOf(found, table, options);
      });
      const fields = table.columns.map((column) => fieldOf(found, column.name));
      const shown = fields.map(({ name }) => !since || key.includes(name));
      const from: Place | undefined = after === undefined ? undefined : JSON.parse(after);
      const pages = api.query(sql, signal, from)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const step = await forTable(table.ref, signal, () => pages.next());
          if (step.done === true) return;
          const { at } = step.value;
          let { row } = at;
          for (const raw of step.value.body.batches(batchSize)) {
            if (signal.aborted) throw aborted(signal);
            step.value.delivered(raw.length);
            row += raw.length;
            mark?.(() => JSON.stringify({ ...at, row } satisfies Place));
            yield raw.map((row) => rowOf(fields, shown, row));
          }
        }
      } finally {
        await pages.return?.();
      }
    },

    async estimate(table, signal, reading = { key: [] }) {
      return forTable(table.ref, signal, async () => {
        const found = await known(table.ref, signal);
        const { bytes } = await api.dryRun(selectOf(found, table, reading), signal);
        return {
          ...(found.rows === undefined ? {} : { rows: found.rows }),
          ...(bytes === undefined ? {} : { bytes }),
        };
      });
    },

    async highest(table, column, signal) {
      return forTable(table.ref, signal, async () => {
        const found = await known(table.ref, signal);
        const field = fieldOf(found, column);
        const sql = `SELECT MAX(${quoted(column)}) FROM ${relationOf(found)}`;
        let largest: Cell = null;
        for await (const page of api.query(sql, signal)) {
          for (const rows of page.body.batches(1)) {
            page.delivered(rows.length);
            largest = cellOf(valuesOf(rows[0])?.[0], field);
          }
        }
        return largest === null ? undefined : textOf(largest);
      });
    },

    async [Symbol.asyncDispose]() {
      located.clear();
      moment = undefined;
    },
  };
};

function sessionOf(settings: z.infer<typeof settingsSchema>, host: Host): BigQuerySession {
  const json = host.secret("GOOGLE_APPLICATION_CREDENTIALS_JSON");
  if (json === undefined) throw missing("GOOGLE_APPLICATION_CREDENTIALS_JSON");
  const codes = { unavailable: "source_unavailable", rejected: "source_rejected" } as const;
  const account = googleAccount(json, host, codes);
  const project = host.secret("BIGQUERY_PROJECT") ?? settings.project ?? account.project;
  if (project === undefined) throw missing("BIGQUERY_PROJECT (or the setting project)");
  const base = host.secret("BIGQUERY_BASE_URL") ?? settings.baseUrl ?? "https://bigquery.googleapis.com";
  return {
    base: baseUrl(base, "BIGQUERY_BASE_URL"),
    account,
    project,
    dataset: settings.dataset,
    location: settings.location,
    maximumBytesBilled: settings.maximumBytesBilled,
    timeoutSeconds: settings.timeoutSeconds ?? 1800,
    pageSize: settings.pageSize ?? 10_000,
  };
}

function missing(what: string): QuaysideError {
  return new QuaysideError("config_invalid", `A bigquery source needs ${what}.`);
}

async function fromQuery(api: BigQueryApi, query: string, signal: AbortSignal): Promise<Located> {
  const from = `(\n${oneSelect(query, DIALECT)}\n)`;
  const { fields, statementType } = await api.dryRun(`SELECT * FROM ${from}`, signal);
  if (statementType !== "SELECT") {
    throw new QuaysideError(
      "source_rejected",
      "a table's query must be one SELECT statement and nothing else.",
    );
  }
  return { from, fields, since: undefined, rows: undefined, description: undefined, primaryKey: [] };
}

/** A table that was modified this shortly ago tells no revision: moments are whole seconds, and of two clocks. */
const SETTLED_MS = 60_000;

/**
 * By the table's metadata (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#Table). Undefined for what changes
 * without being modified: views and external tables, rows in the streaming buffer or still to be merged, partitions that expire,
 * columns that policies mask. Policies on rows do not show here: see the setting `revisions`.
 */
function revisionOf(table: TableResource): string | undefined {
  const { tableReference, etag, creationTime, lastModifiedTime, numRows, serverTime } = table;
  if (table.type !== "TABLE" || table.streamingBuffer !== undefined || table.maxStaleness !== undefined)
    return undefined;
  if (table.timePartitioning?.expirationMs !== undefined || hasPolicies(table.schema?.fields ?? []))
    return undefined;
  if (etag === undefined || lastModifiedTime === undefined || serverTime === undefined) return undefined;
  if (Number(lastModifiedTime) > serverTime - SETTLED_MS) return undefined;
  return JSON.stringify([tableReference, creationTime, lastModifiedTime, etag, numRows]);
}

function hasPolicies(fields: readonly BigQueryField[]): boolean {
  return fields.some(
    ({ policyTags, dataPolicies, fields: inner }) =>
      policyTags !== undefined || dataPolicies !== undefined || hasPolicies(inner ?? []),
  );
}

/** @param shown of each field, whether rows have it that come by their key alone, as a value behind the others tells. */
function rowOf(fields: readonly BigQueryField[], shown: readonly boolean[], raw: unknown): Row {
  const values = valuesOf(raw);
  const cell = (field: BigQueryField, i: number): Cell => (values ? cellOf(values[i], field) : UNREADABLE);
  const whole = values?.[fields.length] !== "0";
  // Entries, for a column may be called `__proto__`, which assignment would not store.
  return Object.fromEntries(
    fields.flatMap((field, i): [string, Cell][] =>
      whole || shown[i] === true ? [[field.name, cell(field, i)]] : [],
    ),
  );
}

/** @throws QuaysideError `source_rejected` for a column that the table has not. */
function fieldOf(found: Located, name: string): BigQueryField {
  const field = found.fields.find((candidate) => candidate.name === name);
  if (field) return field;
  const names = found.fields.map((candidate) => candidate.name).join(", ");
  throw new QuaysideError("source_rejected", `there is no column "${name}". Its columns: ${names}.`);
}

/** A GoogleSQL identifier; a backslash and a backtick are escaped inside. */
function quoted(identifier: string): string {
  return `\`${identifier.replaceAll("\\", "\\\\").replaceAll("`", "\\`")}\``;
}
