import * as z from "zod/mini";
import { notVerified, secretsIn, type Webhook } from "./webhook.ts";

const payloadSchema = z.object({
  data: z.object({
    connection: z.object({ id: z.string() }),
    jobId: z.union([z.string(), z.number()]),
    success: z.boolean(),
  }),
});

/**
 * Airbyte signs nothing and sends no header of one's choice (https://docs.airbyte.com, "Manage notifications"): a proxy in
 * between adds `Authorization: Bearer <secret>`.
 */
export const airbyteWebhook: Webhook = {
  secretName: "AIRBYTE_WEBHOOK_SECRET",
  async verify(headers, _body, secret) {
    const sent = /^Bearer +(\S+)$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
    const encoder = new TextEncoder();
    const digest = (text: string): Promise<ArrayBuffer> =>
      crypto.subtle.digest("SHA-256", encoder.encode(text));
    let valid = false;
    for (const one of secretsIn(secret)) {
      if (crypto.subtle.timingSafeEqual(await digest(sent), await digest(one))) valid = true;
    }
    if (!valid) throw notVerified();
    return undefined;
  },
  read(payload) {
    const parsed = payloadSchema.safeParse(payload);
    if (!parsed.success || !parsed.data.data.success) return undefined;
    const { connection, jobId } = parsed.data.data;
    return { id: String(jobId), subject: connection.id };
  },
};
