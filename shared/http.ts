import { deadlineSignal, onAbort } from "./deadline.ts";
import type { BufferPool } from "./buffers.ts";
import { QuaysideError, type ErrorCode } from "./ports/errors.ts";
import type { Host } from "./ports/host.ts";

/**
 * Every call to the outside over HTTP ends here, an SDK's included (it is given a `fetch` made of these; see `failureIn`):
 * deadline, cancellation, retries, no redirects, a cap on what is read, statuses turned into `QuaysideError`. Text of the
 * other side never reaches a message; it is kept in `cause`.
 */

/** Which codes a caller's failures have: an embedder's differ from a provider's or an index's. */
export interface FailureCodes {
  /** Not reachable, 408, 5xx (529 too), or a body that broke off. Worth another try. */
  readonly unavailable: ErrorCode;
  /** 3xx and other 4xx: our request, key or base URL. Another try would fail alike. */
  readonly rejected: ErrorCode;
  /** No response at all: no such name, no connection, no TLS; default `unavailable`. */
  readonly unreachable?: ErrorCode;
  /** 3xx, 401, 402, 403, 404: key, account, name or base URL; default `rejected`. */
  readonly misconfigured?: ErrorCode;
  /** 413; default `rejected`. */
  readonly tooLarge?: ErrorCode;
  /** A body larger than `maxBytes`; default `unavailable`. */
  readonly badResponse?: ErrorCode;
}

export interface StreamOptions {
  /** The other side as a message may name it, capitalised, e.g. `"The OpenAI API"`. */
  readonly peer: string;
  readonly codes: FailureCodes;
  /**
   * A closer reading of an error status, for a peer whose bodies say more than their status; it is final (not retried).
   * Undefined keeps the default. `body` is at most 64 KiB of text, possibly not JSON.
   */
  readonly failure?: (status: number, body: string, headers: Headers) => QuaysideError | undefined;
  /** How long the body of a 429 asks to wait, in milliseconds, for a peer that sends no Retry-After; undefined when it does not. */
  readonly waitMs?: (body: string) => number | undefined;
}

export interface RequestOptions extends StreamOptions {
  /** For the whole call, waits and retries included, in milliseconds; default 30,000. */
  readonly deadlineMs?: number;
  /** How often to try again; default 0. Only for calls that may be repeated without a second effect. */
  readonly retries?: number;
  /** Whether a 429 that says how long to wait is thrown at once, for a caller who makes all its calls wait. */
  readonly throwLimits?: boolean;
  /** Most bytes of a body that are read, after content decoding; default 8 MiB. */
  readonly maxBytes?: number;
  /** Where the memory for `WholeAnswer.bytes` comes from; whoever read them gives it back. Default: new memory for each. */
  readonly buffers?: BufferPool;
  /** 0 to 1, for the jitter; default `Math.random`. */
  readonly random?: () => number;
  /** Waits, and rejects once the signal aborts; default: a timer. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface RequestInput extends Omit<RequestInit, "signal" | "redirect"> {
  readonly signal: AbortSignal;
}

/** The part of `Host` that a call needs. */
export type Outward = Pick<Host, "fetch" | "now" | "log">;

const DEFAULT_DEADLINE_MS = 30_000;
const DEFAULT_MAX_BYTES = 8 * 1024 * 1024;
const ERROR_BODY_BYTES = 64 * 1024;
const RETRY_BASE_MS = 200;
const RETRY_CAP_MS = 2000;

/** A 2xx answer, read to its end. */
export interface WholeAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** `again`: another attempt may succeed. */
interface Failed {
  readonly failure: QuaysideError;
  readonly again: boolean;
}

type Outcome<T> = Failed | { readonly response: T };

/**
 * Calls and reads the whole body, so that a body that breaks off is tried again like any other failure.
 * @returns a 2xx response whose body is in memory.
 * @throws QuaysideError `codes.*`, `rate_limited` (with `retryAfterMs` when the peer said), `deadline_exceeded`, `cancelled`.
 */
export async function request(
  host: Outward,
  url: string | URL | Request,
  input: RequestInput,
  options: RequestOptions,
): Promise<Response> {
  return whole(await requestBytes(host, url, input, options));
}

/** What was read as the Response that an SDK reads. Its text comes from memory: from a body it would cost a turn of the runtime's loop. */
export function whole({ status, headers, bytes }: WholeAnswer): Response {
  const empty = status === 204 || status === 205;
  const response = new Response(empty ? null : bytes, { status, headers });
  response.text = async () => new TextDecoder().decode(bytes);
  response.json = async () => JSON.parse(await response.text());
  return response;
}

/** `request` for whoever reads the bytes: a Response would copy them. @throws as `request`. */
export async function requestBytes(
  host: Outward,
  url: string | URL | Request,
  input: RequestInput,
  options: RequestOptions,
): Promise<WholeAnswer> {
  const deadlineMs = options.deadlineMs ?? DEFAULT_DEADLINE_MS;
  const endsAt = host.now() + deadlineMs;
  const deadline = deadlineSignal(input.signal, deadlineMs);
  try {
    for (let attempt = 0; ; attempt++) {
      const outcome = await attemptWhole(host, url, { ...input, signal: deadline.signal }, options);
      if ("response" in outcome) return outcome.response;
      const { failure } = outcome;
      const waitMs = failure.retryAfterMs ?? backoff(attempt, options.random ?? Math.random);
      const told = failure.code === "rate_limited" && failure.retryAfterMs !== undefined;
      const again = outcome.again && !(told && options.throwLimits === true);
      const more = again && attempt < (options.retries ?? 0) && host.now() + waitMs < endsAt;
      if (!more) throw failure;
      host.log({ level: "warn", event: "http-retried", code: failure.code, attempt: attempt + 1, waitMs });
      await (options.sleep ?? sleep)(waitMs, deadline.signal);
    }
  } finally {
    deadline.clear();
  }
}

/**
 * Calls and returns as soon as the headers are there, body unread. Never retries: whoever streams decides that, and only
 * before the first event. The caller bounds the body's time through `signal`, and its size while reading.
 * @throws as `request`.
 */
export async function requestStream(
  host: Outward,
  url: string | URL | Request,
  input: RequestInput,
  options: StreamOptions,
): Promise<Response> {
  const outcome = await attemptHeaders(host, url, input, options);
  if ("failure" in outcome) throw outcome.failure;
  return outcome.response;
}

/**
 * What an aborted signal means: its reason when that is a QuaysideError already, `deadline_exceeded` when a timeout fired,
 * else `cancelled`.
 */
export function aborted(signal: AbortSignal): QuaysideError {
  const cause: unknown = signal.reason;
  if (cause instanceof QuaysideError) return cause;
  return cause instanceof Error && cause.name === "TimeoutError"
    ? new QuaysideError("deadline_exceeded", "The call took longer than its deadline.", { cause })
    : new QuaysideError("cancelled", "The call was cancelled.", { cause });
}

/** What an SDK passes to its `fetch`, as input of these functions. */
export function sdkInput(init: RequestInit | undefined): RequestInput {
  return { ...init, signal: init?.signal ?? new AbortController().signal };
}

/** The failure that a `fetch` made of these functions threw, out of the errors that an SDK wrapped around it. */
export function failureIn(error: unknown): QuaysideError | undefined {
  let inner = error;
  for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
    if (inner instanceof QuaysideError) return inner;
    inner = inner.cause;
  }
  return undefined;
}

