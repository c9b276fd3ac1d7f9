import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { CallRequest, CallStart, OpenCircuit, Settlement, Telling } from "./api-answers.ts";
import { makeCircuits } from "./circuits.ts";
import { holdBudget, resetAt, settleBudget, type Held } from "./ledger-budgets.ts";

/**
 * Answers under way in one tenant, before and after their model is asked. One call says who may ask one, within which budget,
 * and who listens to another that is already being written from the same rows for the same question.
 */
export interface Calls {
  /** @throws QuaysideError `budget_exhausted` with the time until it is there again. */
  start(request: CallRequest, telling: Telling | undefined): Promise<CallStart>;
  /** Call within a transaction. */
  settle(settled: readonly Settlement[]): void;
  /** See `circuits.ts`. */
  circuits(): readonly OpenCircuit[];
}

export interface CallsDeps {
  readonly sql: SqlStorage;
  /** All or nothing. */
  readonly change: <T>(change: () => T) => T;
  readonly budgets: () => Config["budgets"];
  readonly now: () => number;
}

/** How long an answer waits for money that others hold and may give back. */
const MAX_WAIT_MS = 10_000;
/** A leader that does not answer within this is taken for gone. */
const JOIN_TIMEOUT_MS = 500;
/** A leader that is this old has ended, however it ended. */
const MAX_FLIGHT_MS = 120_000;

interface Flight {
  readonly id: string;
  readonly telling: Telling;
  readonly since: number;
}

export function makeCalls(deps: CallsDeps): Calls {
  const flights = new Map<string, Flight>();
  const lines = new Map<string, (() => void)[]>();
  const circuits = makeCircuits(deps.now);

  const forget = (key: string, flight: Flight): void => {
    if (flights.get(key) === flight) flights.delete(key);
    dispose(flight.telling);
  };

  const flightOf = ({ id, flight }: CallRequest): Flight | undefined => {
    const found = flight === undefined ? undefined : flights.get(flight);
    return found?.id === id ? undefined : found;
  };

  const join = async (key: string, flight: Flight): Promise<ReadableStream<Uint8Array> | undefined> => {
    try {
      if (deps.now() - flight.since < MAX_FLIGHT_MS) return await soon(flight.telling());
    } catch {
      // It has ended, or its isolate is gone: whoever asks now begins anew.
    }
    forget(key, flight);
    return undefined;
  };

  /** One by one in the order of arrival: whoever gets what it waits for, or gives up, lets the next one try. */
  const wake = (scope: string): void => lines.get(scope)?.shift()?.();
  const wait = (scope: string, front: boolean, untilMs: number): Promise<void> =>
    new Promise((resolve) => {
      const line = lines.get(scope) ?? [];
      lines.set(scope, line);
      const timer = setTimeout(() => {
        const at = line.indexOf(turn);
        if (at >= 0) line.splice(at, 1);
        resolve();
      }, untilMs);
      const turn = (): void => {
        clearTimeout(timer);
        resolve();
      };
      if (front) line.unshift(turn);
      else line.push(turn);
    });

  return {
    circuits: () => circuits.told(),
    async start(request, telling) {
      const deadline = deps.now() + MAX_WAIT_MS;
      let waitedFor: string | undefined;
      try {
        for (;;) {
          const flight = flightOf(request);
          if (flight && request.flight !== undefined) {
            const events = await join(request.flight, flight);
            if (events) return { type: "follow", events };
            continue;
          }
          const budgets = deps.budgets();
          const hold = (): Held => holdBudget(deps.sql, budgets, request, deps.now());
          const held = budgets ? deps.change(hold) : hold();
          if (held.type === "granted") {
            if (request.flight !== undefined && telling) {
              flights.set(request.flight, { id: request.id, telling: kept(telling), since: deps.now() });
            }
            const open = circuits.open(request.id, held.models);
            return { type: "lead", models: held.models, ...(open.length > 0 ? { open } : {}) };
          }
          const leftMs = deadline - deps.now();
          if (held.type === "spent") throw spent(held.scope, resetAt(deps.now()), deps.now());
          if (leftMs <= 0) throw full(held.scope);
          const front = waitedFor === held.scope;
          if (waitedFor !== undefined && !front) wake(waitedFor);
          waitedFor = held.scope;
          await wait(held.scope, front, leftMs);
        }
      } finally {
        if (waitedFor !== undefined) wake(waitedFor);
      }
    },
    settle(settled) {
      const budgets = deps.budgets();
      for (const settlement of settled) {
        circuits.ended(settlement.id, settlement.spent, settlement.opened ?? []);
        settleBudget(deps.sql, budgets, settlement, deps.now());
      }
      const ended = new Set(settled.map(({ id }) => id));
      for (const [key, flight] of flights) if (ended.has(flight.id)) forget(key, flight);
      for (const scope of lines.keys()) for (const _ of settled) wake(scope);
    },
  };
}

function spent(scope: string, resetsAt: number, now: number): QuaysideError {
  const again = new Date(resetsAt).toISOString();
  const message = `The day's budget is used up (${whose(scope)}); it begins anew at ${again}.`;
  return new QuaysideError("budget_exhausted", message, { retryAfterMs: resetsAt - now });
}

/** Others still hold what is left, and may give some of it back. */
function full(scope: string): QuaysideError {
  const message = `What is left of the day's budget is held for answers under way (${whose(scope)}).`;
  return new QuaysideError("budget_exhausted", message, { retryAfterMs: 1000 });
}

/** Which budget, without a name: `tenant`, `group`, `model`. */
function whose(scope: string): string {
  return scope.startsWith("principal:") ? "your own" : (scope.split(":")[0] ?? "");
}

/** What an RPC lends ends with the call, unless it is kept. */
function kept(telling: Telling): Telling {
  const lent: Telling & { readonly dup?: () => Telling } = telling;
  return lent.dup?.() ?? telling;
}

function dispose(telling: Telling): void {
  const lent: Telling & Partial<Disposable> = telling;
  lent[Symbol.dispose]?.();
}

async function soon<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), JOIN_TIMEOUT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
