import type { Language } from "../../shared/analysis.ts";
import { limitsOf, type Config } from "../../shared/config.ts";
import type { Answer, Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Directory } from "../auth/directory.ts";
import type { ThreadMemory } from "../thread/api.ts";
import { chatTexts } from "./chat-texts.ts";
import { inertMarkdown } from "./inert.ts";
import { makeSentences } from "./sentences.ts";
import type { SlackApi } from "./slack-api.ts";
import { answerBlocks, cut, MAX_MARKDOWN, type Block } from "./slack-blocks.ts";
import type { SlackPeople } from "./slack-people.ts";
import { makeSlackReply, must, QUIET, type SlackReply } from "./slack-reply.ts";
import { COMMAND_THREAD, type SlackWork } from "./slack-work.ts";

/** The steps that answering in Slack is made of; `slack-answer.ts` and `slack-clicks.ts` put them in order. */

export interface SlackAnswerDeps {
  readonly api: SlackApi;
  readonly people: SlackPeople;
  readonly directory: Directory;
  readonly ask: Ask;
  /** The rows of these ids that the caller may see. */
  readonly rows: (
    ids: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ) => Promise<readonly Evidence[]>;
  /** Models of these that the caller may ask. */
  readonly models: (
    among: readonly string[],
    principal: Principal,
    signal: AbortSignal,
  ) => Promise<readonly string[]>;
  /** Keeps a vote; left out where none is kept. @throws QuaysideError `not_found` for an answer that is not theirs. */
  readonly feedback?: (
    answer: string,
    rating: 1 | -1,
    principal: Principal,
    signal: AbortSignal,
  ) => Promise<void>;
  /** The published configuration. */
  readonly config: (signal: AbortSignal) => Promise<Config | undefined>;
  readonly tenant: string;
  readonly host: Pick<Host, "now" | "log">;
}

type Settings = NonNullable<NonNullable<Config["surfaces"]>["slack"]>;
export type Of<Kind extends SlackWork["kind"]> = Extract<SlackWork, { readonly kind: Kind }>;

/** One piece of work with everything that every kind of it needs. */
export interface Job {
  readonly deps: SlackAnswerDeps;
  readonly config: Config;
  readonly settings: Settings;
  readonly memory: ThreadMemory;
  readonly signal: AbortSignal;
  readonly language: Language;
}

const TOP_K = 8;

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

/** Does the work; what fails is tried again by throwing, and told where there is no further try. */
export async function attempt(
  job: Job,
  say: (text: string) => Promise<void>,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof QuaysideError ? error.code : "internal";
    if (code === "platform_rejected") throw error;
    const passing = code === "internal" || code.endsWith("_unavailable");
    if (passing && !job.memory.last) throw error;
    job.deps.host.log({ level: "warn", event: "slack-answer-failed", code, attempt: job.memory.attempt });
    await say(chatTexts(job.language).failed(code));
  }
}

export async function personOf(
  job: Job,
  work: { readonly team: string; readonly user: string },
): Promise<Principal | undefined> {
  const identity = await job.deps.people(work.team, work.user, job.signal);
  return identity ? job.deps.directory.resolve(identity, job.signal) : undefined;
}

/** Everyone in the channel, as one: what the configuration says that all of them may see. */
export function audienceOf({ settings, deps }: Job, team: string, channel: string): Principal | undefined {
  const { channels = {} } = settings;
  const audience = Object.hasOwn(channels, channel) ? channels[channel] : channels["*"];
  if (!audience) return undefined;
  return {
    tenant: deps.tenant,
    subject: `slack-channel:${team}:${channel}`,
    groups: audience.groups ?? [],
    attributes: audience.attributes ?? {},
    scopes: ["ask"],
  };
}

export async function askAs(
  job: Job,
  text: string,
  principal: Principal,
  audience: string,
  model: string | undefined,
  onText?: (part: string) => Promise<void>,
): Promise<Answer> {
  const limits = limitsOf(job.config);
  if (Array.from(text).length > limits.questionChars) {
    throw new QuaysideError("question_too_long", "The question is too long.");
  }
  const question: Question = {
    text,
    // The same question again is asked without its own answer.
    history: job.memory
      .history(audience)
      .slice(-limits.historyMessages, model === undefined ? undefined : -2),
    model,
    fallbacks: [],
    tables: undefined,
    topK: TOP_K,
    cache: "default",
    maxOutputTokens: limits.outputTokens,
  };
  const sentences = makeSentences();
  for await (const event of job.deps.ask(question, principal, job.signal)) {
    if (event.type === "done") return event.answer;
    const ready = sentences.push(event);
    if (ready !== "") await onText?.(inertMarkdown(ready, []));
  }
  throw new QuaysideError("internal", "An answer without an end.");
}

export function safeText(answer: Answer): string {
  return inertMarkdown(answer.text, []);
}

export function lastQuestion(memory: ThreadMemory, audience: string): string | undefined {
  return memory.history(audience).findLast(({ role }) => role === "user")?.content;
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
    blocks: [{ type: "markdown", text: shown }, ...blocks],
    ...thread,
  };
  const direct = work.direct === true || work.channel.startsWith("D");
  const call = direct
    ? job.deps.api.call("chat.postMessage", { ...body, ...QUIET }, job.signal)
    : job.deps.api.call("chat.postEphemeral", { ...body, user: work.user }, job.signal);
  must(await call);
  await job.memory.note("told", "1");
}
