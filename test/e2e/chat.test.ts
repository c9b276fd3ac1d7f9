import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Config } from "../../shared/config.ts";
import { SIGNING_SECRET, signatureOf } from "../fakes/slack-world.ts";
import { APP_ID, APP_PASSWORD, startTeams, TENANT, type TeamsStub } from "../stubs/teams.ts";
import { BOT_TOKEN, startSlack, type SlackMessage, type SlackStub, type SlackUser } from "../stubs/slack.ts";
import { serve, type Served } from "./harness.ts";
import { ownSample } from "./sample.ts";

/** Chat platforms over the served Worker: a signed message, its thread's object, an answer written through the platform's stub. */

const READ = new Set(["pay", "incidents", "notices"]);
const QUESTION = "What is Odile Marchepont's annual salary?";

let stub: SlackStub;
let teams: TeamsStub;
let served: Served;
let directory: string;

const user = (id: string, email: string): SlackUser => ({
  id,
  team_id: "T01",
  is_email_confirmed: true,
  profile: { email },
});

beforeAll(async () => {
  stub = await startSlack({
    users: [user("U-HR", "people@samphire.example"), user("U-DECK", "deck@samphire.example")],
  });
  teams = await startTeams();
  const sample = await ownSample();
  directory = sample.directory;
  served = await serve(configOf(sample.config), {
    SLACK_SIGNING_SECRET: SIGNING_SECRET,
    SLACK_BOT_TOKEN: BOT_TOKEN,
    SLACK_API_URL: `${stub.url}/api`,
    TEAMS_APP_ID: APP_ID,
    TEAMS_APP_PASSWORD: APP_PASSWORD,
    TEAMS_TENANT_ID: TENANT,
    TEAMS_OPENID_URL: `${teams.url}/openid`,
    TEAMS_LOGIN_URL: teams.url,
  });
  await served.ingest();
});

afterAll(async () => {
  await served?.stop();
  await stub?.[Symbol.asyncDispose]();
  await teams?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

/** The sample with few tables read, its people in Slack, and a channel whose audience is everyone. */
function configOf(sample: Config): Config {
  const hr = sample.demo?.users["hr"];
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
          {
            subject: "hr",
            emails: ["people@samphire.example"],
            ids: ["teams:oid-hr"],
            groups: hr?.groups ?? [],
            attributes: hr?.attributes ?? {},
          },
        ],
        domains: { "samphire.example": { groups: [] } },
      },
    },
    surfaces: { slack: { channels: { C1: { groups: [] } } }, teams: {} },
  };
}

let events = 0;

function send(event: Record<string, unknown>, id = `Ev${(events += 1)}`): Promise<Response> {
  const body = JSON.stringify({ type: "event_callback", team_id: "T01", event_id: id, event });
  const timestamp = String(Math.floor(Date.now() / 1000));
  return fetch(`${served.url}/slack/events`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-slack-request-timestamp": timestamp,
      "x-slack-signature": signatureOf(body, timestamp),
    },
    body,
  });
}

const message = (user: string, ts: string, more: Record<string, unknown> = {}) => ({
  type: "message",
  channel_type: "im",
  channel: `D${user}`,
  user,
  ts,
  text: QUESTION,
  ...more,
});

/** The finished message in a thread. */
async function answered(thread: string): Promise<SlackMessage> {
  return eventually(() =>
    stub.messages.find((one) => one.thread === thread && !one.streaming && one.blocks.length > 0),
  );
}

async function eventually<T>(look: () => T | undefined): Promise<T> {
  for (const until = Date.now() + 20_000; Date.now() < until;) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  throw new Error("nothing came within 20 s");
}

describe("Slack", () => {
  test("a person is answered from what they may see, another from theirs", async () => {
    expect((await send(message("U-HR", "1.1"))).status).toBe(200);
    expect((await send(message("U-DECK", "2.1"))).status).toBe(200);
    expect((await answered("1.1")).text).toMatch(/71[, ]?850/);
    expect((await answered("2.1")).text).toContain("found nothing");
  });

  test("a channel hears nothing of what only the asker may see", async () => {
    const mention = { type: "app_mention", channel: "C1", user: "U-HR", ts: "3.1", text: `<@B> ${QUESTION}` };
    await send(mention);
    const alone = await answered("3.1");
    expect([alone.onlyFor, alone.text]).toEqual(["U-HR", expect.stringMatching(/71[, ]?850/)]);
    expect(stub.messages.filter((one) => one.channel === "C1" && one.onlyFor === undefined)).toEqual([]);
  });

  test("an event that comes five times, at once and after a crash, is answered once", async () => {
    const event = message("U-HR", "4.1");
    await Promise.all([1, 2, 3].map(() => send(event, "Ev-same")));
    await answered("4.1");
    await served.restart("crash");
    const again = await Promise.all([send(event, "Ev-same"), send(event, "Ev-other")]);
    expect(again.map(({ status }) => status)).toEqual([200, 200]);
    await send(message("U-HR", "5.1"));
    await answered("5.1");
    expect(stub.messages.filter((one) => one.thread === "4.1")).toHaveLength(1);
  });

  test("a message that was taken in before a crash is answered after it", async () => {
    stub.fault({ mode: "headers_never", path: "users.info", calls: 1 });
    const before = stub.exchanges.length;
    await send(message("U-DECK", "6.1"));
    await eventually(() => stub.exchanges[before]);
    await served.restart("crash");
    expect((await answered("6.1")).text).toContain("found nothing");
  });

  test("a request that Slack did not sign is refused", async () => {
    const response = await served.post("/slack/events", {}, { "x-slack-signature": "v0=00" });
    expect(response.status).toBe(401);
  });
});

const ask = async (person: string, id: string): Promise<Response> =>
  served.post(
    "/teams/messages",
    {
      type: "message",
      id,
      text: QUESTION,
      channelId: "msteams",
      serviceUrl: `${teams.url}/teams/`,
      from: { id: `29:${person}`, aadObjectId: `oid-${person}` },
      recipient: { id: "28:bot" },
      conversation: { id: `a:${person}`, conversationType: "personal", tenantId: TENANT },
    },
    { authorization: `Bearer ${await teams.sign()}` },
  );

describe("Teams", () => {
  test("a person is answered from what they may see, once, and a stranger with a reason", async () => {
    const statuses = [await ask("hr", "m-1"), await ask("hr", "m-1"), await ask("stranger", "m-2")];
    expect(statuses.map(({ status }) => status)).toEqual([202, 202, 202]);
    const told = (person: string) =>
      eventually(() => teams.messages.find((one) => one.conversation === `a:${person}` && !one.streaming));
    expect((await told("hr")).text).toMatch(/71[, ]?850/);
    expect((await told("stranger")).text).toContain("can't tell who you are");
    expect(teams.messages.filter((one) => one.conversation === "a:hr")).toHaveLength(1);
  });
});
