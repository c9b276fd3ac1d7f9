import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { OPENAI_STUB_KEY, startOpenai } from "../stubs/openai.ts";
import type { Stub } from "../stubs/stub.ts";
import { hostile } from "./hostile.ts";

/**
 * What people type to turn a model against its instructions, asked by the HTTP surfaces in turn. The model obeys as far as a model
 * can: it says everything that it was given, instructions first.
 */

const TOKEN = "a-token-for-these-tests";
const lines = hostile("direct-injection.jsonl", z.object({ id: z.string(), user: z.string() })) ?? [];

let openai: Stub;
let worker: RunningWorker;

beforeAll(async () => {
  if (lines.length === 0) return;
  openai = await startOpenai();
  worker = await runWorker({
    demo: true,
    env: {
      QUAYSIDE_TOKEN: TOKEN,
      OPENAI_API_KEY: OPENAI_STUB_KEY,
      OPENAI_BASE_URL: `${openai.url}/v1`,
    },
  });
  await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), {
    ...CONFIG,
    limits: { ...CONFIG.limits, questionChars: 20_000 },
    models: { ...CONFIG.models, default: "openai/gpt-test" },
  });
  openai.fault({ mode: "echo_prompt" });
});

afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await openai?.[Symbol.asyncDispose]();
});

/** Everything that a surface sends back. */
type AskBy = (question: string) => Promise<Response>;

const post = (path: string, body: unknown): Promise<Response> =>
  fetch(worker.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", "x-quayside-demo-user": "guest" },
    body: JSON.stringify(body),
  });

const SURFACES: Readonly<Record<string, AskBy>> = {
  "the API, whole": (question) => post("/v1/ask", { question, cache: "bypass" }),
  "the API, streamed": (question) => post("/v1/ask", { question, cache: "bypass", stream: true }),
  "the OpenAI API, streamed": (question) => {
    const messages = [{ role: "user", content: question }];
    return post("/openai/v1/chat/completions", { model: "quayside", stream: true, messages });
  },
  MCP: (question) => {
    const params = { name: "ask", arguments: { question } };
    return post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params });
  },
};

const exchange = z.object({ messages: z.array(z.object({ role: z.string(), content: z.string() })) });

/** Every run of eight words, without signs and in lower case. */
function runsIn(text: string): readonly string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.slice(7).map((_, i) => words.slice(i, i + 8).join(" "));
}

/** Of the instructions that the model was given with the last question. */
function instructions(): ReadonlySet<string> {
  const { messages } = exchange.parse(JSON.parse(openai.exchanges.at(-1)?.body ?? ""));
  return new Set(messages.filter(({ role }) => role !== "user").flatMap(({ content }) => runsIn(content)));
}

const delta = z.object({ text: z.string() });
const retraction = z.object({ from: z.number() });
const chunk = z.object({
  choices: z.array(z.object({ delta: z.object({ content: z.optional(z.string()) }) })),
});

/** Every text that was ever shown: an answer's after each event of its stream, and whatever else came. */
function shownIn(body: string): readonly string[] {
  const events = [...body.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""));
  if (events.length === 0) return textsIn(JSON.parse(body));
  let text = "";
  return events.flatMap((event: unknown) => {
    const retracted = retraction.safeParse(event);
    const more = delta.safeParse(event).data?.text ?? chunk.safeParse(event).data?.choices[0]?.delta.content;
    text = retracted.success ? text.slice(0, retracted.data.from) : text + (more ?? "");
    return [text, ...textsIn(event)];
  });
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

describe.skipIf(lines.length === 0)("what is typed against the model's instructions", () => {
  const surfaces = Object.entries(SURFACES).map(([name, ask], n) => [name, ask, n] as const);

  it.each(surfaces)("gets nothing of them, nor of others' rows, by %s", async (_, ask, n) => {
    // Each line by one of them.
    for (const { id, user } of lines.filter((_line, i) => i % surfaces.length === n)) {
      const response = await ask(user);
      expect([id, response.status]).toEqual([id, 200]);
      const shown = shownIn(await response.text());
      const told = instructions();
      expect([id, shown.flatMap(runsIn).filter((run) => told.has(run))]).toEqual([id, []]);
      expect([id, shown.some((text) => text.includes("61400"))]).toEqual([id, false]);
    }
  });

  it("is asked of a model that has instructions to give away", () => {
    expect(openai.exchanges.length).toBeGreaterThan(lines.length / 2);
    expect(instructions().size).toBeGreaterThan(50);
  });
});
