import type * as z from "zod/mini";
import { aborted, request, type Outward } from "../../shared/http.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { TableRef } from "../../shared/ports/source.ts";

/** How the sources that are read by fetch call their warehouse: signed in, again when the token has ended, within deadlines. */
export interface Caller {
  /** @returns a 2xx response whose body is in memory. @throws QuaysideError as `Source`. */
  call(url: URL, input: CallInput, signal: AbortSignal): Promise<Response>;
}

export interface CallInput {
  readonly method: "GET" | "POST";
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Most bytes of the answer; default 8 MiB. */
  readonly maxBytes?: number;
  /** For the call with its retries, in milliseconds; default 120,000. */
  readonly deadlineMs?: number;
}

export interface CallerOptions {
  /** As a message names it, e.g. `"Snowflake"`. */
  readonly peer: string;
  /** Which settings hold the credentials, for messages. */
  readonly credentials: string;
  /** Headers that sign a call in; `renew` when those given before were refused. */
  authorize(signal: AbortSignal, renew: boolean): Promise<Readonly<Record<string, string>>>;
  /** The vendor's closer reading of an error; final. */
  failure?(status: number, body: string): QuaysideError | undefined;
  /** Whether an error says "too often" without saying 429. */
  throttled?(status: number, body: string): boolean;
  /** Changes the address of a second and later attempt. */
  retryUrl?(url: URL): URL;
}

const DEADLINE_MS = 120_000;
const RETRIES = 6;

export function makeCaller(host: Outward, options: CallerOptions): Caller {
  const { peer } = options;
  return {
    async call(url, input, signal) {
      for (const renew of [false, true]) {
        const headers: Record<string, string> = {
          accept: "application/json",
          "user-agent": "quayside",
          ...(await options.authorize(signal, renew)),
        };
        if (input.body !== undefined) headers["content-type"] = "application/json";
        let refused = false;
        try {
          const body = input.body === undefined ? {} : { body: JSON.stringify(input.body) };
          return await request(
            outward(host, url, options),
            url,
            { method: input.method, headers, ...body, signal },
            {
              peer,
              codes: {
                unavailable: "source_unavailable",
                rejected: "source_rejected",
                badResponse: "body_too_large",
              },
              deadlineMs: input.deadlineMs ?? DEADLINE_MS,
              retries: RETRIES,
              ...(input.maxBytes === undefined ? {} : { maxBytes: input.maxBytes }),
              failure(status, text) {
                refused = status === 401;
                if (!refused) return options.failure?.(status, text);
                const message = `${peer} refused our sign-in (status 401): check ${options.credentials}.`;
                return new QuaysideError("source_rejected", message, { cause: { status, body: text } });
              },
            },
          );
        } catch (error) {
          if (refused && !renew) continue;
          throw ofSource(error);
        }
      }
      // Not reached: the second turn returns or throws.
      throw new QuaysideError("internal", `Calling ${peer} ended without an answer.`);
    },
  };
}

/** The host's fetch, which knows this vendor's way of saying "too often" and "asked before". */
function outward(host: Outward, url: URL, options: CallerOptions): Outward {
  let attempt = 0;
  return {
    now: () => host.now(),
    log: (event) => host.log(event),
    async fetch(_, init) {
      attempt += 1;
      const address = attempt > 1 ? (options.retryUrl?.(url) ?? url) : url;
      const response = await host.fetch(address, init);
      if (response.ok || response.status === 429 || !options.throttled) return response;
      const body = (await response.text()).slice(0, 64 * 1024);
      const status = options.throttled(response.status, body) ? 429 : response.status;
      return new Response(body, {
        status,
        headers: { "retry-after": response.headers.get("retry-after") ?? "" },
      });
    },
  };
}

/**
 * Throttling that outlasted the retries, or more than may be read at once, is, to a source's caller, a source that can't be read
 * now.
 */
function ofSource(error: unknown): unknown {
  if (!(error instanceof QuaysideError)) return error;
  if (error.code === "body_too_large")
    return new QuaysideError("source_unavailable", error.message, { cause: error });
  if (error.code !== "rate_limited") return error;
  const { cause, retryAfterMs } = error;
  return new QuaysideError("source_unavailable", error.message, { cause, retryAfterMs });
}

/** Whether a call failed for an answer of more than `maxBytes`: fewer rows may do. */
export function isTooLarge(error: unknown): boolean {
  const cause = error instanceof QuaysideError ? error.cause : undefined;
  return cause instanceof QuaysideError && cause.code === "body_too_large";
}

/** The body of an answer, checked. @throws QuaysideError `source_unavailable`: a proxy's page, or an API that changed. */
export async function readJson<T>(response: Response, schema: z.ZodMiniType<T>, peer: string): Promise<T> {
  return checked(await response.text(), schema, peer);
}

/** JSON text, checked. @throws as `readJson`. */
export function checked<T>(text: string, schema: z.ZodMiniType<T>, peer: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new QuaysideError(
      "source_unavailable",
      `${peer} answered with something that is not JSON: check the base URL.`,
      {
        cause,
      },
    );
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new QuaysideError(
    "source_unavailable",
    `${peer} answered in a form that is not its API's: check the base URL.`,
    {
      cause: result.error,
    },
  );
}

/** Runs a step for a table, whose name goes into whatever fails. */
export async function forTable<T>(ref: TableRef, signal: AbortSignal, step: () => Promise<T>): Promise<T> {
  if (signal.aborted) throw aborted(signal);
  try {
    return await step();
  } catch (error) {
    if (!(error instanceof QuaysideError) || error.code === "cancelled") throw error;
    const { code, cause, retryAfterMs } = error;
    throw new QuaysideError(code, `Table ${nameOf(ref)}: ${error.message}`, { cause, retryAfterMs });
  }
}

/** A table as messages name it. */
export function nameOf(ref: TableRef): string {
  return ref.name === undefined ? "of a query" : `"${ref.name.join(".")}"`;
}

/** Settings, checked. @throws QuaysideError `config_invalid` that lists everything wrong. */
export function parseSettings<T>(kind: string, schema: z.ZodMiniType<T>, input: unknown): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const violations = parsed.error.issues.map((issue) => ({
    pointer: issue.path.join("."),
    rule: issue.message,
  }));
  const list = violations.map((v) => `${v.pointer || "settings"}: ${v.rule}`).join("; ");
  throw new QuaysideError("config_invalid", `A ${kind} source has wrong settings: ${list}.`, { violations });
}

/**
 * A base URL from a setting: https, or http on this machine, so that a token never crosses a network unencrypted.
 * @throws QuaysideError `config_invalid`.
 */
export function baseUrl(text: string, setting: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const local = url?.hostname === "localhost" || url?.hostname === "127.0.0.1" || url?.hostname === "[::1]";
  if (url?.protocol === "https:" || (url?.protocol === "http:" && local)) return url;
  throw new QuaysideError("config_invalid", `${setting} must be an https URL (http only for this machine).`);
}
