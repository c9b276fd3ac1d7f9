/** Signals that end work: whoever waits is told, and told in time. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `stop` once when the signal aborts; never for one that has aborted. One listener a signal, however many wait for it:
 * each costs the runtime as much as what is waited for.
 * @returns what takes `stop` back.
 */
export function onAbort(signal: AbortSignal, stop: () => void): () => void {
  const known = waiting.get(signal);
  const stops = known ?? new Set();
  if (!known) {
    waiting.set(signal, stops);
    signal.addEventListener("abort", () => stops.forEach((one) => one()), { once: true });
  }
  stops.add(stop);
  return () => void stops.delete(stop);
}

export interface Deadline {
  /** Aborts with the outer signal, with a TimeoutError once the time is up, and by `abort`. */
  readonly signal: AbortSignal;
  readonly abort: () => void;
  /** The call is over. */
  readonly clear: () => void;
}

/** Like AbortSignal.any with AbortSignal.timeout, but the timer goes when the call is over, and it costs a third. */
export function deadlineSignal(outer: AbortSignal, ms: number): Deadline {
  const controller = new AbortController();
  const stops = new Set<() => void>();
  waiting.set(controller.signal, stops);
  // Whoever waits is told here: nobody but us ends this signal, so that it needs no listener.
  const abort = (reason?: unknown): void => {
    if (controller.signal.aborted) return;
    controller.abort(reason);
    stops.forEach((stop) => stop());
  };
  const forward = (): void => abort(outer.reason);
  if (outer.aborted) forward();
  const release = onAbort(outer, forward);
  const timer = setTimeout(() => abort(new DOMException("deadline", "TimeoutError")), ms);
  const clear = (): void => {
    clearTimeout(timer);
    release();
  };
  return { signal: controller.signal, abort: () => abort(), clear };
}
