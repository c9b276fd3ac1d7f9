import { detectLanguage } from "../../shared/analysis.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { askAs, attempt, lastQuestion, safeText } from "./chat-ask.ts";
import { chatTexts } from "./chat-texts.ts";
import { answerBlocks, evidenceBlocks, withText } from "./slack-blocks.ts";
import {
  channelOf,
  channelSubject,
  personOf,
  replyTo,
  tell,
  tellAlone,
  type Job,
  type Of,
} from "./slack-job.ts";
import { must, QUIET } from "./slack-reply.ts";

/** What a click on one of our own messages does. What comes with it is input like any other. */

/** Asks the last question of a direct message's thread of another model. */
export async function askAgain(job: Job, work: Of<"again">): Promise<void> {
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

export async function share(job: Job, work: Of<"share">): Promise<void> {
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
      const audience = channelOf(sharing, work.team, work.channel);
      const answer = audience && (await askAs(sharing, text, audience, "channel", undefined));
      if (answer?.outcome !== "answered") return tellAlone(sharing, work, texts.notShared, []);
      if (sharing.memory.step("shared") !== undefined) return;
      const said = `> ${text.replaceAll("\n", " ")}\n\n${safeText(answer)}\n\n${texts.shared(`<@${work.user}>`)}`;
      const place = { thread: work.thread, direct: false };
      const blocks = answerBlocks({ answer, language, place, models: [], share: false, feedback: false });
      const body = {
        channel: work.channel,
        text: said,
        blocks: withText(said, blocks),
        ...QUIET,
      };
      must(await job.deps.api.call(work.team, "chat.postMessage", body, job.signal));
      await sharing.memory.note("shared", "1");
    },
  );
}

export async function showEvidence(job: Job, work: Of<"evidence">): Promise<void> {
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

export async function takeFeedback(job: Job, work: Of<"feedback">): Promise<void> {
  const principal = await personOf(job, work);
  if (!principal || !job.deps.feedback) return;
  try {
    await job.deps.feedback(
      work.answer,
      work.rating,
      principal,
      channelSubject(work.team, work.channel),
      job.signal,
    );
  } catch (error) {
    // An answer that is not theirs, or unknown by now: nothing to say and nothing to try again.
    if (error instanceof QuaysideError && error.code === "not_found") return;
    throw error;
  }
  await tellAlone(job, work, chatTexts(job.language).thanks, []);
}

export async function welcome(job: Job, work: Of<"welcome">): Promise<void> {
  const { prompts = [] } = job.settings;
  if (prompts.length === 0) return;
  const body = { channel_id: work.channel, prompts };
  await job.deps.api.call(work.team, "assistant.threads.setSuggestedPrompts", body, job.signal);
}
