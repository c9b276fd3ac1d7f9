import { execFile } from "node:child_process";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";

/** Installed for this test alone: they bring a hundred packages. */
const CLIENTS = [
  "@modelcontextprotocol/sdk@1.32.2",
  "@openai/agents-core@0.20.0",
  "@anthropic-ai/sdk@1.12.0",
  "@ai-sdk/mcp@2.0.99",
];

const TOKEN = "a-token-for-this-test";
const run = promisify(execFile);

let folder: string;
let worker: RunningWorker;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quayside-mcp-clients-"));
  await run("npm", ["install", "--prefix", folder, "--no-save", "--loglevel=error", ...CLIENTS]);
  await copyFile(
    join(dirname(fileURLToPath(import.meta.url)), "mcp-clients.mjs"),
    join(folder, "clients.mjs"),
  );
  worker = await runWorker({ demo: false, env: { QUAYSIDE_TOKEN: TOKEN } });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), CONFIG);
}, 180_000);

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

it("the protocol's client, OpenAI's, Anthropic's and the AI SDK's find the tools and are answered", async () => {
  const { stdout } = await run(process.execPath, [join(folder, "clients.mjs"), `${worker.url}/mcp`, TOKEN]);
  const got = [["ask", "search", "fetch"], ["notices:1"]];
  expect(JSON.parse(stdout)).toEqual({ sdk: got, openai: got, anthropic: got, vercel: got });
});
