import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  direct,
  makeSlackWorld,
  nothing,
  slackConfig,
  told,
  USERS,
  type SlackWorld,
} from "../fakes/slack-world.ts";
import { evidence } from "../fakes/ask-world.ts";
import { startSlack, type SlackStub } from "../stubs/slack.ts";

let stub: SlackStub;
let world: SlackWorld;

beforeAll(async () => {
  stub = await startSlack({ users: USERS });
});
beforeEach(() => {
  stub.clear();
  world = makeSlackWorld(stub);
});
afterAll(() => stub[Symbol.asyncDispose]());

const command = (text: string, more: Record<string, string> = {}): Promise<Response> =>
  world.send(
    "/slack/commands",
    "form",
    new URLSearchParams({
      team_id: "T01",
      channel_id: "C1",
      user_id: "U1",
      trigger_id: "tr-1",
      response_url: stub.responseUrl("a"),
      text,
      ...more,
    }).toString(),
  );

describe("Slack commands and clicks", () => {
  it("acknowledges a command at once and answers the person alone", async () => {
    const response = await command("berth closed?");
    expect(await response.json()).toMatchObject({ response_type: "ephemeral" });
    await world.run();
    expect(stub.responses).toMatchObject([
      { response_type: "ephemeral", text: "The east berth is closed until 3 May 2027. [1]" },
    ]);
  });

  it("explains an empty command and asks nothing", async () => {
    const response = await command(" ");
    expect(await response.json()).toMatchObject({ text: expect.stringContaining("Ask a question") });
    expect(world.threads.waiting).toBe(0);
  });

  it("sends nothing to a response_url elsewhere", async () => {
    await command("berth closed?", { response_url: "http://127.0.0.1:1/hook" });
    await world.run();
    expect(stub.responses).toEqual([]);
    expect(stub.messages).toEqual([]);
  });

  it("shares an answer as what the channel may see of it", async () => {
    world.config = slackConfig({ channels: { C1: { groups: ["port"] } } });
    await command("berth closed?");
    await world.run();
    await world.click({ action_id: "qs_share", block_id: "qs:0.0:0:actions", value: "ans_aaaaaaaaaaaaaaaa" });
    await world.run();
    expect(world.asked.map(({ principal }) => principal.subject)).toEqual([
      "alice@acme.example",
      "slack-channel:T01:C1",
    ]);
    expect(stub.messages).toMatchObject([
      { onlyFor: undefined, text: expect.stringMatching(/^> berth closed\?\n\nThe east berth/) },
    ]);
  });

  it("does not share what the channel may not see", async () => {
    world.config = slackConfig({ channels: { C1: {} } });
    world.ask = (_, { subject }) => (subject.startsWith("slack-channel") ? nothing() : told(["Secret. [1]"]));
    await command("berth closed?");
    await world.run();
    await world.click({ action_id: "qs_share", block_id: "qs:0.0:0:actions", value: "ans_aaaaaaaaaaaaaaaa" });
    await world.run();
    expect(stub.messages).toMatchObject([{ onlyFor: "U1", text: expect.stringContaining("not shared") }]);
  });

  it("shows the rows behind an answer to whoever asks, as they may see them", async () => {
    const click = { action_id: "qs_evidence", block_id: "qs:200.1:0:actions", value: "notices:N-1" };
    await world.click(click);
    await world.run();
    expect(stub.messages).toMatchObject([{ onlyFor: "U1", text: expect.stringContaining("may not see") }]);
    world.rows = [evidence("N-1", "The berth <closed>")];
    await world.click(click);
    await world.run();
    expect(JSON.stringify(stub.messages[1]?.blocks)).toContain("*body*: The berth &lt;closed&gt;");
  });

  it("keeps feedback on an answer, and ignores it on an unknown one", async () => {
    const block = { action_id: "qs_feedback", block_id: "qs:200.1:0:feedback" };
    await world.click({ ...block, value: "up:ans_aaaaaaaaaaaaaaaa" });
    await world.click({ ...block, value: "down:ans_bbbbbbbbbbbbbbbb" });
    await world.run();
    expect(world.votes).toEqual([
      {
        answer: "ans_aaaaaaaaaaaaaaaa",
        rating: 1,
        subject: "alice@acme.example",
        audience: "slack-channel:T01:C1",
      },
    ]);
    expect(world.threads.failures).toEqual([]);
  });

  it("asks another model that the person may use, and refuses one that they may not", async () => {
    world.config = slackConfig({ models: ["a/one", "b/two"] });
    world.models = ["b/two"];
    await world.event(direct);
    await world.run();
    const pick = (value: string): Promise<Response> =>
      world.click(
        { action_id: "qs_model", block_id: "qs:100.1:1:actions", selected_option: { value } },
        { channel: { id: "D1" } },
      );
    await pick("b/two");
    await world.run();
    expect(world.asked[1]?.question).toMatchObject({ text: "Berth closed?", model: "b/two", history: [] });
    await pick("a/one");
    await pick("z/none");
    await world.run();
    expect(world.asked).toHaveLength(2);
    expect(stub.messages.slice(-2)).toMatchObject([
      { text: "That model is not available to you here." },
      { text: "That model is not available to you here." },
    ]);
  });

  it("offers the configured prompts when the app is opened", async () => {
    world.config = slackConfig({ prompts: [{ title: "Berths", message: "Which berths are closed?" }] });
    await world.event({ type: "app_home_opened", tab: "messages", user: "U1", channel: "D1" });
    await world.run();
    expect(stub.calls.get("assistant.threads.setSuggestedPrompts")).toBe(1);
  });
});
