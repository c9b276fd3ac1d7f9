import * as z from "zod/mini";
import type { ExternalIdentity } from "../auth/directory.ts";
import type { SlackApi } from "./slack-api.ts";

/** Who a Slack user is, as far as Slack vouches for it; undefined for users who are nobody's colleague. */
export type SlackPeople = (
  team: string,
  user: string,
  signal: AbortSignal,
) => Promise<ExternalIdentity | undefined>;

/** Slack is asked again after this: a person who left may ask this long, if the directory still knows them. */
const KEPT_MS = 5 * 60_000;
const MOST_KEPT = 2000;

/** docs.slack.dev, `users.info`, read 2026-11. */
const answerSchema = z.looseObject({
  user: z.looseObject({
    team_id: z.optional(z.string()),
    deleted: z.optional(z.boolean()),
    is_bot: z.optional(z.boolean()),
    is_restricted: z.optional(z.boolean()),
    is_ultra_restricted: z.optional(z.boolean()),
    is_stranger: z.optional(z.boolean()),
    is_email_confirmed: z.optional(z.boolean()),
    enterprise_user: z.optional(z.looseObject({ enterprise_id: z.optional(z.string()) })),
    profile: z.optional(z.looseObject({ email: z.optional(z.string()) })),
  }),
});

/**
 * Guests, bots, leavers and people of other organisations are nobody; an address counts only once its owner has confirmed it.
 * @throws QuaysideError of the API.
 */
export function makeSlackPeople(api: SlackApi, now: () => number): SlackPeople {
  const known = new Map<
    string,
    { readonly identity: ExternalIdentity | undefined; readonly until: number }
  >();
  return async (team, user, signal) => {
    const key = `${team}:${user}`;
    const entry = known.get(key);
    if (entry && entry.until > now()) return entry.identity;
    const answer = await api.call(team, "users.info", { user }, signal);
    const parsed = answerSchema.safeParse(answer.ok ? answer.body : undefined);
    const identity = parsed.success ? identityOf(team, user, parsed.data.user) : undefined;
    if (known.size >= MOST_KEPT) known.delete(known.keys().next().value ?? "");
    known.set(key, { identity, until: now() + KEPT_MS });
    return identity;
  };
}

function identityOf(
  team: string,
  subject: string,
  user: z.infer<typeof answerSchema>["user"],
): ExternalIdentity | undefined {
  const { deleted, is_bot, is_restricted, is_ultra_restricted, is_stranger } = user;
  const outside = deleted || is_bot || is_restricted || is_ultra_restricted || is_stranger;
  const home = user.team_id;
  if (outside === true || home === undefined) return undefined;
  const enterprise = user.enterprise_user?.enterprise_id;
  // In an organisation of several workspaces a colleague's own may be another one.
  if (home !== team && enterprise === undefined) return undefined;
  return {
    source: "slack",
    subject,
    email: user.is_email_confirmed === true ? user.profile?.email : undefined,
    organisations: [home, ...(enterprise === undefined ? [] : [enterprise])],
  };
}
