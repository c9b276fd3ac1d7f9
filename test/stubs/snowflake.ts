import { createHash, randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import * as z from "zod/mini";
import { grantsOf, type Grants } from "./snowflake-grants.ts";
import { makeStubKey, verifiedClaims } from "./keys.ts";
import { parseBody, sendJson, startStub, type Call, type Exchange, type Stub } from "./stub.ts";
import { isMissing, openWarehouse, type Moment, type Result, type Warehouse } from "./warehouse.ts";
import { type WireColumn, adapted, wireColumn, wireValue } from "./snowflake-values.ts";

/**
 * Snowflake's SQL API over a real DuckDB, strict: key-pair tokens are verified (signature, issuer, subject, lifetime),
 * statements run one at a time as one SELECT or SHOW, results come in partitions (gzip after the first), `async=true` and
 * `pending` answer 202, `AT(STATEMENT => …)` reads the warehouse as it was. Tables live in the database ACME.
 */

export const SNOWFLAKE_STUB = {
  account: "acme-eu1",
  user: "quayside",
  token: "sf-test-token",
  role: "READER",
  warehouse: "SMALL",
} as const;

const { privateKey, publicKey } = makeStubKey();
/** The key whose public half the stub's user has. */
export const SNOWFLAKE_STUB_KEY = privateKey;

export interface SnowflakeStub extends Stub {
  readonly warehouse: Warehouse;
  /** How often each statement from now on says that it still runs. */
  pending(times: number): void;
  /** Lets every role do only what these GRANT statements say, until the next reset. */
  grant(statements: readonly string[]): void;
  /** Handles of statements that were cancelled. */
  readonly cancelled: readonly string[];
  /** Every statement that ran, in order. */
  readonly statements: readonly Submitted[];
}

export interface SnowflakeOptions {
  readonly rowsPerPartition?: number;
  /** Milliseconds since the epoch; default the real time. */
  readonly now?: () => number;
}

const submittedSchema = z.strictObject({
  statement: z.string(),
  timeout: z.number().check(z.int(), z.minimum(1)),
  database: z.optional(z.string()),
  schema: z.optional(z.string()),
  warehouse: z.optional(z.string()),
  role: z.optional(z.string()),
  bindings: z.optional(z.record(z.string(), z.strictObject({ type: z.literal("TEXT"), value: z.string() }))),
  parameters: z.strictObject({
    multi_statement_count: z.literal("1"),
    timezone: z.literal("UTC"),
    binary_output_format: z.literal("HEX"),
    query_tag: z.string(),
  }),
});
export type Submitted = z.infer<typeof submittedSchema>;

interface Run {
  readonly handle: string;
  readonly submitted: Submitted;
  left: number;
  outcome: Outcome | undefined;
}

type Outcome =
  | { readonly columns: readonly WireColumn[]; readonly partitions: readonly (readonly unknown[])[] }
  | { readonly status: number; readonly code: string; readonly message: string };

export async function startSnowflake(port = 0, options: SnowflakeOptions = {}): Promise<SnowflakeStub> {
  const { rowsPerPartition = 1000, now = () => Date.now() } = options;
  const setup = [
    `ATTACH ':memory:' AS "ACME"`,
    `CREATE SCHEMA "ACME"."PUBLIC"`,
    `CREATE SCHEMA "ACME"."STUB"`,
    TABLES_VIEW,
    COLUMNS_VIEW,
    `CREATE VIEW "ACME"."STUB"."KEYS" AS
     SELECT schema_name, table_name, unnest(constraint_column_names) AS column_name,
       unnest(range(1, len(constraint_column_names) + 1)) AS key_sequence
     FROM duckdb_constraints() WHERE constraint_type = 'PRIMARY KEY' AND database_name = 'ACME'`,
    `CREATE TABLE "ACME"."STUB"."TOUCHED" (n INTEGER)`,
  ];
  const warehouse = await openWarehouse(setup, '"ACME"."STUB"."TOUCHED"');
  let runs = new Map<string, Run>();
  let moments = new Map<string, Moment>();
  let byRequest = new Map<string, string>();
  let pending = 0;
  let cancelled: string[] = [];
  let statements: Submitted[] = [];
  let grants: Grants | undefined;
  const changes = new Map<string, { readonly rows: string; readonly token: bigint }>();

  const stub = await startStub(
    {
      refuse: (call) => refuse(call, now()),
      errorBody: (status) => ({
        code: String(status),
        message: `Stubbed failure, key ${SNOWFLAKE_STUB.token}`,
      }),
      async handle(call) {
        const { method, path } = call;
        if (call.is("token_expired")) {
          return sendJson(call, 401, { code: "390144", message: "JWT token is invalid." });
        }
        if (call.is("login_page")) {
          call.response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>");
          return;
        }
        if (method === "POST" && path === "/api/v2/statements") return submit(call);
        const [, handle = "", action = ""] = /^\/api\/v2\/statements\/([\w-]+)(\/cancel)?$/.exec(path) ?? [];
        const run = runs.get(handle);
        if (!run || call.is("result_gone")) {
          return sendJson(call, 404, { code: "000709", message: `Statement ${handle} not found` });
        }
        if (method === "POST" && action === "/cancel") {
          cancelled.push(handle);
          run.outcome = { status: 422, code: "000604", message: "SQL execution canceled" };
          run.left = 0;
          return sendJson(call, 200, { code: "000604", statementHandle: handle, message: "cancelled" });
        }
        if (method === "GET" && action === "") return status(call, run);
        return sendJson(call, 405, { code: "391900", message: "Method not allowed" });
      },
    },
    port,
  );

  async function submit(call: Call): Promise<void> {
    const requestId = call.query.get("requestId") ?? "";
    const parsed = parseBody(submittedSchema, call.body);
    if ("problem" in parsed || !/^[0-9a-f-]{36}$/.test(requestId)) {
      const message = "problem" in parsed ? parsed.problem : "requestId must be a UUID";
      return sendJson(call, 400, { code: "391911", message });
    }
    const earlier = call.query.get("retry") === "true" ? runs.get(byRequest.get(requestId) ?? "") : undefined;
    const run: Run = earlier ?? {
      handle: randomUUID(),
      submitted: parsed.input,
      left: pending,
      outcome: undefined,
    };
    if (!earlier) {
      runs.set(run.handle, run);
      byRequest.set(requestId, run.handle);
      statements.push(parsed.input);
      run.outcome = await execute(run);
    }
    if (call.is("lost_after_submit")) {
      call.response.socket?.destroy();
      return;
    }
    if (call.query.get("async") === "true" && !call.is("sync")) return running(call, run);
    status(call, run);
  }

  async function execute(run: Run): Promise<Outcome> {
    const { submitted } = run;
    const refusal = grants?.refusal(submitted);
    if (refusal) return { status: 422, ...refusal };
    if (!grants && submitted.role !== undefined && submitted.role !== SNOWFLAKE_STUB.role) {
      return {
        status: 422,
        code: "390189",
        message: `Role '${submitted.role}' is not granted to this user.`,
      };
    }
    if (!grants && submitted.warehouse !== SNOWFLAKE_STUB.warehouse) {
      return { status: 422, code: "000606", message: "No active warehouse selected in the current session." };
    }
    const values = Object.entries(submitted.bindings ?? {})
      .sort(([a], [b]) => Number(a) - Number(b))
      .map(([, binding]) => binding.value);
    const show = /^SHOW PRIMARY KEYS IN TABLE "ACME"\."(.*)"\."(.*)"$/s.exec(submitted.statement);
    const at = / AT\(STATEMENT => '([\w-]+)'\)/.exec(submitted.statement);
    const moment = at ? moments.get(at[1] ?? "") : undefined;
    if (at && !moment) return withoutPast;
    const change = /SYSTEM\$LAST_CHANGE_COMMIT_TIME\('((?:[^'\\]|\\.|'')*)'\)/s.exec(submitted.statement);
    const sql = show
      ? `SELECT column_name, key_sequence FROM "ACME"."STUB"."KEYS" WHERE schema_name = ? AND table_name = ?`
      : adapted(
          submitted.statement
            .replaceAll(at?.[0] ?? "\u0000", "")
            .replaceAll(change?.[0] ?? "\u0000", change ? String(await tokenOf(change[1] ?? "")) : ""),
        );
    try {
      const all = await warehouse.select(sql, show ? [unquote(show[1]), unquote(show[2])] : values, moment);
      const listed =
        !submitted.statement.includes("INFORMATION_SCHEMA") || (grants?.lists(submitted) ?? true);
      const found = listed ? all : { ...all, rows: [] };
      if (/^SELECT 1$/.test(submitted.statement)) moments.set(run.handle, await warehouse.moment());
      return {
        columns: found.names.map((name, i) => wireColumn(name, found.types[i])),
        partitions: cut(found),
      };
    } catch (error) {
      const message = error instanceof Error ? error.message : "";
      if (message === "not_select") {
        return { status: 422, code: "003001", message: `Insufficient privileges: ${submitted.statement}` };
      }
      if (isMissing(error)) {
        return moment
          ? withoutPast
          : { status: 422, code: "002003", message: `does not exist or not authorized. ${message}` };
      }
      return { status: 422, code: "001003", message: `SQL compilation error: ${message}` };
    }
  }

  /** Rises with every change of a table's rows; NULL for one that is not there. */
  async function tokenOf(literal: string): Promise<bigint | "NULL"> {
    const name = literal.replaceAll("''", "'").replaceAll(/\\(.)/gs, "$1");
    const all = `SELECT md5(coalesce(string_agg(md5(t::VARCHAR), '' ORDER BY t::VARCHAR), '')) FROM ${name} AS t`;
    const found = await warehouse.select(all).catch(() => undefined);
    if (!found) return "NULL";
    const rows = String(found.rows[0]?.[0]);
    const before = changes.get(name);
    const token = before?.rows === rows ? before.token : (before?.token ?? 1_700_000_000_000_000_000n) + 1n;
    changes.set(name, { rows, token });
    return token;
  }

  function cut(found: Result): readonly (readonly unknown[])[] {
    const rows = found.rows.map((row) => row.map((value, i) => wireValue(value, found.types[i])));
    const partitions: unknown[][] = [];
    for (let at = 0; at === 0 || at < rows.length; at += rowsPerPartition) {
      partitions.push(rows.slice(at, at + rowsPerPartition));
    }
    return partitions;
  }

  function running(call: Call, run: Run): void {
    sendJson(call, 202, {
      code: "333334",
      message: "Asynchronous execution in progress.",
      statementHandle: run.handle,
      statementStatusUrl: `/api/v2/statements/${run.handle}`,
    });
  }

  function status(call: Call, run: Run): void {
    if (run.left > 0 || call.is("never_ends")) {
      run.left -= 1;
      return running(call, run);
    }
    const { outcome } = run;
    if (!outcome) return running(call, run);
    if ("status" in outcome) {
      const { code, message } = outcome;
      return sendJson(call, outcome.status, {
        code,
        message,
        sqlState: "42000",
        statementHandle: run.handle,
      });
    }
    const { columns, partitions } = outcome;
    const n = Number(call.query.get("partition") ?? "0");
    const rows = partitions[n];
    if (!rows) return sendJson(call, 400, { code: "391912", message: "no such partition" });
    const sent = call.is("rows_missing") ? rows.slice(0, -1) : rows;
    if (n > 0) {
      if (call.is("json_truncated")) return sendJson(call, 200, { data: sent });
      const body = gzipSync(JSON.stringify({ data: sent }));
      call.response
        .writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" })
        .end(body);
      return;
    }
    const numRows = partitions.reduce((sum, part) => sum + part.length, 0);
    sendJson(call, 200, {
      code: call.is("first_too_large") ? "391908" : "090001",
      statementHandle: run.handle,
      resultSetMetaData: {
        numRows: call.is("total_count_wrong") ? numRows + 20 : numRows,
        format: "jsonv2",
        partitionInfo: partitions.map((part) => ({
          rowCount: part.length,
          uncompressedSize: JSON.stringify(part).length,
        })),
        rowType: columns,
      },
      ...(call.is("first_too_large") && !call.query.has("partition") ? {} : { data: sent }),
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
    get statements() {
      return statements;
    },
    warehouse,
    pending(times) {
      pending = times;
    },
    grant(given) {
      grants = grantsOf(given);
    },
    reset() {
      stub.reset();
      grants = undefined;
      runs = new Map();
      moments = new Map();
      byRequest = new Map();
      pending = 0;
      cancelled = [];
      statements = [];
    },
    async [Symbol.asyncDispose]() {
      await stub[Symbol.asyncDispose]();
      await warehouse[Symbol.asyncDispose]();
    },
  };
}

const withoutPast: Outcome = {
  status: 422,
  code: "000707",
  message:
    "Time travel data is not available for table. The requested time is before the object creation time.",
};

const TABLES_VIEW = `CREATE VIEW "ACME"."STUB"."TABLES" AS
  SELECT database_name AS "TABLE_CATALOG", schema_name AS "TABLE_SCHEMA", table_name AS "TABLE_NAME",
    'BASE TABLE' AS "TABLE_TYPE", estimated_size AS "ROW_COUNT", estimated_size * 8 AS "BYTES",
    CASE WHEN comment = 'no past' THEN 0 ELSE 1 END AS "RETENTION_TIME", comment AS "COMMENT",
    to_timestamp(1700000000) AS "CREATED",
    to_timestamp(1700000000 + hash(sql || coalesce(comment, '')) % 10000000) AS "LAST_ALTERED"
  FROM duckdb_tables() WHERE database_name = 'ACME' AND schema_name <> 'STUB'
  UNION ALL SELECT database_name, schema_name, view_name, 'VIEW', NULL, NULL, NULL, comment, NULL, NULL
  FROM duckdb_views() WHERE database_name = 'ACME' AND schema_name <> 'STUB' AND NOT internal`;

const COLUMNS_VIEW = `CREATE VIEW "ACME"."STUB"."COLUMNS" AS
  SELECT schema_name AS "TABLE_SCHEMA", table_name AS "TABLE_NAME", column_name AS "COLUMN_NAME",
    column_index AS "ORDINAL_POSITION", numeric_scale AS "NUMERIC_SCALE",
    CASE WHEN is_nullable THEN 'YES' ELSE 'NO' END AS "IS_NULLABLE", comment AS "COMMENT",
    CASE WHEN data_type SIMILAR TO '(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|DECIMAL.*)' THEN 'NUMBER'
      WHEN data_type IN ('DOUBLE', 'FLOAT') THEN 'FLOAT' WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ'
      WHEN data_type = 'TIMESTAMP_NS' THEN 'TIMESTAMP_LTZ' WHEN data_type LIKE 'TIMESTAMP WITH%' THEN 'TIMESTAMP_TZ'
      WHEN data_type = 'BLOB' THEN 'BINARY' WHEN data_type = 'JSON' THEN 'VARIANT'
      WHEN data_type IN ('DATE', 'TIME', 'BOOLEAN') THEN data_type ELSE 'TEXT' END AS "DATA_TYPE"
  FROM duckdb_columns() WHERE database_name = 'ACME' AND schema_name <> 'STUB'`;

function unquote(name = ""): string {
  return name.replaceAll('""', '"');
}

const claimsSchema = z.strictObject({ iss: z.string(), sub: z.string(), iat: z.number(), exp: z.number() });

interface Refusal {
  readonly status: number;
  readonly body: unknown;
}

function refuse(call: Exchange, now: number): Refusal | undefined {
  const { headers } = call;
  if ((headers["user-agent"] ?? "") === "")
    return { status: 400, body: { code: "391900", message: "User-Agent" } };
  if (headers.accept !== "application/json")
    return { status: 406, body: { code: "391900", message: "Accept" } };
  const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
  const type = headers["x-snowflake-authorization-token-type"];
  // Programmatic and OAuth tokens are told apart by their form.
  if (type === undefined) {
    return token === SNOWFLAKE_STUB.token ? undefined : denied(`Invalid token ${token}`);
  }
  if (type !== "KEYPAIR_JWT") return denied("token type");
  const claims = claimsSchema.safeParse(verifiedClaims(token, publicKey)?.claims);
  if (!claims.success) return denied("signature or claims");
  const { iss, sub, iat, exp } = claims.data;
  const spki = publicKey.export({ type: "spki", format: "der" });
  const subject = `${SNOWFLAKE_STUB.account.toUpperCase()}.${SNOWFLAKE_STUB.user.toUpperCase()}`;
  const issuer = `${subject}.SHA256:${createHash("sha256").update(spki).digest("base64")}`;
  if (iss !== issuer || sub !== subject) return denied(`issuer ${iss}`);
  const seconds = now / 1000;
  return exp - iat > 3600 || exp <= seconds || iat > seconds + 60 ? denied("lifetime") : undefined;
}

function denied(message: string): Refusal {
  return { status: 401, body: { code: "390144", message } };
}
