import * as z from "zod/mini";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";

const value = z.string().check(z.minLength(1), z.maxLength(500));

const claims = z.strictObject({
  tenant: z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/)),
  subject: value,
  groups: z.array(value).check(z.maxLength(2000)),
  attributes: z.record(value, z.array(value).check(z.maxLength(2000))),
  scopes: z.array(z.enum(["ask", "ingest", "erase", "admin", "audit", "metrics"])),
});

/**
 * What an identity says about a caller, taken like any other input: one tenant of a fixed pattern, lists of texts. A claim of
 * another shape is never read as fewer or other rights.
 * @throws QuaysideError `unauthenticated`.
 */
export function principalOf(input: unknown): Principal {
  const parsed = claims.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new QuaysideError("unauthenticated", "The credential's claims are not of the form that is expected.");
}
