import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from "node:crypto";
import * as z from "zod/mini";

/** A key pair of a stub's own, and tokens signed with it, checked independently of the code under test. */

export interface StubKey {
  /** PKCS#8 in PEM. */
  readonly privateKey: string;
  readonly publicKey: KeyObject;
}

export function makeStubKey(): StubKey {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return {
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: createPublicKey(privateKey),
  };
}

type Fields = Readonly<Record<string, unknown>>;

/** Header and claims of a token; undefined when it is malformed, not RS256 or not signed with the key. */
export function verifiedClaims(
  token: string,
  key: KeyObject,
): { readonly header: Fields; readonly claims: Fields } | undefined {
  const [header = "", claims = "", signature = "", ...rest] = token.split(".");
  if (rest.length > 0 || !verify("sha256", Buffer.from(`${header}.${claims}`), key, bytes(signature))) {
    return undefined;
  }
  const parsed = { header: fieldsOf(header), claims: fieldsOf(claims) };
  return parsed.header["alg"] === "RS256" ? parsed : undefined;
}

/** Whether the token is valid now and lives no longer than an hour. */
export function inTime(claims: Fields): boolean {
  const { iat, exp } = claims;
  const now = Date.now() / 1000;
  return (
    typeof iat === "number" && typeof exp === "number" && iat <= now + 60 && exp > now && exp - iat <= 3600
  );
}

function fieldsOf(part: string): Fields {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(bytes(part).toString()));
}

function bytes(part: string): Buffer {
  return Buffer.from(part, "base64url");
}
