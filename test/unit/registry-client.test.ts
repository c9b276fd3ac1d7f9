import { describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Run } from "../../shared/ports/registry.ts";
import { makeRegistryClient, type RegistryClient } from "../../shared/registry-client.ts";

const RUN: Run = { id: "run_1", fence: 1, generation: 1, space: "a b/c" };
const EMPTY = { seq: 3, table: "notes", classes: [], rows: [], gone: [] };

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A client whose worker answers with these, one after the other, the last for ever; a string is a broken connection. */
function bench(replies: readonly (Response | string)[]): {
  readonly client: RegistryClient;
  readonly seen: Seen[];
  readonly waits: number[];
} {
  const seen: Seen[] = [];
  const waits: number[] = [];
  const client = makeRegistryClient({
    url: "http://worker.test/base/",
    token: "secret-token",
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body: await request.text() });
      const reply = replies[Math.min(seen.length, replies.length) - 1] ?? "none";
      if (typeof reply === "string") throw new TypeError(reply);
      return reply.clone();
    },
    sleep: async (ms) => void waits.push(ms),
  });
  return { client, seen, waits };
}

function problem(
  status: number,
  code: string,
  extra: object = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = {
    type: `urn:quayside:problem:${code}`,
    title: "t",
    status,
    detail: "what to do",
    code,
    ...extra,
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

async function errorOf(call: Promise<unknown>): Promise<QuaysideError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof QuaysideError) return error;
    throw error;
  }
  throw new Error("the call did not fail");
}

const signal = new AbortController().signal;

describe("registry client", () => {
  it("sends the token as a bearer and keeps the base path", async () => {
    const { client, seen } = bench([Response.json({ version: 1 })]);
    await client.publishConfig({ name: "n", sources: {}, tables: {} }, signal);
    expect(seen[0]).toMatchObject({ method: "PUT", url: "http://worker.test/base/v1/admin/config" });
    expect(seen[0]?.headers.get("authorization")).toBe("Bearer secret-token");
    expect(seen[0]?.headers.get("content-type")).toBe("application/json");
  });

  it("puts a batch under its run and number", async () => {
    const { client, seen } = bench([new Response(null, { status: 204 })]);
    await client.commit(RUN, EMPTY, signal);
    expect(seen[0]).toMatchObject({ method: "PUT", url: "http://worker.test/base/v1/admin/batches/run_1/3" });
    expect(seen[0]?.headers.get("content-type")).toBe("application/vnd.quayside.batch");
  });

  it("repeats a call after broken connections and 5xx", async () => {
    const { client, seen } = bench([
      "ECONNRESET",
      new Response("oops", { status: 502 }),
      problem(503, "registry_unavailable"),
      new Response(null, { status: 204 }),
    ]);
    await client.commit(RUN, EMPTY, signal);
    expect(seen.length).toBe(4);
  });

  it("waits as long as Retry-After says", async () => {
    const { client, waits } = bench([
      problem(503, "registry_unavailable", {}, { "retry-after": "3" }),
      Response.json({ version: 1 }),
    ]);
    await client.publishConfig({ name: "n", sources: {}, tables: {} }, signal);
    expect(waits).toEqual([3000]);
  });

  it("gives up after five repetitions", async () => {
    const { client, seen } = bench(["ECONNREFUSED"]);
    expect((await errorOf(client.status(signal))).code).toBe("registry_unavailable");
    expect(seen.length).toBe(6);
  });

  it("begins with one idempotency key, however often it is sent", async () => {
    const { client, seen } = bench(["ECONNRESET", Response.json(RUN)]);
    await client.begin({ tenant: "t", tables: ["notes"], space: "s", trigger: "cli" }, signal);
    const keys = seen.map(({ body }): unknown => JSON.parse(body).idempotency_key);
    expect(keys.length).toBe(2);
    expect(keys[0]).toBe(keys[1]);
  });

  it("takes another key for another begin", async () => {
    const { client, seen } = bench([Response.json(RUN)]);
    const request = { tenant: "t", tables: ["notes"], space: "s", trigger: "cli" } as const;
    await client.begin(request, signal);
    await client.begin(request, signal);
    expect(new Set(seen.map(({ body }): unknown => JSON.parse(body).idempotency_key)).size).toBe(2);
  });

  it.each([
    ["run_fenced", 409],
    ["run_conflict", 409],
    ["guard_stopped", 409],
    ["unauthenticated", 401],
    ["forbidden", 403],
    ["invalid_request", 422],
    ["not_configured", 503],
  ])("throws %s with the worker's words, without repeating", async (code, status) => {
    const { client, seen } = bench([problem(status, code)]);
    const error = await errorOf(client.commit(RUN, EMPTY, signal));
    expect([error.code, error.message, seen.length]).toEqual([code, "what to do", 1]);
  });

  it("says how long a conflict lasts", async () => {
    const { client } = bench([problem(409, "run_conflict", {}, { "retry-after": "42" })]);
    const request = { tenant: "t", tables: ["notes"], space: "s", trigger: "cli" } as const;
    expect((await errorOf(client.begin(request, signal))).retryAfterMs).toBe(42_000);
  });

  it("hands on everything that is wrong with a configuration", async () => {
    const errors = [
      { pointer: "tables.a", rule: "no source" },
      { pointer: "name", rule: "too short" },
    ];
    const { client } = bench([problem(422, "config_invalid", { errors })]);
    const error = await errorOf(client.publishConfig({ name: "n", sources: {}, tables: {} }, signal));
    expect([error.code, error.violations]).toEqual(["config_invalid", errors]);
  });

  it("reads pages of known rows until none follows", async () => {
    const { client, seen } = bench([
      Response.json({ rows: [["notes:1", "all", "v1", 2]], more: true }),
      Response.json({ rows: [["notes:a&b", "all", "v2", 1]], more: true }),
      Response.json({ rows: [], more: false }),
    ]);
    const pages = [];
    for await (const page of client.known(RUN, "notes", signal)) pages.push(page);
    expect(pages).toEqual([
      [{ row: "notes:1", view: "all", version: "v1", chunks: 2 }],
      [{ row: "notes:a&b", view: "all", version: "v2", chunks: 1 }],
    ]);
    expect(seen.map(({ url }) => url.split("?")[1])).toEqual([
      "space=a+b%2Fc",
      "space=a+b%2Fc&after_row=notes%3A1&after_view=all",
      "space=a+b%2Fc&after_row=notes%3Aa%26b&after_view=all",
    ]);
  });

  it.each([
    ["another program", Response.json({ hello: 1 })],
    ["a page", new Response("<html>")],
  ])("does not believe %s behind the URL", async (_, reply) => {
    const { client } = bench([reply]);
    expect((await errorOf(client.status(signal))).code).toBe("registry_unavailable");
  });

  it("does not take a code from a body that is no problem document of ours", async () => {
    const { client } = bench([Response.json({ code: "run_fenced" }, { status: 409 })]);
    expect((await errorOf(client.commit(RUN, EMPTY, signal))).code).toBe("registry_unavailable");
  });

  it("never shows the token", async () => {
    const { client } = bench([new Response("secret-token", { status: 400 })]);
    const error = await errorOf(client.status(signal));
    expect(error.message).not.toContain("secret-token");
  });
});
