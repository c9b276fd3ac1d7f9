import type { Limits } from "../../shared/config-limits.ts";
import { limitsOf } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { RequestLimiter } from "../auth/limits.ts";
import type { Admission } from "../tenant/api.ts";

/** What the surfaces that are asked over HTTP do first. */

export interface EnterDeps {
  /** Verifies the caller. @throws QuaysideError `unauthenticated`, `origin_not_allowed`, `identity_unavailable`. */
  readonly principal: (request: Request) => Promise<Principal>;
  readonly admit: (principal: Principal, signal: AbortSignal) => Promise<Admission>;
  /** One for all surfaces: a caller has one budget, wherever it asks. */
  readonly limiter: RequestLimiter;
}

export interface Entered {
  readonly principal: Principal;
  readonly admission: Admission;
  readonly limits: Limits;
  /** Counts the request out; call it once it is over, however it ended. */
  readonly leave: () => void;
}

/** A verified caller, counted in. @throws QuaysideError as its parts do. */
export async function enter(deps: EnterDeps, request: Request): Promise<Entered> {
  const principal = await deps.principal(request);
  const admission = await deps.admit(principal, request.signal);
  const limits = limitsOf(admission.config);
  return { principal, admission, limits, leave: deps.limiter.enter(principal, limits) };
}

/** @throws QuaysideError `forbidden`. */
export function requireAsk(principal: Principal): void {
  if (!principal.scopes.includes("ask")) {
    throw new QuaysideError("forbidden", "The credential does not carry the scope ask.");
  }
}

/** @throws QuaysideError `question_too_long`; the limit counts code points. */
export function requireLength(question: string, most: number): void {
  // Never more code points than UTF-16 units: most questions need no counting.
  if (question.length > most && Array.from(question).length > most) {
    throw new QuaysideError("question_too_long", `A question has at most ${most} characters.`);
  }
}
