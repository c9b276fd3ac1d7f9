import { beforeAll, describe, expect, it } from "vitest";
import { openaiEmbedder } from "../../shared/embedders/openai.ts";
import { pinecone } from "../../shared/indexes/pinecone.ts";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";
import { anthropic } from "../../workers/providers/anthropic.ts";
import { openai } from "../../workers/providers/openai.ts";

/** The vendors' SDKs inside the real runtime, on scripted answers. */

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

function scripted(answer: (sent: Sent) => Response) {
  const sent: Sent[] = [];
  const host: Host = {
    async fetch(input, init) {
      const request = new Request(input, init);
      const call = { url: request.url, headers: request.headers, body: await request.text() };
      sent.push(call);
      return answer(call);
    },
    secret: (name) =>
      ({
        OPENAI_API_KEY: "sk-test",
        ANTHROPIC_API_KEY: "sk-ant-test",
        PINECONE_API_KEY: "pc-test",
        PINECONE_INDEX: "quayside",
      })[name],
    now: () => Date.now(),
    log: () => undefined,
  };
  return { host, sent };
}

/** Ends by itself, unless someone waits to hear that it was cancelled. */
function eventStream(events: readonly string[], onCancel?: () => void): Response {
  const bytes = new TextEncoder().encode(events.map((event) => `${event}\n\n`).join(""));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      if (!onCancel) controller.close();
    },
    cancel() {
      onCancel?.();
    },
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of provider.stream(REQUEST, new AbortController().signal)) events.push(event);
  return events;
}

const REQUEST = {
  model: "test-model",
  system: "Answer from the rows.",
  messages: [{ role: "user", content: "Question: why?" }],
  maxOutputTokens: 100,
  question: "why?",
  evidence: [],
  language: "en",
  today: "2026-11-23",
} as const;

const OPENAI_EVENTS = [
  'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"A hinge"}}]}',
  'data: {"choices":[{"index":0,"delta":{"content":" pin [1]."},"finish_reason":null}]}',
  'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  'data: {"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5}}',
  "data: [DONE]",
];

const ANTHROPIC_EVENTS = [
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":12}}}',
  'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"A hinge pin [1]."}}',
  'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}',
  'event: message_stop\ndata: {"type":"message_stop"}',
];

const ANSWER = [
  { type: "text-delta", text: "A hinge pin [1]." },
  { type: "finish", reason: "stop", usage: { inputTokens: 12, outputTokens: 5 } },
];

describe("the vendors' SDKs in workerd", () => {
  // Vite hands the SDKs over file by file on first use; a built Worker has them in one.
  beforeAll(async () => {
    await import("openai");
    await import("../../workers/providers/anthropic-sdk.ts");
    await import("@pinecone-database/pinecone");
  }, 60_000);

  it("openai streams, what arrives together as one delta", async () => {
    const { host, sent } = scripted(() => eventStream(OPENAI_EVENTS));
    expect(await collect(openai({}, host))).toEqual(ANSWER);
    expect(sent[0]?.url).toBe("https://api.openai.com/v1/chat/completions");
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer sk-test");
  });

  it("anthropic streams", async () => {
    const { host, sent } = scripted(() => eventStream(ANTHROPIC_EVENTS));
    expect(await collect(anthropic({}, host))).toEqual(ANSWER);
    expect(sent[0]?.url).toBe("https://api.anthropic.com/v1/messages");
  });

  it.each([
    ["openai", openai, OPENAI_EVENTS.slice(0, 1)],
    ["anthropic", anthropic, ANTHROPIC_EVENTS.slice(0, 2)],
  ] as const)("%s cancels upstream when its reader leaves", async (_, make, events) => {
    let cancelled = false;
    const { host } = scripted(() =>
      eventStream(events, () => {
        cancelled = true;
      }),
    );
    for await (const event of make({}, host).stream(REQUEST, new AbortController().signal)) {
      expect(event.type).toBe("text-delta");
      break;
    }
    expect(cancelled).toBe(true);
  });

  it("openai embeds", async () => {
    const bytes = new Uint8Array(new Float32Array([0.6, 0.8]).buffer);
    const embedding = btoa(String.fromCharCode(...bytes));
    const { host } = scripted(() =>
      Response.json({ data: [{ index: 0, embedding }], usage: { prompt_tokens: 3 } }),
    );
    const embedder = openaiEmbedder({ dimensions: 2 }, host);
    const { vectors, inputTokens } = await embedder.embed(["hello"], "query", new AbortController().signal);
    expect([...(vectors[0] ?? [])].map((x) => Math.round(x * 10) / 10)).toEqual([0.6, 0.8]);
    expect(inputTokens).toBe(3);
  });

  it("pinecone is found, queried and written to", async () => {
    const { host, sent } = scripted(({ url }) =>
      url.includes("/indexes/")
        ? Response.json({
            name: "quayside",
            host: "quayside-abc.svc.pinecone.test",
            status: { ready: true, state: "Ready" },
            deployment: { deployment_type: "managed", cloud: "aws", region: "us-east-1" },
            schema: { fields: { _values: { type: "dense_vector", dimension: 2, metric: "cosine" } } },
            deletion_protection: "disabled",
          })
        : url.endsWith("/query")
          ? Response.json({ matches: [{ id: "a.0", score: 0.5, values: [] }], namespace: "n" })
          : Response.json({ upsertedCount: 1 }),
    );
    const index = pinecone({ tenant: "acme", space: "s" }, host);
    const signal = new AbortController().signal;
    const vector = new Float32Array([0.6, 0.8]);
    await index.upsert([{ id: "a.0", vector, table: "t", accessClass: "c", text: "x" }], signal);
    const filter = { classes: ["c"], tables: undefined };
    const matches = await index.query({ vector, text: "x", topK: 3, fusionWeight: 1, filter }, signal);
    expect(matches).toEqual([{ id: "a.0", score: 0.5 }]);
    expect(sent.map(({ url }) => url)).toEqual([
      "https://api.pinecone.io/indexes/quayside",
      "https://quayside-abc.svc.pinecone.test/vectors/upsert",
      "https://quayside-abc.svc.pinecone.test/query",
    ]);
  });
});
