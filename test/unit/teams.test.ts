import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { evidence } from "../fakes/ask-world.ts";
import { answerOf, nothing, told } from "../fakes/slack-world.ts";
import { makeTeamsWorld, teamsConfig, type TeamsWorld } from "../fakes/teams-world.ts";
import { startTeams, TENANT, type TeamsStub } from "../stubs/teams.ts";

let stub: TeamsStub;
let world: TeamsWorld;

beforeAll(async () => {
  stub = await startTeams({
    "oid-bob": { mail: "bob@acme.example", groups: ["group-port", "group-other"] },
    "oid-guest": { mail: "guest@acme.example", userType: "Guest", groups: [] },
    "oid-gone": { mail: "gone@acme.example", accountEnabled: false, groups: [] },
  });
});
beforeEach(() => {
  stub.clear();
  world = makeTeamsWorld(stub);
});
afterAll(() => stub[Symbol.asyncDispose]());

const codeOf = (work: Promise<Response>): Promise<unknown> =>
  work.then(
    ({ status }) => status,
    (error: unknown) => (error instanceof QuaysideError ? error.code : error),
  );

let number = 0;

function activity(more: Record<string, unknown> = {}): Record<string, unknown> {
  number += 1;
  return {
    type: "message",
    id: `m-${number}`,
    text: "Is the east berth closed?",
    channelId: "msteams",
    serviceUrl: `${stub.url}/teams/`,
    from: { id: "29:alice", aadObjectId: "oid-alice" },
    recipient: { id: "28:bot" },
    conversation: { id: "a:alice", conversationType: "personal", tenantId: TENANT },
    channelData: { tenant: { id: TENANT } },
    ...more,
  };
}

const inChannel = (more: Record<string, unknown> = {}): Record<string, unknown> =>
  activity({
    text: "<at>Quayside</at> is the east berth closed?",
    conversation: { id: "19:port;messageid=1", conversationType: "channel", tenantId: TENANT },
    channelData: { tenant: { id: TENANT }, channel: { id: "19:port" } },
    ...more,
  });

describe("Teams requests", () => {
  it("takes a genuine activity, and the same one once", async () => {
    const one = activity();
    expect(await codeOf(world.send(one))).toBe(202);
    expect(await codeOf(world.send(one))).toBe(202);
    expect(world.threads.waiting).toBe(1);
  });

  const at = Math.floor(Date.now() / 1000);
  it.each([
    ["no token", { authorization: undefined }],
    ["another scheme", { authorization: "Basic abc" }],
    ["no JWT", { authorization: "Bearer abc" }],
    ["a foreign key under a known name", { sign: { forged: true } }],
    ["an unknown key", { sign: { kid: "k-9" } }],
    ["no signature", { authorization: "Bearer eyJhbGciOiJub25lIiwia2lkIjoiay0xIn0.eyJhIjoxfQ.AAAA" }],
    ["a symmetric one", { authorization: "Bearer eyJhbGciOiJIUzI1NiIsImtpZCI6ImstMSJ9.eyJhIjoxfQ.AAAA" }],
    ["another issuer", { claims: { iss: "https://login.microsoftonline.com/x/v2.0" } }],
    ["another audience", { claims: { aud: "other" } }],
    ["an old one", { claims: { exp: at - 400 } }],
    ["one of the future", { claims: { nbf: at + 500 } }],
    ["no service URL in it", { claims: { serviceurl: undefined } }],
  ])("refuses %s as unauthenticated", async (_, more) => {
    expect(await codeOf(world.send(activity(), more))).toBe("unauthenticated");
  });

  it("allows for five minutes of skew", async () => {
    expect(
      await codeOf(world.send(activity(), { claims: { exp: Math.floor(world.now / 1000) - 200 } })),
    ).toBe(202);
  });

  it.each([
    ["a service URL that its token does not name", () => activity({ serviceUrl: `${stub.url}/other/` }), {}],
    ["a key without the channel's endorsement", () => activity(), { sign: { unendorsed: true } }],
    ["another channel", () => activity({ channelId: "webchat" }), { sign: { unendorsed: true } }],
    [
      "a service URL elsewhere",
      () => activity({ serviceUrl: "https://evil.example/" }),
      { claims: { serviceurl: "https://evil.example/" } },
    ],
    [
      "another organisation",
      () => activity({ conversation: { id: "a:1", tenantId: "x" }, channelData: { tenant: { id: "x" } } }),
      {},
    ],
    ["two organisations", () => activity({ channelData: { tenant: { id: "x" } } }), {}],
  ])("refuses %s as forbidden", async (_, made, more) => {
    expect(await codeOf(world.send(made(), more))).toBe("forbidden");
    expect(world.threads.waiting).toBe(0);
  });

  it("refuses an activity without a service URL, malformed JSON and a body that is too large", async () => {
    expect(await codeOf(world.send(activity({ serviceUrl: undefined })))).toBe("forbidden");
    expect(await codeOf(world.send("{"))).toBe("malformed_json");
    expect(await codeOf(world.send("x".repeat(1024 * 1024 + 1)))).toBe("body_too_large");
  });

  it("asks for the keys at most twice for many unknown names", async () => {
    const before = stub.exchanges.filter(({ path }) => path === "/keys").length;
    for (let i = 0; i < 20; i++) await codeOf(world.send(activity(), { sign: { kid: `k-${i + 10}` } }));
    expect(stub.exchanges.filter(({ path }) => path === "/keys").length - before).toBeLessThanOrEqual(2);
  });

  it("says that identity is unavailable while the keys can't be had", async () => {
    stub.fault({ mode: "status_500", path: "/keys" });
    expect(await codeOf(world.send(activity()))).toBe("identity_unavailable");
  });
});

