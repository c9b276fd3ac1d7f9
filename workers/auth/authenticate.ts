import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

/** One kind of credential: operator token, demo user, later OIDC, API key, widget token. One file each. */
export interface Authenticator {
  /** Whether the request carries a credential of this kind, valid or not. Looks at headers only. */
  claims(request: Request): boolean;
  /** The caller. @throws QuaysideError `unauthenticated`, `origin_not_allowed`, `identity_unavailable`. */
  verify(request: Request): Promise<Principal>;
}

/** Names that credentials are put into URLs under; a URL ends up in logs, histories and referrers. */
const QUERY_CREDENTIALS = ["access_token", "api_key", "apikey", "authorization", "id_token", "key", "token"];

/**
 * Who is calling. Exactly one credential, in a header.
 * @param kinds looked at in this order; the first that claims the request decides. More than one claim is refused.
 * @throws QuaysideError `unauthenticated`, and what the authenticator throws.
 */
export async function authenticate(request: Request, kinds: readonly Authenticator[]): Promise<Principal> {
  const query = new URL(request.url).searchParams;
  for (const name of query.keys()) {
    if (QUERY_CREDENTIALS.includes(name.toLowerCase())) {
      throw unauthenticated("A credential in the URL is not accepted: send it in a header.");
    }
  }
  const [kind, second] = kinds.filter((candidate) => candidate.claims(request));
  if (!kind) throw unauthenticated("Send a credential in the Authorization header.");
  if (second) throw unauthenticated("Send one credential, not two.");
  return kind.verify(request);
}

export function unauthenticated(message: string): QuaysideError {
  return new QuaysideError("unauthenticated", message);
}
