import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import {
  answerOf,
  makeSlackWorld,
  nothing,
  signatureOf,
  slackConfig,
  told,
  type SlackWorld,
} from "../fakes/slack-world.ts";
import { evidence } from "../fakes/ask-world.ts";
import { startSlack, type SlackStub } from "../stubs/slack.ts";

const ALICE = {
  id: "U1",
  team_id: "T01",
  is_email_confirmed: true,
  profile: { email: "alice@acme.example" },
};
const USERS = [
  ALICE,
  { ...ALICE, id: "U-guest", is_restricted: true },
  { ...ALICE, id: "U-gone", deleted: true },
  { ...ALICE, id: "U-stranger", is_stranger: true, team_id: "T99" },
  { ...ALICE, id: "U-unconfirmed", is_email_confirmed: false },
  { ...ALICE, id: "U-bob", profile: { email: "bob@elsewhere.example" } },
];

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

const direct = {
  type: "message",
  channel_type: "im",
  channel: "D1",
  user: "U1",
  ts: "100.1",
  text: "Berth closed?",
};
const mention = {
  type: "app_mention",
  channel: "C1",
  user: "U1",
  ts: "200.1",
  text: "<@UBOT> berth closed?",
};

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "none",
    (error: unknown) => (error instanceof QuaysideError ? error.code : "other"),
  );

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

describe("Slack requests", () => {
  it("answers the challenge of a signed url_verification", async () => {
    const response = await world.send(
      "/slack/events",
      "json",
      JSON.stringify({ type: "url_verification", challenge: "c-1" }),
    );
    expect([response.status, await response.text()]).toEqual([200, "c-1"]);
  });

  it("takes a message once, however often and under whatever event it comes", async () => {
    await world.event(direct, { event_id: "Ev-a" });
    await world.event(direct, { event_id: "Ev-a" });
    await world.event(direct, { event_id: "Ev-b" });
    expect(world.threads.waiting).toBe(1);
  });

  it.each([
    ["of a bot", { ...direct, bot_id: "B1" }],
    ["that was edited", { ...direct, subtype: "message_changed" }],
    ["in a channel that does not mention the app", { ...direct, channel_type: "channel" }],
    ["that is nothing but a mention", { ...mention, text: "<@UBOT>" }],
  ])("leaves a message %s alone", async (_, event) => {
    expect((await world.event(event)).status).toBe(200);
    expect(world.threads.waiting).toBe(0);
  });

  it("refuses another workspace", async () => {
    expect(await codeOf(world.event(direct, { team_id: "T02" }))).toBe("forbidden");
  });

  it.each([
    ["signature", { "x-slack-signature": `v0=${"0".repeat(64)}` }],
    ["version", { "x-slack-signature": "v1=00" }],
    ["age", { "x-slack-request-timestamp": "1789999699" }],
  ])("refuses a wrong %s", async (_, headers) => {
    expect(await codeOf(world.send("/slack/events", "json", "{}", headers))).toBe("unauthenticated");
  });

  it("takes the secret before a rotation until its end", async () => {
    const body = JSON.stringify({ type: "url_verification", challenge: "c" });
    const signed = { "x-slack-signature": signatureOf(body, "1790000000", "previous-secret-0001") };
    expect((await world.send("/slack/events", "json", body, signed)).status).toBe(200);
    world.now = Date.parse("2026-09-21T14:14:20Z");
    const late = String(world.now / 1000);
    const old = {
      "x-slack-request-timestamp": late,
      "x-slack-signature": signatureOf(body, late, "previous-secret-0001"),
    };
    expect(await codeOf(world.send("/slack/events", "json", body, old))).toBe("unauthenticated");
  });

  it.each(["", "no json", "[]"])("refuses the signed body %j as malformed", async (body) => {
    expect(await codeOf(world.send("/slack/events", "json", body))).toBe("malformed_json");
  });

  it("refuses a body of more than a megabyte and another content type", async () => {
    const large = await codeOf(world.send("/slack/events", "json", "x".repeat(1024 * 1024 + 1)));
    expect(large).toBe("body_too_large");
    expect(await codeOf(world.send("/slack/events", "form", "{}"))).toBe("unsupported_media_type");
  });
});

