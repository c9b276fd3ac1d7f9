import * as z from "zod/mini";

/** What answers may cost in a day (UTC). A caller counts in each of these that names it. */
export function budgetsSchema() {
  const cap = z.strictObject({
    /** Input and output together. */
    tokensPerDay: z.optional(z.number().check(z.int(), z.minimum(0))),
    usdPerDay: z.optional(z.number().check(z.minimum(0))),
  });
  return z.strictObject({
    tenant: z.optional(cap),
    /** Each caller by itself, unless `principals` names it. */
    principal: z.optional(cap),
    principals: z.optional(z.record(z.string(), cap)),
    /** The members of a group together. */
    groups: z.optional(z.record(z.string(), cap)),
    models: z.optional(z.record(z.string(), cap)),
  });
}

/** For how long it is remembered of which rows, by which model, an answer was made; and how it was rated. */
export function answersSchema() {
  const days = z.number().check(z.int(), z.minimum(0), z.maximum(3650));
  return z.strictObject({ keepDays: z.optional(days), ratingsDays: z.optional(days) });
}
