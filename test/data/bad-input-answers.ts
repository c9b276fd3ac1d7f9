import { expect } from "vitest";
import * as z from "zod/mini";

/** What every answer to a bad request has to be. */

/** Nothing is ever a 500, every problem is a problem document, and it names the request as the header does. */
export async function expectDocument(response: Response): Promise<void> {
  expect(response.status).not.toBe(500);
  const id = response.headers.get("x-request-id") ?? "";
  expect(id).not.toBe("");
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const body = await documentOf(response);
  expect(body).toMatchObject({
    type: `urn:quayside:problem:${String(body["code"])}`,
    status: response.status,
    instance: `urn:request:${id}`,
  });
  expect(typeof body["retryable"]).toBe("boolean");
  if (response.status === 422 && body["code"] === "invalid_request") {
    expect(body["errors"]).not.toEqual([]);
  }
}

/** The form that clients of the OpenAI API read. */
async function expectOpenaiError(response: Response): Promise<void> {
  expect(response.status).not.toBe(500);
  if (response.status < 400) return;
  expect(response.headers.get("content-type")).toBe("application/json");
  const { error } = await documentOf(response);
  expect(Object.keys(z.looseObject({}).parse(error))).toEqual(["message", "type", "param", "code"]);
}

/** JSON-RPC's own errors, and problem documents for what comes before it. */
async function expectRpc(response: Response): Promise<void> {
  if (response.headers.get("content-type") === "application/problem+json") return expectDocument(response);
  expect(response.status).not.toBe(500);
  expect(await documentOf(response)).toMatchObject({ jsonrpc: "2.0" });
}

export const EXPECT: Readonly<Record<string, (response: Response) => Promise<void>>> = {
  openai: expectOpenaiError,
  mcp: expectRpc,
};

/** Codes and kinds by which an answer says what is wrong. */
export async function toldBy(response: Response): Promise<readonly unknown[]> {
  const { code, error, result } = await documentOf(response);
  if (error !== undefined) return Object.values(z.looseObject({}).parse(error));
  if (result === undefined) return [code];
  const { isError, content } = z
    .object({ isError: z.boolean(), content: z.array(z.object({ text: z.string() })) })
    .parse(result);
  return [isError ? "isError" : "", content[0]?.text.split(":")[0]];
}

export async function documentOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const text = await response.clone().text();
  // MCP of 2025 answers in a stream of one event.
  const json = /^data: (.+)$/m.exec(text)?.[1] ?? text;
  return z.record(z.string(), z.unknown()).parse(JSON.parse(json));
}
