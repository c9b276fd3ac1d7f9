import type { AnswerEvent } from "../../shared/ports/answer.ts";
import type { QuaysideError } from "../../shared/ports/errors.ts";
import { coded, problemBody } from "../problem.ts";
import { answerJson, citationJson } from "./render.ts";

/**
 * A comment goes out after this much silence. Proxies would wait far longer (15 s is customary), but a reader who has left is
 * only noticed by writing to them where the runtime does not tell (workerd by itself does not), and a model that writes for
 * nobody is to be stopped within a second.
 */
const BEAT_MS = 300;

export interface StreamOptions {
  readonly requestId: string;
  /** The reader has left: stop the work. */
  cancel(): void;
  /** Told of the failure that ended the stream. */
  failed(error: QuaysideError): void;
  /** Nothing more is written, however it ended. Called once. */
  closed(): void;
}

/**
 * An answer as server-sent events. Whatever has come together while the last write was under way goes out in one write.
 * A failure after the first event is an `error` event, and then the end: nothing that was cut short looks complete.
 */
export function eventStream(
  first: AnswerEvent,
  rest: AsyncIterator<AnswerEvent>,
  options: StreamOptions,
): Response {
  const encoder = new TextEncoder();
  let pending = frame(first);
  let ended = false;
  let wake: (() => void) | undefined;
  let beat: ReturnType<typeof setInterval> | undefined;
  let silent = true;

  const add = (text: string): void => {
    pending += text;
    wake?.();
  };
  const run = async (): Promise<void> => {
    try {
      for (let event = await rest.next(); event.done !== true; event = await rest.next()) {
        silent = false;
        add(frame(event.value));
      }
    } catch (thrown) {
      const error = coded(thrown);
      options.failed(error);
      add(`event: error\ndata: ${JSON.stringify(problemBody(error, options.requestId))}\n\n`);
    } finally {
      ended = true;
      clearInterval(beat);
      options.closed();
      wake?.();
    }
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start() {
        beat = setInterval(() => {
          if (silent) add(":\n\n");
          silent = true;
        }, BEAT_MS);
        void run();
      },
      async pull(controller) {
        if (pending === "" && !ended) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          wake = undefined;
        }
        if (pending !== "") {
          controller.enqueue(encoder.encode(pending));
          pending = "";
        }
        if (ended) controller.close();
      },
      cancel() {
        clearInterval(beat);
        options.cancel();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(body, {
    headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
  });
}

function frame(event: AnswerEvent): string {
  switch (event.type) {
    case "evidence":
      return `event: evidence\ndata: ${JSON.stringify({ citations: event.citations.map(citationJson) })}\n\n`;
    case "delta":
      return `event: delta\ndata: ${JSON.stringify({ text: event.text })}\n\n`;
    case "retract":
      return `event: retract\ndata: ${JSON.stringify({ from: event.from })}\n\n`;
    case "done":
      return `event: done\ndata: ${JSON.stringify(answerJson(event.answer))}\n\n`;
  }
}
