import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import * as z from "zod/mini";
import { sendStream, type Wire } from "./chat-stream.ts";
import { modelAnswer, tokensOf } from "./obedient.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Exchange, type Stub } from "./stub.ts";

/**
 * AWS Bedrock's ConverseStream as far as Quayside calls it, strict: the signature is computed anew from what arrived, the
 * stream is framed in binary. Error texts quote what was sent.
 */

export const BEDROCK_STUB = {
  region: "eu-central-1",
  accessKeyId: "AKIDQUAYSIDETEST",
  secretAccessKey: "stub-secret/access+key",
  sessionToken: "stub-session-token",
} as const;

export function startBedrock(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse: (call) => {
        const problem = signatureProblem(call);
        return problem === undefined
          ? undefined
          : { status: 403, body: { message: `${problem}: ${call.headers.authorization}` } };
      },
      errorBody: (status, kind) => ({
        message:
          kind === "context_length"
            ? "Input is too long for requested model."
            : `Stubbed failure ${status}, key ${BEDROCK_STUB.secretAccessKey}`,
      }),
      handle(call) {
        const [, model] = /^\/model\/([^/]+)\/converse-stream$/.exec(call.path) ?? [];
        if (call.method !== "POST" || model === undefined) {
          return sendJson(call, 404, { message: `UnknownOperationException: ${call.path}` });
        }
        return converse(call, decodeURIComponent(model));
      },
    },
    port,
  );
}

/** What is wrong with a request's signature (AWS, "Create a signed AWS API request"). */
function signatureProblem({ method, path, headers, body }: Exchange): string | undefined {
  const { region, accessKeyId, secretAccessKey, sessionToken } = BEDROCK_STUB;
  const [, credential = "", names = "", signature = ""] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? "",
    ) ?? [];
  const date = String(headers["x-amz-date"]);
  const day = date.slice(0, 8);
  if (credential !== `${accessKeyId}/${day}/${region}/bedrock/aws4_request`) return "IncompleteSignature";
  const sentAt = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(Date.now() - sentAt) < 300_000)) return "Signature expired";
  const signed = names.split(";");
  if (signed.join(";") !== [...signed].sort().join(";")) return "SignedHeaders not sorted";
  for (const needed of ["host", "x-amz-date", "content-type"]) {
    if (!signed.includes(needed)) return `'${needed}' must be signed`;
  }
  const token = headers["x-amz-security-token"];
  if (token !== undefined && (token !== sessionToken || !signed.includes("x-amz-security-token"))) {
    return "ExpiredToken";
  }
  const canonical = [
    method,
    path.split("/").map(encodeURIComponent).join("/"),
    "",
    ...signed.map((name) => `${name}:${String(headers[name])}`),
    "",
    names,
    sha256(body),
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", date, `${day}/${region}/bedrock/aws4_request`, sha256(canonical)].join(
    "\n",
  );
  let key = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of [day, region, "bedrock", "aws4_request"]) key = hmac(key, part);
  const right = timingSafeEqual(hmac(key, toSign), Buffer.from(signature, "hex"));
  return right ? undefined : "SignatureDoesNotMatch";
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function hmac(key: Buffer, text: string): Buffer<ArrayBuffer> {
  return createHmac("sha256", key).update(text).digest();
}

/** One message of an AWS event stream, one character a byte. */
export function awsMessage(headers: Readonly<Record<string, string>>, payload: string): string {
  const encoded = Buffer.concat(
    Object.entries(headers).map(([name, value]) => {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(Buffer.byteLength(value));
      return Buffer.concat([
        Buffer.of(Buffer.byteLength(name)),
        Buffer.from(name),
        Buffer.of(7),
        length,
        Buffer.from(value),
      ]);
    }),
  );
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(8);
  prelude.writeUInt32BE(encoded.byteLength + body.byteLength + 16);
  prelude.writeUInt32BE(encoded.byteLength, 4);
  const start = Buffer.concat([prelude, checksum(prelude), encoded, body]);
  return Buffer.concat([start, checksum(start)]).toString("latin1");
}

