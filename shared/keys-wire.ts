import * as z from "zod/mini";

/** The JSON of `/v1/admin/keys`, as both ends parse it: the Worker's surface and the CLI. */

/** Everything that a credential may allow; none of it opens a row. `widget`: to mint widget tokens. */
export const SCOPES = ["ask", "ingest", "erase", "admin", "audit", "metrics", "widget"] as const;

const value = z.string().check(z.minLength(1), z.maxLength(500));
const values = z.array(value).check(z.maxLength(2000));

/** Lists of texts; of another shape is never read as fewer or other rights. */
export const grantFields = { groups: values, attributes: z.record(value, values) };
export const subjectField = value;
export const scopesField = z.array(z.enum(SCOPES));

export const MAX_KEY_DAYS = 366;

export const keyBody = z.strictObject({
  name: z.string().check(z.regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/, "1 to 63 of A-Z a-z 0-9 _ . -")),
  scopes: scopesField.check(z.minLength(1)),
  /** Whom it acts as; default `key:<name>`. */
  subject: z.optional(subjectField),
  groups: z.optional(grantFields.groups),
  attributes: z.optional(grantFields.attributes),
  /** Until it expires. */
  days: z.number().check(z.int(), z.minimum(1), z.maximum(MAX_KEY_DAYS)),
});

const keyFields = {
  id: z.string(),
  name: z.string(),
  subject: z.string(),
  groups: z.array(z.string()),
  attributes: z.record(z.string(), z.array(z.string())),
  scopes: z.array(z.string()),
  created_at: z.string(),
  expires_at: z.string(),
  revoked_at: z.nullable(z.string()),
};

/** `key` is the whole credential, told this once. */
export const createdKeyAnswer = z.object({ key: z.string(), ...keyFields });
export const keysAnswer = z.object({ keys: z.array(z.object(keyFields)) });

export type KeyAnswer = z.infer<typeof keysAnswer>["keys"][number];
