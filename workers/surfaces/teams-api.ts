import * as z from "zod/mini";
import { plainOrigin, request, type RequestOptions } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";

/** The Bot Connector and Graph as this surface uses them. Microsoft, "Bot Connector REST API", read 2026-11. */
export interface TeamsApi {
  /**
   * @param path below the service URL, which was verified with the activity that named it.
   * @returns the id of what was made, or how the connector refused it.
   * @throws QuaysideError `platform_unavailable`, `rate_limited`, `platform_rejected` (our registration), `cancelled`.
   */
  send(
    method: "POST" | "PUT",
    serviceUrl: string,
    path: string,
    body: Readonly<Record<string, unknown>>,
    signal: AbortSignal,
  ): Promise<TeamsAnswer>;
  /** Microsoft Graph as the app itself. @throws as `send`; `undefined` for what is not there. */
  graph(method: "GET" | "POST", path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
}

export type TeamsAnswer =
  | { readonly ok: true; readonly id: string }
  /** `message` is the connector's own: streams are told apart by it, and it goes nowhere else. */
  | { readonly ok: false; readonly status: number; readonly message: string };

const LOGIN = "https://login.microsoftonline.com";
const GRAPH = "https://graph.microsoft.com";
const BOT_SCOPE = "https://api.botframework.com/.default";
const GRAPH_SCOPE = "https://graph.microsoft.com/.default";
/** Where the connector may be: the public cloud's hosts. */
const SERVICE_ORIGIN = /^https:\/\/(smba\.trafficmanager\.net|[a-z0-9-]+\.botframework\.com)$/;
const DEADLINE_MS = 15_000;
/** A token is fetched anew this long before it ends. */
const MARGIN_MS = 5 * 60_000;

const tokenSchema = z.looseObject({ access_token: z.string(), expires_in: z.number() });
const madeSchema = z.looseObject({ id: z.optional(z.string()) });

/**
 * Whether an activity's service URL may be called: nothing that a sender could have chosen.
 * @param host its `TEAMS_LOGIN_URL`, where it is set, names a stand-in for all of Microsoft, whose own address is allowed.
 */
export function isServiceUrl(url: string, host: Host): boolean {
  const origin = plainOrigin(url);
  if (origin === undefined) return false;
  const standIn = host.secret("TEAMS_LOGIN_URL");
  return SERVICE_ORIGIN.test(origin) || (standIn !== undefined && origin === URL.parse(standIn)?.origin);
}

export function makeTeamsApi(host: Host): TeamsApi {
  const tokens = new Map<string, { readonly value: string; readonly until: number }>();
  const standIn = host.secret("TEAMS_LOGIN_URL");
  const options = {
    peer: "Teams",
    codes: { unavailable: "platform_unavailable", rejected: "platform_rejected" },
    deadlineMs: DEADLINE_MS,
    retries: 1,
  } as const satisfies RequestOptions;

  async function tokenFor(scope: string, signal: AbortSignal): Promise<string> {
    const known = tokens.get(scope);
    if (known && known.until > host.now()) return known.value;
    const [id, secret, tenant] = ["TEAMS_APP_ID", "TEAMS_APP_PASSWORD", "TEAMS_TENANT_ID"].map((name) =>
      host.secret(name),
    );
    if (id === undefined || secret === undefined || tenant === undefined) {
      throw new QuaysideError(
        "not_configured",
        "TEAMS_APP_ID, TEAMS_APP_PASSWORD or TEAMS_TENANT_ID is not set.",
      );
    }
    const body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: id,
      client_secret: secret,
      scope,
    });
    const url = `${standIn ?? LOGIN}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
    const response = await request(host, url, { method: "POST", body, signal }, options);
    const token = tokenSchema.parse(await response.json());
    const until = host.now() + token.expires_in * 1000 - MARGIN_MS;
    tokens.set(scope, { value: token.access_token, until });
    return token.access_token;
  }

  async function authorised(scope: string, signal: AbortSignal): Promise<Record<string, string>> {
    return {
      authorization: `Bearer ${await tokenFor(scope, signal)}`,
      "content-type": "application/json; charset=utf-8",
    };
  }

  return {
    async send(method, serviceUrl, path, body, signal) {
      if (!isServiceUrl(serviceUrl, host)) {
        throw new QuaysideError("platform_rejected", "The activity's service URL is not the connector's.");
      }
      const url = `${serviceUrl.replace(/\/$/, "")}/v3/${path}`;
      const refused: { answer?: TeamsAnswer } = {};
      try {
        const headers = await authorised(BOT_SCOPE, signal);
        const input = { method, headers, body: JSON.stringify(body), signal };
        const response = await request(host, url, input, {
          ...options,
          failure(status, text) {
            // What is wrong with a message or a stream is for whoever sent it to tell apart; 401 is our registration.
            if (status !== 400 && status !== 403 && status !== 404 && status !== 405 && status !== 413) {
              return undefined;
            }
            refused.answer = { ok: false, status, message: text.slice(0, 1000) };
            return new QuaysideError("platform_rejected", "Teams refused a message.");
          },
        });
        const made = madeSchema.safeParse(await response.json().catch(() => ({})));
        return { ok: true, id: made.data?.id ?? "" };
      } catch (error) {
        if (refused.answer) return refused.answer;
        throw error;
      }
    },
    async graph(method, path, body, signal) {
      const headers = await authorised(GRAPH_SCOPE, signal);
      const input = {
        method,
        headers,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const missing = new QuaysideError("not_found", "Graph knows no such person.");
      try {
        const response = await request(host, `${standIn ?? GRAPH}/v1.0/${path}`, input, {
          ...options,
          failure: (status) => (status === 404 ? missing : undefined),
        });
        return await response.json();
      } catch (error) {
        if (error === missing) return undefined;
        throw error;
      }
    },
  };
}
