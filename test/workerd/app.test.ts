import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { call, post, seed } from "./seed.ts";

beforeAll(async () => {
  await seed();
});

async function codeOf(response: Response): Promise<unknown> {
  const body = await response.json<{ code?: unknown }>();
  return body.code;
}

describe("app", () => {
  it("answers an unknown path with a problem document that names the request", async () => {
    const response = await call("/nope");
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const id = response.headers.get("x-request-id") ?? "";
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(await response.json()).toEqual({
      type: "urn:quayside:problem:not_found",
      title: "Not found",
      status: 404,
      detail: "There is nothing here, or nothing that you may see.",
      instance: `urn:request:${id}`,
      code: "not_found",
      retryable: false,
    });
  });

  it("says which methods a path takes", async () => {
    const response = await call("/v1/ask");
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST, OPTIONS");
    expect(await codeOf(response)).toBe("method_not_allowed");
    const options = await call("/v1/models", { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  });

  it("answers HEAD like GET, without a body", async () => {
    const response = await call("/healthz", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
  });

  it("sends headers that keep answers out of caches, frames and scripts", async () => {
    const response = await call("/v1/status");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "cache-control": "no-store",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
  });

  it.each([
    "null",
    "https://portal.acme.example.evil.example",
    "https://evil-portal.acme.example",
    "http://portal.acme.example",
    "http://127.0.0.1:1",
  ])("refuses the origin %s", async (origin) => {
    const headers = { origin, "access-control-request-method": "POST" };
    const response = await call("/v1/ask", { method: "OPTIONS", headers });
    expect(response.status).toBe(403);
    expect(await codeOf(response)).toBe("origin_not_allowed");
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect((await post("/v1/ask", { question: "x" }, undefined, { origin })).status).toBe(403);
  });

  it("lets a listed origin through the preflight", async () => {
    const origin = "https://portal.acme.example";
    const headers = { origin, "access-control-request-method": "POST" };
    const response = await call("/v1/ask", { method: "OPTIONS", headers });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe(origin);
    expect(response.headers.get("vary")).toBe("Origin");
  });

  it("is not there under a foreign name while in demo mode, the page included", async () => {
    for (const path of ["/", "/healthz", "/v1/demo", "/v1/models"]) {
      const response = await exports.default.fetch(new Request(`http://rebound.example${path}`));
      expect([path, response.status]).toEqual([path, 403]);
    }
  });
});
