import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { findLocalServers, offerLocalServers } from "../../ingest/local-models.ts";
import { parseConfig, type Config } from "../../shared/config.ts";
import { makeProviders } from "../../workers/registry.ts";
import { chatRequest } from "../contract/chat-provider.ts";
import { secretHost } from "../fakes/secret-host.ts";

const CONFIG: Config = {
  name: "x",
  sources: { s: { kind: "duckdb" } },
  tables: { t: { source: "s", key: ["id"], classification: "public", access: { allowAny: ["public"] } } },
};

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server on a free port that answers every path with this. */
async function serving(body: string, status = 200, type = "application/json"): Promise<number> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { "content-type": type, location: "http://127.0.0.1:1/" }).end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closing.push(() => void server.close());
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
  return (server.address() as AddressInfo).port;
}

const look = (port: number) =>
  findLocalServers({
    fetch,
    signal: new AbortController().signal,
    servers: [{ name: "ollama", port }],
    timeoutMs: 30_000,
  });

const LIST = JSON.stringify({ object: "list", data: [{ id: "llama3.2:3b" }, { id: "nomic-embed-text" }] });

describe("model servers on this machine", () => {
  it("are found with their models, those for embedding aside", async () => {
    const port = await serving(LIST);
    expect(await look(port)).toEqual([
      { name: "ollama", baseUrl: `http://127.0.0.1:${port}/v1`, models: ["llama3.2:3b"] },
    ]);
  });

  it.each([
    ["a web page", "<html>", 200, "text/html"],
    ["other JSON", '{"data":"x"}', 200, undefined],
    ["names that are none", '{"data":[{"id":"a b\\n"}]}', 200, undefined],
    ["an error", LIST, 401, undefined],
    ["a redirect", LIST, 302, undefined],
    ["no models", '{"data":[]}', 200, undefined],
  ] as const)("are not what answers with %s", async (_, body, status, type) => {
    expect(await look(await serving(body, status, type))).toEqual([]);
  });

  it("are none where nothing listens", async () => {
    expect(await look(1)).toEqual([]);
  });

  it("are offered for public and internal rows, as a configuration that is valid", () => {
    const server = { name: "ollama", baseUrl: "http://127.0.0.1:11434/v1", models: ["llama3.2:3b"] };
    const config = parseConfig(offerLocalServers(CONFIG, [server]));
    expect(config.models?.register?.["ollama/llama3.2:3b"]?.classes).toEqual(["public", "internal"]);
    expect(makeProviders(secretHost({})).whyNot("ollama/llama3.2:3b", config)).toBeUndefined();
  });

  it("leave what is configured as it is", () => {
    const models = { compatible: { ollama: { baseUrl: "http://gpu.example/v1" } } };
    const server = { name: "ollama", baseUrl: "http://127.0.0.1:11434/v1", models: ["llama3.2:3b"] };
    expect(offerLocalServers({ ...CONFIG, models }, [server])).toEqual({ ...CONFIG, models });
  });

  it("answer without a key", async () => {
    const sse =
      'data: {"choices":[{"delta":{"content":"Hi [1]."},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
    const port = await serving(sse, 200, "text/event-stream");
    const server = { name: "ollama", baseUrl: `http://127.0.0.1:${port}/v1`, models: ["m"] };
    const provider = await makeProviders(secretHost({})).open(
      "ollama/m",
      offerLocalServers(CONFIG, [server]),
    );
    const said = [];
    for await (const event of provider.stream(chatRequest(), new AbortController().signal)) said.push(event);
    expect(said[0]).toEqual({ type: "text-delta", text: "Hi [1]." });
  });
});
