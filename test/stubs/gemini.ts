import { fileURLToPath } from "node:url";
import * as z from "zod/mini";
import { embeddings } from "./embedding.ts";
import { googleError, retryInfo, sendContent, TOO_LONG } from "./gemini-content.ts";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/** The Gemini API as far as Quayside calls it, strict: key in the header and nowhere else, `alt=sse` and no other parameter. */

const KEY = "gemini-test-key";

/** The key that the stub accepts. */
export const GEMINI_STUB_KEY = KEY;

export function startGemini(port = 0): Promise<Stub> {
  return startStub(
    {
      refuse({ headers }) {
        const given = headers["x-goog-api-key"];
        if (given === KEY) return undefined;
        return given === undefined
          ? { status: 403, body: googleError(403, "Method doesn't allow unregistered callers") }
          : { status: 400, body: googleError(400, `API key not valid: ${String(given)}`) };
      },
      errorBody: (status, kind) =>
        googleError(
          status,
          kind === "context_length" ? TOO_LONG : `Stubbed failure ${status}, key ${KEY}`,
          kind === "retry_info" ? retryInfo("34.5") : undefined,
        ),
      handle(call) {
        const [, embedder] = /^\/v1beta\/models\/([^/:]+):batchEmbedContents$/.exec(call.path) ?? [];
        if (call.method === "POST" && embedder !== undefined) return embed(call, embedder);
        const [, model] = /^\/v1beta\/models\/([^/:]+):streamGenerateContent$/.exec(call.path) ?? [];
        if (call.method !== "POST" || model === undefined) {
          return sendJson(call, 404, googleError(404, `Not found: ${call.path}`));
        }
        return sendContent(call, decodeURIComponent(model), KEY);
      },
    },
    port,
  );
}

const contentSchema = z.strictObject({
  model: z.string(),
  content: z.strictObject({
    parts: z
      .array(z.strictObject({ text: z.string().check(z.minLength(1)) }))
      .check(z.minLength(1), z.maxLength(1)),
  }),
  taskType: z.optional(z.enum(["RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY", "SEMANTIC_SIMILARITY"])),
  outputDimensionality: z.optional(z.number().check(z.int(), z.minimum(128), z.maximum(3072))),
});
const batchSchema = z.strictObject({
  requests: z.array(contentSchema).check(z.minLength(1), z.maxLength(100)),
});

/** Shortened vectors are not of unit length, as the service's are not. */
function embed(call: Call, model: string): void {
  const parsed = parseBody(batchSchema, call.body);
  if ("problem" in parsed) return sendJson(call, 400, googleError(400, parsed.problem));
  const { requests } = parsed.input;
  if (requests.some((request) => request.model !== `models/${model}`)) {
    return sendJson(call, 400, googleError(400, "model must match the one in the path"));
  }
  const dimensions = requests[0]?.outputDimensionality ?? 3072;
  const texts = requests.map(({ content }) => content.parts.map(({ text }) => text).join(""));
  const scale = dimensions === 3072 ? 1 : 0.7;
  const vectors = embeddings(call, texts, dimensions);
  sendJson(call, 200, {
    embeddings: vectors.map((vector) => ({ values: Array.from(vector, (x) => x * scale) })),
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startGemini);
