import { request, requestStream } from "../shared/http.ts";
import { QuaysideError, type ErrorCode } from "../shared/ports/errors.ts";
import type { Host } from "../shared/ports/host.ts";
import { readEvents } from "../shared/sse.ts";

/** The Worker's public API as a caller uses it, for the commands that ask. */
export interface WorkerClient {
  get(path: string, signal: AbortSignal): Promise<unknown>;
  post(path: string, body: unknown, signal: AbortSignal): Promise<unknown>;
  remove(path: string, signal: AbortSignal): Promise<void>;
  /** Server-sent events of a request, with their data parsed. Throws the problem of an `error` event. */
  events(
    path: string,
    body: unknown,
    signal: AbortSignal,
  ): AsyncIterable<{ readonly name: string; readonly data: unknown }>;
}

export interface WorkerClientOptions {
  /** Without a trailing slash. */
  readonly url: string;
  readonly token: string | undefined;
  /** Demo user to act as. */
  readonly as: string | undefined;
  readonly host: Host;
}

const MAX_STREAM_BYTES = 16 * 1024 * 1024;
const DEADLINE_MS = 90_000;

/** @throws QuaysideError from every method: the code of the problem document, or `registry_unavailable` when nothing answers. */
export function makeWorkerClient(options: WorkerClientOptions): WorkerClient {
  const { url, host } = options;
  const headers: Record<string, string> = {};
  if (options.as !== undefined) headers["x-quayside-demo-user"] = options.as;
  else if (options.token !== undefined) headers["authorization"] = `Bearer ${options.token}`;
  const json = { ...headers, "content-type": "application/json" };
  const shared = {
    peer: `The worker at ${url}`,
    codes: { unavailable: "registry_unavailable", rejected: "registry_unavailable" } as const,
    failure: (_status: number, body: string) => problemOf(body),
  };
  const send = (path: string, init: RequestInit, signal: AbortSignal): Promise<Response> =>
    request(host, url + path, { ...init, signal }, { ...shared, deadlineMs: DEADLINE_MS });
  const call = async (path: string, init: RequestInit, signal: AbortSignal): Promise<unknown> =>
    (await send(path, init, signal)).json();
  return {
    get: (path, signal) => call(path, { headers }, signal),
    post: (path, body, signal) =>
      call(path, { method: "POST", headers: json, body: JSON.stringify(body) }, signal),
    remove: async (path, signal) => void (await send(path, { method: "DELETE", headers }, signal)),
    async *events(path, body, signal) {
      const input = { method: "POST", headers: json, body: JSON.stringify(body), signal };
      const response = await requestStream(host, url + path, input, shared);
      if (!response.body) return;
      for await (const events of readEvents(response.body, MAX_STREAM_BYTES, signal)) {
        for (const event of events) {
          const data: unknown = JSON.parse(event.data);
          if (event.name === "error") throw problemOf(event.data) ?? broken();
          yield { name: event.name ?? "message", data };
        }
      }
    },
  };
}

function broken(): QuaysideError {
  return new QuaysideError("provider_stream_interrupted", "The answer broke off.");
}

/** The error that a problem document tells of; undefined when the text is none. */
export function problemOf(body: string): QuaysideError | undefined {
  try {
    const problem: unknown = JSON.parse(body);
    const code = field(problem, "code");
    const detail = field(problem, "detail");
    if (typeof code !== "string" || typeof detail !== "string") return undefined;
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the Worker sends its own codes
    return new QuaysideError(code as ErrorCode, [detail, ...mistakes(problem)].join("\n"));
  } catch {
    return undefined;
  }
}

/** What a problem document says of each part of the body, as lines. */
function mistakes(problem: unknown): string[] {
  return list(problem, "errors").map((error) => `  ${text(error, "pointer")}: ${text(error, "rule")}`);
}

/** A property of anything. */
export function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

/** The items of a property that holds a list; none when it does not. */
export function list(value: unknown, name: string): readonly unknown[] {
  const found = field(value, name);
  return Array.isArray(found) ? found : [];
}

/** A property as text; "" when it is no string or number. */
export function text(value: unknown, name: string): string {
  const found = field(value, name);
  return typeof found === "string" || typeof found === "number" ? String(found) : "";
}
