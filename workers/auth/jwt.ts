import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from "jose";
import { unauthenticated } from "./authenticate.ts";

/** Signed tokens of others (RFC 7519 over RFC 7515). Loaded by the first token that arrives: nothing else needs the library. */

/** Neither a symmetric algorithm nor `none`: a public key is never taken for a shared secret. */
const ALGORITHMS = ["RS256", "ES256"];
const TYPES = [undefined, "jwt", "at+jwt", "application/at+jwt"];
const MAX_CHARS = 8192;
const TOLERANCE_S = 30;
const MAX_AGE_S = 12 * 3600;
const MAX_LIFETIME_S = 24 * 3600;

export interface Expected {
  /** Exactly this. */
  readonly issuer: string;
  /** One of these, exactly. */
  readonly audience: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The claims of a token that is of the issuer, for us, valid now, and signed with one of the keys. Nothing in the token is
 * followed: `jku`, `x5u`, `jwk`, `x5c` mean nothing here.
 * @throws QuaysideError `unauthenticated`; see `isUnknownKey`.
 */
export async function verifyJwt(
  token: string,
  keys: JSONWebKeySet,
  { issuer, audience, now }: Expected,
): Promise<JWTPayload> {
  if (!isCanonical(token)) throw unauthenticated("The token is malformed.");
  try {
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keys), {
      algorithms: ALGORITHMS,
      issuer,
      audience: [...audience],
      requiredClaims: ["iss", "aud", "exp", "iat"],
      clockTolerance: TOLERANCE_S,
      maxTokenAge: MAX_AGE_S,
      currentDate: new Date(now),
    });
    const { exp = Infinity, iat = 0 } = payload;
    if (!TYPES.includes(protectedHeader.typ?.toLowerCase())) throw new TypeError("typ");
    if (!(exp - iat <= MAX_LIFETIME_S)) throw new TypeError("lifetime");
    return payload;
  } catch (cause) {
    throw unauthenticated("The token is not valid.", cause);
  }
}

/** Whether verification failed because no key fits: the issuer may have changed its keys. */
export function isUnknownKey(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof errors.JWKSNoMatchingKey;
}

/**
 * Three parts of base64url without white space, padding or stray bits, so that a token has one spelling. (The library decodes
 * leniently: it accepts Wycheproof's tcId 360, 365, 368 and 375.)
 */
function isCanonical(token: string): boolean {
  const parts = token.split(".");
  return token.length <= MAX_CHARS && parts.length === 3 && parts.every(isBase64url);
}

/** The bits of the last character that no byte takes are zero (RFC 4648, section 3.5). */
function isBase64url(part: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return false;
  const last = part.at(-1) ?? "";
  if (part.length % 4 === 2) return "AQgw".includes(last);
  if (part.length % 4 === 3) return "AEIMQUYcgkosw048".includes(last);
  return part.length % 4 === 0;
}
