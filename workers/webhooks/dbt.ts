import * as z from "zod/mini";
import { isSignature, notVerified, type Webhook } from "./webhook.ts";

const payloadSchema = z.object({
  eventType: z.string(),
  data: z.object({
    jobId: z.union([z.string(), z.number()]),
    runId: z.union([z.string(), z.number()]),
    runStatus: z.string(),
  }),
});

/**
 * dbt Cloud: `Authorization` is the hex HMAC-SHA256 of the body, nothing else in it
 * (https://docs.getdbt.com/docs/deploy/webhooks). "Run completed" comes for runs that failed too.
 */
export const dbtWebhook: Webhook = {
  secretName: "DBT_WEBHOOK_SECRET",
  async verify(headers, body, secret) {
    const signature = headers.get("authorization") ?? "";
    if (!(await isSignature(secret, body, signature))) throw notVerified();
    return undefined;
  },
  read(payload) {
    const parsed = payloadSchema.safeParse(payload);
    if (!parsed.success) return undefined;
    const { eventType, data } = parsed.data;
    if (eventType !== "job.run.completed" || data.runStatus !== "Success") return undefined;
    return { id: String(data.runId), subject: String(data.jobId) };
  },
};
