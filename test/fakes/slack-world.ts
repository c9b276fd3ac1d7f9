import { createHmac } from "node:crypto";
import type { Config } from "../../shared/config.ts";
import type { Answer, AnswerEvent, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Host, LogEvent } from "../../shared/ports/host.ts";
import type { Directory } from "../../workers/auth/directory.ts";
import { slackAnswerer } from "../../workers/surfaces/slack-answer.ts";
import { makeSlackApi } from "../../workers/surfaces/slack-api.ts";
import { makeSlackPeople } from "../../workers/surfaces/slack-people.ts";
import { slackSurface } from "../../workers/surfaces/slack.ts";
import { BOT_TOKEN, SECOND_BOT_TOKEN, type SlackStub } from "../stubs/slack.ts";
import { CONFIG } from "./ask-world.ts";
import { makeMemoryThreads, type MemoryThreads } from "./memory-threads.ts";

/** Slack's documented example secret: docs.slack.dev, "Verifying requests from Slack". */
export const SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5";

/** The Slack surface over a stub of Slack, with answers made to order. */
export interface SlackWorld {
  readonly threads: MemoryThreads;
  readonly logs: LogEvent[];
  readonly asked: { readonly question: Question; readonly principal: Principal }[];
  readonly votes: {
    readonly answer: string;
    readonly rating: number;
    readonly subject: string;
    readonly audience: string;
  }[];
  /** What the next questions are answered with. */
  ask: (question: Question, principal: Principal) => AsyncIterable<AnswerEvent>;
  rows: readonly Evidence[];
  models: readonly string[];
  config: Config;
  /** Milliseconds since the epoch. */
  now: number;
  /** A signed request, handled. */
  send(
    path: string,
    type: "json" | "form",
    body: string,
    headers?: Record<string, string>,
  ): Promise<Response>;
  event(event: Record<string, unknown>, envelope?: Record<string, unknown>): Promise<Response>;
  click(action: Record<string, unknown>, more?: Record<string, unknown>): Promise<Response>;
  /** Answers what waits. */
  run(): Promise<void>;
}

const ALICE: Principal = {
  tenant: "t",
  subject: "alice@acme.example",
  groups: ["staff"],
  attributes: {},
  scopes: ["ask"],
};

export function answerOf(text: string, more: Partial<Answer> = {}): Answer {
  return {
    id: "ans_aaaaaaaaaaaaaaaa",
    outcome: "answered",
    reason: null,
    text,
    citations: [
      {
        marker: 1,
        id: "notices:N-1",
        table: "notices",
        key: { id: "N-1" },
        title: "East berth <closed>",
        excerpt: "The east berth is closed.",
        cells: [{ column: "body", value: "The east berth is closed." }],
        asOf: "2026-11-20T00:00:00.000Z",
        changedAt: "2026-11-19T00:00:00.000Z",
        url: "https://crm.acme.example/n/N-1",
      },
    ],
    verification: { checked: 1, supported: 1, removed: [] },
    model: "local/compose",
    route: { requested: "auto", why: "only model" },
    attempts: [],
    cache: "miss",
    generation: 4,
    asOf: "2026-11-20T00:00:00.000Z",
    tables: [],
    usage: { inputTokens: 1, outputTokens: 1, costUsd: 0, estimated: false },
    truncated: false,
    timings: { totalMs: 1, retrieveMs: 1, firstTokenMs: 1 },
    ...more,
  };
}

/** An answer that comes in these pieces. */
export async function* told(
  pieces: readonly string[],
  more: Partial<Answer> = {},
): AsyncGenerator<AnswerEvent> {
  yield { type: "evidence", citations: [] };
  for (const text of pieces) yield { type: "delta", text };
  yield { type: "done", answer: answerOf(pieces.join(""), more) };
}

export function nothing(): AsyncGenerator<AnswerEvent> {
  const text = "I found nothing that answers this in the tables that you can see.";
  return told([text], { outcome: "no_evidence", reason: "none_found", citations: [], text });
}

export function signatureOf(body: string, timestamp: string, secret = SIGNING_SECRET): string {
  return `v0=${createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex")}`;
}

export function slackConfig(slack: NonNullable<Config["surfaces"]>["slack"]): Config {
  return {
    ...CONFIG,
    identity: { directory: { organisations: { slack: ["T01"] } } },
    surfaces: { slack },
  };
}

