import * as z from "zod/mini";
import type { Config } from "../../shared/config.ts";
import type { ExternalIdentity } from "../auth/directory.ts";
import type { TeamsApi } from "./teams-api.ts";

/** Who a Teams user is, as far as Entra vouches for it; undefined for people of other organisations. */
export type TeamsPeople = (
  tenant: string,
  person: string,
  signal: AbortSignal,
) => Promise<ExternalIdentity | undefined>;

/** Entra is asked again after this: somebody who left may ask this long, if the directory still knows them. */
const KEPT_MS = 10 * 60_000;
const MOST_KEPT = 2000;

/** Microsoft Graph, "Get a user" and "List member groups", read 2026-11. */
const userSchema = z.looseObject({
  mail: z.nullish(z.string()),
  userType: z.nullish(z.string()),
  accountEnabled: z.nullish(z.boolean()),
});
const groupsSchema = z.looseObject({ value: z.array(z.string()) });

/**
 * Graph is asked for address and groups where `surfaces.teams.graph` is true (`User.Read.All`, `GroupMember.Read.All`); without
 * it a person is who the directory says by their id.
 * @throws QuaysideError of the API: an organisation that can't be asked is not one that knows nothing.
 */
export function makeTeamsPeople(
  api: TeamsApi,
  config: (signal: AbortSignal) => Promise<Config | undefined>,
  now: () => number,
): TeamsPeople {
  const known = new Map<
    string,
    { readonly identity: ExternalIdentity | undefined; readonly until: number }
  >();
  return async (tenant, person, signal) => {
    const plain = { source: "teams", subject: person, organisations: [tenant] } as const;
    if ((await config(signal))?.surfaces?.teams?.graph !== true) return plain;
    const key = `${tenant}:${person}`;
    const entry = known.get(key);
    if (entry && entry.until > now()) return entry.identity;
    const path = `users/${encodeURIComponent(person)}`;
    const [user, groups] = await Promise.all([
      api.graph("GET", `${path}?$select=mail,userType,accountEnabled`, undefined, signal),
      api.graph("POST", `${path}/getMemberGroups`, { securityEnabledOnly: true }, signal),
    ]);
    const parsed = userSchema.safeParse(user);
    const colleague =
      parsed.success && parsed.data.accountEnabled === true && parsed.data.userType === "Member";
    const identity = colleague
      ? {
          ...plain,
          email: parsed.data.mail ?? undefined,
          groups: groupsSchema.parse(groups).value,
        }
      : undefined;
    if (known.size >= MOST_KEPT) known.delete(known.keys().next().value ?? "");
    known.set(key, { identity, until: now() + KEPT_MS });
    return identity;
  };
}
