import { fileURLToPath } from "node:url";
import { googleError, retryInfo, sendContent, TOO_LONG } from "./gemini-content.ts";
import { inTime, makeStubKey, verifiedClaims } from "./keys.ts";
import { sendJson, startStub, type Stub } from "./stub.ts";

/**
 * Vertex AI as far as Quayside calls it, and the token endpoint that it trusts: the assertion's signature, issuer, audience,
 * scope and life are checked, and only a token that was given out is accepted.
 */

const EMAIL = "quayside@acme-test.iam.gserviceaccount.com";
const KEY_ID = "stub-key-1";
const GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";

export const VERTEX_STUB = { project: "acme-test", location: "europe-west4" } as const;

export interface VertexStub extends Stub {
  /** The token endpoint. */
  readonly tokens: Stub;
  /** A service account's key file that the token endpoint accepts. */
  readonly credentials: string;
  /** What must never be seen. */
  readonly secrets: readonly string[];
  /** From now on no token that was given out is accepted. */
  revoke(): void;
}

export async function startVertex(port = 0): Promise<VertexStub> {
  const key = makeStubKey();
  const given = new Set<string>();
  const secrets: string[] = [key.privateKey];
  const tokens = await startStub({
    refuse: () => undefined,
    errorBody: (status) => ({ error: "invalid_request", error_description: `Stubbed failure ${status}` }),
    handle(call) {
      const form = new URLSearchParams(call.body);
      const verified = verifiedClaims(form.get("assertion") ?? "", key.publicKey);
      const claims = verified?.claims ?? {};
      const right =
        call.method === "POST" &&
        call.path === "/token" &&
        call.headers["content-type"] === "application/x-www-form-urlencoded" &&
        form.get("grant_type") === GRANT &&
        verified?.header["kid"] === KEY_ID &&
        claims["iss"] === EMAIL &&
        claims["aud"] === `${tokens.url}/token` &&
        claims["scope"] === SCOPE &&
        inTime(claims);
      if (!right) {
        return sendJson(call, 400, {
          error: "invalid_grant",
          error_description: `Stubbed: ${call.body.slice(0, 100)}`,
        });
      }
      const token = `ya29.stub-${given.size}-${secrets.length}`;
      given.add(token);
      secrets.push(token);
      return sendJson(call, 200, { access_token: token, expires_in: 3599, token_type: "Bearer" });
    },
  });
  const api = await startStub(
    {
      refuse({ headers }) {
        const token = headers.authorization?.replace("Bearer ", "") ?? "";
        return given.has(token)
          ? undefined
          : { status: 401, body: googleError(401, `Request had invalid credentials: ${token}`) };
      },
      errorBody: (status, kind) =>
        googleError(
          status,
          kind === "context_length" ? TOO_LONG : `Stubbed failure ${status}, project ${VERTEX_STUB.project}`,
          kind === "retry_info" ? retryInfo("2") : undefined,
        ),
      handle(call) {
        const { project, location } = VERTEX_STUB;
        const models = `/v1/projects/${project}/locations/${location}/publishers/google/models/`;
        const [, model] = /^([^/:]+):streamGenerateContent$/.exec(call.path.replace(models, "")) ?? [];
        if (call.method !== "POST" || model === undefined) {
          return sendJson(call, 404, googleError(404, `Not found: ${call.path}`));
        }
        return sendContent(call, decodeURIComponent(model), "none");
      },
    },
    port,
  );
  const credentials = JSON.stringify({
    type: "service_account",
    project_id: VERTEX_STUB.project,
    private_key_id: KEY_ID,
    private_key: key.privateKey,
    client_email: EMAIL,
    token_uri: `${tokens.url}/token`,
  });
  return {
    url: api.url,
    get exchanges() {
      return api.exchanges;
    },
    fault: (fault) => api.fault(fault),
    left: () => api.left(),
    reset: () => api.reset(),
    tokens,
    credentials,
    secrets,
    revoke: () => given.clear(),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await tokens[Symbol.asyncDispose]();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const at = process.argv.indexOf("--port");
  const { url, credentials } = await startVertex(at < 0 ? 0 : Number(process.argv[at + 1]));
  process.stdout.write(`${url}\n${credentials}\n`);
}
