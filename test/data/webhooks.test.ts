import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import { webhookWorld } from "../fakes/webhook-world.ts";
import { DATA } from "./hostile.ts";

/** Signed calls at a fixed time, as `webhook-signatures.json` has them: each decided as it says there. */

const setSchema = z.object({
  secrets: z.object({ reingest_secret: z.string() }),
  cases: z.array(
    z.object({
      id: z.string(),
      scheme: z.string(),
      name: z.string(),
      now: z.number(),
      headers: z.record(z.string(), z.string()),
      body_b64: z.string(),
      expect: z.string(),
      send_times: z.optional(z.number()),
      status: z.optional(z.number()),
    }),
  ),
});

const path = join(DATA, "adversarial", "webhook-signatures.json");
const there = existsSync(path);
// oxlint-disable-next-line no-console -- a skip nobody hears of would pass for a pass
if (!there) console.warn(`skipped: ${path} is not there; set QUAYSIDE_DATA`);
const set = there ? setSchema.parse(JSON.parse(readFileSync(path, "utf8"))) : undefined;
const cases = (set?.cases ?? []).filter((one) => one.scheme === "reingest_hmac");

describe.skipIf(!there)("signed calls that ask for an ingest", () => {
  it("are there", () => {
    expect(cases.length).toBeGreaterThanOrEqual(15);
  });

  it.each(cases)("$id $name: $expect", async (one) => {
    const secrets = { QUAYSIDE_WEBHOOK_SECRET: set?.secrets.reingest_secret ?? "" };
    const sources = { "snowflake.sales": { kind: "hmac" } };
    const world = webhookWorld(sources, secrets, () => one.now * 1000);
    const body = new Uint8Array(Buffer.from(one.body_b64, "base64"));
    const called = [];
    for (let i = 0; i < (one.send_times ?? 1); i++) {
      called.push(await world.post("/v1/ingest/webhooks", body, one.headers));
    }
    const accepted = one.expect.startsWith("accept");
    expect(called.map((call) => call.status)).toEqual(
      called.map(() => (accepted ? 202 : (one.status ?? 401))),
    );
    expect(world.asked.length).toBe(accepted ? 1 : 0);
    if (accepted) expect(new Set(called.map((call) => call.run))).toEqual(new Set(["run_1"]));
  });
});