/**
 * How long a response asks to wait, in milliseconds: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
 * Undefined when absent, negative or unreadable.
 */
export function retryAfter(headers: Headers, now: number): number | undefined {
  const number = /^\d+(\.\d+)?$/;
  const ms = headers.get("retry-after-ms")?.trim() ?? "";
  if (number.test(ms)) return Math.ceil(Number(ms));
  const after = headers.get("retry-after")?.trim() ?? "";
  if (number.test(after)) return Math.ceil(Number(after) * 1000);
  // A date names its day: without this, "-5" is a date to Date.parse.
  const date = /^[A-Za-z]{3}/.test(after) ? Date.parse(after) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Scheme, host, perhaps a port, and a path in printable ASCII without a backslash. */
const PLAIN_URL = /^https?:\/\/[A-Za-z0-9.-]+(:\d{1,5})?([/?][!-[\]-~]*)?$/;

/**
 * The origin of an address that somebody else sent; undefined for one that is not written plainly. Parsers differ on blanks,
 * backslashes, names before an @ and letters beyond ASCII: where they do, nothing is fetched.
 */
export function plainOrigin(url: string): string | undefined {
  return PLAIN_URL.test(url) ? URL.parse(url)?.origin : undefined;
}

/** Waits. @throws QuaysideError `cancelled` or `deadline_exceeded` once the signal aborts. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw aborted(signal);
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      goOn();
      resolve();
    }, ms);
    const goOn = onAbort(signal, () => {
      clearTimeout(timer);
      reject(aborted(signal));
    });
  });
}

/** Full jitter: anything up to the doubled wait, so that callers that failed together don't return together. */
function backoff(attempt: number, random: () => number): number {
  return Math.round(random() * Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** attempt));
}

