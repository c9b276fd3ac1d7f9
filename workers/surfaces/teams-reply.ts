import { QuaysideError } from "../../shared/ports/errors.ts";
import type { ThreadMemory } from "../thread/api.ts";
import type { TeamsPlace } from "./teams-activity.ts";
import type { TeamsAnswer, TeamsApi } from "./teams-api.ts";
import { cut, MAX_TEXT, type Body } from "./teams-cards.ts";

/** One message of ours, told while it is being written. */
export interface TeamsReply {
  /** Shows that work goes on. Best effort. */
  working(text: string): Promise<void>;
  /** More of the text. @throws QuaysideError `cancelled` once the person has pressed Stop. */
  append(text: string): Promise<void>;
  /** The whole message, authoritative. @returns its activity's id. */
  finish(message: Body): Promise<string>;
}

export interface ReplyClock {
  /** Milliseconds since the epoch. */
  now(this: void): number;
  sleep(this: void, ms: number, signal: AbortSignal): Promise<void>;
}

/** Streams take a call a second, and two minutes in all: Microsoft, "Stream bot messages", read 2026-11. */
const FLUSH_MS = 1500;
const STREAM_MS = 105_000;

/**
 * A reply that streams in a personal chat and is one message elsewhere: Teams streams nowhere else. What was streamed stays a
 * prefix of what is streamed next, as it has to. A later try of the same message writes over the one that it has.
 */
export function makeTeamsReply(
  api: TeamsApi,
  place: TeamsPlace,
  memory: ThreadMemory,
  clock: ReplyClock,
  signal: AbortSignal,
): TeamsReply {
  const { now, sleep } = clock;
  const { serviceUrl, conversation, activity } = place;
  const path = `conversations/${encodeURIComponent(conversation)}/activities`;
  const startedAt = now();
  /** Id of the activity that the stream shows, and of the message that was made. */
  let stream: string | undefined;
  const made = memory.step("activity");
  let sequence = 1;
  let text = "";
  let sent = "";
  let flushedAt = 0;
  let streams = place.personal && made === undefined;

  const post = (body: Body, to: string): Promise<TeamsAnswer> =>
    api.send("POST", serviceUrl, to, body, signal);

  const show = async (kind: "informative" | "streaming", shown: string): Promise<void> => {
    const info = { type: "streaminfo", streamType: kind, streamSequence: sequence };
    const entity = stream === undefined ? info : { ...info, streamId: stream };
    flushedAt = now();
    const answer = await post({ type: "typing", text: shown, entities: [entity] }, path);
    if (answer.ok) {
      if (stream === undefined) {
        stream = answer.id;
        await memory.note("activity", stream);
      }
      sequence += 1;
      if (kind === "streaming") sent = shown;
      return;
    }
    streams = false;
    if (/cancel/i.test(answer.message))
      throw new QuaysideError("cancelled", "The person stopped the answer.");
  };

  return {
    async working(status) {
      if (streams) await show("informative", cut(status, 1000));
      else await post({ type: "typing" }, path);
    },
    async append(more) {
      text += more;
      if (!streams || now() - flushedAt < FLUSH_MS) return;
      if (now() - startedAt > STREAM_MS || text.length > MAX_TEXT) streams = false;
      else await show("streaming", text);
    },
    async finish(message) {
      if (streams && stream !== undefined && textOf(message).startsWith(sent.trimEnd())) {
        // One call a second: the last one waits for its turn.
        const left = flushedAt + 1000 - now();
        if (left > 0) await sleep(left, signal);
        const info = { type: "streaminfo", streamId: stream, streamType: "final" };
        const entities = [info, ...entitiesOf(message)];
        if ((await post({ ...message, entities }, path)).ok) return stream;
      }
      const over = made ?? stream;
      if (over !== undefined) {
        const where = `${path}/${encodeURIComponent(over)}`;
        if ((await api.send("PUT", serviceUrl, where, message, signal)).ok) return over;
      }
      const posted = await post(
        { ...message, replyToId: activity },
        `${path}/${encodeURIComponent(activity)}`,
      );
      if (!posted.ok) throw new Error(`Teams refused a message: ${posted.status}`);
      await memory.note("activity", posted.id);
      return posted.id;
    },
  };
}

function textOf(message: Body): string {
  const final = message["text"];
  return typeof final === "string" ? final : "";
}

function entitiesOf(message: Body): readonly unknown[] {
  const entities: unknown = message["entities"];
  return Array.isArray(entities) ? entities : [];
}
