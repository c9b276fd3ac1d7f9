import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { webhookWorld, type Called } from "../fakes/webhook-world.ts";

const NOW_S = 1_790_000_000;
const SECRETS = {
  QUAYSIDE_WEBHOOK_SECRET: "old,whk_new",
  DBT_WEBHOOK_SECRET: "dbt-secret",
  FIVETRAN_WEBHOOK_SECRET: "fivetran-secret",
  CRM_SECRET: "crm-secret",
};
const WEBHOOKS = {
  sales: { kind: "hmac", tables: ["orders"] },
  crm: { kind: "hmac", secret: "CRM_SECRET" },
  nightly: { kind: "dbt", tables: ["orders", "customers"], only: ["278164"] },
  replica: { kind: "fivetran" },
};

const bytes = (body: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(body));
const hmac = (secret: string, ...parts: (string | Uint8Array)[]): string => {
  const mac = createHmac("sha256", secret);
  for (const part of parts) mac.update(part);
  return mac.digest("hex");
};
const world = (): ReturnType<typeof webhookWorld> => webhookWorld(WEBHOOKS, SECRETS, () => NOW_S * 1000);

function signed(secret: string, body: Uint8Array, nonce = "n1", time = NOW_S): Record<string, string> {
  const signature = hmac(secret, `${time}.${nonce}.`, body);
  return { "x-quayside-signature": `t=${time},n=${nonce},v1=${signature}` };
}

describe("generic webhooks", () => {
  const body = bytes({ source: "sales" });
  const post = (headers: Record<string, string>, sent = body): Promise<Called> =>
    world().post("/v1/ingest/webhooks", sent, headers);

  it("ask for the tables of their source", async () => {
    const { post, asked } = world();
    expect(await post("/v1/ingest/webhooks", body, signed("whk_new", body))).toEqual({
      status: 202,
      run: "run_1",
      outcome: "queued",
    });
    expect(asked).toEqual([{ tables: ["orders"], once: "webhook:sales:n1" }]);
  });

  it("are taken under either secret while one is being replaced", async () => {
    expect((await post(signed("old", body))).status).toBe(202);
    expect((await post(signed("older", body))).status).toBe(401);
  });

  it("may name a secret of their own in the path", async () => {
    const { post } = world();
    const own = bytes({ source: "anything" });
    expect((await post("/v1/ingest/webhooks/crm", own, signed("crm-secret", own))).status).toBe(202);
    expect((await post("/v1/ingest/webhooks/crm", own, signed("whk_new", own))).status).toBe(401);
  });

  it.each([
    ["no header", {}],
    ["no nonce", { "x-quayside-signature": `t=${NOW_S},v1=${"0".repeat(64)}` }],
    ["a time that is no number", { "x-quayside-signature": `t=NaN,n=n1,v1=${"0".repeat(64)}` }],
    ["a negative time", { "x-quayside-signature": `t=-1,n=n1,v1=${"0".repeat(64)}` }],
  ])("are refused with %s", async (_, headers) => {
    expect((await post(headers)).code).toBe("unauthenticated");
  });

  it.each([-301, -300, 0, 300, 301])("are taken within 300 s either way: %i s", async (age) => {
    const { status } = await post(signed("old", body, "n1", NOW_S + age));
    expect(status).toBe(Math.abs(age) <= 300 ? 202 : 401);
  });

  it("that another kind of source is configured for find no source", async () => {
    const other = bytes({ source: "nightly" });
    expect((await post(signed("old", other), other)).status).toBe(404);
    const proto = bytes({ source: "constructor" });
    expect((await post(signed("old", proto), proto)).status).toBe(404);
  });

  it("are parsed only once they are believed", async () => {
    const broken = new TextEncoder().encode("{");
    expect((await post(signed("old", broken), broken)).status).toBe(400);
    expect((await post(signed("no", broken), broken)).status).toBe(401);
  });
});

describe("dbt Cloud", () => {
  const path = "/v1/ingest/webhooks/nightly";
  const event = (more: object = {}, data: object = {}): Uint8Array =>
    bytes({
      accountId: 66847,
      eventId: "wev_2QSUzWMSv40ow7s8n8TfVPVnYua",
      eventType: "job.run.completed",
      data: { jobId: "278164", runId: "155144666", runStatus: "Success", runStatusCode: 10, ...data },
      ...more,
    });
  const send = (
    { post }: Pick<ReturnType<typeof world>, "post">,
    body: Uint8Array,
    secret = "dbt-secret",
  ): Promise<Called> => post(path, body, { authorization: hmac(secret, body) });

  it("asks for the tables when a job has succeeded, once a run", async () => {
    const one = world();
    expect((await send(one, event())).outcome).toBe("queued");
    expect((await send(one, event({ eventId: "wev_retry" }))).outcome).toBe("duplicate");
    expect(one.asked).toEqual([{ tables: ["orders", "customers"], once: "webhook:nightly:155144666" }]);
  });

  it.each([
    ["a job that failed", event({}, { runStatus: "Errored" })],
    ["a run that began", event({ eventType: "job.run.started" }, { runStatus: "Running" })],
    ["another job", event({}, { jobId: "1" })],
    ["a test of the endpoint", bytes({ test: true })],
  ])("is thanked for %s", async (_, body) => {
    const one = world();
    expect(await send(one, body)).toEqual({ status: 202, run: null, outcome: "ignored" });
    expect(one.asked).toEqual([]);
  });

  it("is refused with another's signature, or none", async () => {
    expect((await send(world(), event(), "other")).status).toBe(401);
    expect((await world().post(path, event(), {})).status).toBe(401);
  });
});

const synced = (more: object = {}): Uint8Array =>
  bytes({
    event: "sync_end",
    created: "2026-05-22T00:06:08.638Z",
    connector_type: "google_cloud_postgresql",
    connector_id: "assimilate_seem",
    sync_id: "b4703f73-6315-4e22-8d7a-3bfb18b2fed2",
    destination_group_id: "group",
    data: { status: "SUCCESSFUL" },
    ...more,
  });
const signSync = (body: Uint8Array): Record<string, string> => ({
  "x-fivetran-signature-256": hmac("fivetran-secret", body).toUpperCase(),
});

describe("Fivetran", () => {
  const path = "/v1/ingest/webhooks/replica";
  it("asks for every table when a sync has succeeded", async () => {
    const { post, asked } = world();
    expect((await post(path, synced(), signSync(synced()))).outcome).toBe("queued");
    expect(asked).toEqual([
      { tables: undefined, once: "webhook:replica:b4703f73-6315-4e22-8d7a-3bfb18b2fed2" },
    ]);
  });

  it.each([synced({ event: "sync_start" }), synced({ data: { status: "FAILURE_WITH_TASK" } })])(
    "is thanked for what changed nothing",
    async (body) => {
      expect((await world().post(path, body, signSync(body))).outcome).toBe("ignored");
    },
  );

  it("is refused when a byte of the body is another", async () => {
    const { status } = await world().post(path, new Uint8Array([...synced(), 32]), signSync(synced()));
    expect(status).toBe(401);
  });
});
