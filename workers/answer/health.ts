/**
 * How models have fared lately, as this isolate saw it (what others found out comes from the ledger, with the leave to call): whether to call one at all (circuit breaker) and whether a second try is
 * worth it (retry budget). A request's dealings with a model count once: a second try that succeeds is a success.
 */

/** Failures in a row that open a circuit. */
const IN_ROW = 5;
/** Or this share of at least so many requests in the window. */
const SHARE = 0.5;
const FEWEST = 10;
const WINDOW_MS = 30_000;
/** While a circuit is open, one probe in this time. */
const PROBE_EVERY_MS = 30_000;
const PROBES_TO_CLOSE = 2;
/**
 * Retry budget, as gRPC's retry throttling (gRFC A6): a failed call takes one, a good one gives one back, a second try needs more
 * than half. A model that is down altogether soon gets no second tries, one that fails now and then always does.
 */
const BUDGET = 10;
/** Outcomes remembered of one model. */
const MOST_RECENT = 200;

export type Gate = "closed" | "probe" | "open";

export interface ModelHealth {
  /** Whether a model may be called now: `probe` is one call without a second try. Asking takes the probe. */
  gate(model: string): Gate;
  /** Whether the budget allows a second try. */
  mayRetry(model: string): boolean;
  /** One call's outcome, for the budget. */
  called(model: string, ok: boolean): void;
  /** What became of one request's dealings with a model, for the circuit. @returns whether this opened the circuit. */
  ended(model: string, ok: boolean): boolean;
  /** Milliseconds until the next probe of a model whose circuit is open; 0 when it is closed. */
  waitMs(model: string): number;
}

interface State {
  budget: number;
  inRow: number;
  recent: { readonly at: number; readonly ok: boolean }[];
  /** When the next probe may be made; undefined while the circuit is closed. */
  probeAt: number | undefined;
  goodProbes: number;
}

/** @param now milliseconds since the epoch. */
export function makeModelHealth(now: () => number): ModelHealth {
  // Keyed by registered model ids only, so it stays as small as the register.
  const states = new Map<string, State>();
  const of = (model: string): State => {
    const known = states.get(model);
    if (known) return known;
    const state: State = { budget: BUDGET, inRow: 0, recent: [], probeAt: undefined, goodProbes: 0 };
    states.set(model, state);
    return state;
  };

  const open = (state: State, until: number): void => {
    state.probeAt = until;
    state.goodProbes = 0;
    state.inRow = 0;
    state.recent = [];
  };

  return {
    gate(model) {
      const state = of(model);
      if (state.probeAt === undefined) return "closed";
      if (now() < state.probeAt) return "open";
      state.probeAt = now() + PROBE_EVERY_MS;
      return "probe";
    },
    mayRetry(model) {
      const state = of(model);
      return state.probeAt === undefined && state.budget > BUDGET / 2;
    },
    called(model, ok) {
      const state = of(model);
      state.budget = Math.max(0, Math.min(BUDGET, state.budget + (ok ? 1 : -1)));
    },
    ended(model, ok) {
      const state = of(model);
      const at = now();
      if (state.probeAt !== undefined) {
        state.goodProbes = ok ? state.goodProbes + 1 : 0;
        if (state.goodProbes >= PROBES_TO_CLOSE) {
          state.probeAt = undefined;
          state.budget = BUDGET;
        }
        return false;
      }
      state.inRow = ok ? 0 : state.inRow + 1;
      state.recent = [...state.recent.filter((one) => at - one.at < WINDOW_MS), { at, ok }].slice(
        -MOST_RECENT,
      );
      const failures = state.recent.filter((one) => !one.ok).length;
      const often = state.recent.length >= FEWEST && failures >= state.recent.length * SHARE;
      if (ok || (state.inRow < IN_ROW && !often)) return false;
      open(state, at + PROBE_EVERY_MS);
      return true;
    },
    waitMs(model) {
      const { probeAt } = of(model);
      return probeAt === undefined ? 0 : Math.max(0, probeAt - now());
    },
  };
}
