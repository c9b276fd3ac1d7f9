import type { OpenCircuit, Spent } from "./api-answers.ts";

/**
 * Models that one isolate found failing, for all others of the tenant. Whoever asks first after the wait is let through as the
 * probe, and nobody else for as long again; two calls that come to an answer after the wait close the circuit. The ledger keeps
 * them, in memory, and an answer that has to ask it anyway asks it; for those that need not, each isolate keeps what the ledger
 * has told it with its last answer's account. An object that starts anew has forgotten them, and an isolate finds it out again.
 */
export interface Circuits {
  /** Which of these models are left alone; the call named is the probe of any whose wait is over. */
  open(id: string, models: readonly string[]): readonly OpenCircuit[];
  /** A call has ended. @param opened models whose circuit its isolate has opened. */
  ended(id: string, spent: readonly Spent[], opened: readonly string[]): void;
  /** All that are not closed, those whose wait is over too. */
  told(): readonly OpenCircuit[];
  /** What the ledger has told: all others are closed. */
  learn(told: readonly OpenCircuit[]): void;
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
        const answered = spent.some((one) => one.model === model);
        // One that was let through elsewhere.
        const other = probe === undefined && answered && until <= now();
        if (probe !== id && !other) continue;
        const inRow = answered ? good + 1 : 0;
        if (inRow >= PROBES_TO_CLOSE) circuits.delete(model);
        else circuits.set(model, { until, probe: undefined, good: inRow });
      }
      for (const model of opened) {
        circuits.set(model, { until: now() + PROBE_EVERY_MS, probe: undefined, good: 0 });
      }
    },
    told: () => [...circuits].map(([model, { until }]) => [model, Math.max(0, until - now())]),
    learn(told) {
      const waits = new Map(told);
      for (const model of circuits.keys()) if (!waits.has(model)) circuits.delete(model);
      for (const [model, waitMs] of waits) {
        const { until = 0, probe, good = 0 }: Partial<Circuit> = circuits.get(model) ?? {};
        // Its own probe may be under way.
        circuits.set(model, { until: Math.max(until, now() + waitMs), probe, good });
      }
    },
  };
}

/** Those of each tenant, made on first use. */
export function circuitsByTenant(now: () => number): (tenant: string) => Circuits {
  const all = new Map<string, Circuits>();
  return (tenant) => {
    const circuits = all.get(tenant) ?? makeCircuits(now);
    all.set(tenant, circuits);
    return circuits;
  };
}
