import type { Config, GrantsConfig } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { principalOf } from "./claims.ts";

/**
 * Who a chat platform's user is here, by the published configuration (`identity.directory`). A surface verifies the request
 * (signature, token) and hands over what that proved; nothing of it is taken from a message.
 */

export interface ExternalIdentity {
  /** The platform, as `identity.directory.organisations` names it: `slack`, `teams`. */
  readonly source: string;
  /** The user's id on the platform. */
  readonly subject: string;
  /** Only an address that the platform vouches for. */
  readonly email?: string | undefined;
  /** Ids of the organisations that the user belongs to there: Slack's team and enterprise, Entra's tenant. */
  readonly organisations: readonly string[];
  /** Groups that the platform vouches for, by its ids. */
  readonly groups?: readonly string[] | undefined;
}

export interface Directory {
  /**
   * The caller; undefined when they are nobody here, and nobody may ask anonymously: then nothing is answered.
   * @throws QuaysideError `registry_unavailable` when the configuration can't be read: never somebody with other rights.
   */
  resolve(identity: ExternalIdentity, signal: AbortSignal): Promise<Principal | undefined>;
  /** Who asks without saying who they are; undefined: nobody may. */
  anonymous(signal: AbortSignal): Promise<Principal | undefined>;
}

export interface DirectorySettings {
  readonly tenant: string;
  /** The published configuration; undefined before the first. */
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
}

export function makeDirectory({ tenant, config }: DirectorySettings): Directory {
  const principal = (subject: string, grants: GrantsConfig, groups: readonly string[] = []): Principal =>
    principalOf({
      tenant,
      subject,
      groups: [...new Set([...(grants.groups ?? []), ...groups])],
      attributes: grants.attributes ?? {},
      scopes: ["ask"],
    });
  const anonymousOf = (published: Config | undefined): Principal | undefined => {
    const grants = published?.identity?.anonymous;
    return grants && principal("anonymous", grants);
  };
  return {
    async resolve(identity, signal) {
      const published = await config(signal);
      const known = lookUp(identity, published);
      return known ? principal(known.subject, known.grants, known.groups) : anonymousOf(published);
    },
    anonymous: async (signal) => anonymousOf(await config(signal)),
  };
}

interface Known {
  readonly subject: string;
  readonly grants: GrantsConfig;
  readonly groups: readonly string[];
}

/** A listed user is who the list says; else the address's domain decides; else the groups that the configuration knows. */
function lookUp(identity: ExternalIdentity, published: Config | undefined): Known | undefined {
  const directory = published?.identity?.directory;
  const ours = own(directory?.organisations, identity.source) ?? [];
  if (!directory || !identity.organisations.some((one) => ours.includes(one))) return undefined;
  const id = `${identity.source}:${identity.subject}`;
  const email = addressOf(identity.email);
  const groups = (identity.groups ?? []).flatMap((group) => own(directory.groups, group) ?? []);
  const users = directory.users ?? [];
  const user =
    users.find(({ ids }) => ids?.includes(id)) ??
    users.find(({ emails }) => email !== undefined && emails?.includes(email));
  if (user) return { subject: user.subject, grants: user, groups };
  const domain = own(directory.domains, email?.slice(email.indexOf("@") + 1) ?? "");
  if (!domain && groups.length === 0) return undefined;
  return { subject: email ?? id, grants: domain ?? {}, groups };
}

/** In lower case, as directories compare addresses; undefined for what is no plain ASCII address. */
function addressOf(email: string | undefined): string | undefined {
  const plain = email?.toLowerCase();
  return plain !== undefined && /^[\u0021-\u007e]+$/.test(plain) && /^[^@]+@[a-z0-9.-]+$/.test(plain)
    ? plain
    : undefined;
}

function own<T>(record: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return record && Object.hasOwn(record, name) ? record[name] : undefined;
}
