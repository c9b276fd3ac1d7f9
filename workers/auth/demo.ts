import type { Config } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { urlOf } from "../url.ts";
import { unauthenticated, type Authenticator } from "./authenticate.ts";
import { principalOf } from "./claims.ts";
import { requireLoopback } from "./loopback.ts";

export interface DemoSettings {
  readonly tenant: string;
  /** The published configuration; undefined before the first. */
  config(signal: AbortSignal): Promise<Config | undefined>;
}

export const DEMO_USER_HEADER = "x-quayside-demo-user";

/**
 * Demo mode: whoever sits at this machine acts as one of the configuration's demo users, without a credential. Any page open
 * in a browser here can send requests to loopback, and a foreign name can be made to resolve to it; so the request must name
 * a loopback host and come from the Worker's own page or from no page at all. Mount it under `QUAYSIDE_DEMO` only.
 */
export function demoUser(settings: DemoSettings): Authenticator {
  // By the user as it stands in a configuration: another configuration has others.
  const principals = new WeakMap<object, Principal>();
  return {
    claims: (request) => !request.headers.has("authorization") || request.headers.has(DEMO_USER_HEADER),
    async verify(request) {
      requireLocal(request);
      const config = await settings.config(request.signal);
      if (!config) {
        throw new QuaysideError(
          "not_configured",
          "No configuration is published yet: run `quayside ingest`.",
        );
      }
      const users = Object.entries(config.demo?.users ?? {});
      const wanted = request.headers.get(DEMO_USER_HEADER);
      const [name, user] = users.find(([id]) => wanted === null || id === wanted) ?? [];
      if (name === undefined || !user) throw unauthenticated("There is no such demo user.");
      const principal =
        principals.get(user) ??
        principalOf({
          tenant: settings.tenant,
          subject: name,
          groups: user.groups,
          attributes: user.attributes ?? {},
          scopes: ["ask"],
        });
      principals.set(user, principal);
      return principal;
    },
  };
}

/** @throws QuaysideError `origin_not_allowed`. */
export function requireLocal(request: Request): void {
  requireLoopback(request);
  const origin = request.headers.get("origin");
  const site = request.headers.get("sec-fetch-site");
  const own = origin === null || origin === originOf(request);
  // "same-site" is another port of localhost: not ours.
  const direct = site === null || site === "same-origin" || site === "none";
  if (!own || !direct) {
    throw new QuaysideError(
      "origin_not_allowed",
      "Demo mode answers this machine's own page and tools only.",
    );
  }
}

function originOf(request: Request): string {
  const { protocol, host } = urlOf(request);
  return `${protocol}//${request.headers.get("host") ?? host}`;
}
