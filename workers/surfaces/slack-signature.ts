import { unauthenticated } from "../auth/authenticate.ts";

/** What requests of a Slack app are signed with. */
export interface SlackSecrets {
  readonly current: string;
  /** The secret before the last rotation, good until that moment, in milliseconds since the epoch. */
  readonly previous?: { readonly secret: string; readonly until: number } | undefined;
}

/** Slack's own bound against replays; here it holds in both directions. docs.slack.dev, "Verifying requests from Slack", read 2026-11. */
const WINDOW_S = 300;

/**
 * Verifies a request's signature over the bytes as they came, before anything reads them.
 * @param now milliseconds since the epoch.
 * @throws QuaysideError `unauthenticated`.
 */
export async function verifySlack(
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
  secrets: SlackSecrets,
  now: number,
): Promise<void> {
  const timestamp = headers.get("x-slack-request-timestamp") ?? "";
  const signature = /^v0=([0-9a-f]{64})$/i.exec(headers.get("x-slack-signature") ?? "")?.[1];
  // Digits only: what Number() makes of anything else may compare as fresh.
  if (!/^\d{1,12}$/.test(timestamp) || signature === undefined) throw notSlack();
  if (Math.abs(now / 1000 - Number(timestamp)) > WINDOW_S) throw notSlack();
  const signed = concat(new TextEncoder().encode(`v0:${timestamp}:`), body);
  const digest = Uint8Array.from(signature.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  const { current, previous } = secrets;
  if (await matches(current, digest, signed)) return;
  if (previous && now < previous.until && (await matches(previous.secret, digest, signed))) return;
  throw notSlack();
}

/** `verify` compares in constant time. */
async function matches(
  secret: string,
  digest: Uint8Array<ArrayBuffer>,
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
    "verify",
  ]);
  return crypto.subtle.verify("HMAC", key, digest, signed);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.byteLength + b.byteLength);
  both.set(a);
  both.set(b, a.byteLength);
  return both;
}

function notSlack(): Error {
  return unauthenticated("The request is not signed by Slack's secret of this app, or it is not fresh.");
}
