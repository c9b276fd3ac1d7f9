import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { sendStream } from "./chat-stream.ts";
import { embeddings } from "./embedding.ts";
import { inTime, makeStubKey, verifiedClaims } from "./keys.ts";
import { modelAnswer, servedModel, tokensOf } from "./obedient.ts";
import { parseBody, sendJson, startStub, type Call, type Exchange, type Stub } from "./stub.ts";

/**
 * Snowflake Cortex's REST inference as far as Quayside calls it, strict: a programmatic access token, or a key-pair token
 * whose signature, issuer (with the key's fingerprint), subject and life are checked. Error texts quote what was sent.
 */

const TOKEN = "stub-programmatic-access-token";
const ACCOUNT = "acme-test_one.eu-central-1";
const USER = "quayside";

export interface CortexStub extends Stub {
  readonly token: string;
  readonly account: string;
  readonly user: string;
  readonly privateKey: string;
}

export async function startCortex(port = 0): Promise<CortexStub> {
  const key = makeStubKey();
  const spki = key.publicKey.export({ type: "spki", format: "der" });
  const fingerprint = createHash("sha256").update(spki).digest("base64");
  const subject = "ACME-TEST_ONE.QUAYSIDE";

  function mayCall({ headers }: Exchange): boolean {
    const given = headers.authorization?.replace(/^Bearer /, "") ?? "";
    if (headers["x-snowflake-authorization-token-type"] !== "KEYPAIR_JWT") return given === TOKEN;
    const claims = given.split(".").length === 3 ? verifiedClaims(given, key.publicKey)?.claims : undefined;
    return (
      claims !== undefined &&
      claims["iss"] === `${subject}.SHA256:${fingerprint}` &&
      claims["sub"] === subject &&
      inTime(claims)
    );
  }

  const stub = await startStub(
    {
      refuse: (call) =>
        mayCall(call)
          ? undefined
          : { status: 401, body: error("390144", `JWT token is invalid: ${call.headers.authorization}`) },
      errorBody: (status, kind) =>
        error(
          "390000",
          kind === "context_length"
            ? "max tokens of 128000 exceeded"
            : `Stubbed failure ${status}, token ${TOKEN}`,
        ),
      handle(call) {
        if (call.method === "POST" && call.path === "/api/v2/cortex/inference:embed") return embed(call);
        if (call.method !== "POST" || call.path !== "/api/v2/cortex/inference:complete") {
          return sendJson(call, 404, error("390404", `Not found: ${call.path}`));
        }
        return complete(call);
      },
    },
    port,
  );
  return Object.assign(stub, { token: TOKEN, account: ACCOUNT, user: USER, privateKey: key.privateKey });
}

function error(code: string, message: string): unknown {
  return { message, code, error_code: code, request_id: "stub" };
}

const text = z.string().check(z.minLength(1));

const schema = z.strictObject({
  model: text,
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: text }))
    .check(z.minLength(1)),
  max_tokens: z.optional(z.number().check(z.int(), z.minimum(0), z.maximum(16_384))),
  stream: z.optional(z.boolean()),
  temperature: z.optional(z.number().check(z.minimum(0), z.maximum(2))),
});

function complete(call: Call): void | Promise<void> {
  const parsed = parseBody(schema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error("390142", parsed.problem));
  const { model, messages, stream } = parsed.input;
  const turns = messages[0]?.role === "system" ? messages.slice(1) : messages;
  if (turns.length % 2 === 0 || turns.some(({ role }, i) => role !== (i % 2 === 0 ? "user" : "assistant"))) {
    return sendJson(call, 400, error("390142", "roles must alternate, a user message last"));
  }
  if (model.startsWith("missing")) return sendJson(call, 400, error("390142", `unknown model ${model}`));
  if (stream === false) return sendJson(call, 400, error("390142", "the stub only streams"));
  const prompt = messages.map(({ content }) => content).join("\n");
  const silent = ["empty_choices", "empty_content", "finish_content_filter", "tool_call_unexpected"];
  const answer = silent.some((mode) => call.is(mode)) ? "" : modelAnswer(prompt, call.fault);
  const tokens = tokensOf(answer);
  const counted = call.is("usage_absurd") ? [1e12, 1e12] : [Math.ceil(prompt.length / 4), tokens.length];
  const [input = 0, output = 0] = counted;
  const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
  const served = servedModel(model, call.fault);
  const chunk = (choices: readonly unknown[], used: unknown): string =>
    `data: ${JSON.stringify({ id: "stub", model: served, choices, usage: used })}\n\n`;
  const finish = call.is("finish_length")
    ? { finish_reason: "length" }
    : call.is("finish_content_filter")
      ? { finish_reason: "content_filter" }
      : call.is("usage_missing")
        ? { finish_reason: "stop" }
        : {};
  const nothing = { type: "text", content: "", content_list: [{ type: "text", text: "" }], text: "" };
  return sendStream(call, {
    head: [],
    text: tokens.map((token) =>
      chunk(
        [
          {
            delta: {
              type: "text",
              content: token,
              content_list: [{ type: "text", text: token }],
              text: token,
            },
          },
        ],
        {},
      ),
    ),
    tail: [],
    end: [
      chunk(
        call.is("empty_choices") ? [] : [{ delta: nothing, ...finish }],
        call.is("usage_missing") ? {} : usage,
      ),
    ],
    error: `data: ${JSON.stringify(error("390503", `The model is Overloaded, token ${TOKEN}`))}\n\n`,
  });
}

const EMBEDDERS: Readonly<Record<string, number>> = {
  "snowflake-arctic-embed-l-v2.0": 1024,
  "snowflake-arctic-embed-m-v1.5": 768,
};

const embedSchema = z.strictObject({
  model: text,
  text: z.array(text).check(z.minLength(1), z.maxLength(512)),
});

/** Each vector in a list of its own, last text first: the index says whose it is. */
function embed(call: Call): void {
  const parsed = parseBody(embedSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, error("390142", parsed.problem));
  const { model, text: texts } = parsed.input;
  const dimensions = EMBEDDERS[model];
  if (dimensions === undefined) return sendJson(call, 400, error("390142", `unknown model ${model}`));
  const data = embeddings(call, texts, dimensions).map((vector, index) => ({
    object: "embedding",
    embedding: [[...vector]],
    index,
  }));
  const tokens = texts.reduce((sum, one) => sum + Math.ceil(one.length / 4), 0);
  sendJson(call, 200, { object: "list", data: data.toReversed(), model, usage: { total_tokens: tokens } });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--port");
  const { url, token } = await startCortex(at < 0 ? 0 : Number(process.argv[at + 1]));
  process.stdout.write(`${url}\n${token}\n`);
}
