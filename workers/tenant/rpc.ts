import { makeMemo } from "../memo.ts";
import { QuaysideError, type ErrorCode, type Violation } from "../../shared/ports/errors.ts";

/**
 * Errors between the Worker and its Durable Objects. RPC carries an error's message only and logs every one that crosses as
 * uncaught, so our own failures travel as values: `coded` makes one inside the object, `overRpc` throws it again outside.
 * What is thrown across is the platform's: an object that restarts, is overloaded or can't be reached.
 */
interface Failure {
  readonly quaysideFailure: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly retryAfterMs: number | undefined;
    readonly violations: readonly Violation[];
  };
}

type Unavailable = "registry_unavailable" | "index_unavailable";

const OVERLOADED_WAIT_MS = 2000;
const UNAVAILABLE_WAIT_MS = 500;

/**
 * Runs one method of a Durable Object. A QuaysideError becomes a value that only `overRpc` reads: to every other caller the
 * method's type is right only while it does not fail, so objects are called through `overRpc` and nothing else.
 */
export async function coded<T>(method: () => T | Promise<T>): Promise<T> {
  try {
    return await method();
  } catch (error) {
    if (!(error instanceof QuaysideError)) throw error;
    const { code, message, retryAfterMs, violations } = error;
    const failure: Failure = { quaysideFailure: { code, message, retryAfterMs, violations } };
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- unwrapped by overRpc; see above
    return failure as T;
  }
}

/**
 * A Durable Object as plain methods that throw QuaysideError: its own, or `unavailable` with a wait for the platform's. A call
 * that the platform calls retryable is made once more on a new stub (a stub that has failed stays broken); every method is
 * idempotent, so the second can do no harm.
 * @param stub makes a stub; called for each call, opens nothing.
 */
export function overRpc<Api extends object>(
  stub: () => { readonly [Method in keyof Api]: unknown },
  unavailable: Unavailable,
): Api {
  const call = async (name: string, args: readonly unknown[]): Promise<unknown> => {
    for (let attempt = 0; ; attempt++) {
      const outcome = await once(stub(), name, args);
      if ("value" in outcome) return unwrap(outcome.value);
      const { error } = outcome;
      const again = attempt === 0 && flag(error, "retryable") && !flag(error, "overloaded");
      if (!again) throw platformFailure(error, unavailable);
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

/** Objects of a namespace by name, each through `overRpc`. Their ids open nothing and hold for ever: each is worked out once. */
export function objectsOf<Api extends object>(
  namespace: {
    idFromName(name: string): DurableObjectId;
    get(id: DurableObjectId): { readonly [Method in keyof Api]: unknown };
  },
  unavailable: Unavailable,
): (name: string) => Api {
  const ids = makeMemo<DurableObjectId>(() => 0, Number.POSITIVE_INFINITY);
  return (name) =>
    overRpc<Api>(
      () => namespace.get(ids.get(name) ?? ids.set(name, namespace.idFromName(name))),
      unavailable,
    );
}

async function once(
  target: object,
  name: string,
  args: readonly unknown[],
): Promise<{ readonly value: unknown } | { readonly error: unknown }> {
  try {
    // Not `method.apply`: on a stub that would be a call to a remote property of that name.
    const method: (...args: unknown[]) => Promise<unknown> = Reflect.get(target, name);
    return { value: await Reflect.apply(method, target, args) };
  } catch (error) {
    return { error };
  }
}

function unwrap(value: unknown): unknown {
  if (!isFailure(value)) return value;
  const { code, message, retryAfterMs, violations } = value.quaysideFailure;
  throw new QuaysideError(code, message, { retryAfterMs, violations });
}

function isFailure(value: unknown): value is Failure {
  return typeof value === "object" && value !== null && "quaysideFailure" in value;
}

function platformFailure(cause: unknown, unavailable: Unavailable): QuaysideError {
  const what = unavailable === "index_unavailable" ? "The index" : "The row registry";
  return new QuaysideError(unavailable, `${what} does not answer now.`, {
    cause,
    retryAfterMs: flag(cause, "overloaded") ? OVERLOADED_WAIT_MS : UNAVAILABLE_WAIT_MS,
  });
}

/** Platform errors carry `retryable` and `overloaded`: Cloudflare Durable Objects, "Error handling". */
function flag(error: unknown, name: "retryable" | "overloaded"): boolean {
  return typeof error === "object" && error !== null && Reflect.get(error, name) === true;
}
