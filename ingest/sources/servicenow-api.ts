import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import { checked, isTooLarge, makeCaller } from "./fetch-call.ts";
import { splitRows } from "./fetch-rows.ts";

/** ServiceNow's Table API, reading only: GET /api/now/table/{name}. */
export interface ServiceNowApi {
  /** How many records a query finds, hidden ones too; undefined when the instance does not say. */
  count(query: TableQuery, signal: AbortSignal): Promise<number | undefined>;
  /**
   * The records that a query finds, page by page in the order of `sys_id`. A page begins after the last id of the one before,
   * so that records that come and go meanwhile move no other.
   * @throws QuaysideError as `Source`; `source_rejected` for records that the user may not see, unless they are to be skipped.
   */
  pages(query: TableQuery, signal: AbortSignal): AsyncIterable<readonly ServiceNowRecord[]>;
  /** Some of the records that have the most of a field, most first, as far as the user may see them. */
  highest(query: TableQuery, field: string, signal: AbortSignal): Promise<readonly ServiceNowRecord[]>;
  /** The same as `pages`, behind the record with this id. */
  pagesAfter(query: TableQuery, id: string, signal: AbortSignal): AsyncIterable<readonly ServiceNowRecord[]>;
}

export interface TableQuery {
  readonly table: string;
  /** Fields to fetch, `sys_id` besides. */
  readonly fields: readonly string[];
  /** An encoded query, without order; "" for all. */
  readonly filter: string;
  /** Whether every field comes as `{ value, display_value }`; else as text. */
  readonly display: boolean;
}

export type ServiceNowRecord = Readonly<Record<string, unknown>>;

export interface ServiceNowSession {
  readonly base: URL;
  readonly authorization: string;
  readonly pageSize: number;
  readonly hiddenRows: "refuse" | "skip";
}

const PEER = "ServiceNow";
const PAGE_BYTES = 64 * 1024 * 1024;
/** A page that is too large or takes too long is tried again at half its size, down to this. */
const SMALLEST_PAGE = 10;
const PAGE_DEADLINE_MS = 90_000;
/** Of the records with the most of a field, that one of them at least may be seen. */
const HIGHEST = 100;

const recordSchema = z.record(z.string(), z.unknown());
const envelopeSchema = z.object({ error: z.optional(z.unknown()) });

interface Page {
  readonly records: readonly ServiceNowRecord[];
  /** Ids of the records, in their order. */
  readonly ids: readonly string[];
  /** How many the query finds, of which this page is a part; undefined when not told. */
  readonly total: number | undefined;
}

