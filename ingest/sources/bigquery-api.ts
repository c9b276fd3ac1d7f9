import * as z from "zod/mini";
import type { GoogleAccount } from "../../shared/google-auth.ts";
import { sleep } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import { checked, isTooLarge, makeCaller, readJson } from "./fetch-call.ts";
import { failure, isOutOfTime, isPassing, isThrottling, statusOf, tooLong } from "./bigquery-errors.ts";
import { splitRows, type RowsBody } from "./fetch-rows.ts";
import { fieldSchema, type BigQueryField } from "./bigquery-values.ts";

/**
 * BigQuery's REST API, version 2: https://cloud.google.com/bigquery/docs/reference/rest/v2. A query is a job under an id of
 * ours, so that submitting it twice runs it once and an abort can cancel it; its result is fetched page by page.
 */
export interface BigQueryApi {
  /** `tables.get`, and the server's time in milliseconds where it says so. */
  table(path: readonly [string, string, string], signal: AbortSignal): Promise<TableResource>;
  /** What a query would do and cost; free. */
  dryRun(sql: string, signal: AbortSignal): Promise<DryRun>;
  /**
   * The pages of a query's result, at most two in memory. @throws QuaysideError when rows are missing.
   * @param from goes on in the result of an earlier job, which BigQuery keeps for a day.
   */
  query(sql: string, signal: AbortSignal, from?: Place): AsyncIterable<Page>;
}

/** A row of a job's result. */
export interface Place {
  readonly jobId: string;
  readonly location?: string | undefined;
  /** 0-based. */
  readonly row: number;
}

export interface Page {
  readonly fields: readonly BigQueryField[];
  readonly body: RowsBody;
  /** Its first row. */
  readonly at: Place;
  /** Called with the number of its rows once they have been read. */
  delivered(rows: number): void;
}

const schemaSchema = z.object({ fields: z.optional(z.array(fieldSchema)) });
const digits = z.string().check(z.regex(/^\d+$/));

const tableSchema = z.object({
  tableReference: z.object({ projectId: z.string(), datasetId: z.string(), tableId: z.string() }),
  type: z.string(),
  schema: z.optional(schemaSchema),
  description: z.optional(z.string()),
  numRows: z.optional(digits),
  creationTime: z.optional(digits),
  lastModifiedTime: z.optional(digits),
  etag: z.optional(z.string()),
  timePartitioning: z.optional(z.object({ expirationMs: z.optional(z.unknown()) })),
  maxStaleness: z.optional(z.unknown()),
  streamingBuffer: z.optional(z.unknown()),
  tableConstraints: z.optional(
    z.object({ primaryKey: z.optional(z.object({ columns: z.array(z.string()) })) }),
  ),
});
export type TableResource = z.infer<typeof tableSchema> & { readonly serverTime: number | undefined };

const referenceSchema = z.object({ jobId: z.string(), location: z.optional(z.string()) });
const jobSchema = z.object({ jobReference: z.optional(referenceSchema) });
const dryRunSchema = z.object({
  statistics: z.object({
    totalBytesProcessed: z.optional(digits),
    query: z.optional(z.object({ statementType: z.optional(z.string()), schema: z.optional(schemaSchema) })),
  }),
});
export interface DryRun {
  readonly bytes: number | undefined;
  readonly statementType: string;
  readonly fields: readonly BigQueryField[];
}
const resultsSchema = z.object({
  jobComplete: z.boolean(),
  schema: z.optional(schemaSchema),
  totalRows: z.optional(digits),
  pageToken: z.optional(z.string()),
});

export interface BigQuerySession {
  readonly base: URL;
  readonly account: GoogleAccount;
  /** That jobs run and are billed in. */
  readonly project: string;
  readonly dataset: string | undefined;
  readonly location: string | undefined;
  readonly maximumBytesBilled: number | undefined;
  readonly timeoutSeconds: number;
  readonly pageSize: number;
}

const PEER = "BigQuery";
/** How long one call waits for a job; BigQuery answers earlier when it has ended. */
const WAIT_MS = 10_000;
/** BigQuery cuts pages at about 20 MB. */
const PAGE_BYTES = 64 * 1024 * 1024;
/** A page that is too large or takes too long is asked for again at half its rows, down to this. */
const SMALLEST_PAGE = 10;
const TOKEN_TRIES = 4;
const JOB_TRIES = 3;

