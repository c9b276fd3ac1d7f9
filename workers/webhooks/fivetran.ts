import * as z from "zod/mini";
import { isSignature, notVerified, type Webhook } from "./webhook.ts";

const payloadSchema = z.object({
  event: z.string(),
  connector_id: z.string(),
  sync_id: z.optional(z.string()),
  data: z.object({ status: z.optional(z.string()) }),
});

/**
 * Fivetran: `X-Fivetran-Signature-256` is the hex HMAC-SHA256 of the body, in upper case
 * (https://fivetran.com/docs/rest-api/webhooks). It signs only when the webhook was made with a secret.
 */
export const fivetranWebhook: Webhook = {
  secretName: "FIVETRAN_WEBHOOK_SECRET",
  async verify(headers, body, secret) {
    const signature = headers.get("x-fivetran-signature-256") ?? "";
    if (!(await isSignature(secret, body, signature))) throw notVerified();
    return undefined;
  },
  read(payload) {
    const parsed = payloadSchema.safeParse(payload);
    if (!parsed.success) return undefined;
    const { event, connector_id, sync_id, data } = parsed.data;
    if (event !== "sync_end" || data.status !== "SUCCESSFUL") return undefined;
    return { id: sync_id, subject: connector_id };
  },
};
