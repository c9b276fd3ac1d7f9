import { exportJWK, generateKeyPair, SignJWT, type JWK } from "jose";
import * as z from "zod/mini";
import { parseBody, runStub, sendJson, startStub, type Call, type Stub } from "./stub.ts";

/**
 * Microsoft around a Teams bot, on one server: sign-in, the connector's keys, the connector itself, Graph. Strict where the
 * real ones are: tokens, tenant, streams (personal chats only, one call a second, rising numbers, the text before as a prefix,
 * nothing after the end), one root entity, 20 citations, sizes. Microsoft's documentation, read 2026-11.
 */

export const APP_ID = "11111111-2222-3333-4444-555555555555";
export const APP_PASSWORD = "stub-app-password";
export const TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
export const ISSUER = "https://api.botframework.com";

/** A message as people in the conversation see it now. */
export interface TeamsMessage {
  readonly conversation: string;
  readonly id: string;
  text: string;
  entities: readonly Readonly<Record<string, unknown>>[];
  attachments: readonly unknown[];
  /** Undefined once it is a message. */
  streaming: boolean;
}

export interface TeamsPerson {
  readonly mail: string;
  readonly userType?: string;
  readonly accountEnabled?: boolean;
  readonly groups: readonly string[];
}

export interface TeamsStub extends Stub {
  readonly messages: readonly TeamsMessage[];
  /** Calls of the connector, as method and kind of activity. */
  readonly calls: readonly string[];
  /** Signs a token as the connector does. */
  sign(claims?: Readonly<Record<string, unknown>>, options?: SignOptions): Promise<string>;
  /** What the person does in their chat: the next stream call is refused with it. */
  pressStop(): void;
  /** The clock of the rate limit, in milliseconds since the epoch. */
  now: () => number;
  clear(): void;
}

export interface SignOptions {
  /** Signs with a key that the published set does not hold, under its name. */
  readonly forged?: boolean;
  /** A key that is published without an endorsement of Teams. */
  readonly unendorsed?: boolean;
  readonly kid?: string;
  /** Seconds since the epoch; default now. */
  readonly at?: number;
}

const entity = z.looseObject({
  type: z.string(),
  streamType: z.optional(z.string()),
  streamId: z.optional(z.string()),
  streamSequence: z.optional(z.number()),
  citation: z.optional(
    z
      .array(
        z.looseObject({
          position: z.number(),
          appearance: z.looseObject({
            name: z.string().check(z.maxLength(80)),
            abstract: z.string().check(z.maxLength(160)),
          }),
        }),
      )
      .check(z.maxLength(20)),
  ),
});

const activity = z.looseObject({
  type: z.enum(["message", "typing"]),
  text: z.optional(z.string().check(z.maxLength(50_000))),
  entities: z.optional(z.array(entity)),
  attachments: z.optional(z.array(z.looseObject({ contentType: z.string() }))),
});

const chat = z.looseObject({
  isGroup: z.literal(false),
  bot: z.object({ id: z.string() }),
  members: z.array(z.object({ id: z.string() })).check(z.minLength(1)),
  tenantId: z.string(),
});

type Refusal = readonly [status: number, message: string];

