import type {
  AssistantThreadsSetStatusArguments,
  AssistantThreadsSetSuggestedPromptsArguments,
  ChatAppendStreamArguments,
  ChatPostEphemeralArguments,
  ChatPostMessageArguments,
  ChatStartStreamArguments,
  ChatStopStreamArguments,
  ChatUpdateArguments,
  UsersInfoArguments,
} from "@slack/web-api";
import * as z from "zod/mini";
import { plainOrigin, request } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";

/** What the methods take, in Slack's own words: its types are erased, nothing of its SDK is in the Worker. */
interface Methods {
  readonly "users.info": UsersInfoArguments;
  readonly "chat.postMessage": ChatPostMessageArguments;
  readonly "chat.postEphemeral": ChatPostEphemeralArguments;
  readonly "chat.update": ChatUpdateArguments;
  readonly "chat.startStream": ChatStartStreamArguments;
  readonly "chat.appendStream": ChatAppendStreamArguments;
  readonly "chat.stopStream": ChatStopStreamArguments;
  readonly "assistant.threads.setStatus": AssistantThreadsSetStatusArguments;
  readonly "assistant.threads.setSuggestedPrompts": AssistantThreadsSetSuggestedPromptsArguments;
}

/** The same, for what is only sent. */
export type Sent<T> = T extends readonly (infer Item)[]
  ? readonly Sent<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Sent<T[Key]> }
    : T;

/** Slack's Web API as this surface uses it: JSON in, `ok` and a code out. docs.slack.dev, Web API, read 2026-11. */
export interface SlackApi {
  /**
   * Calls a method once, again after a 429 with a short wait or a 5xx.
   * @param team the workspace in which it happens: each may have a token of its own.
   * @returns what Slack said, or the code of its refusal (`message_not_in_streaming_state`, …).
   * @throws QuaysideError `platform_unavailable`, `rate_limited`, `platform_rejected` (our token), `cancelled`.
   */
  call<Method extends keyof Methods>(
    team: string,
    method: Method,
    body: Sent<Methods[Method]>,
    signal: AbortSignal,
  ): Promise<SlackAnswer>;
  /** Answers a slash command or a click at the address that came with it. Nothing is sent to any other host. */
  respond(responseUrl: string, body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<void>;
}

export type SlackAnswer =
  | { readonly ok: true; readonly body: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly error: string };

const PUBLIC_API = "https://slack.com/api";
/** Where `response_url` leads. */
const HOOKS = "https://hooks.slack.com";
const DEADLINE_MS = 15_000;

/** The app or its token is gone: no call will succeed until someone acts. */
const REVOKED = new Set([
  "account_inactive",
  "invalid_auth",
  "not_authed",
  "token_revoked",
  "token_expired",
  "missing_scope",
]);

const answerSchema = z.looseObject({ ok: z.boolean(), error: z.optional(z.string()) });

/**
 * @param host its `SLACK_BOT_TOKEN_<team id>` is the app's token in that workspace, `SLACK_BOT_TOKEN` the one in all others;
 * `SLACK_API_URL` points at a stand-in for Slack, hooks included.
 */
export function makeSlackApi(host: Host): SlackApi {
  const base = (host.secret("SLACK_API_URL") ?? PUBLIC_API).replace(/\/$/, "");
  const hooks = [HOOKS, ...(base === PUBLIC_API ? [] : [new URL(base).origin])];
  const options = {
    peer: "Slack",
    codes: { unavailable: "platform_unavailable", rejected: "platform_rejected" },
    deadlineMs: DEADLINE_MS,
    retries: 1,
  } as const;
  const json = { "content-type": "application/json; charset=utf-8" };
  return {
    async call(team, method, body, signal) {
      const token = host.secret(`SLACK_BOT_TOKEN_${team}`) ?? host.secret("SLACK_BOT_TOKEN");
      if (token === undefined) {
        throw new QuaysideError("not_configured", "Set SLACK_BOT_TOKEN, or SLACK_BOT_TOKEN_<team id>.");
      }
      const response = await patiently(signal, () =>
        request(
          host,
          `${base}/${method}`,
          {
            method: "POST",
            headers: { ...json, authorization: `Bearer ${token}` },
            body: JSON.stringify(body),
            signal,
          },
          options,
        ),
      );
      const parsed = answerSchema.safeParse(await response.json().catch(() => undefined));
      if (!parsed.success)
        throw new QuaysideError("platform_unavailable", "Slack sent no answer of its API.");
      if (parsed.data.ok) return { ok: true, body: parsed.data };
      const error = /^[a-z_]{1,60}$/.exec(parsed.data.error ?? "")?.[0] ?? "unknown";
      if (REVOKED.has(error)) {
        host.log({ level: "error", event: "slack-refused", team, method, code: error });
        throw new QuaysideError("platform_rejected", `Slack refuses the app's token of ${team} (${error}).`);
      }
      if (error === "ratelimited") throw new QuaysideError("rate_limited", "Slack is limiting our calls.");
      return { ok: false, error };
    },
    async respond(responseUrl, body, signal) {
      if (!hooks.includes(plainOrigin(responseUrl) ?? "")) {
        throw new QuaysideError("platform_rejected", "The response_url does not lead to Slack.");
      }
      const input = { method: "POST", headers: json, body: JSON.stringify(body), signal };
      await patiently(signal, () => request(host, responseUrl, input, options));
    },
  };
}

/** Slack's slowness is Slack's: the deadline of an answer is another thing, and means that there is none. */
async function patiently<T>(signal: AbortSignal, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    const slow = error instanceof QuaysideError && error.code === "deadline_exceeded" && !signal.aborted;
    if (!slow) throw error;
    throw new QuaysideError("platform_unavailable", "Slack did not answer in time.", { cause: error });
  }
}
