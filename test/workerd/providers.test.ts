import { describe, expect, it } from "vitest";
import type { ChatEvent, ChatProvider } from "../../shared/ports/chat-provider.ts";
import type { Host } from "../../shared/ports/host.ts";
import { bedrock } from "../../workers/providers/bedrock.ts";
import { cortex } from "../../workers/providers/cortex.ts";
import { gemini } from "../../workers/providers/gemini.ts";
import { vertex } from "../../workers/providers/vertex.ts";

/** The providers without an SDK inside the real runtime, on recorded answers: its WebCrypto, streams and fetch. */

interface Sent {
  readonly url: string;
  readonly headers: Headers;
}

function recorded(secrets: Readonly<Record<string, string>>, answer: (url: string) => Response) {
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

async function collect(provider: ChatProvider): Promise<ChatEvent[]> {
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

const ANSWER = [
  { type: "text-delta", text: "A hinge pin [1]." },
  { type: "finish", reason: "stop", usage: { inputTokens: 12, outputTokens: 5 } },
];

const CONTENT = `data: ${JSON.stringify({
  candidates: [{ content: { parts: [{ text: "A hinge pin [1]." }], role: "model" }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 12, candidatesTokenCount: 5 },
})}\r\n\r\n`;

function events(body: BodyInit, type = "text/event-stream"): Response {
  return new Response(body, { headers: { "content-type": type } });
}

/** A private key as its owner would store it. */
async function pem(): Promise<string> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", modulusLength: 2048 };
  const publicExponent = Uint8Array.of(1, 0, 1);
  const pair = await crypto.subtle.generateKey({ ...algorithm, publicExponent }, true, ["sign", "verify"]);
  if (!("privateKey" in pair)) throw new TypeError("not a pair");
  const der = await crypto.subtle.exportKey("pkcs8", pair.privateKey);
  if (!(der instanceof ArrayBuffer)) throw new TypeError("not PKCS#8");
  const base64 = btoa(String.fromCharCode(...new Uint8Array(der)));
  return `-----BEGIN PRIVATE KEY-----\n${base64}\n-----END PRIVATE KEY-----\n`;
}

/** Three messages of a ConverseStream: a delta, the stop, the tokens. */
const MESSAGES =
  "AAAAsQAAAFe9ijqaCzpldmVudC10eXBlBwARY29udGVudEJsb2NrRGVsdGENOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJjb250ZW50QmxvY2tJbmRleCI6MCwiZGVsdGEiOnsidGV4dCI6IkEgaGluZ2UgcGluIFsxXS4ifSwicCI6ImFiY2RlZmdoIn0WpCCYAAAAiQAAAFHFuGzoCzpldmVudC10eXBlBwALbWVzc2FnZVN0b3ANOmNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb24NOm1lc3NhZ2UtdHlwZQcABWV2ZW50eyJzdG9wUmVhc29uIjoiZW5kX3R1cm4iLCJwIjoiYWJjZGVmZ2gifca7iqMAAACrAAAATvOxHXkLOmV2ZW50LXR5cGUHAAhtZXRhZGF0YQ06Y29udGVudC10eXBlBwAQYXBwbGljYXRpb24vanNvbg06bWVzc2FnZS10eXBlBwAFZXZlbnR7InVzYWdlIjp7ImlucHV0VG9rZW5zIjoxMiwib3V0cHV0VG9rZW5zIjo1LCJ0b3RhbFRva2VucyI6MTd9LCJwIjoiYWJjZGVmZ2gifaYJto4=";

describe("providers in workerd", () => {
  it("gemini streams", async () => {
    const { host } = recorded({ GEMINI_API_KEY: "k" }, () => events(CONTENT));
    expect(await collect(gemini({}, host))).toEqual(ANSWER);
  });

  it("vertex exchanges a signed assertion for a token, and streams", async () => {
    const account = { client_email: "a@b.example", private_key: await pem(), project_id: "acme" };
    const secrets = {
      GOOGLE_APPLICATION_CREDENTIALS_JSON: JSON.stringify(account),
      VERTEX_LOCATION: "europe-west4",
    };
    const { host, sent } = recorded(secrets, (url) =>
      url === "https://oauth2.googleapis.com/token"
        ? Response.json({ access_token: "given", expires_in: 3600 })
        : events(CONTENT),
    );
    expect(await collect(vertex({}, host))).toEqual(ANSWER);
    expect(sent.map(({ headers }) => headers.get("authorization"))).toEqual([null, "Bearer given"]);
  });

  it("cortex signs a token, and streams", async () => {
    const secrets = {
      SNOWFLAKE_ACCOUNT: "acme",
      SNOWFLAKE_USER: "quayside",
      SNOWFLAKE_PRIVATE_KEY: await pem(),
    };
    const chunk = {
      choices: [{ delta: { type: "text", content: "A hinge pin [1]." } }],
      usage: { prompt_tokens: 12, completion_tokens: 5, total_tokens: 17 },
    };
    const { host, sent } = recorded(secrets, () => events(`data: ${JSON.stringify(chunk)}\n\n`));
    expect(await collect(cortex({}, host))).toEqual(ANSWER);
    expect(sent[0]?.headers.get("authorization")).toMatch(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  });

  it("bedrock signs, and decodes the binary stream", async () => {
    const secrets = { AWS_REGION: "eu-central-1", AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" };
    const body = Uint8Array.from(atob(MESSAGES), (char) => char.charCodeAt(0));
    const { host, sent } = recorded(secrets, () => events(body, "application/vnd.amazon.eventstream"));
    expect(await collect(bedrock({}, host))).toEqual(ANSWER);
    expect(sent[0]?.headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=id\/20261118\/eu-central-1\/bedrock\/aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, Signature=[0-9a-f]{64}$/,
    );
  });
});