export function makeSlackWorld(stub: SlackStub): SlackWorld {
  const threads = makeMemoryThreads();
  const logs: LogEvent[] = [];
  const host: Host = {
    fetch,
    secret: (name) =>
      ({
        SLACK_SIGNING_SECRET: SIGNING_SECRET,
        SLACK_SIGNING_SECRET_PREVIOUS: "previous-secret-0001",
        SLACK_SIGNING_SECRET_PREVIOUS_UNTIL: "2026-09-21T14:14:20Z",
        SLACK_BOT_TOKEN: BOT_TOKEN,
        SLACK_BOT_TOKEN_T02: SECOND_BOT_TOKEN,
        SLACK_API_URL: `${stub.url}/api`,
      })[name],
    now: () => world.now,
    log: (event) => void logs.push(event),
  };
  const directory: Directory = {
    resolve: async ({ email }) => (email === ALICE.subject ? ALICE : undefined),
    anonymous: async () => undefined,
  };
  const api = makeSlackApi(host);
  const answer = slackAnswerer({
    api,
    people: makeSlackPeople(api, () => world.now),
    directory,
    ask(question, principal) {
      world.asked.push({ question, principal });
      return world.ask(question, principal);
    },
    rows: async () => world.rows,
    models: async (among) => among.filter((model) => world.models.includes(model)),
    async feedback(id, rating, principal, audience) {
      if (id !== "ans_aaaaaaaaaaaaaaaa") throw new QuaysideError("not_found", "No such answer.");
      world.votes.push({ answer: id, rating, subject: principal.subject, audience });
    },
    config: async () => world.config,
    tenant: "t",
    host,
  });
  const surface = slackSurface({
    host,
    config: async () => world.config,
    deliver: (thread, delivery) => threads.deliver(thread, delivery),
    answer,
  });
  let events = 0;
  const world: SlackWorld = {
    threads,
    logs,
    asked: [],
    votes: [],
    ask: () => told(["The east berth is closed until 3 May 2027. [1]"]),
    rows: [],
    models: [],
    config: slackConfig({}),
    now: 1_790_000_000_000,
    async send(path, type, body, headers = {}) {
      const route = surface.routes.find((candidate) => candidate.path === path);
      if (!route) throw new Error(`no route ${path}`);
      const timestamp = String(Math.floor(world.now / 1000));
      const all = new Headers({
        "content-type": type === "json" ? "application/json" : "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": signatureOf(body, timestamp),
      });
      for (const [name, value] of Object.entries(headers)) all.set(name, value);
      const request = new Request(`http://worker${path}`, { method: "POST", headers: all, body });
      return route.handle({ request, url: new URL(request.url), params: {}, requestId: "r" });
    },
    event(event, envelope = {}) {
      events += 1;
      const body = { type: "event_callback", team_id: "T01", event_id: `Ev${events}`, event, ...envelope };
      return world.send("/slack/events", "json", JSON.stringify(body));
    },
    click(action, more = {}) {
      const payload = {
        type: "block_actions",
        team: { id: "T01" },
        user: { id: "U1" },
        channel: { id: "C1" },
        actions: [{ action_ts: `${(events += 1)}.1`, ...action }],
        ...more,
      };
      return world.send(
        "/slack/interactions",
        "form",
        new URLSearchParams({ payload: JSON.stringify(payload) }).toString(),
      );
    },
    run: () => threads.run(answer),
  };
  return world;
}

const MEMBER = {
  id: "U1",
  team_id: "T01",
  is_email_confirmed: true,
  profile: { email: "alice@acme.example" },
};
/** People of the stub's workspace: a member, and those who may not ask. */
export const USERS = [
  MEMBER,
  { ...MEMBER, id: "U-guest", is_restricted: true },
  { ...MEMBER, id: "U-gone", deleted: true },
  { ...MEMBER, id: "U-stranger", is_stranger: true, team_id: "T99" },
  { ...MEMBER, id: "U-unconfirmed", is_email_confirmed: false },
  { ...MEMBER, id: "U-bob", profile: { email: "bob@elsewhere.example" } },
];

/** A message to the app alone. */
export const direct = {
  type: "message",
  channel_type: "im",
  channel: "D1",
  user: "U1",
  ts: "100.1",
  text: "Berth closed?",
};
/** A message in a channel that names the app. */
export const mention = {
  type: "app_mention",
  channel: "C1",
  user: "U1",
  ts: "200.1",
  text: "<@UBOT> berth closed?",
};
