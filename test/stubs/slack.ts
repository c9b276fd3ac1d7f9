import * as z from "zod/mini";
import { parseBody, runStub, sendJson, startStub, type Call, type Exchange, type Stub } from "./stub.ts";

/**
 * Slack's Web API as an app meets it: tokens, scopes, required arguments, block and text limits, the life of a stream,
 * `response_url`. Always 200 with `ok`, but for 429 and 5xx. docs.slack.dev, read 2026-11; the limit of a whole message's
 * blocks is what users measured.
 */

/** The app is installed in two workspaces, T01 and T02; each gave it a token. */
export const BOT_TOKEN = "xoxb-stub-token";
export const SECOND_BOT_TOKEN = "xoxb-stub-second-token";
const TEAMS: Readonly<Record<string, string>> = {
  [`Bearer ${BOT_TOKEN}`]: "T01",
  [`Bearer ${SECOND_BOT_TOKEN}`]: "T02",
};

/** A message as a reader of the channel sees it now. */
export interface SlackMessage {
  /** The workspace whose token wrote it. */
  readonly team: string;
  readonly channel: string;
  readonly ts: string;
  readonly thread: string | undefined;
  /** Undefined for a message that everyone in the channel sees. */
  readonly onlyFor: string | undefined;
  text: string;
  blocks: readonly unknown[];
  streaming: boolean;
}

export interface SlackUser {
  readonly id: string;
  readonly team_id: string;
  readonly deleted?: boolean;
  readonly is_bot?: boolean;
  readonly is_restricted?: boolean;
  readonly is_stranger?: boolean;
  readonly is_email_confirmed?: boolean;
  readonly profile: { readonly email: string };
}

export interface SlackStub extends Stub {
  readonly messages: readonly SlackMessage[];
  /** What was sent to response URLs, in order. */
  readonly responses: readonly Readonly<Record<string, unknown>>[];
  /** Times that each method was called. */
  readonly calls: ReadonlyMap<string, number>;
  /** Ends every running stream as Slack does after some minutes. */
  closeStreams(): void;
  responseUrl(id: string): string;
  /** Forgets messages, responses, calls and faults. */
  clear(): void;
}

export interface SlackOptions {
  readonly users: readonly SlackUser[];
  readonly scopes?: readonly string[];
  /** Calls a minute of `chat.startStream`, tier 2; default unlimited. */
  readonly streamsPerMinute?: number;
}

const SCOPES: Readonly<Record<string, string>> = {
  "users.info": "users:read",
  "chat.postMessage": "chat:write",
  "chat.postEphemeral": "chat:write",
  "chat.update": "chat:write",
  "chat.startStream": "chat:write",
  "chat.appendStream": "chat:write",
  "chat.stopStream": "chat:write",
  "assistant.threads.setStatus": "chat:write",
  "assistant.threads.setSuggestedPrompts": "chat:write",
};

const blocks = z.optional(
  z.array(z.looseObject({ type: z.string() })).check(z.maxLength(50, "invalid_blocks")),
);
const markdown = z.string().check(z.minLength(1, "no_text"), z.maxLength(12_000, "msg_too_long"));
const text = z.string().check(z.maxLength(40_000, "msg_too_long"));
const stamp = z.string().check(z.regex(/^\d+\.\d+$/, "invalid_thread_ts"));

const ARGUMENTS = {
  "users.info": z.object({ user: z.string() }),
  "chat.postMessage": z.object({
    channel: z.string(),
    text,
    thread_ts: z.optional(stamp),
    blocks,
    unfurl_links: z.literal(false),
    unfurl_media: z.literal(false),
  }),
  "chat.postEphemeral": z.object({
    channel: z.string(),
    user: z.string(),
    text,
    thread_ts: z.optional(stamp),
    blocks,
  }),
  "chat.update": z.object({ channel: z.string(), ts: stamp, text, blocks }),
  "chat.startStream": z.object({
    channel: z.string(),
    thread_ts: stamp,
    recipient_user_id: z.optional(z.string()),
    recipient_team_id: z.optional(z.string()),
    markdown_text: z.optional(markdown),
  }),
  "chat.appendStream": z.object({ channel: z.string(), ts: stamp, markdown_text: markdown }),
  "chat.stopStream": z.object({
    channel: z.string(),
    ts: stamp,
    markdown_text: z.optional(markdown),
    blocks,
  }),
  "assistant.threads.setStatus": z.object({
    channel_id: z.string(),
    thread_ts: stamp,
    status: z.string().check(z.maxLength(200)),
  }),
  "assistant.threads.setSuggestedPrompts": z.object({
    channel_id: z.string(),
    prompts: z
      .array(z.object({ title: z.string(), message: z.string() }))
      .check(z.minLength(1), z.maxLength(4)),
  }),
} as const;

/** Slack's answer to a body: its fields, or the code of its refusal. */
type Perform = (body: string, team: string) => Record<string, unknown> | string;

function method<T>(
  schema: z.ZodMiniType<T>,
  act: (input: T, team: string) => Record<string, unknown> | string,
): Perform {
  return (body, team) => {
    const parsed = parseBody(schema, body);
    if ("problem" in parsed) {
      const [code] = /invalid_blocks|msg_too_long|no_text|invalid_thread_ts/.exec(parsed.problem) ?? [];
      return code ?? "invalid_arguments";
    }
    const sent: unknown = Reflect.get(Object(parsed.input), "blocks");
    if (sent !== undefined && JSON.stringify(sent).length > 13_200) return "msg_blocks_too_long";
    return act(parsed.input, team);
  };
}

