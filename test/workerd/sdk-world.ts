import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";

/** What the tests of the vendors' SDKs inside the real runtime share: a host with scripted answers. */

interface Sent {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

export function scripted(answer: (sent: Sent) => Response) {
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
export function eventStream(events: readonly string[], onCancel?: () => void): Response {
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

export async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  for await (const event of provider.stream(REQUEST, new AbortController().signal)) events.push(event);
  return events;
}

export const REQUEST = {
  model: "test-model",
  system: "Answer from the rows.",
  messages: [{ role: "user", content: "Question: why?" }],
  maxOutputTokens: 100,
  question: "why?",
  evidence: [],
  language: "en",
  today: "2026-11-23",
} as const;

export const ANSWER = [
  { type: "text-delta", text: "A hinge pin [1]." },
  { type: "finish", reason: "stop", usage: { inputTokens: 12, outputTokens: 5 }, repeated: 0 },
];

/** Whether the upstream stream is cancelled when the reader leaves after the first text. */
export async function cancelsUpstream(
  make: (host: Host) => ChatProvider,
  events: readonly string[],
): Promise<boolean> {
  let cancelled = false;
  const { host } = scripted(() =>
    eventStream(events, () => {
      cancelled = true;
    }),
  );
  for await (const event of make(host).stream(REQUEST, new AbortController().signal)) {
    if (event.type === "text-delta") break;
  }
  return cancelled;
}
