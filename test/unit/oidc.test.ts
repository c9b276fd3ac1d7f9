import { exportJWK, generateKeyPair, SignJWT, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { authenticate, bearer } from "../../workers/auth/authenticate.ts";
import type { ClaimNames } from "../../workers/auth/claims.ts";
import { accessAssertion, oidcTokens } from "../../workers/auth/oidc.ts";

const ISSUER = "https://idp.test";
const AUDIENCE = "https://quayside.test/mcp";
const START = 1_790_000_000_000;

let first: Signer;
let second: Signer;

interface Signer {
  readonly jwk: JWK;
  sign(claims: Readonly<Record<string, unknown>>, now?: number): Promise<string>;
}

async function makeSigner(kid: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  return {
    jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256" },
    sign: (claims, now = START) =>
      new SignJWT({
        iss: ISSUER,
        aud: AUDIENCE,
        sub: "u-1",
        iat: now / 1000,
        exp: now / 1000 + 600,
        ...claims,
      })
        .setProtectedHeader({ alg: "ES256", kid })
        .sign(privateKey),
  };
}

beforeAll(async () => {
  [first, second] = await Promise.all([makeSigner("k1"), makeSigner("k2")]);
});

interface World {
  now: number;
  keys: () => Response | Promise<Response>;
  discovery: () => Response;
  names: ClaimNames;
  /** Paths that were asked for. */
  readonly asked: string[];
  caller(token: string): Promise<Principal>;
  code(token: string): Promise<string>;
}

/** An issuer with one key, and who the Worker takes its tokens' bearers for. */
function world(settings: { readonly issuer?: string; readonly audience?: string | undefined } = {}): World {
  const issuer = settings.issuer ?? ISSUER;
  const one: World = {
    now: START,
    keys: () => Response.json({ keys: [first.jwk] }),
    discovery: () => Response.json({ issuer, jwks_uri: `${issuer}/keys` }),
    names: {},
    asked: [],
    caller: (token) => {
      const headers = { authorization: `Bearer ${token}` };
      return authenticate(new Request("https://quayside.test/v1/ask", { headers }), [bearer([oidc])]);
    },
    code: (token) => codeOf(one.caller(token)),
  };
  const oidc = oidcTokens({
    issuer,
    audience: "audience" in settings ? settings.audience : AUDIENCE,
    tenant: "acme",
    claims: async () => one.names,
    host: {
      async fetch(input) {
        const { pathname } = new URL(new Request(input).url);
        one.asked.push(pathname);
        return pathname === "/keys" ? one.keys() : one.discovery();
      },
      now: () => one.now,
      log: () => undefined,
    },
  });
  return one;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "none";
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
}

const jwksFetches = (one: World): number => one.asked.filter((path) => path === "/keys").length;

describe("an access token", () => {
  it("says who its bearer is, who may ask and nothing else", async () => {
    expect(await world().caller(await first.sign({ groups: ["ops"] }))).toEqual({
      tenant: "acme",
      subject: "u-1",
      groups: ["ops"],
      attributes: {},
      scopes: ["ask"],
    });
  });

  it("is read through the names that the configuration gives", async () => {
    const one = world();
    one.names = {
      tenant: "org",
      subject: "oid",
      groups: "https://idp.test/roles",
      attributes: { site: "sites", region: "region" },
      scopes: "scope",
    };
    const token = await first.sign({
      org: "north",
      oid: "o-9",
      "https://idp.test/roles": ["sales"],
      sites: ["fr", "uk"],
      region: "EU",
      scope: "openid ask admin telepathy",
    });
    expect(await one.caller(token)).toEqual({
      tenant: "north",
      subject: "o-9",
      groups: ["sales"],
      attributes: { site: ["fr", "uk"], region: ["EU"] },
      scopes: ["ask", "admin"],
    });
  });

  it.each([
    ["a tenant that is named and absent", { tenant: "org" }, {}],
    ["an attribute that is a number", { attributes: { site: "site" } }, { site: 5 }],
    ["an attribute that is an object", { attributes: { site: "site" } }, { site: { fr: true } }],
    ["groups that are one text", {}, { groups: "ops" }],
    ["groups that are kept elsewhere", {}, { _claim_names: { groups: "src1" } }],
    ["a subject that is empty", {}, { sub: "" }],
  ] as const)("with %s is refused", async (_, names, claims) => {
    const one = world();
    one.names = names;
    expect(await one.code(await first.sign(claims))).toBe("unauthenticated");
  });

  it("for one of several audiences is taken, for another not", async () => {
    const one = world({ audience: `api://quayside ${AUDIENCE}` });
    expect(await one.code(await first.sign({ aud: "api://quayside" }))).toBe("none");
    expect(await one.code(await first.sign({ aud: "api://other" }))).toBe("unauthenticated");
    expect(await one.code(await first.sign({ aud: "" }))).toBe("unauthenticated");
  });

  it("is refused by a Worker that was not told its audience", async () => {
    expect(await world({ audience: undefined }).code(await first.sign({}))).toBe("not_configured");
  });
});

describe("the issuer's keys", () => {
  it("are fetched once for ten minutes", async () => {
    const one = world();
    await one.caller(await first.sign({}));
    one.now += 599_000;
    await one.caller(await first.sign({}, one.now));
    expect(jwksFetches(one)).toBe(1);
    one.now += 2000;
    await one.caller(await first.sign({}, one.now));
    expect(jwksFetches(one)).toBe(2);
  });

  it("serve while the issuer is down, as long as they are remembered", async () => {
    const one = world();
    await one.caller(await first.sign({}));
    one.keys = () => new Response("", { status: 500 });
    expect(await one.code(await first.sign({}))).toBe("none");
    one.now += 601_000;
    expect(await one.code(await first.sign({}, one.now))).toBe("identity_unavailable");
  });

  it.each<[string, () => Response]>([
    ["fails", () => new Response("", { status: 500 })],
    ["limits us", () => new Response("", { status: 429, headers: { "retry-after": "7" } })],
    ["sends a page", () => new Response("<html>", { headers: { "content-type": "text/html" } })],
    ["sends another document", () => Response.json({ error: "x" })],
    ["redirects", () => new Response(null, { status: 302, headers: { location: "https://evil.test/keys" } })],
    ["sends 50 MB", () => new Response(new Uint8Array(50 << 20))],
  ])("are not had when the issuer %s: that is no fault of the token's", async (_, keys) => {
    const one = world();
    one.keys = keys;
    expect(await one.code(await first.sign({}))).toBe("identity_unavailable");
  });

  it("that are none let nobody in", async () => {
    const one = world();
    one.keys = () => Response.json({ keys: [] });
    expect(await one.code(await first.sign({}))).toBe("unauthenticated");
  });

  it.each<[string, object]>([
    ["another issuer's", { issuer: "https://evil.test", jwks_uri: `${ISSUER}/keys` }],
    ["without TLS", { issuer: ISSUER, jwks_uri: "http://idp.test/keys" }],
    ["on this machine", { issuer: ISSUER, jwks_uri: "http://127.0.0.1/keys" }],
    ["with a password", { issuer: ISSUER, jwks_uri: "https://a:b@idp.test/keys" }],
    ["no URL", { issuer: ISSUER, jwks_uri: "keys" }],
  ])("are not looked for where a description that is %s says", async (_, description) => {
    const one = world();
    one.discovery = () => Response.json(description);
    expect(await one.code(await first.sign({}))).toBe("identity_unavailable");
    expect(jwksFetches(one)).toBe(0);
  });

  it("that are new are fetched once their first token arrives", async () => {
    const one = world();
    await one.caller(await first.sign({}));
    one.keys = () => Response.json({ keys: [first.jwk, second.jwk] });
    one.now += 31_000;
    expect(await one.code(await second.sign({}, one.now))).toBe("none");
    expect(jwksFetches(one)).toBe(2);
  });

  it("are fetched twice a minute at most, however many tokens name unknown ones", async () => {
    const one = world();
    const token = await second.sign({});
    for (let i = 0; i < 60; i++) {
      const codes = await Promise.all(Array.from({ length: 20 }, () => one.code(token)));
      expect(new Set(codes)).toEqual(new Set(["unauthenticated"]));
      one.now += 1000;
    }
    expect(jwksFetches(one)).toBe(2);
  });

  it("are waited for by those who come while they are fetched, not asked for again", async () => {
    const one = world();
    const token = await first.sign({});
    one.keys = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return Response.json({ keys: [first.jwk] });
    };
    const codes = await Promise.all(Array.from({ length: 10 }, () => one.code(token)));
    expect(codes).toEqual(Array.from({ length: 10 }, () => "none"));
    expect(jwksFetches(one)).toBe(1);
  });
});