export function makeServiceNowApi(host: Host, session: ServiceNowSession): ServiceNowApi {
  const caller = makeCaller(host, {
    peer: PEER,
    credentials: "SERVICENOW_TOKEN and the setting auth",
    authorize: async () => ({ authorization: session.authorization }),
    failure,
  });

  async function fetchPage(
    query: TableQuery,
    at: { readonly after: string; readonly offset: number; readonly limit: number },
    signal: AbortSignal,
    order = "ORDERBYsys_id",
  ): Promise<Page> {
    const url = new URL(
      `${session.base.href.replace(/\/$/, "")}/api/now/table/${encodeURIComponent(query.table)}`,
    );
    const parameters = {
      sysparm_query: joined(query.filter, at.after === "" ? "" : `sys_id>${at.after}`, order),
      sysparm_fields: ["sys_id", ...query.fields.filter((field) => field !== "sys_id")].join(","),
      sysparm_limit: String(at.limit),
      sysparm_offset: String(at.offset),
      sysparm_display_value: query.display ? "all" : "false",
      sysparm_exclude_reference_link: "true",
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    const input = { method: "GET", maxBytes: PAGE_BYTES, deadlineMs: PAGE_DEADLINE_MS } as const;
    const response = await caller.call(url, input, signal);
    const body = splitRows(new Uint8Array(await response.arrayBuffer()), "result", PEER);
    const envelope = checked(JSON.stringify(body.envelope), envelopeSchema, PEER);
    if (envelope.error !== undefined) {
      // Records sent so far, under status 200: a transaction that ran out of time.
      throw new QuaysideError("deadline_exceeded", "ServiceNow broke off a page: lower pageSize.");
    }
    const records: ServiceNowRecord[] = [];
    for (const batch of body.batches(1000))
      records.push(...batch.map((record) => z.parse(recordSchema, record)));
    const count = response.headers.get("x-total-count") ?? "";
    return { records, ids: records.map(idOf), total: /^\d+$/.test(count) ? Number(count) : undefined };
  }

  async function* pages(
    query: TableQuery,
    begin: string,
    signal: AbortSignal,
  ): AsyncIterable<readonly ServiceNowRecord[]> {
    let after = begin;
    let offset = 0;
    let limit = session.pageSize;
    let before = new Set<string>();
    let again = false;
    let announced: number | undefined;
    let sent = 0;
    for (;;) {
      let page: Page;
      try {
        page = await fetchPage(query, { after, offset, limit }, signal);
      } catch (error) {
        if (!(isSlow(error) || isTooLarge(error)) || signal.aborted || limit <= SMALLEST_PAGE) throw error;
        limit = Math.max(SMALLEST_PAGE, Math.floor(limit / 2));
        host.log({ level: "warn", event: "source-page-halved", table: query.table, rows: limit });
        continue;
      }
      const { records, ids, total } = page;
      announced ??= total;
      const due = total === undefined ? records.length : Math.min(limit, Math.max(0, total - offset));
      // Asked once more: a record may have gone between counting and reading.
      if (records.length < due && !again) {
        again = true;
        continue;
      }
      if (records.length < due && session.hiddenRows === "refuse") throw hidden(due - records.length);
      again = false;
      if (ids.some((id) => before.has(id) || id === after)) {
        throw new QuaysideError("source_unavailable", "ServiceNow sends the same page again and again.");
      }
      if (records.length > 0) yield records;
      sent += records.length;
      if (total === undefined ? records.length === 0 : offset + limit >= total) break;
      const last = ids.at(-1);
      offset = last === undefined ? offset + limit : 0;
      after = last ?? after;
      if (last !== undefined) before = new Set(ids);
    }
    if (announced !== undefined && sent < announced) {
      host.log({ level: "warn", event: "source-rows-hidden", table: query.table, rows: announced - sent });
    }
  }

  return {
    async count(query, signal) {
      const at = { after: "", offset: 0, limit: 1 };
      return (await fetchPage({ ...query, fields: [] }, at, signal)).total;
    },

    async highest(query, field, signal) {
      const filter = joined(query.filter, `${field}ISNOTEMPTY`);
      const at = { after: "", offset: 0, limit: HIGHEST };
      return (await fetchPage({ ...query, filter }, at, signal, `ORDERBYDESC${field}`)).records;
    },

    pages: (query, signal) => pages(query, "", signal),
    pagesAfter: (query, id, signal) => pages(query, id, signal),
  };
}

/** Conditions that all have to hold, as one encoded query. */
export function joined(...terms: readonly string[]): string {
  return terms.filter((term) => term !== "").join("^");
}

/** @throws QuaysideError `source_unavailable` for a record without a usable id: it could not be gone on from. */
export function idOf(record: ServiceNowRecord): string {
  const entry = record["sys_id"];
  const id = typeof entry === "object" && entry !== null && "value" in entry ? entry.value : entry;
  if (typeof id === "string" && /^[\w.:-]{1,64}$/.test(id)) return id;
  throw new QuaysideError("source_unavailable", "ServiceNow sent a record without its sys_id.");
}

function isSlow(error: unknown): boolean {
  if (!(error instanceof QuaysideError)) return false;
  return (
    error.code === "deadline_exceeded" ||
    (error.code === "source_unavailable" && error.retryAfterMs === undefined && isServerFailure(error.cause))
  );
}

function isServerFailure(cause: unknown): boolean {
  const status = typeof cause === "object" && cause !== null && "status" in cause ? cause.status : undefined;
  return typeof status === "number" && status >= 500;
}

function hidden(count: number): QuaysideError {
  return new QuaysideError(
    "source_rejected",
    `ServiceNow counts ${count} more records on a page than it shows: an access rule hides them from the user. ` +
      'Give the user a role that reads all of them, or set hiddenRows to "skip".',
  );
}

function failure(status: number, body: string): QuaysideError | undefined {
  const cause = { status, body };
  if (status === 403) {
    const message = "the user may not read it: grant a role that passes the table's read access rule.";
    return new QuaysideError("source_rejected", message, { cause });
  }
  if (status === 400 || status === 404) {
    const message = "ServiceNow knows no such table, or does not open it to web services.";
    return new QuaysideError("source_rejected", message, { cause });
  }
  return undefined;
}
