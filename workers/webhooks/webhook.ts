import { QuaysideError } from "../../shared/ports/errors.ts";

/**
 * A system that tells when tables have changed: how its calls are verified, and what they say. One file a kind, one line in
 * `workers/registry.ts`.
 */
export interface Webhook {
  /** Name of the secret where the configuration names none. */
  readonly secretName: string;
  /**
   * Verifies a call before anything in it is believed.
   * @param body exactly the bytes that came: a body that was parsed and written again is another one.
   * @param now milliseconds since the epoch.
   * @returns what makes the call itself known again; undefined where that is told by its payload alone.
   * @throws QuaysideError `unauthenticated`, whatever is wrong.
   */
  verify(headers: Headers, body: Uint8Array, secret: string, now: number): Promise<string | undefined>;
  /** What a verified payload tells; undefined when it tells of nothing that changed a table. */
  read(payload: unknown): WebhookEvent | undefined;
}

export interface WebhookEvent {
  /** The same for every delivery of one event, where the sender says so. */
  readonly id: string | undefined;
  /** The sender's own id of what ran: a job, a connection. */
  readonly subject: string | undefined;
}

/** One answer to every call that can't be believed. */
export function notVerified(): QuaysideError {
  return new QuaysideError("unauthenticated", "The call's signature is not valid.");
}

const encoder = new TextEncoder();

/**
 * Whether a hexadecimal HMAC-SHA256 is that of the bytes, under the secret or, while one is being replaced, either of two that
 * a comma separates. Takes the same time whatever the signature holds.
 */
export async function isSignature(secret: string, data: Uint8Array, hex: string): Promise<boolean> {
  if (!/^[0-9a-f]{64}$/i.test(hex)) return false;
  const signature = Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  let found = false;
  for (const one of secretsIn(secret)) {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", encoder.encode(one), algorithm, false, ["verify"]);
    if (await crypto.subtle.verify("HMAC", key, signature, data)) found = true;
  }
  return found;
}

export function secretsIn(secret: string): readonly string[] {
  return secret
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}
