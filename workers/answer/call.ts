import { base64url } from "../../shared/ids.ts";
import type { Answer, AnswerEvent, Principal } from "../../shared/ports/answer.ts";
import type { LedgerApi } from "../tenant/api.ts";
import type { CallCost, CallRequest, CallStart, Spent } from "../tenant/api-answers.ts";
import type { Circuits } from "../tenant/circuits.ts";
import type { Aftermath } from "./aftermath.ts";
import {
  generate,
  outputLimit,
  spokenBy,
  type GenerateDeps,
  type GenerateEvent,
  type GenerateInput,
} from "./generate.ts";
import { within } from "./retrieve.ts";
import { affordable, modelConfig } from "./route.ts";
import { listen, makeTelling } from "./telling.ts";
import { mostInput, settleUsage, UNTOLD, type Settled } from "./usage.ts";

/**
 * One call to models: within the day's budgets, once for everybody who asks the same at the same time. The ledger is asked once
 * before it and told once after it; built-in answerers cost nothing and are asked without it.
 */
export interface ModelCall {
  /** No model is needed after all. */
  drop(): void;
  /**
   * The answer's events: as `write` makes them, or as somebody else's call tells them.
   * @throws QuaysideError `budget_exhausted`, and whatever `write` throws.
   */
  events(
    write: (generated: AsyncIterable<GenerateEvent>) => AsyncIterable<AnswerEvent>,
    retell: (answer: Answer) => Answer,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent>;
}

export interface CallDeps extends GenerateDeps {
  readonly calls: (tenant: string) => Pick<LedgerApi, "startCall">;
  readonly settle: Aftermath["settle"];
  /** What this isolate knows of models that others found failing; asked where the ledger is not. */
  readonly circuits: (tenant: string) => Circuits;
  /** Lets work go on after the answer's last byte. */
  readonly defer: (work: Promise<unknown>) => void;
}

/**
 * The call leaves within a few turns of the runtime's loop, often more than the next: so long what is told of the evidence waits,
 * and is made while the call is on its way. No model begins sooner.
 */
const LEAVE_MS = 2;

/** @param flight names the answer, when it may be shared: the key of the evidence cache. */
export function openCall(
  deps: CallDeps,
  principal: Principal,
  input: GenerateInput,
  flight: string | undefined,
): ModelCall {
  const { builtIn } = deps.providers;
  const callable = input.route.candidates.flatMap(({ model, barred }) =>
    barred === undefined ? [model] : [],
  );
  if (callable.every((model) => builtIn.includes(model))) {
    return {
      drop: () => undefined,
      events: async function* (write, _retell, signal) {
        yield* write(generate(input, signal, deps));
      },
    };
  }

  const ledger = deps.calls(principal.tenant);
  const known = deps.circuits(principal.tenant);
  const costOf = (model: string, tokensIn: number, tokensOut: number): CallCost => {
    if (builtIn.includes(model)) return { model, tokens: 0, nanoUsd: 0 };
    const { price } = modelConfig(input.config, model);
    const nanoUsd = Math.ceil((tokensIn * price.input + tokensOut * price.output) * 1000);
    return { model, tokens: tokensIn + tokensOut, nanoUsd };
  };
  const most = mostInput(input.request);
  const calls = callable.map((model) => {
    const { contextTokens } = modelConfig(input.config, model);
    return costOf(model, Math.min(most, contextTokens), outputLimit(input, model));
  });
  const { subject, groups } = principal;
  const begin = (shared: string | undefined): Begun => {
    const id = base64url(crypto.getRandomValues(new Uint8Array(12)));
    const telling = makeTelling();
    const request: CallRequest = { id, subject, groups, calls, flight: shared };
    // Nothing to hold, and nobody to share it with: the ledger only hears what was spent, afterwards.
    const started: Promise<CallStart> =
      shared === undefined && input.config.budgets === undefined
        ? Promise.resolve({ type: "lead", models: callable, open: known.open(id, callable) })
        : ledger.startCall(request, shared === undefined ? undefined : telling.join);
    // Whoever waits for it hears of a failure; if nobody does, it is of no interest.
    started.catch(() => undefined);
    return { id, telling, started };
  };
  const first = begin(flight);

  /** Gives back what is held, if anything is by the time that the ledger answers. */
  const drop = ({ id, telling, started }: Begun): void => {
    telling.end(false);
    const settled = started.then(
      ({ type }) => (type === "lead" ? deps.settle(principal.tenant, { id, spent: [] }) : undefined),
      () => undefined,
    );
    deps.defer(settled);
  };

  async function* lead(
    { id, telling }: Begun,
    { models, open: circuits }: Extract<CallStart, { type: "lead" }>,
    write: (generated: AsyncIterable<GenerateEvent>) => AsyncIterable<AnswerEvent>,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent> {
    const meter = makeMeter(input, costOf);
    const route = affordable(input.route, models);
    const opened: string[] = [];
    let turn = 0;
    const again = async (model: string): Promise<void> => {
      if (input.config.budgets === undefined || meter.failed.length === 0) return;
      turn += 1;
      const request: CallRequest = {
        id,
        subject,
        groups,
        calls: calls.filter((call) => call.model === model),
        flight: undefined,
        again: { turn, failed: meter.failed.splice(0) },
      };
      await within(ledger.startCall(request, undefined), signal, "registry_unavailable");
    };
    const told = {
      ...deps,
      opened: (model: string) => void opened.push(model),
      billed: meter.billed,
      again,
    };
    const generated = eager(meter.metered(generate({ ...input, route, open: circuits }, signal, told)));
    let open = true;
    const end = (whole: boolean): void => {
      if (!open) return;
      open = false;
      telling.end(whole);
      const spent = meter.spent();
      known.ended(id, spent, opened);
      deps.settle(principal.tenant, { id, spent, failed: meter.failed, opened });
    };
    try {
      await new Promise((resolve) => setTimeout(resolve, LEAVE_MS));
      for await (const event of write(generated)) {
        telling.push(event);
        // A caller that has what it wanted never comes back for the end.
        if (event.type === "done") end(true);
        yield event;
      }
    } finally {
      end(false);
      generated.close();
    }
  }

  return {
    drop: () => drop(first),
    async *events(write, retell, signal) {
      let begun = first;
      for (let shared = flight; ; shared = undefined) {
        let start: CallStart;
        try {
          start = await within(begun.started, signal, "registry_unavailable");
        } catch (error) {
          drop(begun);
          throw error;
        }
        if (start.type === "lead") {
          yield* lead(begun, start, write, signal);
          return;
        }
        let shown = false;
        try {
          for await (const event of listen(start.events, signal)) {
            shown ||= event.type === "delta";
            yield event.type === "done" ? { type: "done", answer: retell(event.answer) } : event;
          }
          return;
        } catch (error) {
          if (signal.aborted) throw error;
        }
        // Whoever wrote it is gone: the words that were heard go too, and another begins, once more for all who wait.
        if (shown) yield { type: "retract", from: 0 };
        begun = begin(shared);
      }
    },
  };
}

interface Begun {
  readonly id: string;
  readonly telling: ReturnType<typeof makeTelling>;
  readonly started: Promise<CallStart>;
}

/** The same events, the first asked for at once: the model begins while its evidence is still being told. */
function eager<T>(events: AsyncGenerator<T, void>): AsyncIterable<T> & { close(): void } {
  let first: Promise<IteratorResult<T, void>> | undefined = events.next();
  // Whoever reads hears of a failure; if nobody does, it is of no interest.
  first.catch(() => undefined);
  const close = async (): Promise<IteratorResult<T, void>> => events.return();
  return {
    [Symbol.asyncIterator]: () => ({
      next() {
        const result = first ?? events.next();
        first = undefined;
        return result;
      },
      return: close,
    }),
    close: () => void close().catch(() => undefined),
  };
}

interface Meter {
  metered(events: AsyncIterable<GenerateEvent>): AsyncGenerator<GenerateEvent, void>;
  /** As billed where the provider says, else as estimated from what was sent and received. */
  spent(): readonly Spent[];
  readonly billed: (model: string, usage: Settled) => void;
  /** What calls cost that came to nothing, as far as the ledger has not been told. */
  readonly failed: Spent[];
}

function makeMeter(
  input: GenerateInput,
  costOf: (model: string, tokensIn: number, tokensOut: number) => CallCost,
): Meter {
  let model: string | undefined;
  let received = "";
  let told = UNTOLD;
  let usage: Settled | undefined;
  const failed: CallCost[] = [];
  return {
    failed,
    billed: (by, { inputTokens, outputTokens }) => {
      const cost = costOf(by, inputTokens, outputTokens);
      if (cost.tokens > 0) failed.push(cost);
    },
    async *metered(events) {
      for await (const event of events) {
        if (event.type === "start") ({ model, told } = event);
        else if (event.type === "text") received += event.text;
        else usage = event.usage;
        yield event;
      }
    },
    spent() {
      if (model === undefined) return [];
      const { inputTokens, outputTokens } = usage ?? settleUsage(told, spokenBy(input, model, received));
      const cost = costOf(model, inputTokens, outputTokens);
      return cost.tokens === 0 ? [] : [cost];
    },
  };
}
