import type { Config } from "../../shared/config.ts";
import type { AnswerEvent, Principal, Question } from "../../shared/ports/answer.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Host, LogEvent } from "../../shared/ports/host.ts";
import { makeDirectory } from "../../workers/auth/directory.ts";
import { teamsAnswerer } from "../../workers/surfaces/teams-answer.ts";
import { makeTeamsApi } from "../../workers/surfaces/teams-api.ts";
import { makeTeamsVerifier } from "../../workers/surfaces/teams-auth.ts";
import { makeTeamsPeople } from "../../workers/surfaces/teams-people.ts";
import { takeActivity } from "../../workers/surfaces/teams.ts";
import { APP_ID, APP_PASSWORD, TENANT, type SignOptions, type TeamsStub } from "../stubs/teams.ts";
import { CONFIG } from "./ask-world.ts";
import { makeMemoryThreads, type MemoryThreads } from "./memory-threads.ts";
import { told } from "./slack-world.ts";

/** The Teams surface over a stub of Microsoft, with answers made to order. */
export interface TeamsWorld {
  readonly threads: MemoryThreads;
  readonly logs: LogEvent[];
  readonly asked: { readonly question: Question; readonly principal: Principal }[];
  readonly votes: {
    readonly answer: string;
    readonly rating: number;
    readonly subject: string;
    readonly audience: string;
  }[];
  ask: (question: Question, principal: Principal) => AsyncIterable<AnswerEvent>;
  rows: readonly Evidence[];
  models: readonly string[];
  config: Config;
  /** Milliseconds since the epoch; waits move it on. */
  now: number;
  /** Sends an activity with a token of the connector, or with `authorization` as it is. */
  send(activity: Record<string, unknown> | string, more?: SendOptions): Promise<Response>;
  run(): Promise<void>;
}

export interface SendOptions {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly sign?: SignOptions;
  /** Undefined value: no header. */
  readonly authorization?: string | undefined;
}

export function teamsConfig(teams: NonNullable<Config["surfaces"]>["teams"]): Config {
  return {
    ...CONFIG,
    identity: {
      directory: {
        organisations: { teams: [TENANT] },
        users: [{ subject: "alice", ids: ["teams:oid-alice"], groups: ["staff"] }],
        domains: { "acme.example": { groups: ["staff"] } },
        groups: { "group-port": ["port"] },
      },
    },
    surfaces: { teams },
  };
}

export function makeTeamsWorld(stub: TeamsStub): TeamsWorld {
  const threads = makeMemoryThreads();
  const logs: LogEvent[] = [];
  const host: Host = {
    fetch,
    secret: (name) =>
      ({
        TEAMS_APP_ID: APP_ID,
        TEAMS_APP_PASSWORD: APP_PASSWORD,
        TEAMS_TENANT_ID: TENANT,
        TEAMS_OPENID_URL: `${stub.url}/openid`,
        TEAMS_LOGIN_URL: stub.url,
      })[name],
    now: () => world.now,
    log: (event) => void logs.push(event),
  };
  stub.now = () => world.now;
  const config = async (): Promise<Config> => world.config;
  const directory = makeDirectory({ tenant: "t", config });
  const api = makeTeamsApi(host);
  const people = makeTeamsPeople(api, config, () => world.now);
  const rows = async (): Promise<readonly Evidence[]> => world.rows;
  const answer = teamsAnswerer({
    api,
    people,
    directory,
    ask(question, principal) {
      world.asked.push({ question, principal });
      return world.ask(question, principal);
    },
    rows,
    models: async (among) => among.filter((model) => world.models.includes(model)),
    async feedback(id, rating, { subject }, audience) {
      world.votes.push({ answer: id, rating, subject, audience });
    },
    config,
    tenant: "t",
    host,
    sleep: async (ms) => void (world.now += ms),
  });
  const verify = makeTeamsVerifier(host);
  const world: TeamsWorld = {
    threads,
    logs,
    asked: [],
    votes: [],
    ask: () => told(["The east berth is closed until 3 May 2027. [1]"]),
    rows: [],
    models: [],
    config: teamsConfig({}),
    now: Date.now(),
    async send(activity, more = {}) {
      const at = Math.floor(world.now / 1000);
      const token = await stub.sign(more.claims, { at, ...more.sign });
      const authorization = "authorization" in more ? more.authorization : `Bearer ${token}`;
      const request = new Request("http://worker/teams/messages", {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(authorization === undefined ? {} : { authorization }),
        },
        body: typeof activity === "string" ? activity : JSON.stringify(activity),
      });
      return takeActivity(
        { host, verify, people, directory, rows, config, deliver: (...one) => threads.deliver(...one) },
        request,
      );
    },
    run: () => threads.run(answer),
  };
  return world;
}
