import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { makeSlackWorld, slackConfig, type SlackWorld } from "../fakes/slack-world.ts";
import { startSlack, type SlackStub } from "../stubs/slack.ts";

/** One app in two workspaces: each has a token of its own, and its own people. */

const PERSON = { is_email_confirmed: true, profile: { email: "alice@acme.example" } };

let stub: SlackStub;
let world: SlackWorld;

beforeAll(async () => {
  stub = await startSlack({
    users: [
      { ...PERSON, id: "U1", team_id: "T01" },
      { ...PERSON, id: "U2", team_id: "T02" },
    ],
  });
});
beforeEach(() => {
  stub.clear();
  world = makeSlackWorld(stub);
  world.config = {
    ...slackConfig({}),
    identity: { directory: { organisations: { slack: ["T01", "T02", "T03"] } } },
  };
});
afterAll(() => stub[Symbol.asyncDispose]());

async function ask(team: string, user: string): Promise<void> {
  const event = {
    type: "message",
    channel_type: "im",
    channel: `D${user}`,
    user,
    ts: "100.1",
    text: "Closed?",
  };
  await world.event(event, { team_id: team });
  await world.run();
}

describe("an app in several workspaces", () => {
  it("answers in each with the token that the workspace gave it", async () => {
    await ask("T01", "U1");
    await ask("T02", "U2");
    expect(stub.messages.map(({ team, channel }) => [team, channel])).toEqual([
      ["T01", "DU1"],
      ["T02", "DU2"],
    ]);
    expect(world.asked).toHaveLength(2);
  });

  it("knows nobody of one workspace in the other", async () => {
    await ask("T02", "U1");
    expect(world.asked).toEqual([]);
    expect(stub.messages).toMatchObject([{ team: "T02", text: expect.stringContaining("who you are") }]);
  });

  it("takes the app's own token where a workspace has none, as in an organisation of many", async () => {
    await ask("T03", "U1");
    expect(stub.messages.map(({ team }) => team)).toEqual(["T01"]);
  });

  it("says in which workspace its token ended", async () => {
    await world.event({ type: "app_uninstalled" }, { team_id: "T02" });
    stub.fault({ mode: "token_revoked" });
    await ask("T02", "U2");
    expect(world.logs.slice(0, 2)).toMatchObject([
      { event: "slack-uninstalled", team: "T02", kind: "app_uninstalled" },
      { event: "slack-refused", team: "T02", code: "token_revoked" },
    ]);
  });
});
