import { limitsOf, type Config } from "../shared/config.ts";
import { sleep } from "../shared/http.ts";
import type { Ask, Principal } from "../shared/ports/answer.ts";
import { QuaysideError } from "../shared/ports/errors.ts";
import type { Evidence } from "../shared/ports/evidence.ts";
import type { Host } from "../shared/ports/host.ts";
import type { Recheck } from "../shared/ports/registry.ts";
import type { Providers } from "./answer/route.ts";
import type { RequestLimiter } from "./auth/limits.ts";
import type { Directory } from "./auth/directory.ts";
import type { Env } from "./env.ts";
import type { ChatDeps } from "./surfaces/chat-ask.ts";
import { requireAsk } from "./surfaces/enter.ts";
import { slackSurface } from "./surfaces/slack.ts";
import type { Surface } from "./surfaces/surface.ts";
import { teamsSurface } from "./surfaces/teams-route.ts";
import type { Admission, LedgerApi } from "./tenant/api.ts";
import { overRpc } from "./tenant/rpc.ts";
import type { ThreadApi } from "./thread/api.ts";
import { onceWritten } from "./write-behind.ts";

/** What chat surfaces are made of: the read path, people, and the objects that keep their threads. */
export interface ChatParts {
  readonly env: Env;
  readonly host: Host;
  readonly tenant: string;
  readonly ask: Ask;
  readonly admit: (principal: Principal, signal: AbortSignal) => Promise<Admission>;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
  readonly providers: Providers;
  readonly limiter: RequestLimiter;
  readonly directory: Directory;
  readonly ledger: (tenant: string) => Pick<LedgerApi, "rate">;
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
}

/** The surfaces that acknowledge at once and answer in a thread's object. */
export function makeChatSurfaces(parts: ChatParts): readonly Surface[] {
  const { env, host, config } = parts;
  const deliver: Parameters<typeof slackSurface>[0]["deliver"] = (thread, delivery) =>
    overRpc<ThreadApi>(() => env.THREAD.get(env.THREAD.idFromName(thread)), "registry_unavailable").deliver(
      delivery,
    );
  const common = {
    ask: limited(parts),
    rows: rowsOf(parts),
    models: modelsOf(parts),
    feedback: feedbackOf(parts),
  };
  const slack = once(async () => {
    const [{ slackAnswerer }, { makeSlackApi }, { makeSlackPeople }] = await Promise.all([
      import("./surfaces/slack-answer.ts"),
      import("./surfaces/slack-api.ts"),
      import("./surfaces/slack-people.ts"),
    ]);
    const api = makeSlackApi(host);
    const people = makeSlackPeople(api, () => host.now());
    return slackAnswerer({ ...parts, ...common, api, people });
  });
  const teams = once(async () => {
    const [
      { makeTeamsApi },
      { makeTeamsPeople },
      { makeTeamsVerifier },
      { takeActivity },
      { teamsAnswerer },
    ] = await Promise.all([
      import("./surfaces/teams-api.ts"),
      import("./surfaces/teams-people.ts"),
      import("./surfaces/teams-auth.ts"),
      import("./surfaces/teams.ts"),
      import("./surfaces/teams-answer.ts"),
    ]);
    const api = makeTeamsApi(host);
    const people = makeTeamsPeople(api, config, () => host.now());
    const deps = { ...parts, ...common, api, people, sleep };
    const verify = makeTeamsVerifier(host);
    return {
      take: (request: Request) => takeActivity({ ...deps, verify, deliver }, request),
      answer: teamsAnswerer(deps),
    };
  });
  return [
    slackSurface({ host, config, deliver, answer: async (...work) => (await slack())(...work) }),
    teamsSurface({
      host,
      take: async (request) => (await teams()).take(request),
      answer: async (...work) => (await teams()).answer(...work),
    }),
  ];
}

/** A bot's people are counted like any caller; a channel counts as one. */
function limited({ admit, ask, limiter }: ChatParts): Ask {
  return async function* (question, principal, signal) {
    const { config } = await admit(principal, signal);
    const leave = limiter.enter(principal, limitsOf(config));
    try {
      yield* ask(question, principal, signal);
    } finally {
      leave();
    }
  };
}

/** Made by the first message and kept: the thing itself and never the wait for it, which belongs to one request. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: T | undefined;
  return async () => (made ??= await make());
}

/** Rows by their ids, as the caller may see them now; foreign, gone and unknown ids are alike: left out. */
function rowsOf({ admit, recheck }: ChatParts) {
  return async (
    ids: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ): Promise<readonly Evidence[]> => {
    const admission = await admit(principal, signal);
    const registry = await recheck(admission);
    const hits = ids.map((id) => ({ id, score: 1 }));
    const found = await registry.recheck(hits, admission.permitted, signal);
    // A row in several views comes back once a view; the caller sees the widest.
    const widest = new Map<string, Evidence>();
    for (const row of found) {
      if ((widest.get(row.row)?.cells.length ?? -1) < row.cells.length) widest.set(row.row, row);
    }
    return [...widest.values()];
  };
}

function modelsOf({ admit, providers }: ChatParts) {
  return async (
    among: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ): Promise<readonly string[]> => {
    const { config } = await admit(principal, signal);
    const known = (model: string): boolean =>
      providers.builtIn.includes(model) || Object.hasOwn(config.models?.register ?? {}, model);
    return among.filter((model) => known(model) && providers.whyNot(model, config) === undefined);
  };
}

/** Votes are kept under the voter, also on what was told to a channel: that one was asked for as the channel. */
function feedbackOf({ admit, limiter, ledger }: ChatParts): NonNullable<ChatDeps["feedback"]> {
  return async (answer, rating, voter, audience, signal) => {
    requireAsk(voter);
    const { config } = await admit(voter, signal);
    const leave = limiter.enter(voter, limitsOf(config));
    try {
      const { subject, tenant } = voter;
      const rate = () => ledger(tenant).rate({ answer, subject, audience, rating, comment: undefined });
      if (!(await onceWritten(rate, sleep, signal)))
        throw new QuaysideError("not_found", "There is no such answer here.");
    } finally {
      leave();
    }
  };
}
