import { createLocalJWKSet, decodeProtectedHeader, jwtVerify, type JWTPayload } from "jose";
import type { Host } from "../../shared/ports/host.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { unauthenticated } from "../auth/authenticate.ts";
import { described, makeKeySource, type KeySource } from "../auth/jwks.ts";

/** What of an activity its token has to agree with. */
export interface Claimed {
  readonly channelId: string;
  readonly serviceUrl: string;
}

/**
 * Verifies the token that the Bot Connector sends with an activity. Microsoft, "Authentication with the Bot Connector API":
 * RS256, issuer, audience, five minutes of skew, the service URL, the key's endorsement of the channel. Read 2026-11.
 * @throws QuaysideError `unauthenticated` for a token that is not the connector's; `forbidden` for one that is, and not for this
 * activity; `identity_unavailable`.
 */
export type VerifyTeams = (request: Request, claimed: Claimed) => Promise<void>;

const ISSUER = "https://api.botframework.com";
const METADATA = "https://login.botframework.com/v1/.well-known/openidconfiguration";
const SKEW_S = 300;
const MAX_CHARS = 8192;

/** @param host its `TEAMS_APP_ID` is the audience; `TEAMS_OPENID_URL` points at another cloud's metadata, or a stand-in's. */
export function makeTeamsVerifier(host: Host): VerifyTeams {
  const metadata = host.secret("TEAMS_OPENID_URL") ?? METADATA;
  const source = makeKeySource(described(metadata, ISSUER, host), host);
  return async (request, claimed) => {
    const audience = host.secret("TEAMS_APP_ID");
    if (audience === undefined) throw new QuaysideError("not_found", "Teams is not set up here.");
    const token = /^Bearer ([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)$/i.exec(
      request.headers.get("authorization") ?? "",
    )?.[1];
    if (token === undefined || token.length > MAX_CHARS) throw unauthenticated("Send the connector's token.");
    const key = await keyOf(token, source, request.signal);
    const claims = await verified(token, key, audience, host.now());
    if (claims["serviceurl"] !== claimed.serviceUrl) throw forbidden("serviceUrl");
    const endorsements = key["endorsements"];
    if (!Array.isArray(endorsements) || !endorsements.includes(claimed.channelId)) {
      throw forbidden("channel");
    }
  };
}

type Key = Awaited<ReturnType<KeySource["keys"]>>["keys"][number];

async function keyOf(token: string, source: KeySource, signal: AbortSignal): Promise<Key> {
  const kid = kidOf(token);
  const find = (keys: readonly Key[]): Key | undefined =>
    keys.find((key) => key["kid"] === kid && key.kty === "RSA");
  const known = find((await source.keys(signal)).keys);
  if (known) return known;
  // Keys are rotated: an unknown one is looked for once, and then not again for a while.
  const renewed = await source.renewed(signal);
  const found = renewed && find(renewed.keys);
  if (!found) throw unauthenticated("The token's key is not the connector's.");
  return found;
}

function kidOf(token: string): string {
  try {
    const { kid, alg } = decodeProtectedHeader(token);
    if (typeof kid === "string" && alg === "RS256") return kid;
  } catch {
    // Told below, like every other malformed token.
  }
  throw unauthenticated("The token is malformed.");
}

async function verified(token: string, key: Key, audience: string, now: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [key] }), {
      algorithms: ["RS256"],
      issuer: ISSUER,
      audience,
      requiredClaims: ["iss", "aud", "exp", "serviceurl"],
      clockTolerance: SKEW_S,
      currentDate: new Date(now),
    });
    return payload;
  } catch (cause) {
    throw unauthenticated("The token is not valid.", cause);
  }
}

function forbidden(what: string): QuaysideError {
  return new QuaysideError("forbidden", `The token is not for this activity's ${what}.`);
}
