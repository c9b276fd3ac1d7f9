import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";

const fetchApp = (path: string, init?: RequestInit): Promise<Response> =>
  exports.default.fetch(new Request(`http://127.0.0.1${path}`, init));

describe("app", () => {
  it("answers an unknown path with a problem document and a request id", async () => {
    const response = await fetchApp("/nope");
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    const body = await response.json<Record<string, unknown>>();
    expect(body).toMatchObject({ type: "urn:quayside:problem:not_found", status: 404, retryable: false });
    expect(body["instance"]).toBe(`urn:request:${response.headers.get("x-request-id")}`);
  });
});
