import { detectLanguage } from "../../shared/analysis.ts";
import type { Answerer } from "../thread/api.ts";
import { askAs, attempt, safeText } from "./chat-ask.ts";
import { chatTexts } from "./chat-texts.ts";
import { answerBlocks, withText, type Block } from "./slack-blocks.ts";
import { askAgain, share, showEvidence, takeFeedback, welcome } from "./slack-clicks.ts";
import {
  channelOf,
  finish,
  personOf,
  replyTo,
  tell,
  tellAlone,
  type Job,
  type Of,
  type SlackAnswerDeps,
} from "./slack-job.ts";
import type { SlackReply } from "./slack-reply.ts";
import { COMMAND_THREAD, type SlackWork } from "./slack-work.ts";

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
      const audience = channelOf(job, work.team, work.channel);
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
        blocks: withText(text, blocks),
      },
      job.signal,
    );
  await attempt(job, say, async () => {
    const principal = await personOf(job, work);
    if (!principal) return say(texts.unknownPerson);
    const answer = await askAs(job, work.text, principal, `person:${work.user}`, undefined);
    job.memory.remember(`person:${work.user}`, work.text, answer.text);
    const shareable = channelOf(job, work.team, work.channel) !== undefined;
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
