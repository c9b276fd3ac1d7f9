import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";

/** For providers without an SDK inside the real runtime, on recorded answers: its WebCrypto, streams and fetch. */

interface Sent {
  readonly url: string;
  readonly headers: Headers;
}

/** A host whose network is one function; every request is kept. */
export function recorded(secrets: Readonly<Record<string, string>>, answer: (url: string) => Response) {
  const sent: Sent[] = [];
  const host: Host = {
    fetch(input, init) {
      const { url, headers } = new Request(input, init);
      sent.push({ url, headers });
      return Promise.resolve(answer(url));
    },
    secret: (name) => secrets[name],
    now: () => 1_795_000_000_000,
    log: () => undefined,
  };
  return { host, sent };
}

export async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
  const events: ChatEvent[] = [];
  const request = {
    model: "test-model",
    system: "Answer from the rows.",
    messages: [{ role: "user", content: "Question: why?" }],
    maxOutputTokens: 100,
    question: "why?",
    evidence: [],
    language: "en",
    today: "2026-11-23",
  } as const;
  for await (const event of provider.stream(request, new AbortController().signal)) events.push(event);
  return events;
}

/** What every recording says. */
export const ANSWER = [
  { type: "text-delta", text: "A hinge pin [1]." },
  { type: "finish", reason: "stop", usage: { inputTokens: 12, outputTokens: 5 }, repeated: 0 },
];

/** As the Gemini API and Vertex AI send it. */
export const CONTENT = `data: ${JSON.stringify({
  candidates: [{ content: { parts: [{ text: "A hinge pin [1]." }], role: "model" }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 5 },
})}\r\n\r\n`;

export function events(body: BodyInit, type = "text/event-stream"): Response {
  return new Response(body, { headers: { "content-type": type } });
}

/** A private key as its owner would store it. */
export async function pem(): Promise<string> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048 };
  const publicExponent = Uint8Array.of(1, 0, 1);
  const pair = await crypto.subtle.generateKey({ ...algorithm, publicExponent }, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new TypeError("not a pair");
  const der = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  if (!(der instanceof ArrayBuffer)) throw new TypeError("not PKCS#8");
  const base64 = btoa(String.fromCharCode(...new Uint8Array(der)));
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
}
