import type { Config } from "../../shared/config.ts";
import type { Answer, Principal } from "../../shared/ports/answer.ts";
import { askAs, audienceOf, safeText, type ChatDeps, type ChatJob } from "./chat-ask.ts";
import type { SlackApi } from "./slack-api.ts";
import { answerBlocks, cut, MAX_MARKDOWN, withText, type Block } from "./slack-blocks.ts";
import type { SlackPeople } from "./slack-people.ts";
import { makeSlackReply, must, QUIET, type SlackReply } from "./slack-reply.ts";
import { COMMAND_THREAD, type SlackWork } from "./slack-work.ts";

/** The steps that answering in Slack is made of; `slack-answer.ts` and `slack-clicks.ts` put them in order. */

export interface SlackAnswerDeps extends ChatDeps {
  readonly api: SlackApi;
  readonly people: SlackPeople;
}

export type Of<Kind extends SlackWork["kind"]> = Extract<SlackWork, { readonly kind: Kind }>;

export interface Job extends ChatJob {
  readonly deps: SlackAnswerDeps;
  readonly settings: NonNullable<NonNullable<Config["surfaces"]>["slack"]>;
}

export async function tell(
  job: Job,
  work: Of<"question"> | (Of<"again"> & { readonly text: string }),
  reply: SlackReply,
  principal: Principal,
  audience: string,
): Promise<void> {
  const model = work.kind === "again" ? work.model : undefined;
  const answer = await askAs(job, work.text, principal, audience, model, (part) => reply.append(part));
  await finish(job, work, reply, answer, audience, principal);
}

export async function finish(
  job: Job,
  work: { readonly text: string; readonly thread: string; readonly direct: boolean },
  reply: SlackReply,
  answer: Answer,
  audience: string,
  principal?: Principal,
): Promise<void> {
  const { models = [] } = job.settings;
  const offered = principal ? await job.deps.models(models, principal, job.signal) : [];
  const blocks = answerBlocks({
    answer,
    language: job.language,
    place: { thread: work.thread, direct: work.direct },
    models: offered.length > 1 ? offered : [],
    share: false,
    feedback: job.deps.feedback !== undefined,
  });
  await reply.finish(safeText(answer), blocks);
  job.memory.remember(audience, work.text, answer.text);
}

export async function personOf(
  job: Job,
  work: { readonly team: string; readonly user: string },
): Promise<Principal | undefined> {
  const identity = await job.deps.people(work.team, work.user, job.signal);
  return identity ? job.deps.directory.resolve(identity, job.signal) : undefined;
}

/** Everyone in a channel, as one. */
export function channelOf(job: Job, team: string, channel: string): Principal | undefined {
  return audienceOf(job, job.settings.channels, channel, channelSubject(team, channel));
}

export function channelSubject(team: string, channel: string): string {
  return `slack-channel:${team}:${channel}`;
}

export function replyTo(
  job: Job,
  work: { readonly team: string; readonly channel: string; readonly user: string; readonly thread: string },
): SlackReply {
  return makeSlackReply(job.deps.api, work, job.memory, () => job.deps.host.now(), job.signal);
}

/** In a direct message that is everyone there is; elsewhere a message that only they see. */
export async function tellAlone(
  job: Job,
  work: {
    readonly team: string;
    readonly channel: string;
    readonly user: string;
    readonly thread: string;
    readonly direct?: boolean;
  },
  text: string,
  blocks: readonly Block[],
): Promise<void> {
  if (job.memory.step("told") !== undefined) return;
  const thread = work.thread === COMMAND_THREAD ? {} : { thread_ts: work.thread };
  const shown = cut(text, MAX_MARKDOWN);
  const body = {
    channel: work.channel,
    text: shown,
    blocks: withText(shown, blocks),
    ...thread,
  };
  const direct = work.direct === true || work.channel.startsWith("D");
  const call = direct
    ? job.deps.api.call(work.team, "chat.postMessage", { ...body, ...QUIET }, job.signal)
    : job.deps.api.call(work.team, "chat.postEphemeral", { ...body, user: work.user }, job.signal);
  must(await call);
  await job.memory.note("told", "1");
}
