import * as z from "zod/mini";
import { lazily } from "./lazily.ts";

/** The JSON of `/v1/admin/keys`, as both ends parse it: the Worker's surface and the CLI. */

/** Everything that a credential may allow; none of it opens a row. `widget`: to mint widget tokens. */
export const SCOPES = ["ask", "ingest", "erase", "admin", "audit", "metrics", "widget"] as const;

export const MAX_KEY_DAYS = 366;

/** What says whom a credential acts as. */
export const principalFields = lazily(() => {
  const value = z.string().check(z.minLength(1), z.maxLength(500));
  const values = z.array(value).check(z.maxLength(2000));
  return {
    subject: value,
    /** Lists of texts; of another shape is never read as fewer or other rights. */
    grants: { groups: values, attributes: z.record(value, values) },
    scopes: z.array(z.enum(SCOPES)),
  };
});

export const keyBody = lazily(() => {
  const { subject, grants, scopes } = principalFields();
  return z.strictObject({
    name: z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, "1 to 63 of A-Z a-z 0-9 _ . -")),
    scopes: scopes.check(z.minLength(1)),
    /** Whom it acts as; default `key:<name>`. */
    subject: z.optional(subject),
    groups: z.optional(grants.groups),
    attributes: z.optional(grants.attributes),
    /** Until it expires. */
    days: z.number().check(z.int(), z.minimum(1), z.maximum(MAX_KEY_DAYS)),
  });
});

const keyFields = lazily(() => ({
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  groups: z.array(z.string()),
  attributes: z.record(z.string(), z.array(z.string())),
  scopes: z.array(z.string()),
  created_at: z.string(),
  expires_at: z.string(),
  revoked_at: z.nullable(z.string()),
}));

/** `key` is the whole credential, told this once. */
export const createdKeyAnswer = lazily(() => z.object({ key: z.string(), ...keyFields() }));
export const keysAnswer = lazily(() => z.object({ keys: z.array(z.object(keyFields())) }));

export type KeyAnswer = z.infer<ReturnType<typeof keysAnswer>>["keys"][number];
