import { onAbort } from "./deadline.ts";
import { aborted } from "./http.ts";
import { QuaysideError } from "./ports/errors.ts";

/** One server-sent event (WHATWG HTML, 9.2): `data` lines joined by line feeds. */
export interface SseEvent {
  /** The `event` field; undefined when the event has none. */
  readonly name: string | undefined;
  readonly data: string;
}

/** A body that is read piece by piece: a ReadableStream of bytes, or what does as much of it. */
export interface Pieces {
  getReader(): Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel">;
}

/**
 * Reads a stream of server-sent events, handing over together what arrived together: one turn of the loop a network read,
 * not one an event. Line ends of all three kinds, comments, a byte order mark, and events or characters split anywhere
 * between reads are understood. Leaving the loop early cancels the body.
 * An event that the stream ends in the middle of is handed over too: whether that matters, its reader can tell.
 * @param maxBytes of the whole stream, after content decoding.
 * @throws QuaysideError `provider_bad_response` beyond `maxBytes`, `cancelled` or `deadline_exceeded` once `signal` aborts
 * (even when the body itself would not notice); whatever the body's own reader throws.
 */
export async function* readEvents(
  body: Pieces,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly SseEvent[], void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parse = eventParser();
  let length = 0;
  let ended = false;
  // Nobody waits for the other side to take note that we left.
  const leave = (): void => void reader.cancel().catch(() => undefined);
  const release = onAbort(signal, leave);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) throw aborted(signal);
      if (done) break;
      length += value.byteLength;
      if (length > maxBytes) {
        throw new QuaysideError("provider_bad_response", `The stream is longer than ${maxBytes} bytes.`);
      }
      const events = parse(decoder.decode(value, { stream: true }), false);
      if (events.length > 0) yield events;
    }
    ended = true;
    const events = parse(decoder.decode(), true);
    if (events.length > 0) yield events;
  } finally {
    release();
    if (!ended) leave();
  }
}

/** Events completed by the next piece of text; at the stream's end also the one that is still open. */
function eventParser(): (text: string, end: boolean) => SseEvent[] {
  // A line whose end has not come, in the pieces in which it came: joined once, and looked through once, however many they are.
  let pieces: string[] = [];
  let name: string | undefined;
  let data: string | undefined;
  return (text, end) => {
    const events: SseEvent[] = [];
    const more = end ? `${text}\n\n` : text;
    const endsNothing = more.indexOf("\n") < 0 && more.indexOf("\r") < 0;
    if (endsNothing && pieces.at(-1)?.endsWith("\r") !== true) {
      pieces.push(more);
      return events;
    }
    const buffer = pieces.join("") + more;
    let at = 0;
    let lf = buffer.indexOf("\n");
    let cr = buffer.indexOf("\r");
    for (;;) {
      if (lf >= 0 && lf < at) lf = buffer.indexOf("\n", at);
      if (cr >= 0 && cr < at) cr = buffer.indexOf("\r", at);
      let stop = cr >= 0 && (lf < 0 || cr < lf) ? cr : lf;
      // A carriage return at the very end may be half of a pair.
      if (stop < 0 || (stop === cr && stop === buffer.length - 1)) break;
      const line = buffer.slice(at, stop);
      if (stop === cr && buffer.charCodeAt(stop + 1) === 10) stop += 1;
      at = stop + 1;
      if (line === "") {
        if (data !== undefined) events.push({ name, data });
        name = undefined;
        data = undefined;
      } else if (line.startsWith("data:")) {
        const value = line.slice(line.charCodeAt(5) === 32 ? 6 : 5);
        data = data === undefined ? value : `${data}\n${value}`;
      } else if (line.startsWith("event:")) {
        name = line.slice(line.charCodeAt(6) === 32 ? 7 : 6);
      }
    }
    pieces = [buffer.slice(at)];
    return events;
  };
}
