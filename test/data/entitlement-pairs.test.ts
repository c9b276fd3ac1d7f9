import * as z from "zod/mini";
import { describe, expect, it } from "vitest";
import { principalOf } from "../../workers/auth/claims.ts";
import { canonicalKey } from "../../workers/answer/cache-key.ts";
import { grantsOf } from "../../shared/policy.ts";
import { hostile } from "./hostile.ts";

const pair = z.object({
  id: z.string(),
  a: z.record(z.string(), z.unknown()),
  b: z.record(z.string(), z.unknown()),
  expect: z.enum(["equal", "different", "reject"]),
});

const pairs = hostile("entitlement-pairs.jsonl", pair);

/** Claims that name no attribute of the caller. */
const OTHER_CLAIMS = new Set(["tenant", "sub", "groups", "policy_version", "index_generation", "iat", "jti"]);

function spelled(value: unknown): string {
  return typeof value === "string" ? value : `${typeof value} ${String(value)}`;
}

/**
 * The cache key of a caller under a policy in which every attribute value grants a class of its own. The type of a value is
 * part of the value, as a mapping of claims to attributes would spell it.
 */
function keyOf(claims: Readonly<Record<string, unknown>>): string {
  const attributes = Object.fromEntries(
    Object.entries(claims)
      .filter(([name]) => !OTHER_CLAIMS.has(name))
      .map(([name, value]) => [name, Array.isArray(value) ? value.map(spelled) : `single ${spelled(value)}`])
      .map(([name, value]) => [name, typeof value === "string" ? [value] : value]),
  );
  const principal = principalOf({
    tenant: claims["tenant"],
    subject: claims["sub"],
    groups: claims["groups"],
    attributes,
    scopes: ["ask"],
  });
  const version = (name: string): number => (typeof claims[name] === "number" ? claims[name] : 1);
  return canonicalKey({
    tenant: principal.tenant,
    configVersion: version("policy_version"),
    epoch: 1,
    permitted: [...grantsOf(principal)],
    masked: [],
    providerPolicy: "",
    space: "s",
    generation: version("index_generation"),
    question: "q",
    history: [],
    today: "2026-11-23",
    timeZone: "UTC",
    model: "auto",
    fallbacks: [],
    tables: undefined,
    topK: 8,
    maxOutputTokens: 1024,
    promptVersion: "p",
    locale: "en",
  });
}

describe.skipIf(!pairs)("entitlement pairs", () => {
  it.each((pairs ?? []).map((pair) => [pair.id, pair] as const))("%s is decided as listed", (_, pair) => {
    if (pair.expect === "reject") expect(() => keyOf(pair.a)).toThrow();
    else expect(keyOf(pair.a) === keyOf(pair.b) ? "equal" : "different").toBe(pair.expect);
  });
});
