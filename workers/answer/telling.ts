import type { AnswerEvent } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import { within } from "./retrieve.ts";

/** The events of an answer that is being written, for whoever asked the same meanwhile, in other requests and isolates. */
export interface Telling {
  push(event: AnswerEvent): void;
  /** Nothing more comes. @param whole whether the answer is there; else listeners have to go on by themselves. */
  end(whole: boolean): void;
  /** Everything from the beginning, as JSON lines. Runs where the answer is written, whoever calls. */
  readonly join: () => Promise<ReadableStream<Uint8Array>>;
}

/** Events are kept as they are, and written out only once somebody listens. */
export function makeTelling(): Telling {
  const told: AnswerEvent[] = [];
  let ended: "whole" | "broken" | undefined;
  let waiting: (() => void)[] = [];
  const wake = (): void => {
    const woken = waiting;
    waiting = [];
    for (const resolve of woken) resolve();
  };
  return {
    push(event) {
      told.push(event);
      wake();
    },
    end(whole) {
      ended ??= whole ? "whole" : "broken";
      wake();
    },
    async join() {
      const encoder = new TextEncoder();
      let next = 0;
      return new ReadableStream({
        type: "bytes",
        async pull(controller) {
          if (next === told.length && ended === undefined) {
            await new Promise<void>((resolve) => waiting.push(resolve));
          }
          const events = told.slice(next);
          next = told.length;
          if (events.length > 0) {
            controller.enqueue(encoder.encode(events.map((event) => `${JSON.stringify(event)}\n`).join("")));
          } else if (ended === "whole") {
            controller.close();
            // A read that waits is answered only so (WHATWG Streams, "respond with 0 on close").
            controller.byobRequest?.respond(0);
          } else controller.error(new Error("the answer came to nothing"));
        },
      });
    },
  };
}

/** The events that are told by `join`. @throws QuaysideError `registry_unavailable` when they end without an answer. */
export async function* listen(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<AnswerEvent> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await within(reader.read(), signal, "registry_unavailable");
      if (done)
        throw new QuaysideError("registry_unavailable", "The answer that others write came to nothing.");
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const event: AnswerEvent = JSON.parse(line);
        yield event;
        if (event.type === "done") return;
      }
    }
  } finally {
    // The other side stops writing for nobody; that it may be gone already is no matter.
    reader.cancel().catch(() => undefined);
  }
}
