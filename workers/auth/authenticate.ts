import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { urlOf } from "../url.ts";

/** One kind of credential, told by its header. One file each. */
export interface Authenticator<Caller = Principal> {
  /** Whether the request carries a credential of this kind, valid or not. Looks at headers only. */
  claims(request: Request): boolean;
  /** The caller. @throws QuaysideError `unauthenticated`, `origin_not_allowed`, `identity_unavailable`. */
  verify(request: Request): Promise<Caller>;
}

/** One form of what stands after `Bearer`: operator's token, OIDC access token, API key, widget token. */
export interface BearerKind<Caller = Principal> {
  /** Whether the token has this kind's form. Looks at no more than that. */
  takes(token: string): boolean;
  /** As `Authenticator.verify`. */
  verify(token: string, request: Request): Promise<Caller>;
}

/** The token of an Authorization header, of whatever form; undefined for another scheme and for none. */
export function bearerOf(request: Request): string | undefined {
  // Two Authorization headers arrive joined by a comma, which no token of these forms has.
  return /^Bearer ([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
}

/**
 * The Authorization header. Any such header is taken as an attempt at it, so that another scheme is refused and not passed over.
 * @param kinds the first that takes the token's form decides, whether or not another would accept it.
 */
export function bearer<Caller>(kinds: readonly BearerKind<Caller>[]): Authenticator<Caller> {
  return {
    claims: (request) => request.headers.has("authorization"),
    async verify(request) {
      const token = bearerOf(request);
      const kind = token === undefined ? undefined : kinds.find((candidate) => candidate.takes(token));
      if (token === undefined || !kind) throw unauthenticated("The token is not valid.");
      return kind.verify(token, request);
    },
  };
}

/** Names that credentials are put into URLs under; a URL ends up in logs, histories and referrers. */
const QUERY_CREDENTIALS = ["access_token", "api_key", "apikey", "authorization", "id_token", "key", "token"];

/**
 * Who is calling. Exactly one credential, in a header.
 * @param kinds the one that claims the request decides. More than one claim is refused.
 * @param anonymous who asks without a credential; undefined: nobody may.
 * @throws QuaysideError `unauthenticated`, and what the authenticator throws.
 */
export async function authenticate<Caller>(
  request: Request,
  kinds: readonly Authenticator<Caller>[],
  anonymous?: () => Promise<Caller | undefined>,
): Promise<Caller> {
  for (const name of request.url.includes("?") ? urlOf(request).searchParams.keys() : []) {
    if (QUERY_CREDENTIALS.includes(name.toLowerCase())) {
      throw unauthenticated("A credential in the URL is not accepted: send it in a header.");
    }
  }
  const [kind, second] = kinds.filter((candidate) => candidate.claims(request));
  if (!kind) {
    const nobody = await anonymous?.();
    if (nobody) return nobody;
    throw unauthenticated("Send a credential in the Authorization header.");
  }
  if (second) throw unauthenticated("Send one credential, not two.");
  return kind.verify(request);
}

export function unauthenticated(message: string, cause?: unknown): QuaysideError {
  return new QuaysideError("unauthenticated", message, { cause });
}
