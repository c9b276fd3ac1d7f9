import type { JWK } from "jose";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { authenticate, bearer } from "../../workers/auth/authenticate.ts";
import { verifyJwt } from "../../workers/auth/jwt.ts";
import { oidcTokens } from "../../workers/auth/oidc.ts";
import { hostileDocument } from "./hostile.ts";

const keySet = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) });

const cases = hostileDocument(
  "jwt-cases.json",
  z.object({
    now: z.number(),
    issuer: z.string(),
    audience: z.string(),
    jwks: keySet,
    cases: z.array(
      z.object({
        id: z.string(),
        name: z.string(),
        token: z.optional(z.string()),
        gen: z.optional(z.object({ pad_claim_chars: z.number() })),
        expect: z.enum(["accept", "reject", "either"]),
      }),
    ),
  }),
);

const key = z.looseObject({ kty: z.string() });

const wycheproof = hostileDocument(
  "wycheproof-jws.json",
  z.object({
    testGroups: z.array(
      z.object({
        comment: z.string(),
        public: z.optional(key),
        private: z.optional(key),
        tests: z.array(
          z.object({ tcId: z.number(), comment: z.string(), jws: z.unknown(), result: z.string() }),
        ),
      }),
    ),
    overrides: z.record(z.string(), z.string()),
  }),
);

describe.skipIf(!cases)("tokens, signed and forged", () => {
  const { now = 0, issuer = "", audience = "", jwks = { keys: [] }, cases: all = [] } = cases ?? {};
  const valid = all.find(({ name }) => name === "valid_rs256")?.token ?? "";
  const asked: string[] = [];

  /** The issuer, and nothing else: whoever asks elsewhere is told nothing and remembered. */
  const answer = (url: string): Response => {
    asked.push(url);
    if (url === `${issuer}.well-known/openid-configuration`) {
      return Response.json({ issuer, jwks_uri: `${issuer}keys` });
    }
    return url === `${issuer}keys` ? Response.json(jwks) : new Response("no", { status: 404 });
  };
  const oidc = oidcTokens({
    issuer,
    audience,
    tenant: "not-named",
    claims: async () => ({ tenant: "tenant" }),
    host: {
      fetch: async (input) => answer(new Request(input).url),
      now: () => now * 1000,
      log: () => undefined,
    },
  });

  async function codeOf(token: string): Promise<string> {
    try {
      const headers = new Headers();
      headers.set("authorization", `Bearer ${token}`);
      await authenticate(new Request("https://quayside.test/v1/ask", { headers }), [bearer([oidc])]);
      return "accepted";
    } catch (error) {
      if (error instanceof TypeError) return "not a header";
      return error instanceof QuaysideError ? error.code : "unexpected";
    }
  }

  it.each(all.map((one) => [`${one.id} ${one.name}`, one] as const))("%s", async (_, one) => {
    const token = one.token ?? valid + "A".repeat(one.gen?.pad_claim_chars ?? 0);
    const code = await codeOf(token);
    if (one.expect === "accept") expect(code).toBe("accepted");
    else if (one.expect === "reject") expect(code).toMatch(/^(unauthenticated|not a header)$/);
    else expect(code).toMatch(/^(accepted|unauthenticated)$/);
  });

  it("asks the issuer once for all of them, and nobody that a token names", () => {
    expect(asked).toEqual([`${issuer}.well-known/openid-configuration`, `${issuer}keys`]);
  });
});

describe.skipIf(!wycheproof)("Wycheproof's JSON Web Signatures", () => {
  const vectors = (wycheproof?.testGroups ?? []).flatMap((group) =>
    group.tests.map((one) => ({
      ...one,
      key: group.public ?? group.private ?? { kty: "none" },
      group: group.comment,
    })),
  );
  const expected = { issuer: "x", audience: ["x"], now: 0 };

  /** Whether the signature held: what is refused after that is refused for its claims, which these payloads are not. */
  async function signatureHolds(jws: unknown, signer: JWK): Promise<boolean> {
    const token = typeof jws === "string" ? jws : JSON.stringify(jws);
    try {
      await verifyJwt(token, { keys: [signer] }, expected);
      return true;
    } catch (error) {
      const cause =
        error instanceof QuaysideError ? (error.cause as { code?: string } | undefined) : undefined;
      return cause?.code === "ERR_JWT_INVALID" || cause?.code === "ERR_JWT_CLAIM_VALIDATION_FAILED";
    }
  }

  it.each(
    vectors
      .filter(({ tcId, result }) => result === "invalid" && wycheproof?.overrides[tcId] !== "either")
      .map((one) => [one.tcId, one.group, one.comment, one] as const),
  )("refuses %i %s %s", async (_id, _group, _comment, one) => {
    expect(await signatureHolds(one.jws, one.key)).toBe(false);
  });

  it("takes the four that are valid and of an algorithm that is allowed", async () => {
    const valid = vectors.filter(({ result }) => result === "valid");
    const held = await Promise.all(valid.map(({ jws, key }) => signatureHolds(jws, key)));
    expect(held.filter(Boolean).length).toBe(4);
  });
});
