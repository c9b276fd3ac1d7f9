import { DurableObject } from "cloudflare:workers";
import { Hono } from "hono";

/**
 * What an answer from the cache is measured against: the least that a Worker can do which reads KV and asks a Durable Object
 * whether what it read still holds. The object answers without looking.
 */

export class Empty extends DurableObject {
  holds(): boolean {
    return true;
  }
}

interface HitEnv {
  readonly CACHE: KVNamespace;
  readonly OBJECT: DurableObjectNamespace<Empty>;
}

const app = new Hono<{ Bindings: HitEnv }>();

app.get("/healthz", (c) => c.text("ok"));

app.put("/kept", async (c) => {
  await c.env.CACHE.put("kept", await c.req.text(), { expirationTtl: 3600 });
  return c.text("ok");
});

app.post("/ask", async (c) => {
  const { question } = await c.req.json<{ readonly question: string }>();
  await crypto.subtle.digest("SHA-256", new TextEncoder().encode(question));
  const kept = await c.env.CACHE.get("kept");
  const holds = await c.env.OBJECT.get(c.env.OBJECT.idFromName("one")).holds();
  return new Response(`data: ${JSON.stringify({ kept, holds })}\n\n`, {
    headers: { "content-type": "text/event-stream" },
  });
});

export default app;
