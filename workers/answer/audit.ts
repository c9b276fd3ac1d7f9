import { pseudonymOf, type AuditEntry } from "../../shared/audit-wire.ts";
import type { Config } from "../../shared/config.ts";
import type { CachedAnswer } from "../../shared/ports/answer-cache.ts";
import type { Answer, AnswerEvent, Ask, Principal, Question } from "../../shared/ports/answer.ts";
import { timedId } from "../../shared/ids.ts";
import { lazily } from "../../shared/lazily.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { Classification, Evidence } from "../../shared/ports/evidence.ts";
import type { Host } from "../../shared/ports/host.ts";
import { makeHasher } from "../../shared/sha256.ts";
import type { Admission } from "../tenant/api.ts";
import type { Aftermath } from "./aftermath.ts";
import { ofObject } from "../../shared/lazily.ts";
import { ofText } from "./of-text.ts";
import { within } from "./retrieve.ts";

/**
 * One record a question, whatever becomes of it: who asked (a pseudonym), under which policy, which rows were read, who wrote the
 * answer, and how it ended. Never the question, the answer, a row's text or its key: rows are named by the hash that their
 * erasure receipts carry as well. Written after the last byte, with others of the same moment; for rows of a class in `audit.first`, a first record goes out
 * before any of them is told, and an answer that can't be recorded is not given.
 */

/** Classes whose answers are recorded before they are told, unless the configuration says otherwise. */
const FIRST: readonly Classification[] = ["restricted"];

/** What the read path tells of a question while it runs. */
export interface Trail {
  admitted(admission: Admission): void;
  /** The rows of an answer that was kept. @throws QuaysideError `registry_unavailable` when it must be recorded first and can't be. */
  kept(entry: CachedAnswer): Promise<void>;
  /** The rows that a model is about to read. @throws as `kept`. */
  read(evidence: readonly Evidence[]): Promise<void>;
}

export type TrailedAsk = (
  question: Question,
  principal: Principal,
  signal: AbortSignal,
  trail: Trail,
) => AsyncIterable<AnswerEvent>;

export interface AuditDeps {
  /** Appends to the tenant's trail at once. */
  readonly append: (tenant: string, entries: readonly AuditEntry[]) => Promise<unknown>;
  /** Appends soon, and logs what it could not. */
  readonly later: Aftermath["audit"];
  readonly host: Pick<Host, "now">;
}

const hasher = lazily(makeHasher);
/** Characters of what was hashed a moment ago: rows are read, and callers ask, more than once. */
const MOST_HASHED = 200_000;
const hashOf = ofText(MOST_HASHED, (text) => ({ hash: hasher().hash128(text) }));

const nameOf = ofObject<Principal, string>(pseudonymOf);

/** Questions that leave a record each. */
export function makeAudited(deps: AuditDeps): (ask: TrailedAsk) => Ask {
  return (ask) => audited(ask, deps);
}

function audited(ask: TrailedAsk, deps: AuditDeps): Ask {
  return async function* recorded(question, principal, signal) {
    const startedAt = deps.host.now();
    const id = timedId(startedAt);
    let admission: Admission | undefined;
    let rows: readonly RowRead[] = [];
    let answer: Answer | undefined;
    let ending = "left";

    const entry = (action: "ask" | "ask-opened"): AuditEntry => {
      const record = JSON.stringify({
        id,
        action,
        at: new Date(deps.host.now()).toISOString(),
        tenant: principal.tenant,
        principal: nameOf(principal),
        request: question.requestId,
        requested: question.model ?? "auto",
        ...(admission ? policyOf(admission) : {}),
        rows,
        ...(action === "ask" ? { ending, ms: deps.host.now() - startedAt, ...answerOf(answer) } : {}),
      });
      return { key: `${id} ${action}`, record };
    };
    const first = async (read: readonly RowRead[], classes: readonly Classification[]): Promise<void> => {
      rows = read;
      const must = admission?.config.audit?.first ?? FIRST;
      if (!classes.some((one) => must.includes(one))) return;
      await within(deps.append(principal.tenant, [entry("ask-opened")]), signal, "registry_unavailable");
    };
    const trail: Trail = {
      admitted: (given) => void (admission = given),
      kept: (entry) =>
        first(
          entry.rows.map(([row, version]) => rowRead(row, version)),
          entry.classes,
        ),
      read: (evidence) =>
        first(
          [
            ...new Map(
              evidence.map((item) => [item.row, rowRead(item.row, item.version, item.classification)]),
            ).values(),
          ],
          evidence.map((item) => item.classification),
        ),
    };

    try {
      for await (const event of ask(question, principal, signal, trail)) {
        if (event.type === "done") {
          ({ answer } = event);
          ending = answer.outcome;
        }
        yield event;
      }
    } catch (error) {
      ending = error instanceof QuaysideError ? error.code : "internal";
      throw error;
    } finally {
      deps.later(principal.tenant, { id, ...entry("ask") });
    }
  };
}

interface RowRead {
  readonly row: string;
  readonly version: string;
  readonly class?: Classification | undefined;
}

function rowRead(row: string, version: string, classification?: Classification): RowRead {
  return { row: hashOf(row).hash, version, class: classification };
}

function policyOf({ epoch, generation, configVersion, permitted, config }: Admission) {
  return {
    config: configVersion,
    epoch,
    generation,
    index: kindOf(config),
    fingerprint: hashOf(permitted.join(" ")).hash.slice(0, 12),
  };
}

function kindOf(config: Config): string {
  return config.index?.kind ?? "embedded";
}

function answerOf(answer: Answer | undefined) {
  if (!answer) return {};
  const { usage, verification, attempts } = answer;
  return {
    answer: answer.id,
    reason: answer.reason,
    model: answer.model,
    served: answer.servedModel,
    why: answer.route.why,
    attempts,
    cache: answer.cache,
    cited: answer.citations.length,
    removed: verification.removed.length,
    inputTokens: usage.inputTokens,
    outputTokens: usage.outputTokens,
    costUsd: usage.costUsd,
  };
}
