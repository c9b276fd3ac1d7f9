import { exports } from "cloudflare:workers";
import { reset } from "cloudflare:test";
import { beforeAll, describe, expect, it } from "vitest";
import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { apiKeys, generateKey, makeKeyring, type Keyring } from "../../workers/auth/api-keys.ts";
import { authenticate, bearer } from "../../workers/auth/authenticate.ts";
import { widgetTokens } from "../../workers/auth/widget-tokens.ts";
import type { StoredKey } from "../../workers/tenant/api.ts";

const PORTAL = "https://portal.acme.example";
const HERE = "http://127.0.0.1";

const CONFIG: Config = {
  name: "identity test",
  sources: {},
  tables: {},
  surfaces: { allowedOrigins: [PORTAL] },
};

interface Reply {
  readonly status: number;
  readonly code: string | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- a body is looked into by the assertions
  readonly body: any;
}

async function call(
  method: string,
  path: string,
  token: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await exports.default.fetch(
    new Request(HERE + path, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  );
  const text = await response.text();
  const json = text === "" ? undefined : JSON.parse(text);
  return { status: response.status, code: json?.code, body: json };
}

const OPERATOR = "test-token";

async function make(body: Readonly<Record<string, unknown>>): Promise<Reply> {
  return call("POST", "/v1/admin/keys", OPERATOR, { scopes: ["ask"], days: 30, ...body });
}

/** What follows a key's id: it may hold any character of its alphabet, the underscore too. */
const secretOf = (key: string): string => key.slice("qk_0123456789abcdef_".length);

beforeAll(async () => {
  await reset();
  expect((await call("PUT", "/v1/admin/config", OPERATOR, CONFIG)).status).toBe(200);
});

describe("API keys over HTTP", () => {
  it("are told once and open what they were made for", async () => {
    const made = await make({ name: "reports", groups: ["ops"], attributes: { site: ["fr"] } });
    expect(made.status).toBe(201);
    expect(made.body).toMatchObject({
      name: "reports",
      subject: "key:reports",
      groups: ["ops"],
      attributes: { site: ["fr"] },
      scopes: ["ask"],
      revoked_at: null,
    });
    expect(made.body.key).toMatch(/^qk_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    expect((await call("GET", "/v1/tables", made.body.key)).status).toBe(200);
    const denied = await call("GET", "/v1/admin/keys", made.body.key);
    expect([denied.status, denied.code]).toEqual([403, "forbidden"]);
  });

  it("are listed without anything that opens something", async () => {
    const { body } = await make({ name: "listed" });
    const secret = secretOf(body.key);
    const list = await call("GET", "/v1/admin/keys", OPERATOR);
    expect(list.body.keys[0]).toMatchObject({ id: body.id, name: "listed" });
    expect(JSON.stringify(list.body)).not.toContain(secret);
    expect(JSON.stringify(list.body)).not.toContain("digest");
  });

  it("are two of a name while one replaces the other, and never three", async () => {
    const first = await make({ name: "rotated" });
    const second = await make({ name: "rotated" });
    const third = await make({ name: "rotated" });
    expect([third.status, third.code]).toEqual([422, "invalid_request"]);
    for (const { body } of [first, second]) {
      expect((await call("GET", "/v1/tables", body.key)).status).toBe(200);
    }
    expect((await call("DELETE", `/v1/admin/keys/${first.body.id}`, OPERATOR)).status).toBe(204);
    expect((await make({ name: "rotated" })).status).toBe(201);
  });

  it("that were never used are refused as soon as they are revoked", async () => {
    const { body } = await make({ name: "revoked" });
    await call("DELETE", `/v1/admin/keys/${body.id}`, OPERATOR);
    const reply = await call("GET", "/v1/tables", body.key);
    expect([reply.status, reply.code]).toEqual([401, "unauthenticated"]);
  });

  it("may administer where they were made to", async () => {
    const { body } = await make({ name: "admin", scopes: ["admin"] });
    expect((await call("GET", "/v1/admin/status", body.key)).status).toBe(200);
    expect((await call("GET", "/v1/tables", body.key)).code).toBe("forbidden");
  });

  it.each([
    ["no scope", { scopes: [] }],
    ["an unknown scope", { scopes: ["root"] }],
    ["a name with a space", { name: "a b" }],
    ["no end", { days: 0 }],
    ["more than a year", { days: 367 }],
    ["a digest of its own", { digest: "x" }],
    ["a tenant", { tenant: "other" }],
    ["groups that are one text", { groups: "ops" }],
  ])("with %s are not made", async (_, body) => {
    const reply = await make({ name: "wrong", ...body });
    expect([reply.status, reply.code]).toEqual([422, "invalid_request"]);
  });

  it("that are not there can't be revoked", async () => {
    const reply = await call("DELETE", "/v1/admin/keys/0000000000000000", OPERATOR);
    expect([reply.status, reply.code]).toEqual([404, "not_found"]);
  });
});

describe("widget tokens over HTTP", () => {
  const ana = { subject: "ana", groups: ["ops"], attributes: { site: ["fr"] }, origin: PORTAL };
  let key: string;

  beforeAll(async () => {
    const held = { groups: ["ops", "sales"], attributes: { site: ["fr", "uk"] } };
    key = (await make({ name: "portal", scopes: ["widget"], ...held })).body.key;
  });

  it("let a page of their origin ask, and nothing else", async () => {
    const minted = await call("POST", "/v1/widget/tokens", key, ana);
    expect(minted.status).toBe(201);
    const leftMs = Date.parse(minted.body.expires_at) - Date.now();
    expect(leftMs).toBeGreaterThan(290_000);
    expect(leftMs).toBeLessThanOrEqual(300_000);
    const { token } = minted.body;
    expect((await call("GET", "/v1/tables", token, undefined, { origin: PORTAL })).status).toBe(200);
    const admin = await call("GET", "/v1/admin/status", token, undefined, { origin: PORTAL });
    expect([admin.status, admin.code]).toEqual([403, "forbidden"]);
    const another = await call("POST", "/v1/widget/tokens", token, ana, { origin: PORTAL });
    expect([another.status, another.code]).toEqual([401, "unauthenticated"]);
  });

  it.each([
    ["without an origin", {}, 403],
    ["from the Worker's own", { origin: HERE }, 403],
    ["from nowhere", { origin: "null" }, 403],
    ["from an origin that begins alike", { origin: `${PORTAL}.evil.example` }, 403],
  ])("are refused %s", async (_, headers, status) => {
    const { token } = (await call("POST", "/v1/widget/tokens", key, ana)).body;
    const reply = await call("GET", "/v1/tables", token, undefined, headers);
    expect([reply.status, reply.code]).toEqual([status, "origin_not_allowed"]);
  });

  it("end with the key that they were traded for", async () => {
    const brief = (await make({ name: "brief", scopes: ["widget"] })).body;
    const minted = await call("POST", "/v1/widget/tokens", brief.key, { subject: "ana", origin: HERE });
    await call("DELETE", `/v1/admin/keys/${brief.id}`, OPERATOR);
    // Whether the isolate remembers the key is another test's matter: a new one does not.
    const fresh = keyringOf(() => ({ ...stored(), id: brief.id, revokedAt: "2026-01-01T00:00:00.000Z" }));
    const tokens = widgetTokens({ secret: OPERATOR, keyring: fresh, now: Date.now });
    expect(await codeOf(tokens.verify(minted.body.token, pageRequest(HERE)))).toBe("unauthenticated");
  });

  it.each([
    ["a group that the key lacks", { groups: ["hr"] }, "/groups"],
    ["a value that the key lacks", { attributes: { site: ["de"] } }, "/attributes"],
    ["an attribute that the key lacks", { attributes: { region: ["eu"] } }, "/attributes"],
    ["an attribute called like an object's property", { attributes: { toString: ["x"] } }, "/attributes"],
    ["an origin that is not allowed", { origin: "https://evil.example" }, "/origin"],
    ["an origin with a path", { origin: `${PORTAL}/` }, "/origin"],
    ["eleven minutes", { ttl_seconds: 601 }, "/ttl_seconds"],
    ["scopes", { scopes: ["admin"] }, "/scopes"],
    ["no subject", { subject: "" }, "/subject"],
  ])("are not made for %s", async (_, body, pointer) => {
    const reply = await call("POST", "/v1/widget/tokens", key, { ...ana, ...body });
    expect([reply.status, reply.code]).toEqual([422, "invalid_request"]);
    expect(reply.body.errors[0].pointer).toBe(pointer);
  });

  it("are made for keys with their scope only", async () => {
    const other = (await make({ name: "asks", scopes: ["ask"] })).body.key;
    expect((await call("POST", "/v1/widget/tokens", other, ana)).code).toBe("forbidden");
    expect((await call("POST", "/v1/widget/tokens", OPERATOR, ana)).code).toBe("unauthenticated");
  });
});

const NOW = 1_790_000_000_000;

function stored(change: Partial<StoredKey> = {}): StoredKey {
  return {
    id: "00112233aabbccdd",
    name: "portal",
    digest: "none",
    tenant: "acme",
    subject: "key:portal",
    groups: ["ops"],
    attributes: {},
    scopes: ["ask", "widget"],
    createdAt: new Date(NOW).toISOString(),
    expiresAt: new Date(NOW + 86_400_000).toISOString(),
    revokedAt: undefined,
    ...change,
  };
}

function keyringOf(find: () => StoredKey | undefined, now: () => number = () => NOW): Keyring {
  return makeKeyring(async () => find(), now);
}

function pageRequest(origin: string, url = `${HERE}/v1/ask`): Request {
  return new Request(url, { method: "POST", headers: { origin } });
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

describe("an API key", () => {
  it("holds until it expires, and for 5 s at most after it was revoked", async () => {
    const made = await generateKey();
    let now = NOW;
    let key: StoredKey | undefined = stored({ id: made.id, digest: made.digest });
    const keys = apiKeys(
      makeKeyring(
        async () => key,
        () => now,
      ),
    );
    expect((await keys.verify(made.text, pageRequest(PORTAL))).subject).toBe("key:portal");
    key = { ...key, revokedAt: new Date(NOW).toISOString() };
    now += 4999;
    expect(await codeOf(keys.verify(made.text, pageRequest(PORTAL)))).toBe("none");
    now += 1;
    expect(await codeOf(keys.verify(made.text, pageRequest(PORTAL)))).toBe("unauthenticated");
    key = stored({ id: made.id, digest: made.digest });
    now = NOW + 86_400_000;
    expect(await codeOf(keys.verify(made.text, pageRequest(PORTAL)))).toBe("unauthenticated");
  });

  it("reads the same whether its id or its secret is wrong", async () => {
    const made = await generateKey();
    const other = await generateKey();
    const known = apiKeys(keyringOf(() => stored({ id: made.id, digest: made.digest })));
    const unknown = apiKeys(keyringOf(() => undefined));
    const messages = await Promise.all(
      [
        known.verify(`qk_${made.id}_${secretOf(other.text)}`, pageRequest(PORTAL)),
        unknown.verify(made.text, pageRequest(PORTAL)),
        unknown.verify("qk_short", pageRequest(PORTAL)),
      ].map((verifying) => verifying.catch((error: unknown) => String(error))),
    );
    expect(new Set(messages)).toEqual(new Set(["QuaysideError: The token is not valid."]));
  });

  it.each([
    "qk_",
    "qk__",
    "qk_00112233aabbccdd_",
    "qk_00112233aabbccdd_short",
    "qk_../../x_y",
    "qk_constructor_x",
  ])("is not %s", async (text) => {
    const keys = apiKeys(keyringOf(() => stored()));
    const request = new Request(HERE, { headers: { authorization: `Bearer ${text}` } });
    expect(await codeOf(authenticate(request, [bearer([keys])]))).toBe("unauthenticated");
  });
});

describe("a widget token", () => {
  const claims = {
    aud: HERE,
    origin: PORTAL,
    key: "00112233aabbccdd",
    subject: "ana",
    groups: ["ops"],
    attributes: {},
    exp: NOW / 1000 + 300,
  };

  function tokens(secret: string | undefined = "a secret", now: () => number = () => NOW) {
    return widgetTokens({ secret, keyring: keyringOf(() => stored(), now), now });
  }

  it("acts as the person it names, who may ask", async () => {
    const token = await tokens().mint(claims);
    expect(await tokens().verify(token, pageRequest(PORTAL))).toEqual({
      tenant: "acme",
      subject: "ana",
      groups: ["ops"],
      attributes: {},
      scopes: ["ask"],
    });
  });

  it("ends at its end", async () => {
    const token = await tokens().mint(claims);
    const at = (ms: number) => tokens("a secret", () => NOW + ms).verify(token, pageRequest(PORTAL));
    expect(await codeOf(at(299_999))).toBe("none");
    expect(await codeOf(at(300_000))).toBe("unauthenticated");
  });

  it("of another deployment is none", async () => {
    const token = await tokens("another secret").mint(claims);
    expect(await codeOf(tokens().verify(token, pageRequest(PORTAL)))).toBe("unauthenticated");
  });

  it("is for the Worker's address that made it", async () => {
    const token = await tokens().mint(claims);
    const elsewhere = pageRequest(PORTAL, "https://other.example/v1/ask");
    expect(await codeOf(tokens().verify(token, elsewhere))).toBe("unauthenticated");
  });

  it("does not outlive its key's scope", async () => {
    const token = await tokens().mint(claims);
    const keyring = keyringOf(() => stored({ scopes: ["ask"] }));
    const verifier = widgetTokens({ secret: "a secret", keyring, now: () => NOW });
    expect(await codeOf(verifier.verify(token, pageRequest(PORTAL)))).toBe("unauthenticated");
  });

  it("with one character changed is none", async () => {
    const token = await tokens().mint(claims);
    for (let at = 3; at < token.length; at += 7) {
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      expect(await codeOf(tokens().verify(changed, pageRequest(PORTAL)))).toBe("unauthenticated");
    }
  });

  it("has one spelling: stray bits of its last character are refused", async () => {
    const token = await tokens().mint(claims);
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const last = alphabet.indexOf(token.at(-1) ?? "");
    const twin = token.slice(0, -1) + (alphabet[last + 1] ?? "");
    expect(await codeOf(tokens().verify(twin, pageRequest(PORTAL)))).toBe("unauthenticated");
  });

  it("is refused when it would not fit into a header", async () => {
    const groups = Array.from({ length: 400 }, (_, i) => `a-group-with-a-long-name-${i}`);
    expect(await codeOf(tokens().mint({ ...claims, groups }))).toBe("invalid_request");
  });

  it("is not made without a secret to sign it with", async () => {
    const none = widgetTokens({ secret: undefined, keyring: keyringOf(() => stored()), now: () => NOW });
    expect(await codeOf(none.mint(claims))).toBe("not_configured");
  });
});
