import { randomUUID } from "node:crypto";
import * as z from "zod/mini";
import { allows, type Roles } from "./bigquery-roles.ts";
import { makeStubKey, verifiedClaims } from "./keys.ts";
import { parseBody, sendJson, startStub, type Call, type Stub } from "./stub.ts";
import { isMissing, openWarehouse, type Moment, type Result, type Warehouse } from "./warehouse.ts";
import { adapted, fieldOf, quoted, wireValue, type Field } from "./bigquery-values.ts";

/**
 * BigQuery's REST API over a real DuckDB, strict: the token endpoint verifies the service account's assertion, jobs have the
 * caller's id and run once, results come page by page from the job's own location, dry runs cost nothing,
 * `FOR SYSTEM_TIME AS OF` reads the warehouse as it was when a table was last asked for. Tables live in acme-prod.
 */

export const BIGQUERY_STUB = {
  project: "acme-prod",
  email: "quayside@acme-prod.iam.example.com",
  location: "EU",
} as const;

const key = makeStubKey();

export interface BigQueryStub extends Stub {
  readonly warehouse: Warehouse;
  /** The service account's key file. */
  readonly credentials: string;
  /** How often each job from now on says that it still runs. */
  pending(times: number): void;
  /** Lets the service account do only what these roles on the project and on tables of `shop` say, until the next reset. */
  grant(roles: Roles): void;
  /** Every change of a table so far was made an hour ago. */
  settle(): void;
  /** What the metadata of a table of `shop` say besides, or instead, until the next reset. */
  describe(table: string, metadata: Readonly<Record<string, unknown>>): void;
  /** Every access token so far is refused from now on. */
  revoke(): void;
  readonly cancelled: readonly string[];
  /** Configurations of the jobs that ran, dry runs left out. */
  readonly jobs: readonly Configuration[];
}

const configurationSchema = z.strictObject({
  query: z.strictObject({
    query: z.string(),
    useLegacySql: z.literal(false),
    defaultDataset: z.optional(z.strictObject({ projectId: z.string(), datasetId: z.string() })),
    maximumBytesBilled: z.optional(z.string()),
  }),
  dryRun: z.optional(z.literal(true)),
  jobTimeoutMs: z.optional(z.string()),
  labels: z.record(z.string(), z.string()),
});
export type Configuration = z.infer<typeof configurationSchema>;
const jobSchema = z.strictObject({
  jobReference: z.optional(
    z.strictObject({ projectId: z.string(), jobId: z.string(), location: z.optional(z.string()) }),
  ),
  configuration: configurationSchema,
});
const claimsSchema = z.strictObject({
  iss: z.literal(BIGQUERY_STUB.email),
  scope: z.string().check(z.regex(/googleapis\.com\/auth\/(cloud-platform|bigquery)/)),
  aud: z.string(),
  iat: z.number(),
  exp: z.number(),
});

type Outcome =
  | { readonly fields: readonly Field[]; readonly found: Result }
  | { readonly status: number; readonly reason: string; readonly message: string };

interface Job {
  left: number;
  outcome: Outcome;
}

