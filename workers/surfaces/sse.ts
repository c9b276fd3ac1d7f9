import type { Answer, AnswerEvent } from "../../shared/ports/answer.ts";
import { deadlineSignal } from "../../shared/deadline.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Host } from "../../shared/ports/host.ts";
import { coded } from "../problem.ts";
import type { Call } from "./surface.ts";

/**
 * A comment goes out after this much silence. Proxies would wait far longer (15 s is customary), but a reader who has left is
 * only noticed by writing to them where the runtime does not tell (workerd by itself does not), and a model that writes for
 * nobody is to be stopped within a second.
 */
export const BEAT_MS = 300;

/** How a surface writes events, an answer's for most. */
export interface Wire<Event = AnswerEvent> {
  /** One event; empty for nothing. */
  frame(event: Event): string;
  /** The failure that ended the stream. */
  failure(error: QuaysideError): string;
}

export interface StreamOptions<Event> {
  readonly wire: Wire<Event>;
  /** The reader has left: stop the work. */
  cancel(): void;
  /** Told of the failure that ended the stream. */
  failed(error: QuaysideError): void;
  /** Nothing more is written, however it ended. Called once. */
  closed(): void;
}

/** Turns of the microtask queue in which an answer that was there already, from the cache say, is told to its end. */
const TURNS = 50;

/**
 * Server-sent events. Whatever has come together while the last write was under way goes out in one write; what
 * has come to its end at once is no stream, but a body.
 * A failure is told, and then the end: nothing that was cut short looks complete.
 * @param first what is there already; undefined for nothing.
 */
export async function eventStream<Event>(
  first: Event | undefined,
  rest: AsyncIterator<Event>,
  { wire, ...options }: StreamOptions<Event>,
): Promise<Response> {
  let pending = first === undefined ? "" : wire.frame(first);
  let ended = false;
  let wake: (() => void) | undefined;
  let beat: ReturnType<typeof setInterval> | undefined;
  let silent = true;

  const add = (text: string): void => {
    // A reader that waits is not woken for nothing: it would not be asked again.
    if (text === "") return;
    pending += text;
    wake?.();
  };
  const run = async (): Promise<void> => {
    try {
      for (let event = await rest.next(); event.done !== true; event = await rest.next()) {
        silent = false;
        add(wire.frame(event.value));
      }
    } catch (thrown) {
      const error = coded(thrown);
      options.failed(error);
      add(wire.failure(error));
    } finally {
      ended = true;
      clearInterval(beat);
      options.closed();
      wake?.();
    }
  };

  const headers = { "content-type": "text/event-stream", "x-accel-buffering": "no" };
  await Promise.race([run(), turns(() => ended)]);
  if (ended) return new Response(pending, { headers });

  const encoder = new TextEncoder();
  beat = setInterval(() => {
    if (silent) add(":\n\n");
    silent = true;
  }, BEAT_MS);
  const body = new ReadableStream<Uint8Array>(
    {
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
  return new Response(body, { headers });
}

async function turns(ended: () => boolean): Promise<void> {
  for (let turn = 0; turn < TURNS && !ended(); turn++) await Promise.resolve();
}

/** What a request for an answer comes with. */
export interface Asking {
  /** Asks; `signal` ends the work. */
  readonly ask: (signal: AbortSignal) => AsyncIterable<AnswerEvent>;
  readonly call: Call;
  /** Of the caller, as `enter` gives it. */
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** The answer is over, however it ended. Not called when nothing but an exception comes of the request. */
  readonly closed: () => void;
}

/**
 * An answer, streamed. Failures before the first event are thrown: they still have a status of their own.
 * @throws what `ask` throws.
 */
export async function streamAnswer(
  { ask, call, signal: left, timeoutMs, closed }: Asking,
  wire: Wire,
  host: Pick<Host, "log">,
): Promise<Response> {
  const { signal, abort, clear } = deadlineSignal(left, timeoutMs);
  const events = ask(signal)[Symbol.asyncIterator]();
  let first: IteratorResult<AnswerEvent>;
  try {
    first = await events.next();
    if (first.done === true) throw new QuaysideError("internal", "An answer without events.");
  } catch (error) {
    clear();
    throw error;
  }
  return eventStream(first.value, events, {
    wire,
    cancel: abort,
    failed({ code }) {
      // A reader who leaves is no failure of ours.
      const level = code === "cancelled" ? "info" : "warn";
      host.log({ level, event: "stream-failed", requestId: call.requestId, code });
    },
    closed() {
      clear();
      closed();
    },
  });
}

/** The same, whole. @throws what `ask` throws. */
export async function wholeAnswer({ ask, signal: left, timeoutMs, closed }: Asking): Promise<Answer> {
  const { signal, clear } = deadlineSignal(left, timeoutMs);
  try {
    for await (const event of ask(signal)) {
      if (event.type !== "done") continue;
      closed();
      return event.answer;
    }
  } finally {
    clear();
  }
  throw new QuaysideError("internal", "An answer without an end.");
}
