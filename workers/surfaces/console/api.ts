import { readEvents } from "./sse.ts";
import {
  type Answer,
  type Citation,
  type Problem,
  readAnswer,
  readCitations,
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

/** GETs JSON; gives the problem instead of throwing. */
export async function get(
  path: string,
  caller: Caller,
): Promise<
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: Problem }
> {
  try {
    const response = await fetch(path, {
      headers: { accept: "application/json", ...headersOf(caller) },
      signal: AbortSignal.timeout(15_000),
    });
    if (!response.ok) return { ok: false, problem: await problemOf(response) };
    return { ok: true, value: await response.json() };
  } catch {
    return { ok: false, problem: local("offline") };
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
  let requestId = "";
  try {
    const response = await fetch(`${caller.base ?? ""}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream", ...headersOf(caller) },
      body: JSON.stringify({
        question: request.question,
        stream: true,
        ...(request.model ? { model: request.model } : {}),
        ...(request.history.length > 0 ? { history: request.history } : {}),
        ...(request.fresh ? { cache: "bypass" } : {}),
      }),
      signal,
    });
    requestId = response.headers.get("x-request-id") ?? "";
    if (!response.ok || !response.body) {
      yield { type: "error", problem: await problemOf(response) };
      return;
    }
    for await (const { event, data } of readEvents(response.body)) {
      const parsed: unknown = JSON.parse(data);
      const read = toEvent(event, parsed, requestId);
      if (!read) continue;
      yield read;
      if (read.type === "done" || read.type === "error") return;
    }
    if (!signal.aborted) yield { type: "error", problem: local("interrupted", requestId) };
  } catch {
    if (!signal.aborted) {
      yield { type: "error", problem: local(requestId ? "interrupted" : "offline", requestId) };
    }
  }
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