describe("Teams answers", () => {
  it("streams in a personal chat and ends with label, citations and feedback", async () => {
    world.ask = async function* () {
      yield { type: "delta", text: "The berth is closed. [1] It" };
      world.now += 1600;
      yield { type: "delta", text: " opens in May. [1] So" };
      yield { type: "done", answer: answerOf("The berth is closed. [1] It opens in May. [1]") };
    };
    await world.send(activity());
    await world.run();
    expect(stub.calls).toEqual(["POST typing", "POST typing", "POST message"]);
    const [message, ...more] = stub.messages;
    expect(more).toEqual([]);
    expect(message).toMatchObject({ conversation: "a:alice", streaming: false });
    expect(message?.text).toMatch(/^The berth is closed\. \[1\] It opens in May\. \[1\]\n\nAI-generated by/);
    expect(message?.entities).toContainEqual(
      expect.objectContaining({
        additionalType: ["AIGeneratedContent"],
        citation: [
          expect.objectContaining({
            position: 1,
            appearance: expect.objectContaining({ url: "https://crm.acme.example/n/N-1" }),
          }),
        ],
      }),
    );
    expect(world.asked[0]?.principal).toMatchObject({ subject: "alice", groups: ["staff"] });
  });

  it("writes over a stream that Teams has ended", async () => {
    world.ask = async function* () {
      yield { type: "delta", text: "The berth is closed. [1] It" };
      world.now += 120_000;
      yield { type: "delta", text: " opens in May. [1] So" };
      yield { type: "done", answer: answerOf("The berth is closed. [1] It opens in May. [1]") };
    };
    await world.send(activity());
    await world.run();
    expect(stub.calls).toEqual(["POST typing", "PUT message"]);
    expect(stub.messages).toMatchObject([
      { streaming: false, text: expect.stringMatching(/^The berth is closed/) },
    ]);
  });

  it("stops the model when the person presses Stop", async () => {
    let ended = false;
    world.ask = async function* () {
      try {
        yield { type: "delta", text: "The berth is closed. [1] It" };
        stub.pressStop();
        world.now += 2000;
        yield { type: "delta", text: " opens in May. [1] So" };
        yield { type: "done", answer: answerOf("never") };
      } finally {
        ended = true;
      }
    };
    await world.send(activity());
    await world.run();
    expect(ended).toBe(true);
    expect(JSON.stringify(stub.messages)).not.toContain("never");
  });

  it("gives a message that is tried again the one message that it has", async () => {
    let tries = 0;
    world.ask = async function* () {
      tries += 1;
      if (tries === 1) throw new Error("the object was moved");
      yield* told(["Closed. [1]"]);
    };
    await world.send(activity());
    await world.run();
    expect(stub.messages).toMatchObject([
      { streaming: false, text: expect.stringMatching(/^Closed\. \[1\]/) },
    ]);
  });

  it("tells why there is no answer", async () => {
    world.ask = () => {
      throw new QuaysideError("budget_exhausted", "spent");
    };
    await world.send(activity());
    await world.run();
    expect(stub.messages).toMatchObject([{ text: "The budget for answers is used up for now." }]);
  });

  it("answers a channel in one message from what all of it may see", async () => {
    world.config = teamsConfig({ channels: { "19:port": { groups: ["port"] } } });
    await world.send(inChannel());
    await world.run();
    expect(world.asked.map(({ principal }) => [principal.subject, principal.groups])).toEqual([
      [`teams-channel:${TENANT}:19:port`, ["port"]],
    ]);
    expect(world.asked[0]?.question.text).toBe("is the east berth closed?");
    expect(stub.messages).toMatchObject([{ conversation: "19:port;messageid=1", streaming: false }]);
  });

  it("sends what only the asker may see to their own chat", async () => {
    world.config = teamsConfig({ channels: { "*": {} } });
    world.ask = (_, { subject }) => (subject.startsWith("teams-channel") ? nothing() : told(["Secret. [1]"]));
    await world.send(inChannel());
    await world.run();
    const inIt = stub.messages.filter(({ conversation }) => conversation.startsWith("19:"));
    expect(JSON.stringify(inIt)).not.toContain("Secret");
    expect(inIt).toMatchObject([{ text: expect.stringContaining("our own chat") }]);
    expect(stub.messages.filter(({ conversation }) => conversation === "a:29:alice")).toMatchObject([
      { text: expect.stringMatching(/^Secret\. \[1\]/) },
    ]);
  });

  it("makes mentions, links and images of a model's text inert", async () => {
    world.ask = () => told(["<at>Everyone</at> ![x](https://evil.example/?d=1) [1]"]);
    await world.send(activity());
    await world.run();
    expect(stub.messages[0]?.text).toMatch(
      /^&lt;at>Everyone&lt;\/at> !\\\[x\] \(https\[:\]\/\/evil\.example\/\?d=1\) \[1\]/,
    );
  });
});

