import { SCOPES } from "../../shared/keys-wire.ts";
import { unauthenticated, type BearerKind } from "./authenticate.ts";
import { principalOf } from "./claims.ts";
import { sameText } from "./secret.ts";

export interface OperatorSettings {
  /** `QUAYSIDE_TOKEN`; undefined when the secret is not set: then no token is right. */
  readonly token: string | undefined;
  readonly tenant: string;
}

/**
 * The deployment's own token, as the CLI sends it. It carries every operation and no group: asking with it sees only rows that
 * are `public`. It has no form of its own: list it last.
 */
export function operatorToken(settings: OperatorSettings): BearerKind {
  return {
    takes: () => true,
    async verify(sent) {
      if (settings.token === undefined || !(await sameText(sent, settings.token))) {
        throw unauthenticated("The token is not valid.");
      }
      return principalOf({
        tenant: settings.tenant,
        subject: "operator",
        groups: [],
        attributes: {},
        scopes: SCOPES,
      });
    },
  };
}
