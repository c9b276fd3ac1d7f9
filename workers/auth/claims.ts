import * as z from "zod/mini";
import type { Config } from "../../shared/config.ts";
import { principalFields, SCOPES } from "../../shared/keys-wire.ts";
import { lazily } from "../../shared/lazily.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { unauthenticated } from "./authenticate.ts";

const claims = lazily(() => {
  const { subject, grants, scopes } = principalFields();
  const tenant = z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/));
  return z.strictObject({ tenant, subject, ...grants, scopes });
});

/**
 * What an identity says about a caller, taken like any other input: one tenant of a fixed pattern, lists of texts.
 * @throws QuaysideError `unauthenticated`.
 */
export function principalOf(input: unknown): Principal {
  const parsed = claims().safeParse(input);
  if (parsed.success) return parsed.data;
  throw unauthenticated("The credential's claims are not of the form that is expected.");
}

/** Which claims of a token say what. */
export type ClaimNames = NonNullable<NonNullable<Config["identity"]>["claims"]>;

type Payload = Readonly<Record<string, unknown>>;

/**
 * The caller that a verified token's claims name. A claim that is absent gives nothing, except for the subject and a tenant
 * that the configuration says tokens name: these are required.
 * @param tenant of the deployment, for tokens that name none.
 * @throws QuaysideError `unauthenticated`.
 */
export function principalOfToken(payload: Payload, names: ClaimNames, tenant: string): Principal {
  const groups = names.groups ?? "groups";
  if (isElsewhere(payload, groups)) {
    // Fewer groups than the caller has could mean more rows, where a rule denies.
    throw unauthenticated("The token does not hold all of the caller's groups.");
  }
  return principalOf({
    tenant: names.tenant === undefined ? tenant : claim(payload, names.tenant),
    subject: claim(payload, names.subject ?? "sub"),
    groups: claim(payload, groups) ?? [],
    attributes: Object.fromEntries(
      Object.entries(names.attributes ?? {}).map(([attribute, name]) => [
        attribute,
        listOf(claim(payload, name)),
      ]),
    ),
    scopes: names.scopes === undefined ? ["ask"] : scopesOf(claim(payload, names.scopes)),
  });
}

/** By its exact name: names with dots and slashes are names, not paths. */
function claim(payload: Payload, name: string): unknown {
  return Object.hasOwn(payload, name) ? payload[name] : undefined;
}

/** An attribute of one value may stand without a list. */
function listOf(claimed: unknown): unknown {
  if (claimed === undefined) return [];
  return typeof claimed === "string" ? [claimed] : claimed;
}

/** As RFC 8693, section 4.2, has it (text, separated by spaces), or a list. What is not one of ours is another program's. */
function scopesOf(claimed: unknown): string[] {
  const given: readonly unknown[] =
    typeof claimed === "string" ? claimed.split(" ") : Array.isArray(claimed) ? claimed : [];
  return SCOPES.filter((scope) => given.includes(scope));
}

/** Whether the claim is left out for its size and to be fetched: OpenID Connect Core, section 5.6.2. Entra does so above 200 groups. */
function isElsewhere(payload: Payload, name: string): boolean {
  const names = claim(payload, "_claim_names");
  return typeof names === "object" && names !== null && Object.hasOwn(names, name);
}
