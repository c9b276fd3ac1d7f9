import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod/mini";
import { makeSession } from "../../workers/surfaces/widget/session.ts";
import { eventually, makeChatWorld, message, type ChatWorld } from "./chat-world.ts";
import { bearer, surfacesOf, type AskBy, type Person } from "./surfaces.ts";

/** Chat platforms over the served Worker: a signed message, its thread's object, an answer written through the platform's stub. */

const PAY = "What is Odile Marchepont's annual salary?";

let world: ChatWorld;

beforeAll(async () => {
  world = await makeChatWorld();
});

afterAll(() => world?.[Symbol.asyncDispose]());

/** How people voted on answers about pay, so far. */
async function votes(): Promise<unknown> {
  const report = await (await world.served.get("/v1/admin/answers", bearer(world.served.token))).json();
  return z.object({ feedback: z.array(z.looseObject({})) }).parse(report).feedback[0];
}

describe("Slack", () => {
  test("a person is answered from what they may see, another from theirs", async () => {
    expect((await world.event(message("U-HR", "1.1", PAY))).status).toBe(200);
    expect((await world.event(message("U-DECK", "2.1", PAY))).status).toBe(200);
    expect((await world.answered("1.1")).text).toMatch(/71[, ]?850/);
    expect((await world.answered("2.1")).text).toContain("found nothing");
  });

  test("a channel hears nothing of what only the asker may see", async () => {
    const mention = { type: "app_mention", channel: "C1", user: "U-HR", ts: "3.1", text: `<@B> ${PAY}` };
    await world.event(mention);
    const alone = await world.answered("3.1");
    expect([alone.onlyFor, alone.text]).toEqual(["U-HR", expect.stringMatching(/71[, ]?850/)]);
    const heard = world.slack.messages.filter((one) => one.channel === "C1" && one.onlyFor === undefined);
    expect(heard).toEqual([]);
  });

  test("events that come one to five times, out of order, before a crash and after it, are answered once each", async () => {
    const threads = Array.from({ length: 10 }, (_, n) => `4.${n + 1}`);
    const deliveries = threads.flatMap((thread, n) => Array<string>(1 + (n % 5)).fill(thread));
    // Always the same disorder: every seventh of thirty, which has no divisor in common with it.
    const shuffled = deliveries.map((_, n) => deliveries[(n * 7) % deliveries.length] ?? "");
    const deliver = async (some: readonly string[], id = "Ev"): Promise<void> => {
      const sent = some.map((thread) => world.event(message("U-HR", thread, PAY), `${id}-${thread}`));
      const statuses = (await Promise.all(sent)).map(({ status }) => status);
      expect(statuses).toEqual(some.map(() => 200));
    };
    // Slack says nothing: what was taken in is being answered when the Worker dies.
    world.slack.fault({ mode: "headers_never", path: "users.info" });
    const before = world.slack.exchanges.length;
    await deliver(shuffled.slice(0, 15));
    await eventually(() => world.slack.exchanges[before]);
    await world.served.restart("crash");
    world.slack.fault(undefined);
    await deliver(shuffled.slice(15));
    await Promise.all(threads.map((thread) => world.answered(thread)));
    // The same messages as other events, and one more, which is answered after them.
    await deliver(threads, "Another");
    await deliver(["5.1"]);
    await world.answered("5.1");
    const told = threads.map((thread) => world.slack.messages.filter((one) => one.thread === thread).length);
    expect(told).toEqual(threads.map(() => 1));
  });

  test("a vote on one's own answer is kept, at once; on another's it is not", async () => {
    await world.event(message("U-HR", "7.1", PAY));
    const { blocks } = await world.answered("7.1");
    const value = /"(up:ans_[^"]+)"/.exec(JSON.stringify(blocks))?.[1];
    await world.click("U-DECK", "7.1", { action_id: "qs_feedback", value });
    await world.click("U-HR", "7.1", { action_id: "qs_feedback", value });
    await expect.poll(votes).toMatchObject({ model: "local/compose", up: 1, down: 0 });
  });

  test("a request that Slack did not sign is refused", async () => {
    const response = await world.served.post("/slack/events", {}, { "x-slack-signature": "v0=00" });
    expect(response.status).toBe(401);
  });
});

const askTeams = (person: string, id: string): Promise<Response> =>
  world.activity(person, { type: "message", id, text: PAY });

describe("Teams", () => {
  test("a person is answered from what they may see, once, and a stranger with a reason", async () => {
    const statuses = [
      await askTeams("hr", "m-1"),
      await askTeams("hr", "m-1"),
      await askTeams("stranger", "m-2"),
    ];
    expect(statuses.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect((await world.told("a:hr")).text).toMatch(/71[, ]?850/);
    expect((await world.told("a:stranger")).text).toContain("can't tell who you are");
    expect(world.teams.messages.filter((one) => one.conversation === "a:hr")).toHaveLength(1);
  });

  test("a vote on an answer is kept", async () => {
    const { id } = await world.told("a:hr");
    const vote = { type: "invoke", name: "message/submitAction", id: "v-1", replyToId: id };
    const value = { actionName: "feedback", actionValue: { reaction: "dislike" } };
    expect((await world.activity("hr", { ...vote, value })).status).toBe(200);
    await expect.poll(votes).toMatchObject({ up: 1, down: 1 });
  });
});

describe("the widget", () => {
  test("keeps a vote on an answer of its reader, at once", async () => {
    const { id } = await world.served.ask(PAY, "hr");
    const session = makeSession({ base: world.served.url, getToken: () => undefined, demoUser: () => "hr" });
    expect([await session.vote(id, 1), await session.vote("ans_none", 1)]).toEqual([true, false]);
    expect(await votes()).toMatchObject({ up: 2, down: 1 });
  });
});

const HR: Person = { subject: "hr", teams: "hr", slack: "U-HR" };
const OPS: Person = { subject: "ops-fr", teams: "ops", slack: "U-OPS" };
const CANCELLED = "Why was the 06:30 Salicorne sailing from Dieppe cancelled on 3 November 2026?";

describe("the same person by all seven surfaces", () => {
  let surfaces: Readonly<Record<string, AskBy>>;

  beforeAll(async () => {
    surfaces = await surfacesOf(world);
  });

  test.each([
    ["human resources", HR, PAY, ["pay:E-104"]],
    ["operations", OPS, PAY, []],
    ["human resources", HR, CANCELLED, []],
    ["operations", OPS, CANCELLED, ["incidents:INC-2648"]],
  ])("in %s gets the same evidence, and theirs", async (_, person, question, expected) => {
    const shown: [string, readonly string[]][] = [];
    for (const [name, ask] of Object.entries(surfaces)) shown.push([name, await ask(person, question)]);
    const names = ["http", "openai", "mcp", "console", "widget", "slack", "teams"];
    expect(shown).toEqual(names.map((name) => [name, expected]));
  });
});
