import { exports } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import { pseudonymOf } from "../../shared/audit-wire.ts";
import { encodeBatch } from "../../shared/batch.ts";
import type { Config } from "../../shared/config.ts";

const CONFIG: Config = {
  name: "admin test",
  sources: { local: { kind: "none" } },
  tables: {
    notes: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    lines: {
      source: "local",
      key: ["order", "no"],
      classification: "public",
      access: { allowAny: ["public"] },
    },
  },
  demo: { users: { guest: { label: "Guest", groups: ["admin", "ingest", "erase"] } }, examples: [] },
};

const SPACE = "space-1";

interface Reply {
  readonly status: number;
  readonly code: string | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body is looked into by the assertions
  readonly body: any;
  readonly headers: Headers;
}

async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = { authorization: "Bearer test-token" },
): Promise<Reply> {
  const binary = body instanceof Uint8Array;
  const request = new Request(`http://127.0.0.1${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: binary || typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const response = await exports.default.fetch(request);
  const text = await response.text();
  const json = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, code: json?.code, body: json, headers: response.headers };
}

const ROUTES = [
  ["PUT", "/v1/admin/config", CONFIG],
  ["GET", "/v1/admin/status", undefined],
  ["POST", "/v1/admin/runs", { tables: ["notes"], space: SPACE, trigger: "cli", idempotency_key: "k" }],
  ["GET", `/v1/admin/known/notes?space=${SPACE}`, undefined],
  ["GET", "/v1/admin/erased", undefined],
  ["PUT", "/v1/admin/batches/run_x/0", {}],
  ["POST", "/v1/admin/runs/run_x/publish", {}],
  ["POST", "/v1/admin/runs/run_x/abandon", {}],
  ["POST", "/v1/erase", { table: "notes", key: "1" }],
  ["GET", "/v1/erase/era_x", undefined],
] as const;

beforeAll(async () => {
  await reset();
  expect((await call("PUT", "/v1/admin/config", CONFIG)).status).toBe(200);
});

describe.each(ROUTES)("%s %s", (method, path, body) => {
  it("refuses a wrong token, another scheme and a token in the URL", async () => {
    const wrong = await call(method, path, body, { authorization: "Bearer wrong-token" });
    expect([wrong.status, wrong.code]).toEqual([401, "unauthenticated"]);
    expect(wrong.headers.get("www-authenticate")).toBe("Bearer");
    const basic = await call(method, path, body, { authorization: `Basic ${btoa("a:test-token")}` });
    expect([basic.status, basic.code]).toEqual([401, "unauthenticated"]);
    const query = `${path}${path.includes("?") ? "&" : "?"}access_token=test-token`;
    const inUrl = await call(method, query, body, {});
    expect([inUrl.status, inUrl.code]).toEqual([401, "unauthenticated"]);
  });

  it("refuses a demo user, whatever groups it has", async () => {
    const reply = await call(method, path, body, { "x-quayside-demo-user": "guest" });
    expect([reply.status, reply.code]).toEqual([403, "forbidden"]);
  });
});

describe("PUT /v1/admin/config", () => {
  it("lists everything that is wrong", async () => {
    const broken = {
      ...CONFIG,
      tables: { notes: { ...CONFIG.tables["notes"], source: "gone", key: [] } },
      extra: 1,
    };
    const reply = await call("PUT", "/v1/admin/config", broken);
    expect([reply.status, reply.code]).toEqual([422, "config_invalid"]);
    expect(reply.body.errors.length).toBeGreaterThanOrEqual(2);
  });

  it("leaves a record of who published it, as questions name them", async () => {
    const { body } = await call("GET", "/v1/admin/audit?limit=1");
    expect(JSON.parse(body.records[0].record)).toMatchObject({
      action: "config-published",
      principal: pseudonymOf({ tenant: "default", subject: "operator" }),
    });
  });

  it("makes no new version of an equal one", async () => {
    const first = await call("PUT", "/v1/admin/config", CONFIG);
    expect((await call("PUT", "/v1/admin/config", CONFIG)).body).toEqual(first.body);
  });

  it.each([
    ["not JSON", "{", 400, "malformed_json"],
    ["another type", "x", 415, "unsupported_media_type"],
    ["too large", `"${"x".repeat(1_300_000)}"`, 413, "body_too_large"],
    ["null", "null", 422, "config_invalid"],
  ])("refuses a body that is %s", async (name, body, status, code) => {
    const type = name === "another type" ? "text/plain" : "application/json";
    const headers = { authorization: "Bearer test-token", "content-type": type };
    const reply = await call("PUT", "/v1/admin/config", body, headers);
    expect([reply.status, reply.code]).toEqual([status, code]);
  });
});

describe("runs over HTTP", () => {
  const begin = { tables: ["notes"], space: SPACE, trigger: "cli", idempotency_key: "http-1" };

  it("tells a conflict with the time to wait", async () => {
    const run = await call("POST", "/v1/admin/runs", begin);
    expect(run.status).toBe(200);
    expect((await call("POST", "/v1/admin/runs", begin)).body).toEqual(run.body);
    const other = await call("POST", "/v1/admin/runs", { ...begin, idempotency_key: "http-2" });
    expect([other.status, other.code, other.body.retryable]).toEqual([409, "run_conflict", true]);
    expect(Number(other.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(Number(other.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    const end = await call("POST", `/v1/admin/runs/${run.body.id}/abandon`, {
      run: run.body,
      reason: "test",
    });
    expect(end.status).toBe(204);
  });

  it("refuses a run body with a field that it does not know, or a tenant", async () => {
    const reply = await call("POST", "/v1/admin/runs", { ...begin, tenant: "other" });
    expect([reply.status, reply.code]).toEqual([422, "invalid_request"]);
  });

  it("refuses a batch whose run or number is not the path's", async () => {
    const run = (await call("POST", "/v1/admin/runs", { ...begin, idempotency_key: "http-3" })).body;
    const bytes = encodeBatch(run, { seq: 4, table: "notes", classes: [], rows: [], gone: [] });
    const headers = {
      authorization: "Bearer test-token",
      "content-type": "application/vnd.quayside.batch",
    };
    const put = (path: string): Promise<Reply> => call("PUT", `/v1/admin/batches/${path}`, bytes, headers);
    expect((await put("run_other/4")).code).toBe("invalid_request");
    expect((await put(`${run.id}/5`)).code).toBe("invalid_request");
    expect((await put(`${run.id}/04`)).code).toBe("invalid_request");
    expect((await put(`${run.id}/4`)).status).toBe(204);
    expect((await call("PUT", `/v1/admin/batches/${run.id}/4`, bytes)).status).toBe(415);
    await call("POST", `/v1/admin/runs/${run.id}/abandon`, { run, reason: "test" });
  });

  it("refuses bytes that are no batch, and more than 8 MiB", async () => {
    const headers = {
      authorization: "Bearer test-token",
      "content-type": "application/vnd.quayside.batch",
    };
    const junk = await call("PUT", "/v1/admin/batches/run_x/0", new Uint8Array(64), headers);
    expect([junk.status, junk.code]).toEqual([400, "malformed_json"]);
    const large = new Uint8Array(8 * 1024 * 1024 + 1);
    const reply = await call("PUT", "/v1/admin/batches/run_x/0", large, headers);
    expect([reply.status, reply.code]).toEqual([413, "body_too_large"]);
  });

  it("refuses to read what is known without a space", async () => {
    const reply = await call("GET", "/v1/admin/known/notes");
    expect([reply.status, reply.code]).toEqual([422, "invalid_request"]);
  });

  it("shows runs, tables and versions in the status", async () => {
    const { status, body } = await call("GET", "/v1/admin/status");
    expect(status).toBe(200);
    expect(body).toMatchObject({ config_version: 1, generation: 0, space: "" });
    expect(body.runs[0]).toMatchObject({ state: "failed", trigger: "cli", reason: "test", generation: null });
  });
});

describe("POST /v1/erase", () => {
  it("accepts a row, and gives a receipt that does not name it", async () => {
    const reply = await call("POST", "/v1/erase", { table: "notes", key: "someone@example.org" });
    expect(reply.status).toBe(202);
    expect(reply.headers.get("location")).toBe(`/v1/erase/${reply.body.id}`);
    expect(JSON.stringify(reply.body)).not.toContain("someone");
    const receipt = await call("GET", `/v1/erase/${reply.body.id}`);
    expect([receipt.status, receipt.body]).toEqual([200, reply.body]);
  });

  it("gives the same receipt for the same row, named as text or by column", async () => {
    const text = await call("POST", "/v1/erase", { table: "lines", key: "a%7Cb|2" });
    const columns = await call("POST", "/v1/erase", { table: "lines", key: { no: 2, order: "a|b" } });
    expect(columns.body.id).toBe(text.body.id);
  });

  it.each([
    ["a wildcard", { table: "notes", key: "*" }],
    ["a wildcard in a part", { table: "lines", key: "7|*" }],
    ["too few parts", { table: "lines", key: "7" }],
    ["too many parts", { table: "notes", key: "7|8" }],
    ["an empty part", { table: "lines", key: "7|" }],
    ["a chunk's id", { table: "notes", key: "7#1" }],
    ["a row's id", { table: "notes", key: "notes:7" }],
    ["an unknown column", { table: "notes", key: { name: "7" } }],
    ["a column too many", { table: "notes", key: { id: "7", name: "x" } }],
    ["an unknown table", { table: "nope", key: "7" }],
    ["a name of the prototype", { table: "toString", key: "7" }],
    ["a list of keys", { table: "notes", key: ["7", "8"] }],
    ["no key", { table: "notes" }],
    ["a tenant", { table: "notes", key: "7", tenant: "other" }],
  ])("refuses %s", async (_, body) => {
    const reply = await call("POST", "/v1/erase", body);
    expect([reply.status, reply.code]).toEqual([422, "invalid_request"]);
  });

  it("has no receipt of an unknown id", async () => {
    const reply = await call("GET", "/v1/erase/era_unknown");
    expect([reply.status, reply.code]).toEqual([404, "not_found"]);
  });
});
