import { readEvents } from "./sse.ts";
import {
  type Answer,
  type Citation,
  type Problem,
  readAnswer,
  readCitations,
  readCompared,
  readDelta,
  readProblem,
  readRetraction,
} from "./wire.ts";

/** Who the page speaks as: a demo user, or the holder of a key; a single sign-on in front of the page needs neither. */
export interface Caller {
  /** Origin of the Worker, for pages of another; default the page's own. */
  readonly base?: string;
  readonly demoUser: string | undefined;
  /** Kept in memory only. */
  readonly key: string | undefined;
}

export interface AskRequest {
  readonly question: string;
  /** `provider/model`; undefined leaves the choice to the server. */
  readonly model: string | undefined;
  readonly history: readonly { readonly role: "user" | "assistant"; readonly content: string }[];
  readonly fresh: boolean;
}

export type AskEvent =
  | { readonly type: "evidence"; readonly citations: readonly Citation[] }
  | { readonly type: "delta"; readonly text: string }
  | { readonly type: "retract"; readonly from: number }
  | { readonly type: "done"; readonly answer: Answer }
  | { readonly type: "error"; readonly problem: Problem };

function headersOf(caller: Caller): Record<string, string> {
  return {
    ...(caller.demoUser ? { "x-quayside-demo-user": caller.demoUser } : {}),
    ...(caller.key ? { authorization: `Bearer ${caller.key}` } : {}),
  };
}

/** A problem that no server reported: `offline` when it could not be reached, `interrupted` when a stream was cut. */
function local(code: "offline" | "interrupted", requestId = ""): Problem {
  return { code, status: 0, requestId, retryable: true, retryAfterSeconds: 0 };
}

async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => undefined);
  return readProblem(
    body,
    response.status,
    response.headers.get("x-request-id") ?? "",
    Number(response.headers.get("retry-after")) || 0,
  );
}

export type Sent =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly problem: Problem };

/** One request with JSON in and out; gives the problem instead of throwing. An answer without a body is undefined. */
export async function send(
  method: "GET" | "POST" | "DELETE",
  path: string,
  caller: Caller,
  body?: unknown,
): Promise<Sent> {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headersOf(caller),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    if (!response.ok) return { ok: false, problem: await problemOf(response) };
    return { ok: true, value: response.status === 204 ? undefined : await response.json() };
  } catch {
    return { ok: false, problem: local("offline") };
  }
}

export const get = (path: string, caller: Caller): Promise<Sent> => send("GET", path, caller);

type StreamEvent =
  | { readonly event: string; readonly data: unknown; readonly requestId: string }
  | { readonly event: "failed"; readonly problem: Problem };

/** The events of a streamed answer; `failed` last when the stream did not come or was cut, none when `signal` was aborted. */
async function* streamed(
  path: string,
  body: unknown,
  caller: Caller,
  signal: AbortSignal,
  last: (event: string) => boolean,
): AsyncGenerator<StreamEvent> {
  let requestId = "";
  try {
    const response = await fetch(`${caller.base ?? ""}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headersOf(caller) },
      body: JSON.stringify(body),
      signal,
    });
    requestId = response.headers.get("x-request-id") ?? "";
    if (!response.ok || !response.body) {
      yield { event: "failed", problem: await problemOf(response) };
      return;
    }
    for await (const { event, data } of readEvents(response.body)) {
      const parsed: unknown = JSON.parse(data);
      yield { event, data: parsed, requestId };
      if (last(event)) return;
    }
    if (!signal.aborted) yield { event: "failed", problem: local("interrupted", requestId) };
  } catch {
    if (!signal.aborted) {
      yield { event: "failed", problem: local(requestId ? "interrupted" : "offline", requestId) };
    }
  }
}

/**
 * Asks, streamed. Ends with exactly one `done` or `error`, except when `signal` was aborted: then it just ends.
 * Never throws.
 */
export async function* ask(
  request: AskRequest,
  caller: Caller,
  signal: AbortSignal,
): AsyncGenerator<AskEvent> {
  const body = {
    question: request.question,
    stream: true,
    ...(request.model ? { model: request.model } : {}),
    ...(request.history.length > 0 ? { history: request.history } : {}),
    ...(request.fresh ? { cache: "bypass" } : {}),
  };
  for await (const told of streamed("/v1/ask", body, caller, signal, endsAnswer)) {
    const read =
      "problem" in told
        ? ({ type: "error", problem: told.problem } as const)
        : toEvent(told.event, told.data, told.requestId);
    if (read) yield read;
  }
}

/**
 * Puts a question to several models, streamed: each event with its model, or undefined for all of them (the whole comparison
 * failed). Each model ends with one `done` or `error`, unless `signal` was aborted. Never throws.
 */
export async function* compare(
  request: { readonly question: string; readonly models: readonly string[] },
  caller: Caller,
  signal: AbortSignal,
): AsyncGenerator<{ readonly model: string | undefined; readonly event: AskEvent }> {
  const body = { ...request, stream: true };
  for await (const told of streamed("/v1/compare", body, caller, signal, (event) => event === "end")) {
    if ("problem" in told) {
      yield { model: undefined, event: { type: "error", problem: told.problem } };
      continue;
    }
    const { model, data } = readCompared(told.event, told.data);
    const event = toEvent(told.event, data, told.requestId);
    if (event) yield { model, event };
  }
}

function endsAnswer(event: string): boolean {
  return event === "done" || event === "error";
}

function toEvent(event: string, data: unknown, requestId: string): AskEvent | undefined {
  switch (event) {
    case "evidence":
      return { type: "evidence", citations: readCitations(data) };
    case "delta":
      return { type: "delta", text: readDelta(data) };
    case "retract":
      return { type: "retract", from: readRetraction(data) };
    case "done":
      return { type: "done", answer: readAnswer(data) };
    case "error":
      return { type: "error", problem: readProblem(data, 0, requestId, 0) };
    default:
      return undefined;
  }
}