export async function startBigQuery(port = 0): Promise<BigQueryStub> {
  const database = `"${BIGQUERY_STUB.project}"`;
  const warehouse = await openWarehouse(
    [
      `ATTACH ':memory:' AS ${database}`,
      `CREATE SCHEMA ${database}.shop`,
      `CREATE TABLE ${database}.main.touched (n INTEGER)`,
    ],
    `${database}.main.touched`,
  );
  let jobs = new Map<string, Job>();
  let moments: { readonly at: number; readonly moment: Moment }[] = [];
  let tokens = new Set<string>();
  let pending = 0;
  let cancelled: string[] = [];
  let configurations: Configuration[] = [];
  let self = "";
  let roles: Roles | undefined;
  let described = new Map<string, Readonly<Record<string, unknown>>>();
  /** When each table was last found to be another, in milliseconds, and what it was then. */
  const modified = new Map<string, { at: number; readonly contents: string }>();

  const stub = await startStub(
    {
      refuse({ path, headers }) {
        if (path === "/token") return undefined;
        const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
        if (tokens.has(token)) return undefined;
        return { status: 401, body: errorBody(401, "authError", `Invalid credentials ${token}`) };
      },
      errorBody: (status, kind) => errorBody(status, kind === "" ? "backendError" : kind, "Stubbed failure"),
      async handle(call) {
        if (call.path === "/token") return token(call);
        if (call.is("login_page")) {
          call.response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>");
          return;
        }
        const route = /^\/bigquery\/v2\/projects\/([^/]+)\/(.+)$/.exec(call.path);
        const rest = (route?.[2] ?? "").split("/").map(decodeURIComponent);
        if (decodeURIComponent(route?.[1] ?? "") !== BIGQUERY_STUB.project)
          return fail(call, 404, "notFound", "project");
        if (call.method === "GET" && rest[0] === "datasets" && rest[2] === "tables") {
          return allows(roles, "bigquery.tables.get", rest[3])
            ? table(call, rest[1] ?? "", rest[3] ?? "")
            : fail(call, 403, "accessDenied", "Access Denied: bigquery.tables.get");
        }
        if (call.method === "POST" && rest[0] === "jobs" && rest.length === 1) {
          return allows(roles, "bigquery.jobs.create")
            ? insert(call)
            : fail(call, 403, "accessDenied", "Access Denied: bigquery.jobs.create");
        }
        if (call.method === "POST" && rest[0] === "jobs" && rest[2] === "cancel") {
          cancelled.push(rest[1] ?? "");
          return sendJson(call, 200, { kind: "bigquery#jobCancelResponse" });
        }
        if (call.method === "GET" && rest[0] === "queries") return results(call, rest[1] ?? "");
        return fail(call, 404, "notFound", "route");
      },
    },
    port,
  );
  self = stub.url;

  function token(call: Call): void {
    const form = new URLSearchParams(call.body);
    const claims = claimsSchema.safeParse(verifiedClaims(form.get("assertion") ?? "", key.publicKey)?.claims);
    const now = Date.now() / 1000;
    const right =
      form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer" &&
      claims.success &&
      claims.data.aud === `${self}/token` &&
      claims.data.exp - claims.data.iat <= 3600 &&
      claims.data.exp > now;
    if (!right)
      return sendJson(call, 400, { error: "invalid_grant", error_description: "Invalid JWT Signature." });
    const issued = `ya29.${randomUUID()}`;
    tokens.add(issued);
    sendJson(call, 200, { access_token: issued, expires_in: 3599, token_type: "Bearer" });
  }

  async function table(call: Call, dataset: string, name: string): Promise<void> {
    const where = `database_name = '${BIGQUERY_STUB.project}' AND schema_name = ? AND table_name = ?`;
    const [row] = (
      await warehouse.select(
        `SELECT comment, 'TABLE' FROM duckdb_tables() WHERE ${where}
         UNION ALL SELECT comment, 'VIEW' FROM duckdb_views() WHERE ${where.replace("table_name", "view_name")}`,
        [dataset, name, dataset, name],
      )
    ).rows;
    if (!row) return fail(call, 404, "notFound", `Not found: Table ${name}`);
    const path = [BIGQUERY_STUB.project, dataset, name].map(quoted).join(".");
    const { rows: columns } = await warehouse.select(
      `SELECT column_name, comment, is_nullable FROM duckdb_columns() WHERE ${where} ORDER BY column_index`,
      [dataset, name],
    );
    const { names, types } = await warehouse.select(`SELECT * FROM ${path} LIMIT 0`);
    const { rows: keys } = await warehouse.select(
      `SELECT unnest(constraint_column_names) FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND ${where}`,
      [dataset, name],
    );
    const { rows: count } = await warehouse.select(`SELECT count(*) FROM ${path}`);
    const { rows: all } = await warehouse.select(
      `SELECT md5(coalesce(string_agg(md5(t::VARCHAR), '' ORDER BY t::VARCHAR), '')) FROM ${path} AS t`,
    );
    const contents = `${names.join(" ")} ${String(all[0]?.[0])}`;
    if (modified.get(path)?.contents !== contents) modified.set(path, { at: Date.now(), contents });
    moments.push({ at: Math.floor(Date.now() / 1000) * 1000, moment: await warehouse.moment() });
    const comment = String(row[0] ?? "");
    call.response.setHeader("date", new Date().toUTCString());
    sendJson(call, 200, {
      kind: "bigquery#table",
      tableReference: { projectId: BIGQUERY_STUB.project, datasetId: dataset, tableId: name },
      type: row[1],
      schema: {
        fields: names.map((column, i) => {
          const description = columns[i]?.[1];
          const field = fieldOf(column, types[i]);
          return {
            ...field,
            mode: columns[i]?.[2] === false && field.mode === "NULLABLE" ? "REQUIRED" : field.mode,
            ...(typeof description === "string" ? { description } : {}),
          };
        }),
      },
      ...(comment === "" ? {} : { description: comment }),
      ...(row[1] === "TABLE"
        ? {
            numRows: String(count[0]?.[0]),
            creationTime: comment === "made later" ? String(Date.now() + 60_000) : "1",
            lastModifiedTime: String(modified.get(path)?.at),
            etag: String(modified.get(path)?.at),
          }
        : {}),
      ...(keys.length > 0
        ? { tableConstraints: { primaryKey: { columns: keys.map((k) => String(k[0])) } } }
        : {}),
      ...described.get(name),
    });
  }

  async function insert(call: Call): Promise<void> {
    const parsed = parseBody(jobSchema, call.body);
    if ("problem" in parsed) return fail(call, 400, "invalid", parsed.problem);
    const { jobReference, configuration } = parsed.input;
    const outcome = await execute(configuration);
    if (configuration.dryRun === true) {
      if ("status" in outcome && outcome.reason !== "not_select") {
        return fail(call, outcome.status, outcome.reason, outcome.message);
      }
      const select = "fields" in outcome;
      return sendJson(call, 200, {
        kind: "bigquery#job",
        configuration,
        statistics: {
          totalBytesProcessed: select ? String(outcome.found.rows.length * 8) : "0",
          query: {
            statementType: select ? "SELECT" : "SCRIPT",
            ...(select ? { schema: { fields: outcome.fields } } : {}),
          },
        },
      });
    }
    const jobId = jobReference?.jobId ?? "";
    if (!/^[\w-]{1,1024}$/.test(jobId)) return fail(call, 400, "invalid", "job id");
    if (jobs.has(jobId)) return fail(call, 409, "duplicate", `Already Exists: Job ${jobId}`);
    configurations.push(configuration);
    const limit = Number(configuration.query.maximumBytesBilled ?? Infinity);
    const tooMuch = "fields" in outcome && outcome.found.rows.length * 8 > limit;
    const failed: Outcome = {
      status: 400,
      reason: "bytesBilledLimitExceeded",
      message: "Query exceeded limit",
    };
    jobs.set(jobId, { left: pending, outcome: tooMuch ? failed : outcome });
    if (call.is("lost_after_submit")) {
      call.response.socket?.destroy();
      return;
    }
    if (call.is("job_fails"))
      jobs.set(jobId, { left: 0, outcome: { status: 400, reason: "jobBackendError", message: "retry" } });
    sendJson(call, 200, {
      kind: "bigquery#job",
      jobReference: { projectId: BIGQUERY_STUB.project, jobId, location: BIGQUERY_STUB.location },
      status: { state: "RUNNING" },
    });
  }

  async function execute(configuration: Configuration): Promise<Outcome> {
    const { query, defaultDataset } = configuration.query;
    const hidden = [...query.matchAll(/`shop`\.`(\w+)`/g)].some(
      ([, name = ""]) => !allows(roles, "bigquery.tables.getData", name),
    );
    if (hidden) return { status: 403, reason: "accessDenied", message: "bigquery.tables.getData" };
    const at = / FOR SYSTEM_TIME AS OF TIMESTAMP '([^']+)'/.exec(query);
    const time = at ? Date.parse(at[1] ?? "") : 0;
    const moment = at ? moments.findLast((m) => m.at <= time)?.moment : undefined;
    if (at && (!moment || time > Date.now())) {
      return { status: 400, reason: "invalidQuery", message: "Invalid time travel timestamp" };
    }
    const sql = adapted(query.replaceAll(at?.[0] ?? "\u0000", ""));
    const scoped = defaultDataset
      ? sql.replaceAll(/'(?:[^']|'')*'|\bFROM (\w+)\b(?!\.)/g, (all, name: string | undefined) =>
          name === undefined ? all : `FROM "${BIGQUERY_STUB.project}"."${defaultDataset.datasetId}".${name}`,
        )
      : sql;
    try {
      const found = await warehouse.select(scoped, [], moment);
      return { fields: found.names.map((name, i) => fieldOf(name, found.types[i])), found };
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      if (message === "not_select") return { status: 403, reason: "not_select", message: "Access Denied" };
      if (isMissing(error)) return { status: 404, reason: "notFound", message: `Not found: ${message}` };
      return { status: 400, reason: "invalidQuery", message: `Syntax error: ${message}` };
    }
  }

  function results(call: Call, jobId: string): void {
    const job = jobs.get(jobId);
    if (!job || call.query.get("location") !== BIGQUERY_STUB.location)
      return fail(call, 404, "notFound", "Not found: Job");
    const jobReference = { projectId: BIGQUERY_STUB.project, jobId, location: BIGQUERY_STUB.location };
    if (job.left > 0 || call.is("never_ends")) {
      job.left -= 1;
      return sendJson(call, 200, {
        kind: "bigquery#getQueryResultsResponse",
        jobReference,
        jobComplete: false,
      });
    }
    const { outcome } = job;
    if ("status" in outcome) return fail(call, outcome.status, outcome.reason, outcome.message);
    const given = call.query.get("pageToken");
    const [owner, place] = Buffer.from(given ?? "", "base64url")
      .toString("utf8")
      .split(" ");
    if (given !== null && (owner !== jobId || call.is("page_token_expired")))
      return fail(call, 400, "invalid", "page token");
    const from = given === null ? Number(call.query.get("startIndex") ?? "0") : Number(place);
    const to = from + Math.min(Number(call.query.get("maxResults") ?? "100000"), 100_000);
    const total = outcome.found.rows.length;
    const micros = call.query.get("formatOptions.useInt64Timestamp") === "true";
    const rows = outcome.found.rows.slice(from, to).map((row) => ({
      f: row.map((value, i) => ({ v: wireValue(value, outcome.found.types[i], micros) })),
    }));
    const next =
      call.is("page_repeats") && given !== null ? given : Buffer.from(`${jobId} ${to}`).toString("base64url");
    sendJson(call, 200, {
      kind: "bigquery#getQueryResultsResponse",
      jobReference,
      jobComplete: true,
      schema: { fields: outcome.fields },
      totalRows: String(call.is("total_count_wrong") ? total + 20 : total),
      ...(to < total ? { pageToken: next } : {}),
      ...(rows.length > 0 ? { rows: call.is("rows_missing") ? rows.slice(1) : rows } : {}),
    });
  }

  return {
    ...stub,
    get exchanges() {
      return stub.exchanges;
    },
    get cancelled() {
      return cancelled;
    },
    get jobs() {
      return configurations;
    },
    warehouse,
    credentials: JSON.stringify({
      type: "service_account",
      project_id: BIGQUERY_STUB.project,
      private_key_id: "k1",
      private_key: key.privateKey,
      client_email: BIGQUERY_STUB.email,
      token_uri: `${self}/token`,
    }),
    pending(times) {
      pending = times;
    },
    grant(given) {
      roles = given;
    },
    settle() {
      for (const table of modified.values()) table.at -= 3_600_000;
    },
    describe: (table, metadata) => void described.set(table, metadata),
    revoke() {
      tokens = new Set();
    },
    reset() {
      stub.reset();
      roles = undefined;
      described = new Map();
      jobs = new Map();
      moments = [];
      tokens = new Set();
      pending = 0;
      cancelled = [];
      configurations = [];
    },
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await warehouse[Symbol.asyncDispose]();
    },
  };
}

function errorBody(status: number, reason: string, message: string): unknown {
  return {
    error: { code: status, message, errors: [{ message, domain: "global", reason }], status: "STUBBED" },
  };
}

function fail(call: Call, status: number, reason: string, message: string): void {
  sendJson(call, status, errorBody(status, reason, message));
}
