import * as z from "zod/mini";
import { base64url } from "../../shared/jwt.ts";
import { principalFields } from "../../shared/keys-wire.ts";
import { lazily } from "../../shared/lazily.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Keyring, KeyBound } from "./api-keys.ts";
import { unauthenticated } from "./authenticate.ts";
import { principalOf } from "./claims.ts";
import { urlOf } from "../url.ts";

/**
 * Widget tokens, `qw_<claims>.<HMAC-SHA-256>`: one person, on one portal's pages, asking this deployment, for minutes. They are
 * made and read here only, so they need no choice of algorithms.
 */

export const MAX_TTL_S = 600;
export const DEFAULT_TTL_S = 300;
/** Below the 8 KiB that servers and proxies commonly take as one header. */
const MAX_CHARS = 7000;

const claimsSchema = lazily(() => {
  const { subject, grants } = principalFields();
  return z.strictObject({
    /** Origin of the Worker that made it, the only one that takes it. */
    aud: z.string(),
    /** Origin of the pages that may send it. */
    origin: z.string(),
    /** Id of the API key that it was traded for: its end is the token's. */
    key: z.string(),
    subject,
    ...grants,
    /** Seconds since the epoch. */
    exp: z.number(),
    /** Tells two tokens of the same person apart. */
    id: z.string(),
  });
});

export type WidgetClaims = z.infer<ReturnType<typeof claimsSchema>>;

const FORM = /^qw_([A-Za-z0-9_-]{1,8000})\.([A-Za-z0-9_-]{43})$/;

export interface WidgetTokens extends KeyBound {
  /** @throws QuaysideError `not_configured` without a secret, `invalid_request` for more groups than a header holds. */
  readonly mint: (claims: Omit<WidgetClaims, "id">) => Promise<string>;
}

export interface WidgetTokenSettings {
  /** `QUAYSIDE_WIDGET_SECRET`, or what stands in for it; undefined: there are no widget tokens. */
  readonly secret: string | undefined;
  readonly keyring: Keyring;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function widgetTokens({ secret, keyring, now }: WidgetTokenSettings): WidgetTokens {
  let signing: CryptoKey | undefined;
  const signingKey = async (): Promise<CryptoKey> => {
    if (secret === undefined) {
      throw new QuaysideError("not_configured", "Set QUAYSIDE_WIDGET_SECRET to sign widget tokens with.");
    }
    return (signing ??= await derive(secret));
  };

  return {
    async mint(claims) {
      const text = JSON.stringify({ ...claims, id: crypto.randomUUID() });
      const body = base64url(new TextEncoder().encode(text));
      const signature = await crypto.subtle.sign("HMAC", await signingKey(), bytesOf(body));
      const token = `qw_${body}.${base64url(new Uint8Array(signature))}`;
      if (token.length <= MAX_CHARS) return token;
      throw new QuaysideError("invalid_request", "The token would not fit into a header.", {
        violations: [{ pointer: "/groups", rule: "fewer groups and attributes" }],
      });
    },
    takes: (token) => token.startsWith("qw_"),
    keyOf(token) {
      const body = FORM.exec(token)?.[1];
      return body === undefined ? undefined : claimsIn(body).key;
    },
    async verify(token, request) {
      const claims = await read(token, signingKey);
      if (!claims || claims.exp * 1000 <= now()) throw unauthenticated("The token is not valid.");
      if (claims.aud !== urlOf(request).origin) throw unauthenticated("The token is not for us.");
      if (request.headers.get("origin") !== claims.origin) {
        throw new QuaysideError("origin_not_allowed", "The token belongs to another page.");
      }
      const key = await keyring.live(claims.key);
      if (!key?.scopes.includes("widget")) throw unauthenticated("The token's key is no longer valid.");
      return principal(claims, key.tenant);
    },
  };
}

function principal({ subject, groups, attributes }: WidgetClaims, tenant: string): Principal {
  return principalOf({ tenant, subject, groups, attributes, scopes: ["ask"] });
}

/** The claims of a token whose signature holds. */
async function read(token: string, key: () => Promise<CryptoKey>): Promise<WidgetClaims | undefined> {
  const [, body, sent] = FORM.exec(token) ?? [];
  if (body === undefined || sent === undefined) return undefined;
  const signature = decode(sent);
  // Compared again as text: the last character has spare bits, and a token has one spelling.
  const holds = await crypto.subtle.verify("HMAC", await key(), signature, bytesOf(body));
  if (!holds || base64url(signature) !== sent) return undefined;
  return claimsIn(body);
}

function claimsIn(body: string): WidgetClaims {
  return claimsSchema().parse(JSON.parse(new TextDecoder().decode(decode(body))));
}

/** A key of its own, whatever else the secret is used for. */
async function derive(secret: string): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey("raw", bytesOf(secret), "HKDF", false, ["deriveKey"]);
  const info = bytesOf("quayside widget tokens");
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info },
    base,
    { name: "HMAC", hash: "SHA-256", length: 256 },
    false,
    ["sign", "verify"],
  );
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}
