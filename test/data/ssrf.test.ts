import { describe, expect, it } from "vitest";
import * as z from "zod/mini";
import type { Host } from "../../shared/ports/host.ts";
import { makeSlackApi } from "../../workers/surfaces/slack-api.ts";
import { isServiceUrl, makeTeamsApi } from "../../workers/surfaces/teams-api.ts";
import { hostileDocument } from "./hostile.ts";

/**
 * Addresses that come with a chat platform's message and are called back: Slack's `response_url`, Teams' `serviceUrl`. The set
 * plays with hosts of models; the platform's own host takes their place.
 */

const cases =
  hostileDocument(
    "ssrf-urls.json",
    z.object({
      cases: z.array(z.object({ id: z.string(), url: z.string(), expect: z.enum(["allow", "deny"]) })),
    }),
  )?.cases ?? [];

/** What an address is expected to be once `host` is the only one allowed. */
function on(host: string): readonly (readonly [id: string, url: string, allowed: boolean])[] {
  return cases.map(({ id, url, expect: wanted }) => {
    const moved = url.replaceAll(/api\.(openai|anthropic)\.com/g, host);
    return [id, moved, wanted === "allow" && moved !== url];
  });
}

/** A host that answers whatever is fetched, and tells what was. */
function listening(): { readonly host: Host; readonly fetched: string[] } {
  const fetched: string[] = [];
  const host: Host = {
    async fetch(input) {
      fetched.push(input instanceof Request ? input.url : input.toString());
      return Response.json({ ok: true, access_token: "t", expires_in: 3600, id: "1" });
    },
    secret: (name) => `a ${name}`.replace(/^a (SLACK_API_URL|TEAMS_LOGIN_URL)$/, "") || undefined,
    now: () => 0,
    log: () => undefined,
  };
  return { host, fetched };
}

const quiet = new AbortController().signal;

describe.skipIf(cases.length === 0)("an address to call back", () => {
  it.each(on("hooks.slack.com"))("of Slack: %s %j: %j", async (_, url, allowed) => {
    const { host, fetched } = listening();
    const sent = makeSlackApi(host).respond(url, { text: "x" }, quiet);
    expect(
      await sent.then(
        () => true,
        () => false,
      ),
    ).toBe(allowed);
    expect(fetched).toHaveLength(allowed ? 1 : 0);
  });

  it.each(on("smba.trafficmanager.net"))("of Teams: %s %j: %j", async (_, url, allowed) => {
    const { host, fetched } = listening();
    expect(isServiceUrl(url, host)).toBe(allowed);
    const sent = makeTeamsApi(host).send("POST", url, "conversations", {}, quiet);
    expect(
      await sent.then(
        () => true,
        () => false,
      ),
    ).toBe(allowed);
    expect(fetched.filter((one) => !one.startsWith("https://login.microsoftonline.com/"))).toHaveLength(
      allowed ? 1 : 0,
    );
  });
});
