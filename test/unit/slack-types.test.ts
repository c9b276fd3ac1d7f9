import type {
  AppHomeOpenedEvent,
  AppMentionEvent,
  BotMessageEvent,
  FileShareMessageEvent,
  GenericMessageEvent,
  MessageChangedEvent,
} from "@slack/types";
import { describe, expect, it } from "vitest";
import { envelopeSchema, workOfEvent, type Envelope } from "../../workers/surfaces/slack-work.ts";

/**
 * Events in Slack's own types: these objects compile only as long as they are what Slack says that it sends. What is sent to
 * Slack is held against its types where it is written (`workers/surfaces/slack-api.ts`, `slack-blocks.ts`).
 */

type Read = NonNullable<Envelope["event"]>;

/** Compiles only while what is read of an event is there, under that name and type. */
type Reads<Event extends Pick<Read, "type" | "user" | "channel" | "ts" | "text">> = Event;
type Messages = Reads<GenericMessageEvent | AppMentionEvent | FileShareMessageEvent>;

const MENTION: AppMentionEvent = {
  type: "app_mention",
  user: "U1",
  text: "<@UBOT> berth closed?",
  ts: "200.1",
  channel: "C1",
  event_ts: "200.1",
};

const DIRECT: GenericMessageEvent = {
  type: "message",
  subtype: undefined,
  channel_type: "im",
  channel: "D1",
  user: "U1",
  text: "Berth closed?",
  ts: "100.1",
  thread_ts: "90.1",
  event_ts: "100.1",
};

const BOT: BotMessageEvent = {
  type: "message",
  subtype: "bot_message",
  channel_type: "im",
  channel: "D1",
  text: "I wrote this",
  ts: "101.1",
  event_ts: "101.1",
  bot_id: "B1",
};

const EDITED: MessageChangedEvent = {
  type: "message",
  subtype: "message_changed",
  channel_type: "im",
  channel: "D1",
  hidden: true,
  ts: "102.1",
  event_ts: "102.1",
  message: DIRECT,
  previous_message: DIRECT,
};

const OPENED: AppHomeOpenedEvent = {
  type: "app_home_opened",
  user: "U1",
  channel: "D1",
  tab: "messages",
  event_ts: "103.1",
};

/** The work in an event as it arrives: through JSON, in Slack's envelope. */
function workIn(event: unknown): unknown {
  const envelope = { type: "event_callback", team_id: "T01", event_id: "Ev1", event };
  const work = workOfEvent(envelopeSchema.parse(JSON.parse(JSON.stringify(envelope))));
  return work && JSON.parse(work.delivery.work);
}

describe("an event in Slack's own types", () => {
  it.each<[string, Messages | AppHomeOpenedEvent, unknown]>([
    [
      "a mention",
      MENTION,
      { kind: "question", channel: "C1", thread: "200.1", text: "berth closed?", direct: false },
    ],
    [
      "a direct message",
      DIRECT,
      { kind: "question", channel: "D1", thread: "90.1", text: "Berth closed?", direct: true },
    ],
    ["an opened conversation", OPENED, { kind: "welcome", channel: "D1", user: "U1" }],
  ])("%s is work", (_, event, work) => {
    expect(workIn(event)).toMatchObject({ team: "T01", ...(work as object) });
  });

  it.each([
    ["a bot's message", BOT],
    ["an edited message", EDITED],
    ["the opened home tab", { ...OPENED, tab: "home" } satisfies AppHomeOpenedEvent],
  ])("%s is none", (_, event) => {
    expect(workIn(event)).toBeUndefined();
  });
});