describe("Slack answers", () => {
  it("streams a direct message's answer into its thread, with sources, evidence and feedback below", async () => {
    world.ask = async function* () {
      yield { type: "delta", text: "The east berth is closed. [1] It" };
      world.now += 1000;
      yield { type: "delta", text: " opens on 3 May 2027. [1] So" };
      yield { type: "done", answer: answerOf("The east berth is closed. [1] It opens on 3 May 2027. [1]") };
    };
    await world.event(direct);
    await world.run();
    const [message, ...more] = stub.messages;
    expect(more).toEqual([]);
    expect(message).toMatchObject({
      channel: "D1",
      thread: "100.1",
      text: "The east berth is closed. [1] It opens on 3 May 2027. [1] ",
      streaming: false,
    });
    expect(message?.blocks.map((block) => Reflect.get(Object(block), "type"))).toEqual([
      "context",
      "context",
      "actions",
      "context_actions",
    ]);
    expect(JSON.stringify(message?.blocks)).toContain(
      "[1] <https://crm.acme.example/n/N-1|East berth &lt;closed&gt;>",
    );
    expect(world.asked[0]?.principal.subject).toBe("alice@acme.example");
  });

  it("posts once and whole where streams are not to be had", async () => {
    stub.fault({ mode: "channel_type_not_supported" });
    world.ask = () => told(["First. [1] ", "Second sentence. [1]"]);
    await world.event(direct);
    await world.run();
    expect(stub.messages).toMatchObject([{ text: "First. [1] Second sentence. [1]", streaming: false }]);
  });

  it("writes over a stream that Slack has closed", async () => {
    world.ask = async function* () {
      yield { type: "delta", text: "First. [1] Second" };
      world.now += 1000;
      yield { type: "delta", text: " sentence. [1] Third" };
      stub.closeStreams();
      yield { type: "done", answer: answerOf("First. [1] Second sentence. [1] Third.") };
    };
    await world.event(direct);
    await world.run();
    expect(stub.messages).toMatchObject([
      { text: "First. [1] Second sentence. [1] Third.", streaming: false },
    ]);
  });

  it("shows the authoritative text where a sentence was taken back", async () => {
    world.ask = async function* () {
      yield { type: "delta", text: "The berth opens in May. [1] It costs 5 euros. And" };
      world.now += 1000;
      yield { type: "delta", text: " more. So" };
      yield { type: "retract", from: 0 };
      yield { type: "done", answer: answerOf("The berth opens in May. [1]") };
    };
    await world.event(direct);
    await world.run();
    expect(stub.messages).toMatchObject([{ text: "The berth opens in May. [1]" }]);
  });

  it("gives a message that is tried again the one message that it has", async () => {
    let tries = 0;
    world.ask = async function* () {
      tries += 1;
      yield { type: "delta", text: "First. [1] Second" };
      world.now += 1000;
      yield { type: "delta", text: " one. [1] T" };
      if (tries === 1) throw new Error("the object was moved");
      yield { type: "done", answer: answerOf("First. [1] Second one. [1] Third.") };
    };
    await world.event(direct);
    await world.run();
    expect(tries).toBe(2);
    expect(stub.messages).toMatchObject([{ text: "First. [1] Second one. [1] Third." }]);
  });

  it("tells why there is no answer, in the asker's language", async () => {
    world.ask = () => {
      throw new QuaysideError("budget_exhausted", "spent");
    };
    await world.event({ ...direct, text: "Quand est-ce que le quai est fermé et pour combien de temps ?" });
    await world.run();
    expect(stub.messages).toMatchObject([{ text: "Le budget des réponses est épuisé pour le moment." }]);
  });

  it("says so after the last try of what might have passed", async () => {
    world.ask = () => {
      throw new QuaysideError("index_unavailable", "down");
    };
    await world.event(direct);
    await world.run();
    expect(world.threads.failures.length).toBe(2);
    expect(stub.messages).toMatchObject([{ text: expect.stringContaining("can't answer now") }]);
  });

  it.each(["U-guest", "U-gone", "U-stranger", "U-unconfirmed", "U-bob", "U-none"])(
    "answers nothing to %s",
    async (user) => {
      await world.event({ ...direct, user });
      await world.run();
      expect(world.asked).toEqual([]);
      expect(stub.messages).toMatchObject([{ text: expect.stringContaining("can't tell who you are") }]);
    },
  );

  it("asks with what was said before in the thread", async () => {
    await world.event(direct);
    await world.run();
    await world.event({ ...direct, ts: "101.1", thread_ts: "100.1", text: "And the west one?" });
    await world.run();
    expect(world.asked[1]?.question.history.map(({ role }) => role)).toEqual(["user", "assistant"]);
  });

  it("makes links, images and mentions of a model's text inert", async () => {
    world.ask = () =>
      told(["See <!channel> ![x](https://evil.example/?d=1) and <https://evil.example|here>. [1]"]);
    await world.event(direct);
    await world.run();
    expect(stub.messages[0]?.text).toBe(
      "See &lt;!channel> !\\[x] (https[:]//evil.example/?d=1) and &lt;https[:]//evil.example|here>. [1]",
    );
  });

  it("cuts an answer that Slack would refuse", async () => {
    const long = `${"The berth is closed. [1] ".repeat(900)}End.`;
    world.ask = () => told([long]);
    await world.event(direct);
    await world.run();
    expect(stub.messages).toHaveLength(1);
    expect(stub.messages[0]?.text.length).toBe(10_000);
  });

  it("tries a limited call once more, and stops on a revoked token", async () => {
    stub.fault({ mode: "status_429_retry_after_ms", calls: 1, path: "chat.startStream" });
    await world.event(direct);
    await world.run();
    expect(stub.messages).toHaveLength(1);
    stub.clear();
    stub.fault({ mode: "token_revoked" });
    world = makeSlackWorld(stub);
    await world.event(direct);
    await world.run();
    expect(world.logs).toContainEqual(
      expect.objectContaining({ event: "slack-refused", code: "token_revoked" }),
    );
    expect(stub.messages).toEqual([]);
  });
});