export function makeBigQueryApi(host: Host, session: BigQuerySession): BigQueryApi {
  const { account, project } = session;

  /** The token endpoint fails like any other; unlike the others, it is not called through the caller below. */
  async function token(signal: AbortSignal): Promise<string> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await account.token(signal);
      } catch (error) {
        const passing =
          error instanceof QuaysideError &&
          (error.code === "source_unavailable" || error.code === "rate_limited");
        if (!passing || attempt === TOKEN_TRIES) throw error;
        await sleep(error.retryAfterMs ?? 200 * attempt, signal);
      }
    }
  }

  const caller = makeCaller(host, {
    peer: PEER,
    credentials: "GOOGLE_APPLICATION_CREDENTIALS_JSON",
    async authorize(signal, renew) {
      if (renew) account.forget();
      return { authorization: `Bearer ${await token(signal)}` };
    },
    failure: (status, body) => failure(status, body, session),
    throttled: (status, body) => status === 403 && isThrottling(body),
  });

  const address = (
    parts: readonly string[],
    query: Readonly<Record<string, string | undefined>> = {},
  ): URL => {
    const path = ["bigquery", "v2", "projects", ...parts].map(encodeURIComponent).join("/");
    const url = new URL(`${session.base.href.replace(/\/$/, "")}/${path}`);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    return url;
  };

  const job = (sql: string, jobId: string | undefined): unknown => ({
    ...(jobId === undefined
      ? {}
      : {
          jobReference: {
            projectId: project,
            jobId,
            ...(session.location === undefined ? {} : { location: session.location }),
          },
        }),
    configuration: {
      query: {
        query: sql,
        useLegacySql: false,
        ...(session.dataset === undefined
          ? {}
          : { defaultDataset: { projectId: project, datasetId: session.dataset } }),
        ...(session.maximumBytesBilled === undefined
          ? {}
          : { maximumBytesBilled: String(session.maximumBytesBilled) }),
      },
      ...(jobId === undefined ? { dryRun: true } : { jobTimeoutMs: String(session.timeoutSeconds * 1000) }),
      labels: { tool: "quayside" },
    },
  });

  /** @returns where the job runs. */
  async function start(sql: string, jobId: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const body = job(sql, jobId);
      const response = await caller.call(address([project, "jobs"]), { method: "POST", body }, signal);
      const { jobReference } = await readJson(response, jobSchema, PEER);
      return jobReference?.location ?? session.location;
    } catch (error) {
      // The answer to an earlier try was lost, not the job.
      if (statusOf(error) === 409) return session.location;
      throw error;
    }
  }

  async function cancel(jobId: string, location: string | undefined): Promise<void> {
    try {
      const url = address([project, "jobs", jobId, "cancel"], { location });
      await caller.call(url, { method: "POST", deadlineMs: 10_000 }, AbortSignal.timeout(10_000));
    } catch (error) {
      const code = error instanceof QuaysideError ? error.code : "internal";
      host.log({ level: "warn", event: "bigquery-cancel-failed", code });
    }
  }

  interface Results extends z.infer<typeof resultsSchema> {
    readonly body: RowsBody;
  }

  async function fetchPage(
    { jobId, location, pageRows }: Reading,
    at: { readonly pageToken: string } | { readonly startIndex: string },
    signal: AbortSignal,
  ): Promise<Results> {
    const url = address([project, "queries", jobId], {
      location,
      maxResults: String(pageRows),
      timeoutMs: String(WAIT_MS),
      "formatOptions.useInt64Timestamp": "true",
      ...at,
    });
    const response = await caller.call(url, { method: "GET", maxBytes: PAGE_BYTES }, signal);
    const body = splitRows(new Uint8Array(await response.arrayBuffer()), "rows", PEER);
    return { ...checked(JSON.stringify(body.envelope), resultsSchema, PEER), body };
  }

  async function results(
    reading: Reading,
    at: Parameters<typeof fetchPage>[1],
    signal: AbortSignal,
  ): Promise<Results> {
    for (;;) {
      try {
        return await fetchPage(reading, at, signal);
      } catch (error) {
        const tooMuch = isTooLarge(error) || isOutOfTime(error);
        if (!tooMuch || signal.aborted || reading.pageRows <= SMALLEST_PAGE) throw error;
        reading.pageRows = Math.max(SMALLEST_PAGE, Math.floor(reading.pageRows / 2));
        host.log({ level: "warn", event: "source-page-halved", rows: reading.pageRows });
      }
    }
  }

  /** Starts a job, a new one where BigQuery itself failed, and waits for its first page. */
  async function first(
    sql: string,
    signal: AbortSignal,
  ): Promise<{ readonly reading: Reading; readonly page: Results }> {
    const until = host.now() + session.timeoutSeconds * 1000;
    for (let attempt = 1; ; attempt++) {
      const jobId = `quayside_${crypto.randomUUID()}`;
      let location = session.location;
      try {
        location = await start(sql, jobId, signal);
        const reading = { jobId, location, pageRows: session.pageSize };
        for (;;) {
          const page = await results(reading, { startIndex: "0" }, signal);
          if (page.jobComplete) return { reading, page };
          if (host.now() > until) throw tooLong(session, undefined);
        }
      } catch (error) {
        if (signal.aborted || (error instanceof QuaysideError && error.code === "deadline_exceeded")) {
          await cancel(jobId, location);
        }
        if (!isPassing(error) || attempt === JOB_TRIES) throw error;
        host.log({ level: "warn", event: "bigquery-job-restarted", attempt });
      }
    }
  }

  async function goOn(from: Place, signal: AbortSignal): ReturnType<typeof first> {
    const { jobId, location, row } = from;
    const reading = { jobId, location, pageRows: session.pageSize };
    return { reading, page: await results(reading, { startIndex: String(row) }, signal) };
  }

  return {
    async table([owner, dataset, table], signal) {
      const url = address([owner === "" ? project : owner, "datasets", dataset, "tables", table]);
      const response = await caller.call(url, { method: "GET" }, signal);
      const date = Date.parse(response.headers.get("date") ?? "");
      const found = await readJson(response, tableSchema, PEER);
      return { ...found, serverTime: Number.isNaN(date) ? undefined : date };
    },

    async dryRun(sql, signal) {
      const input = { method: "POST", body: job(sql, undefined) } as const;
      const response = await caller.call(
        address([project, "jobs"], { location: session.location }),
        input,
        signal,
      );
      const { statistics } = await readJson(response, dryRunSchema, PEER);
      const { totalBytesProcessed, query } = statistics;
      return {
        bytes: totalBytesProcessed === undefined ? undefined : Number(totalBytesProcessed),
        statementType: query?.statementType ?? "",
        fields: query?.schema?.fields ?? [],
      };
    },

    async *query(sql, signal, from) {
      const leaving = new AbortController();
      const both = AbortSignal.any([signal, leaving.signal]);
      try {
        const begun = from ? await goOn(from, both) : await first(sql, signal);
        const { reading } = begun;
        const { jobId, location } = reading;
        const fields = begun.page.schema?.fields ?? [];
        const total = Number(begun.page.totalRows ?? "0");
        let page: Results = begun.page;
        let sent = from?.row ?? 0;
        for (;;) {
          const { pageToken } = page;
          // Fetched while its reader works on this page; what it fails with is met below.
          const ahead = pageToken === undefined ? undefined : settled(results(reading, { pageToken }, both));
          let rows = 0;
          const at = { jobId, location, row: sent };
          yield { fields, body: page.body, at, delivered: (count) => (rows += count) };
          sent += rows;
          if (!ahead) break;
          const next = await ahead;
          if (next.ok) page = next.value;
          else if ([400, 404, 410].includes(statusOf(next.error) ?? 0)) {
            // A page token has an end of its own; the rows behind it are kept for a day.
            host.log({ level: "warn", event: "source-page-restarted", rows: sent });
            page = await results(reading, { startIndex: String(sent) }, both);
          } else throw next.error;
          if (page.pageToken === pageToken || rows === 0) {
            throw new QuaysideError("source_unavailable", "BigQuery sends the same page again and again.");
          }
        }
        if (sent !== total) {
          throw new QuaysideError("source_unavailable", `BigQuery announced ${total} rows and sent ${sent}.`);
        }
      } finally {
        leaving.abort();
      }
    },
  };
}

/** A job whose result is read. */
interface Reading {
  readonly jobId: string;
  readonly location: string | undefined;
  /** Most rows of the next page: half as many after one that was too large, or took too long. */
  pageRows: number;
}

type Settled<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown };

/** What a promise comes to, so that nobody has to wait for it to be told of its failure. */
async function settled<T>(promise: Promise<T>): Promise<Settled<T>> {
  try {
    return { ok: true, value: await promise };
  } catch (error) {
    return { ok: false, error };
  }
}
