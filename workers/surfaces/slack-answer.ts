import { detectLanguage, type Language } from "../../shared/analysis.ts";
import { limitsOf, type Config } from "../../shared/config.ts";
import type { Answer, Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Host } from "../../shared/ports/host.ts";
import type { Directory } from "../auth/directory.ts";
import type { Answerer, ThreadMemory } from "../thread/api.ts";
import { chatTexts } from "./chat-texts.ts";
import { inertMarkdown } from "./inert.ts";
import { makeSentences } from "./sentences.ts";
import type { SlackApi } from "./slack-api.ts";
import { answerBlocks, cut, evidenceBlocks, MAX_MARKDOWN, type Block } from "./slack-blocks.ts";
import type { SlackPeople } from "./slack-people.ts";
import { makeSlackReply, must, QUIET, type SlackReply } from "./slack-reply.ts";
import { COMMAND_THREAD, type SlackWork } from "./slack-work.ts";

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
type Of<Kind extends SlackWork["kind"]> = Extract<SlackWork, { readonly kind: Kind }>;

/** One piece of work with everything that every kind of it needs. */
interface Job {
  readonly deps: SlackAnswerDeps;
  readonly config: Config;
  readonly settings: Settings;
  readonly memory: ThreadMemory;
  readonly signal: AbortSignal;
  readonly language: Language;
}

const TOP_K = 8;

/** Answers what Slack delivered. A failure is told in the thread: nobody is left with silence. */
export function slackAnswerer(deps: SlackAnswerDeps): Answerer {
  return async (json, memory, signal) => {
    const work: SlackWork = JSON.parse(json);
    const config = await deps.config(signal);
    const settings = config?.surfaces?.slack;
    if (!config || !settings) return;
    const language = "text" in work ? detectLanguage(work.text) : "en";
    const job: Job = { deps, config, settings, memory, signal, language };
    switch (work.kind) {
      case "question":
        return answerQuestion(job, work);
      case "command":
        return answerCommand(job, work);
      case "again":
        return askAgain(job, work);
      case "share":
        return share(job, work);
      case "evidence":
        return showEvidence(job, work);
      case "feedback":
        return takeFeedback(job, work);
      case "welcome":
        return welcome(job, work);
    }
  };
}

/**
 * A channel is read by all of it, so it is asked for as its own audience; only what that leaves unanswered is asked as the
 * person, and told to them alone.
 */
async function answerQuestion(job: Job, work: Of<"question">): Promise<void> {
  const texts = chatTexts(job.language);
  const reply = replyTo(job, work);
  await attempt(
    job,
    (text) => reply.finish(text, []),
    async () => {
      if (work.shared && job.settings.sharedChannels !== true) return reply.finish(texts.foreignChannel, []);
      const principal = await personOf(job, work);
      if (!principal) return tellAlone(job, work, texts.unknownPerson, []);
      await reply.working(texts.working).catch(() => undefined);
      if (work.direct) return tell(job, work, reply, principal, `person:${work.user}`);
      const audience = audienceOf(job, work.team, work.channel);
      if (audience) {
        const held = holdUntilAnswered(reply);
        const answer = await askAs(job, work.text, audience, "channel", undefined, (part) =>
          held.append(part),
        );
        if (answer.outcome === "answered" || held.begun()) return finish(job, work, reply, answer, "channel");
      }
      // Nobody outside the organisation gets what rests on a person's own rights, not even in a message to them alone.
      if (work.shared) return reply.finish(texts.notShared, []);
      const answer = await askAs(job, work.text, principal, `person:${work.user}`, undefined);
      job.memory.remember(`person:${work.user}`, work.text, answer.text);
      const note = answer.outcome === "answered" ? `${texts.onlyYou}\n\n` : "";
      const blocks = answerBlocks({
        answer,
        language: job.language,
        place: { thread: work.thread, direct: false },
        models: [],
        share: false,
        feedback: job.deps.feedback !== undefined,
      });
      await tellAlone(job, work, note + safeText(answer), blocks);
    },
  );
}

/** Words reach the channel only once the channel's own rows have supported a sentence. */
function holdUntilAnswered(reply: SlackReply): { append(part: string): Promise<void>; begun(): boolean } {
  let begun = false;
  return {
    begun: () => begun,
    append(part) {
      begun = true;
      return reply.append(part);
    },
  };
}