async function attemptWhole(
  host: Outward,
  url: string | URL | Request,
  input: RequestInput,
  options: RequestOptions,
): Promise<Outcome<WholeAnswer>> {
  const outcome = await attemptHeaders(host, url, input, options);
  if ("failure" in outcome) return outcome;
  const { status, headers } = outcome.response;
  const max = options.maxBytes ?? DEFAULT_MAX_BYTES;
  try {
    const body = await readUpTo(outcome.response, max, options.buffers);
    if (body.truncated) {
      const code = options.codes.badResponse ?? options.codes.unavailable;
      const failure = new QuaysideError(code, `${options.peer} sent more than ${max} bytes.`);
      return { failure, again: false };
    }
    return { response: { status, headers, bytes: body.bytes } };
  } catch (cause) {
    if (input.signal.aborted) return { failure: aborted(input.signal), again: false };
    const message = `${options.peer} broke off in the middle of its answer.`;
    return { failure: new QuaysideError(options.codes.unavailable, message, { cause }), again: true };
  }
}

async function attemptHeaders(
  host: Outward,
  url: string | URL | Request,
  input: RequestInput,
  options: StreamOptions,
): Promise<Outcome<Response>> {
  const { signal } = input;
  if (signal.aborted) return { failure: aborted(signal), again: false };
  let response: Response;
  let body = "";
  try {
    response = await host.fetch(url, { ...input, redirect: "manual" });
  } catch (cause) {
    if (signal.aborted) return { failure: aborted(signal), again: false };
    const code = options.codes.unreachable ?? options.codes.unavailable;
    return { failure: new QuaysideError(code, `${options.peer} can't be reached.`, { cause }), again: true };
  }
  try {
    if (response.ok) return { response };
    body = new TextDecoder().decode((await readUpTo(response, ERROR_BODY_BYTES)).bytes);
  } catch (cause) {
    if (signal.aborted) return { failure: aborted(signal), again: false };
    const message = `${options.peer} broke off in the middle of its answer.`;
    return { failure: new QuaysideError(options.codes.unavailable, message, { cause }), again: true };
  }
  const own = options.failure?.(response.status, body, response.headers);
  return own ? { failure: own, again: false } : ofStatus(response, body, host.now(), options);
}

function ofStatus(response: Response, body: string, now: number, options: StreamOptions): Failed {
  const { peer, codes } = options;
  const { status } = response;
  const detail = { cause: { status, body }, retryAfterMs: retryAfter(response.headers, now) };
  if (status === 429) {
    const retryAfterMs = detail.retryAfterMs ?? options.waitMs?.(body);
    return {
      failure: new QuaysideError("rate_limited", `${peer} is limiting our calls.`, {
        ...detail,
        retryAfterMs,
      }),
      again: true,
    };
  }
  if (status === 408 || status >= 500) {
    const failure = new QuaysideError(codes.unavailable, `${peer} failed (status ${status}).`, detail);
    return { failure, again: status !== 501 };
  }
  return {
    failure: new QuaysideError(refusalCode(codes, status), rejection(peer, status), detail),
    again: false,
  };
}

function refusalCode(codes: FailureCodes, status: number): ErrorCode {
  if (status < 400 || status === 401 || status === 402 || status === 403 || status === 404) {
    return codes.misconfigured ?? codes.rejected;
  }
  return (status === 413 ? codes.tooLarge : undefined) ?? codes.rejected;
}

function rejection(peer: string, status: number): string {
  if (status < 400) return `${peer} redirects, which is not followed: check the base URL.`;
  if (status === 401 || status === 403) return `${peer} refused our key (status ${status}).`;
  if (status === 404)
    return `${peer} does not know what was asked for (status 404): check names and base URL.`;
  return `${peer} refused the request (status ${status}).`;
}

/** Reads a body, at most `max` bytes of it; the rest is cancelled, not read. */
async function readUpTo(
  response: Response,
  max: number,
  buffers?: BufferPool,
): Promise<{ readonly bytes: Uint8Array<ArrayBuffer>; readonly truncated: boolean }> {
  const announced = Math.max(0, Number(response.headers.get("content-length") ?? 0) || 0);
  // Announced to be small enough, and as it is: in one piece, since each piece costs a turn of the runtime's loop.
  if (!buffers && announced > 0 && announced <= max && !response.headers.has("content-encoding")) {
    const bytes = new Uint8Array(await response.arrayBuffer());
    return { bytes: bytes.subarray(0, max), truncated: bytes.byteLength > max };
  }
  const reader = response.body?.getReader();
  if (!reader) return { bytes: new Uint8Array(), truncated: false };
  // As long as the header says, or doubled as it fills: a list of chunks would hold a large body twice.
  const first = Math.min(announced, max);
  let bytes = buffers?.take(first) ?? new Uint8Array(first);
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const part = value.subarray(0, max - length);
    if (length + part.byteLength > bytes.byteLength) {
      const larger = new Uint8Array(Math.max(length + part.byteLength, Math.min(max, length * 2)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(part, length);
    length += part.byteLength;
    if (part.byteLength < value.byteLength) {
      // What cancelling a body that is too large answers is of no interest.
      reader.cancel().catch(() => undefined);
      return { bytes, truncated: true };
    }
  }
  return { bytes: bytes.subarray(0, length), truncated: false };
}
