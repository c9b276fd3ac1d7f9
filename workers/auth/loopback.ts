import { QuaysideError } from "../../shared/ports/errors.ts";

const LOOPBACK = /^(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?$/;
/** Nothing but a scheme, one of these and a path. */
const AT_LOOPBACK = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?(?:[/?#]|$)/;

/**
 * Whether the request names this machine: every route of demo mode asks, the page included, because a foreign name may be made
 * to resolve to loopback. @throws QuaysideError `origin_not_allowed`.
 */
export function requireLoopback(request: Request): void {
  const host = request.headers.get("host");
  if ((host === null || LOOPBACK.test(host)) && AT_LOOPBACK.test(request.url)) return;
  throw new QuaysideError("origin_not_allowed", "Demo mode answers under this machine's own names only.");
}
