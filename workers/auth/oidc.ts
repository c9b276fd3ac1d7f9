import type { Outward } from "../../shared/http.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Authenticator, BearerKind } from "./authenticate.ts";
import { principalOfToken, type ClaimNames } from "./claims.ts";
import { discovered, makeKeySource, type KeySource } from "./jwks.ts";

/** Access tokens of an identity provider: OpenID Connect's, and Cloudflare Access's, which come in a header of their own. */

export interface TokenSettings {
  /** Whose tokens have no tenant claim. */
  readonly tenant: string;
  /** Which claims say what; read anew for each token, because a configuration may be published at any time. */
  claims(signal: AbortSignal): Promise<ClaimNames>;
  readonly host: Outward;
}

export interface OidcSettings extends TokenSettings {
  /** `OIDC_ISSUER`, as its tokens spell it. */
  readonly issuer: string;
  /** `OIDC_AUDIENCE`: what the issuer calls us, several separated by spaces. Undefined refuses every token. */
  readonly audience: string | undefined;
}

/** `Authorization: Bearer <access token>` of any OpenID Connect issuer. */
export function oidcTokens(settings: OidcSettings): BearerKind {
  const { issuer, host } = settings;
  const audience = (settings.audience ?? "").split(/\s+/).filter((one) => one !== "");
  const verify = tokenVerifier(settings, issuer, audience, makeKeySource(discovered(issuer, host), host));
  return {
    // A JSON object in base64url begins so.
    takes: (token) => token.startsWith("eyJ"),
    verify: (token, request) => {
      if (!URL.canParse(issuer)) throw misset("OIDC_ISSUER must be a URL.");
      if (audience.length === 0) throw misset("OIDC_AUDIENCE is not set: no token can be meant for us.");
      return verify(token, request.signal);
    },
  };
}

export interface AccessSettings extends TokenSettings {
  /** `ACCESS_TEAM_DOMAIN`: `team.cloudflareaccess.com`. */
  readonly teamDomain: string;
  /** `ACCESS_AUD`: the application's audience tag. */
  readonly audience: string | undefined;
}

const ASSERTION_HEADER = "cf-access-jwt-assertion";

/**
 * The assertion that Cloudflare Access puts on every request that it lets through (Cloudflare, "Application token"). Where the
 * request carries an Authorization header too, that one says who is asking.
 */
export function accessAssertion(settings: AccessSettings): Authenticator {
  const { host } = settings;
  const issuer = settings.teamDomain.includes("://") ? settings.teamDomain : `https://${settings.teamDomain}`;
  const audience = settings.audience === undefined ? [] : [settings.audience];
  const source = makeKeySource(() => Promise.resolve(`${issuer}/cdn-cgi/access/certs`), host);
  const verify = tokenVerifier(settings, issuer, audience, source);
  return {
    claims: ({ headers }) => headers.has(ASSERTION_HEADER) && !headers.has("authorization"),
    verify: async (request) => {
      if (!URL.canParse(issuer)) throw misset("ACCESS_TEAM_DOMAIN must be a host name.");
      if (audience.length === 0) throw misset("ACCESS_AUD is not set: no assertion can be meant for us.");
      return verify(request.headers.get(ASSERTION_HEADER) ?? "", request.signal);
    },
  };
}

function tokenVerifier(
  settings: TokenSettings,
  issuer: string,
  audience: readonly string[],
  source: KeySource,
): (token: string, signal: AbortSignal) => Promise<Principal> {
  return async (token, signal) => {
    const { isUnknownKey, verifyJwt } = await import("./jwt.ts");
    const expected = { issuer, audience, now: settings.host.now() };
    let payload;
    try {
      payload = await verifyJwt(token, await source.keys(signal), expected);
    } catch (error) {
      const keys = isUnknownKey(error) ? await source.renewed(signal) : undefined;
      if (!keys) throw error;
      payload = await verifyJwt(token, keys, expected);
    }
    return principalOfToken(withCustom(payload), await settings.claims(signal), settings.tenant);
  };
}

/** Access keeps the identity provider's own claims under `custom`; a claim of its own is not replaced by one of these. */
function withCustom(payload: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { custom } = payload;
  return typeof custom === "object" && custom !== null && !Array.isArray(custom)
    ? { ...custom, ...payload }
    : payload;
}

function misset(message: string): QuaysideError {
  return new QuaysideError("not_configured", message);
}
