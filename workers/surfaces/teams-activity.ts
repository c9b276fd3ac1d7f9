import * as z from "zod/mini";
import type { Delivery } from "../thread/api.ts";

/** Where an answer goes. */
export interface TeamsPlace {
  readonly serviceUrl: string;
  readonly tenant: string;
  readonly conversation: string;
  /** A chat with the bot alone. */
  readonly personal: boolean;
  /** The channel or group chat that all of it reads; empty in a personal chat. */
  readonly channel: string;
  /** Id of the activity that is answered. */
  readonly activity: string;
  /** The person: id in the conversation, and in Entra. */
  readonly user: string;
  readonly person: string;
  /** The bot's id in the conversation. */
  readonly bot: string;
}

/** What an activity asks for, once it is verified; the thread of its conversation works on it. */
export type TeamsWork =
  | (TeamsPlace & { readonly kind: "question"; readonly text: string })
  | (TeamsPlace & { readonly kind: "again"; readonly model: string })
  | (TeamsPlace & { readonly kind: "feedback"; readonly replyTo: string; readonly rating: 1 | -1 })
  | (TeamsPlace & { readonly kind: "welcome" });

export interface TeamsDelivery {
  readonly thread: string;
  readonly delivery: Delivery;
}

const id = z.string().check(z.minLength(1), z.maxLength(1000));

/** The part of an activity that is used; the rest may be anything. Microsoft, "Bot Connector: Activity", read 2026-11. */
export const activitySchema = z.looseObject({
  type: z.string(),
  id: z.optional(id),
  name: z.optional(z.string()),
  text: z.nullish(z.string()),
  channelId: id,
  serviceUrl: id,
  from: z.looseObject({ id, aadObjectId: z.optional(id) }),
  recipient: z.looseObject({ id }),
  conversation: z.looseObject({
    id,
    conversationType: z.optional(z.string()),
    tenantId: z.optional(id),
  }),
  channelData: z.nullish(
    z.looseObject({
      tenant: z.nullish(z.looseObject({ id })),
      channel: z.nullish(z.looseObject({ id })),
    }),
  ),
  membersAdded: z.nullish(z.array(z.looseObject({ id }))),
  replyToId: z.optional(id),
  value: z.optional(z.unknown()),
});

export type Activity = z.infer<typeof activitySchema>;

/** The organisation that an activity comes from, if it says the same everywhere; undefined otherwise. */
export function tenantOf({ conversation, channelData }: Activity): string | undefined {
  const said = new Set(
    [conversation.tenantId, channelData?.tenant?.id].filter((one) => one !== undefined && one !== null),
  );
  return said.size === 1 ? [...said][0] : undefined;
}

/** Undefined where an activity lacks what it takes to answer it. */
export function placeOf(activity: Activity): TeamsPlace | undefined {
  const tenant = tenantOf(activity);
  const person = activity.from.aadObjectId;
  if (tenant === undefined || person === undefined || activity.id === undefined) return undefined;
  const { id: conversation, conversationType } = activity.conversation;
  const personal = conversationType === "personal";
  // A thread in a channel is a conversation of its own: `<channel>;messageid=<root>`.
  const channel = activity.channelData?.channel?.id ?? conversation.split(";")[0] ?? conversation;
  return {
    serviceUrl: activity.serviceUrl,
    tenant,
    conversation,
    personal,
    channel: personal ? "" : channel,
    activity: activity.id,
    user: activity.from.id,
    person,
    bot: activity.recipient.id,
  };
}

/** The work in an activity; undefined for everything that wants no answer. */
export function workOf(activity: Activity): TeamsDelivery | undefined {
  const place = placeOf(activity);
  if (!place) return undefined;
  if (activity.type === "message") {
    const text = plainText(activity.text ?? "");
    return text === "" ? undefined : deliveryOf({ kind: "question", ...place, text });
  }
  const added = activity.membersAdded?.some((member) => member.id === activity.recipient.id) === true;
  const greets = activity.type === "conversationUpdate" && place.personal && added;
  return greets ? deliveryOf({ kind: "welcome", ...place }) : undefined;
}

export function deliveryOf(work: TeamsWork): TeamsDelivery {
  const ids = [`activity:${work.activity}${work.kind === "again" ? `:${work.model}` : ""}`];
  return {
    thread: `teams:${work.tenant}:${work.conversation}`,
    delivery: { ids, surface: "teams", work: JSON.stringify(work) },
  };
}

/** A message without the mention of the bot; Teams sends text with `<at>` elements and, of formatted text, simple HTML. */
function plainText(text: string): string {
  return text
    .replace(/<at>[^<]*<\/at>/gi, " ")
    .replace(/<[^>]{1,200}>/g, " ")
    .replaceAll("&nbsp;", " ")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&amp;", "&")
    .replace(/\s+/g, " ")
    .trim();
}
