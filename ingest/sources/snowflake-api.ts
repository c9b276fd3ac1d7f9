import * as z from "zod/mini";
import { aborted, sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import { checked, makeCaller, readJson } from "./fetch-call.ts";
import { splitRows, type RowsBody } from "./fetch-rows.ts";

/**
 * Snowflake's SQL API, version 2: https://docs.snowflake.com/en/developer-guide/sql-api/reference.
 * A statement is submitted, asked after until it has ended, and its result fetched in partitions that Snowflake cuts.
 */
export interface SnowflakeApi {
  /** Runs one statement to its end. An abort cancels it in the warehouse too. */
  execute(statement: Statement, signal: AbortSignal): Promise<ResultSet>;
  /** Rows of a partition, 0 for the first. @throws QuaysideError; see `isGone`. */
  partition(result: ResultSet, n: number, signal: AbortSignal): Promise<RowsBody>;
}

export interface Statement {
  readonly sql: string;
  /** Values of the `?` in it, all text. */
  readonly values?: readonly string[];
  readonly database?: string | undefined;
  /** Whether it may take long: its handle is then known at once, so that an abort can cancel it. */
  readonly long?: boolean;
}

export interface ResultSet {
  readonly handle: string;
  readonly columns: readonly ResultColumn[];
  readonly rows: number;
  readonly partitions: readonly {
    readonly rowCount: number;
    readonly uncompressedSize?: number | undefined;
  }[];
  /** Undefined when the answer had no room for it. */
  readonly first: RowsBody | undefined;
}

const columnSchema = z.object({
  name: z.string(),
  type: z.string(),
  scale: z.nullish(z.number()),
  nullable: z.nullish(z.boolean()),
});
export type ResultColumn = z.infer<typeof columnSchema>;

const resultSchema = z.object({
  statementHandle: z.string().check(z.regex(/^[\w-]+$/)),
  code: z.optional(z.string()),
  resultSetMetaData: z.object({
    numRows: z.number(),
    rowType: z.array(columnSchema),
    partitionInfo: z.array(z.object({ rowCount: z.number(), uncompressedSize: z.optional(z.number()) })),
  }),
});
const runningSchema = z.object({ statementHandle: z.string().check(z.regex(/^[\w-]+$/)) });
const failureSchema = z.object({ code: z.optional(z.string()), message: z.optional(z.string()) });

export interface SnowflakeSession {
  readonly base: URL;
  /** Headers that sign a call in; `renew` when those given before were refused. */
  authorize(renew: boolean): Promise<Readonly<Record<string, string>>>;
  readonly role: string | undefined;
  readonly warehouse: string | undefined;
  readonly schema: string | undefined;
  readonly timeoutSeconds: number;
  readonly queryTag: string;
}

const PEER = "Snowflake";
const POLL_MS = 100;
const POLL_CAP_MS = 5000;
/** What Snowflake adds to a statement's own time: queueing, and a suspended warehouse that resumes. */
const GRACE_MS = 120_000;
/** Partitions are cut at 16 MB of Snowflake's own format; as JSON they are several times that. */
const PARTITION_BYTES = 256 * 1024 * 1024;

export function makeSnowflakeApi(host: Host, access: SnowflakeSession): SnowflakeApi {
  const { base } = access;
  const caller = makeCaller(host, {
    peer: PEER,
    credentials: "SNOWFLAKE_TOKEN, or SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER and the public key that the user has",
    authorize: (_, renew) => access.authorize(renew),
    failure: (status, body) => failure(status, body, access),
    // Snowflake runs a statement once per requestId when a repeated submission says that it is one.
    retryUrl(url) {
      if (!url.searchParams.has("requestId")) return url;
      const again = new URL(url);
      again.searchParams.set("retry", "true");
      return again;
    },
  });

  const statements = (path = ""): URL => new URL(`${base.href.replace(/\/$/, "")}/api/v2/statements${path}`);

  async function cancel(handle: string): Promise<void> {
    try {
      const url = statements(`/${handle}/cancel`);
      await caller.call(url, { method: "POST", body: {}, deadlineMs: 10_000 }, AbortSignal.timeout(10_000));
    } catch (error) {
      const code = error instanceof QuaysideError ? error.code : "internal";
      host.log({ level: "warn", event: "snowflake-cancel-failed", code });
    }
  }

  /** Asks after a statement until it has ended. */
  async function ended(handle: string, signal: AbortSignal): Promise<Response> {
    const until = host.now() + access.timeoutSeconds * 1000 + GRACE_MS;
    let waitMs = POLL_MS;
    try {
      for (;;) {
        await sleep(waitMs, signal);
        const response = await caller.call(statements(`/${handle}`), big("GET"), signal);
        if (response.status !== 202) return response;
        if (host.now() > until) throw tooLong(access, undefined);
        waitMs = Math.min(POLL_CAP_MS, Math.round(waitMs * 1.5));
      }
    } catch (error) {
      const left = error instanceof QuaysideError && error.code === "deadline_exceeded";
      if (signal.aborted || left) await cancel(handle);
      throw signal.aborted ? aborted(signal) : error;
    }
  }

  return {
    async execute(statement, signal) {
      const url = statements();
      url.searchParams.set("requestId", crypto.randomUUID());
      if (statement.long === true) url.searchParams.set("async", "true");
      const body = bodyOf(statement, access);
      let response = await caller.call(url, { ...big("POST"), body }, signal);
      if (response.status === 202) {
        const { statementHandle } = await readJson(response, runningSchema, PEER);
        response = await ended(statementHandle, signal);
      }
      const split = splitRows(new Uint8Array(await response.arrayBuffer()), "data", PEER);
      const found = checked(JSON.stringify(split.envelope), resultSchema, PEER);
      const { numRows, rowType, partitionInfo } = found.resultSetMetaData;
      return {
        handle: found.statementHandle,
        columns: rowType,
        rows: numRows,
        partitions: partitionInfo,
        first: found.code === RESULT_TOO_LARGE ? undefined : split,
      };
    },

    async partition(result, n, signal) {
      if (n === 0 && result.first) return result.first;
      const url = statements(`/${result.handle}`);
      url.searchParams.set("partition", String(n));
      const response = await caller.call(url, big("GET"), signal);
      return splitRows(new Uint8Array(await response.arrayBuffer()), "data", PEER);
    },
  };
}

const RESULT_TOO_LARGE = "391908";

function big(method: "GET" | "POST"): { readonly method: "GET" | "POST"; readonly maxBytes: number } {
  return { method, maxBytes: PARTITION_BYTES };
}

function bodyOf(statement: Statement, access: SnowflakeSession): unknown {
  const values = statement.values ?? [];
  return {
    statement: statement.sql,
    timeout: access.timeoutSeconds,
    ...(statement.database === undefined ? {} : { database: statement.database }),
    ...(access.schema === undefined ? {} : { schema: access.schema }),
    ...(access.warehouse === undefined ? {} : { warehouse: access.warehouse }),
    ...(access.role === undefined ? {} : { role: access.role }),
    ...(values.length === 0
      ? {}
      : { bindings: Object.fromEntries(values.map((value, i) => [String(i + 1), { type: "TEXT", value }])) }),
    parameters: {
      multi_statement_count: "1",
      timezone: "UTC",
      binary_output_format: "HEX",
      query_tag: access.queryTag,
    },
  };
}

function failure(status: number, body: string, access: SnowflakeSession): QuaysideError | undefined {
  if (status === 408) return tooLong(access, { status, body });
  if (status !== 422 && status !== 404) return undefined;
  let vendor = "";
  try {
    vendor = failureSchema.parse(JSON.parse(body)).code ?? "";
  } catch {
    // Not Snowflake's own error: its status has to do.
  }
  const cause = { status, code: vendor, body };
  const role = access.role ?? "the user's default role";
  switch (vendor.replace(/^0+/, "")) {
    case "2003":
    case "2043":
      return rejected(`it does not exist, or ${role} may not read it (setting role).`, cause);
    case "3001":
      return rejected(`${role} lacks a right that reading it needs (setting role).`, cause);
    case "390189":
    case "390186":
      return rejected(`the user may not use the role ${role} (setting role, or SNOWFLAKE_ROLE).`, cause);
    case "606":
      return rejected("no warehouse to run on: set SNOWFLAKE_WAREHOUSE and grant USAGE on it.", cause);
    case "1003":
    case "904":
    case "979":
      return rejected("Snowflake refuses the SQL: check the table's query and column names.", cause);
    case "630":
    case "604":
      return tooLong(access, cause);
    case "":
      return undefined;
    default:
      return rejected(`Snowflake refuses the statement (code ${vendor.slice(0, 12)}).`, cause);
  }
}

function rejected(message: string, cause: unknown): QuaysideError {
  return new QuaysideError("source_rejected", message, { cause });
}

function tooLong(access: SnowflakeSession, cause: unknown): QuaysideError {
  const message = `The statement took longer than ${access.timeoutSeconds} s: use a larger warehouse, or raise timeoutSeconds.`;
  return new QuaysideError("deadline_exceeded", message, { cause });
}

/** Whether a result is no longer kept (Snowflake keeps one for a day), so that its statement has to run again. */
export function isGone(error: unknown): boolean {
  const found = causeOf(error);
  return found?.status === 404 || found?.code === "000709";
}

/** Whether a table has no past to read: created or replaced since, or kept for no time. */
export function isWithoutPast(error: unknown): boolean {
  const code = causeOf(error)?.code;
  return code === "000707" || code === "002141";
}

const causeSchema = z.object({ status: z.number(), code: z.optional(z.string()) });

function causeOf(error: unknown): z.infer<typeof causeSchema> | undefined {
  const parsed = causeSchema.safeParse(error instanceof QuaysideError ? error.cause : undefined);
  return parsed.success ? parsed.data : undefined;
}
