import { importPrivateKey, publicKeyFingerprint, signJwt } from "./jwt.ts";
import { QuaysideError } from "./ports/errors.ts";
import type { Host } from "./ports/host.ts";

/** Where a Snowflake account is, and what proves who we are. */
export interface SnowflakeAccess {
  /** Without a trailing slash. */
  readonly baseUrl: string;
  /**
   * Headers for one call; signs a new token when the last one is about to expire. Calls nobody.
   * @throws QuaysideError `config_invalid` when the private key can't be read.
   */
  headers(): Promise<Readonly<Record<string, string>>>;
}

/**
 * Longest life of a key-pair token: one hour (Snowflake, "Authenticating Snowflake REST APIs with Snowflake", read
 * 2026-11-23). Ours live 55 minutes and are replaced after 50, so that clocks may differ.
 */
const LIFE_S = 55 * 60;
const RENEW_AFTER_S = 50 * 60;

/**
 * Access by the environment: `SNOWFLAKE_TOKEN` (a programmatic access token or OAuth token) or, without it, `SNOWFLAKE_USER`
 * with `SNOWFLAKE_PRIVATE_KEY`; `SNOWFLAKE_ACCOUNT`; `SNOWFLAKE_BASE_URL` overrides the account's own address.
 * @throws QuaysideError `config_invalid` for what is missing.
 */
export function snowflakeAccess(host: Pick<Host, "secret" | "now">): SnowflakeAccess {
  const account = host.secret("SNOWFLAKE_ACCOUNT");
  const own = host.secret("SNOWFLAKE_BASE_URL");
  if (own === undefined && account === undefined) throw missing("SNOWFLAKE_ACCOUNT");
  // Host names have no underscores: those of an account's name are hyphens in its URL.
  const baseUrl = own ?? `https://${account?.toLowerCase().replaceAll("_", "-")}.snowflakecomputing.com`;
  return { baseUrl: baseUrl.replace(/\/+$/, ""), headers: headersOf(host, account) };
}

function headersOf(
  host: Pick<Host, "secret" | "now">,
  account: string | undefined,
): SnowflakeAccess["headers"] {
  const token = host.secret("SNOWFLAKE_TOKEN");
  // Without the header that names its kind, the service tells programmatic and OAuth tokens apart by itself (same page).
  if (token !== undefined) return () => Promise.resolve({ authorization: `Bearer ${token}` });
  const pem = host.secret("SNOWFLAKE_PRIVATE_KEY");
  const user = host.secret("SNOWFLAKE_USER");
  if (pem === undefined) throw missing("SNOWFLAKE_TOKEN or SNOWFLAKE_PRIVATE_KEY");
  if (user === undefined) throw missing("SNOWFLAKE_USER");
  if (account === undefined) throw missing("SNOWFLAKE_ACCOUNT");
  let signed: { readonly jwt: string; readonly renewAt: number } | undefined;
  return async () => {
    const now = Math.floor(host.now() / 1000);
    if (!signed || now >= signed.renewAt) {
      signed = { jwt: await keyPairToken(pem, account, user, now), renewAt: now + RENEW_AFTER_S };
    }
    return {
      authorization: `Bearer ${signed.jwt}`,
      "x-snowflake-authorization-token-type": "KEYPAIR_JWT",
    };
  };
}

/** Issuer and subject in capitals, an account locator without its region (same page). */
async function keyPairToken(pem: string, account: string, user: string, now: number): Promise<string> {
  const key = await importPrivateKey(pem, "SNOWFLAKE_PRIVATE_KEY");
  const subject = `${account.split(".")[0]}.${user}`.toUpperCase();
  const issuer = `${subject}.SHA256:${await publicKeyFingerprint(key)}`;
  return signJwt(key, { iss: issuer, sub: subject, iat: now, exp: now + LIFE_S });
}

function missing(name: string): QuaysideError {
  return new QuaysideError("config_invalid", `${name} is not set.`, {
    violations: [{ pointer: name, rule: "set it" }],
  });
}
