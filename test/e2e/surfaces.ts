import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import OpenAI from "openai";
import { vi } from "vitest";
import * as z from "zod/mini";
import { DEMO } from "../../ingest/sample/config-demo.ts";
import { ask as askOfPage, type AskEvent } from "../../workers/surfaces/console/api.ts";
import { makeSession } from "../../workers/surfaces/widget/session.ts";
import { message, type ChatWorld } from "./chat-world.ts";

/** One demo user, by what Teams and Slack know them by. */
export interface Person {
  readonly subject: string;
  readonly teams: string;
  readonly slack: string;
}

/** Asks by one surface, with the client that belongs to it: the ids of the rows that it shows as evidence. */
export type AskBy = (person: Person, question: string) => Promise<readonly string[]>;

/** Where a surface offers more than the question. */
const PLAIN = { model: undefined, history: [], fresh: false };
const TIMEOUT_MS = 90_000;

const cited = z.object({ citations: z.array(z.object({ id: z.string() })) });
const keyed = z.object({ key: z.string() });
const tokened = z.object({ token: z.string() });
const element = z.object({ action_id: z.optional(z.string()), value: z.optional(z.string()) });
const block = z.object({ elements: z.optional(z.array(element)) });
const action = z.object({ verb: z.string(), data: z.object({ rows: z.optional(z.array(z.string())) }) });
const card = z.object({ content: z.object({ actions: z.array(action) }) });

/** All surfaces, by name. API and agents sign in with API keys, the portal's page with a token, the console as a demo user. */
export async function surfacesOf(world: ChatWorld): Promise<Readonly<Record<string, AskBy>>> {
  const { served } = world;
  const base = served.url;
  let asked = 0;

  const makeKey = async (name: string, scope: string, more: object): Promise<string> => {
    const body = { name, days: 1, scopes: [scope], ...more };
    return keyed.parse(await (await served.post("/v1/admin/keys", body, bearer(served.token))).json()).key;
  };
  const everything = { groups: ["everyone", "staff", "hr", "ops"], attributes: { site: ["uk", "fr"] } };
  const portal = await makeKey("portal", "widget", everything);
  const keys = new Map<string, string>();
  for (const [subject, { groups, attributes }] of Object.entries(DEMO.users)) {
    keys.set(subject, await makeKey(subject, "ask", { subject, groups, attributes }));
  }
  const keyOf = ({ subject }: Person): string => keys.get(subject) ?? "";

  return {
    async http(person, question) {
      return citedIn(await (await served.post("/v1/ask", { question }, bearer(keyOf(person)))).json());
    },

    async openai(person, question) {
      const client = new OpenAI({ baseURL: `${base}/openai/v1`, apiKey: keyOf(person) });
      const messages = [{ role: "user" as const, content: question }];
      return citedIn(await client.chat.completions.create({ model: "quayside", messages }));
    },

    async mcp(person, question) {
      const client = new Client({ name: "test", version: "1" });
      const requestInit = { headers: bearer(keyOf(person)) };
      await client.connect(new StreamableHTTPClientTransport(new URL(`${base}/mcp`), { requestInit }));
      return citedIn((await client.callTool({ name: "ask", arguments: { question } })).structuredContent);
    },

    console(person, question) {
      const caller = { base, demoUser: person.subject, key: undefined };
      return evidenceOf(askOfPage({ question, ...PLAIN }, caller, AbortSignal.timeout(TIMEOUT_MS)));
    },

    async widget({ subject }, question) {
      const { groups, attributes } = DEMO.users[subject] ?? {};
      const body = { subject, origin: base, groups, attributes };
      const minted = await served.post("/v1/widget/tokens", body, bearer(portal));
      const { token } = tokened.parse(await minted.json());
      const session = makeSession({ base, getToken: () => async () => token, demoUser: () => undefined });
      // The page's origin is a browser's to add.
      const send = fetch;
      vi.stubGlobal("fetch", (url: string, { headers, ...init }: RequestInit) =>
        send(url, { ...init, headers: { ...(headers as Record<string, string>), origin: base } }),
      );
      try {
        return await evidenceOf(session.ask({ question, ...PLAIN }, AbortSignal.timeout(TIMEOUT_MS)));
      } finally {
        vi.unstubAllGlobals();
      }
    },

    /** What the button below the message shows. */
    async slack(person, question) {
      const thread = `9.${(asked += 1)}`;
      await world.event(message(person.slack, thread, question));
      const { blocks } = await world.answered(thread);
      const elements = z
        .array(block)
        .parse(blocks)
        .flatMap((one) => one.elements ?? []);
      return elements.find((one) => one.action_id === "qs_evidence")?.value?.split("\n") ?? [];
    },

    /** What the button of the card shows. */
    async teams(person, question) {
      const chat = `a:${person.teams}-${(asked += 1)}`;
      await world.activity(person.teams, { type: "message", id: `s-${asked}`, text: question }, chat);
      const [shown] = z.array(card).parse((await world.told(chat)).attachments);
      return shown?.content.actions.find(({ verb }) => verb === "evidence")?.data.rows ?? [];
    },
  };
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

function citedIn(body: unknown): readonly string[] {
  return cited.parse(body).citations.map(({ id }) => id);
}

async function evidenceOf(events: AsyncIterable<AskEvent>): Promise<readonly string[]> {
  for await (const event of events) {
    if (event.type === "done") return event.answer.citations.map(({ id }) => id);
  }
  throw new Error("no answer came");
}
