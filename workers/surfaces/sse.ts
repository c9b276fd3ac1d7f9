import type { AnswerEvent } from "../../shared/ports/answer.ts";
import type { QuaysideError } from "../../shared/ports/errors.ts";
import { coded, problemBody } from "../problem.ts";
import { answerJson, citationJson } from "./render.ts";

/** Proxies close a connection that is silent for much longer than this. */
const PING_MS = 15_000;

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
  let ping: ReturnType<typeof setInterval> | undefined;

  const add = (text: string): void => {
    pending += text;
    wake?.();
  };
  const run = async (): Promise<void> => {
    try {
      for (let event = await rest.next(); event.done !== true; event = await rest.next()) {
        add(frame(event.value));
      }
    } catch (thrown) {
      const error = coded(thrown);
      options.failed(error);
      add(`event: error\ndata: ${JSON.stringify(problemBody(error, options.requestId))}\n\n`);
    } finally {
      ended = true;
      clearInterval(ping);
      options.closed();
      wake?.();
    }
  };

  const body = new ReadableStream<Uint8Array>(
    {
      start() {
        ping = setInterval(() => add(": ping\n\n"), PING_MS);
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
        clearInterval(ping);
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