export async function startSlack(options: SlackOptions, port = 0): Promise<SlackStub> {
  const messages: SlackMessage[] = [];
  const responses: Readonly<Record<string, unknown>>[] = [];
  const calls = new Map<string, number>();
  const answered = new Map<string, number>();
  let clock = 1_800_000_000;
  const scopes = options.scopes ?? ["chat:write", "users:read", "users:read.email"];
  const next = (): string => `${(clock += 1)}.000100`;

  const find = (team: string, channel: string, ts: string): SlackMessage | undefined =>
    messages.find((message) => message.team === team && message.channel === channel && message.ts === ts);

  function add(
    team: string,
    input: {
      channel: string;
      thread_ts?: string | undefined;
      text?: string | undefined;
      blocks?: readonly unknown[] | undefined;
      user?: string;
      streaming?: boolean;
    },
  ): string {
    const ts = next();
    messages.push({
      team,
      channel: input.channel,
      ts,
      thread: input.thread_ts,
      onlyFor: input.user,
      text: input.text ?? "",
      blocks: input.blocks ?? [],
      streaming: input.streaming ?? false,
    });
    return ts;
  }

  const methods: Readonly<Record<string, Perform>> = {
    "users.info": method(ARGUMENTS["users.info"], ({ user }, team) => {
      const found = options.users.find(
        (one) => one.id === user && (one.team_id === team || one.is_stranger === true),
      );
      return found ? { user: found } : "user_not_found";
    }),
    "chat.postMessage": method(ARGUMENTS["chat.postMessage"], (input, team) => ({
      channel: input.channel,
      ts: add(team, input),
    })),
    "chat.postEphemeral": method(ARGUMENTS["chat.postEphemeral"], (input, team) => ({
      message_ts: add(team, input),
    })),
    "chat.update": method(ARGUMENTS["chat.update"], (input, team) => {
      const message = find(team, input.channel, input.ts);
      if (!message) return "message_not_found";
      Object.assign(message, { text: input.text, blocks: input.blocks ?? [], streaming: false });
      return { channel: input.channel, ts: input.ts };
    }),
    "chat.startStream": method(ARGUMENTS["chat.startStream"], (input, team) => {
      const direct = input.channel.startsWith("D");
      if (!direct && (input.recipient_user_id === undefined || input.recipient_team_id === undefined)) {
        return "missing_recipient_user_id";
      }
      if ((calls.get("chat.startStream") ?? 0) > (options.streamsPerMinute ?? Infinity)) return "ratelimited";
      return {
        channel: input.channel,
        ts: add(team, { ...input, text: input.markdown_text, streaming: true }),
      };
    }),
    "chat.appendStream": method(ARGUMENTS["chat.appendStream"], (input, team) => {
      const message = find(team, input.channel, input.ts);
      if (message?.streaming !== true) return "message_not_in_streaming_state";
      message.text += input.markdown_text;
      return { channel: input.channel, ts: input.ts };
    }),
    "chat.stopStream": method(ARGUMENTS["chat.stopStream"], (input, team) => {
      const message = find(team, input.channel, input.ts);
      if (message?.streaming !== true) return "message_not_in_streaming_state";
      message.text += input.markdown_text ?? "";
      message.blocks = input.blocks ?? [];
      message.streaming = false;
      return { channel: input.channel, ts: input.ts };
    }),
    "assistant.threads.setStatus": method(ARGUMENTS["assistant.threads.setStatus"], () => ({})),
    "assistant.threads.setSuggestedPrompts": method(
      ARGUMENTS["assistant.threads.setSuggestedPrompts"],
      () => ({}),
    ),
  };

  function handle(call: Call): void {
    const hook = /^\/commands\/(.+)$/.exec(call.path)?.[1];
    if (hook !== undefined) {
      const times = (answered.get(hook) ?? 0) + 1;
      answered.set(hook, times);
      // Five times within half an hour.
      if (times > 5) return sendJson(call, 404, { ok: false, error: "used_url" });
      responses.push(JSON.parse(call.body));
      return sendJson(call, 200, { ok: true });
    }
    const name = call.path.replace(/^\/api\//, "");
    calls.set(name, (calls.get(name) ?? 0) + 1);
    const team = TEAMS[call.headers.authorization ?? ""];
    const refusal = refusalOf(call, name, scopes, team);
    const result = refusal ?? methods[name]?.(call.body, team ?? "") ?? "unknown_method";
    if (result === "ratelimited") {
      return sendJson(call, 429, { ok: false, error: "ratelimited" }, { "retry-after": "30" });
    }
    sendJson(call, 200, typeof result === "string" ? { ok: false, error: result } : { ok: true, ...result });
  }

  const stub = await startStub(
    {
      refuse: () => undefined,
      errorBody: (_, kind) => ({ ok: false, error: kind || "fatal_error" }),
      handle,
    },
    port,
  );
  return Object.assign(stub, {
    messages,
    responses,
    calls,
    closeStreams() {
      for (const message of messages) message.streaming = false;
    },
    responseUrl: (id: string) => `${stub.url}/commands/${id}`,
    clear() {
      messages.length = 0;
      responses.length = 0;
      calls.clear();
      answered.clear();
      stub.reset();
    },
  });
}

function refusalOf(
  call: Exchange & Pick<Call, "is">,
  method: string,
  scopes: readonly string[],
  team: string | undefined,
): string | undefined {
  if (call.is("token_revoked")) return "token_revoked";
  if (call.is("channel_type_not_supported") && method === "chat.startStream")
    return "channel_type_not_supported";
  if (call.headers.authorization === undefined) return "not_authed";
  if (team === undefined) return "invalid_auth";
  if (call.headers["content-type"]?.startsWith("application/json") !== true) return "invalid_post_type";
  const needed = SCOPES[method];
  return needed === undefined || scopes.includes(needed) ? undefined : "missing_scope";
}

if (import.meta.main) await runStub((port) => startSlack({ users: [] }, port));
