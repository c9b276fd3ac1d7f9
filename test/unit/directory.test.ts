import { describe, expect, it } from "vitest";
import { parseConfig, type Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { makeDirectory, type ExternalIdentity } from "../../workers/auth/directory.ts";

type Identity = NonNullable<Config["identity"]>;

const DIRECTORY: NonNullable<Identity["directory"]> = {
  organisations: { slack: ["T01"], teams: ["entra-tenant"] },
  users: [
    { subject: "ana", emails: ["ana@samphire.example"], groups: ["ops"], attributes: { site: ["fr"] } },
    { subject: "ben", ids: ["slack:U77"], emails: ["ben@samphire.example"], groups: ["sales"] },
  ],
  domains: { "samphire.example": { groups: ["staff"] } },
  groups: { "entra-group-1": ["finance"] },
};

const signal = new AbortController().signal;

function resolve(
  identity: Partial<ExternalIdentity>,
  settings: Identity = { directory: DIRECTORY },
): Promise<Principal | undefined> {
  const config = parseConfig({ name: "x", sources: {}, tables: {}, identity: settings });
  const directory = makeDirectory({ tenant: "acme", config: async () => config });
  return directory.resolve({ source: "slack", subject: "U1", organisations: ["T01"], ...identity }, signal);
}

function unreadable(): Promise<Config> {
  return Promise.reject(new QuaysideError("registry_unavailable", "The row registry does not answer now."));
}

describe("the directory", () => {
  it("knows a listed user by the address that the platform vouches for", async () => {
    expect(await resolve({ email: "Ana@Samphire.example" })).toEqual({
      tenant: "acme",
      subject: "ana",
      groups: ["ops"],
      attributes: { site: ["fr"] },
      scopes: ["ask"],
    });
  });

  it("knows a listed user by the platform's id, before any address", async () => {
    const user = await resolve({ subject: "U77", email: "ana@samphire.example" });
    expect(user?.subject).toBe("ben");
  });

  it("gives an id of one platform no meaning on another", async () => {
    const user = await resolve({ source: "teams", subject: "U77", organisations: ["entra-tenant"] });
    expect(user).toBeUndefined();
  });

  it("gives everyone of a domain what the domain holds, under their address", async () => {
    const user = await resolve({ email: "Cleo@samphire.example" });
    expect([user?.subject, user?.groups]).toEqual(["cleo@samphire.example", ["staff"]]);
  });

  it("adds the groups that the platform vouches for and the configuration knows", async () => {
    const teams = { source: "teams", organisations: ["entra-tenant"], groups: ["entra-group-1", "unknown"] };
    expect((await resolve({ ...teams, email: "ana@samphire.example" }))?.groups).toEqual(["ops", "finance"]);
    expect((await resolve({ ...teams, subject: "oid-9" }))?.groups).toEqual(["finance"]);
    expect((await resolve({ ...teams, subject: "oid-9" }))?.subject).toBe("teams:oid-9");
  });

  it.each([
    ["of another organisation", { email: "ana@samphire.example", organisations: ["T99"] }],
    ["of no organisation", { email: "ana@samphire.example", organisations: [] }],
    ["of a platform that is not listed", { email: "ana@samphire.example", source: "other" }],
    ["of a platform called like an object's property", { source: "constructor", organisations: ["T01"] }],
    ["of another domain", { email: "ana@samphire.example.evil.example" }],
    ["of a subdomain", { email: "ana@sub.samphire.example" }],
    ["with two at-signs", { email: "ana@evil.example@samphire.example" }],
    ["with a letter that looks like another", { email: "an\u0430@samphire.example" }],
    ["with a domain that looks like another", { email: "ana@s\u0430mphire.example" }],
    ["with a line feed", { email: "x\n@samphire.example" }],
    ["without an address", {}],
    ["of a domain called like an object's property", { email: "a@constructor" }],
  ] as const)("knows nobody %s", async (_, identity) => {
    expect(await resolve(identity)).toBeUndefined();
  });

  it("knows nobody without a directory", async () => {
    expect(await resolve({ email: "ana@samphire.example" }, {})).toBeUndefined();
  });

  it("gives whom it does not know what anyone holds, where that is configured", async () => {
    const anonymous = { groups: ["visitors"] };
    expect(await resolve({ organisations: ["T99"] }, { directory: DIRECTORY, anonymous })).toEqual({
      tenant: "acme",
      subject: "anonymous",
      groups: ["visitors"],
      attributes: {},
      scopes: ["ask"],
    });
  });

  it("is nobody, and not anyone, when the configuration can't be read", async () => {
    const directory = makeDirectory({ tenant: "acme", config: unreadable });
    const ana = { source: "slack", subject: "U1", organisations: ["T01"] };
    await expect(directory.resolve(ana, signal)).rejects.toThrow(QuaysideError);
  });

  it("refuses a configuration in which one name is two users", () => {
    const users = [...(DIRECTORY.users ?? []), { subject: "eve", emails: ["ana@samphire.example"] }];
    const identity = { directory: { ...DIRECTORY, users } };
    expect(() => parseConfig({ name: "x", sources: {}, tables: {}, identity })).toThrow(QuaysideError);
  });
});