const from = (person: string) => ({ from: { id: `29:${person}`, aadObjectId: `oid-${person}` } });

describe("Teams people", () => {
  it("knows people by address and groups from Graph", async () => {
    world.config = teamsConfig({ graph: true });
    await world.send(activity(from("bob")));
    await world.run();
    expect(world.asked[0]?.principal).toMatchObject({
      subject: "bob@acme.example",
      groups: ["staff", "port"],
    });
  });

  it.each(["guest", "gone", "nobody"])("answers nothing to %s", async (person) => {
    world.config = teamsConfig({ graph: true });
    await world.send(activity(from(person)));
    await world.run();
    expect(world.asked).toEqual([]);
    expect(stub.messages).toMatchObject([{ text: expect.stringContaining("can't tell who you are") }]);
  });

  it("answers nothing while Graph can't be asked", async () => {
    world.config = teamsConfig({ graph: true });
    stub.fault({ mode: "status_503", path: "oid-bob" });
    await world.send(activity(from("bob")));
    await world.run();
    expect(world.asked).toEqual([]);
    expect(stub.messages).toMatchObject([{ text: expect.stringContaining("can't answer now") }]);
  });

  it("takes no work from somebody without an Entra id", async () => {
    await world.send(activity({ from: { id: "29:anonymous" } }));
    expect(world.threads.waiting).toBe(0);
  });
});

const click = (verb: string, data: Record<string, unknown>) =>
  activity({ type: "invoke", name: "adaptiveCard/action", value: { action: { verb, data } } });

describe("Teams clicks", () => {
  it("shows the rows behind an answer as the person may see them", async () => {
    const none = await world.send(click("evidence", { rows: ["notices:N-1"] }));
    expect(JSON.stringify(await none.json())).toContain("may not see the rows");
    world.rows = [evidence("N-1", "The berth [is](https://evil.example) closed")];
    const some = await world.send(click("evidence", { rows: ["notices:N-1"] }));
    expect(JSON.stringify(await some.json())).toContain("\\\\[is\\\\]\\\\(https://evil.example\\\\)");
  });

  it("asks another model that the person may use, and refuses one that they may not", async () => {
    world.config = teamsConfig({ models: ["a/one", "b/two"] });
    world.models = ["b/two"];
    await world.send(activity());
    await world.run();
    await world.send(click("again", { model: "b/two" }));
    await world.run();
    expect(world.asked[1]?.question).toMatchObject({ model: "b/two", history: [] });
    await world.send(click("again", { model: "a/one" }));
    await world.run();
    const refused = await world.send(click("again", { model: "z/none" }));
    expect(await refused.json()).toMatchObject({ value: expect.stringContaining("not available") });
    expect(world.asked).toHaveLength(2);
  });

  it("keeps feedback with the answer that the message held, and ignores it on another", async () => {
    await world.send(activity());
    await world.run();
    const vote = (replyToId: string | undefined) =>
      activity({
        type: "invoke",
        name: "message/submitAction",
        replyToId,
        value: { actionName: "feedback", actionValue: { reaction: "dislike" } },
      });
    const response = await world.send(vote(stub.messages[0]?.id));
    expect([response.status, await response.json()]).toEqual([200, {}]);
    await world.send(vote("a-unknown"));
    await world.run();
    expect(world.votes).toMatchObject([
      {
        answer: "ans_aaaaaaaaaaaaaaaa",
        rating: -1,
        subject: "alice",
        audience: `teams-channel:${TENANT}:`,
      },
    ]);
  });

  it("greets who adds the bot, and says that it is an AI", async () => {
    await world.send(activity({ type: "conversationUpdate", membersAdded: [{ id: "28:bot" }] }));
    await world.run();
    expect(stub.messages).toMatchObject([{ text: expect.stringContaining("I am an AI") }]);
  });
});
