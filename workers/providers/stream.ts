import { aborted, failureIn } from "../../shared/http.ts";
import type { ChatEvent, ChatRequest, FinishReason, Usage } from "../../shared/ports/chat-provider.ts";
import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";
import { readEvents, type SseEvent } from "../../shared/sse.ts";
import { gathered } from "./gather.ts";

/**
 * What providers that stream events have in common: the contract of `ChatProvider.stream`, over a protocol that is a
 * function from events to a `Reading`.
 */

/** What has been understood of a stream; a protocol's `read` writes it, `chatEvents` empties `text` after each network read. */
export interface Reading {
  text: string;
  reason: FinishReason | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  /** The model that answers, as the provider calls it. */
  served: string | undefined;
  /** The answer is whole even if the stream ends here: only usage may follow. For protocols without a last word. */
  complete: boolean;
  /** The protocol's own terminator was seen; whatever follows is ignored. */
  ended: boolean;
}

/** @throws QuaysideError for an error event, SyntaxError for data that is not JSON. */
export type ReadEvent = (event: SseEvent, reading: Reading) => void;

/** How a body is cut into events: `readEvents` of server-sent events, or another with its contract. */
export interface Framing {
  /** What the response's content type starts with. */
  readonly contentType: string;
  readonly events: typeof readEvents;
}

const SSE: Framing = { contentType: "text/event-stream", events: readEvents };

/** Tokens that come within so long of each other are told together: text that grows thirty times a second is read as it flows. */
const TOGETHER_MS = 32;

/** An answer of 8,000 tokens is about 2 MB on the wire, one event a token. */
const MAX_STREAM_BYTES = 8 * 1024 * 1024;

/**
 * @param peer as messages may name it.
 * @param open starts the call, through `requestStream` or an SDK whose `fetch` is made of it.
 */
export async function* chatEvents(
  peer: string,
  open: () => Promise<Response>,
  read: ReadEvent,
  { answering, used }: Pick<ChatRequest, "answering" | "used">,
  signal: AbortSignal,
  framing: Framing = SSE,
): AsyncGenerator<ChatEvent, void, undefined> {
  let started = false;
  let repeated = 0;
  let previous = "";
  const reading: Reading = {
    text: "",
    reason: undefined,
    inputTokens: undefined,
    outputTokens: undefined,
    served: undefined,
    complete: false,
    ended: false,
  };
  try {
    const response = await open();
    answering?.();
    const type = response.headers.get("content-type") ?? "";
    if (!response.body || !type.startsWith(framing.contentType)) {
      response.body?.cancel().catch(() => undefined);
      const message = `${peer} answered with something other than an event stream.`;
      throw new QuaysideError("provider_reported_error", message);
    }
    // The first words are not kept waiting.
    const body = gathered(response.body, () => (started ? TOGETHER_MS : 0));
    for await (const events of framing.events(body, MAX_STREAM_BYTES, signal)) {
      try {
        for (const event of events) {
          const before = reading.text.length;
          read(event, reading);
          if (event.data === previous && reading.text.length > before) repeated += 1;
          previous = event.data;
          if (reading.ended) break;
        }
      } catch (error) {
        // What arrived before the failure is delivered before it is reported.
        if (reading.text !== "") {
          started = true;
          yield { type: "text-delta", text: reading.text };
        }
        throw error;
      }
      if (!started) used?.(usageOf(reading));
      if (reading.text !== "") {
        started = true;
        yield { type: "text-delta", text: reading.text };
        reading.text = "";
      }
      if (reading.ended) break;
    }
    if (!reading.ended && !reading.complete) {
      throw badResponse(`${peer} ended its answer without saying that it was complete.`);
    }
  } catch (error) {
    used?.(usageOf(reading));
    // A whole answer is not lost with what may come after it.
    if (!reading.complete || signal.aborted) throw toFailure(error, peer, started, signal);
  }
  if (!started && (reading.reason === undefined || reading.reason === "stop" || reading.reason === "other")) {
    throw badResponse(`${peer} answered with no text.`);
  }
  const { reason = "other", served } = reading;
  yield { type: "finish", reason, usage: usageOf(reading), served, repeated };
}

/** The data of an event as an object. @throws SyntaxError */
export function parseData(data: string): Readonly<Record<string, unknown>> {
  return fields(JSON.parse(data) as unknown);
}

/** An object's fields; none for anything else, so that a missing branch reads as absent. */
export function fields(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Tokens as a provider reports them, believable or not; undefined when absent or no count. */
export function tokenCount(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

/** A model's name as a provider reports it; undefined for anything else, and for what is no name. */
export function modelName(value: unknown): string | undefined {
  return typeof value === "string" && /^[\w.:/@-]{1,200}$/.test(value) ? value : undefined;
}

/** An error that a provider sends inside a stream that began well. */
export function streamError(peer: string, code: ErrorCode, cause: unknown): QuaysideError {
  return new QuaysideError(code, `${peer} reported an error while answering.`, { cause });
}

function badResponse(message: string): QuaysideError {
  return new QuaysideError("provider_bad_response", message);
}

function usageOf({ inputTokens, outputTokens }: Reading): Usage {
  return { inputTokens, outputTokens };
}

function toFailure(error: unknown, peer: string, started: boolean, signal: AbortSignal): QuaysideError {
  if (signal.aborted) return aborted(signal);
  if (started) {
    const message = `${peer} broke off in the middle of its answer.`;
    return new QuaysideError("provider_stream_interrupted", message, { cause: error });
  }
  const failure = failureIn(error);
  if (failure) return failure;
  if (error instanceof SyntaxError) {
    return new QuaysideError("provider_bad_response", `${peer} answered with malformed data.`, {
      cause: error,
    });
  }
  return new QuaysideError("no_provider_available", `${peer} broke off before its answer.`, { cause: error });
}