export async function startTeams(
  people: Readonly<Record<string, TeamsPerson>> = {},
  port = 0,
): Promise<TeamsStub> {
  const messages: TeamsMessage[] = [];
  const calls: string[] = [];
  const made = await Promise.all([
    generateKeyPair("RS256"),
    generateKeyPair("RS256"),
    generateKeyPair("RS256"),
  ]);
  const [endorsed, unendorsed, foreign] = made;
  const keys: (JWK & { readonly endorsements: readonly string[] })[] = [
    { ...(await exportJWK(endorsed.publicKey)), kid: "k-1", use: "sig", endorsements: ["msteams"] },
    { ...(await exportJWK(unendorsed.publicKey)), kid: "k-2", use: "sig", endorsements: ["webchat"] },
  ];
  let number = 0;
  let streamedAt = -Infinity;
  let stopped = false;

  const find = (conversation: string, id: string): TeamsMessage | undefined =>
    messages.find((message) => message.conversation === conversation && message.id === id);

  const add = (conversation: string, body: z.infer<typeof activity>, streaming: boolean): string => {
    number += 1;
    const id = `a-${number}`;
    messages.push({
      conversation,
      id,
      text: body.text ?? "",
      entities: body.entities ?? [],
      attachments: body.attachments ?? [],
      streaming,
    });
    return id;
  };

  function stream(
    conversation: string,
    body: z.infer<typeof activity>,
    info: z.infer<typeof entity>,
  ): string | Refusal {
    if (!conversation.startsWith("a:")) {
      return [405, "Streaming API is not enabled for non personal scope"];
    }
    if (stopped) return [403, "ContentStreamNotAllowed: Content stream was canceled by user"];
    const at = stub.now();
    if (at - streamedAt < 1000) return [429, "API calls quota exceeded"];
    streamedAt = at;
    const message = info.streamId === undefined ? undefined : find(conversation, info.streamId);
    if (info.streamId === undefined) {
      if (info.streamSequence !== 1) return [400, "BadRequest: a stream begins with 1"];
      return add(conversation, body, true);
    }
    if (message?.streaming !== true) {
      return [
        403,
        "ContentStreamNotAllowed: Content stream is not allowed on an already completed streamed message",
      ];
    }
    if (info.streamType === "final") {
      if (body.type !== "message" || info.streamSequence !== undefined) return [400, "BadRequest"];
      Object.assign(message, {
        text: body.text,
        entities: body.entities,
        attachments: body.attachments ?? [],
      });
      message.streaming = false;
      return message.id;
    }
    const informative = message.entities[0]?.["streamType"] === "informative";
    if (!informative && body.text?.startsWith(message.text) !== true) {
      return [400, "BadRequest: streamed text must contain what was streamed"];
    }
    Object.assign(message, { text: body.text, entities: body.entities });
    return message.id;
  }

  function take(conversation: string, body: z.infer<typeof activity>): string | Refusal {
    const roots = (body.entities ?? []).filter(({ type }) => type === "https://schema.org/Message");
    if (roots.length > 1) return [400, "BadRequest: one root entity"];
    const info = body.entities?.find(({ type }) => type === "streaminfo");
    if (info) return stream(conversation, body, info);
    return body.type === "typing" ? "" : add(conversation, body, false);
  }

  function connector(call: Call, path: string): void {
    if (call.headers.authorization !== "Bearer token-for-https://api.botframework.com/.default") {
      return sendJson(call, 401, { error: { code: "Unauthorized" } });
    }
    const answer = (result: string | Refusal, status = 201): void =>
      typeof result === "string"
        ? sendJson(call, status, { id: result })
        : sendJson(
            call,
            result[0],
            { error: { code: "BadArgument", message: result[1] } },
            { "retry-after": "1" },
          );
    if (path === "conversations") {
      const parsed = parseBody(chat, call.body);
      calls.push(`${call.method} conversations`);
      if ("problem" in parsed) return answer([400, parsed.problem]);
      return answer(`a:${parsed.input.members[0]?.id ?? ""}`);
    }
    const [, id = "", , target = ""] =
      /^conversations\/([^/]+)\/activities(\/([^/]+))?$/
        .exec(path)
        ?.map((part) => part && decodeURIComponent(part)) ?? [];
    const parsed = parseBody(activity, call.body);
    if (id === "" || "problem" in parsed) return answer([400, "problem" in parsed ? parsed.problem : "path"]);
    calls.push(`${call.method} ${parsed.input.type}`);
    if (call.method !== "PUT") return answer(take(id, parsed.input));
    const message = find(id, target);
    if (!message) return answer([404, "ActivityNotFoundInConversation"]);
    Object.assign(message, {
      text: parsed.input.text ?? "",
      entities: parsed.input.entities ?? [],
      attachments: parsed.input.attachments ?? [],
      streaming: false,
    });
    answer(message.id, 200);
  }

  function graph(call: Call, path: string): void {
    if (call.headers.authorization !== "Bearer token-for-https://graph.microsoft.com/.default") {
      return sendJson(call, 401, { error: { code: "InvalidAuthenticationToken" } });
    }
    const [, id = "", groups] = /^users\/([^/]+)(\/getMemberGroups)?$/.exec(path) ?? [];
    const person = people[id];
    if (!person) return sendJson(call, 404, { error: { code: "Request_ResourceNotFound" } });
    if (groups !== undefined) return sendJson(call, 200, { value: person.groups });
    const { mail, userType = "Member", accountEnabled = true } = person;
    sendJson(call, 200, { mail, userType, accountEnabled });
  }

  const base = await startStub(
    {
      refuse: () => undefined,
      errorBody: (status) => ({ error: { code: "ServiceError", message: String(status) } }),
      handle(call) {
        const { path } = call;
        if (path === `/${TENANT}/oauth2/v2.0/token`) {
          const form = new URLSearchParams(call.body);
          const right =
            form.get("grant_type") === "client_credentials" &&
            form.get("client_id") === APP_ID &&
            form.get("client_secret") === APP_PASSWORD;
          if (!right) return sendJson(call, 401, { error: "invalid_client" });
          return sendJson(call, 200, { access_token: `token-for-${form.get("scope")}`, expires_in: 3600 });
        }
        if (path === "/openid") return sendJson(call, 200, { issuer: ISSUER, jwks_uri: `${base.url}/keys` });
        if (path === "/keys") return sendJson(call, 200, { keys });
        if (path.startsWith("/teams/v3/")) return connector(call, path.slice("/teams/v3/".length));
        if (path.startsWith("/v1.0/")) return graph(call, path.slice("/v1.0/".length));
        sendJson(call, 404, {});
      },
    },
    port,
  );
  const stub: TeamsStub = Object.assign(base, {
    messages,
    calls,
    now: () => Date.now(),
    async sign(claims: Readonly<Record<string, unknown>> = {}, options: SignOptions = {}) {
      const at = options.at ?? Math.floor(Date.now() / 1000);
      const pair = options.forged === true ? foreign : options.unendorsed === true ? unendorsed : endorsed;
      const kid = options.kid ?? (options.unendorsed === true ? "k-2" : "k-1");
      return new SignJWT({
        iss: ISSUER,
        aud: APP_ID,
        nbf: at - 60,
        exp: at + 3600,
        serviceurl: `${base.url}/teams/`,
        ...claims,
      })
        .setProtectedHeader({ alg: "RS256", kid, typ: "JWT" })
        .sign(pair.privateKey);
    },
    pressStop() {
      stopped = true;
    },
    clear() {
      messages.length = 0;
      calls.length = 0;
      streamedAt = -Infinity;
      stopped = false;
      base.reset();
    },
  });
  return stub;
}

if (import.meta.main) await runStub((port) => startTeams({}, port));
