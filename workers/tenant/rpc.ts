import { QuaysideError, type ErrorCode } from "../../shared/ports/errors.ts";

/**
 * Errors between the Worker and its Durable Objects. Only an error's message crosses RPC, so a coded one travels as
 * `quayside:<code>[@<retryAfterMs>]:<text>`. Anything else that comes across is the platform's: an object that restarts, is
 * overloaded or can't be reached.
 */

const CODED = /^quayside:([a-z_]+)(?:@(\d+))?:([\s\S]*)$/;
const OVERLOADED_WAIT_MS = 2000;
const UNAVAILABLE_WAIT_MS = 500;

/** What a Durable Object throws in place of `error`. */
export function encodeError(error: unknown): unknown {
  if (!(error instanceof QuaysideError)) return error;
  const wait = error.retryAfterMs === undefined ? "" : `@${Math.ceil(error.retryAfterMs)}`;
  return new Error(`quayside:${error.code}${wait}:${error.message}`);
}

/** Inverse of `encodeError`; a platform failure becomes `unavailable` with a wait. */
export function decodeError(
  error: unknown,
  unavailable: "registry_unavailable" | "index_unavailable",
): QuaysideError {
  if (error instanceof QuaysideError) return error;
  const match = error instanceof Error ? CODED.exec(error.message) : null;
  if (match) {
    const retryAfterMs = match[2] === undefined ? undefined : Number(match[2]);
    return new QuaysideError(codeOf(match[1]), match[3] ?? "", { retryAfterMs });
  }
  const what = unavailable === "index_unavailable" ? "The index" : "The row registry";
  return new QuaysideError(unavailable, `${what} does not answer now.`, {
    cause: error,
    retryAfterMs: flag(error, "overloaded") ? OVERLOADED_WAIT_MS : UNAVAILABLE_WAIT_MS,
  });
}

/** Runs one method of a Durable Object, so that its failures can cross RPC. */
export async function coded<T>(method: () => T | Promise<T>): Promise<T> {
  try {
    return await method();
  } catch (error) {
    throw encodeError(error);
  }
}

/**
 * A Durable Object as plain methods: failures come back as QuaysideError. A call that the platform calls retryable is made
 * once more on a new stub (a stub that has failed stays broken); every method is idempotent, so the second can do no harm.
 * @param stub makes a stub; called for each call, opens nothing.
 */
export function overRpc<Api extends object>(
  stub: () => { readonly [Method in keyof Api]: unknown },
  unavailable: "registry_unavailable" | "index_unavailable",
): Api {
  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    for (let attempt = 0; ; attempt++) {
      try {
        const target: object = stub();
        // Not `method.apply`: on a stub that would be a call to a remote property of that name.
        const method: (...args: unknown[]) => Promise<unknown> = Reflect.get(target, name);
        return await Reflect.apply(method, target, args);
      } catch (error) {
        const again = attempt === 0 && flag(error, "retryable") && !flag(error, "overloaded");
        if (!again) throw decodeError(error, unavailable);
      }
    }
  };
  const none: Api = Object.create(null);
  return new Proxy(none, {
    // An awaited proxy is asked for `then`, which no object offers.
    get: (_, name) =>
      typeof name === "string" && name !== "then"
        ? (...args: readonly unknown[]) => call(name, args)
        : undefined,
  });
}

/** The prefix is only ever written by encodeError, from the same build's codes. */
function codeOf(text: string | undefined): ErrorCode {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- see above: a list to check against would be a second one to keep
  return text as ErrorCode;
}

/** Platform errors carry `retryable` and `overloaded`: Cloudflare Durable Objects, "Error handling". */
function flag(error: unknown, name: "retryable" | "overloaded"): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, name) === true;
}
