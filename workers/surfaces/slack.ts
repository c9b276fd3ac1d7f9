import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Answerer, Delivery } from "../thread/api.ts";
import { parseJson, readBytes } from "./body.ts";
import { chatTexts } from "./chat-texts.ts";
import { verifySlack, type SlackSecrets } from "./slack-signature.ts";
import type { SlackDelivery } from "./slack-work.ts";
import type { Call, Route, Surface } from "./surface.ts";

export interface SlackDeps {
  readonly host: Host;
  /** The published configuration; undefined before the first. */
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
  /** Takes a message into its thread, durably; false when it was taken before. */
  readonly deliver: (thread: string, delivery: Delivery) => Promise<boolean>;
  readonly answer: Answerer;
}

const MAX_BODY = 1024 * 1024;
const FORM = "application/x-www-form-urlencoded";

/**
 * Slack: events, slash commands and clicks. Each is verified over its raw bytes, taken into its thread and acknowledged;
 * Slack waits three seconds and then sends again. The thread answers.
 */
export function slackSurface(deps: SlackDeps): Surface {
  const route = (
    path: string,
    summary: string,
    bodyType: string,
    handle: (body: string, call: Call) => Promise<Response>,
  ): Route => ({
    method: "POST",
    path,
    doc: { summary, bodyType },
    handle: async (call) => handle(await verified(deps, call.request, bodyType), call),
  });
  return {
    name: "slack",
    answer: deps.answer,
    routes: [
      route("/slack/events", "Take an event of the Slack app", "application/json", (body, { request }) =>
        takeEvent(deps, body, request.signal),
      ),
      route("/slack/commands", "Take a slash command", FORM, (body, { request }) =>
        takeCommand(deps, body, request.signal),
      ),
      route("/slack/interactions", "Take a click on a message of the app", FORM, (body, { request }) =>
        takeInteraction(deps, body, request.signal),
      ),
    ],
  };
}

/** Read by the first request, so that a Worker without Slack does not pay for it. */
const forms = () => import("./slack-work.ts");

async function verified({ host }: SlackDeps, request: Request, bodyType: string): Promise<string> {
  const secrets = secretsOf(host);
  const body = await readBytes(request, bodyType, MAX_BODY);
  await verifySlack(request.headers, body, secrets, host.now());
  return new TextDecoder().decode(body);
}

/** @throws QuaysideError `not_found` where no Slack app is set up: the routes are not there then. */
function secretsOf(host: Host): SlackSecrets {
  const current = host.secret("SLACK_SIGNING_SECRET");
  if (current === undefined) throw new QuaysideError("not_found", "Slack is not set up here.");
  const secret = host.secret("SLACK_SIGNING_SECRET_PREVIOUS");
  const until = Date.parse(host.secret("SLACK_SIGNING_SECRET_PREVIOUS_UNTIL") ?? "");
  return { current, previous: secret === undefined || Number.isNaN(until) ? undefined : { secret, until } };
}

async function takeEvent(deps: SlackDeps, body: string, signal: AbortSignal): Promise<Response> {
  const { envelopeSchema, workOfEvent } = await forms();
  const envelope = parse(envelopeSchema, parseJson(body));
  if (envelope.type === "url_verification") return new Response(envelope.challenge ?? "");
  if (envelope.type === "app_rate_limited") {
    deps.host.log({ level: "warn", event: "slack-events-limited", team: envelope.team_id });
    return new Response();
  }
  const event = envelope.event?.type;
  if (event === "tokens_revoked" || event === "app_uninstalled") {
    deps.host.log({ level: "error", event: "slack-uninstalled", team: envelope.team_id, kind: event });
    return new Response();
  }
  return take(deps, envelope.team_id, workOfEvent(envelope), signal);
}

async function takeCommand(deps: SlackDeps, body: string, signal: AbortSignal): Promise<Response> {
  const form = new URLSearchParams(body);
  if (form.has("ssl_check")) return new Response();
  const { commandSchema, workOfCommand } = await forms();
  const command = parse(commandSchema, Object.fromEntries(form));
  const work = workOfCommand(command);
  const texts = chatTexts("en");
  const empty = (command.text ?? "").trim() === "";
  const taken = await take(deps, command.team_id, empty ? undefined : work, signal);
  if (!taken.ok) return taken;
  return Response.json({ response_type: "ephemeral", text: empty ? texts.askSomething : texts.working });
}

async function takeInteraction(deps: SlackDeps, body: string, signal: AbortSignal): Promise<Response> {
  const { interactionSchema, workOfInteraction } = await forms();
  const interaction = parse(interactionSchema, parseJson(new URLSearchParams(body).get("payload") ?? ""));
  return take(deps, interaction.team?.id, workOfInteraction(interaction), signal);
}

/** @throws QuaysideError `forbidden` for a workspace that is not ours. */
async function take(
  { config, deliver }: SlackDeps,
  team: string | undefined,
  work: SlackDelivery | undefined,
  signal: AbortSignal,
): Promise<Response> {
  // Without a team or with nothing to do there is nobody whose team could be wrong.
  if (team === undefined || (work === undefined && team === "")) return new Response();
  const published = await config(signal);
  const teams = published?.identity?.directory?.organisations["slack"] ?? [];
  if (!published?.surfaces?.slack || !teams.includes(team)) {
    throw new QuaysideError("forbidden", "This Slack workspace is not served here.");
  }
  if (work) await deliver(work.thread, work.delivery);
  return new Response();
}

interface Schema<T> {
  safeParse(input: unknown): { readonly success: true; readonly data: T } | { readonly success: false };
}

function parse<T>(schema: Schema<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new QuaysideError("malformed_json", "The body is not what Slack sends.");
}
