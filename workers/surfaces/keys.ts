import { pseudonymOf } from "../../shared/audit-wire.ts";
import { createdKeyAnswer, keyBody, keysAnswer, type KeyAnswer } from "../../shared/keys-wire.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { generateKey } from "../auth/api-keys.ts";
import type { LedgerApi, StoredKey } from "../tenant/api.ts";
import { parseBody, readJson } from "./body.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface KeysDeps {
  /** Verifies the caller. @throws `unauthenticated`. */
  principal(request: Request): Promise<Principal>;
  readonly keys: Pick<LedgerApi, "addKey" | "keys" | "revokeKey">;
  /** Milliseconds since the epoch. */
  now(): number;
}

const DAY_MS = 86_400_000;
const MAX_BODY = 100_000;

/** API keys of the caller's own tenant, for its administrators. A key's secret leaves once, in the answer that makes it. */
export function keysSurface(deps: KeysDeps): Surface {
  const asAdmin =
    (handle: (call: Call, tenant: string, by: string) => Promise<Response>): Route["handle"] =>
    async (call) => {
      const principal = await deps.principal(call.request);
      const { scopes, tenant } = principal;
      if (!scopes.includes("admin")) throw new QuaysideError("forbidden", "This needs the scope admin.");
      return handle(call, tenant, pseudonymOf(principal));
    };
  return {
    name: "keys",
    routes: [
      {
        method: "POST",
        path: "/v1/admin/keys",
        doc: {
          summary: "Make an API key; it is told this once",
          scope: "admin",
          body: keyBody,
          answer: createdKeyAnswer,
          status: 201,
        },
        handle: asAdmin(async ({ request }, tenant, by) => {
          const body = parseBody(keyBody(), await readJson(request, MAX_BODY));
          const { id, text, digest } = await generateKey();
          const now = deps.now();
          const key: StoredKey = {
            id,
            digest,
            tenant,
            name: body.name,
            subject: body.subject ?? `key:${body.name}`,
            groups: body.groups ?? [],
            attributes: body.attributes ?? {},
            scopes: body.scopes,
            createdAt: new Date(now).toISOString(),
            expiresAt: new Date(now + body.days * DAY_MS).toISOString(),
            revokedAt: undefined,
          };
          await deps.keys.addKey(key, by);
          return Response.json({ key: text, ...keyJson(key) }, { status: 201 });
        }),
      },
      {
        method: "GET",
        path: "/v1/admin/keys",
        doc: { summary: "List the API keys, without their secrets", scope: "admin", answer: keysAnswer },
        handle: asAdmin(async (_, tenant) =>
          Response.json({ keys: (await deps.keys.keys(tenant)).map(keyJson) }),
        ),
      },
      {
        method: "DELETE",
        path: "/v1/admin/keys/:id",
        doc: {
          summary: "Revoke an API key, and every widget token made with it",
          scope: "admin",
          status: 204,
        },
        handle: asAdmin(async ({ params }, tenant, by) => {
          if (await deps.keys.revokeKey(tenant, params["id"] ?? "", by)) {
            return new Response(null, { status: 204 });
          }
          throw new QuaysideError("not_found", "There is no such key.");
        }),
      },
    ],
  };
}

function keyJson(key: StoredKey): KeyAnswer {
  return {
    id: key.id,
    name: key.name,
    subject: key.subject,
    groups: [...key.groups],
    attributes: Object.fromEntries(
      Object.entries(key.attributes).map(([attribute, list]) => [attribute, [...list]]),
    ),
    scopes: [...key.scopes],
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt ?? null,
  };
}
