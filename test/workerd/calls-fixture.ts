import type { Config } from "../../shared/config.ts";
import { QuaysideError } from "../../shared/ports/errors.ts";
import type { LedgerApi } from "../../workers/tenant/api.ts";
import type { CallRequest, Telling, Left, Settlement } from "../../workers/tenant/api-answers.ts";
import { configured, type Opened } from "./ledger-fixture.ts";

/** A ledger with budgets, and calls of models that ask its leave. */

export const MODEL = "a/one";

export function open(budgets: Config["budgets"]): Promise<Opened> {
  return configured({
    name: "test",
    sources: { local: { kind: "none" } },
    tables: {
      news: { source: "local", key: ["id"], classification: "public", access: { allowAny: ["public"] } },
    },
    ...(budgets ? { budgets } : {}),
  });
}

let next = 0;
export function request(tokens: number, more: Partial<CallRequest> = {}): CallRequest {
  next += 1;
  const calls = [{ model: MODEL, tokens, nanoUsd: tokens * 1000 }];
  return { id: `call-${next}`, subject: "ana", groups: ["ops"], calls, flight: undefined, ...more };
}

/** The models that may be asked, or the code of the refusal. */
export async function start(
  ledger: LedgerApi,
  asked: CallRequest,
  telling?: Telling,
): Promise<readonly string[] | string> {
  try {
    const started = await ledger.startCall(asked, telling);
    return started.type === "lead" ? started.models : "follow";
  } catch (error) {
    if (error instanceof QuaysideError) return error.code;
    throw error;
  }
}

export function settled(id: string, spent: Settlement["spent"]): Left {
  return { settled: [{ id, spent }], answers: [], audit: [] };
}
