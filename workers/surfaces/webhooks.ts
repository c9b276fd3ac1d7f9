import * as z from "zod/mini";
import type { Config, WebhookConfig } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Runs } from "../runs.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { invalid, parseBody, parseBytes, readBytes, text } from "./body.ts";
import type { Call, Surface } from "./surface.ts";

export interface WebhooksDeps {
  /** The deployment's tenant: a webhook has no caller to name one. */
  readonly tenant: string;
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
  /** By kind; undefined for one that there is not. */
  readonly webhook: (kind: string) => Promise<Webhook | undefined>;
  readonly runs: Runs;
  readonly host: Pick<Host, "secret" | "now">;
}

const MAX_BODY = 1_000_000;

/** What a call that names its source in the body says of itself. */
const namedSource = z.object({ source: text().check(z.minLength(1), z.maxLength(200)) });

const answer = z.object({
  /** Null when the call tells of nothing that changed a table. */
  run_id: z.nullable(z.string()),
  outcome: z.enum(["queued", "coalesced", "duplicate", "ignored"]),
});

/** Systems that tell when tables have changed. */
export function webhooksSurface(deps: WebhooksDeps): Surface {
  return {
    name: "webhooks",
    routes: [
      {
        method: "POST",
        path: "/v1/ingest/webhooks",
        doc: {
          summary:
            "Tell that tables have changed: signed by X-Quayside-Signature, the source named in the body",
          body: z.looseObject(namedSource.shape),
          answer,
          status: 202,
        },
        async handle({ request }) {
          const body = await readBytes(request, "application/json", MAX_BODY);
          const kind = "hmac";
          // Verified before anything in it is looked at: whoever can't sign learns of no source.
          const webhook = await webhookOf(deps, kind);
          const nonce = await verify(deps, webhook, webhook.secretName, request, body);
          const { source } = parseBody(namedSource, parseBytes(body));
          if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) {
            throw invalid([{ pointer: "/source", rule: "a name, not an address" }]);
          }
          const configured = await configuredSource(deps, source, request.signal);
          if (configured.kind !== kind) throw noSource();
          return trigger(deps, source, configured, webhook, parseBytes(body), nonce);
        },
      },
      {
        method: "POST",
        path: "/v1/ingest/webhooks/:source",
        doc: {
          summary: "Tell that tables have changed, in the form of the source's kind",
          body: z.looseObject({}),
          answer,
          status: 202,
        },
        handle: (call) => handleNamed(deps, call),
      },
    ],
  };
}

async function handleNamed(deps: WebhooksDeps, { request, params }: Call): Promise<Response> {
  const body = await readBytes(request, "application/json", MAX_BODY);
  const source = params["source"] ?? "";
  const configured = await configuredSource(deps, source, request.signal);
  const webhook = await webhookOf(deps, configured.kind);
  const nonce = await verify(deps, webhook, configured.secret ?? webhook.secretName, request, body);
  return trigger(deps, source, configured, webhook, parseBytes(body), nonce);
}

async function trigger(
  deps: WebhooksDeps,
  source: string,
  { tables, only }: WebhookConfig,
  webhook: Webhook,
  payload: unknown,
  nonce: string | undefined,
): Promise<Response> {
  const event = webhook.read(payload);
  const counts = event && (only === undefined || only.includes(event.subject ?? ""));
  // Senders take anything but a success for a reason to send it again.
  if (!counts) return Response.json({ run_id: null, outcome: "ignored" }, { status: 202 });
  const known = nonce ?? event.id;
  const { id, outcome } = await deps.runs.trigger(deps.tenant, {
    tables,
    full: false,
    trigger: "webhook",
    ...(known === undefined ? {} : { once: { key: `webhook:${source}:${known.slice(0, 200)}` } }),
  });
  return Response.json({ run_id: id, outcome }, { status: 202 });
}

/** @throws QuaysideError `not_found`. */
async function configuredSource(
  deps: WebhooksDeps,
  source: string,
  signal: AbortSignal,
): Promise<WebhookConfig> {
  const webhooks = (await deps.config(signal))?.webhooks ?? {};
  const found = Object.hasOwn(webhooks, source) ? webhooks[source] : undefined;
  if (!found) throw noSource();
  return found;
}

function noSource(): QuaysideError {
  return new QuaysideError("not_found", "No such source.");
}

async function webhookOf(deps: WebhooksDeps, kind: string): Promise<Webhook> {
  const webhook = await deps.webhook(kind);
  if (!webhook) throw new QuaysideError("not_configured", `There is no webhook of the kind "${kind}".`);
  return webhook;
}

async function verify(
  deps: WebhooksDeps,
  webhook: Webhook,
  secretName: string,
  request: Request,
  body: Uint8Array,
): Promise<string | undefined> {
  const secret = deps.host.secret(secretName);
  // Without a secret nothing can be believed.
  if (secret === undefined) throw new QuaysideError("unauthenticated", "The call's signature is not valid.");
  return webhook.verify(request.headers, body, secret, deps.host.now());
}
