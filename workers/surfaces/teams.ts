import * as z from "zod/mini";
import type { Language } from "../../shared/analysis.ts";
import type { Config } from "../../shared/config.ts";
import type { Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Delivery } from "../thread/api.ts";
import { readJson } from "./body.ts";
import type { ChatDeps } from "./chat-ask.ts";
import { chatTexts } from "./chat-texts.ts";
import { activitySchema, deliveryOf, placeOf, tenantOf, workOf, type Activity } from "./teams-activity.ts";
import { isServiceUrl } from "./teams-api.ts";
import type { VerifyTeams } from "./teams-auth.ts";
import { evidenceCard } from "./teams-cards.ts";
import type { TeamsPeople } from "./teams-people.ts";

/** Everything behind the route `/teams/messages`, loaded by its first activity. */
export interface TeamsDeps extends Pick<ChatDeps, "directory" | "rows" | "config"> {
  readonly host: Host;
  readonly verify: VerifyTeams;
  readonly people: TeamsPeople;
  /** Takes a message into its thread, durably; false when it was taken before. */
  readonly deliver: (thread: string, delivery: Delivery) => Promise<boolean>;
}

const MAX_BODY = 1024 * 1024;
/** Verified tokens name the channel, and this is the only one that is served. */
const CHANNEL = "msteams";

const clickSchema = z.looseObject({
  action: z.looseObject({
    verb: z.string(),
    data: z.optional(
      z.looseObject({
        rows: z.optional(z.array(z.string()).check(z.maxLength(20))),
        model: z.optional(z.string()),
        language: z.optional(z.enum(["en", "fr"])),
      }),
    ),
  }),
});

const feedbackSchema = z.looseObject({
  actionName: z.literal("feedback"),
  actionValue: z.looseObject({ reaction: z.enum(["like", "dislike"]) }),
});

/**
 * One activity: read, verified against its token, taken in or (a click) answered at once.
 * @throws QuaysideError `unauthenticated`, `forbidden`, `malformed_json`, `body_too_large`, `identity_unavailable`.
 */
export async function takeActivity(deps: TeamsDeps, request: Request): Promise<Response> {
  const { host } = deps;
  const parsed = activitySchema.safeParse(await readJson(request, MAX_BODY));
  // Whoever sends something else has no token for it either; what is missing decides how it is refused.
  const claimed = parsed.success ? parsed.data : { channelId: "", serviceUrl: "" };
  await deps.verify(request, claimed);
  if (!parsed.success) throw new QuaysideError("malformed_json", "The body is no activity.");
  const activity = parsed.data;
  if (activity.channelId !== CHANNEL || !isServiceUrl(activity.serviceUrl, host)) {
    throw new QuaysideError("forbidden", "The activity comes from where nothing is served.");
  }
  const config = await deps.config(request.signal);
  const ours = config?.identity?.directory?.organisations["teams"] ?? [];
  const tenant = tenantOf(activity);
  if (!config?.surfaces?.teams || tenant === undefined || !ours.includes(tenant)) {
    throw new QuaysideError("forbidden", "This organisation is not served here.");
  }
  if (activity.type === "invoke") return answerInvoke(deps, activity, config, request.signal);
  const work = workOf(activity);
  if (work) await deps.deliver(work.thread, work.delivery);
  return new Response(null, { status: 202 });
}

/** A click waits for its answer in the response. */
async function answerInvoke(
  deps: TeamsDeps,
  activity: Activity,
  config: Config,
  signal: AbortSignal,
): Promise<Response> {
  const place = placeOf(activity);
  if (!place) return Response.json({});
  const person = async (): Promise<Principal | undefined> => {
    const identity = await deps.people(place.tenant, place.person, signal);
    return identity && deps.directory.resolve(identity, signal);
  };
  if (activity.name === "message/submitAction") {
    const vote = feedbackSchema.safeParse(activity.value);
    if (vote.success && activity.replyToId !== undefined) {
      const rating = vote.data.actionValue.reaction === "like" ? 1 : -1;
      const work = deliveryOf({ kind: "feedback", ...place, replyTo: activity.replyToId, rating });
      await deps.deliver(work.thread, work.delivery);
    }
    return Response.json({});
  }
  const click = clickSchema.safeParse(activity.name === "adaptiveCard/action" ? activity.value : undefined);
  if (!click.success) return Response.json({});
  const { verb, data = {} } = click.data.action;
  const language: Language = data.language ?? "en";
  const texts = chatTexts(language);
  const principal = await person();
  if (!principal) return said(texts.unknownPerson);
  if (verb === "evidence") {
    const rows = await deps.rows(data.rows ?? [], principal, signal);
    return Response.json({
      statusCode: 200,
      type: "application/vnd.microsoft.card.adaptive",
      value: evidenceCard(rows, language),
    });
  }
  if (verb !== "again" || data.model === undefined) return Response.json({});
  if (config.surfaces?.teams?.models?.includes(data.model) !== true) return said(texts.modelNotYours);
  const work = deliveryOf({ kind: "again", ...place, model: data.model });
  await deps.deliver(work.thread, work.delivery);
  return said(texts.askingAnother(data.model));
}

function said(text: string): Response {
  return Response.json({
    statusCode: 200,
    type: "application/vnd.microsoft.activity.message",
    value: text,
  });
}