async function tell(
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

async function finish(
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

/** A slash command is answered to the person alone; sharing asks again, as the channel. */
async function answerCommand(job: Job, work: Of<"command">): Promise<void> {
  const texts = chatTexts(job.language);
  const say = (text: string, blocks: readonly Block[] = []): Promise<void> =>
    job.deps.api.respond(
      work.responseUrl,
      {
        response_type: "ephemeral",
        replace_original: true,
        text,
        blocks: [{ type: "markdown", text: cut(text, MAX_MARKDOWN) }, ...blocks],
      },
      job.signal,
    );
  await attempt(job, say, async () => {
    const principal = await personOf(job, work);
    if (!principal) return say(texts.unknownPerson);
    const answer = await askAs(job, work.text, principal, `person:${work.user}`, undefined);
    job.memory.remember(`person:${work.user}`, work.text, answer.text);
    const shareable = audienceOf(job, work.team, work.channel) !== undefined;
    await say(
      safeText(answer),
      answerBlocks({
        answer,
        language: job.language,
        place: { thread: COMMAND_THREAD, direct: false },
        models: [],
        share: shareable && answer.outcome === "answered",
        feedback: job.deps.feedback !== undefined,
      }),
    );
  });
}

async function askAgain(job: Job, work: Of<"again">): Promise<void> {
  const audience = `person:${work.user}`;
  const text = lastQuestion(job.memory, audience);
  if (text === undefined) return tellAlone(job, work, chatTexts(job.language).forgotten, []);
  const language = detectLanguage(text);
  const again: Job = { ...job, language };
  const texts = chatTexts(language);
  await attempt(
    again,
    (line) => tellAlone(again, work, line, []),
    async () => {
      const principal = await personOf(again, work);
      if (!principal) return tellAlone(again, work, texts.unknownPerson, []);
      const allowed = await job.deps.models([work.model], principal, job.signal);
      const offered = job.settings.models?.includes(work.model) === true && allowed.includes(work.model);
      // What a menu sends back may be anything.
      if (!offered || !work.direct) return tellAlone(again, work, texts.modelNotYours, []);
      await tell(again, { ...work, text }, replyTo(again, work), principal, audience);
    },
  );
}

async function share(job: Job, work: Of<"share">): Promise<void> {
  const text = lastQuestion(job.memory, `person:${work.user}`);
  const language = text === undefined ? job.language : detectLanguage(text);
  const sharing: Job = { ...job, language };
  const texts = chatTexts(language);
  await attempt(
    sharing,
    (line) => tellAlone(sharing, work, line, []),
    async () => {
      const principal = await personOf(sharing, work);
      if (!principal) return tellAlone(sharing, work, texts.unknownPerson, []);
      if (text === undefined) return tellAlone(sharing, work, texts.forgotten, []);
      const audience = audienceOf(sharing, work.team, work.channel);
      const answer = audience && (await askAs(sharing, text, audience, "channel", undefined));
      if (answer?.outcome !== "answered") return tellAlone(sharing, work, texts.notShared, []);
      if (sharing.memory.step("shared") !== undefined) return;
      const said = `> ${text.replaceAll("\n", " ")}\n\n${safeText(answer)}\n\n${texts.shared(`<@${work.user}>`)}`;
      const place = { thread: work.thread, direct: false };
      const blocks = answerBlocks({ answer, language, place, models: [], share: false, feedback: false });
      const body = {
        channel: work.channel,
        text: said,
        blocks: [{ type: "markdown", text: said }, ...blocks],
        ...QUIET,
      };
      must(await job.deps.api.call("chat.postMessage", body, job.signal));
      await sharing.memory.note("shared", "1");
    },
  );
}

async function showEvidence(job: Job, work: Of<"evidence">): Promise<void> {
  const texts = chatTexts(job.language);
  await attempt(
    job,
    (line) => tellAlone(job, work, line, []),
    async () => {
      const principal = await personOf(job, work);
      if (!principal) return tellAlone(job, work, texts.unknownPerson, []);
      const rows = await job.deps.rows(work.rows, principal, job.signal);
      await tellAlone(job, work, rows.length > 0 ? texts.sources : texts.noEvidence, evidenceBlocks(rows));
    },
  );
}

async function takeFeedback(job: Job, work: Of<"feedback">): Promise<void> {
  const principal = await personOf(job, work);
  if (!principal || !job.deps.feedback) return;
  try {
    await job.deps.feedback(work.answer, work.rating, principal, job.signal);
  } catch (error) {
    // An answer that is not theirs, or unknown by now: nothing to say and nothing to try again.
    if (error instanceof QuaysideError && error.code === "not_found") return;
    throw error;
  }
  await tellAlone(job, work, chatTexts(job.language).thanks, []);
}

async function welcome(job: Job, work: Of<"welcome">): Promise<void> {
  const { prompts = [] } = job.settings;
  if (prompts.length === 0) return;
  const body = { channel_id: work.channel, prompts };
  await job.deps.api.call("assistant.threads.setSuggestedPrompts", body, job.signal);
}

/** Does the work; what fails is tried again by throwing, and told where there is no further try. */
async function attempt(
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

async function personOf(
  job: Job,
  work: { readonly team: string; readonly user: string },
): Promise<Principal | undefined> {
  const identity = await job.deps.people(work.team, work.user, job.signal);
  return identity ? job.deps.directory.resolve(identity, job.signal) : undefined;
}

/** Everyone in the channel, as one: what the configuration says that all of them may see. */
function audienceOf({ settings, deps }: Job, team: string, channel: string): Principal | undefined {
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

async function askAs(
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

function safeText(answer: Answer): string {
  return inertMarkdown(answer.text, []);
}

function lastQuestion(memory: ThreadMemory, audience: string): string | undefined {
  return memory.history(audience).findLast(({ role }) => role === "user")?.content;
}

function replyTo(
  job: Job,
  work: { readonly team: string; readonly channel: string; readonly user: string; readonly thread: string },
): SlackReply {
  return makeSlackReply(job.deps.api, work, job.memory, () => job.deps.host.now(), job.signal);
}

/** In a direct message that is everyone there is; elsewhere a message that only they see. */
async function tellAlone(
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
