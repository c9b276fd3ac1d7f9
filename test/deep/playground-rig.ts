import { spawn } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import * as z from "zod/mini";
import { makeRegistryClient } from "../../shared/registry-client.ts";
import { runWorker, type RunningWorker } from "../fakes/run-worker.ts";
import { CONFIG, seedRows } from "../fakes/seed-rows.ts";
import { wait } from "../stubs/stub.ts";

/**
 * The Worker behind Microsoft's Agents Playground, which stands for Teams and its people. Between them a relay that is what
 * Microsoft's cloud is: it signs in, signs what the Playground sends, and hands on what the Worker answers. For a network
 * namespace of its own, since the Playground listens on all interfaces.
 *   node playground-rig.ts FOLDER    where the Playground is installed; prints what happened as JSON
 */

/** What happened in the scenario below. */
export interface Played {
  /** Statuses by which the Worker took the Playground's activities in, in order. */
  readonly taken: readonly number[];
  /** Calls that the Playground's connector refused, as `method path status`. */
  readonly refused: readonly string[];
  /** What people saw, in order. */
  readonly shown: readonly Shown[];
  readonly personal: string;
  readonly group: string;
  /** What the click on "Show evidence" and the vote were answered. */
  readonly evidence: unknown;
  readonly vote: unknown;
}

const message = z.looseObject({
  messageId: z.optional(z.string()),
  text: z.optional(z.string()),
  attachments: z.optional(z.array(z.looseObject({ contentType: z.string(), content: z.unknown() }))),
  aiEntity: z.optional(z.unknown()),
  feedbackLoopEnabled: z.optional(z.boolean()),
  streamEntity: z.optional(z.looseObject({ streamType: z.string() })),
});
const shown = z.looseObject({
  action: z.string(),
  actionConversationId: z.string(),
  message: z.optional(message),
});
export type Shown = z.infer<typeof shown>;

const APP_ID = "11111111-2222-3333-4444-555555555555";
const TOKEN = "a-token-for-this-test";
const QUESTION = "Until when is the east berth in Dover closed?";
const PLAYGROUND = "http://127.0.0.1:22530";

const settings = z.object({
  config: z.object({
    tenantId: z.string(),
    bot: z.object({ id: z.string(), name: z.string() }),
    currentUser: z.object({ id: z.string(), aadObjectId: z.string() }),
    personalChat: z.object({ id: z.string() }),
    groupChats: z.array(z.object({ id: z.string() })),
  }),
});

