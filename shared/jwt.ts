import { QuaysideError } from "./ports/errors.ts";

/** Signed tokens (RFC 7519, RS256) for services that take a private key instead of a password; WebCrypto only. */

const RSA = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" } as const;

/**
 * Reads a private RSA key: PKCS#8 in PEM, unencrypted; line feeds may be written as `\n`, as environment files do.
 * @param setting the name of the secret, for messages.
 * @throws QuaysideError `config_invalid`
 */
export async function importPrivateKey(pem: string, setting: string): Promise<CryptoKey> {
  const [, base64] =
    /-----BEGIN PRIVATE KEY-----([\sA-Za-z0-9+/=]+)-----END PRIVATE KEY-----/.exec(
      pem.replaceAll(String.raw`\n`, "\n"),
    ) ?? [];
  try {
    if (base64 === undefined) throw new TypeError("not PKCS#8");
    const der = Uint8Array.from(atob(base64.replaceAll(/\s/g, "")), (char) => char.charCodeAt(0));
    // Extractable, because the public half, which some services name the key by, is inside.
    return await crypto.subtle.importKey("pkcs8", der, RSA, true, ["sign"]);
  } catch {
    // Not kept as a cause: nothing of a key may reach a log.
    throw new QuaysideError(
      "config_invalid",
      `${setting} must hold an unencrypted RSA key in PKCS#8 ("BEGIN PRIVATE KEY").`,
    );
  }
}

/** SHA-256 of the public half in its SubjectPublicKeyInfo form, as standard Base64: how services name a registered key. */
export async function publicKeyFingerprint(key: CryptoKey): Promise<string> {
  const { n, e } = await crypto.subtle.exportKey("jwk", key);
  if (n === undefined || e === undefined) {
    throw new QuaysideError("config_invalid", "The private key has no public half.");
  }
  const half = await crypto.subtle.importKey("jwk", { kty: "RSA", n, e }, RSA, true, ["verify"]);
  const spki = await crypto.subtle.exportKey("spki", half);
  return btoa(binary(new Uint8Array(await crypto.subtle.digest("SHA-256", spki))));
}

/**
 * A token of these claims, signed with RS256.
 * @param claims times in seconds since the Unix epoch.
 * @param keyId for the header, where the service needs it.
 */
export async function signJwt(
  key: CryptoKey,
  claims: Readonly<Record<string, string | number>>,
  keyId?: string,
): Promise<string> {
  const header = { alg: "RS256", typ: "JWT", ...(keyId === undefined ? {} : { kid: keyId }) };
  const encoder = new TextEncoder();
  const part = (value: unknown): string => base64url(encoder.encode(JSON.stringify(value)));
  const unsigned = `${part(header)}.${part(claims)}`;
  const signature = await crypto.subtle.sign(RSA.name, key, encoder.encode(unsigned));
  return `${unsigned}.${base64url(new Uint8Array(signature))}`;
}

/** RFC 4648, section 5, without padding. */
export function base64url(bytes: Uint8Array): string {
  return btoa(binary(bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function binary(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
