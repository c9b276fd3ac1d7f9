import type { Limits } from "../../shared/config-limits.ts";
import { limitsOf } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { unauthenticated } from "../auth/authenticate.ts";
import type { RequestLimiter } from "../auth/limits.ts";
import type { Admission } from "../tenant/api.ts";

/** What the surfaces that are asked over HTTP do first. */

/** Keys are believed in for five seconds: together a revoked one ends what it has open within ten. */
const RECHECK_MS = 4000;

export interface EnterDeps {
  /** Verifies the caller. @throws QuaysideError `unauthenticated`, `origin_not_allowed`, `identity_unavailable`. */
  readonly principal: (request: Request) => Promise<Principal>;
  /** As `Identity` has it. */
  readonly revocation: (request: Request) => (() => Promise<boolean>) | undefined;
  readonly admit: (principal: Principal, signal: AbortSignal) => Promise<Admission>;
  /** One for all surfaces: a caller has one budget, wherever it asks. */
  readonly limiter: RequestLimiter;
}

export interface Entered {
  readonly principal: Principal;
  readonly admission: Admission;
  readonly limits: Limits;
  /** Ends the work when the caller leaves, or when the key that they came with is revoked. */
  readonly signal: AbortSignal;
  /** Counts the request out; call it once it is over, however it ended. */
  readonly leave: () => void;
}

/** A verified caller, counted in. @throws QuaysideError as its parts do. */
export async function enter(deps: EnterDeps, request: Request): Promise<Entered> {
  const principal = await deps.principal(request);
  const admission = await deps.admit(principal, request.signal);
  const limits = limitsOf(admission.config);
  const left = deps.limiter.enter(principal, limits);
  const revoked = deps.revocation(request);
  if (!revoked) return { principal, admission, limits, signal: request.signal, leave: left };
  const barred = new AbortController();
  const look = async (): Promise<void> => {
    // Where the ledger can't be asked, what was begun may end: a new request is refused.
    if (await revoked().catch(() => false)) barred.abort(unauthenticated("The key was revoked."));
  };
  const watch = setInterval(() => void look(), RECHECK_MS);
  const leave = (): void => {
    clearInterval(watch);
    left();
  };
  return {
    principal,
    admission,
    limits,
    signal: AbortSignal.any([request.signal, barred.signal]),
    leave,
  };
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
