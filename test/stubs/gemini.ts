import { fileURLToPath } from "node:url";
import { googleError, retryInfo, sendContent, TOO_LONG } from "./gemini-content.ts";
import { runStub, sendJson, startStub, type Stub } from "./stub.ts";

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

if (process.argv[1] === fileURLToPath(import.meta.url)) await runStub(startGemini);
