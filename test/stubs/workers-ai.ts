import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { embeddings } from "./embedding.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/** Cloudflare's Workers AI as far as Quayside calls it, strict: text embeddings, with the published limits and Cloudflare's envelope. */

const TOKEN = "cf-test-token";
const ACCOUNT = "0123456789abcdef0123456789abcdef";

/** The account and the token that the stub accepts. */
export const WORKERS_AI_STUB = { account: ACCOUNT, token: TOKEN };

export function startWorkersAi(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse: ({ headers }) =>
        headers.authorization === `Bearer ${TOKEN}`
          ? undefined
          : { status: 401, body: failure(10_000, `Authentication error: ${headers.authorization}`) },
      errorBody: (status, kind) =>
        kind === "too_long"
          ? failure(3006, "Input text too long: the maximum is 8192 tokens")
          : failure(status, `Stubbed failure ${status}, token ${TOKEN}`),
      handle(call) {
        const [, account, model] = /^\/accounts\/([^/]+)\/ai\/run\/(.+)$/.exec(call.path) ?? [];
        if (call.method !== "POST" || account !== ACCOUNT || model === undefined) {
          return sendJson(call, 404, failure(7000, `No route for ${call.path}`));
        }
        return embed(call, model);
      },
    },
    port,
  );
}

function failure(code: number, message: string): unknown {
  return { success: false, errors: [{ code, message }], messages: [], result: null };
}

const DIMENSIONS: Readonly<Record<string, number>> = {
  "@cf/baai/bge-m3": 1024,
  "@cf/baai/bge-small-en-v1.5": 384,
  "@cf/baai/bge-base-en-v1.5": 768,
};

const text = z.string().check(z.minLength(1));
const many = z.array(text).check(z.minLength(1), z.maxLength(100));
const m3 = z.strictObject({ text: many, truncate_inputs: z.optional(z.boolean()) });
const older = z.strictObject({ text: many, pooling: z.optional(z.enum(["mean", "cls"])) });

function embed(call: Call, model: string): void {
  const dimensions = DIMENSIONS[model];
  if (dimensions === undefined) return sendJson(call, 400, failure(5007, `No such model ${model}`));
  const parsed = parseBody<{ text: string[]; pooling?: string | undefined }>(
    model === "@cf/baai/bge-m3" ? m3 : older,
    call.body,
  );
  if ("problem" in parsed) return sendJson(call, 400, failure(5006, parsed.problem));
  const data = embeddings(call, parsed.input.text, dimensions).map((vector) => [...vector]);
  const pooling = parsed.input.pooling ?? "mean";
  sendJson(call, 200, {
    success: true,
    errors: [],
    messages: [],
    result: { shape: [data.length, dimensions], data, pooling },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startWorkersAi);
