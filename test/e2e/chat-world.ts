import { rm } from "node:fs/promises";
import type { Config } from "../../shared/config.ts";
import { SIGNING_SECRET, signatureOf } from "../fakes/slack-world.ts";
import { BOT_TOKEN, startSlack, type SlackMessage, type SlackStub, type SlackUser } from "../stubs/slack.ts";
import {
  APP_ID,
  APP_PASSWORD,
  startTeams,
  TENANT,
  type TeamsMessage,
  type TeamsStub,
} from "../stubs/teams.ts";
import { serve, type Served } from "./harness.ts";
import { ownSample } from "./sample.ts";

/** The served Worker between the stubs of Slack and Teams, over a few tables of the sample, and what people do there. */

export interface ChatWorld extends AsyncDisposable {
  readonly served: Served;
  readonly slack: SlackStub;
  readonly teams: TeamsStub;
  /** A signed event; every one has an id of its own unless one is given. */
  event(event: Readonly<Record<string, unknown>>, id?: string): Promise<Response>;
  /** A signed click on a message in somebody's direct messages. */
  click(user: string, thread: string, action: Readonly<Record<string, unknown>>): Promise<Response>;
  /** The finished message in a thread. */
  answered(thread: string): Promise<SlackMessage>;
  /** A signed activity in a person's own chat. */
  activity(person: string, more: Readonly<Record<string, unknown>>, chat?: string): Promise<Response>;
  /** The finished message in a Teams conversation. */
  told(conversation: string): Promise<TeamsMessage>;
}

const READ = new Set(["pay", "incidents", "notices"]);

export async function makeChatWorld(): Promise<ChatWorld> {
  const slack = await startSlack({
    users: [
      user("U-HR", "people@samphire.example"),
      user("U-OPS", "quay@samphire.example"),
      user("U-DECK", "deck@samphire.example"),
    ],
  });
  const teams = await startTeams();
  const sample = await ownSample();
  const served = await serve(configOf(sample.config), {
    SLACK_SIGNING_SECRET: SIGNING_SECRET,
    SLACK_BOT_TOKEN: BOT_TOKEN,
    SLACK_API_URL: `${slack.url}/api`,
    TEAMS_APP_ID: APP_ID,
    TEAMS_APP_PASSWORD: APP_PASSWORD,
    TEAMS_TENANT_ID: TENANT,
    TEAMS_OPENID_URL: `${teams.url}/openid`,
    TEAMS_LOGIN_URL: teams.url,
  });
  await served.ingest();

  let count = 0;
  const signed = (path: string, contentType: string, body: string): Promise<Response> => {
    const timestamp = String(Math.floor(Date.now() / 1000));
    return fetch(served.url + path, {
      method: "POST",
      headers: {
        "content-type": contentType,
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signatureOf(body, timestamp),
      },
      body,
    });
  };

  return {
    served,
    slack,
    teams,
    event(event, id = `Ev${(count += 1)}`) {
      const body = { type: "event_callback", team_id: "T01", event_id: id, event };
      return signed("/slack/events", "application/json", JSON.stringify(body));
    },
    click(person, thread, action) {
      const payload = {
        type: "block_actions",
        team: { id: "T01" },
        channel: { id: `D${person}` },
        user: { id: person },
        actions: [{ block_id: `qs:${thread}:1:feedback`, action_ts: String((count += 1)), ...action }],
      };
      const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
      return signed("/slack/interactions", "application/x-www-form-urlencoded", body);
    },
    answered: (thread) =>
      eventually(() =>
        slack.messages.find((one) => one.thread === thread && !one.streaming && one.blocks.length > 0),
      ),
    async activity(person, more, chat = `a:${person}`) {
      const body = {
        channelId: "msteams",
        serviceUrl: `${teams.url}/teams/`,
        from: { id: `29:${person}`, aadObjectId: `oid-${person}` },
        recipient: { id: "28:bot" },
        conversation: { id: chat, conversationType: "personal", tenantId: TENANT },
        ...more,
      };
      return served.post("/teams/messages", body, { authorization: `Bearer ${await teams.sign()}` });
    },
    told: (conversation) =>
      eventually(() => teams.messages.find((one) => one.conversation === conversation && !one.streaming)),
    async [Symbol.asyncDispose]() {
      await served.stop();
      await slack[Symbol.asyncDispose]();
      await teams[Symbol.asyncDispose]();
      await rm(sample.directory, { recursive: true, force: true });
    },
  };
}

function user(id: string, email: string): SlackUser {
  return { id, team_id: "T01", is_email_confirmed: true, profile: { email } };
}

/** A direct message to the app. */
export function message(
  person: string,
  ts: string,
  text: string,
  more: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  return { type: "message", channel_type: "im", channel: `D${person}`, user: person, ts, text, ...more };
}

/** The sample with few tables read, its people in Slack and Teams, and a channel whose audience is everyone. */
function configOf(sample: Config): Config {
  const person = (subject: string, email: string, oid: string) => ({
    subject,
    emails: [email],
    ids: [`teams:${oid}`],
    groups: sample.demo?.users[subject]?.groups ?? [],
    attributes: sample.demo?.users[subject]?.attributes ?? {},
  });
  return {
    ...sample,
    tables: Object.fromEntries(
      Object.entries(sample.tables).map(([name, table]) => [
        name,
        READ.has(name) ? table : { ...table, index: false },
      ]),
    ),
    identity: {
      directory: {
        organisations: { slack: ["T01"], teams: [TENANT] },
        users: [
          person("hr", "people@samphire.example", "oid-hr"),
          person("ops-fr", "quay@samphire.example", "oid-ops"),
        ],
        domains: { "samphire.example": { groups: [] } },
      },
    },
    surfaces: { slack: { channels: { C1: { groups: [] } } }, teams: {} },
  };
}

export async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (const until = Date.now() + 30_000; Date.now() < until;) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error("nothing came within 30 s");
}
