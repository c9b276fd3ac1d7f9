import { aborted } from "./http.ts";
import { QuaysideError, type ErrorCode } from "./ports/errors.ts";

/**
 * Calls something that the platform binds to the Worker: it takes no signal and throws errors of its own, so the caller stops
 * waiting and the call runs out by itself.
 * @throws QuaysideError `unavailable` for whatever the binding throws, `deadline_exceeded`, `cancelled`.
 */
export async function callBinding<T>(
  work: () => Promise<T>,
  options: { readonly peer: string; readonly unavailable: ErrorCode; readonly deadlineMs: number },
  outer: AbortSignal,
): Promise<T> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(options.deadlineMs)]);
  if (signal.aborted) throw aborted(signal);
  let stop: (() => void) | undefined;
  const left = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(signal));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(), left]);
  } catch (cause) {
    if (cause instanceof QuaysideError) throw cause;
    throw new QuaysideError(options.unavailable, `${options.peer} failed.`, { cause });
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}
