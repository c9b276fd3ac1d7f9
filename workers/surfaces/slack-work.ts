import * as z from "zod/mini";
import type { Delivery } from "../thread/api.ts";

/** Where in Slack something happens, and who did it. */
interface Place {
  readonly team: string;
  readonly channel: string;
  readonly user: string;
  /** Time stamp of the thread's first message. */
  readonly thread: string;
}

/** What a Slack request asks for, once it is verified; the thread of a message works on it. */
export type SlackWork =
  | (Place & {
      readonly kind: "question";
      readonly text: string;
      /** A conversation with the app alone. */
      readonly direct: boolean;
      /** A channel that another organisation is in. */
      readonly shared: boolean;
    })
  | (Omit<Place, "thread"> & {
      readonly kind: "command";
      readonly text: string;
      readonly responseUrl: string;
    })
  | (Omit<Place, "thread"> & { readonly kind: "welcome" })
  | (Place & { readonly kind: "again"; readonly model: string; readonly direct: boolean })
  | (Place & { readonly kind: "share" })
  | (Place & { readonly kind: "evidence"; readonly rows: readonly string[] })
  | (Place & { readonly kind: "feedback"; readonly answer: string; readonly rating: 1 | -1 });

/** A piece of work with the ids that Slack may repeat it under, and the thread that takes it. */
export interface SlackDelivery {
  readonly thread: string;
  readonly delivery: Delivery;
}

/** Stands for the thread of a slash command, which has none: its answers are the person's alone. */
export const COMMAND_THREAD = "0.0";

const id = z.string().check(z.minLength(1), z.maxLength(255));

/** The part of Slack's envelopes that is used; the rest may be anything. docs.slack.dev, Events API, read 2026-11. */
export const envelopeSchema = z.looseObject({
  type: z.string(),
  challenge: z.optional(z.string()),
  team_id: z.optional(id),
  event_id: z.optional(id),
  is_ext_shared_channel: z.optional(z.boolean()),
  event: z.optional(
    z.looseObject({
      type: z.string(),
      subtype: z.optional(z.string()),
      bot_id: z.optional(z.string()),
      user: z.optional(id),
      text: z.optional(z.string()),
      channel: z.optional(id),
      channel_type: z.optional(z.string()),
      ts: z.optional(id),
      thread_ts: z.optional(id),
      tab: z.optional(z.string()),
    }),
  ),
});

export type Envelope = z.infer<typeof envelopeSchema>;

export const commandSchema = z.looseObject({
  team_id: id,
  channel_id: id,
  user_id: id,
  text: z.optional(z.string()),
  trigger_id: id,
  response_url: z.string(),
});

export const interactionSchema = z.looseObject({
  type: z.string(),
  trigger_id: z.optional(id),
  team: z.nullish(z.looseObject({ id })),
  user: z.looseObject({ id }),
  channel: z.optional(z.looseObject({ id })),
  actions: z.optional(
    z.array(
      z.looseObject({
        action_id: z.optional(z.string()),
        block_id: z.optional(z.string()),
        value: z.optional(z.string()),
        action_ts: z.optional(z.string()),
        selected_option: z.nullish(z.looseObject({ value: z.string() })),
      }),
    ),
  ),
});

/** Subtypes of messages that a person writes. */
const PERSONAL = new Set<string | undefined>([undefined, "file_share", "thread_broadcast"]);

/** The work in an event; undefined for everything that wants no answer, our own messages first of all. */
export function workOfEvent(envelope: Envelope): SlackDelivery | undefined {
  const { event, team_id: team, event_id: eventId } = envelope;
  if (!event || team === undefined || eventId === undefined) return undefined;
  const { user, channel, ts } = event;
  if (user === undefined || channel === undefined || event.bot_id !== undefined) return undefined;
  if (event.type === "app_home_opened") {
    if (event.tab !== "messages") return undefined;
    return deliveryOf([`event:${eventId}`], { kind: "welcome", team, channel, user });
  }
  const direct = event.type === "message" && event.channel_type === "im";
  if (!direct && event.type !== "app_mention") return undefined;
  if (ts === undefined || !PERSONAL.has(event.subtype)) return undefined;
  const text = plainText(event.text ?? "");
  if (text === "") return undefined;
  const place = { team, channel, user, thread: event.thread_ts ?? ts };
  const shared = envelope.is_ext_shared_channel === true;
  // A mention may arrive as two events with ids of their own: the message's time stamp tells that it is one.
  const ids = [`event:${eventId}`, `message:${ts}`];
  return deliveryOf(ids, { kind: "question", ...place, text, direct, shared });
}

/** The work in a slash command. */
export function workOfCommand(command: z.infer<typeof commandSchema>): SlackDelivery {
  const { team_id: team, channel_id: channel, user_id: user, response_url: responseUrl } = command;
  const text = plainText(command.text ?? "");
  const ids = [`trigger:${command.trigger_id}`];
  return deliveryOf(ids, { kind: "command", team, channel, user, text, responseUrl });
}

/** The work in a click on one of our own blocks; undefined for any other interaction. */
export function workOfInteraction(interaction: z.infer<typeof interactionSchema>): SlackDelivery | undefined {
  const [action] = interaction.actions ?? [];
  const team = interaction.team?.id;
  const channel = interaction.channel?.id;
  if (interaction.type !== "block_actions" || !action || team === undefined || channel === undefined) {
    return undefined;
  }
  const [, thread = "", direct = ""] = /^qs:([0-9]+\.[0-9]+):([01])/.exec(action.block_id ?? "") ?? [];
  if (thread === "") return undefined;
  const place = { team, channel, user: interaction.user.id, thread };
  const ids = [`action:${interaction.user.id}:${action.action_id}:${action.action_ts ?? ""}`];
  const value = action.value ?? "";
  switch (action.action_id ?? "") {
    case "qs_feedback": {
      const [, vote, answer = ""] = /^(up|down):(ans_[\w-]{1,40})$/.exec(value) ?? [];
      if (vote === undefined) return undefined;
      return deliveryOf(ids, { kind: "feedback", ...place, answer, rating: vote === "up" ? 1 : -1 });
    }
    case "qs_evidence":
      return deliveryOf(ids, { kind: "evidence", ...place, rows: value.split("\n").slice(0, 20) });
    case "qs_share":
      return deliveryOf(ids, { kind: "share", ...place });
    case "qs_model": {
      const model = action.selected_option?.value ?? "";
      if (model === "") return undefined;
      return deliveryOf(ids, { kind: "again", ...place, model, direct: direct === "1" });
    }
    default:
      return undefined;
  }
}

function deliveryOf(ids: readonly string[], work: SlackWork): SlackDelivery {
  const thread = "thread" in work && work.thread !== COMMAND_THREAD ? work.thread : work.user;
  return {
    thread: `slack:${work.team}:${work.channel}:${thread}`,
    delivery: { ids, surface: "slack", work: JSON.stringify(work) },
  };
}

/**
 * A message as its writer saw it: mentions of people gone, links by their label, entities undone (docs.slack.dev, "Formatting
 * text for app surfaces").
 */
function plainText(text: string): string {
  return text
    .replace(/<[@!][^>]*>/g, " ")
    .replace(/<#[^|>]*\|?([^>]*)>/g, "#$1")
    .replace(/<[^|>]*\|([^>]*)>/g, "$1")
    .replace(/<([^>]*)>/g, "$1")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&")
    .replace(/\s+/g, " ")
    .trim();
}
