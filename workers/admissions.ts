import type { Config } from "../shared/config.ts";
import { ofObject } from "../shared/lazily.ts";
import type { Principal } from "../shared/ports/answer.ts";
import { within } from "./answer/retrieve.ts";
import { makeMemo } from "./memo.ts";
import type { Admission, LedgerApi } from "./tenant/api.ts";

/** How long this isolate believes what the ledger said; part of the bound on how fast a revocation holds. */
export const MEMO_MS = 5000;

export interface Admissions {
  /** What the caller may see. `fresh` asks the ledger whatever is remembered. @throws QuaysideError `not_configured`, `registry_unavailable`. */
  readonly admit: (principal: Principal, signal: AbortSignal, fresh?: boolean) => Promise<Admission>;
  /** The published configuration; undefined before the first. */
  readonly config: (tenant: string, signal: AbortSignal) => Promise<Config | undefined>;
}

export interface AdmissionsDeps {
  readonly ledger: (tenant: string) => LedgerApi;
  readonly now: () => number;
}

/** Asks the ledger, at most once in 5 s for each caller. */
export function makeAdmissions(deps: AdmissionsDeps): Admissions {
  const admissions = makeMemo<Admission>(deps.now, MEMO_MS);
  const configs = makeMemo<Config>(deps.now, MEMO_MS);
  return {
    async admit(principal, signal, fresh = false) {
      const key = keyOf(principal);
      const known = fresh ? undefined : admissions.get(key);
      if (known) return known;
      const admitted = deps.ledger(principal.tenant).admit(principal);
      return admissions.set(key, await within(admitted, signal, "registry_unavailable"));
    },
    async config(tenant, signal) {
      const known = configs.get(tenant);
      if (known) return known;
      const published = await within(deps.ledger(tenant).config(), signal, "registry_unavailable");
      return published && configs.set(tenant, published.config);
    },
  };
}

/** Everything that admission may depend on, in a form that no two principals share. */
const keyOf = ofObject(({ tenant, subject, groups, attributes, scopes }: Principal) =>
  JSON.stringify([tenant, subject, groups, attributes, scopes]),
);