async function play(folder: string): Promise<Played> {
  const taken: number[] = [];
  const refused: string[] = [];
  const { publicKey, privateKey } = await generateKeyPair("RS256");
  const keys = [{ ...(await exportJWK(publicKey)), kid: "k", use: "sig", endorsements: ["msteams"] }];
  let worker: RunningWorker | undefined;

  const sign = (): Promise<string> =>
    new SignJWT({ iss: "https://api.botframework.com", aud: APP_ID, serviceurl: `${relay.url}/teams/` })
      .setProtectedHeader({ alg: "RS256", kid: "k" })
      .setIssuedAt()
      .setNotBefore("-1m")
      .setExpirationTime("1h")
      .sign(privateKey);

  const relay = await listen(async (path, method, body) => {
    if (path === "/openid") {
      return Response.json({ issuer: "https://api.botframework.com", jwks_uri: `${relay.url}/keys` });
    }
    if (path === "/keys") return Response.json({ keys });
    if (path.endsWith("/oauth2/v2.0/token"))
      return Response.json({ access_token: "the-bot", expires_in: 3600 });
    if (path === "/api/messages") {
      // The Playground looks whether anybody is there.
      if (method !== "POST") return new Response();
      const activity: unknown = JSON.parse(body);
      const response = await fetch(`${worker?.url}/teams/messages`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${await sign()}` },
        body: JSON.stringify({ ...Object(activity), serviceUrl: `${relay.url}/teams/` }),
      });
      taken.push(response.status);
      return response;
    }
    const target = path.replace("/teams/", "/_connector/");
    const input = { method, headers: { "content-type": "application/json" }, body };
    const response = await fetch(PLAYGROUND + target, input);
    if (!response.ok) refused.push(`${method} ${target} ${response.status}`);
    return response;
  });

  const program = join(folder, "node_modules/@microsoft/m365agentsplayground/cli.js");
  const flags = ["-e", `${relay.url}/api/messages`, "-c", "msteams", "-p", "22530", "--disable-telemetry"];
  // It ends when it finds no browser to open: `true` stands for one.
  const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"]}`, HOME: folder };
  const playground = spawn(process.execPath, [program, "start", ...flags], { env, stdio: "ignore" });
  try {
    const { config } = settings.parse(await eventually(() => get("/_internal/v1/config")));
    const { tenantId, currentUser, personalChat, bot } = config;
    const group = config.groupChats[0]?.id ?? "";
    worker = await runWorker({
      demo: false,
      env: {
        QUAYSIDE_TOKEN: TOKEN,
        TEAMS_APP_ID: APP_ID,
        TEAMS_APP_PASSWORD: "a-password",
        TEAMS_TENANT_ID: tenantId,
        TEAMS_OPENID_URL: `${relay.url}/openid`,
        TEAMS_LOGIN_URL: relay.url,
      },
    });
    const people = [{ subject: "alex", ids: [`teams:${currentUser.aadObjectId}`], groups: ["hr"] }];
    await seedRows(makeRegistryClient({ url: worker.url, token: TOKEN, fetch }), {
      ...CONFIG,
      identity: { directory: { organisations: { teams: [tenantId] }, users: people } },
      surfaces: { teams: { channels: { [group]: { groups: [] } } } },
    });

    const frames: Shown[] = [];
    const socket = new WebSocket(
      `${PLAYGROUND.replace("http", "ws")}/_ws_conversation/v1/conversations/stream`,
    );
    socket.addEventListener("message", ({ data }) => frames.push(shown.parse(JSON.parse(String(data)))));
    await new Promise((resolve) => socket.addEventListener("open", resolve));
    const finished = (conversation: string) =>
      frames.find(
        (one) => one.actionConversationId === conversation && one.message?.text?.includes("AI-generated"),
      );

    const from = { id: currentUser.id };
    await post(`/_conversation/v1/conversations/${personalChat.id}/messages`, {
      text: QUESTION,
      textFormat: "plain",
      from,
    });
    await eventually(async () => finished(personalChat.id));
    const at = `<at>${bot.name}</at>`;
    await post(`/_conversation/v1/conversations/${group}/messages`, {
      text: `${at} ${QUESTION}`,
      textFormat: "plain",
      from,
      mentions: [{ mentioned: bot, text: at }],
    });
    await eventually(async () => finished(group));

    const messageId = finished(personalChat.id)?.message?.messageId;
    const conversation = { id: personalChat.id };
    const evidence = await post("/_conversation/v1/invoke", {
      name: "adaptiveCard/action",
      value: { action: { verb: "evidence", data: { rows: ["notices:1"], language: "en" } } },
      from,
      conversation,
      replyToId: messageId,
    });
    const vote = await post("/_conversation/v1/invoke", {
      name: "message/submitAction",
      value: { actionName: "feedback", actionValue: { reaction: "like", feedback: "{}" } },
      from,
      conversation,
    });
    socket.close();
    return { taken, refused, shown: frames, personal: personalChat.id, group, evidence, vote };
  } finally {
    playground.kill();
    relay.close();
    await worker?.[Symbol.asyncDispose]();
  }
}

async function get(path: string): Promise<unknown> {
  const response = await fetch(PLAYGROUND + path).catch(() => undefined);
  return response?.ok ? response.json() : undefined;
}

async function post(path: string, body: unknown): Promise<unknown> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(PLAYGROUND + path, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`the Playground answered ${path} with ${response.status}: ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

async function eventually<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (const until = Date.now() + 30_000; Date.now() < until; await wait(200)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error("nothing came within 30 s");
}

/** A server on loopback that answers as `handle` says. */
async function listen(
  handle: (path: string, method: string, body: string) => Promise<Response>,
): Promise<{ readonly url: string; close(): void }> {
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString("utf8");
    const answer = await handle(request.url ?? "", request.method ?? "", body);
    response.writeHead(answer.status, {
      "content-type": answer.headers.get("content-type") ?? "application/json",
    });
    response.end(await answer.text());
  };
  const server = createServer((request, response) => void take(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() };
}

if (import.meta.main) {
  const played = await play(process.argv[2] ?? "");
  process.stdout.write(`${JSON.stringify(played)}\n`, () => process.exit(0));
}