function assertionRequest(assertion: string, more: Readonly<Record<string, string>> = {}): Request {
  const headers = { "cf-access-jwt-assertion": assertion, ...more };
  return new Request("https://quayside.test/v1/ask", { headers });
}

describe("Cloudflare Access", () => {
  const TEAM = "acme.cloudflareaccess.com";

  function access(audience: string | undefined, asked: string[] = []) {
    return accessAssertion({
      teamDomain: TEAM,
      audience,
      tenant: "acme",
      claims: async () => ({ groups: "groups" }),
      host: {
        fetch: async (input) => {
          asked.push(new Request(input).url);
          return Response.json({ keys: [first.jwk], public_certs: [] });
        },
        now: () => START,
        log: () => undefined,
      },
    });
  }

  it("says who passed it, by the keys of its own address", async () => {
    const asked: string[] = [];
    const token = await first.sign({
      iss: `https://${TEAM}`,
      aud: ["tag"],
      email: "ana@acme.test",
      custom: { groups: ["ops"], sub: "forged" },
    });
    expect(await authenticate(assertionRequest(token), [access("tag", asked)])).toEqual({
      tenant: "acme",
      subject: "u-1",
      groups: ["ops"],
      attributes: {},
      scopes: ["ask"],
    });
    expect(asked).toEqual([`https://${TEAM}/cdn-cgi/access/certs`]);
  });

  it("vouches for nobody of another application, another team, or a service token", async () => {
    const iss = `https://${TEAM}`;
    for (const claims of [
      { iss, aud: ["other"] },
      { iss: "https://other.cloudflareaccess.com", aud: ["tag"] },
      { iss, aud: ["tag"], sub: "", common_name: "service" },
    ]) {
      const token = await first.sign(claims);
      expect(await codeOf(authenticate(assertionRequest(token), [access("tag")]))).toBe("unauthenticated");
    }
  });

  it("refuses everyone without the application's tag", async () => {
    const token = await first.sign({ iss: `https://${TEAM}`, aud: [""] });
    expect(await codeOf(authenticate(assertionRequest(token), [access(undefined)]))).toBe("not_configured");
  });

  it("leaves it to an Authorization header to say who is asking", async () => {
    const token = await first.sign({ iss: `https://${TEAM}`, aud: ["tag"] });
    const kinds = [access("tag"), bearer([])];
    const both = assertionRequest(token, { authorization: "Bearer nothing" });
    expect(await codeOf(authenticate(both, kinds))).toBe("unauthenticated");
  });
});
