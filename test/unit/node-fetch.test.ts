import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeFetch } from "../../ingest/node-fetch.ts";

let server: Server;
let url = "";
let dropped = 0;

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = await bodyOf(request);
  if (request.url === "/echo") {
    response.setHeader("x-method", request.method ?? "");
    response.setHeader("x-length", request.headers["content-length"] ?? "none");
    response.setHeader("set-cookie", ["a=1", "b=2"]);
    response.end(body);
  } else if (request.url === "/gzip") {
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("packed".repeat(1000)));
  } else if (request.url === "/moved") response.writeHead(302, { location: `${url}/echo` }).end();
  else if (request.url === "/empty") response.writeHead(204).end();
  else if (request.url === "/broken") {
    response.writeHead(200, { "content-length": "100" });
    response.write("half", () => response.destroy());
  } else if (request.url === "/once") {
    // Answers, then drops the connection when it is used again.
    if (request.socket.bytesRead < 400) response.end("first");
    else {
      dropped += 1;
      request.socket.resetAndDestroy();
    }
  } else if (request.url === "/endless") response.write("x".repeat(1000));
}

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const call = (path: string, init: RequestInit = {}): Promise<Response> =>
  nodeFetch(`${url}${path}`, { redirect: "manual", ...init });

describe("fetch over node:http", () => {
  it.each([
    ["text", "é", "2"],
    ["bytes", new Uint8Array([0xc3, 0xa9]), "2"],
  ])("sends %s with their length, and hands on what comes back", async (_, body, length) => {
    const response = await call("/echo", { method: "POST", body });
    expect([response.status, response.headers.get("x-method"), response.headers.get("x-length")]).toEqual([
      200,
      "POST",
      length,
    ]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(await response.text()).toBe("é");
  });

  it("unpacks what is packed", async () => {
    expect(await (await call("/gzip")).text()).toBe("packed".repeat(1000));
  });

  it("follows no redirect", async () => {
    expect((await call("/moved")).status).toBe(302);
  });

  it("takes an answer without a body", async () => {
    const response = await call("/empty");
    expect([response.status, response.body]).toEqual([204, null]);
  });

  it("fails when the answer breaks off", async () => {
    await expect((await call("/broken")).text()).rejects.toThrow();
  });

  it("calls again, once, when a kept connection turns out to be closed", async () => {
    const padded = { headers: { "x-pad": "p".repeat(300) } };
    expect(await (await call("/once")).text()).toBe("first");
    await expect(call("/once", padded).then((response) => response.text())).rejects.toThrow();
    expect(dropped).toBe(2);
  });

  it("stops when the signal says so, before and while it reads", async () => {
    await expect(call("/echo", { signal: AbortSignal.abort() })).rejects.toThrow();
    const controller = new AbortController();
    const response = await call("/endless", { signal: controller.signal });
    controller.abort();
    await expect(response.text()).rejects.toThrow();
  });

  it("rejects when nothing listens", async () => {
    await expect(nodeFetch("http://127.0.0.1:1/", { redirect: "manual" })).rejects.toThrow();
  });
});
