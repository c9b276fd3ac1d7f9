import * as z from "zod/mini";
import { request, type FailureCodes, type Outward } from "./http.ts";
import { importPrivateKey, signJwt } from "./jwt.ts";
import { QuaysideError } from "./ports/errors.ts";

/**
 * A Google service account: its key signs an assertion that the token endpoint exchanges for an access token (Google,
 * "Using OAuth 2.0 for server to server applications"; RFC 7523).
 */

const SETTING = "GOOGLE_APPLICATION_CREDENTIALS_JSON";
const SCOPE = "https://www.googleapis.com/auth/cloud-platform";
const TOKEN_URL = "https://oauth2.googleapis.com/token";
const ASSERTION_S = 3600;
/** A token is given up this long before it expires, so that it lasts for the call that it is sent with. */
const MARGIN_S = 120;
const DEADLINE_MS = 5000;

/** Whether what is sent there can't be read on the way: TLS, or this machine. */
function isConfidential(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return (
    protocol === "https:" || (protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(hostname))
  );
}

const accountSchema = z.object({
  client_email: z.string().check(z.minLength(3)),
  private_key: z.string(),
  private_key_id: z.optional(z.string()),
  project_id: z.optional(z.string()),
  token_uri: z.optional(z.string().check(z.refine(isConfidential, "https, or http on this machine"))),
});

const tokenSchema = z.object({
  access_token: z.string().check(z.minLength(1)),
  expires_in: z.number().check(z.minimum(1)),
});

export interface GoogleAccount {
  /** The project that the account belongs to; undefined when its key does not say. */
  readonly project: string | undefined;
  /**
   * An access token for Google Cloud, from memory while it lasts.
   * @throws QuaysideError the codes given, `rate_limited`, `deadline_exceeded`, `cancelled`; `config_invalid` for an unreadable key.
   */
  token(signal: AbortSignal): Promise<string>;
  /** Forgets the token in memory: the service has refused it. */
  forget(): void;
}

/**
 * @param json the service account's key file, whole.
 * @param codes of failures of the token endpoint.
 * @throws QuaysideError `config_invalid` when it is not a service account's key.
 */
export function googleAccount(json: string, host: Outward, codes: FailureCodes): GoogleAccount {
  const account = parseAccount(json);
  const url = account.token_uri ?? TOKEN_URL;
  // The token, never the promise of one: in a Worker a request can't wait for another request's call.
  let kept: { readonly token: string; readonly until: number } | undefined;

  async function fetchToken(now: number, signal: AbortSignal): Promise<string> {
    const key = await importPrivateKey(account.private_key, SETTING);
    const claims = { iss: account.client_email, scope: SCOPE, aud: url, iat: now, exp: now + ASSERTION_S };
    const assertion = await signJwt(key, claims, account.private_key_id);
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion,
    });
    const response = await request(
      host,
      url,
      {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: body.toString(),
        signal,
      },
      { peer: "Google's token endpoint", codes, deadlineMs: DEADLINE_MS, maxBytes: 65_536 },
    );
    const parsed = tokenSchema.safeParse(await response.json().catch(() => undefined));
    if (!parsed.success) {
      throw new QuaysideError(codes.unavailable, "Google's token endpoint sent no token.");
    }
    kept = { token: parsed.data.access_token, until: now + parsed.data.expires_in - MARGIN_S };
    return kept.token;
  }

  return {
    project: account.project_id,
    token(signal) {
      const now = Math.floor(host.now() / 1000);
      return kept && now < kept.until ? Promise.resolve(kept.token) : fetchToken(now, signal);
    },
    forget() {
      kept = undefined;
    },
  };
}

function parseAccount(json: string): z.infer<typeof accountSchema> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // What is not JSON is refused below; the parser's message would quote it.
  }
  const parsed = accountSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const pointer = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new QuaysideError("config_invalid", `${SETTING} must hold a service account's key file.`, {
    violations: [{ pointer: `${SETTING}${pointer === "" ? "" : `.${pointer}`}`, rule: "malformed" }],
  });
}
