import type { ThreadMemory } from "../thread/api.ts";
import type { SlackAnswer, SlackApi } from "./slack-api.ts";
import { cut, MAX_MARKDOWN, withText, type Block } from "./slack-blocks.ts";

/** One message of ours in a thread, told while it is being written. */
export interface SlackReply {
  /** Shows that work goes on; goes away by itself with the first text. Best effort. */
  working(status: string): Promise<void>;
  /** More of the text. Held back until enough is there, or time has passed: Slack counts calls. */
  append(text: string): Promise<void>;
  /** The whole text, authoritative, and what stands below it. */
  finish(text: string, blocks: readonly Block[]): Promise<void>;
}

export interface ReplyTarget {
  readonly channel: string;
  readonly thread: string;
  /** The person who is answered: a stream outside direct messages has a recipient. */
  readonly user: string;
  readonly team: string;
}

/** Appends have 100 calls a minute and a workspace; `chat.appendStream` takes 12,000 characters. docs.slack.dev, read 2026-11. */
const FLUSH_CHARS = 256;
const FLUSH_MS = 700;

/**
 * A reply that streams where Slack lets it, and is one message where it doesn't. Its message is made once a message of the
 * thread, whatever is tried again: later tries write over it. A stream that Slack has closed (after about five minutes, or
 * when nothing came) is written over as well, since appending and stopping fail from then on.
 */
export function makeSlackReply(
  api: SlackApi,
  target: ReplyTarget,
  memory: ThreadMemory,
  now: () => number,
  signal: AbortSignal,
): SlackReply {
  const { channel, thread, user, team } = target;
  /** Of our message, once it exists; an earlier try may have made it. */
  let ts = memory.step("ts");
  /** The same while it streams. */
  let stream: string | undefined;
  let whole = ts === undefined;
  let held = "";
  let sent = "";
  let flushedAt = now();

  const begin = async (text: string): Promise<void> => {
    const started = await api.call(
      team,
      "chat.startStream",
      { channel, thread_ts: thread, recipient_user_id: user, recipient_team_id: team, markdown_text: text },
      signal,
    );
    // Not here, or not now: the message is posted whole at the end.
    if (!started.ok) {
      whole = false;
      return;
    }
    stream = ts = stamp(started);
    sent = text;
    await memory.note("ts", stream);
  };

  const flush = async (): Promise<void> => {
    if (held === "" || !whole) return;
    const text = held;
    held = "";
    flushedAt = now();
    if (stream === undefined) return begin(text);
    const more = { channel, ts: stream, markdown_text: text };
    const appended = await api.call(team, "chat.appendStream", more, signal);
    if (appended.ok) sent += text;
    else {
      stream = undefined;
      whole = false;
    }
  };

  return {
    async working(status) {
      await api.call(
        team,
        "assistant.threads.setStatus",
        { channel_id: channel, thread_ts: thread, status },
        signal,
      );
    },
    async append(text) {
      held += text;
      if (sent.length + held.length > MAX_MARKDOWN) whole = false;
      if (held.length >= FLUSH_CHARS || now() - flushedAt >= FLUSH_MS) await flush();
    },
    async finish(text, blocks) {
      const shown = cut(text, MAX_MARKDOWN);
      // Blanks behind a sentence were sent before it was clear that nothing follows.
      if (stream !== undefined && shown.startsWith(sent.trimEnd())) {
        const rest = shown.slice(sent.length);
        const stopped = await api.call(
          team,
          "chat.stopStream",
          { channel, ts: stream, blocks, ...(rest === "" ? {} : { markdown_text: rest }) },
          signal,
        );
        if (stopped.ok) return;
      }
      const body = { channel, text: shown, blocks: withText(shown, blocks) };
      if (ts !== undefined) {
        if (stream !== undefined) await api.call(team, "chat.stopStream", { channel, ts }, signal);
        must(await api.call(team, "chat.update", { ...body, ts }, signal));
        return;
      }
      const posted = must(
        await api.call(team, "chat.postMessage", { ...body, ...QUIET, thread_ts: thread }, signal),
      );
      await memory.note("ts", stamp(posted));
    },
  };
}

/** Nothing in an answer is fetched for a preview. */
export const QUIET = { unfurl_links: false, unfurl_media: false, mrkdwn: false } as const;

/** @throws Error with Slack's code: another try may mend it. */
export function must(answer: SlackAnswer): Extract<SlackAnswer, { readonly ok: true }> {
  if (answer.ok) return answer;
  throw new Error(`Slack refused a message: ${answer.error}`);
}

function stamp(answer: Extract<SlackAnswer, { readonly ok: true }>): string {
  const { ts } = answer.body;
  if (typeof ts === "string") return ts;
  throw new Error("Slack took a message and named no time stamp.");
}
