import { base64url } from "../../shared/jwt.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { makeMemo } from "../memo.ts";
import type { StoredKey } from "../tenant/api.ts";
import { unauthenticated, type BearerKind } from "./authenticate.ts";
import { principalOf } from "./claims.ts";
import { sameText, sha256 } from "./secret.ts";

/** API keys, `qk_<id>_<secret>`: 64 bits that find it, 256 that prove it. Only the secret's digest is stored. */

const FORM = /^qk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
/** How long this isolate believes what the ledger said; part of the bound on how fast a revocation holds. */
const MEMO_MS = 5000;

export interface Keyring {
  /** A key that is neither revoked nor expired. @throws QuaysideError `registry_unavailable`. */
  live(id: string): Promise<StoredKey | undefined>;
}

/** @param find asks the ledger. */
export function makeKeyring(
  find: (id: string) => Promise<StoredKey | undefined>,
  now: () => number,
): Keyring {
  const memo = makeMemo<{ readonly key: StoredKey | undefined }>(now, MEMO_MS);
  return {
    async live(id) {
      const { key } = memo.get(id) ?? memo.set(id, { key: await find(id) });
      return key && key.revokedAt === undefined && Date.parse(key.expiresAt) > now() ? key : undefined;
    },
  };
}

/** A form of token that ends with an API key. */
export interface KeyBound extends BearerKind {
  /** The id of that key, of a token that was verified. */
  keyOf(token: string): string | undefined;
}

export interface ApiKeys extends KeyBound {
  /** The key of a token, and whom it acts as. @throws as `verify`. */
  readonly identify: (token: string) => Promise<{ readonly id: string; readonly principal: Principal }>;
}

export function apiKeys(keyring: Keyring): ApiKeys {
  const identify: ApiKeys["identify"] = async (token) => {
    const [, id = "", secret = ""] = FORM.exec(token) ?? [];
    const key = id === "" ? undefined : await keyring.live(id);
    // An id that does not exist takes as long as one that does, and reads the same.
    const right = await sameText(await digestOf(secret), key?.digest ?? "none");
    if (!key || !right) throw unauthenticated("The token is not valid.");
    const { tenant, subject, groups, attributes, scopes } = key;
    return { id, principal: principalOf({ tenant, subject, groups, attributes, scopes }) };
  };
  return {
    takes: (token) => token.startsWith("qk_"),
    keyOf: (token) => FORM.exec(token)?.[1],
    identify,
    verify: async (token) => (await identify(token)).principal,
  };
}

/** A new key: `text` is shown once, `digest` is stored. */
export async function generateKey(): Promise<{
  readonly id: string;
  readonly text: string;
  readonly digest: string;
}> {
  const id = Array.from(crypto.getRandomValues(new Uint8Array(8)), (b) => b.toString(16).padStart(2, "0"));
  const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
  return { id: id.join(""), text: `qk_${id.join("")}_${secret}`, digest: await digestOf(secret) };
}

async function digestOf(secret: string): Promise<string> {
  return base64url(new Uint8Array(await sha256(secret)));
}
