import { auditAnswer } from "../../shared/audit-wire.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { LedgerApi } from "../tenant/api.ts";
import { invalid } from "./body.ts";
import type { Surface } from "./surface.ts";

export interface AuditSurfaceDeps {
  /** Verifies the caller. @throws `unauthenticated`. */
  principal(request: Request): Promise<Principal>;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "audit">;
}

const MOST = 1000;

/** The audit trail of the caller's own tenant, for auditors. */
export function auditSurface(deps: AuditSurfaceDeps): Surface {
  return {
    name: "audit",
    routes: [
      {
        method: "GET",
        path: "/v1/admin/audit",
        doc: {
          summary: "Read the audit trail, oldest first: ?after=SEQ&limit=1000",
          scope: "audit",
          answer: auditAnswer,
        },
        async handle({ request, url }) {
          const { scopes, tenant } = await deps.principal(request);
          if (!scopes.includes("audit")) throw new QuaysideError("forbidden", "This needs the scope audit.");
          const after = number(url, "after", 0, Number.MAX_SAFE_INTEGER);
          const limit = number(url, "limit", MOST, MOST);
          return Response.json(await deps.ledger(tenant).audit(after, limit));
        },
      },
    ],
  };
}

/** @throws QuaysideError `invalid_request`. */
function number(url: URL, name: string, preset: number, most: number): number {
  const text = url.searchParams.get(name);
  if (text === null) return preset;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= most) return value;
  throw invalid([{ pointer: `/${name}`, rule: `a whole number, at most ${most}` }]);
}
