import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import {
  answerOf,
  direct,
  makeSlackWorld,
  mention,
  nothing,
  signatureOf,
  slackConfig,
  told,
  USERS,
  type SlackWorld,
} from "../fakes/slack-world.ts";
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

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => "none",
    (error: unknown) => (error instanceof QuaysideError ? error.code : "other"),
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
