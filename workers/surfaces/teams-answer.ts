import { detectLanguage } from "../../shared/analysis.ts";
import type { Config } from "../../shared/config.ts";
import type { Answer, Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Answerer } from "../thread/api.ts";
import {
  askAs,
  attempt,
  audienceOf,
  lastQuestion,
  safeText,
  type ChatDeps,
  type ChatJob,
} from "./chat-ask.ts";
import { chatTexts } from "./chat-texts.ts";
import type { TeamsPlace, TeamsWork } from "./teams-activity.ts";
import type { TeamsApi } from "./teams-api.ts";
import { answerMessage, type Body } from "./teams-cards.ts";
import type { TeamsPeople } from "./teams-people.ts";
import { makeTeamsReply, type TeamsReply } from "./teams-reply.ts";

export interface TeamsAnswerDeps extends ChatDeps {
  readonly api: TeamsApi;
  readonly people: TeamsPeople;
  /** Waits. @throws QuaysideError once the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

type Of<Kind extends TeamsWork["kind"]> = Extract<TeamsWork, { readonly kind: Kind }>;

interface Job extends ChatJob {
  readonly deps: TeamsAnswerDeps;
  readonly settings: NonNullable<NonNullable<Config["surfaces"]>["teams"]>;
}

/** Answers what Teams delivered. A failure is told in the conversation: nobody is left with silence. */
export function teamsAnswerer(deps: TeamsAnswerDeps): Answerer {
  return async (json, memory, signal) => {
    const work: TeamsWork = JSON.parse(json);
    const config = await deps.config(signal);
    const settings = config?.surfaces?.teams;
    if (!config || !settings) return;
    const text = work.kind === "again" ? lastQuestion(memory, personal(work)) : undefined;
    const language = detectLanguage(work.kind === "question" ? work.text : (text ?? ""));
    const job: Job = { deps, config, settings, memory, signal, language };
    switch (work.kind) {
      case "question":
        return answerQuestion(job, work);
      case "again":
        return askAgain(job, work, text);
      case "feedback":
        return takeFeedback(job, work);
      case "welcome":
        await say(replyTo(job, work), chatTexts(job.language).welcome);
    }
  };
}

/**
 * A channel is read by all of it, so it is asked for as its own audience; what that leaves unanswered is asked as the person
 * and told in their own chat, since Teams has no message that only one person in a channel sees.
 */
async function answerQuestion(job: Job, work: Of<"question">): Promise<void> {
  const texts = chatTexts(job.language);
  const reply = replyTo(job, work);
  await attempt(
    job,
    (text) => say(reply, text),
    async () => {
      const principal = await personOf(job, work);
      if (!principal) return say(reply, texts.unknownPerson);
      await reply.working(texts.working);
      if (work.personal) return tell(job, work, work.text, reply, principal);
      const audience = audienceOf(job, job.settings.channels, work.channel, channelSubject(work));
      if (audience) {
        const answer = await askAs(job, work.text, audience, "channel", undefined);
        if (answer.outcome === "answered") {
          await finish(job, reply, answer, []);
          job.memory.remember("channel", work.text, answer.text);
          return;
        }
      }
      const answer = await askAs(job, work.text, principal, personal(work), undefined);
      // The private chat is another thread: votes there would find no answer.
      await tellPrivately(job, work, messageOf(job, answer, [], false));
      job.memory.remember(personal(work), work.text, answer.text);
      await say(reply, texts.sentPrivately);
    },
  );
}

async function askAgain(job: Job, work: Of<"again">, text: string | undefined): Promise<void> {
  const texts = chatTexts(job.language);
  const reply = replyTo(job, work);
  await attempt(
    job,
    (line) => say(reply, line),
    async () => {
      if (text === undefined) return say(reply, texts.forgotten);
      const principal = await personOf(job, work);
      if (!principal) return say(reply, texts.unknownPerson);
      // What a card sends back may be anything.
      const offered = await job.deps.models(job.settings.models ?? [], principal, job.signal);
      if (!work.personal || !offered.includes(work.model)) {
        return say(reply, texts.modelNotYours);
      }
      await tell(job, work, text, reply, principal, work.model);
    },
  );
}

async function tell(
  job: Job,
  work: TeamsPlace,
  text: string,
  reply: TeamsReply,
  principal: Principal,
  model?: string,
): Promise<void> {
  const offered = job.deps.models(job.settings.models ?? [], principal, job.signal);
  let answer: Answer;
  try {
    answer = await askAs(job, text, principal, personal(work), model, (part) => reply.append(part));
  } catch (error) {
    // They pressed Stop: the model was stopped with it, and nothing more is to be said.
    if (error instanceof QuaysideError && error.code === "cancelled" && !job.signal.aborted) return;
    throw error;
  }
  await finish(job, reply, answer, await offered);
  job.memory.remember(personal(work), text, answer.text);
}

/** Writes the answer, and down which one it is: a vote names the message only. */
async function finish(job: Job, reply: TeamsReply, answer: Answer, models: readonly string[]): Promise<void> {
  const id = await reply.finish(messageOf(job, answer, models, job.deps.feedback !== undefined));
  job.memory.keep(`answer:${id}`, answer.id);
}

async function takeFeedback(job: Job, work: Of<"feedback">): Promise<void> {
  const answer = job.memory.recall(`answer:${work.replyTo}`);
  const principal = answer === undefined ? undefined : await personOf(job, work);
  if (answer === undefined || !principal) return;
  try {
    await job.deps.feedback?.(answer, work.rating, principal, channelSubject(work), job.signal);
  } catch (error) {
    if (!(error instanceof QuaysideError && error.code === "not_found")) throw error;
  }
}

function messageOf(job: Job, answer: Answer, models: readonly string[], feedback: boolean): Body {
  return answerMessage({ answer, text: safeText(answer), language: job.language, models, feedback });
}

/** In the person's own chat with the bot, which is made where there is none. */
async function tellPrivately(job: Job, work: TeamsPlace, message: Body): Promise<void> {
  if (job.memory.step("told") !== undefined) return;
  const { api } = job.deps;
  const chat = {
    isGroup: false,
    bot: { id: work.bot },
    members: [{ id: work.user }],
    tenantId: work.tenant,
    channelData: { tenant: { id: work.tenant } },
  };
  const made = await api.send("POST", work.serviceUrl, "conversations", chat, job.signal);
  if (!made.ok) throw new Error(`Teams refused a chat: ${made.status}`);
  const path = `conversations/${encodeURIComponent(made.id)}/activities`;
  const sent = await api.send("POST", work.serviceUrl, path, message, job.signal);
  if (!sent.ok) throw new Error(`Teams refused a message: ${sent.status}`);
  await job.memory.note("told", sent.id);
}

async function personOf(job: Job, work: TeamsPlace): Promise<Principal | undefined> {
  const identity = await job.deps.people(work.tenant, work.person, job.signal);
  return identity ? job.deps.directory.resolve(identity, job.signal) : undefined;
}

function channelSubject(work: TeamsPlace): string {
  return `teams-channel:${work.tenant}:${work.channel}`;
}

function personal(work: TeamsPlace): string {
  return `person:${work.person}`;
}

function replyTo(job: Job, work: TeamsPlace): TeamsReply {
  const { api, host, sleep } = job.deps;
  return makeTeamsReply(api, work, job.memory, { now: () => host.now(), sleep }, job.signal);
}

async function say(reply: TeamsReply, text: string): Promise<void> {
  await reply.finish({ type: "message", textFormat: "plain", text });
}
