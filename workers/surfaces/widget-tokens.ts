import * as z from "zod/mini";
import { principalFields } from "../../shared/keys-wire.ts";
import { lazily } from "../../shared/lazily.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { DEFAULT_TTL_S, MAX_TTL_S, type WidgetTokens } from "../auth/widget-tokens.ts";
import { invalid, parseBody, readJson } from "./body.ts";
import type { Call, Surface } from "./surface.ts";

export interface WidgetTokensDeps {
  /** The API key of the request and whom it acts as. @throws `unauthenticated` for any other credential too. */
  apiKey(request: Request): Promise<{ readonly id: string; readonly principal: Principal }>;
  mint: WidgetTokens["mint"];
  /** Origins whose pages may call, besides the Worker's own. */
  allowedOrigins(): Promise<readonly string[]>;
  /** Milliseconds since the epoch. */
  now(): number;
}

const MAX_BODY = 65_536;

const body = lazily(() => {
  const { subject, grants } = principalFields();
  return z.strictObject({
    /** Whom the token acts as, as access rules name people (`user:<subject>`). */
    subject,
    /** Of the person; only such as the key holds itself. */
    groups: z.optional(grants.groups),
    attributes: z.optional(grants.attributes),
    /** Of the page that will send the token, e.g. `https://portal.example.com`. */
    origin: z.string().check(z.maxLength(300)),
    ttl_seconds: z.optional(z.number().check(z.int(), z.minimum(1), z.maximum(MAX_TTL_S))),
  });
});

const answer = z.object({ token: z.string(), expires_at: z.string() });

/** Where a portal's backend trades its API key for a token that it gives to the page of one person. */
export function widgetTokensSurface(deps: WidgetTokensDeps): Surface {
  return {
    name: "widget",
    routes: [
      {
        method: "POST",
        path: "/v1/widget/tokens",
        doc: {
          summary: "Trade an API key for a short-lived token of one person on one origin",
          scope: "widget",
          body,
          answer,
          status: 201,
        },
        handle: (call) => handle(deps, call),
      },
    ],
  };
}

async function handle(deps: WidgetTokensDeps, { request, url }: Call): Promise<Response> {
  const { id, principal } = await deps.apiKey(request);
  if (!principal.scopes.includes("widget")) {
    throw new QuaysideError("forbidden", "This needs an API key with the scope widget.");
  }
  const { subject, origin, ...wanted } = parseBody(body(), await readJson(request, MAX_BODY));
  const groups = wanted.groups ?? [];
  const attributes = wanted.attributes ?? {};
  requireHeld(principal, groups, attributes);
  if (origin !== url.origin && !(await deps.allowedOrigins()).includes(origin)) {
    throw invalid([{ pointer: "/origin", rule: "one of surfaces.allowedOrigins" }]);
  }
  const exp = Math.floor(deps.now() / 1000) + (wanted.ttl_seconds ?? DEFAULT_TTL_S);
  const token = await deps.mint({ aud: url.origin, origin, key: id, subject, groups, attributes, exp });
  return Response.json({ token, expires_at: new Date(exp * 1000).toISOString() }, { status: 201 });
}

/** A key gives away no more than it holds. @throws QuaysideError `invalid_request`. */
function requireHeld(
  key: Principal,
  groups: readonly string[],
  attributes: Readonly<Record<string, readonly string[]>>,
): void {
  const rule = "held by the API key";
  if (!groups.every((group) => key.groups.includes(group))) throw invalid([{ pointer: "/groups", rule }]);
  for (const [name, values] of Object.entries(attributes)) {
    const held = Object.hasOwn(key.attributes, name) ? key.attributes[name] : undefined;
    if (!values.every((value) => held?.includes(value))) throw invalid([{ pointer: "/attributes", rule }]);
  }
}