describe("Slack channels", () => {
  it("answers the channel from what all of it may see", async () => {
    world.config = slackConfig({ channels: { C1: { groups: ["port"] } } });
    await world.event(mention);
    await world.run();
    expect(world.asked.map(({ principal }) => [principal.subject, principal.groups])).toEqual([
      ["slack-channel:T01:C1", ["port"]],
    ]);
    expect(stub.messages).toMatchObject([{ channel: "C1", thread: "200.1", onlyFor: undefined }]);
  });

  it("answers the asker alone from what only they may see", async () => {
    world.config = slackConfig({ channels: { "*": {} } });
    world.ask = (_, { subject }) => (subject.startsWith("slack-channel") ? nothing() : told(["Closed. [1]"]));
    await world.event(mention);
    await world.run();
    expect(stub.messages).toMatchObject([
      {
        channel: "C1",
        onlyFor: "U1",
        text: expect.stringMatching(/^Only you can see this[^]*Closed\. \[1\]$/),
      },
    ]);
  });

  it("answers the asker alone in a channel without an audience", async () => {
    await world.event(mention);
    await world.run();
    expect(world.asked.map(({ principal }) => principal.subject)).toEqual(["alice@acme.example"]);
    expect(stub.messages).toMatchObject([{ onlyFor: "U1" }]);
  });

  it("does not answer where another organisation listens, unless told to", async () => {
    await world.event(mention, { is_ext_shared_channel: true });
    await world.run();
    expect(world.asked).toEqual([]);
    world.config = slackConfig({ sharedChannels: true, channels: { C1: {} } });
    world.ask = () => nothing();
    await world.event({ ...mention, ts: "201.1" }, { is_ext_shared_channel: true });
    await world.run();
    expect(world.asked.map(({ principal }) => principal.subject)).toEqual(["slack-channel:T01:C1"]);
  });

  it("keeps what was told to one person out of the channel's history", async () => {
    world.config = slackConfig({ channels: { C1: {} } });
    world.ask = (_, { subject }) => (subject.startsWith("slack-channel") ? nothing() : told(["Secret. [1]"]));
    await world.event(mention);
    await world.run();
    await world.event({ ...mention, ts: "202.1", thread_ts: "200.1" });
    await world.run();
    const channel = world.asked.filter(({ principal }) => principal.subject.startsWith("slack-channel"));
    expect(JSON.stringify(channel.map(({ question }) => question.history))).not.toContain("Secret");
  });
});

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
