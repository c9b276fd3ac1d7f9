import type { AnswerCache, CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { Answer, AnswerEvent, Principal } from "../../shared/ports/answer.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Evidence } from "../../shared/ports/evidence.ts";
import type { Recheck } from "../../shared/ports/registry.ts";
import type { Admission } from "../tenant/api.ts";
import {
  askedOf,
  evidenceKeyParts,
  generateInput,
  keyParts,
  restsOnLate,
  routeOf,
  type Asked,
} from "./asked.ts";
import type { TrailedAsk } from "./audit.ts";
import type { AnswerKeys } from "./cache-key.ts";
import { jittered } from "./cache.ts";
import { openCall, type CallDeps } from "./call.ts";
import { anew, finished, logAnswer, NOT_MADE, type Made } from "./finish.ts";
import type { GenerateEvent } from "./generate.ts";
import { fitEvidence } from "./prompt.ts";
import { rowsOf, type Given } from "./records.ts";
import { standalone, within, type Retrieve } from "./retrieve.ts";
import { preferred, whyOf } from "./route.ts";
import { makeWriter, writeNothing, type Written } from "./write.ts";

/** Finished answers live this long unless the configuration says otherwise. */
const DEFAULT_TTL_SECONDS = 3600;

export interface AskDeps extends CallDeps {
  /** What the caller may see, as the ledger decides; memoised up to 5 s unless `fresh`. */
  readonly admit: (principal: Principal, signal: AbortSignal, fresh?: boolean) => Promise<Admission>;
  readonly retrieve: Retrieve;
  readonly recheck: (admission: Admission) => Promise<Recheck>;
  readonly cache: AnswerCache;
  readonly keys: AnswerKeys;
  /** Takes down who was answered from what. */
  readonly record: (given: Given) => void;
}

/** The whole read path. See `docs/` for its picture; it reads top to bottom here. */
export function makeAsk(deps: AskDeps): TrailedAsk {
  return async function* ask(question, principal, signal, trail) {
    const startedAt = deps.host.now();
    if (!principal.scopes.includes("ask")) {
      throw new QuaysideError("forbidden", "The credential does not carry the scope ask.");
    }
    let admission = await deps.admit(principal, signal);
    trail.admitted(admission);
    let asked = askedOf(question, admission, principal.groups, deps.providers.builtIn, startedAt);
    const note = (
      answer: Answer,
      evidence: readonly Evidence[],
      rows: Given["rows"],
      kept?: Answer,
    ): void => {
      logAnswer(deps.host, answer);
      deps.record({ principal, asked, answer, evidence, rows, kept });
    };

    const keys: string[] = [];
    if (question.cache !== "bypass") {
      let key = await deps.keys.keyOf(keyParts(asked));
      const entry = await deps.cache.get(key);
      if (entry && !restsOnLate(asked, entry.rows)) {
        if (await stillHolds(deps, entry, admission, signal)) {
          await trail.kept(entry);
          const answer = anew(asked, entry.answer, "exact", entry.answer.route.why, 0, deps.host.now());
          note(answer, [], entry.rows, entry.answer);
          yield* tell(answer);
          return;
        }
        // Something was revoked, erased or published: what is memoised of this caller is old as well.
        admission = await deps.admit(principal, signal, true);
        trail.admitted(admission);
        asked = askedOf(question, admission, principal.groups, deps.providers.builtIn, startedAt);
        key = await deps.keys.keyOf(keyParts(asked));
      }
      keys.push(key);
    }

    const text = standalone(question.text, question.history);
    const found = await deps.retrieve(
      { text, topK: question.topK, tables: question.tables, cells: question.cells, rowsOnly: false },
      admission,
      signal,
    );
    const timely = found.filter(({ table }) => !asked.late.has(table));
    // What is left out now may be back in a minute, without a new generation.
    if (timely.length < found.length) keys.length = 0;
    const evidence = fitEvidence(timely, asked.limits.contextTokens);
    const rows = rowsOf(evidence);
    const classes = [...new Set(evidence.map((item) => item.classification))];
    const retrieveMs = deps.host.now() - startedAt;
    const done = (written: Written, more: Partial<Made> = {}): AnswerEvent => {
      const answer = finished(asked, written, { ...NOT_MADE, retrieveMs, ...more }, deps.host.now());
      note(answer, evidence, rows);
      if (written.whole && asPreferred(answer)) keep(deps, keys, answer, rows, classes, untilOf(deps, asked));
      return { type: "done", answer };
    };
    if (evidence.length === 0) {
      if (question.cache === "only") throw missed();
      yield { type: "evidence", citations: [] };
      const { events, written } = writeNothing(found.length > 0 ? "stale" : "none_found", asked.language);
      yield* events;
      yield done(written);
      return;
    }

    await trail.read(evidence);
    const route = routeOf(asked, evidence, deps.providers);
    const flight =
      question.cache === "bypass"
        ? undefined
        : await deps.keys.evidenceKeyOf(evidenceKeyParts(asked, preferred(route), evidence));
    const call = openCall(deps, principal, generateInput(asked, route, text, evidence), flight);
    if (flight !== undefined) {
      const entry = await deps.cache.get(flight);
      if (entry || question.cache === "only") call.drop();
      if (entry) {
        // These rows have just been confirmed, and the answer rests on nothing else.
        keep(deps, keys, entry.answer, rows, classes, entry.until);
        const answer = anew(asked, entry.answer, "evidence", route.why, retrieveMs, deps.host.now());
        note(answer, evidence, rows, entry.answer);
        yield* tell(answer);
        return;
      }
      if (question.cache === "only") throw missed();
      keys.push(flight);
    }

    const write = async function* (generated: AsyncIterable<GenerateEvent>): AsyncGenerator<AnswerEvent> {
      const writer = makeWriter(evidence, text, asked.language);
      yield { type: "evidence", citations: writer.candidates() };
      let made: Partial<Made> = {};
      for await (const event of generated) {
        if (event.type === "start") {
          const why = whyOf(route, event.attempts, event.model);
          const firstTokenMs = deps.host.now() - startedAt;
          made = { model: event.model, attempts: event.attempts, why, firstTokenMs };
        } else if (event.type === "text") yield* writer.push(event.text);
        else {
          const { events, written } = writer.finish(event.reason, event.usage);
          yield* events;
          yield done(written, { ...made, served: event.served });
        }
      }
    };
    const retell = (answer: Answer): Answer => {
      const own = anew(asked, answer, "evidence", answer.route.why, retrieveMs, deps.host.now());
      note(own, evidence, rows, answer);
      return { ...own, attempts: answer.attempts };
    };
    yield* call.events(write, retell, signal);
  };
}

function missed(): QuaysideError {
  return new QuaysideError("cache_miss", "No cached answer holds.");
}

async function stillHolds(
  deps: AskDeps,
  entry: CachedAnswer,
  admission: Admission,
  signal: AbortSignal,
): Promise<boolean> {
  const registry = await deps.recheck(admission);
  const holds = registry.holds(admission.epoch, entry.rows, admission.permitted, signal);
  return within(holds, signal, "registry_unavailable");
}

/** A kept answer, told like one that is being written. */
function* tell(answer: Answer): Generator<AnswerEvent> {
  yield { type: "evidence", citations: answer.citations };
  yield { type: "delta", text: answer.text };
  yield { type: "done", answer };
}

/** Whether no one failed on the way: an answer of a stand-in must not outlive the failure. */
function asPreferred(answer: Answer): boolean {
  const fine = ["ok", "not_permitted", "too_expensive", "too_slow"];
  return answer.attempts.every(({ outcome }) => fine.includes(outcome));
}

/** Keeps a whole answer with every row that the model read, so that a change to any of them is noticed. */
function keep(
  deps: AskDeps,
  keys: readonly string[],
  answer: Answer,
  rows: Given["rows"],
  classes: CachedAnswer["classes"],
  until: number,
): void {
  for (const key of keys) deps.defer(deps.cache.put({ key, answer, rows, classes, until }));
}

function untilOf(deps: AskDeps, { config }: Asked): number {
  return deps.host.now() + jittered(config.cache?.ttlSeconds ?? DEFAULT_TTL_SECONDS, deps.random()) * 1000;
}
