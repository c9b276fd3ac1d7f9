import { unauthenticated, type Authenticator } from "./authenticate.ts";
import { principalOf } from "./claims.ts";

export interface OperatorSettings {
  /** `QUAYSIDE_TOKEN`; undefined when the secret is not set: then no token is right. */
  readonly token: string | undefined;
  readonly tenant: string;
}

const OPERATOR_SCOPES = ["ask", "ingest", "erase", "admin", "audit", "metrics"];

/**
 * The deployment's own token, as the CLI sends it. It carries every operation and no group: asking with it sees only rows that
 * are `public`. Any Authorization header is taken as an attempt at it, so that another scheme is refused and not passed over.
 */
export function operatorToken(settings: OperatorSettings): Authenticator {
  return {
    claims: (request) => request.headers.has("authorization"),
    async verify(request) {
      // Two Authorization headers arrive joined by a comma, which no token of this form has.
      const sent = /^Bearer +([A-Za-z0-9._~+/=-]+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
      if (sent === undefined || settings.token === undefined || !(await equal(sent, settings.token))) {
        throw unauthenticated("The token is not valid.");
      }
      return principalOf({
        tenant: settings.tenant,
        subject: "operator",
        groups: [],
        attributes: {},
        scopes: OPERATOR_SCOPES,
      });
    },
  };
}

/** Compares digests, so that neither content nor length shows in the time it takes. */
async function equal(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([digest(a), digest(b)]);
  return crypto.subtle.timingSafeEqual(first, second);
}

function digest(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
