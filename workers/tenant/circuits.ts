import type { OpenCircuit, Spent } from "./api-answers.ts";

/**
 * Models that one isolate found failing, for all others of the tenant: each asks the ledger before it calls a model anyway.
 * Whoever asks first after the wait is let through as the probe, and nobody else for as long again; two probes that come to an
 * answer close the circuit. Kept in memory: an object that starts anew has forgotten it, and an isolate finds it out again.
 */
export interface Circuits {
  /** Which of these models are left alone; the call named is the probe of any whose wait is over. */
  open(id: string, models: readonly string[]): readonly OpenCircuit[];
  /** A call has ended. @param opened models whose circuit its isolate has opened. */
  ended(id: string, spent: readonly Spent[], opened: readonly string[]): void;
}

/** As in `workers/answer/health.ts`. */
const PROBE_EVERY_MS = 30_000;
const PROBES_TO_CLOSE = 2;

interface Circuit {
  readonly until: number;
  /** The call that is let through. */
  readonly probe: string | undefined;
  readonly good: number;
}

/** @param now milliseconds since the epoch. */
export function makeCircuits(now: () => number): Circuits {
  const circuits = new Map<string, Circuit>();
  return {
    open(id, models) {
      if (circuits.size === 0) return [];
      const open: OpenCircuit[] = [];
      for (const [i, model] of models.entries()) {
        const circuit = circuits.get(model);
        const waitMs = circuit ? circuit.until - now() : 0;
        if (circuit && circuit.probe !== id && waitMs > 0) open.push([model, waitMs]);
        // One that only stands in for a model that may be asked is probably not asked: no probe of it.
        else if (circuit && open.length === i) {
          circuits.set(model, { ...circuit, until: now() + PROBE_EVERY_MS, probe: id });
        }
      }
      return open;
    },
    ended(id, spent, opened) {
      for (const [model, { until, probe, good }] of circuits) {
        if (probe !== id) continue;
        const answered = spent.some((one) => one.model === model) ? good + 1 : 0;
        if (answered >= PROBES_TO_CLOSE) circuits.delete(model);
        else circuits.set(model, { until, probe: undefined, good: answered });
      }
      for (const model of opened) {
        circuits.set(model, { until: now() + PROBE_EVERY_MS, probe: undefined, good: 0 });
      }
    },
  };
}
