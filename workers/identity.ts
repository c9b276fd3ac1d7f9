import type { Config } from "../shared/config.ts";
import type { Principal } from "../shared/ports/answer.ts";
import type { Host } from "../shared/ports/host.ts";
import { apiKeys, makeKeyring, type ApiKeys } from "./auth/api-keys.ts";
import { authenticate, bearer, bearerOf, type Authenticator, type BearerKind } from "./auth/authenticate.ts";
import { demoUser } from "./auth/demo.ts";
import { makeDirectory, type Directory } from "./auth/directory.ts";
import { accessAssertion, oidcTokens } from "./auth/oidc.ts";
import { operatorToken } from "./auth/operator.ts";
import { widgetTokens, type WidgetTokens } from "./auth/widget-tokens.ts";
import type { LedgerApi } from "./tenant/api.ts";

/** Every way to say who is asking, assembled from what the environment sets up. */
export interface Identity {
  /** The caller of a request. @throws QuaysideError `unauthenticated`, `origin_not_allowed`, `identity_unavailable`, `registry_unavailable`. */
  readonly principal: (request: Request) => Promise<Principal>;
  /** Whether the API key that a verified request rests on is revoked by now; undefined for a request that rests on none. */
  readonly revocation: (request: Request) => (() => Promise<boolean>) | undefined;
  readonly apiKey: (request: Request) => ReturnType<ApiKeys["identify"]>;
  readonly widgetTokens: WidgetTokens;
  /** Users of chat platforms, whose requests a surface verifies itself. */
  readonly directory: Directory;
  /** Identity providers whose access tokens are taken. */
  readonly issuers: readonly string[];
}

export interface IdentitySettings {
  readonly host: Host;
  /** The deployment's own. */
  readonly tenant: string;
  /** Its ledger. */
  readonly ledger: LedgerApi;
  /** Its published configuration; undefined before the first. */
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
}

export function makeIdentity({ host, tenant, ledger, config }: IdentitySettings): Identity {
  const now = (): number => host.now();
  const keyring = makeKeyring((id) => ledger.key(id), now);
  const keys = apiKeys(keyring);
  const widget = widgetTokens({ secret: widgetSecret(host), keyring, now });
  const directory = makeDirectory({ tenant, config });
  const tokens = {
    tenant,
    host,
    claims: async (signal: AbortSignal) => (await config(signal))?.identity?.claims ?? {},
  };
  const issuer = host.secret("OIDC_ISSUER");
  const teamDomain = host.secret("ACCESS_TEAM_DOMAIN");

  const inHeader: BearerKind[] = [keys, widget];
  if (issuer !== undefined) {
    inHeader.push(oidcTokens({ ...tokens, issuer, audience: host.secret("OIDC_AUDIENCE") }));
  }
  const operator = operatorToken({ token: host.secret("QUAYSIDE_TOKEN"), tenant });
  const kinds: Authenticator[] = [bearer([...inHeader, operator])];
  if (teamDomain !== undefined) {
    kinds.push(accessAssertion({ ...tokens, teamDomain, audience: host.secret("ACCESS_AUD") }));
  }
  if (QUAYSIDE_DEMO) {
    kinds.push(demoUser({ tenant, config }));
  }
  return {
    principal: (request) => authenticate(request, kinds, () => directory.anonymous(request.signal)),
    revocation(request) {
      const token = bearerOf(request) ?? "";
      const key = [keys, widget].find((kind) => kind.takes(token))?.keyOf(token);
      return key === undefined ? undefined : async () => (await keyring.live(key)) === undefined;
    },
    apiKey: (request) => authenticate(request, [bearer([{ ...keys, verify: keys.identify }])]),
    widgetTokens: widget,
    directory,
    issuers: issuer === undefined ? [] : [issuer],
  };
}

/** What widget tokens are signed with: a key of their own is derived from it. Another secret ends the tokens of the last ten minutes. */
function widgetSecret(host: Host): string | undefined {
  return host.secret("QUAYSIDE_WIDGET_SECRET") ?? host.secret("QUAYSIDE_TOKEN");
}