function checksum(bytes: Buffer): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum;
}

/** An event, padded as the service pads its own. */
export function awsEvent(type: string, fields: Readonly<Record<string, unknown>>): string {
  return awsMessage(
    { ":event-type": type, ":content-type": "application/json", ":message-type": "event" },
    JSON.stringify({ ...fields, p: "abcdefgh" }),
  );
}

const WIRE: Wire = {
  contentType: "application/vnd.amazon.eventstream",
  encoding: "latin1",
  bad: awsMessage({ ":event-type": "contentBlockDelta", ":message-type": "event" }, "{oops"),
  filler: awsEvent("padding", { x: "x".repeat(1 << 20) }),
  noisy: (events) => events.map((event) => `${awsEvent("newerThanUs", { text: "no" })}${event}`).join(""),
};

const text = z.string().check(z.minLength(1));

const schema = z.strictObject({
  system: z.optional(
    z.array(
      z.union([
        z.strictObject({ text }),
        z.strictObject({ cachePoint: z.strictObject({ type: z.literal("default") }) }),
      ]),
    ),
  ),
  messages: z
    .array(
      z.strictObject({
        role: z.enum(["user", "assistant"]),
        content: z.array(z.strictObject({ text })).check(z.minLength(1)),
      }),
    )
    .check(z.minLength(1)),
  additionalModelRequestFields: z.optional(z.looseObject({})),
  inferenceConfig: z.optional(
    z.strictObject({ maxTokens: z.optional(z.number().check(z.int(), z.minimum(1))) }),
  ),
});

function converse(call: Call, model: string): void | Promise<void> {
  const parsed = parseBody(schema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, { message: parsed.problem });
  const { messages } = parsed.input;
  if (messages.some(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"))) {
    return sendJson(call, 400, {
      message: "A conversation must alternate between user and assistant roles.",
    });
  }
  if (model.startsWith("missing")) {
    return sendJson(call, 404, { message: `Could not resolve the foundation model: ${model}` });
  }
  const told = (parsed.input.system ?? []).flatMap((block) => ("text" in block ? block.text : []));
  const prompt = [...told, ...messages.flatMap(({ content }) => content.map((block) => block.text))].join(
    "\n",
  );
  const silent = ["empty_choices", "empty_content", "finish_content_filter", "tool_call_unexpected"];
  const answer = silent.some((mode) => call.is(mode)) ? "" : modelAnswer(prompt, call.fault);
  const tokens = tokensOf(answer);
  const stopReason = call.is("finish_length")
    ? "max_tokens"
    : call.is("finish_content_filter")
      ? "guardrail_intervened"
      : call.is("tool_call_unexpected")
        ? "tool_use"
        : "end_turn";
  const [inputTokens, outputTokens] = call.is("usage_absurd")
    ? [1e12, 1e12]
    : [Math.ceil(prompt.length / 4), tokens.length];
  const usage = { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  return sendStream(
    call,
    {
      head: [awsEvent("messageStart", { role: "assistant" })],
      text: tokens.map((token) =>
        awsEvent("contentBlockDelta", { contentBlockIndex: 0, delta: { text: token } }),
      ),
      tail: [awsEvent("contentBlockStop", { contentBlockIndex: 0 })],
      end: call.is("empty_choices")
        ? []
        : [
            awsEvent("messageStop", { stopReason }),
            awsEvent("metadata", {
              ...(call.is("usage_missing") ? {} : { usage }),
              metrics: { latencyMs: 100 },
            }),
          ],
      error: awsMessage(
        { ":exception-type": "serviceUnavailableException", ":message-type": "exception" },
        JSON.stringify({ message: `The model is Overloaded, key ${BEDROCK_STUB.secretAccessKey}` }),
      ),
    },
    WIRE,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startBedrock);
