import { isSignature, notVerified, type Webhook } from "./webhook.ts";

/** Either side of the Worker's clock. */
const WINDOW_S = 300;
const MAX_HEADER = 1024;

/**
 * Any script: `X-Quayside-Signature: t=<unix seconds>,n=<nonce>,v1=<hex HMAC-SHA256 of "t.n.body">`. `v1` may be given several
 * times while a secret is being replaced; parts of other names are passed over, `t` and `n` are given once.
 */
export const hmacWebhook: Webhook = {
  secretName: "QUAYSIDE_WEBHOOK_SECRET",
  async verify(headers, body, secret, now) {
    const header = headers.get("x-quayside-signature") ?? "";
    if (header === "" || header.length > MAX_HEADER) throw notVerified();
    const parts = header.split(",").map((part) => {
      const at = part.indexOf("=");
      return [part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1).trim()] as const;
    });
    const values = (name: string): string[] =>
      parts.filter(([key]) => key === name).map(([, value]) => value);
    const [time, secondTime] = values("t");
    const [nonce, secondNonce] = values("n");
    if (time === undefined || secondTime !== undefined || !/^\d{1,12}$/.test(time)) throw notVerified();
    if (nonce === undefined || secondNonce !== undefined || !/^[\w.~-]{1,128}$/.test(nonce)) {
      throw notVerified();
    }
    if (Math.abs(now / 1000 - Number(time)) > WINDOW_S) throw notVerified();
    const head = new TextEncoder().encode(`${time}.${nonce}.`);
    const signed = new Uint8Array(head.length + body.length);
    signed.set(head);
    signed.set(body, head.length);
    let valid = false;
    for (const signature of values("v1")) if (await isSignature(secret, signed, signature)) valid = true;
    if (!valid) throw notVerified();
    return nonce;
  },
  // Sent only when there is something to tell.
  read: () => ({ id: undefined, subject: undefined }),
};
